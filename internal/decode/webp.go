package decode

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"

	"github.com/sluicedata/sluice/internal/webp"
	"github.com/sluicedata/sluice/schema"
	"golang.org/x/image/vp8l"
)

// Flags of a VP8X chunk.
const (
	webpAnimated = 1 << 1
	webpXMP      = 1 << 2
	webpEXIF     = 1 << 3
)

func isWebP(data []byte) bool {
	return len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP"
}

// webpFrame is a coded picture, lossy or lossless.
type webpFrame struct {
	height, width int
	lossless      bool
	lossy         lossyWebP
	chunk         []byte
}

// parseWebP walks the RIFF chunks. x/image's container reader is not used: it
// would decode the alpha plane, which is dropped here, and knows no animations. An
// animation is its first frame on a black canvas (as in libwebp's decoder of animations:
// the background colour is for viewers).
func parseWebP(data []byte) (Header, pixelFunc, error) {
	var h Header
	var about notes // libwebp sees only chunks that the flags announce
	var flags byte
	size := int64(binary.LittleEndian.Uint32(data[4:])) + 8
	if size > int64(len(data)) {
		return h, nil, fmt.Errorf("%w: %d of %d bytes", ErrTruncated, len(data), size)
	}
	var frame webpFrame
	var left, top int
	err := eachChunk(data[12:max(size, 12)], func(kind string, body []byte) (err error) {
		switch {
		case kind == "VP8X" && len(body) >= 10 && h.Width == 0:
			flags = body[0]
			h.Width, h.Height = 1+uint24(body[4:]), 1+uint24(body[7:])
		case kind == "ANMF" && flags&webpAnimated != 0 && frame.chunk == nil:
			left, top, err = frame.animated(body)
		case flags&webpAnimated == 0:
			err = frame.take(kind, body)
		}
		switch {
		case kind == "EXIF" && flags&webpEXIF != 0 && about.exif == nil && len(body) > 0:
			about.exif = body
		case kind == "XMP " && flags&webpXMP != 0 && about.xmp == nil:
			about.xmp = body
		}
		return err
	})
	switch {
	case err != nil:
		return h, nil, err
	case frame.chunk == nil:
		return h, nil, fmt.Errorf("%w: no picture chunk", ErrTruncated)
	case h.Width == 0:
		h.Width, h.Height = frame.width, frame.height
	}
	whole := h.Width == frame.width && h.Height == frame.height
	if !whole && flags&webpAnimated == 0 || left+frame.width > h.Width || top+frame.height > h.Height {
		return h, nil, fmt.Errorf("a picture of %dx%d on a canvas of %dx%d", frame.height, frame.width, h.Height, h.Width)
	}
	h.Orientation = about.orientation()
	h.DecodeBytes = frame.bytes()
	if whole {
		if !frame.lossless {
			h.regions = &frame.lossy
		}
		return h, frame.decode, nil
	}
	h.DecodeBytes += 3 * h.Pixels()
	return h, func(ctx context.Context) (*schema.Picture, error) { return frame.on(ctx, h, left, top) }, nil
}

// on is the frame's picture at its place on a black canvas.
func (f *webpFrame) on(ctx context.Context, canvas Header, left, top int) (*schema.Picture, error) {
	part, err := f.decode(ctx)
	if err != nil {
		return nil, err
	}
	p := schema.NewPicture(canvas.Height, canvas.Width)
	for y := range part.Height {
		if y%64 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		copy(p.U8[3*((top+y)*p.Width+left):], part.U8[3*y*part.Width:3*(y+1)*part.Width])
	}
	return p, nil
}

// animated takes the picture of an ANMF chunk, and returns its place on the canvas.
func (f *webpFrame) animated(body []byte) (left, top int, err error) {
	if len(body) < 16 {
		return 0, 0, fmt.Errorf("%w: a frame of %d bytes", ErrTruncated, len(body))
	}
	if err := eachChunk(body[16:], f.take); err != nil {
		return 0, 0, err
	}
	if w, h := 1+uint24(body[6:]), 1+uint24(body[9:]); f.chunk == nil || w != f.width || h != f.height {
		return 0, 0, fmt.Errorf("damaged file: a frame of %dx%d with a picture of %dx%d", h, w, f.height, f.width)
	}
	return 2 * uint24(body), 2 * uint24(body[3:]), nil
}

// eachChunk calls f for every RIFF chunk. They are padded to even lengths.
func eachChunk(rest []byte, f func(kind string, body []byte) error) error {
	for len(rest) >= 8 {
		kind, length := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		if length > int64(len(rest)-8) {
			return fmt.Errorf("%w: it ends within a chunk %q", ErrTruncated, kind)
		}
		if err := f(kind, rest[8:8+length]); err != nil {
			return err
		}
		rest = rest[min(8+length+length&1, int64(len(rest))):]
	}
	return nil
}

// take keeps the first picture chunk.
func (f *webpFrame) take(kind string, body []byte) (err error) {
	if f.chunk != nil {
		return nil
	}
	switch kind {
	case "VP8 ":
		f.lossy.VP8, err = webp.ParseVP8(body)
		f.height, f.width, err = f.lossy.Height, f.lossy.Width, webpError(err)
	case "VP8L":
		f.height, f.width, err = vp8lSize(body)
		f.lossless = true
	default:
		return nil
	}
	f.chunk = body
	return err
}

// bytes is the memory that decode takes.
//
// Lossless: four bytes a pixel, in which the result lies too; two more where a palette's
// indices are packed; a quarter each for transforms and groups of codes at their finest;
// and the trees of these codes. How large the trees are only decoding tells. Four bytes
// for each byte of data and a quarter of a MiB is more than encoders make of them, but a
// file made for the purpose can have larger ones.
//
// Lossy: planes in whole blocks of 16x16, beside the result.
func (f *webpFrame) bytes() int64 {
	pixels := int64(f.height) * int64(f.width)
	if f.lossless {
		return 7*pixels + 4*int64(len(f.chunk)) + 1<<18
	}
	return 3*pixels + f.lossy.Memory() + 1<<13
}

// waitedFor is the number of pixels of a frame up to which decoding is completed even if
// the context ends: about a tenth of a second's work.
const waitedFor = 1 << 22

// decode returns when the context ends, although x/image can't be interrupted: it decodes a
// lossless frame of few codes without reading a byte. So a large one is decoded in a goroutine
// that is abandoned then. It has a copy of the data, since the caller gets his back, and ends by
// itself within seconds.
func (f *webpFrame) decode(ctx context.Context) (*schema.Picture, error) {
	if !f.lossless {
		return f.lossy.picture(ctx)
	}
	if int64(f.height)*int64(f.width) <= waitedFor {
		return f.pixels(ctx)
	}
	own := webpFrame{height: f.height, width: f.width, lossless: true, chunk: bytes.Clone(f.chunk)}
	return abandonable(ctx, own.pixels)
}

// abandonable runs decode in a goroutine, which it abandons when the context ends.
func abandonable(ctx context.Context, decode pixelFunc) (*schema.Picture, error) {
	type result struct {
		picture *schema.Picture
		err     error
	}
	ended := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if panicked := recover(); panicked != nil {
				r.err = fmt.Errorf("damaged file: the decoder panicked: %v", panicked)
			}
			ended <- r
		}()
		r.picture, r.err = decode(ctx)
	}()
	select {
	case r := <-ended:
		return r.picture, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (f *webpFrame) pixels(ctx context.Context) (*schema.Picture, error) {
	return decodeVP8L(untilDone{ctx, bytes.NewReader(f.chunk)})
}

// untilDone is a reader whose error is the context's cause once that has ended.
type untilDone struct {
	context.Context
	r io.Reader
}

func (u untilDone) Read(b []byte) (int, error) {
	if u.Err() != nil {
		return 0, context.Cause(u)
	}
	return u.r.Read(b)
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// vp8lSize reads the header of a lossless picture: two times 14 bits.
func vp8lSize(b []byte) (height, width int, err error) {
	if len(b) < 5 {
		return 0, 0, fmt.Errorf("%w: a VP8L chunk of %d bytes", ErrTruncated, len(b))
	}
	if b[0] != 0x2f {
		return 0, 0, errors.New("damaged file: the VP8L chunk has no signature")
	}
	bits := binary.LittleEndian.Uint32(b[1:])
	return int(bits>>14&0x3fff) + 1, int(bits&0x3fff) + 1, nil
}

func decodeVP8L(data untilDone) (*schema.Picture, error) {
	img, err := vp8l.Decode(data)
	if err != nil {
		return nil, explainWebP(err)
	}
	m, ok := img.(*image.NRGBA)
	if !ok || m.Stride != 4*m.Rect.Dx() {
		return nil, fmt.Errorf("an image of type %T", img)
	}
	// RGB is packed within the memory of RGBA, so that a large picture is there once.
	p := &schema.Picture{Height: m.Rect.Dy(), Width: m.Rect.Dx(), Layout: schema.HWC}
	n := 3 * p.Height * p.Width
	for i, j := 0, 0; i < n; i, j = i+3, j+4 {
		if j%(1<<20) == 0 && data.Err() != nil {
			return nil, context.Cause(data)
		}
		m.Pix[i], m.Pix[i+1], m.Pix[i+2] = m.Pix[j], m.Pix[j+1], m.Pix[j+2]
	}
	p.U8 = m.Pix[:n:n]
	return p, nil
}

func explainWebP(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the pixel data ends early", ErrTruncated)
	}
	return fmt.Errorf("damaged file: %w", err)
}
