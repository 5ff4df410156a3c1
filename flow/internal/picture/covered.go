package picture

import (
	"github.com/sluicedata/sluice/internal/polygon"
	"github.com/sluicedata/sluice/schema"
)

// Covered are the objects of a finished picture of height x width that are left where a shape covers
// parts of it, and what became of each. before are the fates with which they came: visibility is
// that of the whole way. Of an object that is covered go also those parts that no pixel shows, as they
// cover no pixel's centre. An object's shape is its polygon, or its box where it has none; an object
// that isn't covered stays as it is, to the last bit.
func (r *Rules) Covered(t *schema.Targets, before []Fate, cover polygon.Shape, height, width int) (objects []schema.Object, fates []Fate) {
	if t == nil {
		return nil, nil
	}
	if !r.Clip {
		cover = cover.And(canvasOf(height, width))
	}
	kept := make([]Fate, 0, len(t.Objects))
	for _, f := range before {
		if f.stays() {
			kept = append(kept, f)
		}
	}
	for i := range t.Objects {
		o := t.Objects[i]
		fate := Fate{Label: o.Label, What: r.cover(&o, cover, height, width, kept[i].Visible), Visible: kept[i].Visible}
		if fates = append(fates, fate); fate.stays() {
			objects = append(objects, o)
		}
	}
	return objects, fates
}

// cover takes what is covered off an object, and says what becomes of it.
func (r *Rules) cover(o *schema.Object, cover polygon.Shape, height, width int, visible float64) string {
	shape := ShapeOf(o)
	if !shape.Meets(cover) {
		return Whole
	}
	rest := shape.Minus(cover)
	seen, was := rest, shape
	if !r.Clip {
		seen, was = rest.And(canvasOf(height, width)), shape.And(canvasOf(height, width))
	}
	before := was.Minus(nil).Area()
	if before-seen.Area() <= before*clippedShare {
		return Whole
	}
	if seen = seen.Shown(height, width); len(seen) == 0 {
		return Hidden
	}
	if r.Clip {
		rest = seen
	}
	area := seen.Area()
	box, _ := rest.Bounds()
	shown, _ := seen.Bounds()
	for i, v := range box {
		o.Box[i] = float32(v)
	}
	o.Area = float32(float64(o.Area) * (area / before))
	if len(o.Polygon) > 0 {
		o.Polygon = rest.Floats()
	}
	if why := r.tooSmall(area, shown, visible*(area/before)); why != "" {
		return why
	}
	o.Keypoints = append([]float32(nil), o.Keypoints...)
	for k := range len(o.Keypoints) / 3 {
		if p := o.Keypoints[3*k : 3*k+3]; p[2] == visiblePoint && cover.Has(polygon.At(float64(p[0]), float64(p[1]))) {
			p[2] = hiddenPoint
		}
	}
	return Clipped
}

func canvasOf(height, width int) polygon.Shape {
	return polygon.Shape{polygon.Box(0, 0, float64(width), float64(height))}
}

// The flags of keypoints, as COCO has them.
const (
	hiddenPoint  = 1 // it is there, and not seen
	visiblePoint = 2
)

// ShapeOf is an object's shape in its finished picture.
func ShapeOf(o *schema.Object) polygon.Shape {
	if s := polygon.FromFloats(o.Polygon); len(s) > 0 {
		return s
	}
	return polygon.Shape{polygon.Box(float64(o.Box[0]), float64(o.Box[1]), float64(o.Box[2]), float64(o.Box[3]))}
}
