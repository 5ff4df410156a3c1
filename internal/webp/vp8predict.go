package webp

import "encoding/binary"

// beside is the samples beside a 4x4 block.
type beside struct {
	above  uint64 // eight of the row above, from the left
	corner uint8
	left   [4]uint8 // from the top
}

// lanes repeats a byte in each of eight.
const lanes = 0x0101010101010101

// mean2 is (x+y+1)/2 of each of eight bytes.
func mean2(x, y uint64) uint64 { return x | y - (x^y)>>1&(0x7f*lanes) }

// mean3 is (x+2y+z+2)/4 of each of eight bytes: the mean of y and the mean of x and z rounded down.
func mean3(x, y, z uint64) uint64 {
	low := x&z + (x^z)>>1&(0x7f*lanes)
	return (low | y) - (low^y)>>1&(0x7f*lanes)
}

// spread puts four bytes into every other of eight.
func spread(x uint64) uint64 {
	x &= 0xffffffff
	x = (x | x<<16) & 0x0000ffff0000ffff
	return (x | x<<8) & 0x00ff00ff00ff00ff
}

// predict4 is the prediction of a 4x4 block (RFC 6386, 12.3), row by row, the first sample of
// each in the lowest byte.
func (e *beside) predict4(how mode) (row0, row1, row2, row3 uint32) {
	a := e.above
	l0, l1, l2, l3 := uint64(e.left[0]), uint64(e.left[1]), uint64(e.left[2]), uint64(e.left[3])
	// From the lower left corner to the upper right one, and the same from the second and the third on.
	line := l3 | l2<<8 | l1<<16 | l0<<24 | uint64(e.corner)<<32 | a<<40
	line1, line2 := line>>8|a>>24<<56, line>>16|a>>24<<48
	switch how {
	case meanMode:
		sum := l0 + l1 + l2 + l3 + a&0xff + a>>8&0xff + a>>16&0xff + a>>24&0xff
		row := uint32((sum+4)>>3) * 0x01010101
		return row, row, row, row
	case gradientMode:
		return e.gradient(0), e.gradient(1), e.gradient(2), e.gradient(3)
	case verticalMode:
		row := uint32(mean3(uint64(e.corner)|a<<8, a, a>>8))
		return row, row, row, row
	case horizontalMode:
		v := mean3(l3|line<<8, line, line1) // of left[3], left[2], ...
		each := func(shift uint) uint32 { return uint32(v>>shift&0xff) * 0x01010101 }
		return each(24), each(16), each(8), each(0)
	case downRightMode:
		v := mean3(line, line1, line2)
		return uint32(v >> 24), uint32(v >> 16), uint32(v >> 8), uint32(v)
	case verticalRightMode:
		v, w := mean3(line, line1, line2), mean2(line>>32, line1>>32)
		return uint32(w), uint32(v >> 24), uint32(v>>16&0xff | w<<8), uint32(v>>8&0xff | v>>24<<8)
	case downLeftMode:
		v := mean3(a, a>>8, a>>16|a>>56<<48)
		return uint32(v), uint32(v >> 8), uint32(v >> 16), uint32(v >> 24)
	case verticalLeftMode:
		v, w := mean3(a, a>>8, a>>16), mean2(a, a>>8)
		return uint32(w), uint32(v), uint32(w>>8&0xffffff | v>>32<<24), uint32(v>>8&0xffffff | v>>40<<24)
	case horizontalDownMode:
		v, w := mean3(line, line1, line2), mean2(line, line1)
		both := spread(w) | spread(v)<<8
		return uint32(both>>48 | v>>32<<16), uint32(both >> 32), uint32(both >> 16), uint32(both)
	}
	// horizontalUpMode
	down := l0 | l1<<8 | l2<<16 | l3<<24 | l3<<32 | l3<<40
	v, w := mean3(down, down>>8, down>>16), mean2(down, down>>8)
	both := spread(w)&0xffffffffffff | spread(v&0xffffff)<<8
	both = both&0xffffffffffff | l3<<48 | l3<<56
	return uint32(both), uint32(both >> 16), uint32(both >> 32), uint32(l3) * 0x01010101
}

// gradient is a row of left + above - corner.
func (e *beside) gradient(y int) (row uint32) {
	add := int32(e.left[y]) - int32(e.corner)
	for x := range 4 {
		row |= uint32(clip(add+int32(uint8(e.above>>(8*x))))) << (8 * x)
	}
	return row
}

// predict fills a square of size 16 or 8. above has the sample at the corner first; the
// column left of pix[at] is the left edge. hasAbove and hasLeft: the mean is only of what is in the picture.
func predict(how mode, size int, pix []uint8, at, stride int, above []uint8, hasAbove, hasLeft bool) {
	top := above[1:][:size]
	switch how {
	case meanMode:
		v := mean(size, pix, at, stride, top, hasAbove, hasLeft)
		for y := range size {
			row := pix[at+y*stride:][:size]
			for x := 0; x < len(row); x += 8 {
				binary.LittleEndian.PutUint64(row[x:], uint64(v)*lanes)
			}
		}
	case verticalMode:
		for y := range size {
			copy(pix[at+y*stride:], top)
		}
	case horizontalMode:
		for y := range size {
			row := pix[at+y*stride:][:size]
			v := uint64(pix[at+y*stride-1]) * lanes
			for x := 0; x < len(row); x += 8 {
				binary.LittleEndian.PutUint64(row[x:], v)
			}
		}
	default:
		if gradientFast(size, pix, at, stride, above) {
			return
		}
		for y := range size {
			add := int32(pix[at+y*stride-1]) - int32(above[0])
			row := pix[at+y*stride:][:size]
			for x, v := range top {
				row[x] = clip(add + int32(v))
			}
		}
	}
}

// mean is the mean of the samples above and to the left, of which there are size each.
func mean(size int, pix []uint8, at, stride int, top []uint8, hasAbove, hasLeft bool) uint8 {
	sum, n := 0, 0
	if hasAbove {
		for _, v := range top {
			sum += int(v)
		}
		n += size
	}
	if hasLeft {
		for y := range size {
			sum += int(pix[at+y*stride-1])
		}
		n += size
	}
	if n == 0 {
		return 128
	}
	return uint8((sum + n/2) / n)
}
