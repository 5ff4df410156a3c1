package decode

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sluicedata/sluice/schema"
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
	codes         []byte // LZW codes, without the blocks around them
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
	h.DecodeBytes = 3*h.Pixels() + int64(f.frameH)*int64(f.frameW) + int64(len(f.codes)) + 1<<16
	return h, f.decode, nil
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

// blocks joins complete data sub-blocks up to the empty one, or to the end.
func (r *byteReader) blocks() []byte {
	var all []byte
	for {
		n := int(r.take(1)[0])
		block := r.take(n)
		if n == 0 || r.short {
			return all
		}
		all = append(all, block...)
	}
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
			f.readFrame(r)
			if f.codes == nil && r.short {
				return fmt.Errorf("%w: it ends before the first frame's pixels", ErrTruncated)
			}
			return nil
		}
	}
	return fmt.Errorf("%w: it has no frame", ErrTruncated)
}

func (f *gifFile) readFrame(r *byteReader) {
	b := r.take(9)
	u16 := func(i int) int { return int(binary.LittleEndian.Uint16(b[i:])) }
	f.left, f.top, f.frameW, f.frameH = u16(0), u16(2), u16(4), u16(6)
	f.width, f.height = max(f.width, f.left+f.frameW), max(f.height, f.top+f.frameH)
	f.interlaced = b[8]&0x40 != 0
	if local := r.colourTable(b[8]); local != nil {
		f.palette = local
	}
	f.literalBits = int(r.take(1)[0])
	f.codes = r.blocks()
}

func (f *gifFile) decode(ctx context.Context) (*schema.Picture, error) {
	if f.frameH == 0 || f.frameW == 0 {
		return nil, fmt.Errorf("damaged file: a frame of %dx%d", f.frameH, f.frameW)
	}
	// LZW makes at most 4096 pixels of a code.
	if f.frameH*f.frameW > len(f.codes)*8*gifStrings {
		return nil, fmt.Errorf("%w: %d bytes cannot hold %dx%d pixels", ErrTruncated, len(f.codes), f.frameH, f.frameW)
	}
	frame := make([]uint8, f.frameH*f.frameW)
	if n, err := f.unpack(ctx, frame); err != nil {
		return nil, err
	} else if n < len(frame) {
		return nil, fmt.Errorf("%w: the frame ends in row %d of %d", ErrTruncated, n/f.frameW, f.frameH)
	}
	var table [256][3]uint8 // black beyond the palette
	for i := range table {
		if f.palette == nil {
			table[i] = [3]uint8{uint8(i), uint8(i), uint8(i)}
		} else if 3*i < len(f.palette) {
			copy(table[i][:], f.palette[3*i:])
		}
	}
	p := schema.NewPicture(f.height, f.width)
	if fill := table[f.transparent]; fill != [3]uint8{} && len(frame) < f.height*f.width {
		for i := 0; i < len(p.U8); i += 3 {
			copy(p.U8[i:i+3], fill[:])
		}
	}
	for stored := range f.frameH {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		y := stored
		if f.interlaced {
			y = interlacedRow(stored, f.frameH)
		}
		out := p.U8[3*((f.top+y)*f.width+f.left):]
		for x, index := range frame[stored*f.frameW:][:f.frameW] {
			copy(out[3*x:3*x+3], table[index][:])
		}
	}
	return p, nil
}

// gifStrings is the size of the table of strings: codes have at most twelve bits.
const gifStrings = 1 << 12

// unpack decodes LZW codes (GIF89a, appendix F) into a frame and returns the number of
// pixels. compress/lzw is not used: it refuses frames of fewer than two or more than
// eight bits a literal, which Pillow takes.
func (f *gifFile) unpack(ctx context.Context, frame []uint8) (n int, err error) {
	if f.literalBits > 12 {
		return 0, fmt.Errorf("damaged file: LZW codes of %d bits", f.literalBits)
	}
	damaged := errors.New("damaged file: an LZW code that stands for nothing")
	var prefix [gifStrings]uint16 // a string is another one plus a pixel
	var last [gifStrings]uint8
	var reversed [gifStrings]uint8
	clearCode := 1 << f.literalBits
	width, next, previous := f.literalBits+1, clearCode+2, -1
	first := uint8(0) // pixel of the previous string
	var bits uint32
	var have int
	for i := 0; n < len(frame); {
		for have < width {
			if i == len(f.codes) {
				return n, nil
			}
			if i%(1<<16) == 0 && ctx.Err() != nil {
				return n, context.Cause(ctx)
			}
			bits |= uint32(f.codes[i]) << have
			i++
			have += 8
		}
		code := int(bits & (1<<width - 1))
		bits >>= width
		have -= width
		switch {
		case code == clearCode:
			width, next, previous = f.literalBits+1, clearCode+2, -1
			continue
		case code == clearCode+1:
			return n, nil
		case previous < 0:
			if code > clearCode {
				return n, damaged
			}
			frame[n], first, previous = uint8(code), uint8(code), code
			n++
			continue
		case code > next:
			return n, damaged
		}
		at, s := len(reversed), code
		if code == next {
			at--
			reversed[at] = first
			s = previous
		}
		for s >= clearCode {
			if at == 0 || s >= gifStrings {
				return n, damaged
			}
			at--
			reversed[at] = last[s]
			s = int(prefix[s])
		}
		first = uint8(s)
		if n < len(frame) {
			frame[n] = first
			n++
		}
		n += copy(frame[n:], reversed[at:])
		if next < gifStrings {
			last[next], prefix[next] = first, uint16(previous)
			if next == 1<<width-1 && width < 12 {
				width++
			}
			next++
		}
		previous = code
	}
	return n, nil
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
