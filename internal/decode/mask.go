package decode

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/internal/png"
)

// Mask decodes a picture of class numbers to height rows of width numbers, in into's memory
// where they fit. It must be a PNG file. Its numbers are taken as the file holds them:
//
//   - grey of 8 bits as it is, and of 1, 2 and 4 bits as 0..1, 0..3 and 0..15. (Pillow gives
//     the same for 8 bits, and booleans for 1; it and OpenCV stretch 2 and 4 bits to 0..255.)
//   - a palette's indices, as NumPy's array of Pillow's mode P; its colours don't count.
//   - grey of 16 bits and three channels where all pixels stand for a number up to 255.
//   - alpha only where all is opaque.
//
// An orientation isn't applied. More pixels than DefaultMaxPixels are refused by the header.
func Mask(data []byte, into []uint8) (values []uint8, height, width int, err error) {
	defer recovered("mask", &err)
	if !png.Is(data) {
		return nil, 0, 0, notMask(data)
	}
	f, err := png.Parse(data, nil)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("decode: mask: PNG: %w", pngError(err))
	}
	h := Header{Format: "mask", Height: f.Height, Width: f.Width}
	if err := h.CheckPixels(0); err != nil {
		return nil, 0, 0, err
	}
	n := f.Height * f.Width
	values = slices.Grow(into[:0], n)[:n]
	d := pngDecoders.Get().(*png.Decoder)
	err = d.Numbers(context.Background(), f, values)
	if d.Kept() <= pngKept {
		pngDecoders.Put(d)
	}
	if err != nil {
		return nil, 0, 0, maskError(err)
	}
	return values, f.Height, f.Width, nil
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
