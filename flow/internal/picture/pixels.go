package picture

import (
	"github.com/sluicedata/sluice/internal/colour"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// applyPixelFunc maps every pixel into a new picture of the given type, in a plain loop.
func applyPixelFunc(src *schema.Picture, f stages.PixelFunc, t schema.Tensor) *schema.Picture {
	dst := &schema.Picture{Height: src.Height, Width: src.Width, Layout: t.Layout}
	n := 3 * src.Height * src.Width
	if t.DType == schema.Float32 {
		dst.F32 = make([]float32, n)
	} else {
		dst.U8 = make([]uint8, n)
	}
	pixels := src.Height * src.Width
	for i := range pixels {
		var rgb [3]float32
		for c := range rgb {
			at := offset(src.Layout, pixels, i, c)
			if src.F32 != nil {
				rgb[c] = src.F32[at]
			} else {
				rgb[c] = float32(src.U8[at])
			}
		}
		rgb = f.Map(rgb)
		for c := range rgb {
			at := offset(t.Layout, pixels, i, c)
			if dst.F32 != nil {
				dst.F32[at] = rgb[c]
			} else {
				dst.U8[at] = warp.RoundToByte(rgb[c])
			}
		}
	}
	return dst
}

// offset is where channel c of pixel i lies.
func offset(layout schema.Layout, pixels, i, c int) int {
	if layout == schema.CHW {
		return c*pixels + i
	}
	return 3*i + c
}

// pixel is functions of a pixel, one after the other, as one function of a byte,
// tabulated where each channel goes its own way. Tables that don't depend on the draw are
// kept; others last until the next.
func (m *Maker) pixel(ops []op) warp.Pixel {
	if len(ops) == 0 {
		return warp.Pixel{}
	}
	if n := inRows(ops); n > 0 {
		pixel := m.pixel(ops[n:])
		if pixel.Row != nil { // the rest is for rows, too
			n = len(ops)
		}
		pixel.Row = m.rows(ops[:n])
		return pixel
	}
	separate, constant, key := true, true, uint64(0)
	for _, o := range ops {
		separate = separate && o.pixel.Separate
		_, nothing := o.params.(stages.Nothing)
		constant = constant && nothing && !o.step && o.stage < 64
		key |= 1 << o.stage
	}
	if !separate {
		return warp.Pixel{Map: func(rgb [3]float32) [3]float32 { return applyToPixel(ops, rgb) }}
	}
	if isRGB(ops[len(ops)-1].out) {
		return warp.Pixel{Row: m.rows(ops)}
	}
	float := ops[len(ops)-1].out.DType == schema.Float32
	if !constant && float {
		return tabulate(ops, warp.Pixel{F32: &m.f32})
	} else if !constant {
		return tabulate(ops, warp.Pixel{U8: &m.u8})
	}
	pixel, known := m.tables[key]
	if !known {
		if float {
			pixel.F32 = new([3][256]float32)
		} else {
			pixel.U8 = new([3][256]uint8)
		}
		if m.tables == nil {
			m.tables = map[uint64]warp.Pixel{}
		}
		m.tables[key] = tabulate(ops, pixel)
	}
	return pixel
}

// inRows is how many functions, the first ones, are done row by row: up to the last that
// mixes channels and has one for that. Those of a channel alone that follow are better merged
// with what makes a tensor.
func inRows(ops []op) (n int) {
	for i, o := range ops {
		if o.out.DType != schema.Uint8 {
			break
		}
		if o.pixel.Row != nil && !o.pixel.Separate {
			n = i + 1
		}
	}
	return n
}

// rows is functions of a pixel of uint8 pictures, which are for rows or of a channel alone, as
// one for rows. Several of a channel alone, side by side, are tabulated.
func (m *Maker) rows(ops []op) func(rgb []uint8) {
	var list []func(rgb []uint8)
	for len(ops) > 0 {
		n := 0
		for n < len(ops) && ops[n].pixel.Separate {
			n++
		}
		switch row := ops[0].pixel.Row; {
		case n > 1 || n == 1 && row == nil:
			list = append(list, lookUp(tabulate(ops[:n], warp.Pixel{U8: new([3][256]uint8)}).U8))
		case row != nil:
			n, list = 1, append(list, row)
		default:
			n, list = 1, append(list, eachPixel(ops[:1:1]))
		}
		ops = ops[n:]
	}
	if len(list) == 1 {
		return list[0]
	}
	return func(rgb []uint8) {
		for _, row := range list {
			row(rgb)
		}
	}
}

func lookUp(table *[3][256]uint8) func(rgb []uint8) {
	same := table[0] == table[1] && table[1] == table[2]
	return func(rgb []uint8) {
		if same && colour.LookUp(rgb, &table[0]) {
			return
		}
		for ; len(rgb) >= 3; rgb = rgb[3:] {
			p := rgb[:3:3]
			p[0], p[1], p[2] = table[0][p[0]], table[1][p[1]], table[2][p[2]]
		}
	}
}

// eachPixel is functions of a pixel of uint8 pictures, pixel by pixel.
func eachPixel(ops []op) func(rgb []uint8) {
	return func(rgb []uint8) {
		for ; len(rgb) >= 3; rgb = rgb[3:] {
			for c, v := range applyToPixel(ops, [3]float32{float32(rgb[0]), float32(rgb[1]), float32(rgb[2])}) {
				rgb[c] = uint8(v)
			}
		}
	}
}

// applyToPixel applies functions to one pixel, as applyPixelFunc does to each.
func applyToPixel(ops []op, rgb [3]float32) [3]float32 {
	for _, o := range ops {
		rgb = o.pixel.Map(rgb)
		if o.out.DType == schema.Uint8 {
			for c, v := range rgb {
				rgb[c] = float32(warp.RoundToByte(v))
			}
		}
	}
	return rgb
}

// tabulate fills the table of px, which it returns.
func tabulate(ops []op, px warp.Pixel) warp.Pixel {
	for i := range 256 {
		v := float32(i)
		for c, v := range applyToPixel(ops, [3]float32{v, v, v}) {
			if px.F32 != nil {
				px.F32[c][i] = v
			} else {
				px.U8[c][i] = uint8(v)
			}
		}
	}
	if px.F32 != nil {
		return warp.Tabulated(px.F32)
	}
	return px
}
