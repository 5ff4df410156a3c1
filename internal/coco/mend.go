package coco

import (
	"fmt"
	"math"
)

// Fault is what is wrong with an annotation: those up to lastLeftOut leave it out, the
// others are mended, or harmless.
type Fault int

// The faults.
const (
	NoShape    Fault = iota // neither a box nor a segmentation
	BadBox                  // not four finite numbers
	NoArea                  // a box without width or height
	OutsideAll              // a box outside of its image
	Reversed                // a box of negative width or height
	lastLeftOut
	OutsidePart   // a box that reaches more than a pixel out of its image: it stays
	NoBox         // only a segmentation, whose box it gets
	FlatPolygon   // one polygon in place of a list of polygons
	ShortPolygon  // less than three points: left out
	BadPolygon    // numbers that aren't finite, or an odd number of them: left out
	BadRLE        // wrong in itself, or of another size than its image: left out
	BadArea       // not a number of at least 0: left out
	BadKeypoint   // its numbers aren't finite: it isn't there
	KeypointCount // another number than the category has names for: left out
	Faults        // how many there are
)

// LeavesOut reports that the whole annotation is left out.
func (f Fault) LeavesOut() bool { return f < lastLeftOut }

// Finding is a fault with what there is to say of it.
type Finding struct {
	Fault Fault
	Text  string
}

// Mend finds what is wrong, and removes or mends it. Of an image of unknown size height and
// width are 0; keypoints is the number of the category's, or -1 where that isn't known
// yet. Findings are added to list. An
// annotation that a finding leaves out is not to be used.
func (a *Annotation) Mend(height, width, keypoints int, list []Finding) []Finding {
	found := func(f Fault, format string, args ...any) {
		list = append(list, Finding{f, fmt.Sprintf(format, args...)})
	}
	if a.flat {
		found(FlatPolygon, "its segmentation is a list of numbers")
	}
	a.mendPolygon(found)
	a.mendRLE(height, width, found)
	a.mendKeypoints(keypoints, found)
	if !(a.Area >= 0) || math.IsInf(a.Area, 0) {
		found(BadArea, "its area is %v", a.Area)
		a.Area = 0
	}
	a.mendBox(height, width, found)
	return list
}

type finder = func(f Fault, format string, args ...any)

func (a *Annotation) mendPolygon(found finder) {
	points, ends := a.Points[:0], a.Ends[:0]
	from := 0
	for i, end := range a.Ends {
		part := a.Points[from:end]
		from = end
		switch {
		case len(part)%2 != 0:
			found(BadPolygon, "part %d of its polygon has %d numbers", i, len(part))
		case len(part) < 2*fewestPoints:
			found(ShortPolygon, "part %d of its polygon has %d points", i, len(part)/2)
		case !finite(part):
			found(BadPolygon, "part %d of its polygon holds a number that isn't finite, or beyond %g", i, furthest)
		default:
			points = append(points, part...)
			ends = append(ends, len(points))
		}
	}
	a.Points, a.Ends = points, ends
}

// finite reports numbers that are coordinates.
func finite(list []float64) bool {
	for _, v := range list {
		if !(math.Abs(v) <= furthest) {
			return false
		}
	}
	return true
}

func (a *Annotation) mendRLE(height, width int, found finder) {
	if !a.HasRLE {
		return
	}
	var err error
	switch {
	case len(a.Size) != 2 || !(a.Size[0] >= 1 && a.Size[0] <= mostSide && a.Size[1] >= 1 && a.Size[1] <= mostSide):
		err = fmt.Errorf("its size is %v", a.Size)
	case height > 0 && (int(a.Size[0]) != height || int(a.Size[1]) != width):
		err = fmt.Errorf("it is of %v x %v pixels (height x width), and its image of %d x %d", a.Size[0], a.Size[1], height, width)
	case a.strange:
		err = fmt.Errorf("a number of its counts isn't a length")
	case len(a.Text) > 0:
		a.rle, err = DecodeRLE(a.Text, int(a.Size[0]), int(a.Size[1]))
	default:
		a.rle, err = NewRLE(a.Counts, int(a.Size[0]), int(a.Size[1]))
	}
	if err != nil {
		found(BadRLE, "%v", err)
		a.HasRLE = false
	}
}

func (a *Annotation) mendKeypoints(want int, found finder) {
	n := len(a.Keypoints)
	if n == 0 {
		return
	}
	if want >= 0 && n != 3*want || n%3 != 0 {
		found(KeypointCount, "it has %d numbers of keypoints", n)
		a.Keypoints = a.Keypoints[:0]
		return
	}
	for k := 0; k < n; k += 3 {
		p := a.Keypoints[k : k+3]
		if !finite(p) {
			found(BadKeypoint, "its keypoint %d is %v", k/3, p)
			p[2] = 0
		}
		if !(p[2] > 0) {
			p[0], p[1], p[2] = 0, 0, 0
		}
	}
}

func (a *Annotation) mendBox(height, width int, found finder) {
	if len(a.Box) == 0 || len(a.Box) == 4 && a.Box[2] == 0 && a.Box[3] == 0 {
		shape, ok := a.shapeBox()
		switch {
		case ok:
			found(NoBox, "it has no box")
			a.Box = shape
		case len(a.Box) == 0:
			found(NoShape, "it has neither a box nor a segmentation")
			return
		}
	}
	if len(a.Box) != 4 || !finite(a.Box) {
		found(BadBox, "its box is %v", a.Box)
		return
	}
	b := a.Box
	if b[2] < 0 || b[3] < 0 {
		found(Reversed, "its box is %v", b)
		return
	}
	x1, y1, x2, y2 := float32(b[0]), float32(b[1]), float32(b[0]+b[2]), float32(b[1]+b[3])
	w, h := float32(width), float32(height)
	switch {
	case x1 >= x2 || y1 >= y2:
		found(NoArea, "its box is %v", b)
	case height <= 0 || width <= 0:
	case x1 >= w || y1 >= h || x2 <= 0 || y2 <= 0:
		found(OutsideAll, "its box is %v, and its image has %d x %d pixels (width x height)", b, width, height)
	case x1 < -1 || y1 < -1 || x2 > w+1 || y2 > h+1:
		found(OutsidePart, "its box is %v, and its image has %d x %d pixels (width x height)", b, width, height)
	}
}

// shapeBox is the box of what Mend has left of the segmentation.
func (a *Annotation) shapeBox() (box []float64, ok bool) {
	if a.HasRLE {
		if b := a.rle.Box(); b[2] > b[0] {
			return []float64{float64(b[0]), float64(b[1]), float64(b[2] - b[0]), float64(b[3] - b[1])}, true
		}
	}
	if len(a.Points) == 0 {
		return nil, false
	}
	x1, y1, x2, y2 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i := 0; i < len(a.Points); i += 2 {
		x1, x2 = min(x1, a.Points[i]), max(x2, a.Points[i])
		y1, y2 = min(y1, a.Points[i+1]), max(y2, a.Points[i+1])
	}
	return []float64{x1, y1, x2 - x1, y2 - y1}, true
}

// Corners are x1 y1 x2 y2 of the box, after Mend.
func (a *Annotation) Corners() [4]float32 {
	b := a.Box
	return [4]float32{float32(b[0]), float32(b[1]), float32(b[0] + b[2]), float32(b[1] + b[3])}
}

// Polygon is the shape after Mend, in parts; nil where it isn't known. The result shares no
// memory with a.
func (a *Annotation) Polygon() [][]float32 {
	if a.HasRLE {
		return a.rle.Rings()
	}
	if len(a.Ends) == 0 {
		return nil
	}
	points := make([]float32, len(a.Points))
	for i, v := range a.Points {
		points[i] = float32(v)
	}
	parts := make([][]float32, len(a.Ends))
	from := 0
	for i, end := range a.Ends {
		parts[i] = points[from:end:end]
		from = end
	}
	return parts
}
