package decode

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"

	"github.com/sluicedata/sluice/schema"
	"golang.org/x/image/vp8"
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

// parseWebP walks the RIFF chunks. x/image's container reader is not used: it
// would decode the alpha plane, which is dropped here.
func parseWebP(data []byte) (Header, pixelFunc, error) {
	var h Header
	var about notes // libwebp sees only chunks that the flags announce
	var flags byte
	size := int64(binary.LittleEndian.Uint32(data[4:])) + 8
	if size > int64(len(data)) {
		return h, nil, fmt.Errorf("%w: %d of %d bytes", ErrTruncated, len(data), size)
	}
	var pixels pixelFunc
	var canvasW, canvasH int
	for rest := data[12:max(size, 12)]; len(rest) >= 8; {
		kind, length := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		if length > int64(len(rest)-8) {
			return h, nil, fmt.Errorf("%w: it ends within a chunk %q", ErrTruncated, kind)
		}
		body := rest[8 : 8+length]
		var err error
		switch {
		case kind == "VP8X" && length >= 10:
			if body[0]&webpAnimated != 0 {
				return h, nil, fmt.Errorf("animated WebP is %w: save its first frame as a picture", ErrUnsupported)
			}
			flags = body[0]
			canvasW, canvasH = 1+uint24(body[4:]), 1+uint24(body[7:])
		case kind == "VP8 " && pixels == nil:
			h.Height, h.Width, err = vp8Size(body)
			pixels = func(context.Context) (*schema.Picture, error) { return decodeVP8(body) }
		case kind == "VP8L" && pixels == nil:
			h.Height, h.Width, err = vp8lSize(body)
			pixels = func(context.Context) (*schema.Picture, error) { return decodeVP8L(body) }
		case kind == "EXIF" && flags&webpEXIF != 0 && about.exif == nil && length > 0:
			about.exif = body
		case kind == "XMP " && flags&webpXMP != 0 && about.xmp == nil:
			about.xmp = body
		}
		if err != nil {
			return h, nil, err
		}
		rest = rest[min(8+length+length&1, int64(len(rest))):] // chunks are padded to even lengths
	}
	if pixels == nil {
		return h, nil, fmt.Errorf("%w: no picture chunk", ErrTruncated)
	}
	if canvasW != 0 && (canvasW != h.Width || canvasH != h.Height) {
		return h, nil, fmt.Errorf("a picture of %dx%d on a canvas of %dx%d", h.Height, h.Width, canvasH, canvasW)
	}
	h.Orientation = about.orientation()
	h.DecodeBytes = 6 * h.Pixels()
	return h, pixels, nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// vp8Size reads the frame header of a lossy picture (RFC 6386, 9.1).
func vp8Size(b []byte) (height, width int, err error) {
	if len(b) < 10 {
		return 0, 0, fmt.Errorf("%w: a VP8 chunk of %d bytes", ErrTruncated, len(b))
	}
	if b[0]&1 != 0 || b[3] != 0x9d || b[4] != 0x01 || b[5] != 0x2a {
		return 0, 0, errors.New("damaged file: the VP8 chunk doesn't begin with a key frame")
	}
	return int(b[8]) | int(b[9]&0x3f)<<8, int(b[6]) | int(b[7]&0x3f)<<8, nil
}

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

func decodeVP8L(chunk []byte) (*schema.Picture, error) {
	img, err := vp8l.Decode(bytes.NewReader(chunk))
	if err != nil {
		return nil, explainWebP(err)
	}
	return fromImage(img)
}

func decodeVP8(chunk []byte) (*schema.Picture, error) {
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(chunk), len(chunk))
	if _, err := d.DecodeFrameHeader(); err != nil {
		return nil, explainWebP(err)
	}
	m, err := d.DecodeFrame()
	if err != nil {
		return nil, explainWebP(err)
	}
	if m.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		return nil, fmt.Errorf("VP8 with chroma %s", m.SubsampleRatio)
	}
	return vp8ToRGB(m), nil
}

func explainWebP(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the pixel data ends early", ErrTruncated)
	}
	return fmt.Errorf("damaged file: %w", err)
}
