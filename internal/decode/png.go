package decode

import (
	"context"
	"errors"
	"image"
	"sync"

	"github.com/sluicedata/sluice/internal/png"
)

// pngDecoders keep their memory for other small pictures; a large picture's is dropped.
var pngDecoders = sync.Pool{New: func() any { return new(png.Decoder) }}

const pngKept = 4 << 20

func parsePNG(data []byte) (Header, pixelFunc, error) {
	var h Header
	var about notes
	f, err := png.Parse(data, func(kind string, body []byte) {
		switch kind {
		case "eXIf", "tEXt", "zTXt", "iTXt":
			about.pngChunk(kind, body)
		}
	})
	if err != nil {
		return h, nil, pngError(err)
	}
	h.Width, h.Height, h.Orientation = f.Width, f.Height, about.orientation()
	h.DecodeBytes = 3*h.Pixels() + f.Memory()
	h.regions = pngRegions{f}
	return h, entire(h.regions, f.Height, f.Width), nil
}

// pngRegions decodes parts of a file.
type pngRegions struct{ *png.File }

func (f pngRegions) Region(ctx context.Context, part image.Rectangle, rgb []uint8) error {
	return pngError(withPNG(func(d *png.Decoder) error { return d.Region(ctx, f.File, part, rgb) }))
}

// withPNG lends a decoder.
func withPNG(do func(d *png.Decoder) error) error {
	d := pngDecoders.Get().(*png.Decoder)
	err := do(d)
	if d.Kept() <= pngKept {
		pngDecoders.Put(d)
	}
	return err
}

// pngError makes a truncated file ErrTruncated.
func pngError(err error) error {
	if errors.Is(err, png.ErrTruncated) {
		return truncated{err}
	}
	return err
}

// truncated is an error that is ErrTruncated, with its own text.
type truncated struct{ error }

func (truncated) Is(target error) bool { return target == ErrTruncated }
func (t truncated) Unwrap() error      { return t.error }
