package decode

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"sync"

	"github.com/sluicedata/sluice/internal/inflate"
	"github.com/sluicedata/sluice/internal/lzw"
)

// tiffScratch is what a TIFF file is decoded with.
type tiffScratch struct {
	blocks  [4]tiffBlock // one, or one for each plane
	rows    [4][]byte    // the current row of each
	samples []byte       // of 8 bits, of one block's row
	pixels  []byte
}

// tiffScratches keep their memory for other pictures, up to scratchKept bytes of it.
var tiffScratches = sync.Pool{New: func() any { return new(tiffScratch) }}

func (s *tiffScratch) giveBack() {
	n := cap(s.samples) + cap(s.pixels)
	for i := range s.blocks {
		s.blocks[i].release()
		s.rows[i] = nil
		n += s.blocks[i].kept()
	}
	if n <= scratchKept {
		tiffScratches.Put(s)
	}
}

// planes is in how many blocks each pixel is.
func (f *tiffFile) planes() int {
	if f.planar {
		return f.channels()
	}
	return 1
}

// Memory is that of a block's decoder and a few rows, with CCITT codes of a decoder for each block.
func (f *tiffFile) Memory() int64 {
	n := int64(f.planes())*(blockMemory+2*f.rowBytes()) + 2*int64(f.blockW)*int64(f.samples)
	if f.ccitt() {
		n += int64(f.across) * int64(f.down) * f.ccittMemory()
	} else if f.reversed {
		n += int64(f.planes()) * min(int64(len(f.data)), f.mostCodes())
	}
	return n
}

// Region decodes the blocks that a part of the picture is in, each down to the part's last row, and
// to its end if it may be cut. Of rows that aren't compressed it reads no others than the part's.
func (f *tiffFile) Region(ctx context.Context, part image.Rectangle, rgb []uint8) error {
	s := tiffScratches.Get().(*tiffScratch)
	defer s.giveBack()
	for i := range f.across * f.down {
		at := image.Pt(i%f.across*f.blockW, i/f.across*f.blockH)
		block := image.Rectangle{at, at.Add(image.Pt(f.blockW, min(f.blockH, f.height-at.Y)))}
		shown, last := block.Intersect(part), block.Max.Y
		if f.followed(i, block.Dy()) {
			last = shown.Max.Y // 0 for an empty one
		}
		if last <= at.Y {
			continue
		}
		if err := f.showBlock(ctx, s, i, block, shown, last, part, rgb); err != nil {
			return err
		}
	}
	return nil
}

// followed reports whether the file goes on to the end of strip or tile i, or of those of its
// planes.
func (f *tiffFile) followed(i, rows int) bool {
	for c := range f.planes() {
		data, followed, err := f.blockData(c*f.across*f.down + i)
		if f.compression == tiffNone {
			followed = int64(len(data)) >= int64(rows)*f.rowBytes()
		}
		if err != nil || !followed {
			return false
		}
	}
	return true
}

// showBlock decodes a block down to the row last, which is excluded, and converts what is shown of it.
func (f *tiffFile) showBlock(ctx context.Context, s *tiffScratch, i int, block, shown image.Rectangle, last int, part image.Rectangle, rgb []uint8) error {
	n, size, whole := f.planes(), int(f.rowBytes()), last == block.Max.Y
	for c := range n {
		if err := s.blocks[c].open(f, c*f.across*f.down+i, last-block.Min.Y, whole); err != nil {
			return err
		}
	}
	y := block.Min.Y
	if f.compression == tiffNone && !shown.Empty() && last == shown.Max.Y {
		for c := range n {
			b := &s.blocks[c]
			b.data = b.data[min(len(b.data), (shown.Min.Y-y)*size):]
		}
		y = shown.Min.Y
	}
	for ; y < last; y++ {
		if y%16 == 0 || y == block.Min.Y {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		for c := range n {
			var err error
			s.rows[c], err = s.blocks[c].next(size)
			switch {
			case err == nil:
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				return fmt.Errorf("%w: its data end in row %d of %d", ErrTruncated, y, f.height)
			case errors.Is(err, lzw.ErrDamaged), errors.Is(err, inflate.ErrDamaged):
				return err
			default:
				return fmt.Errorf("damaged file: %w", err)
			}
		}
		if y >= shown.Min.Y && y < shown.Max.Y {
			at := 3 * ((y-part.Min.Y)*part.Dx() + shown.Min.X - part.Min.X)
			f.convert(s, rgb[at:at+3*shown.Dx()], shown.Min.X-block.Min.X, shown.Max.X-block.Min.X)
		}
	}
	for c := 0; c < n && whole; c++ {
		if err := s.blocks[c].finish(f, block.Dy()); err != nil {
			return err
		}
	}
	return nil
}

// convert converts some columns of the current row.
func (f *tiffFile) convert(s *tiffScratch, rgb []uint8, from, to int) {
	if f.planar {
		n := f.channels()
		s.pixels = sized(s.pixels, n*(to-from))
		for c := range n {
			at := c
			for _, v := range f.samples8(s, s.rows[c], 1, from, to) {
				s.pixels[at] = v
				at += n
			}
		}
		f.toRGB(s, rgb, s.pixels, n)
		return
	}
	row, n := s.rows[0], f.samples
	if chosen, ok := f.chosen(n * f.bits / 8); ok {
		chosen.row(rgb, row[from*chosen.size:to*chosen.size])
		if f.kind == tiffWhiteIsZero {
			invert(rgb)
		}
		return
	}
	f.toRGB(s, rgb, f.samples8(s, row, n, from, to), n)
}

// chosen are the bytes of a pixel in a block that are its colours, where they are there as such.
func (f *tiffFile) chosen(size int) (p pick, ok bool) {
	if f.bits < 8 || f.predictor || f.premultiplied || f.kind == tiffPalette || f.kind == tiffCMYK {
		return p, false
	}
	high, each := 0, f.bits/8
	if f.bits == 16 && f.data[0] == 'I' {
		high = 1
	}
	if f.kind == tiffRGB {
		return pick{size, high, high + each, high + 2*each}, true
	}
	return pick{size, high, high, high}, true
}

// samples8 are some columns' samples in 8 bits: those of 16 bits keep their high byte, those of
// fewer are stretched, palette indices stay as they are. n is how many samples a pixel has.
func (f *tiffFile) samples8(s *tiffScratch, raw []byte, n, from, to int) []byte {
	if f.bits == 8 && !f.predictor {
		return raw[n*from : n*to]
	}
	s.samples = sized(s.samples, n*to)
	out := s.samples
	switch {
	case f.bits < 8:
		out = out[:n*(to-from)]
		unpackBits(out, raw, f.bits, n*from)
		if scale := uint8(255 / (1<<f.bits - 1)); f.kind != tiffPalette {
			for i := range out {
				out[i] *= scale
			}
		}
		return out
	case f.bits == 8:
		for c := range n {
			sum := uint8(0)
			for i := c; i < len(out); i += n {
				sum += raw[i]
				out[i] = sum
			}
		}
	case f.predictor && f.data[0] == 'I':
		for c := range n {
			sum := uint16(0)
			for i := c; i < len(out); i += n {
				sum += binary.LittleEndian.Uint16(raw[2*i:])
				out[i] = uint8(sum >> 8)
			}
		}
	case f.predictor:
		for c := range n {
			sum := uint16(0)
			for i := c; i < len(out); i += n {
				sum += binary.BigEndian.Uint16(raw[2*i:])
				out[i] = uint8(sum >> 8)
			}
		}
	default:
		high := raw
		if f.data[0] == 'I' {
			high = raw[1:]
		}
		for i := range out {
			out[i] = high[2*i]
		}
	}
	return out[n*from:]
}

// toRGB converts pixels of n samples of 8 bits.
func (f *tiffFile) toRGB(s *tiffScratch, rgb, pixels []uint8, n int) {
	if f.premultiplied {
		s.pixels = append(s.pixels[:0], pixels...) // they may be the file's
		pixels = s.pixels
		for i := 0; i < len(pixels); i += n {
			unpremultiply(pixels[i : i+f.colours+1])
		}
	}
	switch f.kind {
	case tiffRGB:
		pick{n, 0, 1, 2}.row(rgb, pixels)
	case tiffCMYK:
		for ; len(rgb) > 0; rgb, pixels = rgb[3:], pixels[n:] {
			c, nk := pixels[:4], 255-pixels[3]
			rgb[0], rgb[1], rgb[2] = inkToLight(c[0], nk), inkToLight(c[1], nk), inkToLight(c[2], nk)
		}
	case tiffPalette:
		if n > 1 {
			s.pixels = sized(s.pixels, len(pixels)/n)
			for i := range s.pixels {
				s.pixels[i] = pixels[n*i]
			}
			pixels = s.pixels
		}
		f.palette.row(rgb, pixels)
	default:
		pick{n, 0, 0, 0}.row(rgb, pixels)
		if f.kind == tiffWhiteIsZero {
			invert(rgb)
		}
	}
}

// unpremultiply divides colours by the alpha behind them, as Pillow's unpackRGBa and la2lA do.
func unpremultiply(c []uint8) {
	last := len(c) - 1
	alpha := int(c[last])
	if alpha == 255 || alpha == 0 && last == 1 {
		return
	}
	for i := range last {
		if alpha == 0 {
			c[i] = 0
		} else {
			c[i] = uint8(min(255, int(c[i])*255/alpha))
		}
	}
}
