package sinks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/plandiff"
	"github.com/sluicedata/sluice/schema"
)

// Layout is everything that determines which files a directory holds and their
// bytes; plan.json is a Layout. It doesn't mention shards, machines or times, which
// change no byte.
type Layout struct {
	Version  int             `json:"version"` // see LayoutVersion
	PlanHash string          `json:"plan_hash"`
	Pipeline json.RawMessage `json:"pipeline"` // canonical form
	Tasks    []schema.Task   `json:"tasks"`

	Targets *schema.TargetSpec `json:"targets,omitempty"` // nil: none

	Format   string          `json:"format"`            // arrow
	Ext      string          `json:"ext,omitempty"`     // of the parts' files; of arrow it isn't written
	Codec    Codec           `json:"codec,omitempty"`   // of arrow
	Options  json.RawMessage `json:"options,omitempty"` // of the format: those that change bytes
	Members  bool            `json:"members,omitempty"` // parts hold files of their own, which their files list
	Params   bool            `json:"params"`            // the params column is there
	Variants []Variant       `json:"variants"`          // one without multiscale

	Epochs          int   `json:"epochs"`
	RowsPerEpoch    int64 `json:"rows_per_epoch"`
	BatchesPerEpoch int64 `json:"batches_per_epoch"`
	BatchSize       int   `json:"batch_size"`
	PartRows        int   `json:"part_rows"`        // as asked for
	BatchesPerPart  int64 `json:"batches_per_part"` // whole ones: floor(part_rows / batch_size), at least 1
	PartCount       int   `json:"part_count"`       // of each variant
}

// LayoutVersion is the version of the directories written now. Those of version 1
// are read and verified, but never completed or repaired, so that no directory mixes
// the two. Since version 2 the messages of every part end with the format's
// end-of-stream marker, before the footer.
const LayoutVersion = 2

// Variant is one shape of a run's pictures, and the folder of its parts.
type Variant struct {
	Folder string  `json:"folder"` // scale-0.5; "." without multiscale
	Scale  float64 `json:"scale"`
	Image  string  `json:"image"` // float32[3,112,112], varying, encoded
}

func newLayout(run *schema.Run, e Encoding, partRows int) (*Layout, error) {
	pipeline := json.RawMessage(run.Pipeline)
	if !json.Valid(pipeline) {
		pipeline = marshal(run.Pipeline)
	}
	l := &Layout{
		Version: LayoutVersion, PlanHash: run.PlanHash, Pipeline: pipeline, Tasks: append([]schema.Task{}, run.Tasks...), Targets: run.Targets,
		Format: e.Name(), Params: run.Params,
		Epochs: run.Epochs, RowsPerEpoch: run.RowsPerEpoch, BatchesPerEpoch: run.BatchesPerEpoch, BatchSize: run.BatchSize,
		PartRows: partRows, BatchesPerPart: int64(max(1, partRows/max(1, run.BatchSize))),
	}
	if a, ok := e.(arrowEncoding); ok {
		l.Codec = a.codec
	} else {
		l.Ext = e.Ext()
	}
	if o := e.Options(); o != nil {
		l.Options = marshal(o)
	}
	_, l.Members = e.(Lister)
	for _, v := range run.Variants {
		w := Variant{Folder: ".", Scale: v.Scale, Image: string(run.Form)}
		if run.Scales {
			w.Folder = scaleFolder(v.Scale)
		}
		if run.Form == schema.FormTensor {
			w.Image = v.Tensor.String()
		}
		if slices.ContainsFunc(l.Variants, func(o Variant) bool { return o.Folder == w.Folder }) {
			return nil, fmt.Errorf("two variants of scale %s: their files would have the same names", schema.FormatScale(v.Scale))
		}
		l.Variants = append(l.Variants, w)
	}
	parts, err := l.countParts()
	if err != nil {
		return nil, err
	}
	l.PartCount = int(parts)
	if n := l.manifestBytes(); n > largestManifest {
		return nil, fmt.Errorf("the manifest would take %d MiB, as it counts the rows of each class in each of %d files: make larger parts (--part-rows)", n>>20, l.PartCount*len(l.Variants))
	}
	return l, l.check()
}

func (l *Layout) partsPerEpoch() int {
	return int((l.BatchesPerEpoch + l.BatchesPerPart - 1) / l.BatchesPerPart)
}

// part is the number of the part that a batch belongs to.
func (l *Layout) part(epoch int, batch int64) int {
	return epoch*l.partsPerEpoch() + int(batch/l.BatchesPerPart)
}

// span is what a part covers: batches first .. first+n-1 of an epoch.
func (l *Layout) span(part int) (epoch int, first, n int64) {
	epoch = part / l.partsPerEpoch()
	first = int64(part%l.partsPerEpoch()) * l.BatchesPerPart
	return epoch, first, min(l.BatchesPerPart, l.BatchesPerEpoch-first)
}

// file is the name of a part's file in one variant: slash-separated, relative to the
// directory.
func (l *Layout) file(part, variant int) string {
	digits := max(5, len(fmt.Sprint(l.PartCount))) // so that names sort as numbers
	return join(l.Variants[variant].Folder, fmt.Sprintf("part-%0*d-of-%0*d%s", digits, part, digits, l.PartCount, l.ext()))
}

// ext is the extension of the parts' files.
func (l *Layout) ext() string { return cmp.Or(l.Ext, ".arrow") }

// files are the names of a part's files in all variants.
func (l *Layout) files(part int) []string {
	var names []string
	for v := range l.Variants {
		names = append(names, l.file(part, v))
	}
	return names
}

// folders are those of the parts' files.
func (l *Layout) folders() []string {
	var list []string
	for _, v := range l.Variants {
		list = append(list, v.Folder)
	}
	return list
}

func checkVersion(version int) error {
	if version < 1 || version > LayoutVersion {
		return fmt.Errorf("it has layout version %d, and this sluice reads versions 1 to %d", version, LayoutVersion)
	}
	return nil
}

// checkRead is check of what was read from a file; format "" is any.
func (l *Layout) checkRead(path, format string) error {
	if l.Version > LayoutVersion {
		return fmt.Errorf("%s: %w: use the version that wrote it", path, checkVersion(l.Version))
	}
	if format != "" && l.Format != format && l.Format != "" {
		return fmt.Errorf("%s is of the format %q, not %s", path, shorten(l.Format), format)
	}
	if err := l.check(); err != nil {
		return fmt.Errorf("%s: damaged: %w", path, err)
	}
	return nil
}

// The limits of a directory. A manifest is held in memory, and part names are
// enumerated.
const (
	mostFiles       = 1 << 20
	largestManifest = 256 << 20
	mostRowsEver    = 1 << 53 // numbers up to this survive every JSON reader
)

// check finds the first number or name that no run can have. The layout may come
// from anywhere: nothing in it is used before.
func (l *Layout) check() error {
	if err := checkVersion(l.Version); err != nil {
		return err
	}
	switch {
	case l.PlanHash == "":
		return errors.New("it has no plan_hash")
	case !formatName.MatchString(l.Format):
		return fmt.Errorf("format %q: want the name of a format", shorten(l.Format))
	case (l.Format == "arrow") != (l.Ext == "") || l.Ext != "" && !extension.MatchString(l.Ext):
		return fmt.Errorf("ext %q: want an extension such as .tar", shorten(l.Ext))
	case !json.Valid(l.Pipeline):
		return errors.New("it has no pipeline")
	}
	if err := l.Targets.Check(); err != nil {
		return err
	}
	if err := l.Codec.check(); err != nil {
		return err
	}
	if err := l.checkNames(); err != nil {
		return err
	}
	for _, n := range []struct {
		key         string
		value       int64
		least, most int64
	}{
		{"epochs", int64(l.Epochs), 0, mostFiles},
		{"rows_per_epoch", l.RowsPerEpoch, 0, mostRowsEver},
		{"batches_per_epoch", l.BatchesPerEpoch, 0, mostRowsEver},
		{"batch_size", int64(l.BatchSize), 0, mostRowsEver},
		{"part_rows", int64(l.PartRows), 1, math.MaxInt64},
	} {
		if n.value < n.least || n.value > n.most {
			return fmt.Errorf("%s %d: want %d to %d", n.key, n.value, n.least, n.most)
		}
	}
	if want := int64(max(1, l.PartRows/max(1, l.BatchSize))); l.BatchesPerPart != want {
		return fmt.Errorf("batches_per_part %d: want %d (part_rows / batch_size)", l.BatchesPerPart, want)
	}
	parts, err := l.countParts()
	if err != nil {
		return err
	}
	if int64(l.PartCount) != parts {
		return fmt.Errorf("part_count %d: want %d (the parts of all epochs)", l.PartCount, parts)
	}
	return nil
}

var (
	formatName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	extension  = regexp.MustCompile(`^\.[a-z0-9]{1,15}$`)
)

func (l *Layout) checkNames() error {
	tasks := map[string]bool{}
	for _, t := range l.Tasks {
		if t.Name == "" || tasks[t.Name] {
			return fmt.Errorf("task %q is there twice, or has no name", shorten(t.Name))
		}
		tasks[t.Name] = true
	}
	if len(l.Variants) == 0 {
		return errors.New("it has no variants")
	}
	folders := map[string]bool{}
	for _, v := range l.Variants {
		whole := v.Folder == "." && len(l.Variants) == 1
		if !whole && (v.Folder != scaleFolder(v.Scale) || !(v.Scale > 0) || math.IsInf(v.Scale, 1)) || folders[v.Folder] {
			return fmt.Errorf("folder %q of scale %s: want %s, once", shorten(v.Folder), schema.FormatScale(v.Scale), scaleFolder(v.Scale))
		}
		folders[v.Folder] = true
	}
	return nil
}

func scaleFolder(scale float64) string { return "scale-" + schema.FormatScale(scale) }

// countParts is the number of parts in all epochs, if that is within the limits.
func (l *Layout) countParts() (int64, error) {
	perEpoch := (l.BatchesPerEpoch + l.BatchesPerPart - 1) / l.BatchesPerPart
	files := int64(mostFiles)
	if perEpoch > 0 {
		files = mostFiles / perEpoch // epochs, at most
	}
	if int64(l.Epochs) > files/int64(len(l.Variants)) {
		return 0, fmt.Errorf("%d epochs of %d parts in %d variants are more than %d files: make larger parts (--part-rows)", l.Epochs, perEpoch, len(l.Variants), mostFiles)
	}
	return int64(l.Epochs) * perEpoch, nil
}

// manifestBytes is roughly how long the manifest can become.
func (l *Layout) manifestBytes() int64 {
	cell := int64(len(fmt.Sprint(l.BatchesPerPart*int64(l.BatchSize)))) + 1
	line := int64(600) // names, checksums, and the list of samples
	for _, t := range l.Tasks {
		line += int64(len(t.Name)) + cell*int64(len(t.Classes)+1)
	}
	if l.Targets.Objects() {
		line += (2*cell + 8) * int64(len(l.Targets.Classes)) // at most
	}
	return int64(l.PartCount) * int64(len(l.Variants)) * line
}

// readLayout reads a plan.json of a format, "" for any. It returns fs.ErrNotExist if there is none, also for a
// broken symlink.
func readLayout(ctx context.Context, path, format string) (*Layout, error) {
	l := &Layout{}
	if _, err := readDocument(ctx, path, l); err != nil {
		return nil, err
	}
	if err := l.checkRead(path, format); err != nil {
		return nil, err
	}
	return l, nil
}

// differences lists how two layouts differ: the plan's hash first, then the settings and
// stages of the plan, then the rest.
func differences(there, here *Layout) []plandiff.Change {
	var list []plandiff.Change
	for _, text := range schema.ClassChanges(there.Tasks, here.Tasks) {
		list = append(list, plandiff.Change{Of: "classes", Text: text})
	}
	classes := len(list) > 0
	list = append(list, plandiff.Plans(there.Pipeline, here.Pipeline)...)
	a, b := *there, *here
	a.Pipeline, b.Pipeline = nil, nil
	var first []plandiff.Change
	for _, c := range plandiff.JSON("", marshal(&a), marshal(&b)) {
		switch {
		case c.Of == "plan_hash":
			first = append(first, c)
		case classes && strings.HasPrefix(c.Of, "tasks"): // the class changes say it better
		case c.Of == "params" && slices.ContainsFunc(list, func(p plandiff.Change) bool { return p.Of == c.Of }): // so does the plan
		default:
			list = append(list, c)
		}
	}
	return append(first, list...)
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:30]) + " ... " + string(r[len(r)-25:])
	}
	return s
}
