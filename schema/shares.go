package schema

import (
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Where the rows of a batch are mixed (Run.Mixed), each task has a column label.<task>.shares
// beside label.<task>: the classes of a mixed picture, and how much of each is in it. The shares
// of a row add up to 1, none of them is 0, no class comes twice. A row that wasn't mixed has its
// class with share 1; null is a row of which a part has no label. label.<task> itself stays the
// row's own class.
//
// A source has such a column, too (SharesColumn), where its samples were mixed when they were
// written: they are delivered with its values, and mixed again with what these say.

// ColumnShares follows the name of a task's label column.
const ColumnShares = ".shares"

// ClassShare is a class of a mixed row.
type ClassShare struct {
	Class int32
	Share float32
}

var (
	classShareType = arrow.StructOf(
		arrow.Field{Name: "class", Type: arrow.PrimitiveTypes.Int32},
		arrow.Field{Name: "share", Type: arrow.PrimitiveTypes.Float32},
	)
	sharesType = arrow.ListOfNonNullable(classShareType)
)

// SharesColumn is the column of the shares of a task that a source adds, with values of type
// []ClassShare, or null.
func SharesColumn(task string) Column { return Column{ColumnLabel + task + ColumnShares, sharesType} }

// SharesIn is the number of a task's column of shares among an index's or a run's; -1: there is
// none.
func SharesIn(columns []Column, task string) int {
	return slices.IndexFunc(columns, func(c Column) bool { return isShares(c.field()) && c.Name == ColumnLabel+task+ColumnShares })
}

// SharesValue reads a sample's value of a column of shares; known is false of null.
func SharesValue(value any) (shares []ClassShare, known bool) {
	shares, known = value.([]ClassShare)
	return shares, known
}

// HasShares reports whether the records have the shares of some task: rows are mixed, or were
// before.
func (r *Run) HasShares() bool {
	return r.Mixed && len(r.Tasks) > 0 || slices.ContainsFunc(r.Tasks, func(t Task) bool { return SharesIn(r.Columns, t.Name) >= 0 })
}

// isShares reports a column of shares.
func isShares(f arrow.Field) bool {
	return strings.HasPrefix(f.Name, ColumnLabel) && strings.HasSuffix(f.Name, ColumnShares) && f.Type.ID() == arrow.LIST &&
		arrow.TypeEqual(f.Type.(*arrow.ListType).Elem(), classShareType)
}

// sharesColumn is that of a task, by its number.
func sharesColumn(d *Draft, task int) arrow.Array {
	offsets, valid := []int32{0}, make([]byte, bitutil.BytesForBits(int64(len(d.meta))))
	var classes []int32
	var shares []float32
	unknown := 0
	for row := range d.meta {
		list, known := d.meta[row].sharesOf(task)
		for _, s := range list {
			classes, shares = append(classes, s.Class), append(shares, s.Share)
		}
		offsets = append(offsets, int32(len(classes)))
		if known {
			bitutil.SetBit(valid, row)
		} else {
			unknown++
		}
	}
	mem := d.builder.mem
	leaf := func(t arrow.DataType, bytes []byte) arrow.ArrayData {
		b := bufferOf(mem, bytes)
		defer b.Release()
		return array.NewData(t, len(classes), []*memory.Buffer{nil, b}, nil, 0, 0)
	}
	class, share := leaf(arrow.PrimitiveTypes.Int32, arrow.Int32Traits.CastToBytes(classes)), leaf(arrow.PrimitiveTypes.Float32, arrow.Float32Traits.CastToBytes(shares))
	defer class.Release()
	defer share.Release()
	values := array.NewData(classShareType, len(classes), []*memory.Buffer{nil}, []arrow.ArrayData{class, share}, 0, 0)
	defer values.Release()
	ends, bitmap := bufferOf(mem, arrow.Int32Traits.CastToBytes(offsets)), bufferOf(mem, valid)
	defer ends.Release()
	defer bitmap.Release()
	if unknown == 0 {
		data := array.NewData(sharesType, len(d.meta), []*memory.Buffer{nil, ends}, []arrow.ArrayData{values}, 0, 0)
		defer data.Release()
		return array.MakeFromData(data)
	}
	data := array.NewData(sharesType, len(d.meta), []*memory.Buffer{bitmap, ends}, []arrow.ArrayData{values}, unknown, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// sharesOf is what a row has in a task; known is false where a part of it has no label.
func (m *Meta) sharesOf(task int) (list []ClassShare, known bool) {
	if m.Shares != nil {
		return m.Shares[task], m.Shares[task] != nil
	}
	if m.Labels[task] == Unknown {
		return nil, false
	}
	return []ClassShare{{m.Labels[task], 1}}, true
}

// HasShares reports whether the batch has the shares of a task, by its name.
func (b *Batch) HasShares(task string) bool {
	name := ColumnLabel + task + ColumnShares
	c := b.Column(name)
	return c != nil && isShares(arrow.Field{Name: name, Type: c.DataType()})
}

// Shares are a row's classes in a task, as a copy. known is false of a null, and where the
// batch has no such column.
func (b *Batch) Shares(task string, row int) (shares []ClassShare, known bool) {
	if !b.HasShares(task) {
		return nil, false
	}
	list := b.Column(ColumnLabel + task + ColumnShares).(*array.List)
	if list.IsNull(row) {
		return nil, false
	}
	values := list.ListValues().(*array.Struct)
	classes, parts := values.Field(0).(*array.Int32), values.Field(1).(*array.Float32)
	from, to := list.ValueOffsets(row)
	shares = make([]ClassShare, 0, to-from)
	for i := int(from); i < int(to); i++ {
		shares = append(shares, ClassShare{classes.Value(i), parts.Value(i)})
	}
	return shares, true
}
