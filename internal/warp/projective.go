package warp

import (
	"fmt"
	"math"

	"github.com/sluicedata/sluice/schema"
)

// Homography maps point (x, y) of the output to a point of the input, as a 3x3
// matrix in rows: ((h[0]x + h[1]y + h[2]) / d, (h[3]x + h[4]y + h[5]) / d) with
// d = h[6]x + h[7]y + h[8]. Points with d <= 0 lie on or beyond the horizon and
// have no image. An Affine is the case (0, 0, 1) of the last row.
type Homography [9]float64

// Homography is the same map as a 3x3 matrix.
func (a Affine) Homography() Homography {
	return Homography{a[0], a[1], a[2], a[3], a[4], a[5], 0, 0, 1}
}

// Projective reports whether the map is no Affine: straight lines stay straight, but
// parallel ones don't stay parallel.
func (h Homography) Projective() bool { return h[6] != 0 || h[7] != 0 || h[8] != 1 }

// Affine is the first two rows: the same map, unless it is Projective.
func (h Homography) Affine() Affine { return Affine{h[0], h[1], h[2], h[3], h[4], h[5]} }

// Apply is the input point of output point (x, y); false if there is none.
func (h Homography) Apply(x, y float64) (u, v float64, ok bool) {
	d := float64(h[6]*x) + float64(h[7]*y) + h[8]
	u, v = h.Affine().Apply(x, y)
	return u / d, v / d, d > 0
}

// Then is first h, then g, as of Affine.
func (h Homography) Then(g Homography) Homography {
	if !h.Projective() && !g.Projective() {
		return h.Affine().Then(g.Affine()).Homography()
	}
	var c Homography
	for i := range c {
		row, column := i/3*3, i%3
		c[i] = float64(g[row]*h[column]) + float64(g[row+1]*h[3+column]) + float64(g[row+2]*h[6+column])
	}
	return c
}

// Invert is the inverse map, with d > 0 where h has it; false if there is none.
func (h Homography) Invert() (Homography, bool) {
	if !h.Projective() {
		a, ok := h.Affine().Invert()
		return a.Homography(), ok
	}
	minor := func(i, j, k, l int) float64 { return float64(h[i]*h[j]) - float64(h[k]*h[l]) }
	b := Homography{
		minor(4, 8, 5, 7), minor(2, 7, 1, 8), minor(1, 5, 2, 4),
		minor(5, 6, 3, 8), minor(0, 8, 2, 6), minor(2, 3, 0, 5),
		minor(3, 7, 4, 6), minor(1, 6, 0, 7), minor(0, 4, 1, 3),
	}
	det := float64(h[0]*b[0]) + float64(h[1]*b[3]) + float64(h[2]*b[6])
	if det == 0 || math.IsNaN(det) || math.IsInf(det, 0) {
		return Homography{}, false
	}
	for i := range b {
		b[i] /= det
	}
	return b, true
}

// Unit is the same map in the form in which people write it: divided by its last
// number, so that this is 1.
func (h Homography) Unit() Homography {
	last := h[8]
	if last == 0 {
		return h
	}
	for i := range h {
		h[i] /= last
	}
	return h
}

// Quad maps a quadrilateral of the output to the rectangle (0, 0), (width, 0),
// (width, height), (0, height) of the input: corner i is (corners[i][0],
// corners[i][1]), clockwise on the screen from the top left. False where the
// quadrilateral is not convex, or mirrored, or either has no area. The corners
// lie before the horizon.
//
// It is the inverse of the map from the unit square in Heckbert, Fundamentals of
// Texture Mapping and Image Warping (1989), section 2.2.3.
func Quad(corners [4][2]float64, width, height float64) (Homography, bool) {
	if !(width > 0) || !(height > 0) || !convex(corners) {
		return Homography{}, false
	}
	x, y := [4]float64{}, [4]float64{}
	for i, corner := range corners {
		x[i], y[i] = corner[0], corner[1]
	}
	cross := func(ax, ay, bx, by float64) float64 { return float64(ax*by) - float64(bx*ay) }
	dx1, dx2, sx := x[1]-x[2], x[3]-x[2], x[0]-x[1]+x[2]-x[3]
	dy1, dy2, sy := y[1]-y[2], y[3]-y[2], y[0]-y[1]+y[2]-y[3]
	d := cross(dx1, dy1, dx2, dy2)
	g, h := cross(sx, sy, dx2, dy2)/d, cross(dx1, dy1, sx, sy)/d
	square := Homography{
		x[1] - x[0] + float64(g*x[1]), x[3] - x[0] + float64(h*x[3]), x[0],
		y[1] - y[0] + float64(g*y[1]), y[3] - y[0] + float64(h*y[3]), y[0],
		g, h, 1,
	}
	m, ok := square.Invert()
	if !ok {
		return Homography{}, false
	}
	return m.Then(Affine{width, 0, 0, 0, height, 0}.Homography()), true
}

// convex reports whether a quadrilateral turns clockwise on the screen at each corner.
func convex(corners [4][2]float64) bool {
	for i, b := range corners {
		a, c := corners[(i+3)%4], corners[(i+1)%4]
		if !(float64((b[0]-a[0])*(c[1]-b[1])) > float64((b[1]-a[1])*(c[0]-b[0]))) {
			return false
		}
	}
	return true
}

// Homography is the transform's whole matrix.
func (t Transform) Homography() Homography {
	h := t.Matrix.Homography()
	if t.Horizon != ([3]float64{}) {
		copy(h[6:], t.Horizon[:])
	}
	return h
}

// Projective reports whether the transform has a horizon: then Matrix is only a part of it,
// and it can't be merged with others as an Affine.
func (t Transform) Projective() bool { return t.Homography().Projective() }

// WithHomography is the transform with that matrix.
func (t Transform) WithHomography(h Homography) Transform {
	t.Matrix, t.Horizon = h.Affine(), [3]float64{}
	if h.Projective() {
		t.Horizon = [3]float64(h[6:])
	}
	return t
}

// projectedRows is sampledRows for a transform with a horizon. Each pixel's point
// is computed in float64, in a fixed order with every product rounded by itself,
// and then rounded to the grid of 2^-32, half up. On and beyond the horizon, and
// 2^29 pixels away, there is Fill, whatever the border.
func projectedRows(t *Transform, dst []uint8, src *schema.Picture, y0, y1 int) {
	in := view{src, t.Window(src.Height, src.Width), t.Border, t.Fill}
	h := t.Homography()
	for y := y0; y < y1; y++ {
		for x := range t.Width {
			u, v, ok := h.Apply(float64(x), float64(y))
			if ok && math.Abs(u) < maxPoint && math.Abs(v) < maxPoint {
				t.Filter.sample(dst[:3], in, fixedPoint(u), fixedPoint(v))
			} else {
				copy(dst, t.Fill[:])
			}
			dst = dst[3:]
		}
	}
}

// fixedPoint is a coordinate in units of 2^-32, rounded half up.
func fixedPoint(v float64) int64 { return int64(math.Floor(float64(v*(1<<FixedBits)) + 0.5)) }

// checkHorizon is Check for projective transforms.
func (t Transform) checkHorizon() error {
	for _, v := range t.Homography() {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("warp: the matrix %v is not finite", t.Homography())
		}
	}
	if t.Antialias && t.Filter != Nearest {
		return fmt.Errorf("warp: antialias needs an axis-aligned matrix, not %v", t.Homography())
	}
	return nil
}
