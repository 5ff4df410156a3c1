package warp

import (
	"math"

	"github.com/sluicedata/sluice/internal/detmath"
)

// Affine maps pixel (x, y) of the output to a point of the input:
// x' = a[0]x + a[1]y + a[2], y' = a[3]x + a[4]y + a[5]. Pixel centres are at
// integers.
type Affine [6]float64

// FixedBits is the number of fractional bits of Affine.Fixed.
const FixedBits = 32

// Identity maps every point to itself.
func Identity() Affine { return Affine{1, 0, 0, 0, 1, 0} }

// Translate moves by (dx, dy): output pixel (0, 0) shows input point (dx, dy), so
// a crop at offset (x, y) is Translate(x, y).
func Translate(dx, dy float64) Affine { return Affine{1, 0, dx, 0, 1, dy} }

// Rotation is the output-to-input map of a turn about (cx, cy), positive
// counter-clockwise on the screen: the inverse of
// cv2.getRotationMatrix2D((cx, cy), degrees, 1), which is what cv2.warpAffine
// samples with. Multiples of 90 degrees are exact.
func Rotation(degrees, cx, cy float64) Affine {
	sin, cos := detmath.SinCosDegrees(degrees)
	return Affine{
		cos, -sin, cx - float64(cos*cx) + float64(sin*cy),
		sin, cos, cy - float64(sin*cx) - float64(cos*cy),
	}
}

// Apply is the input point of output point (x, y).
func (a Affine) Apply(x, y float64) (float64, float64) {
	return float64(a[0]*x) + float64(a[1]*y) + a[2], float64(a[3]*x) + float64(a[4]*y) + a[5]
}

// Then is a followed by b: (a.Then(b)).Apply(p) = b.Apply(a.Apply(p)). Since
// maps go from output to input, a is the later of two warps of a picture.
func (a Affine) Then(b Affine) Affine {
	row := func(p, q, r float64) (float64, float64, float64) {
		return float64(p*a[0]) + float64(q*a[3]),
			float64(p*a[1]) + float64(q*a[4]),
			float64(p*a[2]) + float64(q*a[5]) + r
	}
	var c Affine
	c[0], c[1], c[2] = row(b[0], b[1], b[2])
	c[3], c[4], c[5] = row(b[3], b[4], b[5])
	return c
}

// Invert is the inverse map; false if there is none (the determinant is 0 or not finite).
func (a Affine) Invert() (Affine, bool) {
	det := float64(a[0]*a[4]) - float64(a[1]*a[3])
	if det == 0 || math.IsNaN(det) || math.IsInf(det, 0) {
		return Affine{}, false
	}
	b := Affine{a[4] / det, -a[1] / det, 0, -a[3] / det, a[0] / det, 0}
	b[2] = -(float64(b[0]*a[2]) + float64(b[1]*a[5]))
	b[5] = -(float64(b[3]*a[2]) + float64(b[4]*a[5]))
	return b, true
}

// Fixed is the matrix in units of 2^-32, rounded half up: what is sampled with.
// An output pixel's input point is exact in these units, in int64, below 2^31
// pixels. Entries must be finite and below 2^31.
func (a Affine) Fixed() [6]int64 {
	var m [6]int64
	for i, v := range a {
		m[i] = int64(math.Floor(float64(v*(1<<FixedBits)) + 0.5))
	}
	return m
}
