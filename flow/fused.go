package flow

import (
	"sync"

	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// fusedRevision changes whenever the fused executor gives other bytes for the
// same draws; it is part of the plan hash.
const fusedRevision = 3

// op is what one stage does to one row: a warp, a point, or a map.
type op struct {
	step      int
	transform *warp.Transform // of a Warper
	point     *stages.Point   // of a Pointer, or of a Mapper that is one today
	mapper    stages.Mapper
	params    stages.Params
	out       schema.Tensor // what leaves
}

// fused draws all picture stages, as the reference does, and then samples: each
// group of warps in as few passes as fuse allows, its points on the way out.
func (p *Plan) fused(row *Row, epoch int, position int64, stage *string) error {
	row.Matrix = warp.Identity().Homography()
	ops, err := p.ops(row, row.Source.Height, row.Source.Width, epoch, position, stage)
	if err != nil {
		return err
	}
	p.render(row, groups(ops, row.Source.Tensor()), &input{pic: row.Source})
	return p.describe(row)
}

// describe fills the params column.
func (p *Plan) describe(row *Row) (err error) {
	if p.Params {
		row.Meta.Params, err = row.paramsJSON()
	}
	return err
}

// ops draws every picture stage of a row whose source has that size. No pixel
// is needed for it: the sizes between the stages follow from the transforms.
func (p *Plan) ops(row *Row, height, width, epoch int, position int64, stage *string) ([]op, error) {
	ops := make([]op, 0, len(p.steps))
	t := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: height, Width: width}
	for i := range p.steps {
		s := &p.steps[i]
		drawer, ok := s.stage.(stages.Drawer)
		if !ok {
			continue
		}
		*stage = s.name
		params, err := drawer.Draw(&stages.Row{
			Key: row.Meta.Key, Height: t.Height, Width: t.Width, Labels: row.Meta.Labels,
			Epoch: epoch, Position: position, Rand: s.key.Stream(epoch, position, row.Attempt),
		})
		if err != nil {
			return nil, err
		}
		if params == nil {
			continue
		}
		row.Drawn = append(row.Drawn, Drawn{s.name, params})
		o := op{step: i, params: params, out: t}
		switch stage := drawer.(type) {
		case stages.Warper:
			w := stage.Warp(params, t.Height, t.Width)
			if err := w.Check(t.Height, t.Width); err != nil {
				panic(err) // as warp.Apply does
			}
			o.transform = &w
			o.out.Height, o.out.Width = w.Height, w.Width
			if forward, ok := w.Homography().Invert(); ok {
				row.Matrix = row.Matrix.Then(forward)
			}
		case stages.Pointer:
			if o.out, err = stage.Output(t); err != nil {
				return nil, err
			}
			point := stage.Point(params)
			o.point = &point
		case stages.Mapper:
			if o.out, err = stage.Output(t); err != nil {
				return nil, err
			}
			o.out.Height, o.out.Width = t.Height, t.Width // Output knows the static type only
			if exact, ok := stage.(stages.PointMapper); ok {
				if point, ok := exact.MapPoint(params); ok {
					o.point = &point
					break
				}
			}
			o.mapper = stage
		}
		ops = append(ops, o)
		t = o.out
	}
	return ops, nil
}

// group is the ops that run together: warps, then points; or one map.
type group struct {
	chain  []warp.Transform
	points []op
	mapper *op
	ops    []op // all of them
	out    schema.Tensor
}

// groups cuts a row's ops: a warp after a point begins a new group, and so does
// whatever follows a map.
func groups(ops []op, source schema.Tensor) []group {
	var list []group
	g := group{out: source}
	end := func() {
		if len(g.ops) > 0 {
			list = append(list, g)
			g = group{out: g.out}
		}
	}
	first := 0
	for i := range ops {
		o := &ops[i]
		if o.mapper != nil || o.transform != nil && len(g.points) > 0 || g.mapper != nil {
			end()
			first = i
		}
		switch {
		case o.mapper != nil:
			g.mapper = o
		case o.transform != nil:
			g.chain = append(g.chain, *o.transform)
		default:
			g.points = append(g.points, *o)
		}
		g.ops, g.out = ops[first:i+1], o.out
	}
	end()
	return list
}

// render makes row.Picture from what the first group reads: in the row's slot if it
// has one.
func (p *Plan) render(row *Row, list []group, in *input) {
	keep := row.kept // people look at what is on the way
	row.Shown = row.Source
	row.Picture = row.Source
	var borrowed *schema.Picture // in.pic, where it is to be given back
	for i := range list {
		g, from, lent := &list[i], in, borrowed
		var pic *schema.Picture
		borrowed = nil
		switch {
		case g.mapper != nil:
			pic = g.mapper.mapper.Map(g.mapper.params, from.pic)
		case i == len(list)-1 && !keep && row.slot != nil && row.slot.Tensor() == g.out:
			pic = row.slot
			p.sample(pic, from, g.chain, g.points)
		case i == len(list)-1 || keep:
			pic = newPicture(g.out)
			p.sample(pic, from, g.chain, g.points)
		default:
			pic = borrow(g.out)
			borrowed = pic
			p.sample(pic, from, g.chain, g.points)
		}
		if keep {
			row.Shown = p.shown(row.Shown, from, pic, g)
		}
		giveBack(lent)
		in = &input{pic: pic}
		row.Picture = pic
	}
}

// shown is the last uint8 HWC picture up to the end of a group that makes pic
// from from.
func (p *Plan) shown(before *schema.Picture, from *input, pic *schema.Picture, g *group) *schema.Picture {
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
	p.sample(shown, from, g.chain, g.points[:n])
	return shown
}

func isRGB(t schema.Tensor) bool { return t.DType == schema.Uint8 && t.Layout == schema.HWC }

// sample carries out warps and points into dst.
func (p *Plan) sample(dst *schema.Picture, in *input, chain []warp.Transform, points []op) {
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
		passes = warp.Fuse(in.pic.Height, in.pic.Width, chain, p.Settings.Fuse == FuseFull)
		src = warp.Whole(in.pic)
	}
	var borrowed *schema.Picture
	for i, pass := range passes {
		to, pixel := dst, warp.Pixel{}
		if i == len(passes)-1 {
			pixel = p.pixel(points)
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
// channel goes its own way. Tables that don't depend on the row are kept.
func (p *Plan) pixel(points []op) warp.Pixel {
	if len(points) == 0 {
		return warp.Pixel{}
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
	if constant {
		if known, ok := p.tables.Load(key); ok {
			return known.(warp.Pixel)
		}
	}
	pixel := tabulate(points)
	if constant {
		p.tables.Store(key, pixel)
	}
	return pixel
}

func tabulate(points []op) warp.Pixel {
	var px warp.Pixel
	if points[len(points)-1].out.DType == schema.Float32 {
		px.F32 = new([3][256]float32)
	} else {
		px.U8 = new([3][256]uint8)
	}
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
