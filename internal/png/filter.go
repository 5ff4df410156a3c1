package png

import "encoding/binary"

// The filters of PNG, section 9.
const (
	noFilter = iota
	subFilter
	upFilter
	averageFilter
	paethFilter
)

// useAssembly chooses between two ways to the same bytes.
var useAssembly = haveAssembly()

// unfilter restores a row behind its lead, from its coded bytes, the row above and the pixels
// to the left. It is faster where there is memory for overrun bytes behind the coded ones.
func unfilter(filter byte, row, coded, above []byte, pixel int) {
	if unfilterFast(filter, row, coded, above, pixel) {
		return
	}
	n := len(coded)
	copy(row[rowLead:], coded)
	switch filter {
	case subFilter:
		if pixel == 1 {
			sub1(row[rowLead : rowLead+n])
			return
		}
		for i := rowLead; i < rowLead+n; i++ {
			row[i] += row[i-pixel]
		}
	case upFilter:
		up(row[rowLead:], above[rowLead:], n)
	case averageFilter:
		for i := rowLead; i < rowLead+n; i++ {
			row[i] += uint8((int(row[i-pixel]) + int(above[i])) / 2)
		}
	case paethFilter:
		switch pixel {
		case 1:
			paeth1(row[rowLead:rowLead+n], above[rowLead:rowLead+n])
		case 3:
			paeth3(row[rowLead:rowLead+n], above[rowLead:rowLead+n])
		default:
			for i := rowLead; i < rowLead+n; i++ {
				row[i] += paeth(int32(row[i-pixel]), int32(above[i]), int32(above[i-pixel]))
			}
		}
	}
}

// up adds the row above, eight bytes at a time, or 32 where it doesn't change.
func up(row, above []byte, n int) {
	for i := 0; i < n; i += 8 {
		for i+32 <= n && zeros(row[i:]) {
			copy(row[i:i+32], above[i:i+32])
			i += 32
		}
		if i >= n {
			return
		}
		a, b := binary.LittleEndian.Uint64(row[i:]), binary.LittleEndian.Uint64(above[i:])
		binary.LittleEndian.PutUint64(row[i:], sums(a, b))
	}
}

// sums adds eight bytes to eight: sums of seven bits each, and the eighth without its carry.
func sums(a, b uint64) uint64 {
	const low = 0x7f7f7f7f7f7f7f7f
	return (a&low + b&low) ^ (a^b)&^low
}

// zeros reports whether the next 32 bytes are zeros.
func zeros(p []byte) bool {
	p = p[:32]
	return binary.LittleEndian.Uint64(p)|binary.LittleEndian.Uint64(p[8:])|binary.LittleEndian.Uint64(p[16:])|binary.LittleEndian.Uint64(p[24:]) == 0
}

// every times a byte is eight of them.
const every = 0x0101010101010101

// sub1 is the filter of the pixel to the left for pixels of one byte.
func sub1(row []byte) {
	left := uint64(0)
	for ; len(row) >= 8; row = row[8:] {
		w := binary.LittleEndian.Uint64(row)
		w = sums(w, w<<8)
		w = sums(w, w<<16)
		w = sums(w, w<<32)
		w = sums(w, left*every)
		binary.LittleEndian.PutUint64(row, w)
		left = w >> 56
	}
	for i := range row {
		left += uint64(row[i])
		row[i] = byte(left)
	}
}

// paeth1 is the filter for pixels of one byte. Where a mask doesn't change, eight are made at
// once: those above, if the pixel to the left is as the one above that; or that to the left,
// if those above are all as that one above.
func paeth1(row, above []byte) {
	above = above[:len(row)]
	var left, corner int32
	for i := 0; i < len(row); {
		for left == corner && i+32 <= len(row) && zeros(row[i:]) {
			copy(row[i:i+32], above[i:i+32])
			left = int32(above[i+31])
			corner = left
			i += 32
		}
		if i+8 <= len(row) && binary.LittleEndian.Uint64(row[i:]) == 0 {
			b := binary.LittleEndian.Uint64(above[i:])
			if left == corner {
				binary.LittleEndian.PutUint64(row[i:], b)
				left = int32(b >> 56)
				corner = left
				i += 8
				continue
			}
			if b == uint64(corner)*every {
				binary.LittleEndian.PutUint64(row[i:], uint64(left)*every)
				i += 8
				continue
			}
		}
		for end := min(i+8, len(row)); i < end; i++ {
			b := int32(above[i])
			row[i] += paeth(left, b, corner)
			left, corner = int32(row[i]), b
		}
	}
}

// paeth predicts a byte from the ones to the left, above, and above to the left: it is the
// one nearest to left + up - corner; if several are, the first in this order.
func paeth(left, up, corner int32) uint8 {
	pa, pb := up-corner, left-corner
	pc := pa + pb
	pa, pb, pc = abs(pa), abs(pb), abs(pc)
	if pb < pa {
		pa, left = pb, up
	}
	if pc < pa {
		left = corner
	}
	return uint8(left)
}

// paeth3 is the filter for pixels of three bytes; the pixel to the left stays in registers.
func paeth3(row, above []byte) {
	var a0, a1, a2, c0, c1, c2 int32
	for i := 0; i+3 <= len(row) && i+3 <= len(above); i += 3 {
		b0, b1, b2 := int32(above[i]), int32(above[i+1]), int32(above[i+2])
		a0 = int32(row[i] + paeth(a0, b0, c0))
		a1 = int32(row[i+1] + paeth(a1, b1, c1))
		a2 = int32(row[i+2] + paeth(a2, b2, c2))
		row[i], row[i+1], row[i+2] = uint8(a0), uint8(a1), uint8(a2)
		c0, c1, c2 = b0, b1, b2
	}
}

func abs(v int32) int32 {
	sign := v >> 31
	return (v ^ sign) - sign
}

// takeHigh takes the first of each two bytes of a row.
func takeHigh(high, row []byte) {
	n := takeHighFast(high, row)
	row = row[:2*len(high)]
	for i := n; i < len(high); i++ {
		high[i] = row[2*i]
	}
}
