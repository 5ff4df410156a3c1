package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
)

// pnmFile is a file of the Netpbm family, P1 to P6: bit maps, grey and colour,
// each as text (P1 to P3) or binary (P4 to P6).
type pnmFile struct {
	kind          byte // '1'..'6'
	height, width int
	maxval        int
	samples       []byte // what follows the header
}

func isPNM(data []byte) bool {
	return len(data) >= 3 && data[0] == 'P' && data[1] >= '1' && data[1] <= '6' && (isSpace(data[2]) || data[2] == '#')
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func parsePNM(data []byte) (Header, pixelFunc, error) {
	f := &pnmFile{kind: data[1], maxval: 1}
	rest := data[2:]
	fields := []*int{&f.width, &f.height, &f.maxval}
	if f.bitmap() {
		fields = fields[:2]
	}
	for _, field := range fields {
		var err error
		if *field, rest, err = pnmNumber(rest); err != nil {
			return Header{}, nil, fmt.Errorf("in the header: %w", err)
		}
	}
	if f.maxval < 1 || f.maxval > 65535 {
		return Header{}, nil, fmt.Errorf("maxval is %d, not 1..65535", f.maxval)
	}
	if len(rest) == 0 {
		return Header{}, nil, fmt.Errorf("%w: it ends with the header", ErrTruncated)
	}
	f.samples = rest[1:] // one blank
	if need := f.leastBytes(); need > int64(len(f.samples)) {
		return Header{}, nil, fmt.Errorf("%w: %d of %d bytes of pixels", ErrTruncated, len(f.samples), need)
	}
	h := Header{Height: f.height, Width: f.width, Orientation: 1}
	h.DecodeBytes = 3*h.Pixels() + f.Memory()
	if f.kind == '6' && f.maxval == 255 {
		h.rgbAt = len(data) - len(f.samples)
	} else {
		h.regions = f
	}
	return h, entire(f, f.height, f.width), nil
}

func (f *pnmFile) bitmap() bool { return f.kind == '1' || f.kind == '4' }

func (f *pnmFile) channels() int {
	if f.kind == '3' || f.kind == '6' {
		return 3
	}
	return 1
}

// leastBytes is the size of the samples: exact for the binary kinds, a lower
// bound for text. Sides have at most nine digits, so nothing overflows.
func (f *pnmFile) leastBytes() int64 {
	rows, columns := int64(f.height), int64(f.width)*int64(f.channels())
	switch {
	case f.kind == '4':
		return rows * ((columns + 7) / 8)
	case f.kind == '1':
		return rows * columns
	case f.kind < '4':
		return rows*columns*2 - 1
	case f.maxval > 255:
		return rows * columns * 2
	}
	return rows * columns
}

// Memory is a row of samples.
func (f *pnmFile) Memory() int64 { return scratchMemory + 3*int64(f.width) + pageMemory }

// Region reads no other rows than the part's, except in text, of which it reads all.
func (f *pnmFile) Region(ctx context.Context, part image.Rectangle, rgb []uint8) error {
	s := borrow()
	defer s.giveBack()
	if f.kind < '4' {
		return f.text(ctx, part, rgb, s.row(f.width*f.channels()))
	}
	convert, bits := f.converter(s, s.row(part.Dx()*f.channels())), 8*f.channels()
	if f.maxval > 255 {
		bits *= 2
	} else if f.kind == '4' {
		bits = 1
	}
	stride := (f.width*bits + 7) / 8
	for y := part.Min.Y; y < part.Max.Y; y++ {
		if y%16 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row := f.samples[y*stride : (y+1)*stride]
		convert(rgb[3*(y-part.Min.Y)*part.Dx():][:3*part.Dx()], row[part.Min.X*bits/8:], part.Min.X*bits%8)
	}
	return nil
}

// converter converts pixels of a row whose first one begins at a bit of the row's first byte.
func (f *pnmFile) converter(s *scratch, samples []byte) func(rgb, row []byte, bit int) {
	chosen := pick{1, 0, 0, 0}
	if f.kind == '6' {
		chosen = pick{3, 0, 1, 2}
	}
	switch {
	case f.kind == '4':
		s.table.set(0, 255, 255, 255)
		s.table.set(1, 0, 0, 0)
		return func(rgb, row []byte, bit int) {
			unpackBits(samples, row, 1, bit)
			s.table.row(rgb, samples)
		}
	case f.maxval == 255:
		return func(rgb, row []byte, _ int) { chosen.row(rgb, row) }
	case f.maxval == 65535: // the high bytes
		chosen = pick{2 * chosen.size, 0, 2 * chosen.green, 2 * chosen.blue}
		return func(rgb, row []byte, _ int) { chosen.row(rgb, row) }
	case f.maxval < 255:
		for v := range s.table {
			level := f.scale(min(v, f.maxval)) // clipped, as in Pillow
			s.table.set(v, level, level, level)
		}
		return func(rgb, row []byte, _ int) {
			if f.kind == '5' {
				s.table.row(rgb, row)
				return
			}
			for i := range rgb {
				rgb[i] = uint8(s.table[row[i]])
			}
		}
	}
	return func(rgb, row []byte, _ int) {
		for i := range samples {
			samples[i] = f.scale(min(int(row[2*i])<<8|int(row[2*i+1]), f.maxval))
		}
		chosen.row(rgb, samples)
	}
}

// text reads text to its end; a sample above the maximum is an error, as in Pillow.
func (f *pnmFile) text(ctx context.Context, part image.Rectangle, rgb []uint8, samples []byte) error {
	n, chosen := f.channels(), pick{1, 0, 0, 0}
	if n == 3 {
		chosen = pick{3, 0, 1, 2}
	}
	rest := f.samples
	for y := range f.height {
		if y%16 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for i := range samples {
			var v int
			var err error
			if v, rest, err = f.number(rest); err != nil {
				return err
			}
			if v > f.maxval {
				return fmt.Errorf("damaged file: a sample %d above the maximum %d", v, f.maxval)
			}
			samples[i] = f.scale(v)
		}
		if y >= part.Min.Y && y < part.Max.Y {
			chosen.row(rgb[3*(y-part.Min.Y)*part.Dx():][:3*part.Dx()], samples[n*part.Min.X:n*part.Max.X])
		}
	}
	return nil
}

// scale converts a sample to 0..255. A 16-bit sample keeps its high byte; other
// maxima are stretched and rounded as Python's round(v / maxval * 255) in Pillow
// does, in the same float64 steps, so that halves fall alike.
func (f *pnmFile) scale(v int) uint8 {
	switch {
	case f.bitmap():
		return uint8(255 * (1 - v)) // 1 is black
	case f.maxval == 255:
		return uint8(v)
	case f.maxval == 65535:
		return uint8(v >> 8)
	}
	return uint8(math.RoundToEven(float64(v) / float64(f.maxval) * 255))
}

// number reads a number of text; in P1 digits need no blanks between.
func (f *pnmFile) number(data []byte) (v int, rest []byte, err error) {
	if f.kind == '1' {
		data = skipBlanks(data)
		if len(data) > 0 && (data[0] == '0' || data[0] == '1') {
			return int(data[0] - '0'), data[1:], nil
		}
	}
	return pnmNumber(data)
}

// skipBlanks skips white space and comments, which extend to the line's end.
func skipBlanks(data []byte) []byte {
	for len(data) > 0 {
		switch {
		case isSpace(data[0]):
			data = data[1:]
		case data[0] == '#':
			end := bytes.IndexAny(data, "\r\n")
			if end < 0 {
				return nil
			}
			data = data[end:]
		default:
			return data
		}
	}
	return data
}

// pnmNumber reads a decimal number of at most nine digits.
func pnmNumber(data []byte) (v int, rest []byte, err error) {
	data = skipBlanks(data)
	n := 0
	for ; n < len(data) && n < 9 && data[n] >= '0' && data[n] <= '9'; n++ {
		v = 10*v + int(data[n]-'0')
	}
	switch {
	case len(data) == 0:
		return 0, nil, fmt.Errorf("%w: it ends before its last number", ErrTruncated)
	case n == 0:
		return 0, nil, errors.New("damaged file: not a number")
	}
	return v, data[n:], nil
}
