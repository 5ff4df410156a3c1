package flow

import (
	"context"
	"sync"

	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// fusedRevision changes whenever the fused executor gives other bytes for the
// same draws; it is part of the plan hash.
const fusedRevision = 4

// fused draws all picture stages, as the reference does, and then samples: each
// group of warps in as few passes as fuse allows, its points on the way out.
func (p *Plan) fused(r *run, m *scratch, row *Row, stage *string) error {
	if err := p.draws(m, row, row.Source.Height, row.Source.Width, stage); err != nil {
		return err
	}
	if err := p.render(r.ctx, m, row, m.groups(row.Source.Tensor()), input{pic: row.Source}); err != nil {
		return err
	}
	return p.describe(row)
}

// describe fills the params column.
func (p *Plan) describe(row *Row) (err error) {
	if p.Params {
		row.Meta.Params, err = row.paramsJSON()
	}
	return err
}

// render makes row.Picture from what the first group reads: in the row's slot if it
// has one. It ends early, with the cause, when the context does.
func (p *Plan) render(ctx context.Context, m *scratch, row *Row, list []group, in input) error {
	keep := row.kept // people look at what is on the way
	row.Shown = row.Source
	row.Picture = row.Source
	var borrowed *schema.Picture // in.pic, where it is to be given back
	for i := range list {
		g, from, lent := &list[i], &in, borrowed
		var pic *schema.Picture
		borrowed = nil
		switch {
		case g.mapper != nil:
			pic = g.mapper.mapper.Map(g.mapper.params, from.pic)
		case i == len(list)-1 && !keep && row.slot != nil && row.slot.Tensor() == g.out:
			pic = row.slot
			p.sample(ctx, m, pic, from, g.chain, g.points)
		case i == len(list)-1 || keep:
			pic = newPicture(g.out)
			p.sample(ctx, m, pic, from, g.chain, g.points)
		default:
			pic = borrow(g.out)
			borrowed = pic
			p.sample(ctx, m, pic, from, g.chain, g.points)
		}
		if keep {
			row.Shown = p.shown(ctx, m, row.Shown, from, pic, g)
		}
		giveBack(lent)
		in = input{pic: pic}
		row.Picture = pic
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// shown is the last uint8 HWC picture up to the end of a group that makes pic
// from from.
func (p *Plan) shown(ctx context.Context, m *scratch, before *schema.Picture, from *input, pic *schema.Picture, g *group) *schema.Picture {
	if isRGB(g.out) {
		return pic
	}
	n := len(g.points)
	for n > 0 && !isRGB(g.points[n-1].out) {
		n--
	}
	if g.mapper != nil || !from.isRGB() || n == 0 && len(g.chain) == 0 {
		return before
	}
	out := g.out // of the last point that leaves RGB; points keep the size
	out.DType, out.Layout = schema.Uint8, schema.HWC
	shown := newPicture(out)
	p.sample(ctx, m, shown, from, g.chain, g.points[:n])
	return shown
}

func isRGB(t schema.Tensor) bool { return t.DType == schema.Uint8 && t.Layout == schema.HWC }

// sample carries out warps and points into dst.
func (p *Plan) sample(ctx context.Context, m *scratch, dst *schema.Picture, in *input, chain []warp.Transform, points []op) {
	if !in.isRGB() { // points only
		src := in.pic
		for _, o := range points {
			src = applyPoint(src, *o.point, o.out)
		}
		copy(dst.U8, src.U8)
		copy(dst.F32, src.F32)
		return
	}
	passes, src := in.passes, in.rgb
	if in.pic != nil {
		passes = m.fuser.Fuse(in.pic.Height, in.pic.Width, chain, p.Settings.Fuse == FuseFull)
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
			pixel = m.pixel(points)
		} else {
			to = borrow(schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: pass.Height, Width: pass.Width})
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

// pixel is points in a row as one function of a byte, tabulated where each
// channel goes its own way. Tables that don't depend on the row are kept; others
// last until the next.
func (m *scratch) pixel(points []op) warp.Pixel {
	if len(points) == 0 {
		return warp.Pixel{}
	}
	if n := inRows(points); n > 0 {
		pixel := m.pixel(points[n:])
		pixel.Row = func(rgb []uint8) {
			for i := range points[:n] {
				applyRow(points[i:i+1], rgb)
			}
		}
		return pixel
	}
	separate, constant, key := true, true, uint64(0)
	for _, o := range points {
		separate = separate && o.point.Separate
		_, nothing := o.params.(stages.Nothing)
		constant = constant && nothing && o.step < 64
		key |= 1 << o.step
	}
	if !separate {
		return warp.Pixel{Map: func(rgb [3]float32) [3]float32 { return applyPoints(points, rgb) }}
	}
	float := points[len(points)-1].out.DType == schema.Float32
	if !constant && float {
		return tabulate(points, warp.Pixel{F32: &m.f32})
	} else if !constant {
		return tabulate(points, warp.Pixel{U8: &m.u8})
	}
	pixel, known := m.tables[key]
	if !known {
		if float {
			pixel.F32 = new([3][256]float32)
		} else {
			pixel.U8 = new([3][256]uint8)
		}
		if m.tables == nil {
			m.tables = map[uint64]warp.Pixel{}
		}
		m.tables[key] = tabulate(points, pixel)
	}
	return pixel
}

// inRows is how many points, the first ones, are done row by row: up to the last that has
// a function for that.
func inRows(points []op) (n int) {
	for i, o := range points {
		if o.out.DType != schema.Uint8 {
			break
		}
		if o.point.Row != nil {
			n = i + 1
		}
	}
	return n
}

// applyRow is a point of a row of uint8 pixels.
func applyRow(points []op, rgb []uint8) {
	if row := points[0].point.Row; row != nil {
		row(rgb)
		return
	}
	for ; len(rgb) >= 3; rgb = rgb[3:] {
		for c, v := range applyPoints(points, [3]float32{float32(rgb[0]), float32(rgb[1]), float32(rgb[2])}) {
			rgb[c] = uint8(v)
		}
	}
}

// tabulate fills the table of px, which it returns.
func tabulate(points []op, px warp.Pixel) warp.Pixel {
	for i := range 256 {
		v := float32(i)
		for c, v := range applyPoints(points, [3]float32{v, v, v}) {
			if px.F32 != nil {
				px.F32[c][i] = v
			} else {
				px.U8[c][i] = uint8(v)
			}
		}
	}
	if px.F32 != nil {
		return warp.Tabulated(px.F32)
	}
	return px
}

// applyPoints is applyPoint for one pixel, one point after the other.
func applyPoints(points []op, rgb [3]float32) [3]float32 {
	for _, o := range points {
		rgb = o.point.Map(rgb)
		if o.out.DType == schema.Uint8 {
			for c, v := range rgb {
				rgb[c] = float32(warp.RoundToByte(v))
			}
		}
	}
	return rgb
}

// pictures are those between passes.
var pictures = sync.Pool{New: func() any { return new(schema.Picture) }}

// borrow is a picture whose pixels are anything.
func borrow(t schema.Tensor) *schema.Picture {
	if !isRGB(t) {
		return newPicture(t)
	}
	pic := pictures.Get().(*schema.Picture)
	if cap(pic.U8) < t.Elements() {
		pic.U8 = make([]uint8, t.Elements())
	}
	pic.Height, pic.Width, pic.Layout, pic.U8 = t.Height, t.Width, t.Layout, pic.U8[:t.Elements()]
	return pic
}

// giveBack returns what borrow gave, or nothing.
func giveBack(pic *schema.Picture) {
	if pic != nil && pic.U8 != nil {
		pictures.Put(pic)
	}
}

func newPicture(t schema.Tensor) *schema.Picture {
	pic := &schema.Picture{Height: t.Height, Width: t.Width, Layout: t.Layout}
	if t.DType == schema.Float32 {
		pic.F32 = make([]float32, t.Elements())
	} else {
		pic.U8 = make([]uint8, t.Elements())
	}
	return pic
}
