package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/schema"
)

// Applier makes single images as the batches of a run have them, outside of any run: for
// serving, evaluation, and looking. It knows a pipeline's picture stages, seed and fuse,
// and no source. It never changes, and is safe for concurrent use.
type Applier struct {
	rows     *rows
	run      *schema.Run // of its batches: one variant
	settings *Settings
	tools    sync.Pool // *tools: memory, and nothing that was decided
	images   recycler
}

const nothingToApply = "the pipeline has no decode stage: there is nothing to apply"

// Applier is the pipeline's picture stages by themselves. Its source isn't opened, and may be nil:
// a machine that serves doesn't have the data. Nor are there tasks, so no draw has labels.
// Samplers, class_weights, batch and multiscale have no say: of them only the options are checked.
func (p *Pipeline) Applier(opts ...Option) (*Applier, error) {
	settings := p.Settings
	for _, set := range opts {
		set(&settings)
	}
	settings.defaults()
	list := newSteps(p.Stages, settings.Seed)
	if err := errors.Join(settings.check(), list.checkAfter(nil, true, sizing{})); err != nil {
		return nil, p.explained(&PipelineError{err})
	}
	if list.decoder() == nil {
		return nil, &PipelineError{errors.New("flow: " + nothingToApply)}
	}
	errs := []error{list.conditionsAlone(settings.Epochs)}
	for _, i := range list.needingStats() {
		errs = append(errs, &StageError{i, "stages: " + list[i].name, errors.New("dataset asks for figures of the data, and no source is open: give the numbers that `sluice plan` shows for it")})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, p.explained(&PipelineError{err})
	}
	rows := &rows{pictures: list.program(&settings, 0), params: settings.Params, policy: settings.Failures.Policy}
	run := &schema.Run{Seed: settings.Seed, Params: settings.Params, Epochs: settings.Epochs, BatchSize: 1, Form: list.form(), Variants: list.variants()}
	return newApplier(rows, run, &settings), nil
}

// CheckApplier is Check for Applier: it looks at the stages alone.
func (p *Pipeline) CheckApplier() error { return newSteps(p.Stages, 0).checkAfter(nil, true, sizing{}) }

// NeedsData reports whether a stage asks for figures of the data set (normalize: {mean: dataset}),
// or for the samples of its classes (when: {class_count: ...}).
// Then the pipeline has no Applier, but its Plan, which measures them, has one.
func (p *Pipeline) NeedsData() bool {
	list := newSteps(p.Stages, 0)
	return len(list.needingStats()) > 0 || slices.ContainsFunc(list, func(s step) bool { return s.needsData() })
}

func newApplier(r *rows, run *schema.Run, s *Settings) *Applier {
	return &Applier{rows: r, run: run, settings: s}
}

// Info is what the batches of Apply are: their form, and the type of the pictures.
func (a *Applier) Info() *schema.Run { return a.run.Clone() }

// Random names the stages that take random numbers, by a trial draw for a large picture: what
// they do to an image depends on the address of its draw.
func (a *Applier) Random() []string {
	names := []string{}
	for _, s := range a.rows.pictures.Stages {
		if draws(&step{name: s.Name, key: s.Key}, s.Stage) {
			names = append(names, s.Name)
		}
	}
	return names
}

// Settings are the parameters, with their defaults.
func (a *Applier) Settings() Settings { return *a.settings }

// Draw is the address of a draw for an image that is of no source: its random numbers,
// and what stages and columns may say of it. The zero value is what an evaluation
// pipeline, which draws nothing at random, needs.
type Draw struct {
	Key      string
	Labels   []int32 // class numbers, per task; nil: unknown
	Weight   float32 // 0: 1
	Values   []any   // of the columns that the plan's source adds; nil: none
	Epoch    int     // 0 to 2^31-1
	Position int64   // from 0
}

// tools are what one Apply leaves for the next.
type tools struct {
	draw    picture.Draw
	maker   picture.Maker
	builder *schema.Builder
}

// borrow gives those of an earlier Apply, or new ones.
func (a *Applier) borrow() (*tools, error) {
	if t, ok := a.tools.Get().(*tools); ok {
		return t, nil
	}
	builder, err := schema.NewBuilder(a.run, a.settings.allocator())
	if err == nil && a.settings.Allocator == nil {
		builder.ImagesFrom(&a.images)
	}
	return &tools{builder: builder}, err
}

// recycler is an allocator for buffers of one size: those that were freed are used again,
// since Go's memory comes zeroed, and from the system page by page.
type recycler struct{ free sync.Pool } // *[]byte

func (r *recycler) Allocate(size int) []byte {
	if b, ok := r.free.Get().(*[]byte); ok && cap(*b) >= size {
		return (*b)[:size]
	}
	return memory.DefaultAllocator.Allocate(size)
}

func (r *recycler) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	return memory.DefaultAllocator.Reallocate(size, b)
}

func (r *recycler) Free(b []byte) { r.free.Put(&b) }

// Apply makes one image as a batch would have it: the pipeline's picture stages, with its
// seed and the draw's address, on []byte, an encoded file; on an image.Image,
// which is taken as a PNG file of it would be (RGB; transparency is dropped); or on a
// *schema.Picture, uint8 HWC RGB. None of them is changed. The batch
// has one row, before the pipeline's scales; the caller releases it. Samplers have no say,
// and nothing is read.
//
// Errors are RowErrors, of the key given.
func (a *Applier) Apply(ctx context.Context, img any, draw Draw) (*schema.Batch, error) {
	sample := Sample{Key: draw.Key, Labels: draw.Labels, Weight: draw.Weight, Values: draw.Values}
	if sample.Key == "" {
		sample.Key = "image"
	}
	if draw.Epoch < 0 || draw.Position < 0 {
		return nil, fmt.Errorf("flow: Apply: epoch %d, position %d: draws are counted from 0", draw.Epoch, draw.Position)
	}
	if draw.Epoch > math.MaxInt32 {
		return nil, fmt.Errorf("flow: Apply: epoch %d: at most %d, for the column epoch is int32", draw.Epoch, math.MaxInt32)
	}
	var source *schema.Picture
	err := guard("Apply: reading the image", func() (err error) {
		sample.Data, source, err = a.input(img)
		return err
	})
	if err != nil {
		return nil, err
	}
	if sample.Data == nil {
		sample.Data = []byte{}
	}
	if _, err := a.rows.checkSample(sample); err != nil {
		return nil, err
	}
	row := a.rows.locateGiven(&sample, draw.Epoch, draw.Position, nil)
	if row.fault != nil {
		return nil, row.failed("source", row.fault)
	}
	tools, err := a.borrow()
	if err != nil {
		return nil, err
	}
	defer a.tools.Put(tools)
	defer tools.draw.Drop()
	row.draw = &tools.draw
	if source != nil {
		row.draw.PrepareSource(a.rows.pictures, row.address(), source)
	} else {
		a.rows.prepare(&row)
	}
	draft := tools.builder.Draft(draw.Epoch, 0, 1)
	var slot *schema.Picture // where the picture may be sampled right away
	if a.run.Form == schema.FormTensor && !a.rows.pictures.Decoder.Gray() {
		slot = draft.Slot(0)
	}
	if failed := a.rows.make(ctx, &tools.maker, &row, slot, nil); failed != nil {
		draft.Discard()
		return nil, failed
	}
	draft.SetMeta(0, row.meta)
	if row.picture != slot {
		if err := draft.SetPicture(0, row.picture); err != nil {
			draft.Discard()
			return nil, row.failed("batch", err)
		}
	}
	return draft.Finish()
}

// input is an image as a file, or as decoded. The image may be malformed, and panic.
func (a *Applier) input(img any) (file []byte, source *schema.Picture, err error) {
	switch img := img.(type) {
	case []byte:
		return img, nil, nil
	case *schema.Picture:
		if isNil(img) || img.Height < 1 || img.Width < 1 {
			return nil, nil, fmt.Errorf("flow: Apply: there is no image, or one without pixels (%T)", img)
		}
		if t := img.Tensor(); t.DType != schema.Uint8 || t.Layout != schema.HWC || len(img.U8) != 3*img.Height*img.Width {
			return nil, nil, fmt.Errorf("flow: Apply: a picture of type %s with %d bytes: it takes uint8 hwc with three channels, 3*height*width bytes", t, len(img.U8))
		}
		if a.rows.pictures.Decoder.Gray() { // in place
			img = &schema.Picture{Height: img.Height, Width: img.Width, Layout: img.Layout, U8: slices.Clone(img.U8)}
		}
		return nil, img, nil
	case image.Image:
		if isNil(img) || img.Bounds().Empty() {
			return nil, nil, fmt.Errorf("flow: Apply: there is no image, or one without pixels (%T)", img)
		}
		if source = pictureOf(img); source == nil {
			if file, err = encodePNG(img); err != nil {
				return nil, nil, fmt.Errorf("flow: Apply: %w", err)
			}
		}
		return file, source, nil
	}
	return nil, nil, fmt.Errorf("flow: Apply takes an encoded image as []byte, an image.Image, or a *schema.Picture, and got %T", img)
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
