package decode

import (
	"context"
	"image"
	"sync"

	"github.com/sluicedata/sluice/internal/lzw"
	"github.com/sluicedata/sluice/schema"
)

// scratch is what GIF, BMP and PPM files are decoded with, row by row, and where parts of any format are
// kept that are yet to be turned upright.
type scratch struct {
	lzw     *lzw.Decoder // of GIF
	table   rgbTable
	joined  []byte
	numbers []byte
}

// scratches keep their memory for other pictures, up to scratchKept bytes of it each: rows, the codes of
// a GIF, parts of up to 1.4 megapixels to be turned.
var scratches = sync.Pool{New: func() any { return new(scratch) }}

const (
	scratchKept = 4 << 20

	// scratchMemory is what a scratch takes without what its slices hold, with the functions that use it.
	scratchMemory = 4 << 10
	// pageMemory is how much more an allocation takes than was asked for, at most: large ones are whole pages.
	pageMemory = 8 << 10
)

// sized is memory of that size: b's where it is enough, else new. (slices.Grow may take a quarter more.)
func sized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

func borrow() *scratch { return scratches.Get().(*scratch) }

func (s *scratch) giveBack() {
	n := cap(s.joined) + cap(s.numbers)
	if s.lzw != nil {
		s.lzw.Release()
		n += s.lzw.Kept()
	}
	if n <= scratchKept {
		scratches.Put(s)
	}
}

// row is memory for so many numbers or samples.
func (s *scratch) row(n int) []byte {
	s.numbers = sized(s.numbers, n)
	return s.numbers
}

// entire is the function that decodes all of a file that has regions.
func entire(f regions, height, width int) pixelFunc {
	return func(ctx context.Context) (*schema.Picture, error) {
		p := schema.NewPicture(height, width)
		return p, f.Region(ctx, image.Rect(0, 0, width, height), p.U8)
	}
}
