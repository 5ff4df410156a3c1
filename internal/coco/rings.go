package coco

import "slices"

// Rings is the outline of a mask along the edges of its pixels: a ring x y x y ... for each
// part whose pixels touch along their edges. A hole is joined to its part's outer ring by a
// line that is gone along forth and back, so that the ring's area (schema.PolygonArea) is
// the number of the part's pixels. Rings turn from x to y.
func (r RLE) Rings() [][]float32 {
	o := outline{height: r.Height}
	o.split(r)
	o.link()
	return o.rings()
}

// outline is a mask as the ends of its runs in single columns. Each stands for the edge of
// one pixel: at a run's beginning that above its first pixel, which is gone along
// rightwards, at its end that below its last, leftwards. What is inside is at the right hand.
type outline struct {
	height int
	first  []int32 // per column and one more: its edges; even ones begin runs
	y      []int32 // of each edge
	next   []int32 // edge that follows, after a way up or down between columns
	part   []int32 // per run: another run of the part, itself where it is the first
	column []int32 // of each edge
}

// split cuts runs into pieces of single columns.
func (o *outline) split(r RLE) {
	o.first = make([]int32, 1, r.Width+1)
	column := 0
	end := func(upTo int) { // columns before upTo are complete
		for ; column < upTo; column++ {
			o.first = append(o.first, int32(len(o.y)))
		}
	}
	list := r.toggles()
	if len(list)%2 == 1 {
		list = append(list, uint32(r.Height*r.Width))
	}
	for i := 0; i < len(list); i += 2 {
		for from, to := int(list[i]), int(list[i+1]); from < to; {
			end(from / r.Height)
			stop := min(to, (column+1)*r.Height)
			o.y = append(o.y, int32(from-column*r.Height), int32(stop-column*r.Height))
			o.column = append(o.column, int32(column), int32(column))
			from = stop
		}
	}
	end(r.Width)
}

// link finds each edge's next, between any two columns.
func (o *outline) link() {
	o.next = make([]int32, len(o.y))
	o.part = make([]int32, len(o.y)/2)
	for i := range o.part {
		o.part[i] = int32(i)
	}
	for x := 0; x < len(o.first); x++ {
		var left, right, leftEnd, rightEnd int32
		if x > 0 {
			left, leftEnd = o.first[x-1], o.first[x]
		}
		if x < len(o.first)-1 {
			right, rightEnd = o.first[x], o.first[x+1]
		}
		o.between(left, leftEnd, right, rightEnd)
	}
}

// corner is a place between two columns at which edges of one or both end.
type corner struct{ left, right int32 } // -1: none

// between links the edges of the columns left and right of a line: going down it, the
// line is a border where one side is inside and the other isn't.
func (o *outline) between(left, leftEnd, right, rightEnd int32) {
	above, border := corner{-1, -1}, false // the last corner, and whether there is a border below it
	for left < leftEnd || right < rightEnd {
		here := corner{-1, -1}
		switch {
		case right == rightEnd || left < leftEnd && o.y[left] < o.y[right]:
			here.left = left
		case left == leftEnd || o.y[right] < o.y[left]:
			here.right = right
		default:
			here = corner{left, right}
		}
		both := here.left >= 0 && here.right >= 0
		leftInside, rightInside := left%2 == 1, right%2 == 1 // above here
		switch {
		case border && leftInside: // down
			o.next[either(above.left, above.right)] = either(here.left, here.right)
		case border: // up
			o.next[either(here.right, here.left)] = either(above.right, above.left)
		case both && here.left%2 == 0: // straight on, rightwards
			o.next[here.left] = here.right
		case both:
			o.next[here.right] = here.left
		}
		if leftInside && rightInside {
			o.join((left-1)/2, (right-1)/2)
		}
		if here.left >= 0 {
			left++
		}
		if here.right >= 0 {
			right++
		}
		if !both {
			border = !border
		}
		above = here
	}
}

func either(edge, other int32) int32 {
	if edge >= 0 {
		return edge
	}
	return other
}

// root is the first run of a run's part.
func (o *outline) root(run int32) int32 {
	for o.part[run] != run {
		o.part[run] = o.part[o.part[run]]
		run = o.part[run]
	}
	return run
}

// join notes that two runs are of one part.
func (o *outline) join(a, b int32) {
	a, b = o.root(a), o.root(b)
	o.part[max(a, b)] = min(a, b)
}

// rings follows the edges around each part. The ring that comes first to a part, in the order of
// edges, is its outer one: it has the part's leftmost edge. All others are holes.
func (o *outline) rings() [][]float32 {
	seen := make([]bool, len(o.next))
	hung := map[int32][]int32{} // by edge: those of holes that are gone around after it
	var outer []int32
	for start := range int32(len(o.next)) {
		if seen[start] {
			continue
		}
		leftmost := int32(-1) // the first edge that goes leftwards
		for e := start; !seen[e]; e = o.next[e] {
			seen[e] = true
			if e%2 == 1 && (leftmost < 0 || e < leftmost) {
				leftmost = e
			}
		}
		if o.root(start/2) == start/2 && start%2 == 0 {
			outer = append(outer, start)
			continue
		}
		// Left of the hole is a run; its upper edge has been in a ring before.
		at := o.runAt(o.column[leftmost]-1, o.y[leftmost])
		hung[at] = append(hung[at], leftmost)
	}
	rings := make([][]float32, len(outer))
	for i, start := range outer {
		rings[i] = o.ring(start, hung)
	}
	return rings
}

// runAt is the upper edge of the run of a column that y is in.
func (o *outline) runAt(column, y int32) int32 {
	from, to := o.first[column], o.first[column+1]
	at, _ := slices.BinarySearch(o.y[from:to], y+1) // the first edge below y
	return from + int32(at-1)&^1
}

// ring writes a ring from an edge on, with its holes.
func (o *outline) ring(start int32, hung map[int32][]int32) (points []float32) {
	// A place to go on at, when a hole has been gone around.
	type loop struct {
		start, edge int32 // begun at, last
		holes       int   // of edge, done so far
	}
	add := func(x, y int32) {
		if n := len(points); n >= 2 && points[n-2] == float32(x) && points[n-1] == float32(y) {
			return
		}
		points = append(points, float32(x), float32(y))
	}
	exit := func(e int32) { add(o.column[e]+1-e%2, o.y[e]) }
	stack := []loop{{start: start, edge: start}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		e := top.edge
		if holes := hung[e]; top.holes < len(holes) {
			hole := holes[top.holes]
			top.holes++
			exit(e)
			exit(hole)
			stack = append(stack, loop{start: hole, edge: hole})
			continue
		}
		next := o.next[e]
		if top.holes > 0 || o.y[next] != o.y[e] {
			exit(e)
			add(o.column[next]+next%2, o.y[next])
		}
		if next != top.start {
			top.edge, top.holes = next, 0
			continue
		}
		stack = stack[:len(stack)-1]
		if len(stack) > 0 { // back to where the hole hangs
			exit(next)
			exit(stack[len(stack)-1].edge)
		}
	}
	if n := len(points); n > 2 && points[0] == points[n-2] && points[1] == points[n-1] {
		points = points[:n-2]
	}
	return points
}
