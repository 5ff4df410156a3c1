package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/internal/plandiff"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

type inspectCmd struct {
	Path  string `arg:"" help:"Materialized directory, Arrow file, or a file or pipe that holds an Arrow stream; - is the standard input."`
	Stats bool   `help:"Also mean and standard deviation of each channel."`
	JSON  bool   `name:"json" help:"Print one JSON report instead of text."`
}

// inspectReport is what inspect --json prints.
type inspectReport struct {
	Path     string                      `json:"path"`
	PlanHash string                      `json:"plan_hash"`
	Seed     uint64                      `json:"seed"`
	Rows     int64                       `json:"rows"` // over all shapes
	Batches  int64                       `json:"batches"`
	Columns  []inspectColumn             `json:"columns"`
	Shapes   []inspectShape              `json:"shapes"`
	Tasks    map[string]map[string]int64 `json:"tasks"`   // rows by task and class; "" is unknown
	Samples  map[string]map[string]int64 `json:"samples"` // the same for the samples drawn from
	tasks    []schema.Task
	pipeline string
}

type inspectColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// inspectShape is one shape of the image column: one without multiscale.
type inspectShape struct {
	Scale string   `json:"scale,omitempty"`
	Image string   `json:"image"`
	Rows  int64    `json:"rows"`
	Mean  []number `json:"mean,omitempty"` // per channel; uint8 counts as 0..1
	Std   []number `json:"std,omitempty"`

	sums channelSums
}

// number is null in JSON unless it is finite, as JSON has no other numbers.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func (cmd *inspectCmd) Run(ctx context.Context, c console) error {
	if err := named("<path>", "a directory, a file, or - for stdin", cmd.Path); err != nil {
		return usageError{err}
	}
	report := &inspectReport{Path: cmd.Path, Tasks: map[string]map[string]int64{}, Samples: map[string]map[string]int64{}}
	var last *arrow.Schema
	var read func(ctx context.Context, path string, f func(*schema.Batch) error) error
	unfinished := func(string) error { return nil }
	if cmd.Path == "-" {
		read = func(ctx context.Context, path string, f func(*schema.Batch) error) error {
			return sinks.ReadStream(ctx, path, os.Stdin, f)
		}
	} else {
		format := formatOf(cmd.Path)
		reader, ok := format.(sinks.Reader)
		if !ok {
			return fmt.Errorf("inspect: %s is of the format %s, which sluice writes and doesn't read", cmd.Path, format.Name())
		}
		read, unfinished = reader.ReadBatches, reader.Unfinished
	}
	err := read(ctx, cmd.Path, func(b *schema.Batch) error {
		s := b.Record.Schema()
		if last == nil || !s.Equal(last) {
			if err := report.begin(s, b); err != nil {
				return fmt.Errorf("inspect: %s: %w", cmd.Path, err)
			}
			last = s
		}
		if err := report.add(b, cmd.Stats); err != nil {
			return fmt.Errorf("inspect: %s: %w", cmd.Path, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if report.Batches == 0 {
		return fmt.Errorf("inspect: %s: it holds no finished part and no batch", cmd.Path)
	}
	for i := range report.Shapes {
		report.Shapes[i].finish()
	}
	if err := unfinished(cmd.Path); err != nil {
		c.warn([]string{err.Error()})
	}
	if cmd.JSON {
		return printJSON(c.out, report)
	}
	_, err = fmt.Fprint(c.out, report.text(cmd.Stats))
	return err
}

// begin adds a schema that wasn't seen before.
func (r *inspectReport) begin(s *arrow.Schema, b *schema.Batch) error {
	run, err := schema.ReadRun(s)
	if err != nil {
		return err
	}
	if err := checkTasks(run, s); err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	shape := inspectShape{Image: string(b.Form)}
	if b.Form == schema.FormTensor {
		shape.Image = b.Tensor.String()
	}
	if i := s.Metadata().FindKey(schema.MetaScale); i >= 0 {
		shape.Scale = s.Metadata().Values()[i]
	}
	r.Shapes = append(r.Shapes, shape)
	if r.PlanHash != "" { // the other shapes of the same run
		if run.PlanHash != r.PlanHash || !reflect.DeepEqual(run.Tasks, r.tasks) {
			return fmt.Errorf("it holds parts of two plans, %s and %s; what differs, first -> second:\n  %s", r.PlanHash, run.PlanHash,
				plandiff.Lines(append(schema.ClassChanges(r.tasks, run.Tasks), plandiff.Texts(plandiff.Plans([]byte(r.pipeline), []byte(run.Pipeline)))...)))
		}
		return nil
	}
	r.PlanHash, r.Seed, r.tasks, r.pipeline = run.PlanHash, run.Seed, run.Tasks, run.Pipeline
	for _, f := range s.Fields() {
		r.Columns = append(r.Columns, inspectColumn{f.Name, f.Type.String()})
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
		if strings.HasPrefix(f.Name, schema.ColumnLabel) {
			have = append(have, f.Name)
		}
	}
	if !slices.Equal(want, have) || len(run.Counts) != len(run.Tasks) {
		return fmt.Errorf("the metadata list the label columns %q and the samples of %d tasks, and the columns are %q", want, len(run.Counts), have)
	}
	return nil
}

func (r *inspectReport) add(b *schema.Batch, stats bool) error {
	shape := &r.Shapes[len(r.Shapes)-1]
	r.Rows += int64(b.Rows())
	r.Batches++
	shape.Rows += int64(b.Rows())
	for t, task := range r.tasks {
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

func (s *inspectShape) finish() {
	if s.sums.n == 0 {
		return
	}
	for c := range 3 {
		s.Mean = append(s.Mean, number(s.sums.mean[c]))
		s.Std = append(s.Std, number(math.Sqrt(max(s.sums.devs[c]/s.sums.n, 0))))
	}
}

func (r *inspectReport) text(stats bool) string {
	var b strings.Builder
	scales := ""
	if len(r.Shapes) > 1 {
		scales = fmt.Sprintf(", %d scales: each draw counts once in each that it came in", len(r.Shapes))
	}
	fmt.Fprintf(&b, "%s: %d rows in %s%s\nplan %s, seed %d\n\ncolumns\n", r.Path, r.Rows, phrase.Count(r.Batches, "batch"), scales, r.PlanHash, r.Seed)
	for _, c := range r.Columns {
		if c.Name == "image" && len(r.Shapes) > 1 {
			c.Type = fmt.Sprintf("a type for each of %d scales, below", len(r.Shapes))
		}
		fmt.Fprintf(&b, "  %-16s %s\n", c.Name, c.Type)
	}
	b.WriteString("\nimages\n")
	for _, s := range r.Shapes {
		scale := ""
		if s.Scale != "" {
			scale = "scale " + s.Scale + "  "
		}
		fmt.Fprintf(&b, "  %s%s, %d rows\n", scale, s.Image, s.Rows)
		if stats && s.Mean != nil {
			fmt.Fprintf(&b, "    mean %s  std %s  (red, green, blue)\n", triple(s.Mean), triple(s.Std))
		}
	}
	for _, task := range r.tasks {
		fmt.Fprintf(&b, "\n%-20s %9s %9s\n", task.Name, "samples", "rows")
		names := append([]string{}, task.Classes...)
		if r.Tasks[task.Name][""]+r.Samples[task.Name][""] > 0 {
			names = append(names, "")
		}
		for _, name := range names {
			shown := name
			if name == "" {
				shown = "(unknown)"
			}
			fmt.Fprintf(&b, "  %-18s %9d %9d\n", shown, r.Samples[task.Name][name], r.Tasks[task.Name][name])
		}
	}
	return b.String()
}

func triple(v []number) string { return fmt.Sprintf("[%.4f, %.4f, %.4f]", v[0], v[1], v[2]) }
