package decode

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"

	"github.com/sluicedata/sluice/internal/lzw"
)

// gifFile is a GIF's canvas and first frame. image/gif is not used: it drops the colour of a
// transparent index, which convert("RGB") shows, and refuses a frame that doesn't fit on
// the canvas.
type gifFile struct {
	height, width int // the canvas, enlarged if the first frame doesn't fit (as Pillow does)
	left, top     int
	frameH        int
	frameW        int
	interlaced    bool
	palette       []byte // RGB triples; nil: the index is a level of grey
	transparent   int    // index, or 0
	literalBits   int
	blocks        []byte // LZW codes, in blocks
	codes         int    // bytes of them without the blocks around them
	complete      bool   // the last block is followed by the empty one
}

// Blocks of a GIF (GIF89a, 20 and on).
const (
	gifExtension      = 0x21
	gifGraphicControl = 0xf9
	gifImage          = 0x2c
	gifTrailer        = 0x3b
)

func isGIF(data []byte) bool {
	return bytes.HasPrefix(data, []byte("GIF87a")) || bytes.HasPrefix(data, []byte("GIF89a"))
}

func parseGIF(data []byte) (Header, pixelFunc, error) {
	f := &gifFile{}
	if err := f.read(&byteReader{data: data}); err != nil {
		return Header{}, nil, err
	}
	h := Header{Height: f.height, Width: f.width, Orientation: 1}
	h.DecodeBytes = 3*h.Pixels() + f.Memory()
	h.regions = f
	return h, entire(f, f.height, f.width), nil
}

// byteReader reads bytes from the front; short is set when there were too few.
type byteReader struct {
	data  []byte
	short bool
}

func (r *byteReader) take(n int) []byte {
	if n > len(r.data) {
		r.short, r.data = true, nil
		return make([]byte, n)
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

// skipBlocks skips data sub-blocks.
func (r *byteReader) skipBlocks() {
	for n := r.take(1)[0]; n != 0; n = r.take(1)[0] {
		r.take(int(n))
	}
}

// colourTable reads a table whose presence and size are in flags.
func (r *byteReader) colourTable(flags byte) []byte {
	if flags&0x80 == 0 {
		return nil
	}
	return r.take(3 << (flags&7 + 1))
}

// read reads to the end of the first frame and ignores what follows. Bytes between blocks
// are skipped, as in Pillow.
func (f *gifFile) read(r *byteReader) error {
	head := r.take(13)
	f.width, f.height = int(binary.LittleEndian.Uint16(head[6:])), int(binary.LittleEndian.Uint16(head[8:]))
	f.palette = r.colourTable(head[10])
	for !r.short {
		switch kind := r.take(1)[0]; kind {
		case gifTrailer:
			return errors.New("it has no frame")
		case gifExtension:
			if r.take(1)[0] == gifGraphicControl {
				if body := r.take(int(r.take(1)[0])); len(body) >= 4 && body[0]&1 != 0 {
					f.transparent = int(body[3])
				} else if len(body) == 0 {
					continue
				}
			}
			r.skipBlocks()
		case gifImage:
			return f.readFrame(r)
		}
	}
	return fmt.Errorf("%w: it has no frame", ErrTruncated)
}

func (f *gifFile) readFrame(r *byteReader) error {
	b := r.take(9)
	u16 := func(i int) int { return int(binary.LittleEndian.Uint16(b[i:])) }
	f.left, f.top, f.frameW, f.frameH = u16(0), u16(2), u16(4), u16(6)
	f.width, f.height = max(f.width, f.left+f.frameW), max(f.height, f.top+f.frameH)
	f.interlaced = b[8]&0x40 != 0
	if local := r.colourTable(b[8]); local != nil {
		f.palette = local
	}
	f.literalBits = int(r.take(1)[0])
	f.blocks = r.data
	for at := 0; at < len(f.blocks); {
		n := int(f.blocks[at])
		if f.complete = n == 0; f.complete || at+1+n > len(f.blocks) {
			break
		}
		at += 1 + n
		f.codes += n
	}
	if f.codes == 0 && !f.complete {
		return fmt.Errorf("%w: it ends before the first frame's pixels", ErrTruncated)
	}
	return nil
}

// join gives the codes of complete blocks as a whole.
func (f *gifFile) join(into []byte) []byte {
	into = sized(into, f.codes)[:0]
	for b := f.blocks; len(into) < f.codes; {
		n := int(b[0])
		into = append(into, b[1:1+n]...)
		b = b[1+n:]
	}
	return into
}

// Memory is the codes', the table of strings, and a row of numbers.
func (f *gifFile) Memory() int64 {
	return scratchMemory + int64(f.codes) + pageMemory + lzw.Memory + int64(f.frameW)
}

// gifStrings is how many pixels a code stands for at most.
const gifStrings = 1 << 12

// Region decodes the frame down to the last row that it shows of part, and to its end if it may
// be cut.
func (f *gifFile) Region(ctx context.Context, part image.Rectangle, rgb []uint8) error {
	if f.frameH == 0 || f.frameW == 0 {
		return fmt.Errorf("damaged file: a frame of %dx%d", f.frameH, f.frameW)
	}
	if int64(f.frameH)*int64(f.frameW) > int64(f.codes)*8*gifStrings {
		return fmt.Errorf("%w: %d bytes cannot hold %dx%d pixels", ErrTruncated, f.codes, f.frameH, f.frameW)
	}
	s := borrow()
	defer s.giveBack()
	if s.lzw == nil {
		s.lzw = new(lzw.Decoder)
	}
	s.joined = f.join(s.joined)
	s.lzw.ResetGIF(s.joined, f.literalBits)
	f.setColours(&s.table)
	frame := image.Rect(f.left, f.top, f.left+f.frameW, f.top+f.frameH)
	shown := frame.Intersect(part)
	if shown != part {
		s.table.fill(rgb, f.transparent)
	}
	rows := f.frameH
	if f.complete {
		rows = f.storedRows(shown)
	}
	for stored := range rows {
		if stored%16 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row, err := s.lzw.Next(f.frameW)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%w: the frame ends in row %d of %d", ErrTruncated, stored, f.frameH)
		} else if err != nil {
			return err
		}
		if y := f.row(stored); y >= shown.Min.Y && y < shown.Max.Y {
			at := 3 * ((y-part.Min.Y)*part.Dx() + shown.Min.X - part.Min.X)
			s.table.row(rgb[at:at+3*shown.Dx()], row[shown.Min.X-f.left:shown.Max.X-f.left])
		}
	}
	return nil
}

// setColours sets the colours of all numbers: black beyond the palette.
func (f *gifFile) setColours(c *rgbTable) {
	clear(c[:])
	if f.palette == nil {
		for i := range c {
			c.set(i, uint8(i), uint8(i), uint8(i))
		}
	}
	for i := 0; 3*i < len(f.palette); i++ {
		c.set(i, f.palette[3*i], f.palette[3*i+1], f.palette[3*i+2])
	}
}

// storedRows is how many rows of the frame must be decoded to show a part of it.
func (f *gifFile) storedRows(shown image.Rectangle) int {
	for n := f.frameH; n > 0; n-- {
		if y := f.row(n - 1); y >= shown.Min.Y && y < shown.Max.Y {
			return n
		}
	}
	return 0
}

// row is the picture's row of a stored one.
func (f *gifFile) row(stored int) int {
	if f.interlaced {
		stored = interlacedRow(stored, f.frameH)
	}
	return f.top + stored
}

// interlacedRow is the picture row of the stored row: every eighth row from 0,
// every eighth from 4, every fourth from 2, every second from 1 (GIF89a, appendix E).
func interlacedRow(stored, height int) int {
	for _, pass := range []struct{ from, step int }{{0, 8}, {4, 8}, {2, 4}, {1, 2}} {
		rows := max(0, (height-pass.from+pass.step-1)/pass.step)
		if stored < rows {
			return pass.from + stored*pass.step
		}
		stored -= rows
	}
	return height - 1
}
