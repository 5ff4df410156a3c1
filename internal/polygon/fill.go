package polygon

import "slices"

// Fill calls do for the pixels of a shape in a picture of height x width, row by row of each ring:
// those from x to before end, whose centres are in the ring. Those in several rings come several
// times.
func (s Shape) Fill(height, width int, do func(y, x, end int)) {
	var list []crossed
	for _, ring := range s {
		list = list[:0]
		for i, b := range ring {
			list = crossings(list, ring[(i+len(ring)-1)%len(ring)], b, height)
		}
		slices.SortFunc(list, func(a, b crossed) int {
			if a.y != b.y {
				return a.y - b.y
			}
			return a.x - b.x
		})
		for i := 0; i+1 < len(list); i += 2 { // in each row there is an even number
			if x, end := max(list[i].x, 0), min(list[i+1].x, width); x < end {
				do(list[i].y, x, end)
			}
		}
	}
}

// Shown is the rings of a shape that have the centre of a pixel in them, in a picture of height x width.
func (s Shape) Shown(height, width int) (some Shape) {
	for _, ring := range s {
		shown := false
		Shape{ring}.Fill(height, width, func(int, int, int) { shown = true })
		if shown {
			some = append(some, ring)
		}
	}
	return some
}

// crossed is the first pixel of a row whose centre isn't left of an edge.
type crossed struct{ y, x int }

// crossings appends the rows whose line of centres an edge crosses: from that of its upper end, to
// before that of its lower.
func crossings(list []crossed, a, b Point, height int) []crossed {
	if a.Y > b.Y {
		a, b = b, a
	}
	dx, dy := b.X-a.X, b.Y-a.Y
	first := max(ceilDiv(a.Y-One/2, One), 0)
	end := min(ceilDiv(b.Y-One/2, One), int64(height))
	for y := first; y < end; y++ {
		// The centre (x + 1/2) One is at a.X + (centre of y - a.Y) dx/dy, or right of it.
		above := y*One + One/2 - a.Y
		list = append(list, crossed{int(y), int(ceilDiv((a.X-One/2)*dy+above*dx, dy*One))})
	}
	return list
}

// ceilDiv is a/b rounded up, of a positive b.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}
