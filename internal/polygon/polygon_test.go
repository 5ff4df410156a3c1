package polygon

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"
)

var shapeCases = flag.Int("shapes", 300, "number of random shapes")

// randomShape is rings that may cross themselves and each other, share corners and edges, or be
// boxes on whole pixels.
func randomShape(r *rand.Rand, other Shape) (s Shape) {
	for range 1 + r.IntN(3) {
		var ring Ring
		switch r.IntN(5) {
		case 0: // any points
			for range 3 + r.IntN(9) {
				ring = append(ring, At(40*r.Float64(), 40*r.Float64()))
			}
		case 1:
			x, y := float64(r.IntN(30)), float64(r.IntN(30))
			ring = Box(x, y, x+1+float64(r.IntN(15)), y+1+float64(r.IntN(15)))
		case 2: // a star
			n := 3 + r.IntN(12)
			x, y, turn := 10+20*r.Float64(), 10+20*r.Float64(), r.Float64()
			for k := range n {
				sin, cos := math.Sincos(turn + 2*math.Pi*float64(k)/float64(n))
				d := 3 + 12*r.Float64()
				ring = append(ring, At(x+d*cos, y+d*sin))
			}
		case 3: // on a coarse grid, where much lies on each other
			for range 3 + r.IntN(9) {
				ring = append(ring, At(float64(2*r.IntN(20)), float64(2*r.IntN(20))))
			}
		case 4: // with corners of the other one, a little beside some of them
			for _, o := range other {
				for _, p := range o {
					if r.IntN(2) == 0 {
						p.X += r.Int64N(3) - 1
					}
					if r.IntN(4) > 0 {
						ring = append(ring, p)
					}
				}
			}
		}
		if len(ring) > 2 {
			s = append(s, ring)
		}
	}
	return s
}

// hasFloat is Has in floating point, as slow and obvious as can be.
func hasFloat(s Shape, x, y float64) bool {
	for _, ring := range s {
		n := 0
		for i, b := range ring {
			a := ring[(i+len(ring)-1)%len(ring)]
			ax, ay, bx, by := float64(a.X)/One, float64(a.Y)/One, float64(b.X)/One, float64(b.Y)/One
			if ay <= y != (by <= y) && ax+(y-ay)/(by-ay)*(bx-ax) <= x {
				n++
			}
		}
		if n%2 == 1 {
			return true
		}
	}
	return false
}

// away reports that a point is so far from all edges that rounding doesn't move them over it.
func away(p Point, distance float64, shapes ...Shape) bool {
	for _, s := range shapes {
		for _, ring := range s {
			for i, b := range ring {
				a := ring[(i+len(ring)-1)%len(ring)]
				dx, dy := float64(b.X-a.X), float64(b.Y-a.Y)
				ex, ey := float64(p.X-a.X), float64(p.Y-a.Y)
				t := 0.0
				if l := dx*dx + dy*dy; l > 0 {
					t = min(max((dx*ex+dy*ey)/l, 0), 1)
				}
				if math.Hypot(ex-t*dx, ey-t*dy) <= distance {
					return false
				}
			}
		}
	}
	return true
}

// Every point that isn't next to an edge is in what is left of a shape where it is in the shape and
// not in the other; the areas of the parts add up; what is left has no crossings.
func TestOverlay(t *testing.T) {
	points, holes := 0, 0
	for n := range uint64(*shapeCases) {
		r := rand.New(rand.NewPCG(7, n))
		a := randomShape(r, nil)
		b := randomShape(r, a)
		rest, both := a.Minus(b), a.And(b)
		whole := a.Minus(nil)
		for range 400 {
			p := Point{r.Int64N(42*One) - One, r.Int64N(42*One) - One}
			if !away(p, 3, a, b) {
				continue
			}
			points++
			if in, out := a.Has(p), b.Has(p); rest.Has(p) != (in && !out) || both.Has(p) != (in && out) || whole.Has(p) != in {
				t.Fatalf("case %d: %v: in a %v, in b %v, in a - b %v, in both %v, in a united %v", n, p, in, out, rest.Has(p), both.Has(p), whole.Has(p))
			}
		}
		length := 0.0
		for _, s := range []Shape{a, b} {
			for _, ring := range s {
				for i, q := range ring {
					p := ring[(i+len(ring)-1)%len(ring)]
					length += math.Hypot(float64(q.X-p.X), float64(q.Y-p.Y))
				}
			}
		}
		if d := rest.Area() + both.Area() - whole.Area(); math.Abs(d) > 3*length/One/One+0.01 {
			t.Errorf("case %d: the areas %.4f and %.4f don't add up to %.4f", n, rest.Area(), both.Area(), whole.Area())
		}
		if again := rest.Minus(nil); math.Abs(again.Area()-rest.Area()) > 3*length/One/One+0.01 {
			t.Errorf("case %d: of the area %.4f is left %.4f: rings cross", n, rest.Area(), again.Area())
		}
		for _, ring := range rest {
			seen := map[Point]bool{}
			for _, p := range ring {
				if seen[p] {
					holes++
					break
				}
				seen[p] = true
			}
		}
	}
	t.Logf("%d points, %d rings with holes", points, holes)
	if points < 100**shapeCases || holes < *shapeCases/20 {
		t.Errorf("%d points, %d rings with holes: too few to mean anything", points, holes)
	}
}

// A square with a square hole is one ring, whose line to the hole has no area.
func TestHole(t *testing.T) {
	square := Shape{Box(1, 1, 9, 9)}
	rest := square.Minus(Shape{Box(3, 4, 6, 7)})
	if len(rest) != 1 || rest.Area() != 64-9 {
		t.Fatalf("%v, area %v", rest.Floats(), rest.Area())
	}
	pixels := 0
	rest.Fill(10, 10, func(_, x, end int) { pixels += end - x })
	if pixels != 64-9 {
		t.Errorf("%d pixels", pixels)
	}
	if gone := square.Minus(Shape{Box(0, 0, 20, 20)}); gone != nil || gone.Area() != 0 {
		t.Errorf("of what is covered is left %v", gone)
	}
	if box, ok := square.Minus(Shape{Box(0, 0, 20, 5)}).Bounds(); !ok || box != [4]float64{1, 5, 9, 9} {
		t.Errorf("the box is %v", box)
	}
}

// A pixel is filled if its centre is in the ring, by the rule of Has: ties too.
func TestFill(t *testing.T) {
	const height, width = 37, 39
	filled, ties := 0, 0
	for n := range uint64(*shapeCases) {
		r := rand.New(rand.NewPCG(8, n))
		s := randomShape(r, nil)
		if n%3 == 0 { // corners at centres of pixels
			for _, ring := range s {
				for i := range ring {
					ring[i].X, ring[i].Y = ring[i].X/One*One+One/2, ring[i].Y/One*One+One/2
				}
			}
			ties++
		}
		var have [height][width]bool
		s.Fill(height, width, func(y, x, end int) {
			for ; x < end; x++ {
				have[y][x] = true
			}
		})
		for y := range height {
			for x := range width {
				at := At(float64(x)+0.5, float64(y)+0.5)
				if have[y][x] != s.Has(at) {
					t.Fatalf("case %d: pixel %d %d: filled %v, its centre is in the shape: %v", n, x, y, have[y][x], s.Has(at))
				}
				if away(at, 1, s) && have[y][x] != hasFloat(s, float64(x)+0.5, float64(y)+0.5) {
					t.Fatalf("case %d: pixel %d %d: filled %v, and not in floating point", n, x, y, have[y][x])
				}
				if have[y][x] {
					filled++
				}
			}
		}
	}
	if filled < 100**shapeCases || ties == 0 {
		t.Errorf("%d pixels were filled", filled)
	}
}

// Two shapes with an edge in common share no pixel, and leave none between them.
func TestNeighbours(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 200 {
		a, b := At(20*r.Float64(), 0), At(20*r.Float64(), 20)
		left := Shape{Ring{{0, 0}, a, b, {0, 20 * One}}}
		right := Shape{Ring{a, {20 * One, 0}, {20 * One, 20 * One}, b}}
		var times [20][20]int
		for _, s := range []Shape{left, right} {
			s.Fill(20, 20, func(y, x, end int) {
				for ; x < end; x++ {
					times[y][x]++
				}
			})
		}
		for y := range times {
			for x, n := range times[y] {
				if n != 1 {
					t.Fatalf("pixel %d %d is filled %d times, with the edge from %v to %v", x, y, n, a, b)
				}
			}
		}
	}
}

// What is far out, or no number, does no harm.
func TestFarOut(t *testing.T) {
	inf := float32(math.Inf(1))
	s := FromFloats([][]float32{{-inf, 0, inf, 0, inf, 10, -inf, 10}, {float32(math.NaN()), 0, 1, 1, 3, 3}, {1, 2, 3, 4}})
	if len(s) != 2 {
		t.Fatalf("%d rings", len(s))
	}
	pixels := 0
	s[:1].Fill(20, 30, func(_, x, end int) { pixels += end - x })
	if pixels != 10*30 {
		t.Errorf("%d pixels", pixels)
	}
	if rest := s[:1].Minus(Shape{Box(0, 0, 5, 10)}); len(rest) != 2 {
		t.Errorf("%v", rest)
	}
}

func BenchmarkMinus(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	star := func(x, y, size float64, n int) Ring {
		var ring Ring
		for k := range n {
			sin, cos := math.Sincos(2 * math.Pi * float64(k) / float64(n))
			d := size * (0.7 + 0.3*r.Float64())
			ring = append(ring, At(x+d*cos, y+d*sin))
		}
		return ring
	}
	own, other := Shape{star(100, 100, 80, 60)}, Shape{star(150, 120, 70, 60), star(60, 60, 20, 60)}
	b.ReportAllocs()
	for b.Loop() {
		if len(own.Minus(other)) == 0 {
			b.Fatal("nothing is left")
		}
	}
}
