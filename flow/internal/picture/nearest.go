package picture

import (
	"math"
	"slices"

	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// nearest samples class numbers.
type nearest struct {
	dst           []uint8
	height, width int
	src           []uint8
	stride        int
	window        [4]int // x0 y0 x1 y1 of src that may be read
	border        warp.Border

	// Of a transform that keeps rows and columns.
	xs, ys      []int32 // the input's, of each column and row of the output; -1: outside
	left, right int     // columns that aren't outside
	gather      warp.Gather
	spans       spans
	y, step     int // the row that is next where the input's come in order
	last        madeRow
}

// madeRow is a row of the output, of row v of the input: its numbers from first to end.
type madeRow struct{ y, v, first, end int }

// tie is added to points before they are rounded down: what lies between two pixels, but for
// rounding, belongs to the right or lower one.
const tie = 1.0 / (1 << 32)

// upright reports whether a transform keeps rows and columns.
func upright(back warp.Homography) bool {
	return !back.Projective() && back[1] == 0 && back[3] == 0
}

// run fills dst. back leads from continuous output to input coordinates; pixels with centres
// outside of the convex polygon outline, where there is one, are not visible.
func (n *nearest) run(back warp.Homography, outline [][2]float64) {
	if upright(back) {
		n.begin(back, outline)
		for y, v := range n.ys {
			if v >= 0 {
				n.line(y, int(v), n.src[int(v)*n.stride:(int(v)+1)*n.stride])
			}
		}
		return
	}
	for y := range n.height {
		row := n.dst[y*n.width : (y+1)*n.width]
		first, end := span(outline, n.width, y)
		ignore(row[:first])
		ignore(row[end:])
		cy := float64(y) + 0.5
		bx, by, bd := float64(back[1]*cy)+back[2], float64(back[4]*cy)+back[5], float64(back[7]*cy)+back[8]
		for x := first; x < end; x++ {
			cx := float64(x) + 0.5
			u, v := float64(back[0]*cx)+bx, float64(back[3]*cx)+by
			if back.Projective() {
				depth := float64(back[6]*cx) + bd
				if depth <= 0 {
					row[x] = schema.MaskIgnore
					continue
				}
				u, v = u/depth, v/depth
			}
			row[x] = n.at(int(math.Floor(u+tie)), int(math.Floor(v+tie)))
		}
	}
}

// at is the number of an input pixel.
func (n *nearest) at(x, y int) uint8 {
	if x < n.window[0] || x >= n.window[2] || y < n.window[1] || y >= n.window[3] {
		if n.border == warp.Constant {
			return schema.MaskIgnore
		}
		x, y = n.border.Inside(x, n.window[0], n.window[2]), n.border.Inside(y, n.window[1], n.window[3])
	}
	return n.src[y*n.stride+x]
}

// begin prepares for line and next, and fills rows that lie outside.
func (n *nearest) begin(back warp.Homography, outline [][2]float64) {
	n.xs, n.ys = slices.Grow(n.xs[:0], n.width)[:n.width], slices.Grow(n.ys[:0], n.height)[:n.height]
	n.left, n.right = n.width, n.width
	for x := range n.xs {
		u := n.place(int(math.Floor(float64(back[0]*(float64(x)+0.5))+back[2]+tie)), n.window[0], n.window[2])
		n.xs[x] = int32(u)
		if u >= 0 {
			n.left, n.right = min(n.left, x), x+1
		}
	}
	n.gather.Set(n.xs[n.left:n.right], n.stride)
	for y := range n.ys {
		v := n.place(int(math.Floor(float64(back[4]*(float64(y)+0.5))+back[5]+tie)), n.window[1], n.window[3])
		if n.ys[y] = int32(v); v < 0 {
			ignore(n.dst[y*n.width : (y+1)*n.width])
		}
	}
	n.spans.set(outline, n.width, n.height)
	n.y, n.step, n.last = 0, 1, madeRow{v: -1}
	if back[4] < 0 {
		n.y, n.step = n.height-1, -1
	}
}

// next makes the rows that row v of the input is shown in: all of those in the window have to
// come, from the first to the last.
func (n *nearest) next(v int, line []uint8) {
	for ; n.y >= 0 && n.y < n.height && (n.ys[n.y] < 0 || int(n.ys[n.y]) == v); n.y += n.step {
		if n.ys[n.y] >= 0 {
			n.line(n.y, v, line)
		}
	}
}

// line makes row y of row v of the input.
func (n *nearest) line(y, v int, line []uint8) {
	row := n.dst[y*n.width : (y+1)*n.width]
	first, end := n.spans.at(y)
	first = min(max(first, n.left), n.right)
	end = max(min(end, n.right), first)
	made := madeRow{y, v, first, end}
	if n.last.v == v && n.last.first == first && n.last.end == end {
		copy(row, n.dst[n.last.y*n.width:])
	} else {
		n.gather.Take(row[n.left:n.right], line)
		ignore(row[:first])
		ignore(row[end:])
	}
	n.last = made
}

// place is a coordinate in the window; -1: outside.
func (n *nearest) place(i, first, end int) int {
	if i >= first && i < end {
		return i
	}
	if n.border == warp.Constant {
		return -1
	}
	return n.border.Inside(i, first, end)
}

// spans are the pixels of each row whose centres lie in a convex polygon.
type spans struct {
	outline     [][2]float64
	width       int
	top, bottom int // the first row with some, and the row behind the last
	first, end  int // where they are the same in all of these
	rectangle   bool
}

// set takes the rows of an outline; nil: all pixels.
func (s *spans) set(outline [][2]float64, width, height int) {
	*s = spans{outline, width, 0, height, 0, width, true}
	if outline == nil {
		return
	}
	some := func(y int) bool {
		first, end := span(outline, width, y)
		return first < end
	}
	for s.top < s.bottom && !some(s.top) {
		s.top++
	}
	for s.top < s.bottom && !some(s.bottom-1) {
		s.bottom--
	}
	if s.top == s.bottom {
		return
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, q := range outline {
		low, high = min(low, q[0]), max(high, q[0])
	}
	// Rows between two that are as wide as a convex polygon are as wide.
	s.first, s.end = between(low, high, width)
	for _, y := range [2]int{s.top, s.bottom - 1} {
		first, end := span(outline, width, y)
		s.rectangle = s.rectangle && first == s.first && end == s.end
	}
}

// at is the pixels of a row, from first to end.
func (s *spans) at(y int) (first, end int) {
	switch {
	case y < s.top || y >= s.bottom:
		return s.width, s.width
	case s.rectangle:
		return s.first, s.end
	}
	return span(s.outline, s.width, y)
}

// span is the pixels of a row whose centres lie in a convex polygon; all of them without one.
func span(outline [][2]float64, width, y int) (first, end int) {
	if outline == nil {
		return 0, width
	}
	cy := float64(y) + 0.5
	low, high := math.Inf(1), math.Inf(-1)
	for i, b := range outline {
		a := outline[(i+len(outline)-1)%len(outline)]
		if a[1] > cy == (b[1] > cy) {
			continue
		}
		x := a[0] + float64((cy-a[1])*(b[0]-a[0]))/(b[1]-a[1])
		low, high = min(low, x), max(high, x)
	}
	if low > high {
		return width, width
	}
	return between(low, high, width)
}

// between is the pixels whose centres lie from low to high.
func between(low, high float64, width int) (first, end int) {
	first = min(max(int(math.Ceil(low-0.5-tie)), 0), width)
	return first, min(max(int(math.Floor(high-0.5+tie))+1, first), width)
}

func ignore(row []uint8) {
	for len(row) > 0 {
		row = row[copy(row, ignored[:]):]
	}
}

// ignored is numbers to copy.
var ignored = func() (list [1 << 10]uint8) {
	for i := range list {
		list[i] = schema.MaskIgnore
	}
	return list
}()
