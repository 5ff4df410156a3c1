package webp

import (
	"errors"
	"fmt"
	"image"
)

// VP8 is a lossy picture whose frame header has been read. It refers to its bytes.
type VP8 struct {
	Width, Height int
	first         []byte // the first partition: headers and modes
	rest          []byte // the partitions of coefficients, behind their sizes
}

// frameHeader is how many bytes precede the first partition.
const frameHeader = 10

// ParseVP8 reads the frame header of a chunk "VP8 " (RFC 6386, 9.1). It refuses what libwebp
// does: anything but a key frame that is shown, of a profile up to 3, and a first partition that
// isn't whole.
func ParseVP8(chunk []byte) (f VP8, err error) {
	if len(chunk) < frameHeader {
		return f, fmt.Errorf("%w: a VP8 chunk of %d bytes", ErrTruncated, len(chunk))
	}
	tag := uint32(chunk[0]) | uint32(chunk[1])<<8 | uint32(chunk[2])<<16
	if tag&1 != 0 || chunk[3] != 0x9d || chunk[4] != 0x01 || chunk[5] != 0x2a {
		return f, errors.New("damaged file: the VP8 chunk doesn't begin with a key frame")
	}
	if profile := tag >> 1 & 7; profile > 3 {
		return f, fmt.Errorf("damaged file: VP8 of profile %d", profile)
	}
	if tag>>4&1 == 0 {
		return f, errors.New("damaged file: the VP8 frame isn't shown")
	}
	f.Width = int(chunk[6]) | int(chunk[7]&0x3f)<<8
	f.Height = int(chunk[8]) | int(chunk[9]&0x3f)<<8
	if f.Width == 0 || f.Height == 0 {
		return f, fmt.Errorf("damaged file: a VP8 frame of %dx%d", f.Height, f.Width)
	}
	f.rest = chunk[frameHeader:]
	length := int(tag >> 5)
	if length > len(f.rest) {
		return f, fmt.Errorf("%w: %d bytes of a first partition of %d", ErrTruncated, len(f.rest), length)
	}
	f.first, f.rest = f.rest[:length:length], f.rest[length:]
	return f, nil
}

// blocks is the picture's size in macroblocks.
func (f *VP8) blocks() (wide, high int) { return (f.Width + 15) / 16, (f.Height + 15) / 16 }

// Memory is how many bytes decoding a part takes at most, in addition to its result and the file.
func (f *VP8) Memory(part image.Rectangle) int64 {
	wide, _ := f.blocks()
	total := 0
	for _, size := range planeSizes(wide, f.rowsFor(part)) {
		total += size.pix + size.above
	}
	lines := int64(wide)*blockBytes + 2*int64(part.Dx()+2*upsampledMore)
	return int64(total) + lines + lines/4 + 1<<14 // allocations are rounded up
}

// rowsFor is how many rows of macroblocks must be decoded for a part: the loop filter of the next
// one changes the last three rows of samples in each plane, and an output row lies between two of chroma.
func (f *VP8) rowsFor(part image.Rectangle) int {
	_, high := f.blocks()
	luma, chroma := part.Max.Y, min(part.Max.Y/2+1, (f.Height+1)/2)
	return max(1, min(high, max((luma+filterReach+15)/16, (chroma+filterReach+7)/8)))
}

// filterReach is how many samples on each side of an edge are changed at most.
const filterReach = 3
