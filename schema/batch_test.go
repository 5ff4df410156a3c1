package schema

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// checkRows compares a batch with testMeta and testValue, whose row number 0 is
// the batch's row number -first.
func checkRows(t *testing.T, b *Batch, first, rows int) {
	t.Helper()
	if b.Rows() != rows || b.Tasks() != 2 {
		t.Fatalf("%d rows, %d tasks; want %d and 2", b.Rows(), b.Tasks(), rows)
	}
	for i := range rows {
		row, m := i+first, testMeta(i+first)
		if b.Key(i) != m.Key || b.Labels(0)[i] != m.Labels[0] || b.Labels(1)[i] != m.Labels[1] || b.Weights()[i] != m.Weight ||
			b.Positions()[i] != m.Position || b.SourceIndexes()[i] != m.SourceIndex {
			t.Errorf("row %d: %q %d %d %g %d %d, want %+v", i, b.Key(i), b.Labels(0)[i], b.Labels(1)[i], b.Weights()[i], b.Positions()[i], b.SourceIndexes()[i], m)
		}
		want := m.Params
		if b.params == nil {
			want = ""
		}
		if b.Params(i) != want {
			t.Errorf("row %d: params %q, want %q", i, b.Params(i), want)
		}
		checkImage(t, b, i, row)
	}
}

func checkImage(t *testing.T, b *Batch, i, row int) {
	t.Helper()
	p := b.Picture(i)
	if b.Form == FormEncoded {
		if p != nil || !bytes.Equal(b.Encoded(i), testFile(row)) {
			t.Errorf("row %d: encoded %x, want %x", i, b.Encoded(i), testFile(row))
		}
		return
	}
	want := testPicture(row)
	if b.Form == FormTensor {
		want = &Picture{Height: b.Tensor.Height, Width: b.Tensor.Width, Layout: b.Tensor.Layout}
	}
	if b.Form == FormTensor && b.Tensor.DType == Float32 {
		want.F32 = make([]float32, 3*want.Height*want.Width)
	} else {
		want.U8 = make([]uint8, 3*want.Height*want.Width)
	}
	fillSlot(want, row)
	if p.Tensor() != want.Tensor() || !bytes.Equal(p.U8, want.U8) || !slices.Equal(p.F32, want.F32) || b.Encoded(i) != nil {
		t.Errorf("row %d: picture %s %v %v, want %s", i, p.Tensor(), p.U8, p.F32, want.Tensor())
	}
}

func TestBatchInEveryForm(t *testing.T) {
	for name, run := range forms {
		t.Run(name, func(t *testing.T) {
			b := newBatch(t, run, checked(t), 40)
			if b.Epoch != 3 || b.Number != 5 || b.Variant != 0 || b.Form != run.Form {
				t.Errorf("epoch %d, number %d, variant %d, form %s", b.Epoch, b.Number, b.Variant, b.Form)
			}
			checkRows(t, b, 0, 40)
			if run.Form == FormTensor {
				elements := 40 * run.Variants[0].Tensor.Elements()
				if got := len(b.Uint8()) + len(b.Float32()); got != elements {
					t.Errorf("%d elements, want %d", got, elements)
				}
			} else if b.Uint8() != nil || b.Float32() != nil {
				t.Error("elements without a tensor")
			}

			// A slice of the record is a batch like any other.
			cut := b.Record.NewSlice(13, 20)
			defer cut.Release()
			view, err := View(cut)
			if err != nil {
				t.Fatal(err)
			}
			checkRows(t, view, 13, 7)
			if view.Epoch != 3 || view.Number != -1 {
				t.Errorf("slice: epoch %d, number %d", view.Epoch, view.Number)
			}
		})
	}
}

func TestEmptyBatch(t *testing.T) {
	for name, run := range forms {
		t.Run(name, func(t *testing.T) {
			b := newBatch(t, run, checked(t), 0)
			if b.Rows() != 0 || len(b.Labels(0)) != 0 || len(b.Uint8()) != 0 || len(b.Float32()) != 0 {
				t.Errorf("%d rows", b.Rows())
			}
		})
	}
}

func TestBatchOutlivesItsMaker(t *testing.T) {
	b := newBatch(t, forms["uint8 hwc"], checked(t), 4)
	b.Retain()
	b.Release()
	checkRows(t, b, 0, 4)
}

func TestViewRefuses(t *testing.T) {
	good := newBatch(t, forms["uint8 hwc"], nil, 2)
	column := func(t arrow.DataType) arrow.Array {
		b := array.NewBuilder(memory.DefaultAllocator, t)
		defer b.Release()
		b.AppendNull()
		b.AppendNull()
		return b.NewArray()
	}
	for i, f := range good.Record.Schema().Fields() {
		fields, columns := slices.Clone(good.Record.Schema().Fields()), slices.Clone(good.Record.Columns())
		fields[i].Type, columns[i] = arrow.FixedWidthTypes.Boolean, column(arrow.FixedWidthTypes.Boolean)
		_, err := View(array.NewRecord(arrow.NewSchema(fields, nil), columns, 2))
		if err == nil || !strings.Contains(err.Error(), f.Name) {
			t.Errorf("%s of another type: %v", f.Name, err)
		}
		if strings.HasPrefix(f.Name, ColumnLabel) {
			continue // a batch need not have labels
		}
		fields, columns = slices.Delete(fields, i, i+1), slices.Delete(columns, i, i+1)
		if _, err := View(array.NewRecord(arrow.NewSchema(fields, nil), columns, 2)); err == nil {
			t.Errorf("no error without the column %s", f.Name)
		}
	}
}

func TestViewPassesOverOtherColumns(t *testing.T) {
	good := newBatch(t, forms["uint8 hwc"], nil, 2)
	fields := append(slices.Clone(good.Record.Schema().Fields()), arrow.Field{Name: "note", Type: arrow.PrimitiveTypes.Int64})
	columns := append(slices.Clone(good.Record.Columns()), good.Record.Column(good.Record.Schema().FieldIndices(ColumnPosition)[0]))
	b, err := View(array.NewRecord(arrow.NewSchema(fields, nil), columns, 2))
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, b, 0, 2)
}
