package webp

// The loop filters (RFC 6386, 15), of each macroblock after those to its left and above: its left
// edge, the vertical edges within it, its upper edge, the horizontal edges within it.

// edges are the thresholds of a macroblock's edges; none is filtered if limit is 0.
type edges struct {
	limit, interior, variance uint8
	wide                      wideEdges
}

// wideEdges are the same for assembly: limits of the outer edges and of those within.
type wideEdges struct{ outer, inner, interior, variance [32]uint8 }

// set finds the thresholds of a filter level, 0 to 63.
func (e *edges) set(level, sharpness int) {
	interior := level
	if sharpness > 0 {
		interior >>= 1
		if sharpness > 4 {
			interior >>= 1
		}
		interior = min(interior, 9-sharpness)
	}
	interior = max(interior, 1)
	e.limit, e.interior, e.variance = uint8(2*level+interior), uint8(interior), 0
	switch {
	case level >= 40:
		e.variance = 2
	case level >= 15:
		e.variance = 1
	case level == 0:
		e.limit = 0
	}
	w := &e.wide
	for i := range w.outer {
		w.outer[i], w.inner[i], w.interior[i], w.variance[i] = e.limit+4, e.limit, e.interior, e.variance
	}
}

// blockFilter is how a macroblock is filtered: the number of its edges in the frame's, and whether
// those within it are filtered, too.
type blockFilter struct {
	edges uint8
	inner bool
}

// filterRow filters the first n macroblocks of a row.
func (d *VP8Decoder) filterRow(y, n int) {
	for x, f := range d.filters[:n] {
		e := &d.frame.edges[f.edges]
		switch {
		case e.limit == 0:
		case d.frame.simple:
			d.filterSimply(x, y, e, f.inner)
		default:
			d.filter(x, y, e, f.inner)
		}
	}
}

func (d *VP8Decoder) filterSimplyGo(x, y int, e *edges, inner bool) {
	p := &d.planes[0]
	at, limit := p.at(16*x, 16*y), int32(e.limit)
	if x > 0 {
		simpleEdge(p.pix, at, 1, p.stride, limit+4)
	}
	if inner {
		for i := 4; i < 16; i += 4 {
			simpleEdge(p.pix, at+i, 1, p.stride, limit)
		}
	}
	if y > 0 {
		simpleEdge(p.pix, at, p.stride, 1, limit+4)
	}
	if inner {
		for i := 4; i < 16; i += 4 {
			simpleEdge(p.pix, at+i*p.stride, p.stride, 1, limit)
		}
	}
}

func (d *VP8Decoder) filterGo(x, y int, e *edges, inner bool) {
	for i := range d.planes {
		p := &d.planes[i]
		size := 16
		if i > 0 {
			size = 8
		}
		at := p.at(size*x, size*y)
		if x > 0 {
			outerEdge(p.pix, at, 1, p.stride, size, e)
		}
		if inner {
			for i := 4; i < size; i += 4 {
				innerEdge(p.pix, at+i, 1, p.stride, size, e)
			}
		}
		if y > 0 {
			outerEdge(p.pix, at, p.stride, 1, size, e)
		}
		if inner {
			for i := 4; i < size; i += 4 {
				innerEdge(p.pix, at+i*p.stride, p.stride, 1, size, e)
			}
		}
	}
}

// simpleEdge filters the 16 samples of an edge; across is the step from one side to the other.
func simpleEdge(pix []uint8, at, across, along int, limit int32) {
	for range 16 {
		p1, p0 := int32(pix[at-2*across]), int32(pix[at-across])
		q0, q1 := int32(pix[at]), int32(pix[at+across])
		if 2*distance(p0, q0)+distance(p1, q1)>>1 <= limit {
			adjustTwo(pix, at, across, p1, p0, q0, q1)
		}
		at += along
	}
}

// outerEdge filters n samples of an edge between macroblocks.
func outerEdge(pix []uint8, at, across, along, n int, e *edges) {
	limit := int32(e.limit) + 4
	for range n {
		if filtered, varied := e.at(pix, at, across, limit); filtered {
			p2, p1, p0 := int32(pix[at-3*across]), int32(pix[at-2*across]), int32(pix[at-across])
			q0, q1, q2 := int32(pix[at]), int32(pix[at+across]), int32(pix[at+2*across])
			if varied {
				adjustTwo(pix, at, across, p1, p0, q0, q1)
			} else {
				a := signed(3*(q0-p0) + signed(p1-q1))
				a1, a2, a3 := (27*a+63)>>7, (18*a+63)>>7, (9*a+63)>>7
				pix[at-3*across], pix[at-2*across], pix[at-across] = clip(p2+a3), clip(p1+a2), clip(p0+a1)
				pix[at], pix[at+across], pix[at+2*across] = clip(q0-a1), clip(q1-a2), clip(q2-a3)
			}
		}
		at += along
	}
}

// innerEdge filters n samples of an edge within a macroblock.
func innerEdge(pix []uint8, at, across, along, n int, e *edges) {
	for range n {
		if filtered, varied := e.at(pix, at, across, int32(e.limit)); filtered {
			p1, p0 := int32(pix[at-2*across]), int32(pix[at-across])
			q0, q1 := int32(pix[at]), int32(pix[at+across])
			if varied {
				adjustTwo(pix, at, across, p1, p0, q0, q1)
			} else {
				a := 3 * (q0 - p0)
				a1, a2 := eighth(a+4), eighth(a+3)
				a3 := (a1 + 1) >> 1
				pix[at-2*across], pix[at-across] = clip(p1+a3), clip(p0+a2)
				pix[at], pix[at+across] = clip(q0-a1), clip(q1-a3)
			}
		}
		at += along
	}
}

// at looks at an edge in one place: whether it is flat enough to be filtered, and whether it isn't as
// flat as that on one of its sides.
func (e *edges) at(pix []uint8, at, across int, limit int32) (filtered, varied bool) {
	p3, p2, p1, p0 := int32(pix[at-4*across]), int32(pix[at-3*across]), int32(pix[at-2*across]), int32(pix[at-across])
	q0, q1, q2, q3 := int32(pix[at]), int32(pix[at+across]), int32(pix[at+2*across]), int32(pix[at+3*across])
	if 2*distance(p0, q0)+distance(p1, q1)>>1 > limit {
		return false, false
	}
	p, q := distance(p1, p0), distance(q1, q0)
	most := max(distance(p3, p2), distance(p2, p1), p, q, distance(q2, q1), distance(q3, q2))
	return most <= int32(e.interior), max(p, q) > int32(e.variance)
}

func adjustTwo(pix []uint8, at, across int, p1, p0, q0, q1 int32) {
	a := 3*(q0-p0) + signed(p1-q1)
	pix[at-across], pix[at] = clip(p0+eighth(a+3)), clip(q0-eighth(a+4))
}

func distance(a, b int32) int32 { return max(a-b, b-a) }

// signed clips to a signed byte.
func signed(v int32) int32 { return min(max(v, -128), 127) }

// eighth is an eighth of a signed byte.
func eighth(v int32) int32 { return min(max(v>>3, -16), 15) }
