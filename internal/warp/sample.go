package warp

import (
	"image"
	"math"

	"github.com/sluicedata/sluice/schema"
)

// FractionBits is the precision to which a sampling point's position between pixels
// is rounded, half up.
const FractionBits = 12

const one = 1 << FractionBits

// sampledRows samples the input at each output pixel's point, with the filter at
// its natural width.
func sampledRows(t *Transform, dst []uint8, src *schema.Picture, y0, y1 int) {
	in := view{src, t.Window(src.Height, src.Width), t.Border, t.Fill}
	m := t.Matrix.Fixed()
	for y := y0; y < y1; y++ {
		for x := range t.Width {
			u := m[0]*int64(x) + m[1]*int64(y) + m[2]
			v := m[3]*int64(x) + m[4]*int64(y) + m[5]
			t.Filter.sample(dst[:3], in, u, v)
			dst = dst[3:]
		}
	}
}

// view is the part of a picture that may be read, and what lies outside it.
type view struct {
	*schema.Picture
	window image.Rectangle
	border Border
	fill   [3]uint8
}

// at is channel c of the pixel (x, y), which may lie anywhere.
func (in view) at(x, y int64, c int) int64 {
	w := in.window
	switch {
	case in.border == Edge:
		x = min(max(x, int64(w.Min.X)), int64(w.Max.X)-1)
		y = min(max(y, int64(w.Min.Y)), int64(w.Max.Y)-1)
	case in.border == Reflect:
		x = reflected(x, int64(w.Min.X), int64(w.Max.X))
		y = reflected(y, int64(w.Min.Y), int64(w.Max.Y))
	case x < int64(w.Min.X) || x >= int64(w.Max.X) || y < int64(w.Min.Y) || y >= int64(w.Max.Y):
		return int64(in.fill[c])
	}
	return int64(in.U8[(int(y)*in.Width+int(x))*3+c])
}

// sample sets an RGB pixel to the input at the point (u, v), in units of 2^-32
// pixel.
func (f Filter) sample(rgb []uint8, in view, u, v int64) {
	if f == Nearest || f == Box {
		x, y := roundShift(u, FixedBits), roundShift(v, FixedBits)
		for c := range rgb {
			rgb[c] = uint8(in.at(x, y, c))
		}
		return
	}
	u, v = roundShift(u, FixedBits-FractionBits), roundShift(v, FixedBits-FractionBits)
	x, y := u>>FractionBits, v>>FractionBits
	fx, fy := u&(one-1), v&(one-1)
	if f != Bilinear {
		f.convolve(rgb, in, x, y, f.taps(fx), f.taps(fy))
		return
	}
	for c := range rgb {
		upper := in.at(x, y, c)*(one-fx) + in.at(x+1, y, c)*fx
		lower := in.at(x, y+1, c)*(one-fx) + in.at(x+1, y+1, c)*fx
		rgb[c] = uint8(roundShift(upper*(one-fy)+lower*fy, 2*FractionBits))
	}
}

// convolve is the weighted sum of the pixels around (x, y), rows first.
func (f Filter) convolve(rgb []uint8, in view, x, y int64, wx, wy []float64) {
	first := 1 - int64(f.support())
	for c := range rgb {
		sum := 0.0
		for j, weight := range wy {
			row := 0.0
			for i, w := range wx {
				row += float64(w * float64(in.at(x+first+int64(i), y+first+int64(j), c)))
			}
			sum += float64(weight * row)
		}
		rgb[c] = uint8(min(max(math.Floor(sum+0.5), 0), 255))
	}
}

// taps are the weights of the pixels around a point that lies fraction/2^12
// after a pixel, in order; their sum is 1.
func (f Filter) taps(fraction int64) []float64 {
	half := int64(f.support())
	taps := make([]float64, 2*half)
	sum := 0.0
	for i := range taps {
		taps[i] = f.weight(float64(int64(i)+1-half) - float64(float64(fraction)/one))
		sum += taps[i]
	}
	for i := range taps {
		taps[i] /= sum
	}
	return taps
}

// roundShift is n / 2^bits, rounded half up.
func roundShift(n int64, bits int) int64 { return (n + 1<<(bits-1)) >> bits }
