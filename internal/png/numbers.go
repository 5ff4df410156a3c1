package png

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
)

// NumberError is a pixel that isn't a number of a byte.
type NumberError struct {
	Row, Column int
	Samples     []uint16 // of the pixel, as they are stored
	Colour      Colour
}

func (e *NumberError) Error() string {
	return fmt.Sprintf("the pixel in row %d, column %d is %d", e.Row, e.Column, e.Samples)
}

// Numbers writes the picture's pixels to values, Height rows of Width bytes, as the numbers
// that the file holds: grey of any depth without stretching it, indices of a palette rather
// than their colours, and one of three channels that are equal. Other pixels (16 bits above
// 255, channels that differ, alpha that isn't opaque) are a *NumberError.
func (d *Decoder) Numbers(ctx context.Context, f *File, values []byte) error {
	return d.decode(ctx, f, output{f.all(), values, 1})
}

// FirstNumbers is Numbers of the first rows, as Region is of a part.
func (d *Decoder) FirstNumbers(ctx context.Context, f *File, rows int, values []byte) error {
	return d.decode(ctx, f, output{image.Rect(0, 0, f.Width, rows), values, 1})
}

// NumberRows calls do with each of the first rows of a file that isn't interlaced, as Numbers
// writes them: do may not change a row, nor keep it. Of what follows these rows nothing is
// looked at, but for the checksums of the IDAT chunks, unless the file is cut behind them.
func (d *Decoder) NumberRows(ctx context.Context, f *File, rows int, do func(y int, row []byte) error) error {
	if f.Interlaced {
		return errors.New("an interlaced picture has no rows until it is whole")
	}
	if err := d.open(f); err != nil {
		return err
	}
	defer d.inflater.Release()
	numbers := d.grow(f.Width)
	return d.firstRows(ctx, f, rows, false, func(row []byte, at place) error {
		if f.bits() == 8 {
			return do(at.y, row)
		}
		if err := f.toNumbers(numbers, row, at); err != nil {
			return err
		}
		return do(at.y, numbers)
	})
}

// toNumbers takes a row's numbers; out has the row's width.
func (f *File) toNumbers(out, row []byte, at place) error {
	switch {
	case f.bits() == 8: // grey or a palette
		copy(out, row)
		return nil
	case f.Depth < 8:
		f.spread(out, row)
		return nil
	}
	n, size := f.Colour.channels(), f.Depth/8
	var samples [4]uint16
	for x := range out {
		for c := range n {
			if s := row[(x*n+c)*size:]; size == 1 {
				samples[c] = uint16(s[0])
			} else {
				samples[c] = binary.BigEndian.Uint16(s)
			}
		}
		if !f.number(samples) {
			return &NumberError{at.y, at.x + x*at.dx, append([]uint16(nil), samples[:n]...), f.Colour}
		}
		out[x] = uint8(samples[0])
	}
	return nil
}

// number reports whether a pixel stands for a number of a byte.
func (f *File) number(s [4]uint16) bool {
	opaque := uint16(1<<f.Depth - 1)
	switch f.Colour {
	case GreyAlpha:
		return s[0] <= 255 && s[1] == opaque
	case RGB:
		return s[0] <= 255 && s[0] == s[1] && s[0] == s[2]
	case RGBA:
		return s[0] <= 255 && s[0] == s[1] && s[0] == s[2] && s[3] == opaque
	}
	return s[0] <= 255
}

// spread gives each sample of less than 8 bits a byte of its own.
func (f *File) spread(out, row []byte) {
	each, mask := 8/f.Depth, byte(1<<f.Depth-1)
	for len(out) >= each {
		b := row[0]
		row = row[1:]
		for i := range each {
			out[i] = b >> (8 - f.Depth - i*f.Depth) & mask
		}
		out = out[each:]
	}
	for i := range out {
		out[i] = f.sample(row, i)
	}
}
