package schema

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// pad puts pictures of different sizes, and their masks, at the top left of canvases as large
// as the largest, where the run says so.
func (d *Draft) pad() {
	if !d.builder.run.Padded || d.base != nil {
		return
	}
	height, width := 0, 0
	d.valid = make([]int32, 0, 2*len(d.rows))
	for _, p := range d.rows {
		height, width = max(height, p.Height), max(width, p.Width)
		d.valid = append(d.valid, int32(p.Height), int32(p.Width))
	}
	for i, p := range d.rows {
		d.rows[i] = padded(p, height, width, 3, 0)
	}
	for i, p := range d.masks.rows {
		d.masks.rows[i] = padded(p, height, width, 1, MaskIgnore)
	}
}

// padded is a picture, of so many bytes a pixel, on a larger canvas.
func padded(p *Picture, height, width, each int, fill uint8) *Picture {
	if p.Height == height && p.Width == width {
		return p
	}
	out := &Picture{Height: height, Width: width, Layout: HWC, U8: make([]uint8, each*height*width)}
	for y := range height {
		row := out.U8[y*width*each : (y+1)*width*each]
		n := 0
		if y < p.Height {
			n = copy(row, p.U8[y*p.Width*each:(y+1)*p.Width*each])
		}
		for i := n; fill != 0 && i < len(row); i++ {
			row[i] = fill
		}
	}
	return out
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
