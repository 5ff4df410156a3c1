package picture

import (
	"fmt"
	"image"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// Group is what the fused executor does in one go: stages, in order, that cost one pass
// over a picture together.
type Group struct {
	Stages []string // names in the params column
	Method string   // how pixels are found
	Apart  string   // why it isn't merged with the group before; empty for the first
	Notes  []string // what becomes of the other stages in it
}

// Explain tells how pictures are made, in words; none under the reference executor. What
// is merged follows from what is drawn; this is the fullest of some draws for a large
// picture, with labels as given.
func (p *Program) Explain(labels []int32) []Group {
	if p.Reference {
		return nil
	}
	return p.explain(p.typical(labels))
}

// typical draws the stages for a picture of the first size that all of them take.
func (p *Program) typical(labels []int32) (most *Draw) {
	for _, side := range []int{1200, 5000, 400, 64} {
		source, resamplings := rgb(side, side*4/3), -1
		for position := range int64(32) {
			d := &Draw{program: p, of: Of{Sample: -1, Labels: labels, Position: position, Always: true}}
			if d.drawFor(source.Height, source.Width); d.err != nil {
				break
			}
			n := 0
			for _, g := range d.groups {
				for _, pass := range p.passes(&g, source) {
					n += 64 * pass.Merged
				}
				n += len(g.ops)
			}
			if n > resamplings {
				resamplings, most = n, d
			}
		}
		if most != nil {
			return most
		}
	}
	return &Draw{program: p, Source: [2]int{64, 64 * 4 / 3}}
}

// passes are those of a group's chain, for pictures of the size that enters it.
func (p *Program) passes(g *group, in schema.Tensor) []*warp.Pass {
	if g.mapper != nil {
		return nil
	}
	return warp.Fuse(in.Height, in.Width, g.chain, p.Full)
}

func (p *Program) explain(d *Draw) []Group {
	var list []Group
	apart := "" // of the group that comes next
	in := rgb(d.Source[0], d.Source[1])
	for _, g := range d.groups {
		if g.mapper != nil {
			name := p.Stages[g.mapper.stage].Name
			list = append(list, Group{Stages: []string{name}, Method: "the whole picture at once, as the reference", Apart: name + " needs the whole picture"})
			apart = list[len(list)-1].Apart
			in = g.out
			continue
		}
		rest := g.ops
		passes := p.passes(&g, in)
		var last []op
		entered := in
		for i, pass := range passes {
			part := rest[:pass.Length]
			if pass.Length == 0 && i > 0 { // the canvas around what the pass before has made
				part = last[len(last)-1:]
			}
			rest = rest[pass.Length:]
			if i == len(passes)-1 {
				part, rest = append(slices.Clip(part), rest...), nil
			}
			last = part
			list = append(list, p.explainPass(pass, part, len(list) == 0))
			if len(list) > 1 {
				list[len(list)-1].Apart = apart
			}
			if rest != nil {
				apart = p.apart(entered, part, rest)
			}
			if len(part) > 0 {
				entered = part[len(part)-1].out
			}
		}
		if n := len(g.edits); n > 0 {
			apart = p.Stages[g.edits[n-1].stage].Name + " needs the whole picture"
		} else if n := len(g.pixels); n > 0 {
			apart = p.Stages[g.pixels[n-1].stage].Name + " changes colours before pixels are mixed again"
		}
		in = g.out
	}
	if len(list) > 0 && list[0].Apart != "" {
		list[0].Apart = ""
	}
	return list
}

// apart says why the passes before and after a border in one chain are two. The first of
// them reads a picture of type in.
func (p *Program) apart(in schema.Tensor, before, after []op) string {
	for _, list := range [][]op{before, after} {
		for _, o := range list {
			t := o.transform
			larger := t != nil && t.Moves() && t.Matrix[0] != 0 && (t.Height > in.Height || t.Width > in.Width)
			in = o.out
			switch name := p.Stages[o.stage].Name; {
			case t != nil && t.Inset != (image.Rectangle{}), larger && t.Border == warp.Constant:
				return name + " puts the picture on a larger canvas"
			case larger:
				return name + " adds a border of the picture's own pixels"
			case t == nil || t.Moves():
			case t.Projective():
				return name + " is a perspective"
			case t.Border == warp.Reflect:
				return name + " mirrors the picture at its edges"
			case t.Filter != warp.Bilinear:
				return fmt.Sprintf("%s asks for %s, and merged stages are sampled bilinearly", name, t.Filter)
			}
		}
	}
	if !p.Full {
		return "fuse is exact, and two resamplings in one give other bytes"
	}
	return "a turn by 90 degrees comes before it"
}

// explainPass tells what becomes of each stage of a pass.
func (p *Program) explainPass(pass *warp.Pass, ops []op, first bool) Group {
	var g Group
	var moved, resampled, tabulated, mixed, edited []string
	refused := ""
	for _, o := range ops {
		name := p.Stages[o.stage].Name
		g.Stages = append(g.Stages, name)
		switch {
		case o.editor != nil:
			edited = append(edited, name)
		case o.transform == nil && o.pixel.Separate:
			tabulated = append(tabulated, name)
		case o.transform == nil:
			mixed = append(mixed, name)
		case o.transform.Moves():
			moved = append(moved, name)
		default:
			resampled = append(resampled, name)
			if o.transform.RefusesAntialias() {
				refused = name
			}
		}
	}
	planes := first && p.Full && pass.Merged > 0 && pass.YCCScale() > 0
	switch {
	case pass.Merged < 2 && planes:
		g.Method = pass.Method() + ": the reference's bytes but for JPEG"
	case pass.Merged < 2:
		g.Method = pass.Method() + ": the reference's bytes"
	case refused != "":
		g.Method = fmt.Sprintf("%s: one bilinear sampling, however much they shrink: %s has antialias: false", join(resampled), refused)
	default:
		g.Method = fmt.Sprintf("%s: one bilinear sampling; along an axis that shrinks s > %g times, the mean of ceil(s/%g) samples",
			join(resampled), warp.AntialiasFrom, warp.AntialiasFrom)
	}
	if planes {
		g.Notes = append(g.Notes, "of a JPEG file in YCbCr or grey only the part that is needed is decoded, and its planes are sampled as they are: chroma once, at its own resolution, and RGB made last")
	} else if first {
		g.Notes = append(g.Notes, "of a JPEG file only the part that is needed is decoded: the bytes of the whole")
	}
	note := func(names []string, text string) {
		if len(names) > 0 {
			g.Notes = append(g.Notes, join(names)+": "+text)
		}
	}
	if len(resampled) > 0 {
		note(moved, "whole pixels, part of the sampling")
	}
	if len(mixed) > 0 {
		note(append(tabulated, mixed...), "pixel by pixel, as they are written")
	} else {
		note(tabulated, "a table of 256 values per channel, as pixels are written")
	}
	note(edited, "in place, once the picture is whole")
	g.Stages = slices.Compact(g.Stages)
	return g
}

// join is "a", "a and b", "a, b and c".
func join(names []string) string {
	names = slices.Compact(slices.Clone(names)) // a Composite's are its own
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
