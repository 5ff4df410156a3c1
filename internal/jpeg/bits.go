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
// the end of the data any number of zeros follow, counted in pad: callers check overrun
// from time to time instead of the end at every bit.
type bits struct {
	data []byte // from the scan on; the reader never passes a marker
	pos  int
	acc  uint64
	n    uint
	pad  uint // bits of the n (or before them) that are no data

	// For damaged files (lenient.go). It is looked at only where something is wrong, so that
	// sound data is read no slower.
	lenient  bool // invalid codes are no errors
	ended    bool // zeros behind the end were used: nothing is decoded until the next restart
	filled   bool // fill bytes within the data were skipped
	warnings int
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// minBits is how many bits a fill guarantees: a code takes up to 16, its value 15.
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
		case b.lenient && b.passFillBytes():
			v = 0xff
		default:
			b.pad += 8
		}
		b.acc |= uint64(v) << ((56 - b.n) & 63)
		b.n += 8
	}
}

// overrun reports whether bits behind the end of the data were used.
func (b *bits) overrun() bool { return b.pad > b.n }

// short reports whether fewer bits remain than the longest code has: a code that isn't
// found then was truncated.
func (b *bits) short() bool { return b.pad > 0 && b.pad+16 > b.n }

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

// jump continues at pos.
func (b *bits) jump(pos int) { b.pos, b.acc, b.n, b.pad = pos, 0, 0, 0 }

// consumed is where the first byte begins of which no bit was used yet.
func (b *bits) consumed() int {
	pos := b.pos
	for n := b.n; n >= b.pad+8; n -= 8 {
		pos = b.before(pos)
	}
	return pos
}

// before is where the byte that ends at pos begins: a stuffed 0xff takes two, or more with
// fill bytes.
func (b *bits) before(pos int) int {
	if pos < 2 || b.data[pos-1] != 0 || b.data[pos-2] != 0xff {
		return max(pos-1, 0)
	}
	for pos -= 2; pos > 0 && b.data[pos-1] == 0xff; {
		pos--
	}
	return pos
}

// restart reads the restart marker RSTm. If that isn't what comes next it returns false; a
// lenient reader has then been put where resync says.
func (b *bits) restart(m byte) bool {
	at, marker, skipped := nextMarker(b.data, b.consumed())
	switch sound := !skipped && marker == mRST0+m; {
	case sound:
		b.jump(at + 2)
		b.ended = false
		return true
	case b.lenient:
		b.resync(m, at, marker, skipped)
	}
	return false
}

// skipToMarker skips all data up to the next marker, or to the end.
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
	b.jump(pos)
}
