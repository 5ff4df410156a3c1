// Package inspect reports what batches hold, those of a materialized data set, of a
// stream or of a run: columns, shapes, rows by class, and the mean and standard
// deviation of the pixels.
//
//	inspector := inspect.Inspector{Name: "dataset", Statistics: true}
//	err := sinks.ReadPartsContext(ctx, "dataset", inspector.Add)
//	...
//	report, err := inspector.Report()
package inspect

import (
	"encoding/json"
	"fmt"
	"math"
	pathpkg "path"
	"reflect"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/internal/plandiff"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// Inspector gathers what batches hold. The zero value is ready for use.
type Inspector struct {
	Name       string // of what is inspected, for the report and errors
	Statistics bool   // also gather the mean and standard deviation of each channel

	report  Report
	schemas []*arrow.Schema // of report.Shapes
}

// Add takes a batch into account, and doesn't keep it. Batches of several shapes may
// come in any order; batches of two plans are an error.
func (i *Inspector) Add(b *schema.Batch) error {
	s := b.Record.Schema()
	shape := slices.IndexFunc(i.schemas, func(have *arrow.Schema) bool { return s == have || s.Equal(have) && planOf(s) == planOf(have) })
	if shape < 0 {
		if err := i.report.begin(s, b); err != nil {
			return fmt.Errorf("inspect: %s: %w", i.Name, err)
		}
		shape, i.schemas = len(i.schemas), append(i.schemas, s)
	}
	if err := i.report.add(b, &i.report.Shapes[shape], i.Statistics); err != nil {
		return fmt.Errorf("inspect: %s: %w", i.Name, err)
	}
	return nil
}

// planOf is the hash in a schema's metadata, which Equal doesn't compare.
func planOf(s *arrow.Schema) string {
	m := s.Metadata()
	if i := m.FindKey(schema.MetaPlanHash); i >= 0 {
		return m.Values()[i]
	}
	return ""
}

// Report sums up what was added. It is an error if there was no batch.
func (i *Inspector) Report() (*Report, error) {
	if i.report.Batches == 0 {
		return nil, fmt.Errorf("inspect: %s: it holds no finished part and no batch", i.Name)
	}
	out := i.report
	out.Path = i.Name
	out.Shapes = slices.Clone(out.Shapes)
	for n := range out.Shapes {
		out.Shapes[n].finish()
	}
	out.finishTargets()
	out.ledger.finish(&out)
	return &out, nil
}

// Report is what a data set holds.
type Report struct {
	Path     string                      `json:"path"`             // the Inspector's Name
	Format   string                      `json:"format,omitempty"` // of OfManifest: then Batches counts parts
	PlanHash string                      `json:"plan_hash"`
	Seed     uint64                      `json:"seed"`
	Rows     int64                       `json:"rows"` // over all shapes
	Batches  int64                       `json:"batches"`
	Columns  []Column                    `json:"columns"`
	Shapes   []Shape                     `json:"shapes"`
	Tasks    map[string]map[string]int64 `json:"tasks"`             // rows by task and class; "" is unknown
	Samples  map[string]map[string]int64 `json:"samples,omitempty"` // the same for the samples drawn from
	TaskList []schema.Task               `json:"-"`                 // the tasks with their classes, in order
	Objects  []ObjectCount               `json:"objects,omitempty"` // by class, in the order of their numbers
	Masks    []MaskCount                 `json:"masks,omitempty"`   // by class, in the order of their numbers

	// Ledger is what the rows show of each class, by task, and ByEpoch the same epoch by epoch; nil
	// of OfManifest, and ByEpoch with more than 16,384 classes times epochs.
	Ledger map[string]map[string]Exposure `json:"ledger,omitempty"`
	// Images is the same for tasks of several labels, and for the classes of objects, by the name boxes: a
	// row counts for every class that it has, or of which it shows an object.
	Images  map[string]map[string]Exposure `json:"images,omitempty"`
	ByEpoch []EpochExposure                `json:"ledger_by_epoch,omitempty"`

	ledger    ledger
	pipeline  string
	masks     *maskPixels // nil: there are none
	maskNames []string
}

// OfManifest is the report of a data set whose format isn't read back as batches: what its
// manifest says of rows, classes, objects and masks. It has no columns, and no samples.
func OfManifest(path string, m *sinks.Manifest) (*Report, error) {
	r := &Report{Path: path, Format: m.Format, PlanHash: m.PlanHash, Rows: m.Rows, Batches: int64(len(m.Parts)), Columns: []Column{},
		Tasks: map[string]map[string]int64{}, TaskList: m.Tasks}
	var plan struct{ Seed uint64 }
	if json.Unmarshal(m.Pipeline, &plan) == nil {
		r.Seed = plan.Seed
	}
	rows := map[string]int64{}
	for _, p := range m.Parts {
		rows[pathpkg.Dir(p.Name)] += p.Rows
	}
	for _, v := range m.Variants {
		s := Shape{Image: v.Image, Rows: rows[v.Folder]}
		if v.Folder != "." {
			s.Scale = schema.FormatScale(v.Scale)
		}
		r.Shapes = append(r.Shapes, s)
	}
	for _, t := range m.Tasks {
		counts := map[string]int64{}
		for class, n := range m.Classes[t.Name] {
			switch {
			case class < len(t.Classes):
				counts[t.Classes[class]] = n
			case n > 0:
				counts[""] = n
			}
		}
		r.Tasks[t.Name] = counts
	}
	return r, r.countTargets(m)
}

// Column is a column of the batches, and its Arrow type.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Shape is one shape of the image column: one without multiscale.
type Shape struct {
	Scale string   `json:"scale,omitempty"`
	Image string   `json:"image"`
	Rows  int64    `json:"rows"`
	Mean  []Number `json:"mean,omitempty"` // per channel; uint8 counts as 0..1
	Std   []Number `json:"std,omitempty"`

	sums channelSums
}

// Number is a float64 that is null in JSON where it isn't finite.
type Number float64

// MarshalJSON writes the number, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// begin takes account of a schema that wasn't seen before.
func (r *Report) begin(s *arrow.Schema, b *schema.Batch) error {
	run, err := schema.ReadRun(s)
	if err != nil {
		return err
	}
	if err := checkTasks(run, s); err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	shape := Shape{Image: string(b.Form)}
	if b.Form == schema.FormTensor {
		shape.Image = b.Tensor.String()
	}
	if i := s.Metadata().FindKey(schema.MetaScale); i >= 0 {
		shape.Scale = s.Metadata().Values()[i]
	}
	if len(r.Shapes) > 0 { // the other shapes of the same run
		if run.PlanHash != r.PlanHash || !reflect.DeepEqual(run.Tasks, r.TaskList) {
			return fmt.Errorf("it holds parts of two plans, %s and %s; what differs, first -> second:\n  %s", r.PlanHash, run.PlanHash,
				plandiff.Lines(append(schema.ClassChanges(r.TaskList, run.Tasks), plandiff.Texts(plandiff.Plans([]byte(r.pipeline), []byte(run.Pipeline)))...)))
		}
		r.Shapes = append(r.Shapes, shape)
		return nil
	}
	r.Shapes = append(r.Shapes, shape)
	r.Tasks, r.Samples = map[string]map[string]int64{}, map[string]map[string]int64{}
	r.PlanHash, r.Seed, r.TaskList, r.pipeline = run.PlanHash, run.Seed, run.Tasks, run.Pipeline
	r.beginTargets(run.Targets)
	r.ledger.begin(run)
	for _, f := range s.Fields() {
		r.Columns = append(r.Columns, Column{f.Name, f.Type.String()})
	}
	for t, task := range run.Tasks {
		r.Tasks[task.Name], r.Samples[task.Name] = map[string]int64{}, map[string]int64{}
		for class, n := range run.Counts[t] {
			if class < len(task.Classes) {
				r.Tasks[task.Name][task.Classes[class]] = 0
				r.Samples[task.Name][task.Classes[class]] = n
			} else if n > 0 {
				r.Samples[task.Name][""] = n
			}
		}
	}
	return nil
}

// checkTasks compares the tasks in the metadata with the columns.
func checkTasks(run *schema.Run, s *arrow.Schema) error {
	var want, have []string
	for t, task := range run.Tasks {
		want = append(want, schema.ColumnLabel+task.Name)
		if t < len(run.Counts) && len(run.Counts[t]) > len(task.Classes)+1 {
			return fmt.Errorf("the metadata count the samples of %d classes of task %q, which has %d", len(run.Counts[t]), task.Name, len(task.Classes))
		}
	}
	for _, f := range s.Fields() {
		if strings.HasPrefix(f.Name, schema.ColumnLabel) && f.Type.ID() == arrow.INT32 { // not of several labels, or a value
			have = append(have, f.Name)
		}
	}
	if !slices.Equal(want, have) || len(run.Counts) != len(run.Tasks) {
		return fmt.Errorf("the metadata list the label columns %q and the samples of %d tasks, and the columns are %q", want, len(run.Counts), have)
	}
	return nil
}

func (r *Report) add(b *schema.Batch, shape *Shape, stats bool) error {
	r.Rows += int64(b.Rows())
	r.Batches++
	shape.Rows += int64(b.Rows())
	for t, task := range r.TaskList {
		for _, label := range b.Labels(t) {
			name := ""
			switch {
			case label >= 0 && int(label) < len(task.Classes):
				name = task.Classes[label]
			case label != schema.Unknown:
				return fmt.Errorf("damaged: label %d of task %s, which has %d classes", label, task.Name, len(task.Classes))
			}
			r.Tasks[task.Name][name]++
		}
	}
	objects, err := r.addTargets(b)
	if err != nil {
		return err
	}
	if err := r.ledger.add(b, objects); err != nil {
		return err
	}
	if stats && b.Form != schema.FormEncoded {
		for row := range b.Rows() {
			shape.sums.add(b.Picture(row))
		}
	}
	return nil
}

// channelSums accumulates mean and variance: float64 sums over a picture are combined by
// Chan's method.
type channelSums struct {
	n          float64
	mean, devs [3]float64
}

func (s *channelSums) add(p *schema.Picture) {
	pixels := p.Height * p.Width
	n := float64(pixels)
	for c := range 3 {
		var sum, square float64
		for i := range pixels {
			v := value(p, pixels, i, c)
			sum += v
			square += v * v
		}
		mean := sum / n
		delta := mean - s.mean[c]
		s.devs[c] += square - sum*mean + delta*delta*s.n*n/(s.n+n)
		s.mean[c] += delta * n / (s.n + n)
	}
	s.n += n
}

// value is a channel of a pixel, uint8 divided by 255.
func value(p *schema.Picture, pixels, i, c int) float64 {
	at := 3*i + c
	if p.Layout == schema.CHW {
		at = c*pixels + i
	}
	if p.F32 != nil {
		return float64(p.F32[at])
	}
	return float64(p.U8[at]) / 255
}

func (s *Shape) finish() {
	if s.sums.n == 0 {
		return
	}
	for c := range 3 {
		s.Mean = append(s.Mean, Number(s.sums.mean[c]))
		s.Std = append(s.Std, Number(math.Sqrt(max(s.sums.devs[c]/s.sums.n, 0))))
	}
}
