package decode

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"

	"github.com/sluicedata/sluice/internal/png"
	"github.com/sluicedata/sluice/schema"
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
	if !f.Interlaced && h.Orientation == 1 {
		h.png = f
	}
	return h, func(ctx context.Context) (*schema.Picture, error) {
		p := schema.NewPicture(f.Height, f.Width)
		if err := withPNG(func(d *png.Decoder) error { return d.Decode(ctx, f, p.U8) }); err != nil {
			return nil, pngError(err)
		}
		return p, nil
	}, nil
}

// HasRegions reports whether parts of the picture can be decoded by themselves.
func (h *Parsed) HasRegions() bool { return h.png != nil }

// RegionBytes is the memory that Region takes.
func (h *Parsed) RegionBytes(part image.Rectangle) int64 {
	return 3*int64(part.Dx())*int64(part.Dy()) + h.png.Memory()
}

// Region decodes a part of the picture to RGB, row by row, in into's memory where it fits.
// Damage below it isn't noticed, but for wrong checksums of chunks; a file that is cut always is.
func (h *Parsed) Region(ctx context.Context, part image.Rectangle, into []uint8) (rgb []uint8, err error) {
	defer recovered(h.Format, &err)
	n := 3 * part.Dx() * part.Dy()
	if cap(into) < n {
		into = make([]uint8, n)
	}
	err = withPNG(func(d *png.Decoder) error { return d.Region(ctx, h.png, part, into[:n]) })
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("decode: %s: %w", h.Format, pngError(err))
	}
	return into[:n], nil
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
