package warp

import (
	"fmt"
	"image"
	"math"
	"sync"

	"github.com/sluicedata/sluice/schema"
)

// Source is the pixels that a pass reads: a whole picture, or a part of it that includes
// Region.
type Source struct {
	Pix    []uint8         // RGB
	Stride int             // bytes from one row to the next
	Rect   image.Rectangle // the part of the picture that Pix holds, from its first byte on
}

// Whole is a uint8 HWC picture as a Source.
func Whole(p *schema.Picture) Source {
	return Source{Pix: p.U8, Stride: 3 * p.Width, Rect: image.Rect(0, 0, p.Width, p.Height)}
}

// offset is where pixel (x, y) of the picture lies in Pix.
func (s *Source) offset(x, y int) int { return (y-s.Rect.Min.Y)*s.Stride + 3*(x-s.Rect.Min.X) }

// Pixel is what is done to a sampled pixel before it is stored. At most one field may be set
// besides Row; without any the pixel is copied.
type Pixel struct {
	Row func(rgb []uint8) // changes a row in place, before the others
	U8  *[3][256]uint8    // value by channel, for uint8 pictures
	F32 *[3][256]float32  // value by channel, for float32 pictures
	// Map mixes channels; a uint8 picture takes its values rounded half up.
	Map func(rgb [3]float32) [3]float32

	lines *[3]line255 // formulas for F32, if there are any
}

// Run computes dst, a picture of the pass's output size. It panics if dst, src or px are of
// another type or size.
func (p *Pass) Run(dst *schema.Picture, src Source, px Pixel) {
	if err := p.check(dst, &src, px); err != nil {
		panic(err)
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.writer = writer{dst: dst, px: px, rgb: sized(&s.row, 3*p.Width), done: p.Done}
	p.run(&s.writer, src, s)
	s.writer = writer{}
}

func (p *Pass) check(dst *schema.Picture, src *Source, px Pixel) error {
	if err := p.checkOutput(dst, px); err != nil {
		return err
	}
	if !p.Region().In(src.Rect) || len(src.Pix) < src.offset(src.Rect.Max.X, src.Rect.Max.Y-1) {
		return fmt.Errorf("warp: a source of %v, %d bytes, where a pass reads %v", src.Rect, len(src.Pix), p.Region())
	}
	return nil
}

func (p *Pass) checkOutput(dst *schema.Picture, px Pixel) error {
	float := dst.F32 != nil
	switch {
	case dst.Height != p.Height || dst.Width != p.Width || len(dst.U8)+len(dst.F32) != 3*p.Height*p.Width:
		return fmt.Errorf("warp: a pass to %dx%d (height x width) into %v", p.Height, p.Width, dst.Tensor())
	case float && px.U8 != nil || !float && px.F32 != nil || float && px.F32 == nil && px.Map == nil:
		return fmt.Errorf("warp: values of another type than %v", dst.Tensor())
	}
	return nil
}

// scratch is a worker's memory, kept from picture to picture.
type scratch struct {
	writer  writer
	row     []uint8  // an output row, RGB
	fine    []uint16 // a row of subsamples
	sums    []uint32
	blended []int32
	tables  tables
	reals   []float64
	rows    []uint8 // rows resized, or columns
	narrow  []uint8 // both
	columns []int16
	resized []uint8 // columns of rows resized
	wide    [3][]int16
	planes  []int16
	levels  []uint8
	halves  []uint16 // Cb and Cr
	pairs   []uint64
	scaled  affine // a sampler for planes at a scale
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// sized is a buffer of n elements, reallocated if it is too small. Its contents are
// undefined.
func sized[T any](buf *[]T, n int) []T {
	if cap(*buf) < n {
		*buf = make([]T, n)
	}
	return (*buf)[:n]
}

// writer puts rows of RGB into the output picture.
type writer struct {
	dst *schema.Picture
	px  Pixel
	rgb []uint8 // scratch for a row

	done <-chan struct{}
}

// stopped reports whether the run is to stop.
func (w *writer) stopped() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// plain reports whether the output takes RGB bytes unchanged.
func (w *writer) plain() bool {
	return w.dst.U8 != nil && w.dst.Layout == schema.HWC && w.px.U8 == nil && w.px.Map == nil
}

// planes is row y of the output if that is three planes of tabulated floats.
func (w *writer) planes(y int) (p planes, ok bool) {
	if w.px.F32 == nil || w.dst.Layout != schema.CHW {
		return p, false
	}
	width, size := w.dst.Width, w.dst.Width*w.dst.Height
	for c := range 3 {
		p.row[c] = w.dst.F32[c*size+y*width:][:width]
	}
	p.table, p.lines = w.px.F32, w.px.lines
	return p, true
}

// planes is a row of each channel, and the tables for its values.
type planes struct {
	row   [3][]float32
	table *[3][256]float32
	lines *[3]line255 // formulas for them; nil: there are none
}

// tabulate fills the columns from first to end from a row of RGB.
func (p planes) tabulate(rgb []uint8, first, end int) {
	rgb = rgb[3*first : 3*end]
	for c, row := range p.row {
		p.row[c] = row[first:end]
	}
	if !p.valuesFast(rgb, false) {
		tabulatePlanes(rgb, p.row[0], p.row[1], p.row[2], p.table)
	}
}

// begin is memory for row y, for put.
func (w *writer) begin(y int) []uint8 {
	if !w.plain() {
		return w.rgb
	}
	n := 3 * w.dst.Width
	return w.dst.U8[y*n : (y+1)*n : (y+1)*n]
}

// put stores row y, given as RGB.
func (w *writer) put(y int, rgb []uint8) {
	width := w.dst.Width
	if w.px.Row != nil {
		own := w.begin(y)
		copy(own, rgb) // onto itself where it came from begin
		rgb = own
		w.px.Row(rgb)
	}
	if p, ok := w.planes(y); ok {
		p.tabulate(rgb, 0, width)
		return
	}
	plane := width * w.dst.Height
	at, step := 3*y*width, 3 // of the first value, and to the next of its channel
	next := 1                // to the next channel
	if w.dst.Layout == schema.CHW {
		at, step, next = y*width, 1, plane
	}
	switch {
	case w.px.Map != nil:
		w.mapped(rgb, at, step, next)
	case w.px.F32 != nil:
		tabulate(w.dst.F32[at:], rgb, 3, 1, w.px.F32)
	case w.px.U8 != nil:
		tabulate(w.dst.U8[at:], rgb, step, next, w.px.U8)
	case step == 3:
		copy(w.dst.U8[at:at+len(rgb)], rgb) // onto itself where begin gave the output
	default:
		for c := range 3 {
			out := w.dst.U8[at+c*plane:][:width]
			for x := range out {
				out[x] = rgb[3*x+c]
			}
		}
	}
}

// putMirrored is put for a row given from right to left.
func (w *writer) putMirrored(y int, rgb []uint8) {
	if w.px.Row == nil {
		if p, ok := w.planes(y); ok && p.valuesFast(rgb, true) {
			return
		}
	}
	own := w.begin(y)
	mirror(own, rgb)
	w.put(y, own)
}

// mirrorGo copies a row of pixels from right to left.
func mirrorGo(dst, rgb []uint8) {
	for from := len(rgb) - 3; from >= 0; from -= 3 {
		to, pixel := dst[:3:3], rgb[from:from+3:from+3]
		to[0], to[1], to[2] = pixel[0], pixel[1], pixel[2]
		dst = dst[3:]
	}
}

// tabulatePlanes converts RGB bytes to three planes: what most training sets need.
func tabulatePlanes(rgb []uint8, r, g, b []float32, table *[3][256]float32) {
	g, b = g[:len(r)], b[:len(r)]
	for x := range r {
		if len(rgb) < 3 {
			return
		}
		r[x], g[x], b[x] = table[0][rgb[0]], table[1][rgb[1]], table[2][rgb[2]]
		rgb = rgb[3:]
	}
}

// planar reports whether rows are stored channel by channel, so that putPlanes is cheaper.
func (w *writer) planar() bool {
	return w.dst.Layout == schema.CHW && w.px.Map == nil && w.px.Row == nil
}

// putPlanes is put for rows from y on, given channel by channel.
func (w *writer) putPlanes(y int, r, g, b []uint8) {
	width := w.dst.Width
	if !w.planar() {
		if w.plain() && w.px.Row == nil {
			interleave(w.dst.U8[3*y*width:][:3*len(r)], r, g, b)
			return
		}
		for at := 0; at < len(r); at += width {
			rgb := w.begin(y)
			interleave(rgb, r[at:at+width], g[at:at+width], b[at:at+width])
			w.put(y, rgb)
			y++
		}
		return
	}
	size := width * w.dst.Height
	for c, levels := range [3][]uint8{r, g, b} {
		at := c*size + y*width
		switch {
		case w.px.lines != nil && w.px.lines[c].valuesFast(w.dst.F32[at:], levels):
		case w.px.F32 != nil:
			lookUp(w.dst.F32[at:], levels, &w.px.F32[c])
		case w.px.U8 != nil:
			lookUp(w.dst.U8[at:], levels, &w.px.U8[c])
		default:
			copy(w.dst.U8[at:], levels)
		}
	}
}

func interleave(rgb, r, g, b []uint8) {
	if interleaveFast(rgb, r, g, b) {
		return
	}
	g, b = g[:len(r)], b[:len(r)]
	for x := range r {
		to := rgb[3*x : 3*x+3 : 3*x+3]
		to[0], to[1], to[2] = r[x], g[x], b[x]
	}
}

func lookUp[T uint8 | float32](out []T, levels []uint8, table *[256]T) {
	out = out[:len(levels)]
	for x, v := range levels {
		out[x] = table[v]
	}
}

func tabulate[T uint8 | float32](out []T, rgb []uint8, step, next int, table *[3][256]T) {
	for at := 0; len(rgb) >= 3; at += step {
		out[at], out[at+next], out[at+2*next] = table[0][rgb[0]], table[1][rgb[1]], table[2][rgb[2]]
		rgb = rgb[3:]
	}
}

func (w *writer) mapped(rgb []uint8, at, step, next int) {
	for ; len(rgb) >= 3; at += step {
		v := w.px.Map([3]float32{float32(rgb[0]), float32(rgb[1]), float32(rgb[2])})
		for c := range v {
			if w.dst.F32 != nil {
				w.dst.F32[at+c*next] = v[c]
			} else {
				w.dst.U8[at+c*next] = RoundToByte(v[c])
			}
		}
		rgb = rgb[3:]
	}
}

// RoundToByte is v rounded half up and clamped, as for all values of uint8 pictures.
func RoundToByte(v float32) uint8 { return uint8(min(max(math.Floor(float64(v)+0.5), 0), 255)) }
