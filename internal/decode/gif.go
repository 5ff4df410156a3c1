package decode

import (
	"bytes"
	"compress/lzw"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/sluicedata/sluice/schema"
)

// gifFile is what the blocks of a GIF say about its canvas and first frame.
// image/gif is not used: it forgets the colour of a transparent index, which
// convert("RGB") shows, and refuses a frame that leaves the canvas.
type gifFile struct {
	height, width int // the canvas, widened where the first frame leaves it (as Pillow does)
	left, top     int
	frameH        int
	frameW        int
	interlaced    bool
	palette       []byte // RGB triples; nil: none
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
	h.DecodeBytes = 6 * h.Pixels()
	return h, f.decode, nil
}

// byteReader takes bytes from the front; short is set once there were too few.
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

// blocks joins data sub-blocks up to the empty one.
func (r *byteReader) blocks() []byte {
	var all []byte
	for {
		n := int(r.take(1)[0])
		if n == 0 {
			return all
		}
		all = append(all, r.take(n)...)
	}
}

// skipBlocks passes over data sub-blocks.
func (r *byteReader) skipBlocks() {
	for n := r.take(1)[0]; n != 0; n = r.take(1)[0] {
		r.take(int(n))
	}
}

// colourTable takes a table whose presence and size are in flags.
func (r *byteReader) colourTable(flags byte) []byte {
	if flags&0x80 == 0 {
		return nil
	}
	return r.take(3 << (flags&7 + 1))
}

// read goes through all frames, to see that the file is whole, but keeps only
// the first.
func (f *gifFile) read(r *byteReader) error {
	head := r.take(13)
	f.width, f.height = int(binary.LittleEndian.Uint16(head[6:])), int(binary.LittleEndian.Uint16(head[8:]))
	f.palette = r.colourTable(head[10])
	frames := 0
	for !r.short {
		switch kind := r.take(1)[0]; {
		case r.short:
		case kind == gifTrailer && frames == 0:
			return errors.New("no frame in it")
		case kind == gifTrailer:
			return nil
		case kind == gifExtension:
			label := r.take(1)[0]
			body := r.blocks()
			if frames == 0 && label == gifGraphicControl && len(body) >= 4 && body[0]&1 != 0 {
				f.transparent = int(body[3])
			}
		case kind == gifImage:
			if frames++; frames == 1 {
				f.readFrame(r)
				continue
			}
			r.colourTable(r.take(9)[8])
			r.take(1)
			r.skipBlocks()
		case frames > 0:
			return nil // bytes after the frame that are no block: no loss
		default:
			return fmt.Errorf("damaged file: a block of unknown type %#02x", kind)
		}
	}
	return fmt.Errorf("%w: no trailer", ErrTruncated)
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

func (f *gifFile) decode(context.Context) (*schema.Picture, error) {
	if f.palette == nil {
		return nil, errors.New("no colour table in it")
	}
	if f.literalBits < 2 || f.literalBits > 8 {
		return nil, fmt.Errorf("damaged file: LZW codes of %d bits", f.literalBits)
	}
	// LZW makes at most 4096 pixels of a code of three bits or more.
	if f.frameH*f.frameW > len(f.codes)*8/3*4096+4096 {
		return nil, fmt.Errorf("%w: %d bytes cannot hold %dx%d pixels", ErrTruncated, len(f.codes), f.frameH, f.frameW)
	}
	var table [256][3]uint8
	for i := range len(f.palette) / 3 {
		copy(table[i][:], f.palette[3*i:])
	}
	p := schema.NewPicture(f.height, f.width)
	for i := 0; i < len(p.U8); i += 3 {
		copy(p.U8[i:i+3], table[f.transparent][:])
	}
	codes := lzw.NewReader(bytes.NewReader(f.codes), lzw.LSB, f.literalBits)
	defer codes.Close()
	row := make([]byte, f.frameW)
	for stored := range f.frameH {
		if _, err := io.ReadFull(codes, row); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: the frame ends in row %d of %d", ErrTruncated, stored, f.frameH)
		} else if err != nil {
			return nil, fmt.Errorf("damaged file: %w", err)
		}
		y := stored
		if f.interlaced {
			y = interlacedRow(stored, f.frameH)
		}
		out := p.U8[3*((f.top+y)*f.width+f.left):]
		for x, index := range row {
			copy(out[3*x:3*x+3], table[index][:])
		}
	}
	return p, nil
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
