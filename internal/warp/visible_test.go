package warp

import (
	"math"
	"math/rand/v2"
	"testing"
)

// covering lists the points of a fine grid over a canvas that lie in an odd number of rings.
func covering(rings [][][2]float64, size int) (points [][2]float64) {
	const step = 0.25
	for y := step / 2; y < float64(size); y += step {
		for x := step / 2; x < float64(size); x += step {
			inside := false
			for _, ring := range rings {
				inside = inside != contains(ring, [2]float64{x, y})
			}
			if inside {
				points = append(points, [2]float64{x, y})
			}
		}
	}
	return points
}

// What is visible of a ring has the points that the ring and the window have in common, and the
// box and the area of its parts; parts that the window separates are parts.
func TestPathClipsRings(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	const size = 40 // of the picture
	apart := 0
	for range 300 {
		// A star, which doesn't cross itself.
		var ring [][2]float64
		n := 5 + r.IntN(12)
		cx, cy := 40*r.Float64(), 40*r.Float64()
		for k := range n {
			s, c := math.Sincos(2 * math.Pi * float64(k) / float64(n))
			d := 4 + 26*r.Float64()
			ring = append(ring, [2]float64{cx + d*c, cy + d*s})
		}
		var p Path
		p.Begin(size, size)
		left, top := r.IntN(15), r.IntN(15)
		window := Transform{Matrix: Translate(float64(left), float64(top)), Height: 20, Width: 22, Filter: Nearest}
		if !p.Apply(&window, size, size) {
			t.Fatal("no inverse")
		}
		var shape Shape
		p.Through(&shape, ring)
		if len(shape.Rings) > 1 {
			apart++
		}
		moved := make([][2]float64, len(ring))
		for i, q := range ring {
			moved[i] = [2]float64{q[0] - float64(left), q[1] - float64(top)}
		}
		wrong, seen := 0, 0
		want := map[[2]float64]bool{}
		for _, q := range covering([][][2]float64{moved}, 22) {
			if q[1] < 20 {
				want[q] = true
			}
		}
		for _, q := range covering(shape.Rings, 22) {
			seen++
			if !want[q] {
				wrong++
			}
		}
		if wrong > 0 || seen != len(want) {
			t.Fatalf("%v in a window at %d %d: %d points, %d of them wrong, want %d", ring, left, top, seen, wrong, len(want))
		}
		sum := 0.0
		box := [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
		for _, part := range shape.Rings {
			sum += Area(part)
			for _, q := range part {
				box = [4]float64{min(box[0], q[0]), min(box[1], q[1]), max(box[2], q[0]), max(box[3], q[1])}
			}
		}
		if math.Abs(sum-shape.Area) > 1e-9 || math.Abs(sum-float64(seen)/16) > 25 || shape.Seen && box != shape.Box {
			t.Fatalf("area %g of parts of %g, %d points; box %v of %v", shape.Area, sum, seen, shape.Box, box)
		}
	}
	if apart < 8 {
		t.Errorf("only %d of 300 rings were cut apart", apart)
	}
}

// A ring with a hole on a line that is gone along forth and back stays one, and a bow tie has
// its box.
func TestPathOfRingsThatTouchThemselves(t *testing.T) {
	var p Path
	p.Begin(20, 20)
	window := Transform{Matrix: Identity(), Height: 20, Width: 10, Filter: Nearest}
	p.Apply(&window, 20, 20)
	hole := [][2]float64{{2, 2}, {18, 2}, {18, 18}, {2, 18}, {2, 8}, {6, 8}, {6, 14}, {14, 14}, {14, 6}, {6, 6}, {6, 8}, {2, 8}}
	var s Shape
	p.Through(&s, hole)
	if want := 8*16.0 - 4*8; math.Abs(s.Area-want) > 1e-9 || s.Box != [4]float64{2, 2, 10, 18} {
		t.Errorf("area %g, box %v, want %g", s.Area, s.Box, want)
	}
	p.Through(&s, [][2]float64{{2, 2}, {18, 18}, {18, 2}, {2, 18}})
	if s.Box != [4]float64{2, 2, 10, 18} || !s.Seen {
		t.Errorf("box %v", s.Box)
	}
}

// Edges that cross are found as by comparing all of them; what only touches doesn't cross.
func TestCrosses(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	found := 0
	for range 2000 {
		ring := make([][2]float64, 4+r.IntN(5))
		wide, high := 1+99*r.Float64(), 1+99*r.Float64()
		for i := range ring {
			ring[i] = [2]float64{wide * r.Float64(), high * r.Float64()}
		}
		want := false
		for i := range ring {
			for j := range i {
				a, b := ring[i], ring[(i+1)%len(ring)]
				c, d := ring[j], ring[(j+1)%len(ring)]
				// Where the lines meet, as shares of both edges.
				f := (b[0]-a[0])*(d[1]-c[1]) - (b[1]-a[1])*(d[0]-c[0])
				s := ((c[0]-a[0])*(d[1]-c[1]) - (c[1]-a[1])*(d[0]-c[0])) / f
				u := ((c[0]-a[0])*(b[1]-a[1]) - (c[1]-a[1])*(b[0]-a[0])) / f
				want = want || s > 1e-9 && s < 1-1e-9 && u > 1e-9 && u < 1-1e-9
			}
		}
		if want {
			found++
		}
		if got := Crosses(ring); got != want {
			t.Fatalf("%v crosses itself: %v, want %v", ring, got, want)
		}
	}
	if found < 200 || found > 1900 {
		t.Errorf("%d of 2000 rings cross themselves", found)
	}
	var wire [][2]float64 // the outline of a line one pixel wide, of steps
	for i := range 3000 {
		wire = append(wire, [2]float64{float64(i), float64(i)}, [2]float64{float64(i + 1), float64(i)})
	}
	for i := 3000; i > 0; i-- {
		wire = append(wire, [2]float64{float64(i), float64(i)}, [2]float64{float64(i - 1), float64(i)})
	}
	hole := [][2]float64{{2, 2}, {18, 2}, {18, 18}, {2, 18}, {2, 8}, {6, 8}, {6, 14}, {14, 14}, {14, 6}, {6, 6}, {6, 8}, {2, 8}}
	for _, ring := range [][][2]float64{wire, hole, {{0, 0}, {3, 3}, {6, 6}}} {
		if Crosses(ring) {
			t.Errorf("a ring of %d points that only touches itself crosses itself", len(ring))
		}
	}
}
