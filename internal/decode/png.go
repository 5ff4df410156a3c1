package decode

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"

	"github.com/sluicedata/sluice/schema"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// deflateMax is the most that one byte of deflate can stand for.
const deflateMax = 1032

// pngChannels is the number of channels of each PNG colour type.
var pngChannels = map[byte]int64{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

func isPNG(data []byte) bool { return bytes.HasPrefix(data, []byte(pngSignature)) }

// parsePNG walks the chunks from IHDR to IEND. Their checksums and contents are
// image/png's to check.
func parsePNG(data []byte) (Header, pixelFunc, error) {
	var h Header
	var about notes
	var depth, compressed int64
	for rest := data[len(pngSignature):]; ; {
		if len(rest) < 12 {
			return h, nil, fmt.Errorf("%w: no IEND chunk in its %d bytes", ErrTruncated, len(data))
		}
		length, kind := int64(binary.BigEndian.Uint32(rest)), string(rest[4:8])
		if length > int64(len(rest)-12) {
			return h, nil, fmt.Errorf("%w: it ends within a chunk %q", ErrTruncated, kind)
		}
		body := rest[8 : 8+length]
		switch {
		case kind == "IHDR" && length == 13 && h.Width == 0:
			w, hgt := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
			if w > 1<<31-1 || hgt > 1<<31-1 {
				return h, nil, fmt.Errorf("the picture is %dx%d", hgt, w)
			}
			h.Width, h.Height = int(w), int(hgt)
			depth = int64(body[8]) * pngChannels[body[9]]
		case h.Width == 0:
			return h, nil, fmt.Errorf("it begins with the chunk %q instead of IHDR", kind)
		case kind == "eXIf", kind == "tEXt", kind == "zTXt", kind == "iTXt":
			about.pngChunk(kind, body)
		case kind == "IDAT":
			compressed += length
		case kind == "IEND":
			// In float64: two 31-bit sides and 64 bits a pixel overflow an int64.
			if need := float64(h.Width) * float64(h.Height) * float64(depth) / 8; need > deflateMax*float64(compressed+64) {
				return h, nil, fmt.Errorf("%w: %d bytes of data cannot hold %dx%d pixels",
					ErrTruncated, compressed, h.Height, h.Width)
			}
			h.Orientation = about.orientation()
			h.DecodeBytes = 6 * h.Pixels()
			return h, func(context.Context) (*schema.Picture, error) { return decodePNG(data) }, nil
		}
		rest = rest[12+length:]
	}
}

func decodePNG(data []byte) (*schema.Picture, error) {
	img, err := png.Decode(bytes.NewReader(data))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: the pixel data ends early", ErrTruncated)
	}
	if err != nil {
		return nil, fmt.Errorf("damaged file: %w", err)
	}
	return fromImage(img)
}

// fromImage drops what an RGB picture doesn't hold from the stored values of
// the image types of the standard library: alpha, and the low byte of 16 bits.
func fromImage(img image.Image) (*schema.Picture, error) {
	b := img.Bounds()
	p := schema.NewPicture(b.Dy(), b.Dx())
	var pix []uint8
	var stride, step int
	at := [3]int{0, 1, 2} // offsets of R, G and B within a pixel
	switch m := img.(type) {
	case *image.Gray:
		pix, stride, step, at = m.Pix, m.Stride, 1, [3]int{}
	case *image.Gray16:
		pix, stride, step, at = m.Pix, m.Stride, 2, [3]int{}
	case *image.RGBA: // opaque: image/png uses it for RGB without alpha
		pix, stride, step = m.Pix, m.Stride, 4
	case *image.NRGBA:
		pix, stride, step = m.Pix, m.Stride, 4
	case *image.RGBA64:
		pix, stride, step, at = m.Pix, m.Stride, 8, [3]int{0, 2, 4}
	case *image.NRGBA64:
		pix, stride, step, at = m.Pix, m.Stride, 8, [3]int{0, 2, 4}
	case *image.Paletted:
		fillPaletted(p, m.Pix, m.Stride, rgbPalette(m.Palette))
		return p, nil
	default:
		return nil, fmt.Errorf("an image of type %T", img)
	}
	for y := range p.Height {
		row := pix[y*stride:]
		out := p.U8[3*y*p.Width : 3*(y+1)*p.Width]
		for x := range p.Width {
			s := row[x*step : x*step+step]
			out[3*x], out[3*x+1], out[3*x+2] = s[at[0]], s[at[1]], s[at[2]]
		}
	}
	return p, nil
}

// rgbPalette is a palette's stored colours, without alpha; black beyond its end.
func rgbPalette(colours color.Palette) *[256][3]uint8 {
	var table [256][3]uint8
	for i, c := range colours {
		switch c := c.(type) {
		case color.RGBA:
			table[i] = [3]uint8{c.R, c.G, c.B}
		case color.NRGBA:
			table[i] = [3]uint8{c.R, c.G, c.B}
		}
	}
	return &table
}

// fillPaletted looks up one byte per pixel.
func fillPaletted(p *schema.Picture, pix []uint8, stride int, table *[256][3]uint8) {
	for y := range p.Height {
		out := p.U8[3*y*p.Width : 3*(y+1)*p.Width]
		for x, index := range pix[y*stride:][:p.Width] {
			copy(out[3*x:3*x+3], table[index][:])
		}
	}
}
