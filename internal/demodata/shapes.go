package demodata

import "math"

// A point in the shape's own frame: y upwards, the shape within about the unit circle.
type point struct{ x, y float64 }

// A shape is a signed distance function: negative inside, in units of the
// shape's radius. Near the outline, where it decides the anti-aliasing, it is exact
// but for rounding; formulas after Inigo Quilez, "2D distance functions".
type shape struct {
	name     string
	distance func(p point) float64
}

// shapes, the most frequent one first. All are told apart after a rotation by
// +-30 degrees, a flip, or both.
var shapes = []shape{
	{"circle", func(p point) float64 { return length(p) - 0.92 }},
	{"square", polygon(0.03, point{-0.84, -0.84}, point{0.84, -0.84}, point{0.84, 0.84}, point{-0.84, 0.84})},
	{"triangle", polygon(0.05, point{0, 1.05}, point{1, -0.68}, point{-1, -0.68})},
	{"cross", polygon(0.05,
		point{-0.3, -0.95}, point{0.3, -0.95}, point{0.3, -0.3}, point{0.95, -0.3},
		point{0.95, 0.3}, point{0.3, 0.3}, point{0.3, 0.95}, point{-0.3, 0.95},
		point{-0.3, 0.3}, point{-0.95, 0.3}, point{-0.95, -0.3}, point{-0.3, -0.3})},
	{"ring", func(p point) float64 { return math.Abs(length(p)-0.7) - 0.26 }},
	{"star", polygon(0.04, star(1.08, 0.46)...)},
	{"crescent", crescent},
	{"hourglass", polygon(0.05,
		point{-0.72, -0.95}, point{0.72, -0.95}, point{0.14, 0}, point{0.72, 0.95}, point{-0.72, 0.95}, point{-0.14, 0})},
	{"heart", heart},
	{"arrow", polygon(0.05,
		point{0, 1}, point{0.85, 0.08}, point{0.32, 0.08}, point{0.32, -0.95},
		point{-0.32, -0.95}, point{-0.32, 0.08}, point{-0.85, 0.08})},
}

// pentagon has its first corner at the top. Sines and cosines of 72 degrees
// are written out, as math.Sin may differ in the last bit between machines.
func pentagon(r float64) []point {
	const c1, s1, c2, s2 = 0.30901699437494745, 0.9510565162951535, -0.8090169943749475, 0.5877852522924731
	return []point{{0, r}, {mul(r, s1), mul(r, c1)}, {mul(r, s2), mul(r, c2)}, {mul(r, -s2), mul(r, c2)}, {mul(r, -s1), mul(r, c1)}}
}

func star(outer, inner float64) []point {
	tips, dents := pentagon(outer), pentagon(-inner) // a pentagon upside down has its corners between those of an upright one
	var corners []point
	for i := range tips {
		corners = append(corners, tips[i], dents[(i+3)%5])
	}
	return corners
}

func crescent(p point) float64 {
	p = point{p.x - 0.22, p.y - 0.08} // its middle is left of the circles'
	return math.Max(length(p)-0.97, 0.76-length(point{p.x - 0.42, p.y - 0.16}))
}

// heart has its lower tip at (0, -0.95).
func heart(p point) float64 {
	const scale = 0.58
	x, y := mul(math.Abs(p.x), scale), mul(p.y, scale)+0.55
	if x+y > 1 {
		return (length(point{x - 0.25, y - 0.75}) - math.Sqrt2/4) / scale
	}
	along := mul(0.5, math.Max(x+y, 0))
	d := math.Min(length(point{x, y - 1}), length(point{x - along, y - along})) / scale
	if x < y {
		return -d
	}
	return d
}

// polygon is the distance to a closed line through the corners, which it rounds off.
func polygon(rounding float64, corners ...point) func(point) float64 {
	return func(p point) float64 {
		nearest, inside := math.Inf(1), false
		from := corners[len(corners)-1]
		for _, to := range corners {
			edge, w := point{to.x - from.x, to.y - from.y}, point{p.x - from.x, p.y - from.y}
			t := clamp(dot(w, edge) / dot(edge, edge))
			off := point{w.x - mul(t, edge.x), w.y - mul(t, edge.y)}
			nearest = math.Min(nearest, dot(off, off))
			if (from.y > p.y) != (to.y > p.y) && (mul(edge.x, w.y) > mul(edge.y, w.x)) == (edge.y < 0) {
				inside = !inside
			}
			from = to
		}
		if inside {
			return -math.Sqrt(nearest) - rounding
		}
		return math.Sqrt(nearest) - rounding
	}
}

func dot(a, b point) float64   { return mul(a.x, b.x) + mul(a.y, b.y) }
func length(p point) float64   { return math.Sqrt(dot(p, p)) }
func clamp(v float64) float64  { return math.Min(math.Max(v, 0), 1) }
func smooth(t float64) float64 { return mul(mul(t, t), 3-mul(2, t)) }

// lerp goes from a at t=0 to b at t=1.
func lerp(a, b, t float64) float64 { return a + mul(t, b-a) }

// mul is rounded: without the conversion, Go may fuse a product into the sum
// around it, on some machines only, and their pictures would differ.
func mul(a, b float64) float64 { return float64(a * b) }
