package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
)

// Variant is one shape in which batches leave a pipeline: the batch as it is,
// or one scale of a multi-scale pipeline.
type Variant struct {
	Scale  float64 // 1 for a pipeline without scales
	Tensor Tensor
}

// Form is how the image column holds its rows.
type Form string

// The forms of the image column.
const (
	FormEncoded Form = "encoded" // large_binary: the file as it is (no decode stage)
	FormVarying Form = "varying" // struct<height, width, pixels>: each row of its own size
	FormTensor  Form = "tensor"  // arrow.fixed_shape_tensor
)

// Run describes what a sink is about to get; all of it is known before the first
// batch. Schemas carry it in their metadata.
type Run struct {
	PlanHash string
	Pipeline string // canonical form, JSON
	Seed     uint64
	Tasks    []Task
	Columns  []Column     // those that the source adds to every row
	Targets  *TargetSpec  // nil: none
	Counts   [][]int64    // [task][class], of the samples that the pipeline draws from; the last class is that of unknown labels
	Multi    []MultiCount // per task of Targets.Multi, of the same samples; nil: not counted

	Form     Form
	Variants []Variant // one without multiscale
	Scales   bool      // the pipeline has a multi-scale stage, even if of one scale
	Params   bool      // records have the params column
	Mixed    bool      // rows may be mixed with others of their batch, and records have the columns of shares
	Padded   bool      // FormVarying: the pictures of a batch are padded to one size, and records have the valid column

	Epochs          int
	RowsPerEpoch    int64
	BatchesPerEpoch int64
	BatchSize       int // the last batch of an epoch may be shorter

	Samples  Samples // of its source; nil: not known
	RowBytes int64   // approximate size of a row's images in all variants; 0: not known

	// Distinct reports whether the draws of an epoch are of different samples, whatever
	// fails; nil: not known. It may look at every draw when it is first called.
	Distinct func() bool
}

// DrawnOnce reports whether each sample is known to be drawn at most once in the run: then
// its key is a name for its row.
func (r *Run) DrawnOnce() bool { return r.Epochs <= 1 && r.Distinct != nil && r.Distinct() }

// Clone is a copy that shares no memory with r, but for Samples and Distinct.
func (r *Run) Clone() *Run {
	c := *r
	c.Tasks, c.Counts = slices.Clone(r.Tasks), slices.Clone(r.Counts)
	for t := range c.Tasks {
		c.Tasks[t].Classes = slices.Clone(c.Tasks[t].Classes)
	}
	for t := range c.Counts {
		c.Counts[t] = slices.Clone(c.Counts[t])
	}
	c.Targets, c.Multi = r.Targets.Clone(), slices.Clone(r.Multi)
	for t := range c.Multi {
		c.Multi[t].Classes = slices.Clone(c.Multi[t].Classes)
	}
	c.Columns, c.Variants = slices.Clone(r.Columns), slices.Clone(r.Variants)
	return &c
}

// The keys of a schema's metadata.
const (
	MetaPlanHash = "sluice.plan_hash"
	MetaPipeline = "sluice.pipeline"
	MetaSeed     = "sluice.seed"
	MetaTasks    = "sluice.tasks"   // JSON: [{"name": .., "classes": [..]}, ..]
	MetaCounts   = "sluice.counts"  // JSON: [[..], ..] per task and class, unknown last
	MetaTargets  = "sluice.targets" // JSON: TargetSpec; only where there are targets
	MetaScale    = "scale"          // only with a multi-scale stage
	MetaFormat   = "sluice.format"  // version of all this and of the columns; not written while it is 1
)

// Format is the version of the columns and the metadata that are written and read.
const Format = 1

// CheckFormat refuses a schema of a later version.
func CheckFormat(s *arrow.Schema) error {
	md := s.Metadata()
	i := md.FindKey(MetaFormat)
	if i < 0 {
		return nil
	}
	text := md.Values()[i]
	if n, err := strconv.Atoi(text); err != nil || n < 1 || n > Format {
		return fmt.Errorf("schema: %s is %.20q, and this sluice reads format %d: read it with the version that wrote it", MetaFormat, text, Format)
	}
	return nil
}

// metadata is the schema metadata of one variant.
func (r *Run) metadata(variant int) (arrow.Metadata, error) {
	tasks, err := json.Marshal(append([]Task{}, r.Tasks...)) // none: [], not null
	if err != nil {
		return arrow.Metadata{}, fmt.Errorf("schema: %w", err)
	}
	counts, err := json.Marshal(append([][]int64{}, r.Counts...))
	if err != nil {
		return arrow.Metadata{}, fmt.Errorf("schema: %w", err)
	}
	keys := []string{MetaPlanHash, MetaPipeline, MetaSeed, MetaTasks, MetaCounts}
	values := []string{r.PlanHash, r.Pipeline, strconv.FormatUint(r.Seed, 10), string(tasks), string(counts)}
	if r.Targets != nil {
		spec, err := json.Marshal(r.Targets)
		if err != nil {
			return arrow.Metadata{}, fmt.Errorf("schema: %w", err)
		}
		keys, values = append(keys, MetaTargets), append(values, string(spec))
	}
	if r.Scales {
		keys = append(keys, MetaScale)
		values = append(values, FormatScale(r.Variants[variant].Scale))
	}
	return arrow.NewMetadata(keys, values), nil
}

// FormatScale writes a scale as file names and metadata have it: 0.5, 1, 1.5.
func FormatScale(scale float64) string { return strconv.FormatFloat(scale, 'g', -1, 64) }

// ReadRun restores what a schema's metadata tells of the run that wrote it:
// PlanHash, Pipeline, Seed, Tasks, Targets and Counts.
func ReadRun(s *arrow.Schema) (*Run, error) {
	if err := CheckFormat(s); err != nil {
		return nil, err
	}
	md := s.Metadata()
	get := func(key string) string {
		if i := md.FindKey(key); i >= 0 {
			return md.Values()[i]
		}
		return ""
	}
	r := &Run{PlanHash: get(MetaPlanHash), Pipeline: get(MetaPipeline)}
	if r.PlanHash == "" {
		return nil, fmt.Errorf("schema: no %s in the metadata: not written by sluice", MetaPlanHash)
	}
	var err error
	if r.Seed, err = strconv.ParseUint(get(MetaSeed), 10, 64); err != nil {
		return nil, fmt.Errorf("schema: metadata %s: %w", MetaSeed, err)
	}
	if err := json.Unmarshal([]byte(get(MetaTasks)), &r.Tasks); err != nil {
		return nil, fmt.Errorf("schema: metadata %s: %w", MetaTasks, err)
	}
	if err := json.Unmarshal([]byte(get(MetaCounts)), &r.Counts); err != nil {
		return nil, fmt.Errorf("schema: metadata %s: %w", MetaCounts, err)
	}
	if spec := get(MetaTargets); spec != "" {
		if err := json.Unmarshal([]byte(spec), &r.Targets); err != nil {
			return nil, fmt.Errorf("schema: metadata %s: %w", MetaTargets, err)
		}
	}
	return r, nil
}
