package warp

import "image"

// grid copies whole pixels: crops, flips, and nearest resizes as nearestRows has them. Each
// output column is a column of the input, each row a row.
type grid struct {
	xs, ys []int // of the input; -1 is the fill
	fill   [3]uint8
	table  []int64 // memory
}

// copy sets g up for a transform's rows and columns, read through the section's copies.
func (g *grid) copy(l *section, t Transform) *grid {
	horizontal, vertical := t.axes(l.size.Y, l.size.X)
	w := t.Window(l.size.Y, l.size.X)
	g.xs, g.ys = sized(&g.xs, l.width), sized(&g.ys, l.height)
	g.place(g.xs, horizontal, w.Min.X, w.Max.X, t.Border, l.after.x(), l.before.x())
	g.place(g.ys, vertical, w.Min.Y, w.Max.Y, t.Border, l.after.y(), l.before.y())
	g.fill = t.Fill
	return g
}

// place fills out with the input coordinate of each output pixel along an axis.
func (g *grid) place(out []int, a axis, first, end int, border Border, after, before line) {
	table := sized(&g.table, a.out)
	a.nearest(table)
	for i := range out {
		at := int(table[after.of(i)])
		switch border {
		case Edge:
			at = min(max(at, first), end-1)
		case Reflect:
			at = int(reflected(int64(at), int64(first), int64(end)))
		}
		if at < first || at >= end {
			out[i] = -1
			continue
		}
		out[i] = before.of(at)
	}
}

// Region is the span of rows and columns.
func (g *grid) Region() image.Rectangle {
	x0, x1 := extent(g.xs)
	y0, y1 := extent(g.ys)
	if x0 >= x1 || y0 >= y1 {
		return image.Rectangle{}
	}
	return image.Rect(x0, y0, x1, y1)
}

// extent is the least and one more than the greatest of the places that aren't -1.
func extent(places []int) (first, end int) {
	first = -1
	for _, at := range places {
		if at >= 0 && (first < 0 || at < first) {
			first = at
		}
		end = max(end, at+1)
	}
	return max(first, 0), end
}

// Method names the filter.
func (g *grid) Method() string { return "whole pixels, copied" }

func (g *grid) run(out *writer, src Source, _ *scratch) {
	// Whether the run is to stop is asked now and then: a row is copied as fast as that.
	step, first, end := g.middle()
	n := len(g.xs)
	if step == 1 && end-first == n && progression(g.ys) == 1 && out.plain() && out.px.Row == nil && src.Stride == 3*n {
		copy(out.dst.U8, src.Pix[src.offset(g.xs[0], g.ys[0]):])
		return
	}
	for y, from := range g.ys {
		if y%16 == 0 && out.stopped() {
			return
		}
		switch {
		case from >= 0 && step > 0 && end-first == n:
			out.put(y, src.Pix[src.offset(g.xs[0], from):][:3*n])
		case from >= 0 && step < 0 && end-first == n:
			out.putMirrored(y, src.Pix[src.offset(g.xs[n-1], from):][:3*n])
		case from >= 0 && step != 0:
			rgb := out.begin(y)
			g.paint(rgb[:3*first])
			inside := rgb[3*first : 3*end]
			if step > 0 {
				copy(inside, src.Pix[src.offset(g.xs[first], from):])
			} else {
				mirror(inside, src.Pix[src.offset(g.xs[end-1], from):][:len(inside)])
			}
			g.paint(rgb[3*end:])
			out.put(y, rgb)
		case from < 0:
			rgb := out.begin(y)
			g.paint(rgb)
			out.put(y, rgb)
		default:
			rgb := out.begin(y)
			g.pick(rgb, &src, from)
			out.put(y, rgb)
		}
	}
}

// middle is the columns first <= x < end that are a progression, of that step, where all others
// are the fill; else step is 0.
func (g *grid) middle() (step, first, end int) {
	end = len(g.xs)
	for first < end && g.xs[first] < 0 {
		first++
	}
	for end > first && g.xs[end-1] < 0 {
		end--
	}
	if first == end {
		return 0, first, end
	}
	return progression(g.xs[first:end]), first, end
}

// progression is 1 where places follow each other, -1 where they do from the last to the
// first, so that rows can be taken whole; else 0. Of a single place it is 1.
func progression(places []int) int {
	for _, step := range [2]int{1, -1} {
		all := true
		for i, at := range places {
			all = all && at >= 0 && at == places[0]+step*i
		}
		if all {
			return step
		}
	}
	return 0
}

// paint fills pixels.
func (g *grid) paint(rgb []uint8) {
	if g.fill == [3]uint8{} {
		clear(rgb)
		return
	}
	for ; len(rgb) >= 3; rgb = rgb[3:] {
		rgb[0], rgb[1], rgb[2] = g.fill[0], g.fill[1], g.fill[2]
	}
}

// pick fills a row of RGB pixel by pixel, from a row of the input.
func (g *grid) pick(rgb []uint8, src *Source, from int) {
	for x, column := range g.xs {
		pixel := rgb[3*x : 3*x+3 : 3*x+3]
		if column < 0 {
			copy(pixel, g.fill[:])
			continue
		}
		at := src.offset(column, from)
		in := src.Pix[at : at+3 : at+3]
		pixel[0], pixel[1], pixel[2] = in[0], in[1], in[2]
	}
}
