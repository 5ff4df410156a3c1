package warp

import (
	"fmt"
	"math"

	"github.com/sluicedata/sluice/schema"
)

// axis is one direction of an axis-aligned transform, in the coordinates of
// Pillow's resize: the edge of the first pixel of the window is at 0, and output
// pixel i covers origin + i*scale up to origin + (i+1)*scale.
type axis struct {
	in, out int // window and output, in pixels
	first   int // of the window in the input
	origin  float64
	scale   float64 // > 0
	flipped bool    // output pixel i is pixel out-1-i of the axis
}

// axisAligned reports whether each row comes from rows and each column from columns.
func (t Transform) axisAligned() bool {
	m := t.Matrix
	return m[1] == 0 && m[3] == 0 && m[0] != 0 && m[4] != 0
}

// axes splits an axis-aligned transform.
func (t Transform) axes(inH, inW int) (horizontal, vertical axis) {
	w := t.Window(inH, inW)
	return newAxis(t.Matrix[0], t.Matrix[2], t.Width, w.Min.X, w.Max.X),
		newAxis(t.Matrix[4], t.Matrix[5], t.Height, w.Min.Y, w.Max.Y)
}

// newAxis is the axis of the map i -> scale*i + shift of pixel centres.
func newAxis(scale, shift float64, out, first, end int) axis {
	a := axis{in: end - first, out: out, first: first, scale: scale, flipped: scale < 0}
	if a.flipped {
		shift += float64(scale * float64(out-1))
		a.scale = -scale
	}
	origin := shift + 0.5 - float64(0.5*a.scale) - float64(first)
	// On the grid, so that a resize of the whole window begins at exactly 0
	// however its matrix was composed.
	a.origin = math.Floor(float64(origin*(1<<FixedBits))+0.5) / (1 << FixedBits)
	return a
}

// place is where output pixel i of the picture lies on the axis.
func (a axis) place(i int) int {
	if a.flipped {
		return a.out - 1 - i
	}
	return i
}

// centre is the middle of pixel i of the axis.
func (a axis) centre(i int) float64 { return a.origin + float64((float64(i)+0.5)*a.scale) }

// checkAntialias reports a transform that antialiasing is not defined for.
func (t Transform) checkAntialias(inH, inW int) error {
	if !t.axisAligned() {
		return fmt.Errorf("warp: antialias needs an axis-aligned matrix, not %v", t.Matrix)
	}
	horizontal, vertical := t.axes(inH, inW)
	for _, a := range []axis{horizontal, vertical} {
		if !(a.centre(0) >= 0 && a.centre(a.out-1) < float64(a.in)) {
			return fmt.Errorf("warp: antialias needs an output inside the input, not at %v..%v of %d pixels",
				a.centre(0), a.centre(a.out-1), a.in)
		}
	}
	return nil
}

// weightBits are the fractional bits of Pillow's weights: PRECISION_BITS in
// libImaging/Resample.c.
const weightBits = 32 - 8 - 2

// taps are the weights of the window's pixels from, from+1, ... for one output
// pixel, in units of 2^-22.
type taps struct {
	from    int
	weights []int
}

// taps is precompute_coeffs and normalize_coeffs_8bpc of Pillow's Resample.c for
// pixel i of the axis.
func (a axis) taps(f Filter, i int) taps {
	widening := max(a.scale, 1)
	support := float64(f.support() * widening)
	centre := a.centre(i)
	step := 1 / widening
	from := max(int(centre-support+0.5), 0)
	to := min(int(centre+support+0.5), a.in)

	weights := make([]float64, to-from)
	sum := 0.0
	for k := range weights {
		weights[k] = f.weight(float64((float64(k+from) - centre + 0.5) * step))
		sum += weights[k]
	}
	fixed := make([]int, len(weights))
	for k, w := range weights {
		w /= sum
		fixed[k] = int(math.Copysign(0.5, w) + float64(w*(1<<weightBits)))
	}
	return taps{from, fixed}
}

// columnsFirst is ImagingResampleInner's choice in Pillow 13: columns are resized before
// rows if the height shrinks by more than twice as many pixels as the width. Pillow up to
// 12 always resized rows first.
func columnsFirst(horizontal, vertical axis) bool {
	less := vertical.in - vertical.out
	return less > 0 && less > 2*(horizontal.in-horizontal.out)
}

// antialiasedRows is ImagingResample of Pillow's Resample.c: rows are resized
// and rounded to 8 bits first, then columns, or the other way round.
func antialiasedRows(t *Transform, dst []uint8, src *schema.Picture, y0, y1 int) {
	horizontal, vertical := t.axes(src.Height, src.Width)
	across := make([]taps, t.Width)
	for x := range across {
		across[x] = horizontal.taps(t.Filter, horizontal.place(x))
	}
	window := func(y int) []uint8 {
		from := ((vertical.first+y)*src.Width + horizontal.first) * 3
		return src.U8[from : from+3*horizontal.in]
	}
	if columnsFirst(horizontal, vertical) {
		for y := y0; y < y1; y++ {
			down := vertical.taps(t.Filter, vertical.place(y))
			dst = dst[copy(dst, resizedRow(down.blended(window), across)):]
		}
		return
	}
	resized := map[int][]uint8{} // by row of the window
	row := func(y int) []uint8 {
		if resized[y] == nil {
			resized[y] = resizedRow(window(y), across)
		}
		return resized[y]
	}
	for y := y0; y < y1; y++ {
		dst = dst[copy(dst, vertical.taps(t.Filter, vertical.place(y)).blended(row)):]
	}
}

// blended is the weighted sum of rows.
func (t taps) blended(row func(y int) []uint8) []uint8 {
	sums := make([]int64, len(row(t.from)))
	for k, w := range t.weights {
		for i, v := range row(t.from + k) {
			sums[i] += int64(w) * int64(v)
		}
	}
	out := make([]uint8, len(sums))
	for i, sum := range sums {
		out[i] = clip8(sum)
	}
	return out
}

// resizedRow resizes one RGB row of the window.
func resizedRow(in []uint8, across []taps) []uint8 {
	out := make([]uint8, 0, 3*len(across))
	for _, taps := range across {
		for c := range 3 {
			sum := int64(0)
			for k, w := range taps.weights {
				sum += int64(w) * int64(in[3*(taps.from+k)+c])
			}
			out = append(out, clip8(sum))
		}
	}
	return out
}

// clip8 converts a weighted sum to a byte, rounded half up.
func clip8(sum int64) uint8 {
	return uint8(min(max((sum+1<<(weightBits-1))>>weightBits, 0), 255))
}

// nearestRows is ImagingScaleAffine of Pillow's Geometry.c: the pixel that holds
// the middle of the output pixel.
func nearestRows(t *Transform, dst []uint8, src *schema.Picture, y0, y1 int) {
	horizontal, vertical := t.axes(src.Height, src.Width)
	in := view{src, t.Window(src.Height, src.Width), t.Border, t.Fill}
	xs, ys := make([]int64, t.Width), make([]int64, t.Height)
	horizontal.nearest(xs)
	vertical.nearest(ys)
	for y := y0; y < y1; y++ {
		for x := range t.Width {
			for c := range 3 {
				dst[0] = uint8(in.at(xs[x], ys[y], c))
				dst = dst[1:]
			}
		}
	}
}

// nearest fills a table with the input coordinate of each output pixel. Pillow adds
// up the scale from pixel to pixel, which decides where a middle falls between two
// pixels.
func (a axis) nearest(table []int64) {
	at := a.origin + float64(a.scale*0.5)
	for i := range table {
		table[a.place(i)] = int64(math.Floor(at)) + int64(a.first)
		at += a.scale
	}
}
