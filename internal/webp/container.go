package webp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"unsafe"
)

// File is a parsed file. It refers to its bytes.
//
// The container is read as libwebp's demuxer does, which Pillow uses, but for a padding byte that is
// missing behind the last chunk: its other reader does without. The alpha of lossy pictures (ALPH) isn't
// looked at, so it may be damaged.
type File struct {
	Width, Height int // of the canvas
	// Frame is the picture's place on it, in pixels: all of it, but for an animation, of which the
	// picture is the first frame's. Around that the canvas is black, as in libwebp's decoder of
	// animations: the background colour is for viewers.
	Frame     image.Rectangle
	EXIF, XMP []byte // the first of each, if the file's header announces them
	Lossy     *VP8   // the picture, or
	Lossless  *VP8L
}

// Is reports whether data begins like a WebP file.
func Is(data []byte) bool {
	return len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP"
}

// Flags of a VP8X chunk.
const (
	hasAnimation = 1 << 1
	hasXMP       = 1 << 2
	hasEXIF      = 1 << 3
	hasAlpha     = 1 << 4
	hasICC       = 1 << 5
	knownFlags   = hasAnimation | hasXMP | hasEXIF | hasAlpha | hasICC
)

// maxRIFF is the largest size of a RIFF file's contents and of its chunks that libwebp takes.
const maxRIFF = 1<<32 - 10

// Parse reads everything but the pixels.
func Parse(data []byte) (*File, error) {
	if !Is(data) {
		return nil, errors.New("not a WebP file: the signature is missing")
	}
	size := int64(binary.LittleEndian.Uint32(data[4:]))
	switch {
	case size < 12 || size > maxRIFF:
		return nil, fmt.Errorf("damaged file: a RIFF header of %d bytes", size)
	case size+8 > int64(len(data)):
		return nil, fmt.Errorf("%w: %d of %d bytes", ErrTruncated, len(data), size+8)
	}
	p := parser{chunks: chunks{rest: data[12 : size+8]}, file: new(File)}
	if err := p.parse(); err != nil {
		return nil, err
	}
	return p.file, nil
}

// chunks are what follows in a file.
type chunks struct{ rest []byte }

// chunk is one of them; padded is its body with the byte that makes its length even.
type chunk struct {
	kind         string
	body, padded []byte
}

// next is the next chunk; take removes it.
func (c *chunks) next() (chunk, error) {
	if len(c.rest) < 8 {
		return chunk{}, fmt.Errorf("damaged file: %d bytes behind the last chunk", len(c.rest))
	}
	kind, length := string(c.rest[:4]), int64(binary.LittleEndian.Uint32(c.rest[4:]))
	body := c.rest[8:]
	if length > int64(len(body)) {
		return chunk{}, fmt.Errorf("%w: it ends within a chunk %q", ErrTruncated, kind)
	}
	return chunk{kind, body[:length], body[:min(length+length&1, int64(len(body)))]}, nil
}

func (c *chunks) take(k chunk) { c.rest = c.rest[8+len(k.padded):] }

// parser reads a file's chunks.
type parser struct {
	chunks
	file      *File
	flags     byte
	animation bool // an ANIM chunk was there
	// left says that a frame of an animation, or a picture, had alpha but no colours; there may be none behind it.
	left bool
}

// picture is a coded picture and its alpha.
type picture struct {
	lossy        *VP8
	lossless     *VP8L
	alpha, after bool // alpha comes after the colours
}

func (f *picture) size() image.Point {
	if f.lossy != nil {
		return image.Pt(f.lossy.Width, f.lossy.Height)
	}
	return image.Pt(f.lossless.Width, f.lossless.Height)
}

func (p *parser) parse() error {
	first, err := p.next()
	if err != nil {
		return err
	}
	switch first.kind {
	case "VP8 ", "VP8L":
		picture, err := p.picture()
		if err != nil {
			return err
		}
		size := picture.size()
		p.set(picture, image.Rectangle{Max: size}, size)
		return nil
	case "VP8X":
		p.take(first)
		return p.extended(first.body)
	}
	return fmt.Errorf("damaged file: it begins with a chunk %q", first.kind)
}

// extended reads the chunks behind VP8X.
func (p *parser) extended(header []byte) error {
	if len(header) != 10 {
		return fmt.Errorf("damaged file: a VP8X chunk of %d bytes", len(header))
	}
	p.flags = header[0]
	canvas := image.Pt(1+uint24(header[4:]), 1+uint24(header[7:]))
	if p.flags&^knownFlags != 0 {
		return fmt.Errorf("damaged file: a VP8X chunk with the flags %#x", p.flags)
	}
	if int64(canvas.X)*int64(canvas.Y) >= 1<<32 {
		return fmt.Errorf("damaged file: a canvas of %dx%d", canvas.Y, canvas.X)
	}
	for first := true; first || len(p.rest) > 0; first = false {
		if err := p.one(canvas); err != nil {
			return err
		}
	}
	if p.file.Width == 0 {
		return fmt.Errorf("%w: no picture chunk", ErrTruncated)
	}
	return nil
}

// one reads a chunk, or those of a picture.
func (p *parser) one(canvas image.Point) error {
	c, err := p.next()
	if err != nil {
		return err
	}
	switch c.kind {
	case "VP8X":
		return errors.New("damaged file: a second VP8X chunk")
	case "ALPH", "VP8 ", "VP8L":
		if p.flags&hasAnimation != 0 || p.animation || p.file.Width != 0 || p.left {
			return fmt.Errorf("damaged file: a chunk %q beside the picture", c.kind)
		}
		return p.still(canvas)
	case "ANMF":
		return p.frame(c, canvas)
	case "ANIM":
		if len(c.padded) < 6 {
			return fmt.Errorf("damaged file: an ANIM chunk of %d bytes", len(c.body))
		}
		p.animation = true
	case "EXIF":
		if p.flags&hasEXIF != 0 && p.file.EXIF == nil {
			p.file.EXIF = c.body
		}
	case "XMP ":
		if p.flags&hasXMP != 0 && p.file.XMP == nil {
			p.file.XMP = c.body
		}
	}
	p.take(c)
	return nil
}

// still reads the picture of a file that isn't animated.
func (p *parser) still(canvas image.Point) error {
	f, err := p.picture()
	switch {
	case err != nil:
		return err
	case f.lossy == nil && f.lossless == nil:
		p.left = true
		return nil
	case f.after && p.flags&hasAlpha != 0:
		return errors.New("damaged file: alpha behind the colours")
	case f.size() != canvas:
		return fmt.Errorf("damaged file: a picture of %dx%d on a canvas of %dx%d", f.size().Y, f.size().X, canvas.Y, canvas.X)
	}
	p.set(f, image.Rectangle{Max: canvas}, canvas)
	return nil
}

// frame reads the picture of an ANMF chunk. Chunks behind it are like those behind ANMF.
func (p *parser) frame(c chunk, canvas image.Point) error {
	if !p.animation || len(c.padded) < 16 {
		return fmt.Errorf("damaged file: a frame of %d bytes, or before ANIM", len(c.body))
	}
	place := image.Pt(2*uint24(c.body), 2*uint24(c.body[3:]))
	if w, h := 1+uint24(c.body[6:]), 1+uint24(c.body[9:]); int64(w)*int64(h) >= 1<<32 {
		return fmt.Errorf("damaged file: a frame of %dx%d", h, w)
	}
	p.rest = p.rest[8+16:]
	before := len(p.rest)
	f, err := p.picture()
	switch {
	case err != nil:
		return err
	case before-len(p.rest) > len(c.padded)-16:
		return errors.New("damaged file: a frame's picture is longer than the frame")
	case p.flags&hasAnimation == 0:
		return nil
	case f.lossy == nil && f.lossless == nil && !f.alpha:
		return nil
	case p.left:
		return errors.New("damaged file: a frame of alpha only")
	case f.lossy == nil && f.lossless == nil:
		p.left = true
		return nil
	case f.after:
		return errors.New("damaged file: alpha behind the colours")
	}
	at := image.Rectangle{Max: f.size()}.Add(place) // the sides that ANMF gives don't count
	if !at.In(image.Rectangle{Max: canvas}) {
		return fmt.Errorf("damaged file: a frame of %dx%d at %d, %d on a canvas of %dx%d", at.Dy(), at.Dx(), place.Y, place.X, canvas.Y, canvas.X)
	}
	if p.file.Width == 0 {
		p.set(f, at, canvas)
	}
	return nil
}

// picture takes the chunks of a picture: one with colours, and one with alpha. Of later frames that aren't
// decoded the first partition may be cut.
func (p *parser) picture() (f picture, err error) {
	for len(p.rest) > 0 {
		c, err := p.next()
		if err != nil {
			return f, err
		}
		colours := f.lossy != nil || f.lossless != nil
		switch {
		case c.kind == "ALPH" && !f.alpha:
			f.alpha, f.after = true, colours
		case c.kind == "VP8 " && !colours:
			var lossy VP8
			lossy, err = ParseVP8(c.body)
			if err != nil && (p.file.Width == 0 || lossy.Width == 0 || firstPartition(c.body) >= len(c.body)) {
				return f, err
			}
			if err == nil { // as libwebp's does, the last partition goes on into the padding
				lossy.rest = c.padded[len(c.body)-len(lossy.rest):]
			}
			f.lossy = &lossy
		case c.kind == "VP8L" && !colours:
			if f.alpha {
				return f, errors.New("damaged file: alpha beside a lossless picture, which has its own")
			}
			var lossless VP8L
			if lossless, err = ParseVP8L(c.padded); err != nil {
				return f, err
			}
			f.lossless = &lossless
		default:
			return f, nil
		}
		p.take(c)
	}
	return f, nil
}

// firstPartition is the length that a chunk "VP8 " gives for it.
func firstPartition(chunk []byte) int { return uint24(chunk) >> 5 }

func (p *parser) set(f picture, place image.Rectangle, canvas image.Point) {
	p.file.Width, p.file.Height, p.file.Frame = canvas.X, canvas.Y, place
	p.file.Lossy, p.file.Lossless = f.lossy, f.lossless
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// Memory is how many bytes decoding a part takes at most, in addition to its result and the file.
func (f *File) Memory(part image.Rectangle) int64 {
	n := int64(unsafe.Sizeof(Decoder{})) + 1<<13 // the sizes of allocations are rounded up
	part = part.Intersect(f.Frame).Sub(f.Frame.Min)
	switch {
	case part.Empty():
		return n
	case f.Lossless != nil:
		return n + f.Lossless.Memory(part)
	}
	return n + f.Lossy.Memory(part)
}

// Decoder decodes one file after another, and keeps its memory from one to the next. Its zero value is
// ready.
type Decoder struct {
	lossy    VP8Decoder
	lossless VP8LDecoder
}

// Kept is how many bytes of memory the decoder keeps.
func (d *Decoder) Kept() int { return d.lossy.Kept() + d.lossless.Kept() }

// Release lets go of the file that was decoded last; its memory is kept.
func (d *Decoder) Release() {
	d.lossy.release()
	d.lossless.release()
}

// Decode writes a part of the canvas to pix, row by row, R G B. It returns the cause of ctx within some
// rows after ctx ends. Damage below the part need not be noticed.
func (d *Decoder) Decode(ctx context.Context, f *File, part image.Rectangle, pix []byte) (err error) {
	if part.Empty() || !part.In(image.Rect(0, 0, f.Width, f.Height)) {
		return fmt.Errorf("a part %v of a picture of %dx%d", part, f.Height, f.Width)
	}
	shown := part.Intersect(f.Frame)
	switch of := shown.Sub(f.Frame.Min); {
	case shown.Empty():
	case f.Lossless != nil:
		err = d.lossless.Decode(ctx, f.Lossless, of, pix)
	default:
		err = d.lossy.Decode(ctx, f.Lossy, of, pix)
	}
	if err == nil && shown != part {
		place(pix, shown.Sub(part.Min), part.Dx(), part.Dy())
	}
	return err
}

// place moves rows from the beginning of pix to their place in a picture, the last one first, and
// makes the rest black.
func place(pix []byte, shown image.Rectangle, width, height int) {
	size, clean := 3*shown.Dx(), 3*width*height // behind clean everything is in its place
	for y := shown.Dy() - 1; y >= 0; y-- {
		at := 3 * ((shown.Min.Y+y)*width + shown.Min.X)
		clear(pix[at+size : clean])
		copy(pix[at:at+size], pix[y*size:])
		clean = at
	}
	clear(pix[:clean])
}
