package picture

import (
	"fmt"
	"math"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Rules say which objects of a picture stay, and what becomes of them.
type Rules struct {
	Spec                            *schema.TargetSpec
	MinArea, MinSize, MinVisibility float64
	Clip                            bool
	Mirror                          []int32 // label in a mirrored picture, per label; nil: the same
}

// TargetsStage is the name, in failures, of what becomes of targets.
const TargetsStage = "objects"

// Fate is what became of one object.
type Fate struct {
	Label   int32
	What    string  // Whole, Clipped, or why it was dropped: Outside, Hidden, an option of objects, a stage's name
	Visible float64 // share of it that is visible, of one that stays
	Pasted  bool    // it came from another picture
}

// stays reports an object that wasn't dropped.
func (f Fate) stays() bool { return f.What == Whole || f.What == Clipped }

// What becomes of objects, beside the names of options and stages.
const (
	Whole   = ""
	Clipped = "clipped"
	Outside = "outside"
	Hidden  = "covered" // by what was pasted
)

// targets is the way of a draw's targets, made with its transforms.
type targets struct {
	in          *schema.Targets // nil: none
	path        warp.Path
	frame       [2]int   // height and width of the picture that in belongs to
	orientation int      // of the file
	turned      bool     // which is the one as stored, and the shown one is another
	dropped     []string // per object: by which stage; "": by none
	listed      []int    // the object of each of shown
	shown       []stages.Object
	shape       warp.Shape
	boxed       warp.Shape // of the box around a ring whose own area says nothing
	ring        [][2]float64
}

// begin puts targets before the first stage: of a picture of that size as shown, whose file
// has that orientation.
func (g *targets) begin(t *schema.Targets, orientation, height, width int) error {
	if g.in = t; t == nil {
		return nil
	}
	g.orientation = orientation
	storedHeight, storedWidth := height, width
	if decode.SwapsSides(orientation) {
		storedHeight, storedWidth = width, height
	}
	asShown := t.Height == height && t.Width == width
	asStored := t.Height == storedHeight && t.Width == storedWidth
	g.turned = t.Frame == schema.Stored || t.Frame == schema.BySize && t.Height > 0 && asStored && !asShown
	if t.Frame == schema.BySize && t.Height == 0 && t.Mask != nil && storedHeight != height { // the mask's size tells
		mask, err := decode.ReadHeader(t.Mask)
		g.turned = err == nil && mask.Height == storedHeight && mask.Width == storedWidth
	}
	if err := matches(t, g.turned, [2]int{height, width}, [2]int{storedHeight, storedWidth}); err != nil {
		return err
	}
	g.frame = [2]int{height, width}
	if g.turned = g.turned && orientation > 1; g.turned {
		g.frame = [2]int{storedHeight, storedWidth}
		g.path.Begin(storedHeight, storedWidth)
		g.path.Before(warp.Affine(decode.Upright(orientation, height, width)).Homography(), height, width)
	} else {
		g.path.Begin(height, width)
	}
	g.dropped = append(g.dropped[:0], make([]string, len(t.Objects))...)
	return nil
}

// matches says in what targets differ from their picture, shown and stored in these sizes
// (height and width).
func matches(t *schema.Targets, turned bool, shown, stored [2]int) error {
	size := [2]int{t.Height, t.Width}
	switch {
	case size == [2]int{}:
	case turned && size != stored:
		return fmt.Errorf("its annotations are for a picture of %dx%d, and the file stores one of %dx%d (width x height): is it another file, or a resized one? Annotate it anew, or give it back its size", size[1], size[0], stored[1], stored[0])
	case !turned && size != shown && size == stored:
		return fmt.Errorf("its annotations are for a picture of %dx%d, the size that the file stores, and it is shown turned, %dx%d (width x height): say annotations: stored", size[1], size[0], shown[1], shown[0])
	case !turned && size != shown:
		return fmt.Errorf("its annotations are for a picture of %dx%d, and the file holds one of %dx%d (width x height): is it another file, or a resized one? Annotate it anew, or give it back its size", size[1], size[0], shown[1], shown[0])
	}
	return nil
}

// rings calls do for each ring of an object's shape, in the picture that it belongs to.
func (g *targets) rings(o *schema.Object, do func(ring [][2]float64)) {
	some := false
	for _, part := range o.Polygon {
		if len(part) < 6 {
			continue // a point or a line, which has no area
		}
		g.ring = g.ring[:0]
		for i := 0; i+1 < len(part); i += 2 {
			g.ring = append(g.ring, [2]float64{float64(part[i]), float64(part[i+1])})
		}
		some = true
		do(g.ring)
	}
	if !some {
		x1, y1, x2, y2 := float64(o.Box[0]), float64(o.Box[1]), float64(o.Box[2]), float64(o.Box[3])
		g.ring = append(g.ring[:0], [2]float64{x1, y1}, [2]float64{x2, y1}, [2]float64{x2, y2}, [2]float64{x1, y2})
		do(g.ring)
	}
}

// seen is an object's whole shape on the canvas that the path leads to: of several parts the
// sums of areas, and the box around all.
type seen struct {
	box                 [4]float64
	area, whole, before float64
	visible             float64 // of before
	any                 bool
}

// add adds a ring, and leaves its visible parts in g.shape.Rings.
func (g *targets) add(s *seen, ring [][2]float64) {
	g.path.Through(&g.shape, ring)
	if g.shape.Seen {
		s.grow(g.shape.Box)
	}
	areas, before := &g.shape, warp.Area(ring)
	if box := around(ring); before < crossedShare*warp.Area(box[:]) && (before == 0 || warp.Crosses(ring)) {
		areas, before = &g.boxed, warp.Area(box[:])
		g.path.Through(areas, box[:])
	}
	s.area += areas.Area
	s.whole += areas.Whole
	s.before += before
	s.visible += areas.Share * before
}

// crossedShare is the share of its box below which the area of a ring that crosses itself says
// nothing: parts that are gone around the other way are taken off it. The box's counts then.
const crossedShare = 0.02

// clippedShare is the share of an object below which what is cut off is rounding, as of the six
// digits of a text file.
const clippedShare = 1e-4

// around is the corners of the box around a ring.
func around(ring [][2]float64) [4][2]float64 {
	x1, y1, x2, y2 := ring[0][0], ring[0][1], ring[0][0], ring[0][1]
	for _, q := range ring {
		x1, y1, x2, y2 = min(x1, q[0]), min(y1, q[1]), max(x2, q[0]), max(y2, q[1])
	}
	return [4][2]float64{{x1, y1}, {x2, y1}, {x2, y2}, {x1, y2}}
}

func (s *seen) grow(b [4]float64) {
	if !s.any {
		s.box, s.any = b, true
		return
	}
	s.box = [4]float64{min(s.box[0], b[0]), min(s.box[1], b[1]), max(s.box[2], b[2]), max(s.box[3], b[3])}
}

// enter lists the objects of the picture that enters a stage, of that size.
func (g *targets) enter(height, width int) []stages.Object {
	g.listed, g.shown = g.listed[:0], g.shown[:0]
	if g.in == nil {
		return nil
	}
	for i := range g.in.Objects {
		o := &g.in.Objects[i]
		if g.dropped[i] != "" {
			continue
		}
		var s seen
		g.rings(o, func(ring [][2]float64) { g.add(&s, ring) })
		if !s.any {
			continue
		}
		g.listed = append(g.listed, i)
		g.shown = append(g.shown, stages.Object{Box: within(s.box, height, width), Label: o.Label, Crowd: o.Crowd, Area: s.area})
	}
	return g.shown
}

// keep drops the objects that a stage doesn't keep.
func (g *targets) keep(stage stages.ObjectStage, name string, params stages.Params) {
	for i := range g.shown {
		if !stage.KeepObject(params, &g.shown[i]) {
			g.dropped[g.listed[i]] = name
		}
	}
}

// within is a box in a canvas: what was cut at its edges lies there exactly.
func within(b [4]float64, height, width int) [4]float64 {
	w, h := float64(width), float64(height)
	return [4]float64{max(b[0], 0), max(b[1], 0), min(b[2], w), min(b[3], h)}
}

// move sets box, area and polygon of o, and says what became of it.
func (g *targets) move(o, from *schema.Object, r *Rules, height, width int) Fate {
	var s seen
	polygons := r.Spec.Polygons && len(from.Polygon) > 0
	g.rings(from, func(ring [][2]float64) {
		g.add(&s, ring)
		switch {
		case polygons && r.Clip:
			for _, part := range g.shape.Rings {
				o.Polygon = append(o.Polygon, flat(part, height, width))
			}
		case polygons:
			if part := g.mapped(ring); len(part) > 5 {
				o.Polygon = append(o.Polygon, part)
			}
		}
	})
	fate := Fate{Label: from.Label, What: Outside}
	if !s.any {
		return fate
	}
	shown := within(s.box, height, width)
	box := shown
	if !r.Clip {
		g.rings(from, func(ring [][2]float64) { g.unclipped(&s, ring) })
		box = s.box
	}
	for i, v := range box {
		o.Box[i] = float32(v)
	}
	area := s.area
	if a := float64(from.Area); a > 0 && s.before > 0 {
		area *= a / s.before // what the file says, of a shape that it may know better
	}
	o.Area = float32(area)
	switch { // else it reaches the horizon
	case s.whole == 0:
		fate.Visible = 1
	case !math.IsInf(s.whole, 1):
		fate.Visible = min(s.area/s.whole, 1)
	}
	if fate.What = r.tooSmall(s.area, shown, fate.Visible); fate.What == Whole && s.visible < s.before*(1-clippedShare) {
		fate.What = Clipped
	}
	return fate
}

// tooSmall is the option by which an object of which so much is seen, in that box, is dropped; "": it stays.
func (r *Rules) tooSmall(area float64, box [4]float64, visibility float64) string {
	switch {
	case area < r.MinArea:
		return "min_area"
	case box[2]-box[0] < r.MinSize || box[3]-box[1] < r.MinSize:
		return "min_size"
	case visibility < r.MinVisibility:
		return "min_visibility"
	}
	return Whole
}

// unclipped grows the box to all of a ring.
func (g *targets) unclipped(s *seen, ring [][2]float64) {
	for _, p := range ring {
		if u, v, ok := g.path.Map(p[0], p[1]); ok {
			s.grow([4]float64{u, v, u, v})
		}
	}
}

func (g *targets) mapped(ring [][2]float64) (out []float32) {
	for _, p := range ring {
		if u, v, ok := g.path.Map(p[0], p[1]); ok {
			out = append(out, float32(u), float32(v))
		}
	}
	return out
}

// flat is a ring as columns have it.
func flat(ring [][2]float64, height, width int) []float32 {
	out := make([]float32, 0, 2*len(ring))
	for _, p := range ring {
		out = append(out, float32(min(max(p[0], 0), float64(width))), float32(min(max(p[1], 0), float64(height))))
	}
	return out
}

// keypoints maps those of an object. One that isn't visible becomes 0 0 0, and in a mirrored
// picture each takes the place of its partner.
func (g *targets) keypoints(from []float32, partner []int, mirrored bool) []float32 {
	if from == nil {
		return nil
	}
	out := make([]float32, len(from))
	for k := range len(from) / 3 {
		x, y, v := float64(from[3*k]), float64(from[3*k+1]), from[3*k+2]
		if v == 0 || !g.path.Sees(x, y) {
			continue
		}
		at := k
		if mirrored && partner != nil {
			at = partner[k]
		}
		if u, w, ok := g.path.Map(x, y); ok {
			out[3*at], out[3*at+1], out[3*at+2] = float32(u), float32(w), v
		}
	}
	return out
}
