package picture

import (
	"encoding/json"
	"errors"
	"image"
	"slices"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Drawn is what one stage drew.
type Drawn struct {
	Stage    string // its name in the params column
	Params   stages.Params
	Strength float64 // of a stage with conditions or a strength; 1 of others
}

// Chosen is how strongly a stage acts that has conditions or a strength; 0: not at all.
type Chosen struct {
	Stage    string
	Strength float64
}

// Draw is one picture under way, from Prepare to the end of Make.
type Draw struct {
	Drawn  []Drawn  // of the stages that act
	Chosen []Chosen // the stages that have conditions or a strength
	Labels []int32  // as stages leave them; those of the draw where none has changed any
	Source [2]int   // height and width as decoded
	Bytes  int64    // that making the picture takes, beside its file; 0 where it can't be made

	program *Program
	of      Of
	data    []byte
	stage   string          // that is under way
	err     error           // what stage said, or why there are no draws
	drawn   bool            // for a source of that size
	isJPEG  bool            // file is open
	file    decode.File     // closed at the end of Make
	parsed  decode.Parsed   // of a file in another format
	source  *schema.Picture // in place of a file
	stored  schema.Picture  // its pixels are data's own, where the file holds RGB as such

	row        stages.Row
	rand       rng.Stream
	memory     []stageMemory // by stage
	ops        []op
	transforms []warp.Transform // of ops, in their order
	groups     []group
	fuser      warp.Fuser // of the first group
	others     warp.Fuser // of the others, for their cost
	mirrored   []warp.Transform
	view       view
	targets    targets
}

// stageMemory is what the draws of a stage have in common.
type stageMemory struct {
	params stages.Params // of the last picture that had some
	pixel  stages.PixelFunc
	fixed  bool // pixel is that of Nothing
}

// op is what one stage does to one picture: a warp, a function of a pixel, an edit, or a map.
type op struct {
	stage     int  // in Program.Stages
	step      bool // it is one of what its stage, a Composite, does
	as        stages.PictureStage
	transform *warp.Transform // of a Warper
	pixel     *stages.PixelFunc
	mapper    stages.Mapper // nil where pixel or editor does what it would
	editor    stages.Editor
	params    stages.Params
	out       schema.Tensor // what leaves
}

// group is the operations that run together: warps, then functions of a pixel, then edits;
// or one map.
type group struct {
	chain  []warp.Transform
	pixels []op
	edits  []op // of what the others have made
	mapper *op
	ops    []op // all of them
	out    schema.Tensor
}

// view is what the first group takes of a JPEG file: draws need only the size, and the
// first pass then says which part of the picture it reads. Under fuse: full a resampling
// reads the planes themselves, decoded at a scale where the picture shrinks much; else it
// reads RGB, whose bytes are those of the whole picture.
type view struct {
	passes []*warp.Pass
	region image.Rectangle // of the stored picture, its sides exchanged where the upright one's are
	ycc    bool
	scale  int
}

// draw draws every stage of the program for a source of that size. No pixel is needed for
// it: the sizes between the stages follow from the transforms.
func (d *Draw) draw(height, width int) error {
	p := d.program
	d.ops, d.Drawn, d.Chosen, d.Labels = d.ops[:0], d.Drawn[:0], d.Chosen[:0], d.of.Labels
	d.Source = [2]int{height, width}
	if len(d.memory) != len(p.Stages) {
		d.memory = make([]stageMemory, len(p.Stages))
	}
	d.transforms = slices.Grow(d.transforms[:0], len(p.Stages)) // groups are parts of it
	t := rgb(height, width)
	d.stage = TargetsStage
	if err := d.targets.begin(d.of.Targets, orientation(d), height, width); err != nil {
		return err
	}
	for i := range p.Stages {
		d.stage = p.Stages[i].Name
		as, strength := p.Stages[i].choose(&d.of)
		if p.Stages[i].Choose != nil {
			d.Chosen = append(d.Chosen, Chosen{p.Stages[i].Name, strength})
		}
		if as == nil {
			continue
		}
		params, err := d.params(i, as, strength, t)
		if err != nil {
			return err
		}
		if params == nil {
			continue
		}
		if composite, ok := as.(stages.Composite); ok {
			for _, step := range composite.Steps(params) {
				if t, err = act(d, op{stage: i, step: true, as: step.Stage, params: step.Params}, t); err != nil {
					return err
				}
			}
			continue
		}
		if t, err = act(d, op{stage: i, as: as, params: params}, t); err != nil {
			return err
		}
	}
	return nil
}

// act appends an operation to a draw, on a picture of type t, and returns the type that it makes.
func act(d *Draw, o op, t schema.Tensor) (out schema.Tensor, err error) {
	o.out = t
	m := &d.memory[o.stage]
	switch stage := o.as.(type) {
	case stages.Warper:
		if err := d.warp(&o, stage.Warp(o.params, t.Height, t.Width), t); err != nil {
			return t, err
		}
	case stages.Pixelwise:
		if o.out, err = stage.Output(t); err != nil {
			return t, err
		}
		o.pixel = m.pixelFunc(&o, stage)
	case stages.Mapper:
		if o.out, err = stage.Output(t); err != nil {
			return t, err
		}
		o.out.Height, o.out.Width = t.Height, t.Width // Output knows the static type only
		o.mapper = stage
		if editor, ok := stage.(stages.Editor); ok {
			o.editor, o.mapper = editor, nil
		}
		if exact, ok := stage.(stages.PixelwiseMapper); ok {
			if f, ok := exact.MapPixels(o.params); ok {
				o.pixel, o.editor, o.mapper = m.keep(&o, f), nil, nil
			}
		}
	}
	d.ops = append(d.ops, o)
	return o.out, nil
}

// pixelFunc is what a stage does to each pixel: of one that draws nothing, what it did before.
func (m *stageMemory) pixelFunc(o *op, stage stages.Pixelwise) *stages.PixelFunc {
	_, nothing := o.params.(stages.Nothing)
	if nothing = nothing && !o.step; nothing && m.fixed {
		return &m.pixel
	}
	m.fixed = nothing
	return m.keep(o, stage.PixelFunc(o.params))
}

// keep holds a function of a pixel until the next draw.
func (m *stageMemory) keep(o *op, f stages.PixelFunc) *stages.PixelFunc {
	if o.step { // its stage may have several
		own := f
		return &own
	}
	m.pixel = f
	return &m.pixel
}

// params draws one stage, for a picture of that size.
func (d *Draw) params(i int, as stages.PictureStage, strength float64, t schema.Tensor) (stages.Params, error) {
	s, of := &d.program.Stages[i], &d.of
	d.rand = *s.Key.Stream(of.Epoch, of.Position, of.Attempt)
	d.row = stages.Row{
		Key: of.Key, Height: t.Height, Width: t.Width, Labels: d.Labels,
		Epoch: of.Epoch, Position: of.Position, Rand: &d.rand, Recycled: d.memory[i].params,
	}
	objects, looks := as.(stages.ObjectStage)
	if looks {
		d.row.Objects = d.targets.enter(t.Height, t.Width)
	}
	params, err := as.Draw(&d.row)
	if looks && err == nil && params != nil {
		d.targets.keep(objects, s.Name, params)
	}
	if relabels, ok := as.(stages.Relabeler); ok && err == nil && params != nil {
		if task, label, changed := relabels.Relabel(params, d.Labels); changed {
			d.Labels = slices.Clone(d.Labels) // they belong to the draw
			d.Labels[task] = label
		}
	}
	if err == nil && params != nil {
		d.memory[i].params = params
		d.Drawn = append(d.Drawn, Drawn{s.Name, params, strength})
	}
	return params, err
}

// orientation is that of a draw's file.
func orientation(d *Draw) int {
	switch {
	case d.isJPEG:
		return d.file.Orientation
	case d.parsed.Format != "":
		return d.parsed.Orientation
	}
	return 1
}

// warp makes o a transform of a picture of type t.
func (d *Draw) warp(o *op, transform warp.Transform, t schema.Tensor) error {
	d.transforms = append(d.transforms, transform)
	w := &d.transforms[len(d.transforms)-1]
	if err := w.Check(t.Height, t.Width); err != nil {
		return err
	}
	if d.targets.in != nil && !d.targets.path.Apply(w, t.Height, t.Width) {
		return errors.New("its transform has no inverse, so nothing says where objects are")
	}
	o.transform = w
	o.out.Height, o.out.Width = w.Height, w.Width
	return nil
}

// Matrix is the composed warps of a draw, from source to output pixels.
func Matrix(d *Draw) warp.Homography {
	m := warp.Identity().Homography()
	for i := range d.ops {
		if w := d.ops[i].transform; w != nil {
			if forward, ok := w.Homography().Invert(); ok {
				m = m.Then(forward)
			}
		}
	}
	return m
}

// ParamsRevision changes with the form of the params column. 2: source and output.
const ParamsRevision = 2

// JSON is the params column: what each stage drew, by its name; the composed matrix, 2x3
// numbers, or 3x3 where a perspective was drawn; and height and width of the picture that
// it starts from, as decoded, and of the one that it leads to. Stages that draw nothing
// are left out. With conditions or strengths, strength has those of their stages, 0 where one
// left the row alone.
func (d *Draw) JSON(pic *schema.Picture) (string, error) {
	matrix := Matrix(d)
	out := map[string]any{"matrix": matrix.Affine(), "source": d.Source, "output": [2]int{pic.Height, pic.Width}}
	if matrix.Projective() {
		out["matrix"] = matrix.Unit()
	}
	if len(d.Chosen) > 0 {
		strengths := map[string]float64{}
		for _, c := range d.Chosen {
			strengths[c.Stage] = c.Strength
		}
		out["strength"] = strengths
	}
	for _, drawn := range d.Drawn {
		b, err := json.Marshal(drawn.Params)
		if err != nil {
			return "", err
		}
		if string(b) != "{}" {
			out[drawn.Stage] = json.RawMessage(b)
		}
	}
	b, err := json.Marshal(out)
	return string(b), err
}
