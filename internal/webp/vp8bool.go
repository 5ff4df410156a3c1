package webp

import (
	"encoding/binary"
	"math/bits"
)

// boolDecoder is the arithmetic decoder of a partition (RFC 6386, 7).
type boolDecoder struct {
	data []byte // not yet in value
	// value begins, in its highest byte, with what the next decision looks at. Of its first 8+bits
	// bits it is certain; those behind them are 0, or what will be put there again.
	value uint64
	bits  int    // negative: bits must be loaded before the next decision
	span  uint32 // the range less 1: 127 to 254 before a decision
	// ended is set by a decision that looks beyond the end. As in libwebp that is an error, whatever
	// becomes of the bits.
	ended bool
}

// impossible reports whether a partition begins with a byte that no encoder of these writes: the code is below the
// range, which begins with 255. What libwebp makes of it depends on how many bits it loads at once.
func impossible(data []byte) bool { return len(data) > 0 && data[0] == 0xff }

func (b *boolDecoder) init(data []byte) { *b = boolDecoder{data: data, span: 254, bits: -8} }

// load adds bits to value. Beyond the end they are zeros.
func (b *boolDecoder) load() {
	have := uint(b.bits+8) & 63
	switch {
	case len(b.data) >= 8:
		b.value |= binary.BigEndian.Uint64(b.data) >> have
		n := (63 - have) >> 3
		b.data = b.data[n:]
		b.bits += int(8 * n)
	case len(b.data) > 0:
		b.value |= uint64(b.data[0]) << (56 - have)
		b.data = b.data[1:]
		b.bits += 8
	default:
		b.bits += 8
		b.ended = true
	}
}

// shifts is how often a range must be doubled to be at least 128.
var shifts = func() (s [256]uint8) {
	for i := range s {
		s[i] = uint8(bits.LeadingZeros8(uint8(i)))
	}
	return s
}()

// bit decides; p is the probability of 0, in units of 1/256.
func (b *boolDecoder) bit(p uint8) (v int) {
	if b.bits < 0 {
		b.load()
	}
	split := b.span * uint32(p) >> 8
	to, at := split+1, uint64(split+1)<<56
	if b.value >= at {
		b.value -= at
		to, v = b.span-split, 1
	}
	shift := shifts[uint8(to)]
	b.span = to<<shift - 1
	b.value <<= shift
	b.bits -= int(shift)
	return v
}

func (b *boolDecoder) flag() bool { return b.bit(128) != 0 }

// number is an unsigned number of n bits.
func (b *boolDecoder) number(n int) (v int) {
	for range n {
		v = v<<1 | b.bit(128)
	}
	return v
}

// optional is a flag and, where it is set, a number of n bits and its sign; else 0.
func (b *boolDecoder) optional(n int) int {
	if !b.flag() {
		return 0
	}
	v := b.number(n)
	if b.flag() {
		return -v
	}
	return v
}
