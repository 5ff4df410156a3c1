package picture

import (
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// Moved are the objects of a finished picture of height x width as a transform shows them, which
// makes one of the same size, and what became of each. Visibility is that of what the
// finished picture has.
func (r *Rules) Moved(t *schema.Targets, transform *warp.Transform, height, width int) (objects []schema.Object, fates []Fate) {
	if t == nil {
		return nil, nil
	}
	g := &targets{in: t}
	g.path.Begin(height, width)
	g.path.Apply(transform, height, width)
	for i := range t.Objects {
		from := &t.Objects[i]
		o := schema.Object{Label: from.Label, ID: from.ID, Crowd: from.Crowd}
		fate := g.move(&o, from, r, height, width)
		if fates = append(fates, fate); !fate.stays() {
			continue
		}
		o.Keypoints = g.keypoints(from.Keypoints, nil, false)
		objects = append(objects, o)
	}
	return objects, fates
}

// Then are the fates of objects some of which, those that stayed, went on to others.
func Then(fates, later []Fate) []Fate {
	out := append([]Fate{}, fates...)
	next := 0
	for i := range out {
		if !out[i].stays() || next == len(later) {
			continue
		}
		if what := later[next].What; what != Whole {
			out[i].What = what
		}
		next++
	}
	return out
}
