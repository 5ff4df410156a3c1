// Package schema says what flows through a pipeline: the columns of the Arrow
// records, the fixed-shape tensor type, a typed view on a record (Batch), the
// one builder of records (Builder, Draft), and the plain data that the other
// packages share (Picture, Index, Column, Run). It imports Arrow and nothing else of
// sluice.
//
// Delivered batches have these columns:
//
//	key           utf8      slash-separated path of the sample
//	image                   uint8 or float32 tensor, see Form
//	label.<task>  int32     class number; null = unknown
//	label.<task>.shares     of mixed rows: the classes in them, list<struct<class int32, share float32>>, see Run.Mixed
//	...                     what the source adds, see Column: meta.<name>
//	boxes, mask, keypoints, boxes.*  where the source has targets, see ColumnBoxes
//	valid         fixed_size_list<int32>[2]  height and width of the picture before it was padded, see Run.Padded
//	weight        float32   the row's weight in the loss
//	epoch         int32
//	position      int64     of the draw within its epoch
//	source_index  int64     number of the sample in the source
//	params        utf8      on request: the augmentation drawn, JSON
//
// Records are reference-counted: whoever gets a Batch from a Builder releases it
// once, or hands that duty on; Retain and Release are Arrow's.
package schema

import (
	"github.com/apache/arrow/go/v15/arrow"
)

// Column names.
const (
	ColumnKey         = "key"
	ColumnImage       = "image"
	ColumnLabel       = "label." // followed by the task's name
	ColumnMeta        = "meta."  // followed by a name: of columns that travel untouched
	ColumnValid       = "valid"
	ColumnWeight      = "weight"
	ColumnEpoch       = "epoch"
	ColumnPosition    = "position"
	ColumnSourceIndex = "source_index"
	ColumnParams      = "params"
)

// varyingType holds pictures whose size differs from row to row: uint8 HWC.
var varyingType = arrow.StructOf(
	arrow.Field{Name: "height", Type: arrow.PrimitiveTypes.Int32},
	arrow.Field{Name: "width", Type: arrow.PrimitiveTypes.Int32},
	arrow.Field{Name: "pixels", Type: arrow.BinaryTypes.LargeBinary},
)

// validType is height and width.
var validType = arrow.FixedSizeListOfNonNullable(2, arrow.PrimitiveTypes.Int32)

// Schema is the Arrow schema of one variant of a run.
func (r *Run) Schema(variant int) (*arrow.Schema, error) {
	md, err := r.metadata(variant)
	if err != nil {
		return nil, err
	}
	var image arrow.DataType = arrow.BinaryTypes.LargeBinary
	switch r.Form {
	case FormVarying:
		image = varyingType
	case FormTensor:
		image = NewTensorType(r.Variants[variant].Tensor)
	}
	fields := []arrow.Field{
		{Name: ColumnKey, Type: arrow.BinaryTypes.String},
		{Name: ColumnImage, Type: image},
	}
	fields = append(fields, r.Targets.fields()...)
	if r.Targets.HasMask() {
		fields = append(fields, arrow.Field{Name: ColumnMask, Type: r.maskType(variant)})
	}
	if r.Padded {
		fields = append(fields, arrow.Field{Name: ColumnValid, Type: validType})
	}
	for _, t := range r.Tasks {
		fields = append(fields, arrow.Field{Name: ColumnLabel + t.Name, Type: arrow.PrimitiveTypes.Int32, Nullable: true})
		if r.Mixed || SharesIn(r.Columns, t.Name) >= 0 {
			fields = append(fields, SharesColumn(t.Name).field())
		}
	}
	for _, c := range r.Columns {
		if !isShares(c.field()) { // which follow their tasks
			fields = append(fields, c.field())
		}
	}
	fields = append(fields,
		arrow.Field{Name: ColumnWeight, Type: arrow.PrimitiveTypes.Float32},
		arrow.Field{Name: ColumnEpoch, Type: arrow.PrimitiveTypes.Int32},
		arrow.Field{Name: ColumnPosition, Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: ColumnSourceIndex, Type: arrow.PrimitiveTypes.Int64},
	)
	if r.Params {
		fields = append(fields, arrow.Field{Name: ColumnParams, Type: arrow.BinaryTypes.String})
	}
	return arrow.NewSchema(fields, &md), nil
}

// maskType is the type of the mask column.
func (r *Run) maskType(variant int) arrow.DataType {
	switch r.Form {
	case FormVarying:
		return varyingType
	case FormTensor:
		return NewTensorType(r.Variants[variant].Tensor.mask())
	}
	return arrow.BinaryTypes.LargeBinary
}
