package picture

import (
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/schema"
)

// TargetsRevision changes whenever the same draws give other targets; it is part of the plan
// hash.
const TargetsRevision = 1

// Targets are those of the picture that was drawn, in memory of their own, and what became
// of each object. Of a picture without targets they are nil.
//
// Shapes are mapped once, by the composed transform, and boxed at the end.
func (d *Draw) Targets(r *Rules) (out *schema.Targets, fates []Fate) {
	g := &d.targets
	if g.in == nil {
		return nil, nil
	}
	height, width := d.size()
	out = &schema.Targets{Height: height, Width: width, Frame: schema.Displayed}
	if len(g.in.Objects) == 0 {
		return out, nil
	}
	out.Objects = make([]schema.Object, 0, len(g.in.Objects))
	fates = make([]Fate, len(g.in.Objects))
	mirrored := g.path.Mirrors()
	for i := range g.in.Objects {
		from := &g.in.Objects[i]
		if fates[i] = (Fate{Label: from.Label, What: g.dropped[i]}); g.dropped[i] != "" {
			continue
		}
		o := schema.Object{Label: from.Label, ID: from.ID, Crowd: from.Crowd}
		if fates[i] = g.move(&o, from, r, height, width); !fates[i].stays() {
			continue
		}
		if mirrored && r.Mirror != nil {
			o.Label = r.Mirror[o.Label]
		}
		o.Keypoints = g.keypoints(from.Keypoints, r.Spec.Mirrored, mirrored)
		out.Objects = append(out.Objects, o)
	}
	return out, fates
}

// size is that of the last picture.
func (d *Draw) size() (height, width int) {
	if n := len(d.ops); n > 0 {
		return d.ops[n-1].out.Height, d.ops[n-1].out.Width
	}
	return d.Source[0], d.Source[1]
}

// Turn is what the size of a picture's targets tells, where its file says that it is to be
// turned and the source doesn't say which picture they were made on.
type Turn uint8

// The turns.
const (
	Clear  Turn = iota // there is nothing to tell
	Turned             // they belong to the picture as it is stored: they were turned, too
	Untold             // they fit both, or have no size: taken as of the picture as it is shown
)

// Turn is what the targets' size tells.
func (d *Draw) Turn() Turn {
	g := &d.targets
	if g.in == nil || g.in.Frame != schema.BySize || g.orientation < 2 || len(g.in.Objects) == 0 && g.in.Mask == nil {
		return Clear
	}
	square := d.Source[0] == d.Source[1]
	switch sized := g.in.Height > 0 || g.in.Mask != nil; {
	case g.turned:
		return Turned
	case sized && decode.SwapsSides(g.orientation) && !square:
		return Clear // they are of the picture as it is shown
	}
	return Untold
}
