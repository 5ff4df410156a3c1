package flow

import (
	"slices"

	"github.com/sluicedata/sluice/internal/planar"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// op is what one stage does to one row: a warp, a point, or a map.
type op struct {
	step      int
	transform *warp.Transform   // of a Warper
	point     *stages.PixelFunc // of a Pixelwise, or of a Mapper that is one today
	mapper    stages.Mapper
	params    stages.Params
	out       schema.Tensor // what leaves
}

// group is the ops that run together: warps, then points; or one map.
type group struct {
	chain  []warp.Transform
	points []op
	mapper *op
	ops    []op // all of them
	out    schema.Tensor
}

// scratch is the memory in which rows are drawn and composed, one after the other:
// what is made of a row there lasts until the next. It belongs to one goroutine and
// one plan.
type scratch struct {
	row        stages.Row
	rand       rng.Stream
	steps      []stepScratch // by step
	drawn      []Drawn
	ops        []op
	transforms []warp.Transform // of ops, in their order
	list       []group
	fuser      warp.Fuser
	mirrored   []warp.Transform // a chain after the orientation of a file
	planes     planar.YCC
	tables     map[uint64]warp.Pixel // of points that don't depend on the row, by their steps
	u8         [3][256]uint8         // of those that do
	f32        [3][256]float32
}

type stepScratch struct {
	params stages.Params // of the last row that had some
	point  stages.PixelFunc
	fixed  bool // point is that of Nothing
}

// draw draws one step of a row, for a picture of that size.
func (m *scratch) draw(p *Plan, i int, stage stages.PictureStage, row *Row, height, width int) (stages.Params, error) {
	if m.steps == nil {
		m.steps = make([]stepScratch, len(p.steps))
	}
	m.rand = *p.steps[i].key.Stream(row.epoch, row.Meta.Position, row.Attempt)
	m.row = stages.Row{
		Key: row.Meta.Key, Height: height, Width: width, Labels: row.Meta.Labels,
		Epoch: row.epoch, Position: row.Meta.Position, Rand: &m.rand, Recycled: m.steps[i].params,
	}
	params, err := stage.Draw(&m.row)
	if err == nil && params != nil {
		m.steps[i].params = params
		m.drawn = append(m.drawn, Drawn{p.steps[i].name, params})
	}
	return params, err
}

// point is what a step does to pixels.
func (m *scratch) point(i int, stage stages.Pixelwise, params stages.Params) *stages.PixelFunc {
	s := &m.steps[i]
	if _, nothing := params.(stages.Nothing); !nothing || !s.fixed {
		s.point, s.fixed = stage.PixelFunc(params), nothing
	}
	return &s.point
}

// draws draws every picture stage of a row whose source has that size, into m.ops.
// No pixel is needed for it: the sizes between the stages follow from the transforms.
func (p *Plan) draws(m *scratch, row *Row, height, width int, stage *string) error {
	m.ops, m.drawn = m.ops[:0], m.drawn[:0]
	row.Matrix, row.source = warp.Identity().Homography(), [2]int{height, width}
	m.transforms = slices.Grow(m.transforms[:0], len(p.steps)) // ops point into it
	t := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: height, Width: width}
	for i := range p.steps {
		s := &p.steps[i]
		drawer, ok := s.stage.(stages.PictureStage)
		if !ok {
			continue
		}
		*stage = s.name
		params, err := m.draw(p, i, drawer, row, t.Height, t.Width)
		if err != nil {
			return err
		}
		if params == nil {
			continue
		}
		o := op{step: i, params: params, out: t}
		switch stage := drawer.(type) {
		case stages.Warper:
			m.transforms = append(m.transforms, stage.Warp(params, t.Height, t.Width))
			w := &m.transforms[len(m.transforms)-1]
			if err := w.Check(t.Height, t.Width); err != nil {
				panic(err) // as warp.Apply does
			}
			o.transform = w
			o.out.Height, o.out.Width = w.Height, w.Width
			if forward, ok := w.Homography().Invert(); ok {
				row.Matrix = row.Matrix.Then(forward)
			}
		case stages.Pixelwise:
			if o.out, err = stage.Output(t); err != nil {
				return err
			}
			o.point = m.point(i, stage, params)
		case stages.Mapper:
			if o.out, err = stage.Output(t); err != nil {
				return err
			}
			o.out.Height, o.out.Width = t.Height, t.Width // Output knows the static type only
			if exact, ok := stage.(stages.PixelwiseMapper); ok {
				if m.steps[i].point, ok = exact.MapPixels(params); ok {
					o.point = &m.steps[i].point
					break
				}
			}
			o.mapper = stage
		}
		m.ops = append(m.ops, o)
		t = o.out
	}
	row.Drawn = m.drawn
	return nil
}

// groups cuts a row's ops: a warp after a point begins a new group, and so does
// whatever follows a map.
func (m *scratch) groups(source schema.Tensor) []group {
	m.list = m.list[:0]
	g := group{out: source}
	end := func() {
		if len(g.ops) > 0 {
			m.list = append(m.list, g)
			g = group{out: g.out}
		}
	}
	first, warps := 0, 0 // the group's first op; transforms before the op at hand
	for i := range m.ops {
		o := &m.ops[i]
		if o.mapper != nil || o.transform != nil && len(g.points) > 0 || g.mapper != nil {
			end()
			first = i
		}
		g.ops, g.out = m.ops[first:i+1], o.out
		switch {
		case o.mapper != nil:
			g.mapper = o
		case o.transform != nil:
			warps++
			g.chain = m.transforms[warps-len(g.chain)-1 : warps : warps]
		default:
			g.points = g.ops[len(g.chain):]
		}
	}
	end()
	return m.list
}
