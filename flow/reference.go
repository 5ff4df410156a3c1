package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// RowError is a row that could not be made: which sample, which draw, in which
// stage, and why.
type RowError struct {
	Stage    string // "source" where reading failed
	Key      string
	Epoch    int
	Position int64
	Err      error
}

func (e *RowError) Error() string {
	text := strings.TrimPrefix(e.Err.Error(), e.Stage+": ") // decoders name themselves
	return fmt.Sprintf("stages: %s: %s (key %q, epoch %d, position %d)", e.Stage, text, e.Key, e.Epoch, e.Position)
}

// Unwrap is the cause.
func (e *RowError) Unwrap() error { return e.Err }

// Drawn is what one stage drew for a row.
type Drawn struct {
	Stage  string // its name in the params column
	Params stages.Params
}

// Row is one finished draw: its columns, the picture as it leaves, and how it
// came about. preview and replay show it.
type Row struct {
	Meta    schema.Meta
	Sample  int             // number in the index
	Encoded []byte          // the file
	Source  *schema.Picture // as decoded; nil in a pipeline without decode
	Picture *schema.Picture // as it leaves
	Shown   *schema.Picture // the last uint8 HWC picture of the way: what people look at
	Drawn   []Drawn
	Matrix  warp.Affine // the composed warps, from source to output pixels
}

// Row makes a single draw, outside of any run.
func (p *Plan) Row(ctx context.Context, epoch int, position int64) (*Row, error) {
	row, stage := &Row{}, "source"
	r := &run{plan: p, ctx: ctx, stats: newStats(p)}
	if err := p.safeDraw(r, row, epoch, position, &stage); err != nil {
		return nil, &RowError{stage, row.Meta.Key, epoch, position, err}
	}
	return row, nil
}

// makeRow makes one row of a batch and puts it into its place there.
func (p *Plan) makeRow(r *run, t task) error {
	row, stage := &Row{}, "source"
	position := t.batch.job.first + int64(t.row)
	err := p.safeDraw(r, row, t.batch.job.epoch, position, &stage)
	if err == nil {
		stage = "batch"
		err = t.batch.put(t.row, row)
	}
	if err != nil {
		return &RowError{stage, row.Meta.Key, t.batch.job.epoch, position, err}
	}
	return nil
}

// put copies a row into its place in the batch.
func (b *pending) put(at int, row *Row) error {
	b.draft.SetMeta(at, row.Meta)
	if row.Picture == nil {
		b.draft.SetEncoded(at, row.Encoded)
		return nil
	}
	return b.draft.SetPicture(at, row.Picture)
}

// safeDraw is draw with a panic turned into an error: a stage or a decoder
// must not kill the process.
func (p *Plan) safeDraw(r *run, row *Row, epoch int, position int64, stage *string) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		}
	}()
	return p.draw(r, row, epoch, position, stage)
}

// draw is the reference executor: stage after stage on whole pictures. stage
// always names what is under way.
func (p *Plan) draw(r *run, row *Row, epoch int, position int64, stage *string) error {
	index := p.dataset.Index()
	row.Meta.Position = position
	row.Sample = p.order.At(epoch, position)
	row.Meta.Key = index.Keys[row.Sample]
	row.Meta.SourceIndex = index.SourceIndex(row.Sample)
	row.Meta.Weight = index.Weight(row.Sample)
	for t := range index.Tasks {
		row.Meta.Labels = append(row.Meta.Labels, index.Labels[t][row.Sample])
	}
	for _, weigh := range p.weigh {
		row.Meta.Weight *= weigh(row.Meta.Labels)
	}
	begin := time.Now()
	var err error
	if row.Encoded, err = p.dataset.Read(r.ctx, row.Sample, nil); err != nil {
		return err
	}
	begin = r.stats.read.add(begin)
	if p.decoder == nil && p.Params {
		row.Meta.Params = "{}"
	}
	if p.decoder != nil {
		*stage = p.decoder.Name()
		if row.Source, err = decode.Decode(row.Encoded, p.decoder.MaxPixels()); err != nil {
			return err
		}
		begin = r.stats.decode.add(begin)
		err = p.transform(row, epoch, position, stage)
		r.stats.transform.add(begin)
	}
	return err
}

// transform draws and applies the picture stages.
func (p *Plan) transform(row *Row, epoch int, position int64, stage *string) error {
	row.Picture, row.Shown, row.Matrix = row.Source, row.Source, warp.Identity()
	for i := range p.steps {
		s := &p.steps[i]
		drawer, ok := s.stage.(stages.Drawer)
		if !ok {
			continue
		}
		*stage = s.name
		pic := row.Picture
		params, err := drawer.Draw(&stages.Row{
			Key: row.Meta.Key, Height: pic.Height, Width: pic.Width, Labels: row.Meta.Labels,
			Epoch: epoch, Position: position, Rand: s.key.Stream(epoch, position, 0),
		})
		if err != nil {
			return err
		}
		if params == nil {
			continue
		}
		row.Drawn = append(row.Drawn, Drawn{s.name, params})
		switch stage := drawer.(type) {
		case stages.Warper:
			t := stage.Warp(params, pic.Height, pic.Width)
			row.Picture = warp.Apply(pic, t)
			if forward, ok := t.Matrix.Invert(); ok {
				row.Matrix = row.Matrix.Then(forward)
			}
		case stages.Pointer:
			out, err := stage.Output(pic.Tensor())
			if err != nil {
				return err
			}
			row.Picture = applyPoint(pic, stage.Point(params), out)
		}
		if row.Picture.U8 != nil && row.Picture.Layout == schema.HWC {
			row.Shown = row.Picture
		}
	}
	if !p.Params {
		return nil
	}
	var err error
	row.Meta.Params, err = row.paramsJSON()
	return err
}

// paramsJSON is the params column: what each stage drew, by its name, and the
// composed matrix. Stages that draw nothing are left out.
func (row *Row) paramsJSON() (string, error) {
	out := map[string]any{"matrix": row.Matrix}
	for _, d := range row.Drawn {
		b, err := json.Marshal(d.Params)
		if err != nil {
			return "", err
		}
		if string(b) != "{}" {
			out[d.Stage] = json.RawMessage(b)
		}
	}
	b, err := json.Marshal(out)
	return string(b), err
}

// applyPoint maps every pixel into a new picture of the given type.
func applyPoint(src *schema.Picture, point stages.Point, t schema.Tensor) *schema.Picture {
	dst := &schema.Picture{Height: src.Height, Width: src.Width, Layout: t.Layout}
	n := 3 * src.Height * src.Width
	if t.DType == schema.Float32 {
		dst.F32 = make([]float32, n)
	} else {
		dst.U8 = make([]uint8, n)
	}
	pixels := src.Height * src.Width
	for i := range pixels {
		var rgb [3]float32
		for c := range rgb {
			at := offset(src.Layout, pixels, i, c)
			if src.F32 != nil {
				rgb[c] = src.F32[at]
			} else {
				rgb[c] = float32(src.U8[at])
			}
		}
		rgb = point.Map(rgb)
		for c := range rgb {
			at := offset(t.Layout, pixels, i, c)
			if dst.F32 != nil {
				dst.F32[at] = rgb[c]
			} else {
				dst.U8[at] = uint8(min(max(math.Floor(float64(rgb[c])+0.5), 0), 255))
			}
		}
	}
	return dst
}

// offset is where channel c of pixel i lies.
func offset(layout schema.Layout, pixels, i, c int) int {
	if layout == schema.CHW {
		return c*pixels + i
	}
	return 3*i + c
}
