package schema

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// canvas is what pictures of different sizes, and their masks, are padded to: as large as the
// largest. They are put at its top left.
type canvas struct{ height, width int }

// pad finds the canvas, where the run says that there is one.
func (d *Draft) pad() {
	if !d.builder.run.Padded || d.base != nil {
		return
	}
	d.canvas = &canvas{}
	d.valid = make([]int32, 0, 2*len(d.rows))
	for _, p := range d.rows {
		d.canvas.height, d.canvas.width = max(d.canvas.height, p.Height), max(d.canvas.width, p.Width)
		d.valid = append(d.valid, int32(p.Height), int32(p.Width))
	}
}

// column is varyingColumn of pictures of so many bytes a pixel, padded in the column's own
// buffer.
func (c canvas) column(mem memory.Allocator, rows []*Picture, each int, fill uint8) arrow.Array {
	n, size := len(rows), c.height*c.width*each
	pixels := memory.NewResizableBuffer(mem)
	defer pixels.Release()
	pixels.Resize(n * size)
	heights, widths, ends := make([]int32, n), make([]int32, n), make([]int64, n+1)
	for i, p := range rows {
		heights[i], widths[i], ends[i+1] = int32(c.height), int32(c.width), int64((i+1)*size)
		p.padInto(pixels.Bytes()[i*size:(i+1)*size], c.width, each, fill)
	}
	child := func(t arrow.DataType, buffers ...*memory.Buffer) *array.Data {
		return array.NewData(t, n, append([]*memory.Buffer{nil}, buffers...), nil, 0, 0)
	}
	var children []arrow.ArrayData
	for _, values := range [][]int32{heights, widths} {
		b := bufferOf(mem, arrow.Int32Traits.CastToBytes(values))
		defer b.Release()
		data := child(arrow.PrimitiveTypes.Int32, b)
		defer data.Release()
		children = append(children, data)
	}
	offsets := bufferOf(mem, arrow.Int64Traits.CastToBytes(ends))
	defer offsets.Release()
	data := child(arrow.BinaryTypes.LargeBinary, offsets, pixels)
	defer data.Release()
	all := array.NewData(varyingType, n, []*memory.Buffer{nil}, append(children, data), 0, 0)
	defer all.Release()
	return array.MakeFromData(all)
}

// padInto writes all of a canvas that is so wide.
func (p *Picture) padInto(to []uint8, width, each int, fill uint8) {
	row := width * each
	for y := 0; y*row < len(to); y++ {
		line, n := to[y*row:(y+1)*row], 0
		if y < p.Height {
			n = copy(line, p.U8[y*p.Width*each:(y+1)*p.Width*each])
		}
		for i := range line[n:] {
			line[n+i] = fill
		}
	}
}

// pairsColumn is a column of two numbers a row.
func pairsColumn(mem memory.Allocator, values []int32) arrow.Array {
	b := bufferOf(mem, arrow.Int32Traits.CastToBytes(values))
	defer b.Release()
	leaf := array.NewData(arrow.PrimitiveTypes.Int32, len(values), []*memory.Buffer{nil, b}, nil, 0, 0)
	defer leaf.Release()
	data := array.NewData(validType, len(values)/2, []*memory.Buffer{nil}, []arrow.ArrayData{leaf}, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}
