package jpeg

import (
	"bytes"
	"encoding/binary"
)

// bits reads entropy-coded data, in which 0xff is followed by a stuffed zero
// (T.81, F.1.2.3); any other byte behind it makes a marker, where the data ends.
//
// The next bit is acc's highest. Bits of acc below the n valid ones are either 0
// or already those that the next fill brings, so that a fill may just OR. Behind
// the end follow zeros without end, counted in pad: whoever decodes looks at
// overrun() from time to time instead of at every bit.
type bits struct {
	data []byte // from the scan on; the reader never passes a marker
	pos  int
	acc  uint64
	n    uint
	pad  uint // bits of the n (or before them) that are no data
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// minBits is what a fill guarantees: a code of 16 bits and 15 more for its value.
const minBits = 32

// fill makes at least 56 bits valid. decodeBlock repeats its first half.
func (b *bits) fill() {
	if rest := b.data[b.pos:]; len(rest) >= 8 {
		// Eight bytes at once where none is 0xff (where ^v has no zero byte).
		if v := binary.BigEndian.Uint64(rest); (^v-lowBits)&v&highBits == 0 {
			b.acc |= v >> (b.n & 63)
			b.pos += int((63 - b.n) >> 3)
			b.n |= 56
			return
		}
	}
	b.fillSlow()
}

// fillSlow takes byte by byte.
func (b *bits) fillSlow() {
	for b.n <= 56 {
		var v byte
		switch rest := b.data[b.pos:]; {
		case len(rest) > 0 && rest[0] != 0xff:
			v = rest[0]
			b.pos++
		case len(rest) > 1 && rest[1] == 0:
			v = 0xff
			b.pos += 2
		default:
			b.pad += 8
		}
		b.acc |= uint64(v) << ((56 - b.n) & 63)
		b.n += 8
	}
}

// overrun tells whether bits behind the end of the data were used.
func (b *bits) overrun() bool { return b.pad > b.n }

// ended tells whether less data is left than the longest code needs: a code that
// isn't found then was cut off.
func (b *bits) ended() bool { return b.pad > 0 && b.pad+16 > b.n }

// take reads size bits, at most 16.
func (b *bits) take(size uint) uint32 {
	if b.n < minBits {
		b.fill()
	}
	v := uint32(b.acc >> 1 >> ((63 - size) & 63)) // size may be 0
	b.acc <<= size & 63
	b.n -= size
	return v
}

// extend is T.81's EXTEND (figure F.12): the value that size bits stand for.
func extend(v int32, size uint) int32 {
	if v < 1<<((size-1)&31) {
		v += -1<<(size&31) + 1
	}
	return v
}

// restart passes over what is left of the last byte and the marker RSTm.
func (b *bits) restart(m int) bool {
	if b.n-b.pad >= 8 {
		return false // whole bytes are left over: the codes don't fill their interval
	}
	pos := b.pos
	for pos < len(b.data) && b.data[pos] == 0xff {
		pos++
	}
	if pos == b.pos || pos == len(b.data) || b.data[pos] != byte(mRST0+m) {
		return false
	}
	*b = bits{data: b.data, pos: pos + 1}
	return true
}

// skipToMarker leaves out all data up to the next marker, or to the end.
func (b *bits) skipToMarker() {
	pos := b.pos
	for {
		skip := bytes.IndexByte(b.data[pos:], 0xff)
		if skip < 0 {
			pos = len(b.data)
			break
		}
		pos += skip
		if pos+1 >= len(b.data) || b.data[pos+1] != 0 {
			break
		}
		pos += 2
	}
	*b = bits{data: b.data, pos: pos}
}
