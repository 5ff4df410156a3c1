package decode

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/internal/png"
)

// MaskFile is a picture of class numbers. It must be a PNG file. Its numbers are taken as the
// file holds them:
//
//   - grey of 8 bits as it is, and of 1, 2 and 4 bits as 0..1, 0..3 and 0..15. (Pillow gives
//     the same for 8 bits, and booleans for 1; it and OpenCV stretch 2 and 4 bits to 0..255.)
//   - a palette's indices, as NumPy's array of Pillow's mode P; its colours don't count.
//   - grey of 16 bits and three channels where all pixels stand for a number up to 255.
//   - alpha only where all is opaque.
//
// An orientation isn't applied.
type MaskFile struct {
	Height, Width int
	png           *png.File
}

// OpenMask reads a mask's header. More pixels than DefaultMaxPixels are refused.
func OpenMask(data []byte) (m MaskFile, err error) {
	defer recovered("mask", &err)
	if !png.Is(data) {
		return m, notMask(data)
	}
	f, err := png.Parse(data, nil)
	if err != nil {
		return m, fmt.Errorf("decode: mask: PNG: %w", pngError(err))
	}
	h := Header{Format: "mask", Height: f.Height, Width: f.Width}
	return MaskFile{f.Height, f.Width, f}, h.CheckPixels(0)
}

// Rows calls do with the first rows, one after the other, until it fails: do may not change
// a row, nor keep it. Of what follows these rows nothing is looked at, but for the checksums of
// the chunks, unless the file is cut. Of an interlaced file they are decoded before do is called.
func (m *MaskFile) Rows(rows int, do func(y int, row []uint8) error) (err error) {
	defer recovered("mask", &err)
	if m.png.Interlaced {
		values := make([]uint8, rows*m.Width)
		err = withPNG(func(d *png.Decoder) error { return d.FirstNumbers(context.Background(), m.png, rows, values) })
		if err != nil {
			return maskError(err)
		}
		for y := 0; y < rows && err == nil; y++ {
			err = do(y, values[y*m.Width:(y+1)*m.Width])
		}
		return err
	}
	var own error
	err = withPNG(func(d *png.Decoder) error {
		return d.NumberRows(context.Background(), m.png, rows, func(y int, row []uint8) error {
			own = do(y, row)
			return own
		})
	})
	if err != nil && own == nil {
		return maskError(err)
	}
	return err
}

// Values decodes the whole mask, in into's memory where it fits.
func (m *MaskFile) Values(into []uint8) (values []uint8, err error) {
	defer recovered("mask", &err)
	values = slices.Grow(into[:0], m.Height*m.Width)[:m.Height*m.Width]
	err = withPNG(func(d *png.Decoder) error { return d.Numbers(context.Background(), m.png, values) })
	if err != nil {
		return nil, maskError(err)
	}
	return values, nil
}

// Mask is a mask's numbers, its height and its width.
func Mask(data []byte, into []uint8) (values []uint8, height, width int, err error) {
	m, err := OpenMask(data)
	if err != nil {
		return nil, 0, 0, err
	}
	values, err = m.Values(into)
	return values, m.Height, m.Width, err
}

// notMask is the error of a file that isn't PNG.
func notMask(data []byte) error {
	h, err := ReadHeader(data)
	switch {
	case err != nil:
		return err
	case h.Format == "JPEG":
		return fmt.Errorf("decode: mask: a JPEG file is %w: it changes class numbers; write the masks as PNG, from their source", ErrUnsupported)
	}
	return fmt.Errorf("decode: mask: a %s file is %w: convert it to PNG with one channel or a palette", h.Format, ErrUnsupported)
}

// maskError says what to do about a pixel that is no class number.
func maskError(err error) error {
	var e *png.NumberError
	if !errors.As(err, &e) {
		return fmt.Errorf("decode: mask: PNG: %w", pngError(err))
	}
	kind, remedy := "16-bit grey", "class numbers are at most 255 (numbers of instances aren't classes): write 8-bit class numbers"
	switch e.Colour {
	case png.RGB, png.RGBA:
		kind, remedy = "RGB", "its colours aren't class numbers: write a mask with one channel, each colour as its class's number"
	case png.GreyAlpha:
		kind, remedy = "grey with alpha", "class numbers are at most 255 and have no alpha: write 8-bit class numbers in one channel"
	}
	return fmt.Errorf("decode: mask: it is %s, and %w: %s", kind, e, remedy)
}
