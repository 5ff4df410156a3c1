// Package coco reads what COCO's annotation files hold: run-length encoded masks and
// polygons, as pycocotools has them, and the file itself, as a stream.
//
// Masks are stored column by column: a run goes down a column and on at the top of the
// next. Coordinates are continuous, as in package schema: pixel (column x, row y) covers
// [x, x+1) x [y, y+1).
package coco

import (
	"errors"
	"fmt"
	"slices"
)

// RLE is a mask by the lengths of its runs, column by column. They are alternately
// outside (first) and inside, and add up to Height * Width.
type RLE struct {
	Height, Width int
	Counts        []uint32
}

// The largest masks that are taken.
const (
	mostPixels = 1 << 31
	mostSide   = 1 << 20
)

// checkSize refuses sizes that a mask cannot have.
func checkSize(height, width int) error {
	if height <= 0 || width <= 0 || height > mostSide || width > mostSide || int64(height)*int64(width) > mostPixels {
		return fmt.Errorf("a mask of %d x %d pixels (height x width): want sides between 1 and %d, and at most %d pixels", height, width, mostSide, int64(mostPixels))
	}
	return nil
}

// NewRLE is the mask of these runs. Their number and lengths may be wrong, which is an error.
func NewRLE(counts []uint32, height, width int) (RLE, error) {
	if err := checkSize(height, width); err != nil {
		return RLE{}, err
	}
	sum := int64(0)
	for _, c := range counts {
		if sum += int64(c); sum > mostPixels {
			break
		}
	}
	if want := int64(height) * int64(width); sum != want {
		have := fmt.Sprint(sum)
		if sum > mostPixels {
			have = "more"
		}
		return RLE{}, fmt.Errorf("the runs of an RLE have %s pixels, and its mask of %d x %d (height x width) has %d", have, height, width, want)
	}
	return RLE{height, width, counts}, nil
}

// Of a compressed RLE, each character has five bits of a number and one that says whether
// more follow; from the fourth number on they are differences to the last but one.
const (
	firstChar = '0'
	moreBits  = 0x20
	signBit   = 0x10
)

// DecodeRLE reads the compressed form of pycocotools.
func DecodeRLE(text []byte, height, width int) (RLE, error) {
	counts := make([]uint32, 0, len(text)/2)
	for at := 0; at < len(text); {
		x, bits := int64(0), 0
		for more := true; more; at++ {
			if at == len(text) {
				return RLE{}, errors.New("a compressed RLE ends within a number")
			}
			c := int64(text[at]) - firstChar
			if c < 0 || c >= 2*moreBits {
				return RLE{}, fmt.Errorf("a compressed RLE has the character %q at %d: want those from '0' to 'o'", text[at], at)
			}
			if bits > 35 {
				return RLE{}, fmt.Errorf("a compressed RLE has a number of more than 40 bits at %d", at)
			}
			x |= (c & (moreBits - 1)) << bits
			bits += 5
			if more = c&moreBits != 0; !more && c&signBit != 0 {
				x |= -1 << bits
			}
		}
		if n := len(counts); n > 2 {
			x += int64(counts[n-2])
		}
		if x < 0 || x > mostPixels {
			return RLE{}, fmt.Errorf("run %d of a compressed RLE has %d pixels", len(counts), x)
		}
		counts = append(counts, uint32(x))
	}
	return NewRLE(counts, height, width)
}

// AppendEncoded appends the compressed form.
func (r RLE) AppendEncoded(text []byte) []byte {
	for i, count := range r.Counts {
		x := int64(count)
		if i > 2 {
			x -= int64(r.Counts[i-2])
		}
		for more := true; more; {
			c := x & (moreBits - 1)
			x >>= 5
			if more = x != 0; c&signBit != 0 {
				more = x != -1
			}
			if more {
				c |= moreBits
			}
			text = append(text, byte(c+firstChar))
		}
	}
	return text
}

// Area is the number of pixels inside.
func (r RLE) Area() int64 {
	sum := int64(0)
	for i := 1; i < len(r.Counts); i += 2 {
		sum += int64(r.Counts[i])
	}
	return sum
}

// Box is x1 y1 x2 y2 of the smallest box around what is inside; zeros where nothing is.
func (r RLE) Box() (box [4]int) {
	x1, y1, x2, y2 := r.Width, r.Height, 0, 0
	at := 0
	for i, count := range r.Counts {
		from := at
		at += int(count)
		if i%2 == 0 || count == 0 {
			continue
		}
		first, last := from/r.Height, (at-1)/r.Height
		x1, x2 = min(x1, first), max(x2, last+1)
		if first < last {
			y1, y2 = 0, r.Height
		} else {
			y1, y2 = min(y1, from%r.Height), max(y2, (at-1)%r.Height+1)
		}
	}
	if x2 == 0 {
		return box
	}
	return [4]int{x1, y1, x2, y2}
}

// Encode is the RLE of a mask, row by row; a pixel is inside unless it is 0.
func Encode(mask []byte, height, width int) (RLE, error) {
	if err := checkSize(height, width); err != nil {
		return RLE{}, err
	}
	if len(mask) != height*width {
		return RLE{}, fmt.Errorf("a mask of %d x %d pixels has %d values", height, width, len(mask))
	}
	var counts []uint32
	inside, run := false, uint32(0)
	for x := range width {
		for y := range height {
			if (mask[y*width+x] != 0) != inside {
				counts = append(counts, run)
				inside, run = !inside, 0
			}
			run++
		}
	}
	return RLE{height, width, append(counts, run)}, nil
}

// Paint sets the pixels inside to value, in a mask of the RLE's size, row by row.
func (r RLE) Paint(mask []byte, value byte) error {
	if len(mask) != r.Height*r.Width {
		return fmt.Errorf("an RLE of %d x %d pixels is painted into %d values", r.Height, r.Width, len(mask))
	}
	at := 0
	for i, count := range r.Counts {
		if i%2 == 1 {
			for p := at; p < at+int(count); p++ {
				mask[p%r.Height*r.Width+p/r.Height] = value
			}
		}
		at += int(count)
	}
	return nil
}

// toggles are the places, in rising order and without repetition, at which runs change
// sides, that of the end left out.
func (r RLE) toggles() []uint32 {
	list := make([]uint32, 0, len(r.Counts))
	at := uint32(0)
	for _, count := range r.Counts {
		at += count
		if n := len(list); n > 0 && list[n-1] == at {
			list = list[:n-1]
		} else {
			list = append(list, at)
		}
	}
	for n := len(list); n > 0 && int64(list[n-1]) >= int64(r.Height)*int64(r.Width); n = len(list) {
		list = list[:n-1]
	}
	return list
}

// fromToggles is the reverse.
func fromToggles(list []uint32, height, width int) RLE {
	counts := make([]uint32, 0, len(list)+1)
	last := uint32(0)
	for _, at := range list {
		counts = append(counts, at-last)
		last = at
	}
	return RLE{height, width, append(counts, uint32(height*width)-last)}
}

// Union is what is inside of any of the masks, which have one size.
func Union(masks ...RLE) (RLE, error) {
	if len(masks) == 0 {
		return RLE{}, errors.New("a union of no masks")
	}
	for _, m := range masks {
		if m.Height != masks[0].Height || m.Width != masks[0].Width {
			return RLE{}, fmt.Errorf("a union of masks of %d x %d and of %d x %d pixels", masks[0].Height, masks[0].Width, m.Height, m.Width)
		}
	}
	if len(masks) == 1 {
		return masks[0], nil
	}
	// Each place has +1 where a run inside begins and -1 where it ends.
	type edge struct {
		at uint32
		by int32
	}
	var edges []edge
	for _, m := range masks {
		for i, at := range m.toggles() {
			edges = append(edges, edge{at, 1 - 2*int32(i%2)})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return int(int64(a.at) - int64(b.at)) })
	var list []uint32
	depth := int32(0)
	for i := 0; i < len(edges); {
		at, before := edges[i].at, depth
		for ; i < len(edges) && edges[i].at == at; i++ {
			depth += edges[i].by
		}
		if (before > 0) != (depth > 0) {
			list = append(list, at)
		}
	}
	return fromToggles(list, masks[0].Height, masks[0].Width), nil
}
