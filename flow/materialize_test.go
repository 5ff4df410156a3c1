package flow_test

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// counted is a format of another module: it is told where to write, and counts.
type counted struct {
	sinks.Discard
	to sinks.Destination
}

func (*counted) Name() string { return "counted" }
func (*counted) Check() error { return nil }

func (c *counted) Into(to sinks.Destination) error {
	if to.Update {
		return errors.New("counted: it cannot be updated")
	}
	c.to = to
	return nil
}

func TestMaterializeShardInAnotherFormat(t *testing.T) {
	pipe := flow.New(sources.Folder{Path: pictures(t)}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 4})
	format, to := &counted{}, sinks.Destination{Dir: "anywhere", Shard: 1, Shards: 3}
	report, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe, Format: format, To: to})
	if err != nil {
		t.Fatal(err)
	}
	if format.to != to || format.Rows == 0 || format.Rows != report.Rows {
		t.Errorf("to %+v, %d rows of %d", format.to, format.Rows, report.Rows)
	}
	to.Update = true
	if _, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe, Format: format, To: to}); err == nil || !strings.Contains(err.Error(), "cannot be updated") {
		t.Errorf("an update: %v", err)
	}
	if _, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe}); err == nil || !strings.Contains(err.Error(), "no directory") {
		t.Errorf("without a destination: %v", err)
	}
}

// TestSeveralLabelsComeBack: labels of tasks with several of them, and values, are read from what
// sluice wrote as they were, unknown ones and empty lists too; with objects and masks and without.
func TestSeveralLabelsComeBack(t *testing.T) {
	dir := t.TempDir()
	rows := []string{
		`{"path": "a.png", "tags": ["rain", "day"], "age": 3.5, "objects": {"bbox": [[0, 0, 4, 4]], "category": ["car"]}}`,
		`{"path": "b.png", "tags": [], "age": null, "objects": {"bbox": [], "category": []}}`,
		`{"path": "c.png", "age": -0.25, "objects": {"bbox": [[1, 1, 4, 4], [0, 0, 2, 2]], "category": ["bus", "car"]}}`,
		`{"path": "d.png", "tags": ["snow"], "age": 0}`,
	}
	files := map[string][]byte{"list.jsonl": []byte(strings.Join(rows, "\n"))}
	for i, row := range rows {
		rows[i], _, _ = strings.Cut(row, `, "objects"`)
		rows[i] = strings.TrimSuffix(rows[i], "}") + "}"
	}
	files["labels.jsonl"] = []byte(strings.Join(rows, "\n"))
	for i, name := range []string{"a.png", "b.png", "c.png", "d.png"} {
		files[name] = flat(t, uint8(10+i))
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := sources.Manifest{Path: filepath.Join(dir, "labels.jsonl"), Values: sources.ValueColumns{"age": "age"},
		Multi: sources.Multi{"weather": {Column: "tags", Classes: sources.ClassList{List: []string{"snow", "day", "rain", "night"}}}}}
	withObjects := list
	withObjects.Path = filepath.Join(dir, "list.jsonl")
	withObjects.Objects = sources.Objects{Column: "objects"}
	read := func(s sources.Source) (spec *schema.TargetSpec, values map[string]string) {
		d, err := sources.Open(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		x := d.Index()
		values = map[string]string{}
		for sample := range x.Len() {
			text := fmt.Sprint(schema.ObjectLabelsOf(x, sample))
			for c, column := range x.Columns() {
				text += fmt.Sprintf(" %s %s %v", column.Name, column.Type, x.Value(c, sample))
			}
			values[path.Base(x.Key(sample))] = text
		}
		return schema.TargetSpecOf(x), values
	}
	for name, source := range map[string]sources.Source{"labels": list, "objects": withObjects} {
		for _, encoded := range []bool{false, true} {
			out := filepath.Join(t.TempDir(), "out")
			pipe := flow.New(source, stages.Decode{}, stages.Resize{Height: 6, Width: 8}, stages.Batch{Size: 3})
			if encoded {
				pipe = flow.New(source, stages.Batch{Size: 3})
			}
			if _, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe, Format: &sinks.ArrowParts{PartRows: 3}, To: sinks.Destination{Dir: out}}); err != nil {
				t.Fatal(err)
			}
			spec, values := read(source)
			ownSpec, own := read(sources.Arrow{Path: out})
			if !reflect.DeepEqual(ownSpec, spec) || !reflect.DeepEqual(own, values) {
				t.Errorf("%s, encoded %t: read back\n%+v %q, want\n%+v %q", name, encoded, ownSpec, own, spec, values)
			}
			if want := "label.weather list<item: int32> [1 2] label.age float32 3.5"; !strings.Contains(strings.ReplaceAll(own["a.png"], ", nullable", ""), want) {
				t.Errorf("%q, want %q", own["a.png"], want)
			}
		}
	}
}
