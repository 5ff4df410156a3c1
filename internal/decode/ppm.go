package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/sluicedata/sluice/schema"
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
	h.DecodeBytes = 3 * h.Pixels()
	if f.kind == '6' && f.maxval == 255 {
		h.rgbAt = len(data) - len(f.samples)
	}
	return h, f.decode, nil
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

func (f *pnmFile) decode(ctx context.Context) (*schema.Picture, error) {
	p := schema.NewPicture(f.height, f.width)
	switch {
	case f.kind == '6' && f.maxval == 255:
		copy(p.U8, f.samples)
		return p, nil
	case f.kind == '5' && f.maxval == 255:
		for i, grey := range f.samples[:f.height*f.width] {
			rgb := p.U8[3*i : 3*i+3 : 3*i+3]
			rgb[0], rgb[1], rgb[2] = grey, grey, grey
		}
		return p, nil
	}
	next := f.binarySample()
	if f.kind < '4' {
		next = f.textSample()
	}
	spread := 3 / f.channels()
	for i := 0; i < len(p.U8); {
		v, err := next()
		if err != nil {
			return nil, err
		}
		if v > f.maxval && f.kind < '4' {
			return nil, fmt.Errorf("damaged file: a sample %d above the maximum %d", v, f.maxval)
		}
		v = min(v, f.maxval) // as Pillow: an error in text, clipped in binary
		if i%(1<<20) == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		grey := f.scale(v)
		for range spread {
			p.U8[i] = grey
			i++
		}
	}
	return p, nil
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

// binarySample returns a function that returns one sample after another. leastBytes has
// ensured that there are enough.
func (f *pnmFile) binarySample() func() (int, error) {
	i := 0
	switch {
	case f.kind == '4': // rows of bits begin at whole bytes
		stride := (f.width + 7) / 8
		return func() (int, error) {
			y, x := i/f.width, i%f.width
			i++
			return int(f.samples[y*stride+x/8]>>(7-x%8)) & 1, nil
		}
	case f.maxval > 255:
		return func() (int, error) {
			i += 2
			return int(f.samples[i-2])<<8 | int(f.samples[i-1]), nil
		}
	}
	return func() (int, error) {
		i++
		return int(f.samples[i-1]), nil
	}
}

// textSample is the same for the text kinds; in P1 digits need no blanks between.
func (f *pnmFile) textSample() func() (int, error) {
	rest := f.samples
	return func() (v int, err error) {
		if f.kind == '1' {
			rest = skipBlanks(rest)
			if len(rest) > 0 && (rest[0] == '0' || rest[0] == '1') {
				v, rest = int(rest[0]-'0'), rest[1:]
				return v, nil
			}
		}
		v, rest, err = pnmNumber(rest)
		return v, err
	}
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
