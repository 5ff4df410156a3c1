package coco

import (
	"fmt"
	"math"
	"slices"
)

const (
	grid         = 5   // pycocotools draws an outline on a grid of so many points a pixel
	furthest     = 1e8 // the greatest coordinate that is taken
	mostToggles  = 1 << 22
	centre       = 2 // of a pixel, among the points of the grid
	fewestPoints = 3
)

// FromPolygon is the mask of a ring of points x y x y ..., as pycocotools' frPyObjects
// gives it: pixels whose centre is about inside. Where a ring crosses itself, what it goes
// around twice is outside. What lies outside of the mask is cut off.
//
// The outline is drawn on a grid of 5 points a pixel, as pycocotools draws it (its
// function rleFrPoly); here only the points that matter are computed, those where a line
// crosses the middle of a column of pixels.
func FromPolygon(ring []float64, height, width int) (RLE, error) {
	if err := checkSize(height, width); err != nil {
		return RLE{}, err
	}
	n := len(ring) / 2
	if len(ring)%2 != 0 || n < fewestPoints {
		return RLE{}, fmt.Errorf("a polygon of %d numbers: want x and y of at least %d points", len(ring), fewestPoints)
	}
	for i, v := range ring {
		if math.IsNaN(v) || math.Abs(v) > furthest {
			return RLE{}, fmt.Errorf("point %d of a polygon has the coordinate %v: want numbers between -%g and %g", i/2, v, furthest, furthest)
		}
	}
	p := pen{height: height, width: width, most: mostToggles}
	for i := range n {
		j := (i + 1) % n
		p.line(toGrid(ring[2*i]), toGrid(ring[2*i+1]), toGrid(ring[2*j]), toGrid(ring[2*j+1]))
	}
	p.cancel()
	list := p.toggles
	if end := uint32(height * width); len(list) > 0 && list[len(list)-1] == end {
		list = list[:len(list)-1]
	}
	return fromToggles(list, height, width), nil
}

// toGrid rounds as pycocotools does: towards zero after adding a half.
func toGrid(v float64) int { return int(float64(grid*v) + .5) }

// pen draws the outline of a polygon.
type pen struct {
	height, width int
	toggles       []uint32 // places where inside and outside change, in any order
	most          int      // of them, before pairs are removed
}

// line is drawn from one point of the grid to another.
func (p *pen) line(xs, ys, xe, ye int) {
	dx, dy := abs(xe-xs), abs(ye-ys)
	if dx == 0 {
		return // it crosses no column
	}
	if dx >= dy && xs > xe || dx < dy && ys > ye {
		xs, ys, xe, ye = xe, ye, xs, ys
	}
	low, high := min(xs, xe), max(xs, xe)
	first := max(0, ceilDiv(low-centre, grid))
	last := min(p.width-1, floorDiv(high-1-centre, grid))
	if dx >= dy {
		slope := float64(ye-ys) / float64(dx)
		y := func(t int) int { return int(float64(ys) + float64(slope*float64(t)) + .5) }
		for column := first; column <= last; column++ {
			t := grid*column + centre - xs
			p.cross(column, min(y(t), y(t+1)))
		}
		return
	}
	slope := float64(xe-xs) / float64(dy)
	x := func(t int) int { return int(float64(xs) + float64(slope*float64(t)) + .5) }
	for column := first; column <= last; column++ {
		// The step from t to t+1 leads from one side of the column's middle to the other.
		left := grid*column + centre
		beyond := func(t int) bool { return (x(t) > left) == (xe > xs) }
		t := min(max(int((float64(left)+.5-float64(xs))/slope), 0), dy-1)
		for t > 0 && beyond(t) {
			t--
		}
		for t < dy-1 && !beyond(t+1) {
			t++
		}
		p.cross(column, ys+t)
	}
}

// cross notes that an outline passes the middle of a column at y of the grid.
func (p *pen) cross(column, y int) {
	row := min(max(ceilDiv(y-centre, grid), 0), p.height)
	p.toggles = append(p.toggles, uint32(column*p.height+row))
	if len(p.toggles) >= p.most { // a place for each pixel is the most that remains
		p.cancel()
		p.most = max(mostToggles, 2*len(p.toggles))
	}
}

// cancel sorts the places, and removes pairs.
func (p *pen) cancel() {
	slices.Sort(p.toggles)
	kept := p.toggles[:0]
	for _, at := range p.toggles {
		if n := len(kept); n > 0 && kept[n-1] == at {
			kept = kept[:n-1]
		} else {
			kept = append(kept, at)
		}
	}
	p.toggles = kept
}

func abs(v int) int { return max(v, -v) }

func floorDiv(a, b int) int {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

func ceilDiv(a, b int) int { return -floorDiv(-a, b) }
