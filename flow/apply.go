package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Drawn is what one stage drew for a row.
type Drawn struct {
	Stage  string // its name in the params column
	Params stages.Params
}

// Row is one finished draw, to be looked at: its columns, the picture as it leaves, and
// how it came about. preview shows it.
type Row struct {
	Meta    schema.Meta
	Sample  int             // number in the index; -1: not of the index
	Attempt int             // 0, or which refill of the draw: its random numbers are that attempt's
	Encoded []byte          // the file
	Source  *schema.Picture // as decoded; nil in a pipeline without decode
	Picture *schema.Picture // as it leaves
	Display *schema.Picture // the last uint8 HWC picture of the way: what people look at
	Drawn   []Drawn
	Matrix  stages.Homography // the composed warps, from source to output pixels
	Repairs int               // places of a file that were repaired: damage (decode's truncated: fill), or scans that it lacks
}

// Row makes a single draw, outside of any run, as a run would deliver it.
func (p *Plan) Row(ctx context.Context, epoch int, position int64) (*Row, error) {
	first := p.rows.locate(epoch, position, nil)
	if first.fault != nil {
		return nil, first.failed("source", first.fault)
	}
	at := &desk{rows: p.rows, views: new(picture.Views)}
	err := at.read(ctx, &first)
	row, failed := p.rows.complete(ctx, new(picture.Maker), &first, err, at)
	switch {
	case row != nil:
		return at.row(row), nil
	case len(failed) > 0:
		return nil, failed[len(failed)-1]
	}
	return nil, context.Cause(ctx)
}

// desk is the place of a row outside of runs, where its pictures are looked at.
type desk struct {
	rows  *rows
	views *picture.Views
}

func (*desk) slot() *schema.Picture  { return nil }
func (d *desk) look() *picture.Views { return d.views }
func (*desk) put(*row) error         { return nil }

func (d *desk) read(ctx context.Context, row *row) *RowError {
	if err := d.rows.read(ctx, row, nil, false); err != nil {
		return err
	}
	if d.rows.pictures != nil {
		row.draw = new(picture.Draw)
		d.rows.prepare(row)
	}
	return nil
}

func (d *desk) row(made *row) *Row {
	out := &Row{
		Meta: made.meta, Sample: made.sample, Attempt: made.attempt, Encoded: made.encoded,
		Source: d.views.Source, Picture: made.picture, Display: d.views.Last, Repairs: made.repairs,
	}
	if draw := made.draw; draw != nil {
		out.Matrix = draw.Matrix
		for _, drawn := range draw.Drawn {
			out.Drawn = append(out.Drawn, Drawn(drawn))
		}
	}
	return out
}

// Draw is the address of a draw for an image that is of no source: its random numbers,
// and what stages and columns may say of it. The zero value is what an evaluation
// pipeline, which draws nothing at random, needs.
type Draw struct {
	Key      string
	Labels   []int32 // class numbers, per task; nil: unknown
	Weight   float32 // 0: 1
	Values   []any   // of the columns that the plan's source adds; nil: none
	Epoch    int
	Position int64
}

// tools are what one Apply leaves for the next.
type tools struct {
	draw    picture.Draw
	maker   picture.Maker
	builder *schema.Builder
}

// toolsOf are those of an earlier Apply, or new ones.
func toolsOf(p *Plan) (*tools, error) {
	if t, ok := p.applied.Get().(*tools); ok {
		return t, nil
	}
	builder, err := schema.NewBuilder(p.base(), p.settings.allocator())
	return &tools{builder: builder}, err
}

// Apply makes one image as a batch would have it: the pipeline's picture stages, with the
// plan's seed and the draw's address, on []byte, an encoded file, or on an image.Image,
// which is taken as a PNG file of it would be (RGB; transparency is dropped). The batch
// has one row, before the pipeline's scales; the caller releases it. Samplers have no say,
// and nothing is read. It is safe for concurrent use: serving needs no second
// preprocessing.
//
// Errors are RowErrors, of the key given; a pipeline without decode has nothing to apply.
func (p *Plan) Apply(ctx context.Context, img any, draw Draw) (*schema.Batch, error) {
	if p.rows.pictures == nil {
		return nil, errors.New("flow: Apply: the pipeline has no decode stage: there is nothing to apply")
	}
	sample := Sample{Key: draw.Key, Labels: draw.Labels, Weight: draw.Weight, Values: draw.Values}
	if sample.Key == "" {
		sample.Key = "image"
	}
	var source *schema.Picture
	switch img := img.(type) {
	case []byte:
		sample.Data = img
	case image.Image:
		if isNil(img) || img.Bounds().Empty() {
			return nil, fmt.Errorf("flow: Apply: there is no image, or one without pixels (%T)", img)
		}
		var err error
		if source = pictureOf(img); source == nil {
			if sample.Data, err = encodePNG(img); err != nil {
				return nil, fmt.Errorf("flow: Apply: %w", err)
			}
		}
	default:
		return nil, fmt.Errorf("flow: Apply takes an encoded image as []byte, or an image.Image, and got %T", img)
	}
	if draw.Epoch < 0 || draw.Position < 0 {
		return nil, fmt.Errorf("flow: Apply: epoch %d, position %d: draws are counted from 0", draw.Epoch, draw.Position)
	}
	if sample.Data == nil {
		sample.Data = []byte{}
	}
	if _, err := p.rows.checkSample(sample); err != nil {
		return nil, err
	}
	row := p.rows.locateGiven(&sample, draw.Epoch, draw.Position, nil)
	if row.fault != nil {
		return nil, row.failed("source", row.fault)
	}
	tools, err := toolsOf(p)
	if err != nil {
		return nil, err
	}
	defer p.applied.Put(tools)
	defer tools.draw.Drop()
	row.draw = &tools.draw
	if source != nil {
		row.draw.PrepareSource(p.rows.pictures, row.address(), source)
	} else {
		p.rows.prepare(&row)
	}
	draft := tools.builder.Draft(draw.Epoch, 0, 1)
	if failed := p.rows.make(ctx, &tools.maker, &row, nil, nil); failed != nil {
		draft.Discard()
		return nil, failed
	}
	draft.SetMeta(0, row.meta)
	if err := draft.SetPicture(0, row.picture); err != nil {
		draft.Discard()
		return nil, row.failed("batch", err)
	}
	return draft.Finish()
}

// pictureOf is an image's pixels in RGB, as its PNG file has them; nil for a kind of image
// that has no short way there.
func pictureOf(img image.Image) *schema.Picture {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	var row func(dst []uint8, y int)
	switch m := img.(type) {
	case *image.YCbCr:
		row = func(dst []uint8, y int) {
			for x := range w {
				r, g, b, _ := m.YCbCrAt(b.Min.X+x, y).RGBA()
				dst[3*x], dst[3*x+1], dst[3*x+2] = uint8(r>>8), uint8(g>>8), uint8(b>>8)
			}
		}
	case *image.Gray:
		row = func(dst []uint8, y int) {
			for x, v := range m.Pix[m.PixOffset(b.Min.X, y):][:w] {
				dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
			}
		}
	case *image.NRGBA:
		row = func(dst []uint8, y int) { dropAlpha(dst, m.Pix[m.PixOffset(b.Min.X, y):][:4*w]) }
	case *image.RGBA:
		if !m.Opaque() { // colours are premultiplied
			return nil
		}
		row = func(dst []uint8, y int) { dropAlpha(dst, m.Pix[m.PixOffset(b.Min.X, y):][:4*w]) }
	default:
		return nil
	}
	pic := schema.NewPicture(h, w)
	for y := range h {
		row(pic.U8[3*w*y:][:3*w], b.Min.Y+y)
	}
	return pic
}

func dropAlpha(rgb, rgba []uint8) {
	for ; len(rgba) >= 4; rgb, rgba = rgb[3:], rgba[4:] {
		rgb[0], rgb[1], rgb[2] = rgba[0], rgba[1], rgba[2]
	}
}

// encodePNG is an image's PNG file, which holds its pixels as they are.
func encodePNG(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.NoCompression}
	err := encoder.Encode(&b, img)
	return b.Bytes(), err
}
