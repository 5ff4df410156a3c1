package polygon

import (
	"cmp"
	"math/bits"
	"slices"
)

// Overlay is the part of the first shape for whose points keep is true, given the shapes that a point
// is in: bit i is set for shapes[i]; bit 0 is, always. Its rings cross neither themselves nor each other,
// and a ring with holes goes to each of them and back along one line. Corners that are made by
// crossing edges are rounded to our units, so edges may move by as much.
//
// Edges are divided where they meet (snap rounding: Hobby 1999), those that have another side to the
// left than to the right are kept, and joined to rings.
func Overlay(keep func(in uint) bool, shapes ...Shape) Shape {
	if len(shapes) == 0 {
		return nil
	}
	o := overlay{keep: keep, area: shapes[0].bounds()}
	for i, s := range shapes {
		for _, ring := range s {
			if o.area.meets(ring.bounds()) {
				o.add(ring, uint(i))
			}
		}
	}
	return joinHoles(join(o.boundary(o.divided())))
}

// Minus is what another shape leaves of a shape.
func (s Shape) Minus(other Shape) Shape {
	return Overlay(func(in uint) bool { return in == 1 }, s, other)
}

// And is what two shapes have in common.
func (s Shape) And(other Shape) Shape {
	return Overlay(func(in uint) bool { return in == 3 }, s, other)
}

// overlay is the edges of all rings.
type overlay struct {
	keep  func(in uint) bool
	area  rect   // of the first shape
	of    []uint // shape of each ring
	edges []edge
}

// edge leads from a to b. It is of several rings where theirs lie on each other.
type edge struct {
	a, b  Point
	rings []int
}

func (o *overlay) add(ring Ring, shape uint) {
	n := len(o.of)
	o.of = append(o.of, shape)
	for i, b := range ring {
		if a := ring[(i+len(ring)-1)%len(ring)]; a != b {
			o.edges = append(o.edges, edge{a, b, []int{n}})
		}
	}
}

// divided is all edges without crossings: where two cross, both go through that point of our units
// that is next to the crossing, and so do others that pass it within half a unit in each direction.
// Of edges that lie on each other one is left, of the rings that have it an odd number of times.
func (o *overlay) divided() []edge {
	own := make([][]Point, len(o.edges)) // on each edge, beside its ends
	hot := make([]Point, 0, 2*len(o.edges))
	near := make([]int, 0, len(o.edges)) // edges in the area
	for i, e := range o.edges {
		hot = append(hot, e.a)
		if o.area.meets(e.box()) {
			near = append(near, i)
		}
	}
	for k, i := range near {
		box := o.edges[i].box()
		for _, j := range near[k+1:] {
			if !box.meets(o.edges[j].box()) {
				continue
			}
			if p, ok := crossing(&o.edges[i], &o.edges[j]); ok {
				hot, own[i], own[j] = append(hot, p), append(own[i], p), append(own[j], p)
			}
		}
	}
	slices.SortFunc(hot, comparePoints)
	hot = slices.Compact(hot)
	rings := map[[2]Point][]int{}
	for i, e := range o.edges {
		way := slices.Concat(own[i], []Point{e.a, e.b})
		if o.area.meets(e.box()) {
			way = e.passes(way, hot)
		}
		slices.SortFunc(way, func(p, q Point) int { return cmp.Or(cmp.Compare(e.along(p), e.along(q)), comparePoints(p, q)) })
		way = slices.Compact(way)
		for k := 1; k < len(way); k++ {
			at := [2]Point{way[k-1], way[k]}
			if comparePoints(at[0], at[1]) > 0 {
				at[0], at[1] = at[1], at[0]
			}
			rings[at] = toggle(rings[at], e.rings[0])
		}
	}
	out := make([]edge, 0, len(rings))
	for at, of := range rings {
		if len(of) > 0 {
			out = append(out, edge{at[0], at[1], of})
		}
	}
	slices.SortFunc(out, func(a, b edge) int { return cmp.Or(comparePoints(a.a, b.a), comparePoints(a.b, b.b)) })
	return out
}

// toggle takes a number out of a list, or puts it in.
func toggle(list []int, n int) []int {
	if i := slices.Index(list, n); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return append(list, n)
}

func comparePoints(a, b Point) int { return cmp.Or(cmp.Compare(a.X, b.X), cmp.Compare(a.Y, b.Y)) }

func (e *edge) box() rect { return nowhere.with(e.a).with(e.b) }

// along grows along the edge.
func (e *edge) along(p Point) int64 {
	return (p.X-e.a.X)*(e.b.X-e.a.X) + (p.Y-e.a.Y)*(e.b.Y-e.a.Y)
}

// passes appends those of sorted points that the edge passes within half a unit in each direction.
func (e *edge) passes(way, points []Point) []Point {
	box := e.box()
	reach := abs(e.b.X-e.a.X) + abs(e.b.Y-e.a.Y)
	first, _ := slices.BinarySearchFunc(points, box.low.X, func(p Point, x int64) int { return cmp.Compare(p.X, x) })
	for _, p := range points[first:] {
		if p.X > box.high.X {
			break
		}
		if p.Y >= box.low.Y && p.Y <= box.high.Y && 2*abs(cross(e.a, e.b, p)) < reach {
			way = append(way, p)
		}
	}
	return way
}

func abs(v int64) int64 { return max(v, -v) }

// crossing is the point next to that in which two edges cross, within both.
func crossing(e, f *edge) (p Point, ok bool) {
	fromA, fromB := cross(e.a, e.b, f.a), cross(e.a, e.b, f.b)
	if fromA == 0 || fromB == 0 || fromA < 0 == (fromB < 0) {
		return p, false // ends that lie on the other edge are found as points that it passes
	}
	a, b := cross(f.a, f.b, e.a), cross(f.a, f.b, e.b)
	if a == 0 || b == 0 || a < 0 == (b < 0) {
		return p, false
	}
	part, whole := abs(a), abs(a)+abs(b)
	return Point{e.a.X + share(e.b.X-e.a.X, part, whole), e.a.Y + share(e.b.Y-e.a.Y, part, whole)}, true
}

// share is v part/whole, rounded; part is at most whole.
func share(v, part, whole int64) int64 {
	hi, lo := bits.Mul64(uint64(abs(v)), uint64(part))
	lo, carry := bits.Add64(lo, uint64(whole)/2, 0)
	q, _ := bits.Div64(hi+carry, lo, uint64(whole))
	if v < 0 {
		return -int64(q)
	}
	return int64(q)
}

// boundary is the edges between what is kept and what isn't, each in the direction in which what is
// kept lies on the side to which x turns to y.
func (o *overlay) boundary(edges []edge) (out [][2]Point) {
	in := make([]bool, len(o.of)) // per ring
	boxes := make([]rect, len(edges))
	for i := range edges {
		boxes[i] = edges[i].box()
	}
	for i := range edges {
		e := &edges[i]
		if !o.area.meets(boxes[i]) {
			continue
		}
		level := e.a.Y == e.b.Y
		clear(in)
		middle := Point{e.a.X + e.b.X, e.a.Y + e.b.Y} // twice as far
		for j := range boxes {
			if f := &boxes[j]; level {
				if 2*f.low.X <= middle.X && middle.X < 2*f.high.X && 2*f.low.Y < middle.Y && j != i && edges[j].above(middle) {
					edges[j].turn(in)
				}
			} else if 2*f.low.Y <= middle.Y && middle.Y < 2*f.high.Y && 2*f.low.X < middle.X && j != i && edges[j].before(middle) {
				edges[j].turn(in)
			}
		}
		low := o.kept(in) // on the side of the smaller x, or of the smaller y
		e.turn(in)
		if low == o.kept(in) {
			continue
		}
		forward := e.b.Y > e.a.Y // what is kept lies at smaller x
		if level {
			forward = e.b.X < e.a.X
		}
		if forward == low {
			out = append(out, [2]Point{e.a, e.b})
		} else {
			out = append(out, [2]Point{e.b, e.a})
		}
	}
	return out
}

// turn changes on which side of its rings a point is.
func (e *edge) turn(in []bool) {
	for _, r := range e.rings {
		in[r] = !in[r]
	}
}

func (o *overlay) kept(in []bool) bool {
	var shapes uint
	for r, inside := range in {
		if inside {
			shapes |= 1 << o.of[r]
		}
	}
	return shapes&1 == 1 && o.keep(shapes)
}

// before reports whether an edge crosses the line from half a point towards smaller x, at whose height
// it is.
func (e *edge) before(twice Point) bool {
	a, b := Point{2 * e.a.X, 2 * e.a.Y}, Point{2 * e.b.X, 2 * e.b.Y}
	if a.Y > b.Y {
		a, b = b, a
	}
	return cross(a, b, twice) < 0
}

// above is before towards smaller y.
func (e *edge) above(twice Point) bool {
	other := edge{a: Point{e.a.Y, e.a.X}, b: Point{e.b.Y, e.b.X}}
	return other.before(Point{twice.Y, twice.X})
}
