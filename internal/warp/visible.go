package warp

import (
	"cmp"
	"math"
	"slices"
)

// Path is the way of points from a picture through the transforms that are applied to it, one
// after the other, and what of the picture every canvas on the way leaves visible.
//
// Its coordinates are continuous: the origin is the top left corner of the top left pixel,
// whose centre is (0.5, 0.5).
type Path struct {
	Forward Homography   // from the picture to the last canvas
	Visible [][2]float64 // a convex polygon in the picture; empty: nothing is visible
	other   [][2]float64 // memory
}

// Begin starts a path at a picture of that size.
func (p *Path) Begin(height, width int) {
	w, h := float64(width), float64(height)
	p.Forward = Identity().Homography()
	p.Visible = append(p.Visible[:0], [2]float64{0, 0}, [2]float64{w, 0}, [2]float64{w, h}, [2]float64{0, h})
}

// Apply goes on through a transform of the last canvas, whose size is height x width. ok is
// false where the transform has no inverse: then no point has an image.
func (p *Path) Apply(t *Transform, height, width int) (ok bool) {
	seen := t.Window(height, width)
	p.clip(seen.Min.X, seen.Min.Y, seen.Max.X, seen.Max.Y)
	forward, ok := t.Homography().Invert()
	if !ok {
		p.Visible = p.Visible[:0]
		return false
	}
	toCentres, back := Translate(-0.5, -0.5).Homography(), Translate(0.5, 0.5).Homography()
	p.Forward = p.Forward.Then(toCentres).Then(forward).Then(back)
	part := t.Sampled()
	p.clip(part.Min.X, part.Min.Y, part.Max.X, part.Max.Y)
	return true
}

// Before goes through a map of points that is no transform of pixels, such as the turning of a
// stored picture, to a canvas of that size.
func (p *Path) Before(m Homography, height, width int) {
	p.Forward = p.Forward.Then(m)
	p.clip(0, 0, width, height)
}

// clip leaves visible what lies in a rectangle of the last canvas, before the horizon.
func (p *Path) clip(x0, y0, x1, y1 int) {
	f := &p.Forward
	x, y, d := [3]float64{f[0], f[1], f[2]}, [3]float64{f[3], f[4], f[5]}, [3]float64{f[6], f[7], f[8]}
	if f.Projective() {
		p.cut(d)
	}
	less := func(a, b [3]float64, k float64) (c [3]float64) { // a - k b
		for i := range c {
			c[i] = a[i] - float64(k*b[i])
		}
		return c
	}
	negative := func(a [3]float64) [3]float64 { return [3]float64{-a[0], -a[1], -a[2]} }
	p.cut(less(x, d, float64(x0)))
	p.cut(negative(less(x, d, float64(x1))))
	p.cut(less(y, d, float64(y0)))
	p.cut(negative(less(y, d, float64(y1))))
}

// cut leaves the part with a x + b y + c >= 0.
func (p *Path) cut(plane [3]float64) {
	p.Visible, p.other = cutRing(p.other[:0], p.Visible, plane), p.Visible
	// Points that differ by rounding make an edge of any direction.
	p.Visible = slices.CompactFunc(p.Visible, func(a, b [2]float64) bool {
		return math.Abs(a[0]-b[0])+math.Abs(a[1]-b[1]) < 1e-8
	})
}

// cutRing appends the part of a ring of points with a x + b y + c >= 0 to out (Sutherland and
// Hodgman). Of a ring that isn't convex its parts are joined by edges on the line.
func cutRing(out, ring [][2]float64, plane [3]float64) [][2]float64 {
	side := func(q [2]float64) float64 {
		return float64(plane[0]*q[0]) + float64(plane[1]*q[1]) + plane[2]
	}
	for i, b := range ring {
		a := ring[(i+len(ring)-1)%len(ring)]
		sa, sb := side(a), side(b)
		if sa < 0 != (sb < 0) {
			t := sa / (sa - sb)
			out = append(out, [2]float64{a[0] + float64(t*(b[0]-a[0])), a[1] + float64(t*(b[1]-a[1]))})
		}
		if sb >= 0 {
			out = append(out, b)
		}
	}
	return out
}

// Map is the image of a point, whether it is visible or not; ok is false where it has none.
func (p *Path) Map(x, y float64) (u, v float64, ok bool) { return p.Forward.Apply(x, y) }

// Sees reports whether a point of the picture is visible. Its edges are.
func (p *Path) Sees(x, y float64) bool {
	n := len(p.Visible)
	for i, b := range p.Visible {
		a := p.Visible[(i+n-1)%n]
		if cross(a, b, [2]float64{x, y}) < 0 {
			return false
		}
	}
	return n > 2
}

// cross is positive where c lies to the right of the line from a to b, on the screen.
func cross(a, b, c [2]float64) float64 {
	return float64((b[0]-a[0])*(c[1]-a[1])) - float64((b[1]-a[1])*(c[0]-a[0]))
}

// Shape is what becomes of a ring of points on its way.
type Shape struct {
	Rings       [][][2]float64 // the visible parts, mapped
	Area, Whole float64        // of the visible parts as mapped, and of all of the ring
	Share       float64        // of the ring's area before the map that is visible
	Box         [4]float64     // x1 y1 x2 y2 of what is visible
	Seen        bool           // something is visible

	parts, others [][][2]float64 // memory
	crossed       bool           // a part was cut in a way that only rings that cross themselves are
}

// Through maps a ring of points and clips it by all that isn't visible. Its memory is s's
// own, and used again.
func (p *Path) Through(s *Shape, ring [][2]float64) {
	s.Seen, s.Area, s.Share, s.crossed = false, 0, 0, false
	s.Box = [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	s.parts = append(s.parts[:0], ring)
	n := len(p.Visible)
	if n < 3 {
		s.parts = s.parts[:0]
	}
	for i, b := range p.Visible {
		a := p.Visible[(i+n-1)%n]
		// To the right of a to b: cross(a, b, q) >= 0.
		plane := [3]float64{a[1] - b[1], b[0] - a[0], float64(a[0]*b[1]) - float64(a[1]*b[0])}
		s.others = s.others[:0]
		for _, part := range s.parts {
			s.others = s.cut(s.others, part, plane)
		}
		s.parts, s.others = s.others, s.parts
	}
	s.Whole = p.mappedArea(ring)
	seen := 0.0
	s.Rings = s.Rings[:0]
	for _, part := range s.parts {
		seen += Area(part)
		mapped := make([][2]float64, 0, len(part))
		for _, q := range part {
			if u, v, ok := p.Map(q[0], q[1]); ok {
				mapped = append(mapped, [2]float64{u, v})
			}
		}
		if len(mapped) > 2 {
			s.Rings = append(s.Rings, mapped)
			s.Area += Area(mapped)
		}
	}
	if before := Area(ring); seen > 0 {
		s.Share = min(seen/before, 1)
	}
	if s.crossed {
		p.box(s, ring)
		return
	}
	for _, part := range s.Rings {
		for _, q := range part {
			s.Box = [4]float64{min(s.Box[0], q[0]), min(s.Box[1], q[1]), max(s.Box[2], q[0]), max(s.Box[3], q[1])}
			s.Seen = true
		}
	}
}

// crossing is where a ring crosses a line.
type crossing struct {
	at    float64 // along the line
	chain int     // of points on the visible side, which begins or ends here
	ends  bool
}

// cut appends the parts of a ring with a x + b y + c >= 0 to out. On the line a part's end is
// joined with the beginning next to it: along a line, what enters a ring that doesn't cross
// itself and what leaves it alternate.
func (s *Shape) cut(out [][][2]float64, ring [][2]float64, plane [3]float64) [][][2]float64 {
	length := hypot(plane[0], plane[1])
	if length < 1e-6 {
		return append(out, ring) // of two points that differ by rounding, in any direction
	}
	// What was cut along the same line before lies on it, but for rounding: it is inside.
	const near = 1e-9
	distance := func(q [2]float64) float64 {
		return (float64(plane[0]*q[0]) + float64(plane[1]*q[1]) + plane[2]) / length
	}
	side := func(q [2]float64) float64 { return distance(q) + near }
	inside, crossings := 0, 0
	for i, b := range ring {
		a := ring[(i+len(ring)-1)%len(ring)]
		if side(b) >= 0 {
			inside++
		}
		if side(a) < 0 != (side(b) < 0) {
			crossings++
		}
	}
	switch {
	case inside == len(ring):
		return append(out, ring)
	case inside == 0:
		return out
	}
	first := 0 // the first point that follows one outside
	for side(ring[first]) < 0 || side(ring[(first+len(ring)-1)%len(ring)]) >= 0 {
		first++
	}
	var chains [][][2]float64
	var list []crossing
	for k := range len(ring) + 1 {
		b, a := ring[(first+k)%len(ring)], ring[(first+k+len(ring)-1)%len(ring)]
		sa, sb := side(a), side(b)
		if sa < 0 != (sb < 0) && k < len(ring) {
			t := min(max(distance(a)/(distance(a)-distance(b)), 0), 1)
			q := [2]float64{a[0] + float64(t*(b[0]-a[0])), a[1] + float64(t*(b[1]-a[1]))}
			if sb >= 0 {
				chains = append(chains, nil)
			}
			n := len(chains) - 1
			chains[n] = append(chains[n], q)
			list = append(list, crossing{float64(plane[1]*q[0]) - float64(plane[0]*q[1]), n, sb < 0})
		}
		if sb >= 0 && k < len(ring) {
			chains[len(chains)-1] = append(chains[len(chains)-1], b)
		}
	}
	slices.SortStableFunc(list, func(a, b crossing) int { return cmp.Compare(a.at, b.at) })
	next := make([]int, len(chains)) // the chain that begins beside each one's end
	for i := 0; i+1 < len(list); i += 2 {
		for j := i + 2; list[i].ends == list[i+1].ends && j < len(list) && list[j].at-list[i+1].at <= 1e-9*math.Abs(list[j].at); j++ {
			list[i+1], list[j] = list[j], list[i+1] // a hole's line that is gone along forth and back
		}
		a, b := list[i], list[i+1]
		if a.ends == b.ends {
			s.crossed = true
			return append(out, cutRing(nil, ring, plane))
		}
		if b.ends {
			a, b = b, a
		}
		next[a.chain] = b.chain
	}
	for k := range chains {
		if chains[k] == nil {
			continue
		}
		var part [][2]float64
		for at := k; chains[at] != nil; {
			part = append(part, chains[at]...)
			chains[at] = nil
			at = next[at]
		}
		if len(part) > 2 {
			out = append(out, part)
		}
	}
	return out
}

// box sets the box around what is visible: of the ring's edges as they are clipped, and the
// corners of what is visible that lie in it. (Clipping a ring that crosses itself may add
// corners that don't.)
func (p *Path) box(s *Shape, ring [][2]float64) {
	add := func(q [2]float64) {
		if u, v, ok := p.Map(q[0], q[1]); ok {
			s.Box = [4]float64{min(s.Box[0], u), min(s.Box[1], v), max(s.Box[2], u), max(s.Box[3], v)}
			s.Seen = true
		}
	}
	for i, b := range ring {
		a := ring[(i+len(ring)-1)%len(ring)]
		if from, to, ok := p.segment(a, b); ok {
			add(from)
			add(to)
		}
	}
	for _, corner := range p.Visible {
		if contains(ring, corner) {
			add(corner)
		}
	}
}

// segment is the visible part of a line.
func (p *Path) segment(a, b [2]float64) (from, to [2]float64, ok bool) {
	first, last := 0.0, 1.0
	n := len(p.Visible)
	for i, d := range p.Visible {
		c := p.Visible[(i+n-1)%n]
		sa, sb := cross(c, d, a), cross(c, d, b)
		switch {
		case sa < 0 && sb < 0:
			return a, b, false
		case sa < 0:
			first = max(first, sa/(sa-sb))
		case sb < 0:
			last = min(last, sa/(sa-sb))
		}
	}
	at := func(t float64) [2]float64 {
		switch t { // exactly
		case 0:
			return a
		case 1:
			return b
		}
		return [2]float64{a[0] + float64(t*(b[0]-a[0])), a[1] + float64(t*(b[1]-a[1]))}
	}
	return at(first), at(last), n > 2 && first <= last
}

// contains reports whether a point lies in a ring, by the even-odd rule.
func contains(ring [][2]float64, q [2]float64) (inside bool) {
	for i, b := range ring {
		a := ring[(i+len(ring)-1)%len(ring)]
		if a[1] > q[1] != (b[1] > q[1]) && q[0] < a[0]+float64((q[1]-a[1])*(b[0]-a[0]))/(b[1]-a[1]) {
			inside = !inside
		}
	}
	return inside
}

// mappedArea is the area of a ring as mapped, without clipping; of a ring that reaches the
// horizon, infinite.
func (p *Path) mappedArea(ring [][2]float64) float64 {
	sum, last := 0.0, [2]float64{}
	for i := range len(ring) + 1 {
		q := ring[i%len(ring)]
		u, v, ok := p.Map(q[0], q[1])
		if !ok {
			return math.Inf(1)
		}
		if i > 0 {
			sum += float64(last[0]*v) - float64(u*last[1])
		}
		last = [2]float64{u, v}
	}
	return math.Abs(sum) / 2
}

// Crosses reports whether edges of a ring cross each other, in a point inside of both: edges
// that touch, or lie on each other, don't. Of a ring with so many edges beside each other that
// comparing them would take long, it says that they do.
func Crosses(ring [][2]float64) bool {
	type edge struct {
		a, b        [2]float64
		first, last float64 // along the ring's longer side
	}
	low, high := ring[0], ring[0]
	for _, q := range ring {
		low = [2]float64{min(low[0], q[0]), min(low[1], q[1])}
		high = [2]float64{max(high[0], q[0]), max(high[1], q[1])}
	}
	along := 0
	if high[1]-low[1] > high[0]-low[0] {
		along = 1
	}
	edges := make([]edge, len(ring))
	for i, b := range ring {
		a := ring[(i+len(ring)-1)%len(ring)]
		edges[i] = edge{a, b, min(a[along], b[along]), max(a[along], b[along])}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.first, b.first) })
	pairs := 0
	for i, e := range edges {
		for _, f := range edges[i+1:] {
			if f.first >= e.last {
				break
			}
			if pairs++; pairs > 1<<20 {
				return true
			}
			if cross(e.a, e.b, f.a)*cross(e.a, e.b, f.b) < 0 && cross(f.a, f.b, e.a)*cross(f.a, f.b, e.b) < 0 {
				return true
			}
		}
	}
	return false
}

// Area is that inside of a ring. Parts that are gone around the other way are taken off it.
func Area(ring [][2]float64) float64 {
	sum := 0.0
	for i, b := range ring {
		a := ring[(i+len(ring)-1)%len(ring)]
		sum += float64(a[0]*b[1]) - float64(b[0]*a[1])
	}
	return math.Abs(sum) / 2
}

// Mirrors reports whether a path exchanges left and right, as a flip does and a half turn
// doesn't: of a perspective in the middle of what is visible.
func (p *Path) Mirrors() bool {
	f := &p.Forward
	det := float64(f[0]*(float64(f[4]*f[8])-float64(f[5]*f[7]))) - float64(f[1]*(float64(f[3]*f[8])-float64(f[5]*f[6]))) + float64(f[2]*(float64(f[3]*f[7])-float64(f[4]*f[6])))
	return det < 0 // before the horizon a homography has the orientation of its determinant
}
