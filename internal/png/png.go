// Package png decodes PNG files to 8-bit RGB, row by row, as Pillow and libpng read
// them: alpha is dropped, palettes are looked up, grey is replicated, fewer than 8 bits
// are stretched to 0..255 and 16 bits keep the high byte (package decode's rules).
//
// A damaged file is read where libpng or Pillow, which has a reader of its own, ignores the damage, unless a
// checksum or a rule of the format says that pixels are wrong. By damage (.ci/python/fuzz_png.py; reads: the
// picture as it was, or as far as it is determined):
//
//	damage                                      libpng  Pillow 13  here
//	checksum of IHDR or PLTE                    refuses refuses    refuses
//	checksum of an IDAT chunk                   refuses reads      refuses
//	checksum of IEND, or no IEND, or garbage    reads   reads      reads (libpng: IEND must be there)
//	checksum of an ancillary chunk              reads   refuses    reads
//	Adler-32 wrong                              refuses refuses    refuses (both read it in an IDAT chunk behind the rows)
//	Adler-32 wrong, but rows follow the last    reads   reads      reads
//	Adler-32 missing                            refuses reads      reads
//	zlib header, deflate data, filter above 4   refuses refuses    refuses
//	pixel data too short                        refuses refuses    refuses
//	pixel data, stream or IDAT chunks too long  reads   reads      reads
//	a chunk between IDAT chunks                 what follows it isn't pixel data, for all
//	tRNS, gAMA, sBIT: order, length, repeated   reads   some       reads (they don't count)
//	indices beyond the palette                  reads   reads      reads, as black
//	palette missing, empty, cut, or repeated    refuses reads      refuses
//	palette longer than the depth's indices     reads   reads      reads
//	palette in a file of grey or RGB            reads   reads      reads (a hint)
//	palette or unknown critical chunk behind    refuses reads      reads
//	unknown critical chunk, IHDR repeated       refuses reads      refuses
//	compression above 0, interlacing above 1    refuses reads      refuses
//	IEND before the pixels, a kind not letters  refuses refuses    refuses
//
// Of an APNG the default picture is decoded.
package png

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const signature = "\x89PNG\r\n\x1a\n"

// Is reports whether data begins like a PNG file.
func Is(data []byte) bool {
	return len(data) >= len(signature) && string(data[:len(signature)]) == signature
}

// ErrTruncated is wrapped by the errors of a file that ends before its last pixel.
var ErrTruncated = errors.New("truncated")

// Colour is PNG's colour type.
type Colour uint8

// The colour types.
const (
	Grey      Colour = 0
	RGB       Colour = 2
	Palette   Colour = 3
	GreyAlpha Colour = 4
	RGBA      Colour = 6
)

// channels of a pixel as it is stored.
func (c Colour) channels() int {
	return [...]int{Grey: 1, RGB: 3, Palette: 1, GreyAlpha: 2, RGBA: 4}[c]
}

// depths that each colour type may have, as a bit each.
var depths = map[Colour]uint32{
	Grey: 1<<1 | 1<<2 | 1<<4 | 1<<8 | 1<<16, Palette: 1<<1 | 1<<2 | 1<<4 | 1<<8,
	RGB: 1<<8 | 1<<16, GreyAlpha: 1<<8 | 1<<16, RGBA: 1<<8 | 1<<16,
}

// Header is the contents of IHDR.
type Header struct {
	Width, Height int
	Depth         int // bits of a sample: 1, 2, 4, 8 or 16
	Colour        Colour
	Interlaced    bool
}

// bits of a pixel as it is stored.
func (h *Header) bits() int { return h.Depth * h.Colour.channels() }

// rowBytes of a row of width pixels, without its filter's byte.
func (h *Header) rowBytes(width int) int { return (width*h.bits() + 7) / 8 }

// File is a parsed file. It refers to its bytes.
type File struct {
	Header
	palette    [256][3]uint8
	hasPalette bool
	pixels     []span // the bodies of the IDAT chunks
	compressed int    // their bytes
	followed   bool   // by another chunk: none of them is missing
}

// span is a chunk's body; sum is nil where the file ends before its checksum.
type span struct{ chunk, body, sum []byte }

// sound reports whether a chunk matches its checksum.
func (s span) sound() bool {
	return s.sum != nil && crc32.ChecksumIEEE(s.chunk) == binary.BigEndian.Uint32(s.sum)
}

// Parse reads everything but the pixels. ancillary, if not nil, is called for each ancillary
// chunk with a correct checksum, also after the pixels; body is a part of data.
func Parse(data []byte, ancillary func(kind string, body []byte)) (*File, error) {
	if !Is(data) {
		return nil, errors.New("not a PNG file: the signature is missing")
	}
	f := &File{}
	behind := false // the last IDAT
	for rest := data[len(signature):]; len(rest) > 0; {
		if len(rest) < 8 {
			if len(f.pixels) > 0 {
				break
			}
			return nil, fmt.Errorf("%w: it ends before the pixel data", ErrTruncated)
		}
		length, kind := int64(binary.BigEndian.Uint32(rest)), rest[4:8]
		s := span{chunk: rest[4:], body: rest[8:]}
		if whole := length <= int64(len(rest)-12); whole {
			s.chunk, s.body, s.sum = rest[4:8+length], rest[8:8+length], rest[8+length:12+length]
			rest = rest[12+length:]
		} else {
			s.body = s.body[:min(int64(len(s.body)), length)]
			rest = nil
		}
		behind = behind || string(kind) != "IDAT" && len(f.pixels) > 0
		if behind && f.follow(kind, s) {
			break
		}
		switch {
		case !isKind(kind):
			return nil, fmt.Errorf("damaged file: a chunk of kind %q", kind)
		case f.Width == 0 && string(kind) == "CgBI":
			return nil, errors.New("it is Apple's own variant of PNG (CgBI), made for apps: export the picture as PNG again")
		case f.Width == 0 && string(kind) != "IHDR":
			return nil, fmt.Errorf("damaged file: it begins with the chunk %q instead of IHDR", kind)
		case string(kind) == "IDAT" && !behind:
			if f.pixels == nil { // chunks are of one size, as encoders write them
				f.pixels = make([]span, 0, 1+min(len(rest)/(len(s.chunk)+8), 1<<12))
			}
			f.pixels = append(f.pixels, s)
			f.compressed += len(s.body)
			continue
		case s.sum == nil:
			return nil, fmt.Errorf("%w: it ends within a chunk %q", ErrTruncated, kind)
		case kind[0]&0x20 != 0: // ancillary
			if ancillary != nil && s.sound() {
				ancillary(string(kind), s.body)
			}
			continue
		case behind:
			continue
		}
		if err := f.critical(kind, s); err != nil {
			return nil, err
		}
	}
	return f, f.check()
}

// follow takes note of a chunk behind the pixels; done: nothing after it counts.
func (f *File) follow(kind []byte, s span) (done bool) {
	whole := s.sum != nil && isKind(kind)
	f.followed = f.followed || whole
	return !whole || string(kind) == "IEND"
}

// critical reads a critical chunk before the pixels.
func (f *File) critical(kind []byte, s span) error {
	switch string(kind) {
	case "IHDR":
		if f.Width != 0 {
			return errors.New("damaged file: a second IHDR")
		}
		if !s.sound() {
			return errors.New("damaged file: IHDR doesn't match its checksum")
		}
		return f.header(s.body)
	case "PLTE":
		switch {
		case f.Colour != Palette: // a hint, if anything
		case !s.sound():
			return errors.New("damaged file: PLTE doesn't match its checksum")
		case f.hasPalette:
			return errors.New("damaged file: a second palette")
		case len(s.body) == 0 || len(s.body)%3 != 0 || len(s.body) > 3*256:
			return fmt.Errorf("damaged file: a palette of %d bytes", len(s.body))
		default:
			f.hasPalette = true
			for i := range min(len(s.body)/3, 1<<f.Depth) {
				f.palette[i] = [3]uint8(s.body[3*i:])
			}
		}
	case "IEND":
		return fmt.Errorf("%w: it ends before the pixel data", ErrTruncated)
	default:
		return fmt.Errorf("a chunk %q that is critical and unknown", kind)
	}
	return nil
}

func (f *File) header(body []byte) error {
	if len(body) != 13 {
		return fmt.Errorf("damaged file: IHDR has %d bytes", len(body))
	}
	width, height := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
	if width == 0 || height == 0 || width > 1<<31-1 || height > 1<<31-1 {
		return fmt.Errorf("damaged file: the picture is %dx%d", height, width)
	}
	colour, depth := Colour(body[9]), body[8]
	if depth > 16 || depths[colour]&(1<<depth) == 0 {
		return fmt.Errorf("damaged file: colour type %d with %d bits", colour, depth)
	}
	if body[10] != 0 || body[11] != 0 || body[12] > 1 {
		return fmt.Errorf("damaged file: compression %d, filter %d, interlace %d", body[10], body[11], body[12])
	}
	f.Header = Header{int(width), int(height), int(depth), colour, body[12] == 1}
	return nil
}

// check checks the file after all chunks are read.
func (f *File) check() error {
	switch {
	case f.Width == 0:
		return fmt.Errorf("%w: it ends before IHDR", ErrTruncated)
	case len(f.pixels) == 0:
		return fmt.Errorf("%w: it ends before the pixel data", ErrTruncated)
	case f.Colour == Palette && !f.hasPalette:
		return errors.New("damaged file: its palette is missing")
	}
	// One byte of deflate stands for 1,032 at most. In float64: two 31-bit sides and 64
	// bits a pixel overflow an int64.
	if need := float64(f.Width) * float64(f.Height) * float64(f.bits()) / 8; need > 1032*float64(f.compressed+64) {
		return fmt.Errorf("%w: %d bytes of data cannot hold %dx%d pixels", ErrTruncated, f.compressed, f.Height, f.Width)
	}
	return nil
}

// Memory is how many bytes Decode and Region take at most, in addition to their result and the file.
func (f *File) Memory() int64 {
	n := int64(4*(f.rowBytes(f.Width)+rowLead+overrun)) + 200<<10
	if len(f.pixels) > 1 {
		n += int64(f.compressed)
	}
	if f.Interlaced {
		n += int64(3 * f.Width)
	}
	if f.bits() < 8 {
		n += int64(3 * f.Width)
	}
	return n
}

// isKind reports whether a chunk's kind is four letters.
func isKind(kind []byte) bool {
	for _, c := range kind {
		if c |= 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// early turns the error that inflating ended with into one about the file.
func early(err error, y int) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the pixel data ends in row %d", ErrTruncated, y)
	case err != nil:
		return fmt.Errorf("damaged file: row %d: %w", y, err)
	}
	return nil
}
