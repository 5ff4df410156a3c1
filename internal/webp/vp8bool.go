package webp

import (
	"encoding/binary"
	"math/bits"
)

// boolDecoder is the arithmetic decoder of a partition (RFC 6386, 7).
type boolDecoder struct {
	data  []byte // not yet in value
	value uint64 // the next 8+bits bits
	span  uint32 // the range less 1: 127 to 254 before a decision
	bits  int    // negative: bits must be loaded before the next decision
	// ended is set by a decision that looks beyond the end. As in libwebp that is an error, whatever
	// becomes of the bits.
	ended bool
}

func (b *boolDecoder) init(data []byte) { *b = boolDecoder{data: data, span: 254, bits: -8} }

// load adds bits to value. Beyond the end they are zeros.
func (b *boolDecoder) load() {
	switch {
	case len(b.data) >= 8:
		b.value = b.value<<56 | binary.BigEndian.Uint64(b.data)>>8
		b.data = b.data[7:]
		b.bits += 56
	case len(b.data) > 0:
		b.value = b.value<<8 | uint64(b.data[0])
		b.data = b.data[1:]
		b.bits += 8
	default:
		b.value <<= 8
		b.bits += 8
		b.ended = true
	}
}

// bit decides; p is the probability of 0, in units of 1/256.
func (b *boolDecoder) bit(p uint8) int {
	if b.bits < 0 {
		b.load()
	}
	split := b.span * uint32(p) >> 8
	at := uint(b.bits) & 63
	if uint32(b.value>>at) > split {
		b.value -= uint64(split+1) << at
		b.narrow(b.span - split)
		return 1
	}
	b.narrow(split + 1)
	return 0
}

// narrow sets the range, 1 to 254, and doubles it until it is at least 128.
func (b *boolDecoder) narrow(to uint32) {
	shift := bits.LeadingZeros8(uint8(to))
	b.span = to<<shift - 1
	b.bits -= shift
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
