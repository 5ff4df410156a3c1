package decode

import (
	"context"
	"errors"
	"image"
	"sync"

	"github.com/sluicedata/sluice/internal/webp"
	"github.com/sluicedata/sluice/schema"
)

// vp8Decoders keep their memory for other small pictures; a large picture's is dropped.
var vp8Decoders = sync.Pool{New: func() any { return new(webp.VP8Decoder) }}

const vp8Kept = 8 << 20

// lossyWebP is a lossy picture, of which parts can be decoded.
type lossyWebP struct{ webp.VP8 }

// Memory is that of any part.
func (f *lossyWebP) Memory() int64 { return f.VP8.Memory(image.Rect(0, 0, f.Width, f.Height)) }

func (f *lossyWebP) Region(ctx context.Context, part image.Rectangle, rgb []uint8) error {
	d := vp8Decoders.Get().(*webp.VP8Decoder)
	err := d.Decode(ctx, &f.VP8, part, rgb)
	if d.Kept() <= vp8Kept {
		vp8Decoders.Put(d)
	}
	return webpError(err)
}

// picture is the whole picture.
func (f *lossyWebP) picture(ctx context.Context) (*schema.Picture, error) {
	p := schema.NewPicture(f.Height, f.Width)
	if err := f.Region(ctx, image.Rect(0, 0, f.Width, f.Height), p.U8); err != nil {
		return nil, err
	}
	return p, nil
}

// webpError makes a truncated file ErrTruncated.
func webpError(err error) error {
	if errors.Is(err, webp.ErrTruncated) {
		return truncated{err}
	}
	return err
}
