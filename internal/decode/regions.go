package decode

import (
	"context"
	"fmt"
	"image"
)

// regions is a file of which parts can be decoded by themselves: one of any format but JPEG, of
// which there is File, whose parts have scales and planes, too.
type regions interface {
	// Region decodes a part of the stored picture to RGB, row by row without gaps, into
	// 3*part.Dx()*part.Dy() bytes. Damage below it need not be noticed. It returns soon
	// after ctx ends, with any error.
	Region(ctx context.Context, part image.Rectangle, rgb []uint8) error
	// Memory is how many bytes Region takes at most, in addition to rgb and the file.
	Memory() int64
}

// HasRegions reports whether parts of the picture can be decoded by themselves.
func (h *Parsed) HasRegions() bool { return h.regions != nil }

// RegionBytes is the memory that Region takes.
func (h *Parsed) RegionBytes(part image.Rectangle) int64 {
	n := 3*int64(part.Dx())*int64(part.Dy()) + pageMemory
	if h.Orientation > 1 {
		n = 2*n + scratchMemory
	}
	return n + h.regions.Memory()
}

// Region decodes a part of the upright picture, which isn't empty and lies within it, to RGB, row
// by row, in into's memory where it fits. Damage below it (of BMP, PPM and TIFF that aren't
// compressed: outside of it) isn't noticed, but for wrong checksums of PNG's chunks; a file that
// is cut always is.
func (h *Parsed) Region(ctx context.Context, part image.Rectangle, into []uint8) (rgb []uint8, err error) {
	if part.Empty() || !part.In(image.Rect(0, 0, h.Width, h.Height)) {
		return nil, fmt.Errorf("decode: %s: the part %v of a picture of %dx%d was asked for", h.Format, part, h.Height, h.Width)
	}
	defer recovered(h.Format, &err)
	n := 3 * part.Dx() * part.Dy()
	if cap(into) < n {
		into = make([]uint8, n)
	}
	if h.Orientation > 1 {
		err = h.turned(ctx, part, into[:n])
	} else {
		err = h.regions.Region(ctx, part, into[:n])
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, ofFormat(h.Format, err)
	}
	return into[:n], nil
}

// turned is Region of a picture that isn't stored upright.
func (h *Parsed) turned(ctx context.Context, part image.Rectangle, rgb []uint8) error {
	s := borrow()
	defer s.giveBack()
	from, stored := s.row(len(rgb)), storedPart(h.Orientation, h.Height, h.Width, part)
	if err := h.regions.Region(ctx, stored, from); err != nil {
		return err
	}
	return turn(ctx, rgb, from, stored.Dy(), stored.Dx(), h.Orientation)
}
