// Package polygon knows what rings of points enclose: which pixels, and what is left of it where
// other shapes lie on top. Coordinates are continuous (pixel j covers [j, j+1)), rounded to
// 1/4096 of a pixel; from there on everything is computed in integers, so that it is exact, and
// the same on every machine.
//
//	polygon.go  points, rings, shapes
//	fill.go     the pixels of a shape
//	overlay.go  shapes on top of each other: the parts of one that others leave
//	holes.go    rings with holes as one ring each
package polygon

import "math"

// One is a pixel in the units of coordinates.
const One = 1 << 12

// Most is the largest coordinate: what lies farther out, which no picture reaches, is moved there.
// So products of differences fit into an int64.
const Most = 1 << 16 * One

// Point is x, y in units of 1/One pixels.
type Point struct{ X, Y int64 }

// Ring is a closed line. A point is in it by the even-odd rule; of points on it those belong to
// it that have its inside on the right, or on a horizontal edge below.
type Ring []Point

// Shape is all points that are in one of its rings, or in several.
type Shape []Ring

// At is a point's nearest one in our units.
func At(x, y float64) Point { return Point{unit(x), unit(y)} }

func unit(v float64) int64 {
	if math.IsNaN(v) {
		return 0
	}
	return int64(math.Floor(min(max(v*One, -Most), Most) + 0.5))
}

// FromFloats reads rings of x y x y ...; lines and points, which enclose nothing, are left out.
func FromFloats(parts [][]float32) Shape {
	s := make(Shape, 0, len(parts))
	for _, part := range parts {
		if len(part) < 6 {
			continue
		}
		ring := make(Ring, 0, len(part)/2)
		for i := 0; i+1 < len(part); i += 2 {
			ring = append(ring, At(float64(part[i]), float64(part[i+1])))
		}
		s = append(s, ring)
	}
	return s
}

// Box is the ring around a rectangle.
func Box(x1, y1, x2, y2 float64) Ring {
	a, b := At(x1, y1), At(x2, y2)
	return Ring{a, {b.X, a.Y}, b, {a.X, b.Y}}
}

// Floats is a shape as rings of x y x y ...
func (s Shape) Floats() [][]float32 {
	out := make([][]float32, 0, len(s))
	for _, ring := range s {
		part := make([]float32, 0, 2*len(ring))
		for _, p := range ring {
			part = append(part, float32(float64(p.X)/One), float32(float64(p.Y)/One))
		}
		out = append(out, part)
	}
	return out
}

// Area is the sum of what the rings enclose, in pixels: exact of rings that cross neither themselves
// nor each other, such as Overlay gives.
func (s Shape) Area() float64 {
	sum := 0.0
	for _, ring := range s {
		sum += math.Abs(float64(twiceArea(ring))) / (2 * One * One)
	}
	return sum
}

// twiceArea is positive of a ring that goes around from x to y.
func twiceArea(ring Ring) (sum int64) {
	if len(ring) == 0 {
		return 0
	}
	first := ring[0] // so that the terms are as small as the ring
	for i := 1; i+1 < len(ring); i++ {
		sum += cross(first, ring[i], ring[i+1])
	}
	return sum
}

// Bounds are x1 y1 x2 y2 of a shape, in pixels; of an empty one ok is false.
func (s Shape) Bounds() (box [4]float64, ok bool) {
	b := s.bounds()
	for i, v := range [4]int64{b.low.X, b.low.Y, b.high.X, b.high.Y} {
		box[i] = float64(v) / One
	}
	return box, b.low.X <= b.high.X
}

// Meets reports whether the rectangles around two shapes have a point in common.
func (s Shape) Meets(other Shape) bool { return s.bounds().meets(other.bounds()) }

// Has reports whether a point is in the shape.
func (s Shape) Has(p Point) bool {
	for _, ring := range s {
		inside := false
		for i, b := range ring {
			a := ring[(i+len(ring)-1)%len(ring)]
			if a.Y <= p.Y != (b.Y <= p.Y) && !leftOf(p, a, b) {
				inside = !inside
			}
		}
		if inside {
			return true
		}
	}
	return false
}

// leftOf reports whether a point has a smaller x than the line from a to b at its height, where
// the line has one.
func leftOf(p, a, b Point) bool {
	if a.Y > b.Y {
		a, b = b, a
	}
	return cross(a, b, p) > 0
}

// cross is positive where the way from a to b to c turns from x to y.
func cross(a, b, c Point) int64 { return (b.X-a.X)*(c.Y-a.Y) - (b.Y-a.Y)*(c.X-a.X) }

// rect is a range of both coordinates, ends included.
type rect struct{ low, high Point }

var nowhere = rect{Point{math.MaxInt64, math.MaxInt64}, Point{math.MinInt64, math.MinInt64}}

func (r rect) with(p Point) rect {
	return rect{Point{min(r.low.X, p.X), min(r.low.Y, p.Y)}, Point{max(r.high.X, p.X), max(r.high.Y, p.Y)}}
}

func (r rect) meets(other rect) bool {
	return r.low.X <= other.high.X && other.low.X <= r.high.X && r.low.Y <= other.high.Y && other.low.Y <= r.high.Y
}

func (r Ring) bounds() rect {
	b := nowhere
	for _, p := range r {
		b = b.with(p)
	}
	return b
}

func (s Shape) bounds() rect {
	b := nowhere
	for _, ring := range s {
		for _, p := range ring {
			b = b.with(p)
		}
	}
	return b
}
