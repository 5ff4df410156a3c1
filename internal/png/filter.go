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

// unfilter restores n bytes of a row behind its lead, from the row above and the pixels
// to the left.
func unfilter(filter byte, row, above []byte, n, pixel int) {
	switch filter {
	case subFilter:
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
		case 3:
			paeth3(row[rowLead:rowLead+n], above[rowLead:rowLead+n])
		default:
			for i := rowLead; i < rowLead+n; i++ {
				row[i] += paeth(int32(row[i-pixel]), int32(above[i]), int32(above[i-pixel]))
			}
		}
	}
}

// up adds the row above, eight bytes at a time: sums of seven bits each, and the
// eighth without its carry.
func up(row, above []byte, n int) {
	const low = 0x7f7f7f7f7f7f7f7f
	for i := 0; i < n; i += 8 {
		a, b := binary.LittleEndian.Uint64(row[i:]), binary.LittleEndian.Uint64(above[i:])
		binary.LittleEndian.PutUint64(row[i:], (a&low+b&low)^(a^b)&^low)
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
