package picture

import (
	"context"

	"github.com/sluicedata/sluice/internal/planar"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// FusedRevision changes whenever the fused executor gives other bytes for the same draws;
// it is part of the plan hash.
const FusedRevision = 4

// input is what a group reads: a picture, or the part of a file's that the first pass
// takes.
type input struct {
	pic    *schema.Picture
	passes []*warp.Pass // where pic is nil: of the group's chain, from the file's picture as it is stored
	rgb    warp.Source
	planes *planar.YCC // in place of rgb
}

func (in *input) isRGB() bool { return in.pic == nil || isRGB(in.pic.Tensor()) }

// fused is the fused executor: each group of warps in as few passes as fuse allows, its
// functions of a pixel on the way out; in slot where that fits. It ends early, with the
// cause, when the context does.
func (m *Maker) fused(ctx context.Context, d *Draw, in input, slot *schema.Picture, views *Views) (*schema.Picture, error) {
	pic := in.pic
	var borrowed *schema.Picture // in.pic, where it is to be given back
	for i := range d.groups {
		g, lent, last := &d.groups[i], borrowed, i == len(d.groups)-1
		borrowed = nil
		switch {
		case g.mapper != nil:
			pic = g.mapper.mapper.Map(g.mapper.params, in.pic)
		case last && slot != nil && slot.Tensor() == g.out:
			pic = slot
		case last || views != nil:
			pic = g.out.NewPicture()
		default:
			pic = borrow(g.out)
			borrowed = pic
		}
		if g.mapper == nil {
			m.sample(ctx, d, pic, &in, g.chain, g.pixels)
			for j := range g.edits {
				if ctx.Err() == nil {
					o := &g.edits[j]
					o.editor.Edit(o.params, pic)
				}
			}
		}
		if views != nil {
			m.look(ctx, d, views, &in, pic, g)
		}
		giveBack(lent)
		in = input{pic: pic}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return pic, nil
}

// look keeps the last picture in RGB bytes up to the end of a group that makes pic of in.
func (m *Maker) look(ctx context.Context, d *Draw, views *Views, in *input, pic *schema.Picture, g *group) {
	if isRGB(g.out) {
		views.Last = pic
		return
	}
	n := len(g.pixels)
	for n > 0 && !isRGB(g.pixels[n-1].out) {
		n--
	}
	if g.mapper != nil || !in.isRGB() || n == 0 && len(g.chain) == 0 {
		return
	}
	out := g.out // of the last function that leaves RGB; they keep the size
	out.DType, out.Layout = schema.Uint8, schema.HWC
	views.Last = out.NewPicture()
	m.sample(ctx, d, views.Last, in, g.chain, g.pixels[:n])
}

// sample carries out warps and functions of a pixel into dst.
func (m *Maker) sample(ctx context.Context, d *Draw, dst *schema.Picture, in *input, chain []warp.Transform, pixels []op) {
	if !in.isRGB() { // no warps
		src := in.pic
		for _, o := range pixels {
			src = applyPixelFunc(src, *o.pixel, o.out)
		}
		copy(dst.U8, src.U8)
		copy(dst.F32, src.F32)
		return
	}
	passes, src := in.passes, in.rgb
	if in.pic != nil {
		passes = m.fuser.Fuse(in.pic.Height, in.pic.Width, chain, d.program.Full)
		src = warp.Whole(in.pic)
	}
	var borrowed *schema.Picture
	for i, pass := range passes {
		if ctx.Err() != nil {
			break
		}
		pass.Done = ctx.Done()
		to, pixel := dst, warp.Pixel{}
		if i == len(passes)-1 {
			pixel = m.pixel(pixels)
		} else {
			to = borrow(rgb(pass.Height, pass.Width))
		}
		if i == 0 && in.planes != nil {
			pass.RunYCC(to, in.planes, pixel)
		} else {
			pass.Run(to, src, pixel)
		}
		giveBack(borrowed)
		if i < len(passes)-1 {
			src, borrowed = warp.Whole(to), to
		}
	}
}
