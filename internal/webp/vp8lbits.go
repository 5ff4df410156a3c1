package webp

import "encoding/binary"

// bitReader reads bits, the lowest of a byte first. Behind the end it reads zeros.
type bitReader struct {
	data  []byte
	limit int    // data and the zeros that count as such, in bits
	at    int    // the next byte to load
	bits  uint64 // the next count ones; those above may be loaded already, or zero
	count uint
}

func (r *bitReader) reset(f *VP8L) {
	*r = bitReader{data: f.data, limit: 8 * (len(f.data) + f.spare)}
}

// left is how many bits there are, less than 0 if more were read.
func (r *bitReader) left() int { return r.limit - 8*r.at + int(r.count) }

// ended reports whether more bits were read than there are.
func (r *bitReader) ended() bool { return r.left() < 0 }

// fill loads at least 56 bits.
func (r *bitReader) fill() {
	if r.at+8 <= len(r.data) {
		r.bits |= binary.LittleEndian.Uint64(r.data[r.at:]) << r.count
		r.at += int((63 - r.count) >> 3)
		r.count |= 56
		return
	}
	r.fillLast()
}

func (r *bitReader) fillLast() {
	for ; r.count < 56; r.count += 8 {
		if r.at < len(r.data) {
			r.bits |= uint64(r.data[r.at]) << r.count
		}
		r.at++
	}
}

// read reads up to 32 bits.
func (r *bitReader) read(n uint) uint32 {
	r.fill()
	return r.next(n)
}

// next is read where that many bits are loaded.
func (r *bitReader) next(n uint) uint32 {
	v := r.bits & (1<<n - 1)
	r.bits >>= n
	r.count -= n
	return uint32(v)
}

// flag reads a bit.
func (r *bitReader) flag() bool { return r.read(1) != 0 }
