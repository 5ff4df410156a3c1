package flow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Group is what the fused executor does in one go: stages, in order, that cost
// one pass over a picture together.
type Group struct {
	Stages []string `json:"stages"` // names in the params column
	Method string   `json:"method"` // how pixels are found
	Apart  string   `json:"apart"`  // why it isn't merged with the group before; empty for the first
	Notes  []string `json:"notes"`  // what becomes of the other stages in it
}

// Groups tells how rows are made, in words; none under the reference executor
// or where rows stay encoded. What is merged follows from what is drawn; this is
// the fullest of some draws for a large picture. A draw that spares a stage, or
// turns by nothing, has less to do.
func (p *Plan) Groups() []Group {
	if p.Settings.Exec != Fused || p.decoder == nil {
		return nil
	}
	source, m := p.typical()
	return p.groupsOf(source, m)
}

// typical draws the ops of a picture, of the first size that all stages take.
func (p *Plan) typical() (source schema.Tensor, most *scratch) {
	for _, side := range []int{1200, 5000, 400, 64} {
		source = schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: side, Width: side * 4 / 3}
		resamplings := -1
		for position := range int64(32) {
			m := new(scratch)
			if !p.try(m, source, position) {
				break
			}
			n := 0
			for _, g := range m.groups(source) {
				for _, pass := range p.passes(&g, source) {
					n += 64 * pass.Merged
				}
				n += len(g.ops)
			}
			if n > resamplings {
				resamplings, most = n, m
			}
		}
		if most != nil {
			return source, most
		}
	}
	return source, new(scratch)
}

// try is draws for a picture that need not exist; a stage may refuse it, even by a
// panic.
func (p *Plan) try(m *scratch, source schema.Tensor, position int64) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	stage := ""
	row := &Row{}
	row.Meta.Position = position
	for range p.Tasks {
		row.Meta.Labels = append(row.Meta.Labels, 0)
	}
	return p.draws(m, row, source.Height, source.Width, &stage) == nil
}

// passes are those of a group's chain, for pictures of the size that enters it.
func (p *Plan) passes(g *group, in schema.Tensor) []*warp.Pass {
	if g.mapper != nil {
		return nil
	}
	return warp.Fuse(in.Height, in.Width, g.chain, p.Settings.Fuse == FuseFull)
}

func (p *Plan) groupsOf(source schema.Tensor, m *scratch) []Group {
	var list []Group
	apart := "" // of the group that comes next
	in := source
	for _, g := range m.groups(source) {
		if g.mapper != nil {
			name := p.steps[g.mapper.step].name
			list = append(list, Group{Stages: []string{name}, Method: "the whole picture at once, as the reference", Apart: name + " needs the whole picture"})
			apart = list[len(list)-1].Apart
			in = g.out
			continue
		}
		rest := g.ops
		passes := p.passes(&g, in)
		for i, pass := range passes {
			part := rest[:pass.Length]
			rest = rest[pass.Length:]
			if i == len(passes)-1 {
				part, rest = append(slices.Clip(part), rest...), nil
			}
			list = append(list, p.describePass(pass, part, len(list) == 0))
			last := &list[len(list)-1]
			if len(list) > 1 {
				last.Apart = apart
			}
			if rest != nil {
				apart = p.apart(part, rest)
			}
		}
		if n := len(g.points); n > 0 {
			apart = p.steps[g.points[n-1].step].name + " changes colours before pixels are mixed again"
		}
		in = g.out
	}
	if len(list) > 0 && list[0].Apart != "" {
		list[0].Apart = ""
	}
	return list
}

// apart says why the passes before and after a border in one chain are two.
func (p *Plan) apart(before, after []op) string {
	for _, list := range [][]op{before, after} {
		for _, o := range list {
			switch name := p.steps[o.step].name; {
			case o.transform == nil || o.transform.Moves():
			case o.transform.Projective():
				return name + " is a perspective"
			case o.transform.Filter != warp.Bilinear:
				return fmt.Sprintf("%s asks for %s, and merged stages are sampled bilinearly", name, o.transform.Filter)
			}
		}
	}
	if p.Settings.Fuse == FuseExact {
		return "fuse is exact, and two resamplings in one give other bytes"
	}
	return "a turn by 90 degrees comes before it"
}

// describePass tells what becomes of each stage of a pass.
func (p *Plan) describePass(pass *warp.Pass, ops []op, first bool) Group {
	var g Group
	var moved, resampled, tabulated, mixed []string
	refused := ""
	for _, o := range ops {
		name := p.steps[o.step].name
		g.Stages = append(g.Stages, name)
		switch {
		case o.transform == nil && o.point.Separate:
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
	planes := first && p.Settings.Fuse == FuseFull && pass.Merged > 0 && pass.YCCScale() > 0
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
	return g
}

// join is "a", "a and b", "a, b and c".
func join(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// describeFuse is the third step of Plan.String.
func (p *Plan) describeFuse(t *planText, list []Group) {
	switch {
	case p.decoder == nil:
		t.line("", "nothing: files leave as they are")
		return
	case p.Settings.Exec == Reference:
		t.line("", "nothing: the reference executor runs stage after stage on whole pictures")
	case len(list) == 0 && p.hasPictureStages():
		t.line("", "%s: what is merged depends on the pictures", p.Settings.Fuse)
	default:
		t.line("", "%s: decode, then %s over each picture", p.Settings.Fuse, plural(int64(len(list)), "pass"))
	}
	for _, g := range list {
		t.line("", "[%s]", strings.Join(g.Stages, " + "))
		if g.Apart != "" {
			t.line("", "  apart: %s", g.Apart)
		}
		for _, text := range append([]string{g.Method}, g.Notes...) {
			t.line("", "  %s", text)
		}
	}
	if p.expander != nil {
		t.line("", "%s: apart: each scale is computed from the finished batch", p.expander.name)
	}
}

func (p *Plan) hasPictureStages() bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { _, ok := s.stage.(stages.PictureStage); return ok })
}
