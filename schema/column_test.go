package schema

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// share is a struct that a program has.
type share struct {
	Class int32
	Share any // float32, or none
}

var shareType = arrow.StructOf(
	arrow.Field{Name: "class", Type: arrow.PrimitiveTypes.Int32},
	arrow.Field{Name: "share", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
)

// manyColumns are columns of every type that there is, and values of theirs, as
// Arrow prints them.
var manyColumns = []struct {
	Column
	text   string // of the type
	values []any
	arrow  string
}{
	{Column{"meta.text", arrow.BinaryTypes.String}, "utf8", []any{"ä", nil, "", "longer"}, `["ä" (null) "" "longer"]`},
	{Column{"meta.long", arrow.BinaryTypes.LargeString}, "large_utf8", []any{nil, "a", "b", ""}, `[(null) "a" "b" ""]`},
	{Column{"bytes", arrow.BinaryTypes.Binary}, "binary", []any{[]byte{255}, []byte(nil), nil, []byte("a")}, `["\xff" "" (null) "a"]`},
	{Column{"large", arrow.BinaryTypes.LargeBinary}, "large_binary", []any{[]byte("a"), nil, nil, []byte("bc")}, `["a" (null) (null) "bc"]`},
	{Column{"bool", arrow.FixedWidthTypes.Boolean}, "bool", []any{true, false, nil, true}, `[true false (null) true]`},
	{Column{"int8", arrow.PrimitiveTypes.Int8}, "int8", []any{int8(-128), int8(127), nil, int8(0)}, `[-128 127 (null) 0]`},
	{Column{"int16", arrow.PrimitiveTypes.Int16}, "int16", []any{int16(-32768), nil, int16(1), int16(2)}, `[-32768 (null) 1 2]`},
	{Column{"int32", arrow.PrimitiveTypes.Int32}, "int32", []any{int32(-1), int32(1 << 30), nil, nil}, `[-1 1073741824 (null) (null)]`},
	{Column{"int64", arrow.PrimitiveTypes.Int64}, "int64", []any{int64(-1 << 63), int64(5), nil, int64(6)}, `[-9223372036854775808 5 (null) 6]`},
	{Column{"uint8", arrow.PrimitiveTypes.Uint8}, "uint8", []any{uint8(255), nil, uint8(0), uint8(1)}, `[255 (null) 0 1]`},
	{Column{"uint16", arrow.PrimitiveTypes.Uint16}, "uint16", []any{uint16(65535), nil, uint16(0), uint16(1)}, `[65535 (null) 0 1]`},
	{Column{"uint32", arrow.PrimitiveTypes.Uint32}, "uint32", []any{uint32(1<<32 - 1), nil, uint32(0), uint32(1)}, `[4294967295 (null) 0 1]`},
	{Column{"uint64", arrow.PrimitiveTypes.Uint64}, "uint64", []any{uint64(1<<64 - 1), nil, uint64(0), uint64(1)}, `[18446744073709551615 (null) 0 1]`},
	{Column{"float32", arrow.PrimitiveTypes.Float32}, "float32", []any{float32(0.5), float32(-1), nil, float32(3)}, `[0.5 -1 (null) 3]`},
	{Column{"float64", arrow.PrimitiveTypes.Float64}, "float64", []any{0.1, 1e300, nil, -2.0}, `[0.1 1e+300 (null) -2]`},
	{Column{"list", arrow.ListOf(arrow.PrimitiveTypes.Int64)}, "list<int64>",
		[]any{[]int64{1, 2}, nil, []int64(nil), []any{int64(3), nil}}, `[[1 2] (null) [] [3 (null)]]`},
	{Column{"boxes", arrow.ListOf(arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32))}, "list<fixed_size_list<float32>[2]>",
		[]any{[][2]float32{{1, 2}, {3, 4}}, [][]float32{{5, 6}}, nil, [][2]float32{}}, `[[[1 2] [3 4]] [[5 6]] (null) []]`},
	{Column{"fixed", arrow.FixedSizeListOfNonNullable(2, arrow.PrimitiveTypes.Int8)}, "fixed_size_list<int8!>[2]",
		[]any{[2]int8{1, 2}, nil, []int8{3, 4}, nil}, `[[1 2] (null) [3 4] (null)]`},
	{Column{"flags", arrow.ListOf(arrow.FixedWidthTypes.Boolean)}, "list<bool>",
		[]any{[]bool{true, false}, []any{nil, true}, nil, nil}, `[[true false] [(null) true] (null) (null)]`},
	{Column{"names", arrow.ListOf(arrow.BinaryTypes.String)}, "list<utf8>",
		[]any{[]string{"a", "bc"}, []string{}, nil, []any{"d", nil}}, `[["a" "bc"] [] (null) ["d" (null)]]`},
	{Column{"share", shareType}, "struct<class int32!, share float32>",
		[]any{share{1, float32(0.5)}, []any{int32(2), nil}, nil, share{3, nil}}, `{[1 2 (null) 3] [0.5 (null) (null) (null)]}`},
	{Column{"shares", arrow.ListOf(shareType)}, "list<struct<class int32!, share float32>>",
		[]any{[]share{{1, float32(0.5)}, {2, float32(0.25)}}, []share{}, nil, [][]any{{int32(7), nil}}}, ``},
}

// columnRun is testRun with columns.
func columnRun() *Run {
	r := testRun(FormTensor, Tensor{Uint8, HWC, 2, 2, 0})
	for _, c := range manyColumns {
		r.Columns = append(r.Columns, c.Column)
	}
	return r
}

// columnBatch has manyColumns' values, again and again.
func columnBatch(t *testing.T, run *Run, mem memory.Allocator, rows int, drop ...int) *Batch {
	t.Helper()
	b, err := NewBuilder(run, mem)
	if err != nil {
		t.Fatal(err)
	}
	d := b.Draft(0, 0, rows)
	for row := range rows {
		m := testMeta(row)
		for _, c := range manyColumns {
			m.Values = append(m.Values, c.values[row%4])
		}
		d.SetMeta(row, m)
		fillSlot(d.Slot(row), row)
	}
	for _, row := range drop {
		d.Drop(row)
	}
	batch, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(batch.Release)
	return batch
}

func TestColumns(t *testing.T) {
	b := columnBatch(t, columnRun(), checked(t), 4)
	checkMeta := func(b *Batch) {
		for i := range b.Rows() {
			if m := testMeta(i); b.Key(i) != m.Key || b.Positions()[i] != m.Position || b.Labels(0)[i] != m.Labels[0] || b.Params(i) != "" {
				t.Errorf("row %d: the other columns have changed", i)
			}
		}
	}
	checkMeta(b)
	for _, c := range manyColumns {
		have := b.Column(c.Name)
		if text := fmt.Sprint(have); c.arrow != "" && text != c.arrow {
			t.Errorf("%s: %s, want %s", c.Name, text, c.arrow)
		}
		if text := TypeText(c.Type); text != c.text {
			t.Errorf("%s: type %s, want %s", c.Name, text, c.text)
		}
		if !arrow.TypeEqual(have.DataType(), c.Type) {
			t.Errorf("%s: type %s, want %s", c.Name, have.DataType(), c.Type)
		}
	}
	if b.Column("none") != nil {
		t.Error("a column that isn't there")
	}
	shares := fmt.Sprint(b.Column("shares"))
	if want := `[{[1 2] [0.5 0.25]} {[] []} (null) {[7] [(null)]}]`; shares != want {
		t.Errorf("shares: %s, want %s", shares, want)
	}
	// Order: behind the labels.
	names := make([]string, 0, 30)
	for _, f := range b.Record.Schema().Fields() {
		names = append(names, f.Name)
	}
	if i := slices.Index(names, "meta.text"); names[i-1] != "label.type" || names[i+len(manyColumns)] != ColumnWeight {
		t.Errorf("the columns are %q", names)
	}
	checkMeta(columnBatch(t, columnRun(), checked(t), 0))
	dropped := columnBatch(t, columnRun(), checked(t), 4, 0)
	if have := fmt.Sprint(dropped.Column("names")); have != `[[] (null) ["d" (null)]]` {
		t.Errorf("without row 0: %s", have)
	}
}

// Rows of programs that know no columns have nulls in them.
func TestColumnsWithoutValues(t *testing.T) {
	run := columnRun()
	b, err := NewBuilder(run, checked(t))
	if err != nil {
		t.Fatal(err)
	}
	d := b.Draft(0, 0, 2)
	d.SetMeta(0, testMeta(0))
	m := testMeta(1)
	m.Values = []any{"one"}
	d.SetMeta(1, m)
	batch, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	for i, c := range run.Columns {
		want := 2
		if i == 0 {
			want = 1
		}
		if have := batch.Column(c.Name).NullN(); have != want {
			t.Errorf("%s: %d nulls, want %d", c.Name, have, want)
		}
	}
}

func TestColumnBytesDoNotDependOnTheAllocator(t *testing.T) {
	for _, rows := range []int{0, 1, 2, 3, 4, 9, 65} {
		clean := writeStream(t, columnBatch(t, columnRun(), memory.NewGoAllocator(), rows).Record)
		for _, pattern := range []byte{0xAA, 0xFF} {
			if !bytes.Equal(writeStream(t, columnBatch(t, columnRun(), newDirty(pattern), rows).Record), clean) {
				t.Errorf("%d rows: other bytes when memory is filled with %#x", rows, pattern)
			}
		}
	}
}

func TestAppendValue(t *testing.T) {
	seen := map[string]string{}
	for _, c := range manyColumns {
		for _, v := range c.values {
			buf, err := c.AppendValue([]byte(c.Name), v)
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			if text := fmt.Sprintf("%#v", v); seen[string(buf)] != "" && seen[string(buf)] != text {
				t.Errorf("%s: %s has the bytes of %s", c.Name, text, seen[string(buf)])
			} else {
				seen[string(buf)] = text
			}
		}
	}
	for _, c := range []struct {
		t    arrow.DataType
		a, b any
	}{
		{arrow.ListOf(arrow.PrimitiveTypes.Int8), []int8{1}, []any{int8(1)}},
		{shareType, share{1, float32(2)}, []any{int32(1), float32(2)}},
		{arrow.FixedSizeListOf(1, arrow.PrimitiveTypes.Int8), [1]int8{1}, []int8{1}},
	} {
		a, errA := Column{"x", c.t}.AppendValue(nil, c.a)
		b, errB := Column{"x", c.t}.AppendValue(nil, c.b)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%#v and %#v differ: %x %x %v %v", c.a, c.b, a, b, errA, errB)
		}
	}
}

func TestValueRefused(t *testing.T) {
	type hidden struct{ a, B int32 }
	for name, c := range map[string]struct {
		t     arrow.DataType
		value any
		want  string
	}{
		"a number for a text":     {arrow.BinaryTypes.String, 1, `column "x": a value of Go type int where a utf8 is wanted`},
		"not UTF-8":               {arrow.BinaryTypes.String, "\xff", `"\xff" is not UTF-8`},
		"a text for bytes":        {arrow.BinaryTypes.Binary, "a", "Go type string where a binary"},
		"another number":          {arrow.PrimitiveTypes.Int64, int32(1), "Go type int32 where a int64"},
		"a number for a bool":     {arrow.FixedWidthTypes.Boolean, 1, "Go type int where a bool"},
		"a number for a list":     {arrow.ListOf(arrow.PrimitiveTypes.Int8), int8(1), "Go type int8 where a list<int8>"},
		"a list too short":        {arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Int8), []int8{1}, "1 values where a fixed_size_list<int8>[4] has 4"},
		"another element":         {arrow.ListOf(arrow.PrimitiveTypes.Int8), []any{int8(1), "a"}, "Go type string where a int8"},
		"a null that may not be":  {arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int8), []any{nil}, "no value where a int8 may not be null"},
		"a struct too short":      {shareType, []any{int32(1)}, "1 values where a struct<class int32!, share float32> has 2"},
		"a struct of others":      {shareType, share{1, 1.5}, "Go type float64 where a float32"},
		"a field not exported":    {arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32}, arrow.Field{Name: "b", Type: arrow.PrimitiveTypes.Int32}), hidden{1, 2}, "isn't exported"},
		"a struct for a list":     {arrow.ListOf(arrow.PrimitiveTypes.Int32), share{1, nil}, "where a list<int32>"},
		"a pointer for its value": {arrow.PrimitiveTypes.Int64, new(int64), "Go type *int64"},
	} {
		t.Run(name, func(t *testing.T) {
			column := Column{"x", c.t}
			if err := column.CheckValue(c.value); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			run := testRun(FormEncoded, Tensor{})
			run.Columns = []Column{column}
			b, err := NewBuilder(run, checked(t))
			if err != nil {
				t.Fatal(err)
			}
			d := b.Draft(0, 0, 1)
			m := testMeta(0)
			m.Values = []any{c.value}
			d.SetMeta(0, m)
			if _, err := d.Finish(); err == nil || !strings.Contains(err.Error(), m.Key) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("of a batch: %v, want %q and the key", err, c.want)
			}
		})
	}
}

func TestColumnRefused(t *testing.T) {
	for name, c := range map[string]struct {
		column Column
		want   string
	}{
		"no name":         {Column{"", arrow.BinaryTypes.String}, `the name ""`},
		"name not UTF-8":  {Column{"\xff", arrow.BinaryTypes.String}, "UTF-8"},
		"a name taken":    {Column{"weight", arrow.BinaryTypes.String}, `the name "weight", which`},
		"a task's name":   {Column{"label.x", arrow.BinaryTypes.String}, `the name "label.x", which`},
		"no type":         {Column{"x", nil}, "no type"},
		"another type":    {Column{"x", arrow.FixedWidthTypes.Date32}, "type date32: want text"},
		"within a list":   {Column{"x", arrow.ListOf(arrow.FixedWidthTypes.Time32s)}, "type time32[s]: want text"},
		"within a struct": {Column{"x", arrow.StructOf(arrow.Field{Name: "a", Type: arrow.Null})}, "type null: want text"},
	} {
		if err := c.column.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		run := testRun(FormEncoded, Tensor{})
		run.Columns = []Column{c.column}
		if _, err := NewBuilder(run, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, in a run: %v, want %q", name, err, c.want)
		}
	}
	run := testRun(FormEncoded, Tensor{})
	run.Columns = []Column{manyColumns[0].Column, manyColumns[0].Column}
	if _, err := NewBuilder(run, nil); err == nil || !strings.Contains(err.Error(), "two columns") {
		t.Errorf("two of a name: %v", err)
	}
}
