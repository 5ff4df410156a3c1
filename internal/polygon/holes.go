package polygon

import "slices"

// join makes rings of edges. Where several meet in a point, the way turns so that what lies beside it
// stays whole: rings that touch in points are several.
func join(edges [][2]Point) (rings []Ring) {
	from := make(map[Point][]int, len(edges))
	for i, e := range edges {
		from[e[0]] = append(from[e[0]], i)
	}
	used := make([]bool, len(edges))
	for i := range edges {
		var ring Ring
		for at := i; at >= 0 && !used[at]; {
			used[at] = true
			ring = append(ring, edges[at][0])
			at = next(edges, from[edges[at][1]], at)
		}
		if ring = straight(ring); len(ring) > 2 {
			rings = append(rings, ring)
		}
	}
	return rings
}

// next is the first of the edges from a corner, turning from the way back, on the side of what is
// kept; -1: there is none.
func next(edges [][2]Point, list []int, at int) int {
	best := -1
	corner, back := edges[at][1], edges[at][0]
	for _, i := range list {
		if best < 0 || turnsBefore(corner, back, edges[i][1], edges[best][1]) {
			best = i
		}
	}
	return best
}

// turnsBefore reports whether, turning about a corner from back against the way from x to y, p comes
// before q.
func turnsBefore(corner, back, p, q Point) bool {
	half := func(r Point) int {
		turn := cross(corner, back, r)
		ahead := (back.X-corner.X)*(r.X-corner.X)+(back.Y-corner.Y)*(r.Y-corner.Y) > 0
		switch {
		case turn < 0:
			return 0
		case turn == 0 && !ahead:
			return 1
		case turn > 0:
			return 2
		}
		return 3
	}
	if a, b := half(p), half(q); a != b {
		return a < b
	}
	return cross(corner, p, q) < 0
}

// straight leaves out points on the line between their neighbours.
func straight(ring Ring) Ring {
	out := make(Ring, 0, len(ring))
	for i, p := range ring {
		before, after := ring[(i+len(ring)-1)%len(ring)], ring[(i+1)%len(ring)]
		if cross(before, p, after) != 0 {
			out = append(out, p)
		}
	}
	return out
}

// joinHoles makes each ring that goes around a hole part of the ring around it, by a level line from its
// leftmost point. Those further left come first, so that what the line meets is part of a ring.
func joinHoles(rings []Ring) Shape {
	var out Shape
	var holes []Ring
	for _, r := range rings {
		if twiceArea(r) > 0 {
			out = append(out, r)
		} else {
			holes = append(holes, turned(r))
		}
	}
	slices.SortFunc(holes, func(a, b Ring) int { return comparePoints(a[0], b[0]) })
	for _, hole := range holes {
		at, in, p := out.leftOf(hole[0])
		if at < 0 {
			continue // of no ring: rounding made it of nothing
		}
		ring := out[at]
		way := slices.Concat(ring[:in], Ring{p}, hole, Ring{hole[0], p}, ring[in:])
		out[at] = slices.Compact(way)
	}
	return out
}

// turned is a ring from its leftmost point on.
func turned(r Ring) Ring {
	first := 0
	for i, p := range r {
		if comparePoints(p, r[first]) < 0 {
			first = i
		}
	}
	return slices.Concat(r[first:], r[:first])
}

// leftOf is the ring that a level line to the left from a point meets first, the point of the ring that the
// meeting point lies before, and that point; -1: none.
func (s Shape) leftOf(p Point) (at, in int, meets Point) {
	at = -1
	for k, ring := range s {
		for i, b := range ring {
			a := ring[(i+len(ring)-1)%len(ring)]
			if a.Y <= p.Y == (b.Y <= p.Y) || leftOf(p, a, b) {
				continue
			}
			x := a.X + share(b.X-a.X, abs(p.Y-a.Y), abs(b.Y-a.Y))
			if at < 0 || x > meets.X {
				at, in, meets = k, i, Point{min(x, p.X), p.Y}
			}
		}
	}
	return at, in, meets
}
