package schema

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Shares come back as they were given, from a batch, a slice of it and a stream; a row that
// isn't mixed has its class.
func TestShares(t *testing.T) {
	run := testRun(FormTensor, Tensor{DType: Uint8, Layout: HWC, Height: 2, Width: 3})
	run.Mixed = true
	given := [][][]ClassShare{
		{{{1, 0.75}, {0, 0.25}}, {{2, 1}}},
		{nil, {{0, 0.5}, {1, 0.25}, {2, 0.25}}},
		nil, // labels 1 and 2
		{{}, nil},
		nil, // labels unknown and 1
	}
	want := slices.Clone(given)
	want[2], want[4] = [][]ClassShare{{{1, 1}}, {{2, 1}}}, [][]ClassShare{nil, {{1, 1}}}
	var streams [][]byte
	for _, pattern := range []byte{0, 0xA5} { // of what the memory had
		mem := memory.NewCheckedAllocator(newDirty(pattern))
		builder, err := NewBuilder(run, mem)
		if err != nil {
			t.Fatal(err)
		}
		d := builder.Draft(0, 0, len(given))
		fillDraft(t, d, len(given))
		for row := range given {
			d.Meta(row).Shares = given[row]
		}
		b, err := d.Finish()
		if err != nil {
			t.Fatal(err)
		}
		checkShares(t, b, want)
		cut := b.Record.NewSlice(1, 4)
		view, err := View(cut)
		if err != nil {
			t.Fatal(err)
		}
		checkShares(t, view, want[1:4])
		cut.Release()
		var stream bytes.Buffer
		w := ipc.NewWriter(&stream, ipc.WithSchema(b.Record.Schema()))
		if err := w.Write(b.Record); err != nil {
			t.Fatal(err)
		}
		b.Release()
		mem.AssertSize(t, 0)
		streams = append(streams, stream.Bytes())
	}
	if !bytes.Equal(streams[0], streams[1]) {
		t.Error("bytes depend on what was in the memory")
	}
	r, err := ipc.NewReader(bytes.NewReader(streams[0]))
	if err != nil || !r.Next() {
		t.Fatal("no record: ", err)
	}
	defer r.Release()
	read, err := View(r.Record())
	if err != nil {
		t.Fatal(err)
	}
	checkShares(t, read, want)
	if read.Tasks() != 2 || read.HasShares("shape.shares") {
		t.Errorf("%d tasks", read.Tasks())
	}
}

func checkShares(t *testing.T, b *Batch, want [][][]ClassShare) {
	t.Helper()
	for row, tasks := range want {
		for task, list := range tasks {
			name := []string{"shape", "type"}[task]
			have, known := b.Shares(name, row)
			if known != (list != nil) || !slices.Equal(have, list) {
				t.Errorf("row %d, %s: %v (%v), want %v", row, name, have, known, list)
			}
		}
	}
	if _, known := b.Shares("size", 0); known || b.HasShares("size") || !b.HasShares("type") {
		t.Error("shares of a task that there isn't, or not of one that there is")
	}
}

// A task may not have the name of another's shares.
func TestSharesOfTasksWithSuchNames(t *testing.T) {
	run := testRun(FormEncoded, Tensor{})
	run.Tasks[1].Name = "shape.shares"
	if _, err := NewBuilder(run, nil); err != nil {
		t.Errorf("without shares: %v", err)
	}
	run.Mixed = true
	if _, err := NewBuilder(run, nil); err == nil || !strings.Contains(err.Error(), `tasks "shape" and "shape.shares"`) {
		t.Errorf("error %v", err)
	}
}

// A source's own column of shares stands behind the labels that it is of, and must be of a task.
func TestSharesOfSamples(t *testing.T) {
	run := testRun(FormEncoded, Tensor{})
	run.Columns = []Column{{"meta.x", arrow.BinaryTypes.String}, SharesColumn("type")}
	b, err := NewBuilder(run, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := b.Draft(0, 0, 2)
	want := []ClassShare{{0, 0.25}, {1, 0.75}}
	for row, value := range []any{want, nil} {
		d.SetMeta(row, Meta{Key: "k", Labels: []int32{0, 1}, Weight: 1, Values: []any{"x", value}})
		d.SetEncoded(row, []byte("x"))
	}
	batch, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	if have, known := batch.Shares("type", 0); !known || !slices.Equal(have, want) {
		t.Errorf("%v of %v", have, want)
	}
	if _, known := batch.Shares("type", 1); known || batch.HasShares("shape") || batch.Tasks() != 2 || !run.HasShares() {
		t.Error("shares of a null, of another task, or as a task of their own")
	}
	var names []string
	for _, f := range batch.Record.Schema().Fields() {
		names = append(names, f.Name)
	}
	if at := slices.Index(names, "label.type.shares"); at < 1 || names[at-1] != "label.type" {
		t.Errorf("columns %q", names)
	}
	run.Columns[1].Name = "label.other.shares"
	if _, err := NewBuilder(run, nil); err == nil || !strings.Contains(err.Error(), "a task that there isn't") {
		t.Errorf("error %v", err)
	}
}
