package warp

// touched is the samples of a row, between first and end, whose value depends on more than
// the layer's fill.
func (s *stack) touched(l *layer, y, first, end int) (int, int) {
	if l.border == Edge {
		return first, end
	}
	reach := int64(s.reach())
	if s.filter == Nearest {
		reach = 0
	}
	return l.span(y, first, end, -reach, max(reach-1, 0))
}

// inside is the samples of a row, between first and end, that lie inside layer i; in the
// input those whose taps all do. If there are none both results are end.
func (s *stack) inside(i, y, first, end int) (int, int) {
	l := &s.layers[i]
	switch {
	case s.filter == Nearest:
		return l.span(y, first, end, 0, 0)
	case i > 0 || s.filter == Bilinear:
		return l.span(y, first, end, 0, -1)
	}
	return end, end
}

// span is the samples between first and end whose points lie in the window, or in one that
// is larger by before and after pixels (negative: smaller).
func (l *layer) span(y, first, end int, before, after int64) (int, int) {
	for i, side := range [2][2]int{{l.window.Min.X, l.window.Max.X}, {l.window.Min.Y, l.window.Max.Y}} {
		m := l.fixed[3*i : 3*i+3]
		from := (int64(side[0]) + before) << FixedBits
		to := (int64(side[1]) + after) << FixedBits
		first, end = between64(m[0], m[1]*int64(y)+m[2], from, to, first, end)
	}
	return first, end
}

// between64 narrows first <= x < end to the x with from <= m*x + b < to; if there are none
// both are end.
func between64(m, b, from, to int64, first, end int) (int, int) {
	low, high := int64(first), int64(end)
	switch {
	case m > 0:
		low, high = max(low, -floorDiv(b-from, m)), min(high, -floorDiv(b-to, m))
	case m < 0:
		low, high = max(low, floorDiv(b-to, -m)+1), min(high, floorDiv(b-from, -m)+1)
	case b < from || b >= to:
		return end, end
	}
	if low >= high {
		return end, end
	}
	return int(low), int(high)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
