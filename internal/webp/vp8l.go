package webp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
)

// VP8L is a lossless picture whose header has been read. It refers to its bytes.
type VP8L struct {
	Width, Height int
	data          []byte // behind the header
	spare         int    // bytes of zeros that count as following data
}

// vp8lHeader is the length of the header: a signature, two times 14 bits for the sides, one that
// hints at alpha, and three for the version.
const vp8lHeader = 5

// ParseVP8L reads the header of a chunk "VP8L". The padding behind a chunk of odd length belongs
// to it: libwebp takes it for data, too.
func ParseVP8L(chunk []byte) (f VP8L, err error) {
	if len(chunk) < vp8lHeader {
		return f, fmt.Errorf("%w: a VP8L chunk of %d bytes", ErrTruncated, len(chunk))
	}
	if chunk[0] != 0x2f {
		return f, errors.New("damaged file: the VP8L chunk has no signature")
	}
	bits := binary.LittleEndian.Uint32(chunk[1:])
	if version := bits >> 29; version != 0 {
		return f, fmt.Errorf("damaged file: VP8L of version %d", version)
	}
	f.Width, f.Height = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1
	f.data = chunk[vp8lHeader:]
	f.spare = max(0, 8-len(chunk)) // libwebp begins with a word of eight bytes
	return f, nil
}

// Memory is how many bytes decoding a part takes at most, in addition to its result and the file:
// the pixels that later ones may refer to, the rows that are being transformed, at their finest the
// numbers of the transforms and of the groups of codes, and the tables of these codes, old and new where they grow.
func (f *VP8L) Memory(image.Rectangle) int64 {
	pixels := int64(f.Width) * int64(f.Height)
	tiles := int64((f.Width+3)/4) * int64((f.Height+3)/4)
	numbers := min(1<<16, 8*(len(f.data)+f.spare)/leastGroup) // of groups
	entries := growing(maxEntries(len(f.data), f.Width*f.Height))
	return 4*min(pixels, int64(maxPixels(f.Width))) + 4*int64(1+bandRows)*int64(f.Width+1) +
		3*4*tiles + groupBytes*min(tiles, 1<<16) + 4*int64(entries+numbers) + 1<<16
}
