// Package decode turns the bytes of an image file into an RGB picture.
//
// Formats are recognized by content, never by file name: JPEG, PNG, WebP (lossy and
// lossless), BMP, GIF, PPM/PGM/PBM and TIFF.
//
//	decode.go                      ReadHeader and Decode, for all formats
//	sniff.go                       what a file is that is none of them, for the error
//	jpeg.go                        JPEG files, of which parts can be decoded: File
//	upsample.go, ycc.go, rows_*    their planes to RGB, as libjpeg-turbo does
//	png.go, webp*.go, bmp.go, ...  a file for each other format
//	regions.go, scratch.go         parts of their pictures; the memory that they are decoded with
//	samples*.go                    stored pixels to RGB, a row at a time
//	exif.go, notes.go, orient.go   which way up a picture is, and turning it
//	gray.go                        RGB to grey
//
// One set of rules holds for all formats, so that a picture has the same bytes
// whichever file it was stored in, and the bytes that Pillow's
// Image.open(f).convert("RGB") gives unless a rule says otherwise:
//
//   - Grey is replicated into the three channels.
//   - Alpha is dropped. The stored, unpremultiplied RGB under it is kept, as
//     convert("RGB") and cv2.IMREAD_COLOR do; nothing is blended.
//   - Palettes are looked up; a transparent index shows its palette colour.
//   - 16 bits per channel keep the high byte, as OpenCV does. (Pillow does for
//     RGB PNG, but clips 16-bit grey to 255 and rounds 16-bit PPM.)
//   - JPEG is libjpeg-turbo's default, byte for byte: "islow" inverse DCT
//     (internal/jpeg), triangle chroma upsampling, integer colour tables
//     (upsample.go, ycc.go). Components marked as RGB stay RGB. Four components are
//     CMYK or YCCK with Adobe's inversion, converted to RGB by Pillow's formula.
//   - Lossy WebP is libwebp's default: its upsampler, its limited-range tables.
//   - A GIF is its first frame on its canvas, the rest of the canvas as Pillow
//     fills it: with the transparent index, else index 0.
//   - Orientation 1..8 is applied, found as Pillow's ImageOps.exif_transpose does
//     (notes.go): in EXIF (JPEG APP1, PNG eXIf, WebP EXIF), ImageMagick's raw profiles
//     (PNG), else XMP. Damaged metadata mean orientation 1, never an error.
//   - Colour profiles and gamma are ignored, as both libraries do.
//
// A truncated file is an error (ErrTruncated), never half a picture. Only Fill repairs
// damaged JPEG files, as libjpeg does.
// Headers are not trusted: a picture with more pixels than allowed is refused
// before a pixel buffer is allocated, and a panic in a decoder becomes an error.
package decode

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluicedata/sluice/internal/jpeg"
	"github.com/sluicedata/sluice/internal/png"
	"github.com/sluicedata/sluice/internal/webp"
	"github.com/sluicedata/sluice/schema"
)

// Revision changes whenever the bytes of any decoded picture change; it is
// part of the plan hash.
const Revision = 4

// DefaultMaxPixels is the limit on height*width where the caller gives none.
const DefaultMaxPixels = 1 << 28

// The kinds of failure a caller may want to distinguish with errors.Is. A file
// that is damaged in any other way matches none of them.
var (
	ErrUnsupported = jpeg.ErrUnsupported
	ErrTruncated   = jpeg.ErrTruncated
	ErrTooLarge    = errors.New("too many pixels")
)

// Header is what is known of an image before a pixel is decoded.
type Header struct {
	Format        string // "JPEG", "PNG", "WebP", "BMP", "GIF", "PPM" or "TIFF"
	Height, Width int    // of the picture that Decode returns: after EXIF orientation
	Orientation   int    // EXIF orientation 1..8; 1 if there is none
	// DecodeBytes is the most memory that Decode takes in addition to data, the picture's
	// included.
	DecodeBytes int64

	rgbAt   int     // where the picture's RGB begins in data; 0: it isn't stored as such
	regions regions // of the picture as stored; nil: it is decoded as a whole
}

// Pixels is the number of pixels of the picture.
func (h Header) Pixels() int64 { return int64(h.Height) * int64(h.Width) }

// CheckPixels refuses a picture of more pixels than that; 0 means DefaultMaxPixels.
func (h Header) CheckPixels(most int64) error {
	set := ", which decode: {max_pixels: N} sets"
	if most <= 0 { // as that of masks, which no option sets
		most, set = DefaultMaxPixels, ""
	}
	if h.Pixels() > most {
		return fmt.Errorf("decode: %s: %w: %dx%d is %d, the limit is %d%s",
			h.Format, ErrTooLarge, h.Height, h.Width, h.Pixels(), most, set)
	}
	return nil
}

// stored is the size as the file stores it, before orientation.
func (h Header) stored() (height, width int) {
	if swapsSides(h.Orientation) {
		return h.Width, h.Height
	}
	return h.Height, h.Width
}

// format is one file format. parse reads the header, at a cost that does not
// depend on the number of pixels; the function it returns decodes the pixels as
// stored, and finds any damage after the header. DecodeBytes is what that function takes,
// 3 bytes a pixel of the picture included, without turning it upright.
type format struct {
	name       string
	extensions []string
	magic      func(data []byte) bool
	parse      func(data []byte) (Header, pixelFunc, error)
}

// pixelFunc returns the context's cause soon after the context ends.
type pixelFunc func(context.Context) (*schema.Picture, error)

var formats = []format{
	{"JPEG", []string{".jpg", ".jpeg", ".jpe", ".jfif"}, jpeg.Is, parseJPEG},
	{"PNG", []string{".png"}, png.Is, parsePNG},
	{"WebP", []string{".webp"}, webp.Is, parseWebP},
	{"BMP", []string{".bmp", ".dib"}, isBMP, parseBMP},
	{"GIF", []string{".gif"}, isGIF, parseGIF},
	{"PPM", []string{".ppm", ".pgm", ".pbm", ".pnm"}, isPNM, parsePNM},
	{"TIFF", []string{".tif", ".tiff"}, isTIFF, parseTIFF},
}

// Extensions lists the file name extensions, in lower case and with their dot,
// that a folder of files takes for images.
func Extensions() []string {
	var all []string
	for _, f := range formats {
		all = append(all, f.extensions...)
	}
	return all
}

// Parsed is a file whose header has been read.
type Parsed struct {
	Header
	pixels pixelFunc
}

// Parse reads the format, the size and the orientation. No pixel is decoded. data is kept.
func Parse(data []byte) (p Parsed, err error) {
	p.Header, p.pixels, err = parse(data)
	return p, err
}

// Stored is the picture's RGB, row by row, within the data that was parsed, of a file that
// holds it as such: binary PPM of 8 bits. Of any other it is nil. It must not be changed.
func (h *Parsed) Stored(data []byte) []uint8 {
	if h.rgbAt == 0 {
		return nil
	}
	return data[h.rgbAt:][: 3*h.Pixels() : 3*h.Pixels()]
}

// ReadHeader is Parse for those who want no pixels.
func ReadHeader(data []byte) (h Header, err error) {
	h, _, err = parse(data)
	return h, err
}

// Decode decodes a picture to uint8 HWC. One of more than maxPixels is refused from its
// header; 0 means DefaultMaxPixels. data is not kept. When ctx ends, the error is its
// cause.
func Decode(ctx context.Context, data []byte, maxPixels int64) (*schema.Picture, error) {
	p, err := Parse(data)
	if err != nil {
		return nil, err
	}
	return p.Decode(ctx, maxPixels)
}

// Decode is the function of that name for a file whose header has been read.
func (h Parsed) Decode(ctx context.Context, maxPixels int64) (p *schema.Picture, err error) {
	if err := h.CheckPixels(maxPixels); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	defer recovered(h.Format, &err)
	p, err = h.pixels(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, ofFormat(h.Format, err)
	}
	if height, width := h.stored(); p.Height != height || p.Width != width {
		return nil, fmt.Errorf("decode: %s: decoded %dx%d where the header says %dx%d",
			h.Format, p.Height, p.Width, height, width)
	}
	return orient(ctx, p, h.Orientation)
}

// ofFormat says of which format an error is, where it doesn't begin with that.
func ofFormat(format string, err error) error {
	if strings.HasPrefix(err.Error(), format+" ") {
		return fmt.Errorf("decode: %w", err)
	}
	return fmt.Errorf("decode: %s: %w", format, err)
}

// parse recognizes the format by content, reads the header and returns the function
// that decodes the pixels.
func parse(data []byte) (h Header, pixels pixelFunc, err error) {
	for _, f := range formats {
		if !f.magic(data) {
			continue
		}
		defer recovered(f.name, &err)
		h, pixels, err = f.parse(data)
		if err != nil {
			return Header{}, nil, ofFormat(f.name, err)
		}
		if h.Height <= 0 || h.Width <= 0 {
			return Header{}, nil, fmt.Errorf("decode: %s: the picture is %dx%d", f.name, h.Height, h.Width)
		}
		h.Format = f.name
		h.DecodeBytes += pageMemory
		if h.Orientation > 1 {
			h.DecodeBytes += 3*h.Pixels() + pageMemory
		}
		if swapsSides(h.Orientation) {
			h.Height, h.Width = h.Width, h.Height
		}
		return h, pixels, nil
	}
	name, remedy := looksLike(data)
	return Header{}, nil, fmt.Errorf("decode: %s is %w: %s (read are JPEG, PNG, WebP, BMP, GIF, PPM/PGM and TIFF)",
		name, ErrUnsupported, remedy)
}

// recovered turns a panic into an error: a decoder's bug, met by one file, must not end a run. A
// fault of memory goes on to the caller, who knows whether the file was mapped.
func recovered(format string, err *error) {
	r := recover()
	if _, fault := r.(interface{ Addr() uintptr }); fault {
		panic(r)
	}
	if r != nil {
		*err = fmt.Errorf("decode: %s: the decoder panicked, which is a bug in sluice even if the file is damaged; please report it, with the file: %v", format, r)
	}
}
