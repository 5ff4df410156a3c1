package decode

import (
	"context"
	"errors"
	"image"
	"sync"

	"github.com/sluicedata/sluice/internal/webp"
)

// webpDecoders keep their memory for other small pictures; a large picture's is dropped.
var webpDecoders = sync.Pool{New: func() any { return new(webp.Decoder) }}

const webpKept = 8 << 20

// webpFile is a file of which parts can be decoded.
type webpFile struct{ *webp.File }

func parseWebP(data []byte) (Header, pixelFunc, error) {
	parsed, err := webp.Parse(data)
	if err != nil {
		return Header{}, nil, webpError(err)
	}
	f := webpFile{parsed}
	about := notes{exif: f.EXIF, xmp: f.XMP}
	h := Header{Width: f.Width, Height: f.Height, Orientation: about.orientation(), regions: f}
	h.DecodeBytes = 3*h.Pixels() + f.Memory()
	return h, entire(f, f.Height, f.Width), nil
}

// Memory is that of any part.
func (f webpFile) Memory() int64 { return f.File.Memory(image.Rect(0, 0, f.Width, f.Height)) }

func (f webpFile) Region(ctx context.Context, part image.Rectangle, rgb []uint8) error {
	d := webpDecoders.Get().(*webp.Decoder)
	err := d.Decode(ctx, f.File, part, rgb)
	d.Release()
	if d.Kept() <= webpKept {
		webpDecoders.Put(d)
	}
	return webpError(err)
}

// webpError makes a truncated file ErrTruncated.
func webpError(err error) error {
	if errors.Is(err, webp.ErrTruncated) {
		return truncated{err}
	}
	return err
}
