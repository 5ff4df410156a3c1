package schema

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Builder makes the batches of one run, in any of its variants. It is the only
// place where records are put together. Safe for concurrent use.
type Builder struct {
	run     *Run
	mem     memory.Allocator
	images  memory.Allocator // of the image buffers of FormTensor
	schemas []*arrow.Schema
}

// Check refuses columns and targets that no batch can have: names that are there twice, or those of its own columns.
func (run *Run) Check() error {
	for i, c := range run.Columns {
		if err := c.Check(); err != nil {
			return fmt.Errorf("schema: %w", err)
		}
		if slices.ContainsFunc(run.Columns[:i], func(other Column) bool { return other.Name == c.Name }) {
			return fmt.Errorf("schema: two columns have the name %q", c.Name)
		}
		if isShares(c.field()) && !slices.ContainsFunc(run.Tasks, func(t Task) bool { return SharesColumn(t.Name).Name == c.Name }) {
			return fmt.Errorf("schema: the column %q has shares of a task that there isn't: name it label.<task>.shares, or otherwise", c.Name)
		}
		if slices.Contains(run.Targets.Columns(), c.Name) {
			return fmt.Errorf("schema: a column has the name %q, which is that of the targets' own: choose another", c.Name)
		}
	}
	if err := run.Targets.Check(); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	for _, t := range run.Tasks {
		if (run.Mixed || SharesIn(run.Columns, t.Name) >= 0) && slices.ContainsFunc(run.Tasks, func(other Task) bool { return other.Name == t.Name+ColumnShares }) {
			return fmt.Errorf("schema: there are tasks %q and %q, and mixed rows have a column %s of the first: name one of them otherwise", t.Name, t.Name+ColumnShares, ColumnLabel+t.Name+ColumnShares)
		}
	}
	return nil
}

// NewBuilder prepares the schemas of all variants. A nil mem is Arrow's default.
func NewBuilder(run *Run, mem memory.Allocator) (*Builder, error) {
	if err := Register(); err != nil {
		return nil, err
	}
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	if err := run.Check(); err != nil {
		return nil, err
	}
	b := &Builder{run: run, mem: mem, images: mem}
	for v := range run.Variants {
		s, err := run.Schema(v)
		if err != nil {
			return nil, err
		}
		b.schemas = append(b.schemas, s)
	}
	return b, nil
}

// ImagesFrom gives the image buffers of FormTensor an allocator of their own. To be called
// before the first Draft.
func (b *Builder) ImagesFrom(mem memory.Allocator) { b.images = mem }

// Meta is all of a row but its image.
type Meta struct {
	Key         string
	Labels      []int32 // per task
	Weight      float32
	Position    int64
	SourceIndex int64
	Params      string
	Targets     *Targets // of Run.Targets; nil: none
	Values      []any    // per column of Run.Columns, see Column; a row with fewer has no others

	Shares [][]ClassShare // per task, of Run.Mixed: nil of one where a part of the row has no label; nil: it isn't mixed
}

// Draft is a batch being filled, row by row, each row by one goroutine at a
// time and different rows by different ones. It ends with Finish or Discard.
type Draft struct {
	builder *Builder
	epoch   int
	number  int64
	variant int
	meta    []Meta
	dropped []bool         // rows to leave out
	base    *Batch         // of a derived draft: the batch whose other columns it shares
	pixels  *memory.Buffer // FormTensor
	slots   []Picture      // its rows
	rows    []*Picture     // FormVarying
	encoded [][]byte       // FormEncoded
	masks   masks
	valid   []int32 // height and width of each row before it was padded
	canvas  *canvas // what they are padded to; nil: they aren't
}

// Draft begins a batch of the first variant with a number of rows.
func (b *Builder) Draft(epoch int, number int64, rows int) *Draft {
	d := &Draft{builder: b, epoch: epoch, number: number, meta: make([]Meta, rows), dropped: make([]bool, rows)}
	d.allocate(rows)
	return d
}

// Derive begins the same batch in another variant: the other columns are those
// of base, only the pictures need to be filled. base is retained until then.
func (b *Builder) Derive(base *Batch, variant int) *Draft {
	base.Retain()
	d := &Draft{builder: b, epoch: base.Epoch, number: base.Number, variant: variant, base: base}
	d.allocate(base.Rows())
	return d
}

func (d *Draft) allocate(rows int) {
	switch d.builder.run.Form {
	case FormTensor:
		d.pixels = memory.NewResizableBuffer(d.builder.images)
		d.pixels.Resize(rows * d.rowBytes())
		d.slots = make([]Picture, rows)
		for row := range d.slots {
			d.slots[row] = d.slot(row)
		}
	case FormVarying:
		d.rows = make([]*Picture, rows)
	case FormEncoded:
		d.encoded = make([][]byte, rows)
	}
	if d.builder.run.Targets.HasMask() {
		d.masks.allocate(d, rows)
	}
}

func (d *Draft) tensor() Tensor { return d.builder.run.Variants[d.variant].Tensor }

// SetMeta sets all of a row but its image.
func (d *Draft) SetMeta(row int, m Meta) { d.meta[row] = m }

// Meta is all of a row but its image, to be read and changed.
func (d *Draft) Meta(row int) *Meta { return &d.meta[row] }

// Kept lists the rows that aren't dropped.
func (d *Draft) Kept() (rows []int) {
	for row, drop := range d.dropped {
		if !drop {
			rows = append(rows, row)
		}
	}
	return rows
}

// Drop leaves a row out: the batch gets shorter, its other rows keep their order.
// The row need not be filled.
func (d *Draft) Drop(row int) { d.dropped[row] = true }

// close moves the rows together where some were dropped.
func (d *Draft) close() {
	if !slices.Contains(d.dropped, true) {
		return
	}
	n := 0
	for row, drop := range d.dropped {
		if drop {
			continue
		}
		d.meta[n] = d.meta[row]
		switch d.builder.run.Form {
		case FormTensor:
			size := d.rowBytes()
			copy(d.pixels.Bytes()[n*size:(n+1)*size], d.pixels.Bytes()[row*size:])
		case FormVarying:
			d.rows[n] = d.rows[row]
		case FormEncoded:
			d.encoded[n] = d.encoded[row]
		}
		d.masks.move(n, row)
		n++
	}
	d.meta, d.dropped = d.meta[:n], nil
	switch d.builder.run.Form {
	case FormTensor:
		d.pixels.ResizeNoShrink(n * d.rowBytes())
	case FormVarying:
		d.rows = d.rows[:n]
	case FormEncoded:
		d.encoded = d.encoded[:n]
	}
	d.masks.shorten(n)
}

func (d *Draft) rowBytes() int { return d.tensor().Elements() * d.tensor().DType.Bytes() }

// Slot is a row's place in the batch's own buffer, to be written to; only for
// FormTensor. In a grey batch it has one channel, which no Picture has: use
// SetPicture there.
func (d *Draft) Slot(row int) *Picture { return &d.slots[row] }

func (d *Draft) slot(row int) Picture {
	t := d.tensor()
	n := t.Elements()
	p := Picture{Height: t.Height, Width: t.Width, Layout: t.Layout}
	buf := d.pixels.Bytes()
	if t.DType == Float32 {
		p.F32 = unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(buf))), len(buf)/4)[row*n : (row+1)*n : (row+1)*n]
	} else {
		p.U8 = buf[row*n : (row+1)*n : (row+1)*n]
	}
	return p
}

// SetPicture sets a row's image where pictures vary in size, and copies it into
// the row's slot where they don't.
func (d *Draft) SetPicture(row int, p *Picture) error {
	if d.builder.run.Form == FormVarying {
		if p.U8 == nil || p.Layout != HWC {
			return fmt.Errorf("schema: pictures of varying size are uint8 HWC, not %s", p.Tensor())
		}
		d.rows[row] = p
		return nil
	}
	got, want := p.Tensor(), d.tensor()
	got.Channels = want.Channels
	if got != want {
		return fmt.Errorf("schema: a picture of type %s in a batch of %s", got, want)
	}
	slot := d.Slot(row)
	if len(p.U8)+len(p.F32) != 3*p.Height*p.Width {
		return fmt.Errorf("schema: a picture of type %s with %d values", got, len(p.U8)+len(p.F32))
	}
	if want.Gray() && want.Layout == HWC {
		firstOfThree(slot.U8, p.U8)
		firstOfThree(slot.F32, p.F32)
		return nil
	}
	copy(slot.U8, p.U8) // of grey the first plane
	copy(slot.F32, p.F32)
	return nil
}

func firstOfThree[T uint8 | float32](to, from []T) {
	for i := range to {
		to[i] = from[3*i]
	}
}

// SetEncoded sets a row's image file; only for FormEncoded.
func (d *Draft) SetEncoded(row int, data []byte) { d.encoded[row] = data }

// Discard ends a draft without a batch, and frees its memory.
func (d *Draft) Discard() {
	if d.pixels != nil {
		d.pixels.Release()
	}
	d.masks.discard()
	if d.base != nil {
		d.base.Release()
	}
	*d = Draft{}
}

// Finish makes the batch, which the caller owns, and ends the draft. It fails
// where a row's value doesn't fit its column.
func (d *Draft) Finish() (*Batch, error) {
	d.close()
	d.pad()
	s := d.builder.schemas[d.variant]
	var columns []arrow.Array
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	rows := int64(len(d.meta))
	if d.base != nil {
		rows = d.base.Record.NumRows()
		for i, c := range d.base.Record.Columns() {
			if derived := d.derivedColumn(s.Field(i), c, int(rows)); derived != nil {
				c = derived
			} else {
				c.Retain()
			}
			columns = append(columns, c)
		}
	} else {
		for _, f := range s.Fields() {
			c, err := d.column(f)
			if err != nil {
				d.Discard()
				return nil, err
			}
			columns = append(columns, c)
		}
	}
	batch, err := View(array.NewRecord(s, columns, rows))
	if err != nil {
		return nil, err // unreachable: the columns are those of the schema
	}
	batch.Epoch, batch.Number, batch.Variant = d.epoch, d.number, d.variant
	if d.base != nil {
		batch.Reads = d.base.Reads
	}
	d.Discard()
	return batch, nil
}

// column builds a column of a new batch.
func (d *Draft) column(f arrow.Field) (arrow.Array, error) {
	for i, c := range d.builder.run.Columns {
		if c.Name == f.Name && (!d.builder.run.Mixed || !isShares(f)) {
			return valueColumn(d, i, c)
		}
	}
	if c := d.targetColumn(f); c != nil {
		return c, nil
	}
	return d.ownColumn(f), nil
}

// valueColumn is one of Run.Columns.
func valueColumn(d *Draft, number int, c Column) (arrow.Array, error) {
	values := make([]any, len(d.meta))
	for i, m := range d.meta {
		if number < len(m.Values) {
			values[i] = m.Values[number]
		}
	}
	return buildColumn(d.builder.mem, c, values, func(row int) string { return d.meta[row].Key })
}

// ownColumn is a column that every batch has.
func (d *Draft) ownColumn(f arrow.Field) arrow.Array {
	mem, n := d.builder.mem, len(d.meta)
	switch f.Name {
	case ColumnValid:
		return pairsColumn(mem, d.valid)
	case ColumnImage:
		return d.imageColumn(f.Type, n)
	case ColumnKey:
		return buildStrings(mem, n, func(i int) string { return d.meta[i].Key })
	case ColumnParams:
		return buildStrings(mem, n, func(i int) string { return d.meta[i].Params })
	case ColumnWeight:
		b := array.NewFloat32Builder(mem)
		defer b.Release()
		for _, m := range d.meta {
			b.Append(m.Weight)
		}
		return b.NewArray()
	case ColumnEpoch:
		b := array.NewInt32Builder(mem)
		defer b.Release()
		for range d.meta {
			b.Append(int32(d.epoch))
		}
		return b.NewArray()
	case ColumnPosition:
		return buildInt64s(mem, n, func(i int) int64 { return d.meta[i].Position })
	case ColumnSourceIndex:
		return buildInt64s(mem, n, func(i int) int64 { return d.meta[i].SourceIndex })
	}
	name, task := f.Name[len(ColumnLabel):], 0
	if isShares(f) {
		name = strings.TrimSuffix(name, ColumnShares)
	}
	for d.builder.run.Tasks[task].Name != name {
		task++
	}
	if isShares(f) {
		return sharesColumn(d, task)
	}
	labels, known := make([]int32, n), make([]bool, n)
	for i, m := range d.meta {
		labels[i], known[i] = m.Labels[task], m.Labels[task] != Unknown
	}
	b := array.NewInt32Builder(mem)
	defer b.Release()
	b.AppendValues(labels, known) // unlike AppendNull it sets the bytes under a null, too
	return b.NewArray()
}

func (d *Draft) imageColumn(t arrow.DataType, rows int) arrow.Array {
	mem := d.builder.mem
	switch d.builder.run.Form {
	case FormTensor:
		return tensorColumn(t.(*TensorType), d.pixels, rows)
	case FormVarying:
		if d.canvas != nil {
			return d.canvas.column(mem, d.rows, 3, 0)
		}
		return varyingColumn(mem, d.rows)
	}
	return encodedColumn(mem, d.encoded)
}

// varyingColumn holds pictures, or masks, each of its own size.
func varyingColumn(mem memory.Allocator, rows []*Picture) arrow.Array {
	b := array.NewStructBuilder(mem, varyingType)
	defer b.Release()
	total := 0
	for _, p := range rows {
		total += len(p.U8)
	}
	b.FieldBuilder(2).(*array.BinaryBuilder).ReserveData(total)
	for _, p := range rows {
		b.Append(true)
		b.FieldBuilder(0).(*array.Int32Builder).Append(int32(p.Height))
		b.FieldBuilder(1).(*array.Int32Builder).Append(int32(p.Width))
		b.FieldBuilder(2).(*array.BinaryBuilder).Append(p.U8)
	}
	return b.NewArray()
}

// encodedColumn holds files as they are.
func encodedColumn(mem memory.Allocator, files [][]byte) arrow.Array {
	b := array.NewBinaryBuilder(mem, arrow.BinaryTypes.LargeBinary)
	defer b.Release()
	total := 0
	for _, data := range files {
		total += len(data)
	}
	b.ReserveData(total)
	for _, data := range files {
		b.Append(data)
	}
	return b.NewArray()
}

// tensorColumn wraps a filled buffer as a column, without a copy.
func tensorColumn(t *TensorType, pixels *memory.Buffer, rows int) arrow.Array {
	list := t.Storage.(*arrow.FixedSizeListType)
	values := array.NewData(list.Elem(), rows*int(list.Len()), []*memory.Buffer{nil, pixels}, nil, 0, 0)
	defer values.Release()
	data := array.NewData(t, rows, []*memory.Buffer{nil}, []arrow.ArrayData{values}, 0, 0)
	defer data.Release()
	return array.NewExtensionData(data)
}

func buildStrings(mem memory.Allocator, n int, value func(int) string) arrow.Array {
	b := array.NewStringBuilder(mem)
	defer b.Release()
	for i := range n {
		b.Append(value(i))
	}
	return b.NewArray()
}

func buildInt64s(mem memory.Allocator, n int, value func(int) int64) arrow.Array {
	b := array.NewInt64Builder(mem)
	defer b.Release()
	for i := range n {
		b.Append(value(i))
	}
	return b.NewArray()
}
