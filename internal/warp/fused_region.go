package warp

import (
	"image"
	"math"
)

// Region follows the corners of the output down the layers.
func (a *affine) Region() image.Rectangle {
	x0, y0, x1, y1 := 0.0, 0.0, float64(a.width*a.columns-1), float64(a.height*a.rows-1)
	if len(a.layers) == 1 {
		m := a.layers[0].fixed
		const unit = 1 << FixedBits
		return a.layers[0].seen(mapBox(Affine{
			float64(m[0]) / unit, float64(m[1]) / unit, float64(m[2]) / unit,
			float64(m[3]) / unit, float64(m[4]) / unit, float64(m[5]) / unit,
		}, x0, y0, x1, y1), a.reach())
	}
	box := [4]float64{x0, y0, x1, y1}
	for i := len(a.layers) - 1; ; i-- {
		l := &a.layers[i]
		box = mapBox(l.matrix, box[0], box[1], box[2], box[3])
		if i == 0 {
			return l.seen(box, a.reach())
		}
		w := l.window
		if l.border == Constant && (box[2] <= float64(w.Min.X-1) || box[0] >= float64(w.Max.X) ||
			box[3] <= float64(w.Min.Y-1) || box[1] >= float64(w.Max.Y)) {
			return image.Rectangle{} // fill only
		}
		for k := range 4 {
			low, high := w.Min.X, w.Max.X-1
			if k%2 == 1 {
				low, high = w.Min.Y, w.Max.Y-1
			}
			box[k] = min(max(box[k], float64(low)), float64(high))
		}
	}
}

// mapBox is the box around the image of a box.
func mapBox(m Affine, x0, y0, x1, y1 float64) [4]float64 {
	box := [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for _, p := range [4][2]float64{{x0, y0}, {x1, y0}, {x0, y1}, {x1, y1}} {
		x, y := m.Apply(p[0], p[1])
		box[0], box[1] = min(box[0], x), min(box[1], y)
		box[2], box[3] = max(box[2], x), max(box[3], y)
	}
	return box
}

// reach is the number of taps on each side of a point.
func (s *stack) reach() int { return int(math.Ceil(s.filter.support())) }

// seen is the pixels of the window that the points of a box need.
func (l *layer) seen(box [4]float64, reach int) image.Rectangle {
	const grid = 1.0 / (1 << FractionBits) // points are rounded
	w := l.window
	side := func(from, to float64, first, end int) (int, int) {
		low, high := math.Floor(from-grid)-float64(reach-1), math.Floor(to+grid)+float64(reach)+1
		if l.border == Constant && (high <= float64(first) || low >= float64(end)) {
			return 0, 0
		}
		low, high = min(max(low, float64(first)), float64(end-1)), min(max(high, float64(first+1)), float64(end))
		return int(low), int(high)
	}
	x0, x1 := side(box[0], box[2], w.Min.X, w.Max.X)
	y0, y1 := side(box[1], box[3], w.Min.Y, w.Max.Y)
	return image.Rect(x0, y0, x1, y1)
}
