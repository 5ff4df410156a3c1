package jpeg

import (
	"encoding/binary"
	mathbits "math/bits"
	"slices"
)

// maxBlockBytes is more than a block's data takes: 64 codes of up to 16 bits with values of up
// to 11, each byte of it 0xff and so followed by a zero.
const maxBlockBytes = 2 * 64 * 27 / 8

// codes is a Huffman table for encoding, by symbol: the code in bits 8 to 23, its length in
// bits 0 to 7.
type codes [256]uint32

// standardCodes is those of standard: [DC, AC][luminance, chrominance].
var standardCodes = func() (all [2][2]codes) {
	for class := range standard {
		for kind, table := range standard[class] {
			code, at := uint32(0), 16
			for length := 1; length <= 16; length++ {
				for range table[length-1] {
					all[class][kind][table[at]] = code<<8 | uint32(length)
					code++
					at++
				}
				code <<= 1
			}
		}
	}
	return all
}()

// entropy writes the data of a scan. Its last n bits, below 32 between codes, are acc's lowest.
type entropy struct {
	dst []byte
	acc uint64
	n   uint
}

// begin appends to dst from now on.
func (w *entropy) begin(dst []byte) { w.dst, w.acc, w.n = dst, 0, 0 }

// reserve makes room for an MCU and an end.
func (w *entropy) reserve() { w.dst = slices.Grow(w.dst, 6*maxBlockBytes+64) }

// encode writes a block of a component (T.81, F.1.2).
func (w *entropy) encode(b *encBlock, c *encComponent) {
	nonzero := b.nonzero
	dc := int32(0)
	if nonzero&1 != 0 {
		dc = int32(b.values[0])
	}
	diff := dc - c.previous
	c.previous = dc

	acc, n := w.acc, w.n
	size := uint(mathbits.Len32(uint32(diff ^ diff>>31 - diff>>31)))
	e := c.dc[size&255]
	acc, n = acc<<(e&255&63)|uint64(e>>8), n+uint(e&255)
	acc, n = acc<<(size&63)|uint64(uint32(diff+diff>>31)&(1<<(size&31)-1)), n+size
	dst, pos := w.dst[:cap(w.dst)], len(w.dst)
	if n >= 32 {
		n -= 32
		pos = put(dst, pos, uint32(acc>>(n&63)))
	}

	ac := c.ac
	last := -1 // so that the first run is counted from coefficient 1
	for rest := nonzero >> 1; rest != 0; rest &= rest - 1 {
		k := mathbits.TrailingZeros64(rest)
		run := k - last - 1
		last = k
		for ; run > 15; run -= 16 {
			e := ac[0xf0]
			acc, n = acc<<(e&255&63)|uint64(e>>8), n+uint(e&255)
			if n >= 32 {
				n -= 32
				pos = put(dst, pos, uint32(acc>>(n&63)))
			}
		}
		v := int32(b.values[zigzag[(k+1)&63]&63])
		sign := v >> 31
		size := uint(mathbits.Len32(uint32(v ^ sign - sign)))
		e := ac[(uint(run)<<4|size)&255]
		length := uint(e&255) + size
		acc = acc<<(length&63) | uint64(e>>8)<<(size&63) | uint64(uint32(v+sign)&(1<<(size&31)-1))
		if n += length; n >= 32 {
			n -= 32
			pos = put(dst, pos, uint32(acc>>(n&63)))
		}
	}
	if last < 62 {
		e := ac[0]
		acc, n = acc<<(e&255&63)|uint64(e>>8), n+uint(e&255)
		if n >= 32 {
			n -= 32
			pos = put(dst, pos, uint32(acc>>(n&63)))
		}
	}
	w.dst, w.acc, w.n = dst[:pos], acc, n
}

// empty writes a block that differs in nothing from the one before it and has only a DC
// coefficient.
func (w *entropy) empty(c *encComponent) {
	for _, e := range [2]uint32{c.dc[0], c.ac[0]} {
		w.acc, w.n = w.acc<<(e&255&63)|uint64(e>>8), w.n+uint(e&255)
	}
	w.flush()
}

// put writes four bytes of data, with a zero after each 0xff.
func put(dst []byte, pos int, v uint32) int {
	if (^v-0x01010101)&v&0x80808080 == 0 {
		binary.BigEndian.PutUint32(dst[pos:], v)
		return pos + 4
	}
	for shift := 24; shift >= 0; shift -= 8 {
		dst[pos] = byte(v >> shift)
		pos++
		if byte(v>>shift) == 0xff {
			dst[pos] = 0
			pos++
		}
	}
	return pos
}

// flush writes whole words.
func (w *entropy) flush() {
	if w.n >= 32 {
		w.n -= 32
		dst := w.dst[:cap(w.dst)]
		w.dst = dst[:put(dst, len(w.dst), uint32(w.acc>>w.n))]
	}
}

// pad writes what is left, with ones up to a whole byte.
func (w *entropy) pad() {
	fill := -w.n & 7
	w.acc, w.n = w.acc<<fill|(1<<fill-1), w.n+fill
	for ; w.n > 0; w.n -= 8 {
		v := byte(w.acc >> (w.n - 8))
		w.dst = append(w.dst, v)
		if v == 0xff {
			w.dst = append(w.dst, 0)
		}
	}
	w.acc = 0
}

// restart writes the marker after interval i.
func (w *entropy) restart(i int) {
	w.pad()
	w.dst = append(w.dst, 0xff, mRST0+byte(i&7))
}

// finish writes the end of the file and returns all of it.
func (w *entropy) finish() []byte {
	w.pad()
	w.dst = append(w.dst, 0xff, mEOI)
	return w.dst
}
