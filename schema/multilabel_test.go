package schema

import (
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

func TestCountMulti(t *testing.T) {
	x := &Table{
		Keys:       []string{"a", "b", "c", "d", "e"},
		ColumnList: []Column{{Name: "label.size", Type: arrow.PrimitiveTypes.Float32}, {Name: "label.tags", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)}},
		Values:     [][]any{{nil, nil, nil, nil, nil}, {[]int32{0, 2}, nil, []int32(nil), []any{int32(2), int32(2)}, []int32{2, 7, -1}}},
		Targets:    &TargetTable{Spec: &TargetSpec{Multi: []Task{{Name: "tags", Classes: []string{"x", "y", "z"}}, {Name: "size", Classes: []string{"x"}}}}},
	}
	if have := CountMulti(x, 0); !slices.Equal(have.Classes, []int64{1, 0, 3}) || have.Known != 4 {
		t.Errorf("%+v", have)
	}
	if have := CountMulti(x, 1); !slices.Equal(have.Classes, []int64{0}) || have.Known != 0 {
		t.Errorf("a number is no list: %+v", have)
	}
	if have := CountMulti(Select(x, []int{1, 3}), 0); !slices.Equal(have.Classes, []int64{0, 0, 1}) || have.Known != 1 {
		t.Errorf("of a selection: %+v", have)
	}
	if n, m := MultiColumn(x.ColumnList, "tags"), MultiColumn(x.ColumnList, "size"); n != 1 || m != -1 {
		t.Errorf("columns %d and %d", n, m)
	}
}

// TestBatchMulti: also in a slice of a record, whose lists don't begin at 0.
func TestBatchMulti(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	run := &Run{Form: FormEncoded, Variants: []Variant{{Scale: 1}},
		Tasks:   []Task{{Name: "shape", Classes: []string{"x", "y"}}},
		Columns: []Column{{Name: "label.size", Type: arrow.PrimitiveTypes.Float32}, {Name: "label.tags", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)}}}
	b, err := NewBuilder(run, mem)
	if err != nil {
		t.Fatal(err)
	}
	values := []any{[]int32{4, 1}, nil, []int32{}, []int32{3}}
	d := b.Draft(0, 0, len(values))
	for i, v := range values {
		d.SetMeta(i, Meta{Key: "k", Labels: []int32{0}, Weight: 1, Values: []any{nil, v}})
		d.SetEncoded(i, []byte{1})
	}
	batch, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	rec := batch.Record.NewSlice(1, 4)
	defer rec.Release()
	part, err := View(rec)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range values {
		for _, c := range []struct {
			batch *Batch
			row   int
		}{{batch, i}, {part, i - 1}} {
			if c.row < 0 {
				continue
			}
			have, known := c.batch.Multi("tags", c.row)
			if list, ok := want.([]int32); ok != known || !slices.Equal(have, list) {
				t.Errorf("row %d: %v, %v", i, have, known)
			}
		}
	}
	for _, name := range []string{"size", "shape", "none"} {
		if _, known := batch.Multi(name, 0); known || batch.HasMulti(name) {
			t.Errorf("%s is no task of several labels", name)
		}
	}
	if !batch.HasMulti("tags") {
		t.Error("tags is missing")
	}
}
