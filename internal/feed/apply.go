package feed

import (
	"context"
	"errors"
	"image"
	"sync"
	"sync/atomic"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
)

// applying is a session's picture stages, for images that Python gives.
type applying struct {
	applier *flow.Applier
	params  bool          // are sent, too
	places  chan struct{} // of images under way at a time
}

// stagesHead answers STAGES.
type stagesHead struct {
	Image    imageHas `json:"image"`    // of a row: shape without the number of rows, 0 where it varies
	Params   bool     `json:"params"`   // are sent, too
	Measured bool     `json:"measured"` // the source was opened, for its figures
	Random   []string `json:"random"`   // the stages that draw at random
	Warnings []string `json:"warnings"`
}

// stages opens the picture stages of a pipeline: once a session, in place of a plan. The
// source is opened only where a stage asks for figures of it.
func (s *session) stages(ctx context.Context, m *message) (*reply, error) {
	ask := &Open{World: 1}
	if err := m.into(ask); err != nil {
		return nil, err
	}
	if err := s.openOnce(); err != nil {
		return nil, err
	}
	ask.StagesOnly = true
	pipe, err := s.Load(ask)
	if err != nil {
		return nil, err
	}
	head := &stagesHead{Warnings: []string{}}
	var applier *flow.Applier
	if head.Measured = pipe.NeedsData(); head.Measured {
		applier, head.Warnings, err = s.measured(ctx, ask)
	} else {
		applier, err = pipe.Applier()
	}
	if err != nil {
		return nil, err
	}
	info, settings := applier.Info(), applier.Settings()
	t := info.Variants[0].Tensor
	head.Params, head.Random = info.Params, applier.Random()
	head.Image = describeImage(t, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applying = &applying{applier: applier, params: info.Params, places: make(chan struct{}, settings.Workers)}
	return &reply{head: head}, nil
}

// measured is the stages of a pipeline whose plan measures its data.
func (s *session) measured(ctx context.Context, ask *Open) (*flow.Applier, []string, error) {
	ask.StagesOnly = false
	pipe, err := s.Load(ask)
	if err != nil {
		return nil, nil, err
	}
	plan, err := pipe.Plan(ctx)
	if err != nil {
		return nil, nil, err
	}
	applier, err := plan.Applier()
	return applier, append([]string{}, plan.Warnings()...), errors.Join(err, plan.Close())
}

// openOnce refuses a second pipeline.
func (s *session) openOnce() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening {
		return usage("feed: this engine has a pipeline or labels already: start another")
	}
	s.opening = true
	return nil
}

// given is an image of an APPLY message, and its draw.
type given struct {
	Key      string `json:"key"`
	Epoch    int    `json:"epoch"`
	Position int64  `json:"position"`
	Bytes    int    `json:"bytes"` // of the body
	Shape    []int  `json:"shape"` // height, width, 3 or 1: uint8 pixels; null: an encoded file
}

// applied answers APPLY; the pixels are the body, one image after the other.
type applied struct {
	Images []imageHas `json:"images"`
	Params []string   `json:"params"` // JSON, where they are asked for
}

// apply makes images, several at a time.
func (s *session) apply(ctx context.Context, m *message) (*reply, error) {
	s.mu.Lock()
	a := s.applying
	s.mu.Unlock()
	if a == nil {
		return nil, usage("feed: no stages are open")
	}
	var ask struct {
		Images []given `json:"images"`
	}
	if err := m.into(&ask); err != nil {
		return nil, err
	}
	inputs := make([]any, len(ask.Images))
	rest := m.body
	for i, g := range ask.Images {
		if g.Bytes < 0 || g.Bytes > len(rest) {
			return nil, usage("feed: image %d of %d has %d bytes, and %d are left of the message", i, len(ask.Images), g.Bytes, len(rest))
		}
		var err error
		if inputs[i], err = g.input(rest[:g.Bytes:g.Bytes]); err != nil {
			return nil, err
		}
		rest = rest[g.Bytes:]
	}
	if len(rest) > 0 {
		return nil, usage("feed: %d bytes of the message belong to no image", len(rest))
	}
	made := make([]*schema.Batch, len(inputs))
	release := func() {
		for _, b := range made {
			if b != nil {
				b.Release()
			}
		}
	}
	if err := a.all(ctx, ask.Images, inputs, made); err != nil {
		release()
		return nil, err
	}
	head := &applied{Images: []imageHas{}}
	body := make([][]byte, 0, len(made))
	for _, b := range made {
		pixels, t := only(b)
		head.Images = append(head.Images, describeImage(t, len(pixels)))
		body = append(body, pixels)
		if a.params {
			head.Params = append(head.Params, b.Params(0))
		}
	}
	return &reply{head: head, body: body, sent: release}, nil
}

// all makes the images in as many goroutines as there are places; the first one that fails,
// by its number, is the error.
func (a *applying) all(ctx context.Context, images []given, inputs []any, made []*schema.Batch) error {
	errs := make([]error, len(inputs))
	var next atomic.Int64
	var failed atomic.Bool
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(inputs); i = int(next.Add(1)) - 1 {
			if failed.Load() {
				return
			}
			g := &images[i]
			select {
			case a.places <- struct{}{}:
			case <-ctx.Done():
				errs[i] = context.Cause(ctx)
				return
			}
			errs[i] = guarded(func() (err error) {
				made[i], err = a.applier.Apply(ctx, inputs[i], flow.Draw{Key: g.Key, Epoch: g.Epoch, Position: g.Position})
				return err
			})
			<-a.places
			if errs[i] != nil {
				failed.Store(true)
			}
		}
	}
	var wait sync.WaitGroup
	for range min(len(inputs), cap(a.places)) - 1 {
		wait.Go(work)
	}
	work()
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// input is what flow takes: a file's bytes, or pixels.
func (g *given) input(data []byte) (any, error) {
	if g.Shape == nil {
		return data, nil
	}
	const most = 1 << 30
	if len(g.Shape) == 3 && g.Shape[0] > 0 && g.Shape[1] > 0 && g.Shape[0] < most && g.Shape[1] < most {
		height, width, channels := g.Shape[0], g.Shape[1], g.Shape[2]
		switch {
		case int64(height)*int64(width) != int64(len(data)/max(channels, 1)) || len(data)%max(channels, 1) != 0:
		case channels == 1:
			return &image.Gray{Pix: data, Stride: width, Rect: image.Rect(0, 0, width, height)}, nil
		case channels == 3:
			return &schema.Picture{Height: height, Width: width, Layout: schema.HWC, U8: data}, nil
		}
	}
	return nil, usage("feed: image %q is of shape %d in %d bytes: want height, width and 3 or 1, at least one pixel, and a byte for each value", g.Key, g.Shape, len(data))
}

// describeImage says what pictures of a type are that take so many bytes; the shape is that
// of one.
func describeImage(t schema.Tensor, bytes int) imageHas {
	return imageHas{DType: string(t.DType), Layout: string(t.Layout), Shape: rowShape(t), Bytes: bytes}
}

// rowShape is that of a picture; 0 where it varies.
func rowShape(t schema.Tensor) []int {
	channels := 3
	if t.Gray() {
		channels = 1
	}
	if t.Layout == schema.HWC {
		return []int{t.Height, t.Width, channels}
	}
	return []int{channels, t.Height, t.Width}
}

// only is the memory of a batch's only picture, and its type.
func only(b *schema.Batch) ([]byte, schema.Tensor) {
	if b.Form == schema.FormTensor {
		return pixelsOf(b), b.Tensor
	}
	p := b.Picture(0)
	return p.U8, p.Tensor()
}
