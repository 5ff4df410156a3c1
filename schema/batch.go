package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// Batch is a typed view of one record: rows at consecutive positions of one
// epoch. Its methods return slices of the record's own memory: they are
// read-only, and valid until the last Release.
type Batch struct {
	Record  arrow.Record
	Epoch   int
	Number  int64 // of the batch within its epoch; -1 where the record doesn't come from a run
	Variant int   // of Run.Variants
	Tensor  Tensor
	Form    Form

	// Reads are the samples that were read for the batch, in the order of its
	// draws; nil unless the sink asks for them (sinks.ReadTracker).
	Reads []Read

	keys     *array.String
	labels   []*array.Int32
	weights  *array.Float32
	epochs   *array.Int32
	position *array.Int64
	origin   *array.Int64
	params   *array.String // nil without the column
	image    arrow.Array
	mask     arrow.Array // nil without the column
}

// View makes a Batch of any record that has the columns of this package. It takes
// no reference: the view is valid as long as the record is.
func View(rec arrow.Record) (*Batch, error) {
	b := &Batch{Record: rec, Number: -1}
	for i, f := range rec.Schema().Fields() {
		col := rec.Column(i)
		ok := true
		switch {
		case f.Name == ColumnKey:
			b.keys, ok = col.(*array.String)
		case strings.HasPrefix(f.Name, ColumnLabel) && !extraLabels(f.Type) && !isShares(f):
			var c *array.Int32
			c, ok = col.(*array.Int32)
			b.labels = append(b.labels, c)
		case f.Name == ColumnWeight:
			b.weights, ok = col.(*array.Float32)
		case f.Name == ColumnEpoch:
			b.epochs, ok = col.(*array.Int32)
		case f.Name == ColumnPosition:
			b.position, ok = col.(*array.Int64)
		case f.Name == ColumnSourceIndex:
			b.origin, ok = col.(*array.Int64)
		case f.Name == ColumnParams:
			b.params, ok = col.(*array.String)
		case f.Name == ColumnMask:
			b.mask = col
		case f.Name == ColumnImage:
			b.image = col
			ok = b.setForm(f.Type)
		}
		if !ok {
			return nil, fmt.Errorf("schema: column %q has type %s", f.Name, f.Type)
		}
	}
	if b.keys == nil || b.image == nil || b.weights == nil || b.epochs == nil || b.position == nil || b.origin == nil {
		return nil, fmt.Errorf("schema: not a batch: the columns are %v", rec.Schema())
	}
	if rec.NumRows() > 0 {
		b.Epoch = int(b.epochs.Value(0))
	}
	return b, nil
}

func (b *Batch) setForm(t arrow.DataType) bool {
	switch t := t.(type) {
	case *TensorType:
		b.Form, b.Tensor = FormTensor, t.Tensor
	case *arrow.LargeBinaryType:
		b.Form = FormEncoded
	case *arrow.StructType:
		b.Form, b.Tensor = FormVarying, Tensor{DType: Uint8, Layout: HWC}
		return arrow.TypeEqual(t, varyingType)
	default:
		return false
	}
	return true
}

// Retain takes another reference to the record.
func (b *Batch) Retain() { b.Record.Retain() }

// Release gives one reference back.
func (b *Batch) Release() { b.Record.Release() }

// Rows is the number of rows.
func (b *Batch) Rows() int { return int(b.Record.NumRows()) }

// Key is a row's key, as a copy: the record's memory is reused.
func (b *Batch) Key(row int) string { return strings.Clone(b.keys.Value(row)) }

// Labels is the label column of a task, by its number: class numbers, Unknown
// where null.
func (b *Batch) Labels(task int) []int32 {
	c := b.labels[task]
	if c.NullN() == 0 {
		return c.Int32Values()
	}
	out := make([]int32, c.Len())
	for i := range out {
		out[i] = Unknown
		if c.IsValid(i) {
			out[i] = c.Value(i)
		}
	}
	return out
}

// Tasks is the number of label columns.
func (b *Batch) Tasks() int { return len(b.labels) }

// Weights is the weight column.
func (b *Batch) Weights() []float32 { return b.weights.Float32Values() }

// Positions is the position column.
func (b *Batch) Positions() []int64 { return b.position.Int64Values() }

// SourceIndexes is the source_index column.
func (b *Batch) SourceIndexes() []int64 { return b.origin.Int64Values() }

// Column is a column by its name; nil without it. It lives as long as the record.
func (b *Batch) Column(name string) arrow.Array {
	if i := b.Record.Schema().FieldIndices(name); len(i) > 0 {
		return b.Record.Column(i[0])
	}
	return nil
}

// Params is the augmentation drawn for a row, JSON, as a copy; "" without the column.
func (b *Batch) Params(row int) string {
	if b.params == nil {
		return ""
	}
	return strings.Clone(b.params.Value(row))
}

// Uint8 is the image column of a uint8 tensor batch, rows one after the other;
// nil for any other.
func (b *Batch) Uint8() []uint8 {
	if b.Form != FormTensor || b.Tensor.DType != Uint8 {
		return nil
	}
	list := b.image.(*TensorArray).Storage().(*array.FixedSizeList)
	n := b.Tensor.Elements()
	start := list.Offset() * n
	return list.ListValues().(*array.Uint8).Uint8Values()[start : start+list.Len()*n]
}

// Float32 is the image column of a float32 tensor batch, rows one after the
// other; nil for any other.
func (b *Batch) Float32() []float32 {
	if b.Form != FormTensor || b.Tensor.DType != Float32 {
		return nil
	}
	list := b.image.(*TensorArray).Storage().(*array.FixedSizeList)
	n := b.Tensor.Elements()
	start := list.Offset() * n
	return list.ListValues().(*array.Float32).Float32Values()[start : start+list.Len()*n]
}

// Picture is a row's image; nil in a batch of encoded rows. Of a grey batch it is a
// copy with three equal channels.
func (b *Batch) Picture(row int) *Picture {
	switch b.Form {
	case FormTensor:
		n := b.Tensor.Elements()
		p := &Picture{Height: b.Tensor.Height, Width: b.Tensor.Width, Layout: b.Tensor.Layout}
		if b.Tensor.DType == Float32 {
			p.F32 = b.Float32()[row*n : (row+1)*n]
		} else {
			p.U8 = b.Uint8()[row*n : (row+1)*n]
		}
		if b.Tensor.Gray() {
			p.U8, p.F32 = inThree(p.U8, p.Layout), inThree(p.F32, p.Layout)
		}
		return p
	case FormVarying:
		s := b.image.(*array.Struct)
		return &Picture{
			Height: int(s.Field(0).(*array.Int32).Value(row)),
			Width:  int(s.Field(1).(*array.Int32).Value(row)),
			Layout: HWC,
			U8:     s.Field(2).(*array.LargeBinary).Value(row),
		}
	}
	return nil
}

// inThree repeats one channel three times; nil for nil.
func inThree[T uint8 | float32](grey []T, layout Layout) []T {
	if len(grey) == 0 {
		return nil
	}
	if layout == CHW {
		return slices.Repeat(grey, 3)
	}
	rgb := make([]T, 0, 3*len(grey))
	for _, v := range grey {
		rgb = append(rgb, v, v, v)
	}
	return rgb
}

// Encoded is a row's image file in a batch of encoded rows; nil in any other.
func (b *Batch) Encoded(row int) []byte {
	if b.Form != FormEncoded {
		return nil
	}
	return b.image.(*array.LargeBinary).Value(row)
}
