package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// masks are those of a Draft, in the form that its pictures have.
type masks struct {
	form    Form
	pixels  *memory.Buffer // FormTensor
	size    int            // bytes of a row there
	rows    []*Picture     // FormVarying: U8 with one value a pixel
	encoded [][]byte       // FormEncoded
}

func (m *masks) allocate(d *Draft, rows int) {
	switch m.form = d.builder.run.Form; m.form {
	case FormTensor:
		m.size = d.tensor().Height * d.tensor().Width
		m.pixels = memory.NewResizableBuffer(d.builder.mem)
		m.pixels.Resize(rows * m.size)
	case FormVarying:
		m.rows = make([]*Picture, rows)
	case FormEncoded:
		m.encoded = make([][]byte, rows)
	}
}

func (m *masks) move(to, from int) {
	switch m.form {
	case FormTensor:
		copy(m.pixels.Bytes()[to*m.size:(to+1)*m.size], m.pixels.Bytes()[from*m.size:])
	case FormVarying:
		m.rows[to] = m.rows[from]
	case FormEncoded:
		m.encoded[to] = m.encoded[from]
	}
}

func (m *masks) shorten(rows int) {
	switch m.form {
	case FormTensor:
		m.pixels.ResizeNoShrink(rows * m.size)
	case FormVarying:
		m.rows = m.rows[:rows]
	case FormEncoded:
		m.encoded = m.encoded[:rows]
	}
}

func (m *masks) discard() {
	if m.pixels != nil {
		m.pixels.Release()
	}
}

// Mask is a row's place in the batch's own mask buffer, height x width class numbers, to be
// written to; only for FormTensor.
func (d *Draft) Mask(row int) []uint8 {
	m := &d.masks
	return m.pixels.Bytes()[row*m.size : (row+1)*m.size : (row+1)*m.size]
}

// SetMask sets a row's mask where pictures vary in size: U8 has one value a pixel.
func (d *Draft) SetMask(row int, mask *Picture) { d.masks.rows[row] = mask }

// SetEncodedMask sets a row's mask file; only for FormEncoded.
func (d *Draft) SetEncodedMask(row int, data []byte) { d.masks.encoded[row] = data }

// maskColumn is the mask column of a batch.
func (d *Draft) maskColumn(t arrow.DataType, rows int) arrow.Array {
	mem := d.builder.mem
	switch d.masks.form {
	case FormTensor:
		return tensorColumn(t.(*TensorType), d.masks.pixels, rows)
	case FormVarying:
		if d.canvas != nil {
			return d.canvas.column(mem, d.masks.rows, 1, MaskIgnore)
		}
		return varyingColumn(mem, d.masks.rows)
	}
	return encodedColumn(mem, d.masks.encoded)
}

// targetColumn is a column of targets; nil where f is none.
func (d *Draft) targetColumn(f arrow.Field) arrow.Array {
	if d.builder.run.Targets == nil {
		return nil
	}
	if f.Name == ColumnMask {
		return d.maskColumn(f.Type, len(d.meta))
	}
	if f.Name != ColumnBoxes && f.Name != ColumnKeypoints && !strings.HasPrefix(f.Name, ColumnBoxes+".") {
		return nil
	}
	c := objectColumn{mem: d.builder.mem, name: f.Name}
	if fixed, ok := f.Type.(*arrow.ListType).Elem().(*arrow.FixedSizeListType); ok {
		c.each = int(fixed.Len())
	}
	c.rows = append(c.rows, 0)
	for i := range d.meta {
		if t := d.meta[i].Targets; t != nil {
			for o := range t.Objects {
				c.add(&t.Objects[o])
			}
			c.objects += int32(len(t.Objects))
		}
		c.rows = append(c.rows, c.objects)
	}
	data := c.list(f.Type, c.rows, c.values(f.Type.(*arrow.ListType).Elem()))
	defer data.Release()
	return array.MakeFromData(data)
}

// objectColumn is a column of objects being gathered. It makes its arrays by itself: Arrow's
// builders leave bits of a validity bitmap that nobody has set.
type objectColumn struct {
	mem         memory.Allocator
	name        string
	each        int     // numbers of an object, where it is a fixed_size_list of them
	rows        []int32 // offsets of rows in objects
	objects     int32
	floats      []float32
	ints        []int32
	longs       []int64
	bits        []bool
	parts, ends []int32 // offsets of objects in parts, of parts in floats, without the first
}

func (c *objectColumn) add(o *Object) {
	switch c.name {
	case ColumnBoxes:
		c.floats = append(c.floats, o.Box[:]...)
	case ColumnObject:
		c.ints = append(c.ints, o.Label)
	case ColumnObjectID:
		c.longs = append(c.longs, o.ID)
	case ColumnCrowd:
		c.bits = append(c.bits, o.Crowd)
	case ColumnArea:
		c.floats = append(c.floats, o.Area)
	case ColumnKeypoints:
		c.floats = append(c.floats, o.Keypoints...)
		for range c.each - len(o.Keypoints) { // none: none of them is there
			c.floats = append(c.floats, 0)
		}
	case ColumnPolygon:
		for _, part := range o.Polygon {
			c.floats = append(c.floats, part...)
			c.ends = append(c.ends, int32(len(c.floats)))
		}
		c.parts = append(c.parts, int32(len(c.ends)))
	}
}

// values is the array of all objects.
func (c *objectColumn) values(t arrow.DataType) arrow.ArrayData {
	switch t := t.(type) {
	case *arrow.FixedSizeListType:
		leaf := c.leaf(t.Elem())
		defer leaf.Release()
		return array.NewData(t, int(c.objects), []*memory.Buffer{nil}, []arrow.ArrayData{leaf}, 0, 0)
	case *arrow.ListType: // polygons: parts, and within them numbers
		inner := t.Elem().(*arrow.ListType)
		rings := c.list(inner, append([]int32{0}, c.ends...), c.leaf(inner.Elem()))
		return c.list(t, append([]int32{0}, c.parts...), rings)
	}
	return c.leaf(t)
}

// list is an array of lists of values, which it takes over.
func (c *objectColumn) list(t arrow.DataType, offsets []int32, values arrow.ArrayData) arrow.ArrayData {
	defer values.Release()
	b := bufferOf(c.mem, arrow.Int32Traits.CastToBytes(offsets))
	defer b.Release()
	return array.NewData(t, len(offsets)-1, []*memory.Buffer{nil, b}, []arrow.ArrayData{values}, 0, 0)
}

// leaf is the array of numbers.
func (c *objectColumn) leaf(t arrow.DataType) arrow.ArrayData {
	var b *memory.Buffer
	n := len(c.floats)
	switch t.ID() {
	case arrow.INT32:
		n, b = len(c.ints), bufferOf(c.mem, arrow.Int32Traits.CastToBytes(c.ints))
	case arrow.INT64:
		n, b = len(c.longs), bufferOf(c.mem, arrow.Int64Traits.CastToBytes(c.longs))
	case arrow.BOOL:
		bits := make([]byte, (len(c.bits)+7)/8)
		for i, set := range c.bits {
			bitutil.SetBitTo(bits, i, set)
		}
		n, b = len(c.bits), bufferOf(c.mem, bits)
	default:
		b = bufferOf(c.mem, arrow.Float32Traits.CastToBytes(c.floats))
	}
	defer b.Release()
	return array.NewData(t, n, []*memory.Buffer{nil, b}, nil, 0, 0)
}

// bufferOf is a copy of bytes in Arrow's memory.
func bufferOf(mem memory.Allocator, bytes []byte) *memory.Buffer {
	b := memory.NewResizableBuffer(mem)
	b.Resize(len(bytes))
	copy(b.Bytes(), bytes)
	return b
}

// derivedColumn is a column of a derived batch that isn't its base's; nil where it is.
func (d *Draft) derivedColumn(f arrow.Field, base arrow.Array, rows int) arrow.Array {
	switch f.Name {
	case ColumnImage:
		return d.imageColumn(f.Type, rows)
	case ColumnMask:
		if d.builder.run.Targets.HasMask() {
			return d.scaledMasks(f.Type.(*TensorType), rows)
		}
	case ColumnBoxes, ColumnKeypoints, ColumnArea, ColumnPolygon:
		from, to := d.base.Tensor, d.tensor()
		if !slices.Contains(d.builder.run.Targets.Columns(), f.Name) {
			break // a source's own
		}
		if from.Height != to.Height || from.Width != to.Width {
			return scaledColumn(d.builder.mem, f.Name, base, scaling{float64(to.Width) / float64(from.Width), float64(to.Height) / float64(from.Height)})
		}
	}
	return nil
}

// scaledMasks are the base's masks in another size: nearest, as torch.nn.functional.interpolate does it.
func (d *Draft) scaledMasks(t *TensorType, rows int) arrow.Array {
	from, to := d.base.Tensor, t.Tensor
	all := d.base.Masks()
	for row := range rows {
		src, dst := all[row*from.Height*from.Width:], d.Mask(row)
		for y := range to.Height {
			line := src[y*from.Height/to.Height*from.Width:]
			for x := range to.Width {
				dst[y*to.Width+x] = line[x*from.Width/to.Width]
			}
		}
	}
	return d.maskColumn(t, rows)
}

// scaling is that of a picture's sides.
type scaling struct{ x, y float64 }

// scaledColumn is a column of targets of pictures in another size.
func scaledColumn(mem memory.Allocator, name string, base arrow.Array, s scaling) arrow.Array {
	data := scaledData(mem, name, base.Data(), s)
	defer data.Release()
	return array.MakeFromData(data)
}

// scaledData copies an array, but for the numbers at its end, which are scaled.
func scaledData(mem memory.Allocator, name string, data arrow.ArrayData, s scaling) arrow.ArrayData {
	if children := data.Children(); len(children) > 0 {
		child := scaledData(mem, name, children[0], s)
		defer child.Release()
		return array.NewData(data.DataType(), data.Len(), data.Buffers(), []arrow.ArrayData{child}, data.NullN(), data.Offset())
	}
	out := memory.NewResizableBuffer(mem)
	defer out.Release()
	out.Resize(data.Buffers()[1].Len())
	from, to := arrow.Float32Traits.CastFromBytes(data.Buffers()[1].Bytes()), arrow.Float32Traits.CastFromBytes(out.Bytes())
	for i, v := range from {
		factor := s.x
		switch {
		case name == ColumnArea:
			factor = s.x * s.y
		case name == ColumnKeypoints && i%3 == 2:
			factor = 1
		case name == ColumnKeypoints && i%3 == 1, name != ColumnKeypoints && i%2 == 1:
			factor = s.y
		}
		to[i] = float32(float64(v) * factor)
	}
	return array.NewData(data.DataType(), data.Len(), []*memory.Buffer{data.Buffers()[0], out}, nil, data.NullN(), data.Offset())
}

// Masks are the class numbers of all masks, where they are of one size, rows one after the other;
// nil for any other.
func (b *Batch) Masks() []uint8 {
	c, ok := b.mask.(*TensorArray)
	if !ok {
		return nil
	}
	list := c.Storage().(*array.FixedSizeList)
	n := int(list.DataType().(*arrow.FixedSizeListType).Len())
	start := list.Offset() * n
	return list.ListValues().(*array.Uint8).Uint8Values()[start : start+list.Len()*n]
}

// Mask is a row's mask, height x width class numbers; nil without the column, or in a batch of
// encoded rows.
func (b *Batch) Mask(row int) (values []uint8, height, width int) {
	switch c := b.mask.(type) {
	case *TensorArray:
		t := c.DataType().(*TensorType).Tensor
		n := t.Height * t.Width
		return b.Masks()[row*n : (row+1)*n], t.Height, t.Width
	case *array.Struct:
		return c.Field(2).(*array.LargeBinary).Value(row), int(c.Field(0).(*array.Int32).Value(row)), int(c.Field(1).(*array.Int32).Value(row))
	}
	return nil, 0, 0
}

// EncodedMask is a row's mask file in a batch of encoded rows; nil in any other.
func (b *Batch) EncodedMask(row int) []byte {
	if c, ok := b.mask.(*array.LargeBinary); ok && c.IsValid(row) {
		return c.Value(row)
	}
	return nil
}

// Objects are those of a row, as a copy; nil without the columns. It fails where columns
// that belong together differ in length or type.
func (b *Batch) Objects(row int) ([]Object, error) {
	boxes, ok := b.Column(ColumnBoxes).(*array.List)
	if !ok {
		return nil, nil
	}
	first, end := boxes.ValueOffsets(row)
	objects := make([]Object, end-first)
	for _, f := range b.Record.Schema().Fields() {
		if f.Name != ColumnBoxes && f.Name != ColumnKeypoints && !strings.HasPrefix(f.Name, ColumnBoxes+".") {
			continue
		}
		list, ok := b.Column(f.Name).(*array.List)
		if !ok {
			return nil, fmt.Errorf("schema: column %q has type %s: want a list for each row", f.Name, f.Type)
		}
		from, to := list.ValueOffsets(row)
		if to-from != end-first {
			return nil, fmt.Errorf("schema: column %q has %d objects where boxes has %d (row %d)", f.Name, to-from, end-first, row)
		}
		for i := range objects {
			if !readObject(list.ListValues(), int(from)+i, f.Name, &objects[i]) {
				return nil, fmt.Errorf("schema: column %q has type %s", f.Name, f.Type)
			}
		}
	}
	return objects, nil
}

// readObject takes what an object has in one column.
func readObject(values arrow.Array, at int, name string, o *Object) (ok bool) {
	floats := func() []float32 {
		list, is := values.(*array.FixedSizeList)
		if !is {
			return nil
		}
		v, is := list.ListValues().(*array.Float32)
		if !is {
			return nil
		}
		n := int(list.DataType().(*arrow.FixedSizeListType).Len())
		at := at + list.Offset()
		return append([]float32(nil), v.Float32Values()[at*n:(at+1)*n]...)
	}
	switch name {
	case ColumnBoxes:
		v := floats()
		if len(v) != 4 {
			return false
		}
		o.Box = [4]float32(v)
		return true
	case ColumnKeypoints:
		o.Keypoints = floats()
		return o.Keypoints != nil
	case ColumnObject:
		c, ok := values.(*array.Int32)
		if ok {
			o.Label = c.Value(at)
		}
		return ok
	case ColumnObjectID:
		c, ok := values.(*array.Int64)
		if ok {
			o.ID = c.Value(at)
		}
		return ok
	case ColumnCrowd:
		c, ok := values.(*array.Boolean)
		if ok {
			o.Crowd = c.Value(at)
		}
		return ok
	case ColumnArea:
		c, ok := values.(*array.Float32)
		if ok {
			o.Area = c.Value(at)
		}
		return ok
	case ColumnPolygon:
		parts, ok := values.(*array.List)
		if !ok {
			return false
		}
		rings, ok := parts.ListValues().(*array.List)
		if !ok {
			return false
		}
		v, ok := rings.ListValues().(*array.Float32)
		if !ok {
			return false
		}
		from, to := parts.ValueOffsets(at)
		for i := int(from); i < int(to); i++ {
			first, end := rings.ValueOffsets(i)
			o.Polygon = append(o.Polygon, append([]float32{}, v.Float32Values()[first:end]...))
		}
		return true
	}
	return true
}
