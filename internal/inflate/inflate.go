// Package inflate reads deflate and zlib streams (RFC 1951, RFC 1950) that are in memory
// completely, as image files are, two to four times as fast as compress/flate.
//
// Bits are taken from a 64-bit buffer filled eight bytes at a time; one look-up
// yields up to three literals, or a length with its extra bits. A stream is valid if it
// is to zlib: incomplete codes are errors, except a single code of one bit, and so is a
// code without an end of block.
//
// The checksum after a zlib stream is verified if it is there; a truncated one is ignored.
package inflate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	window = 1 << 15 // how far back a match may reach
	fresh  = 1 << 16 // bytes decoded at a time
	slack  = 512     // a match, and stores that write beyond their end
)

// useAssembly chooses between two ways to the same bytes.
var useAssembly = haveAssembly()

// Reader inflates a stream. The zero value is an empty one. Reset begins another and keeps
// the 100 KB of buffers.
type Reader struct {
	in      []byte
	pos     int    // in in
	bits    uint64 // the next bits, lowest first
	have    uint   // how many of them there are
	missing uint   // bytes taken beyond the end of in: zeros

	out   []byte // the window, and what is decoded behind it
	begin int    // of what wasn't returned yet
	end   int    // of what was decoded
	reach int    // how far before end a match may begin
	most  int    // how many bytes will be taken, from begin on; -1: all

	kind   blockKind
	last   bool // the current block is the last
	stored int  // remaining bytes of a stored block
	err    error

	zlib bool  // an Adler-32 follows
	sum  adler // of what was decoded, where zlib

	code tables
}

type blockKind uint8

const (
	betweenBlocks blockKind = iota
	storedBlock
	codedBlock
)

// ErrDamaged is wrapped by every error that isn't io.EOF or io.ErrUnexpectedEOF.
var ErrDamaged = errors.New("damaged deflate data")

// Reset begins a raw deflate stream. data is not copied.
func (r *Reader) Reset(data []byte) {
	out := r.out
	if out == nil {
		out = make([]byte, window+fresh+slack)
	}
	r.in, r.pos, r.bits, r.have, r.missing = data, 0, 0, 0, 0
	r.out, r.begin, r.end, r.reach, r.most = out, window, window, 0, -1
	r.kind, r.last, r.stored, r.err, r.zlib = betweenBlocks, false, 0, nil, false
}

// ResetZlib begins a zlib stream.
func (r *Reader) ResetZlib(data []byte) {
	r.Reset(nil)
	switch {
	case len(data) < 2:
		r.err = io.ErrUnexpectedEOF
	case data[0]&15 != 8 || data[0]>>4 > 7 || (uint(data[0])<<8|uint(data[1]))%31 != 0:
		r.err = fmt.Errorf("%w: %#02x %#02x is no zlib header", ErrDamaged, data[0], data[1])
	case data[1]&32 != 0:
		r.err = fmt.Errorf("%w: it needs a preset dictionary", ErrDamaged)
	default:
		r.in, r.zlib, r.sum = data[2:], true, adler{a: 1}
	}
}

// Release drops the stream's data.
func (r *Reader) Release() { r.in = nil }

// Read returns the next bytes. At the end of the stream the error is io.EOF; if the data
// ends before, io.ErrUnexpectedEOF, after everything that could be decoded.
func (r *Reader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if r.begin == r.end {
			if r.err == nil {
				r.more()
			}
			if r.begin == r.end {
				return n, r.err
			}
		}
		k := copy(p[n:], r.out[r.begin:r.end])
		r.begin += k
		n += k
	}
	return n, nil
}

// Kept is how many bytes of memory the reader keeps.
func (r *Reader) Kept() int { return len(r.out) + 40<<10 }

// Only says that Next will take no more than n bytes from here on. The rest of the stream,
// and its checksum, are not read then.
func (r *Reader) Only(n int) { r.most, r.zlib = n, false }

// Next returns the next n bytes, valid until the next call of any method. Where there are
// fewer, it returns them and the error that Read would.
func (r *Reader) Next(n int) ([]byte, error) {
	if need := window + max(n, fresh) + slack; need > len(r.out) {
		r.out = append(make([]byte, 0, need), r.out...)[:need]
	}
	for r.end-r.begin < n && r.err == nil {
		r.more()
	}
	p := r.out[r.begin:min(r.begin+n, r.end)]
	r.begin += len(p)
	if r.most >= 0 {
		r.most -= len(p)
	}
	if len(p) < n {
		return p, r.err
	}
	return p, nil
}

// more decodes until the memory is full, or to the end of the stream.
func (r *Reader) more() {
	if kept := min(r.begin, r.end-window); kept > 0 { // what a match may reach, and what wasn't taken, moves to the front
		copy(r.out, r.out[kept:r.end])
		r.begin, r.end = r.begin-kept, r.end-kept
	}
	limit := len(r.out) - slack
	if r.most >= 0 {
		limit = min(limit, r.begin+max(r.most, 1))
	}
	begin := r.end
	for r.err == nil && r.end < limit {
		before := r.end
		switch r.kind {
		case betweenBlocks:
			if r.last {
				r.close(begin)
				return
			}
			r.block()
		case storedBlock:
			r.copyStored(limit)
		case codedBlock:
			r.coded(limit)
		}
		r.reach = min(r.reach+r.end-before, window)
		if 8*r.missing > r.have && !errors.Is(r.err, io.EOF) { // whatever these bits were taken for
			r.err = io.ErrUnexpectedEOF
		}
	}
	r.add(begin)
}

// add adds what was decoded from begin on to the checksum.
func (r *Reader) add(begin int) {
	if r.zlib {
		r.sum.add(r.out[begin:r.end])
	}
}

// close checks the end of a stream after its last block; what was decoded from begin on is
// not in the checksum yet.
func (r *Reader) close(begin int) {
	r.add(begin)
	r.err = io.EOF
	at := r.pos - int(r.have/8) + int(r.missing)
	if r.zlib && at+4 <= len(r.in) && binary.BigEndian.Uint32(r.in[at:]) != r.sum.value() {
		r.err = fmt.Errorf("%w: it doesn't match its Adler-32", ErrDamaged)
	}
}

// fill provides at least 56 bits, zeros beyond the end of the data.
func (r *Reader) fill() {
	if r.pos+8 <= len(r.in) {
		r.bits |= binary.LittleEndian.Uint64(r.in[r.pos:]) << (r.have & 63)
		r.pos += int((63 - r.have) >> 3)
		r.have |= 56
		return
	}
	for r.have <= 55 {
		if r.pos < len(r.in) {
			r.bits |= uint64(r.in[r.pos]) << (r.have & 63)
			r.pos++
		} else {
			r.missing++
		}
		r.have += 8
	}
}

// take returns the next n bits, which fill has provided.
func (r *Reader) take(n uint) int {
	v := r.bits & (1<<n - 1)
	r.bits >>= n
	r.have -= n
	return int(v)
}

func (r *Reader) damaged(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
	}
}

// block begins a block.
func (r *Reader) block() {
	r.fill()
	r.last = r.take(1) == 1
	switch kind := r.take(2); kind {
	case 0:
		r.take(r.have & 7)
		r.fill()
		n, inverse := r.take(16), r.take(16)
		if 8*r.missing > r.have {
			r.err = io.ErrUnexpectedEOF
			return
		}
		if n != ^inverse&0xffff {
			r.damaged("a stored block's length and its complement don't agree")
			return
		}
		r.pos -= int(r.have/8 - r.missing) // what was taken into the bit buffer
		r.bits, r.have, r.missing = 0, 0, 0
		r.kind, r.stored = storedBlock, n
	case 1:
		r.code.fixed()
		r.kind = codedBlock
	case 2:
		r.readCode()
		r.kind = codedBlock
	default:
		r.damaged("a block of kind %d", kind)
	}
}

func (r *Reader) copyStored(limit int) {
	if r.stored == 0 {
		r.kind = betweenBlocks
		return
	}
	n := copy(r.out[r.end:min(r.end+r.stored, limit)], r.in[r.pos:])
	if n == 0 {
		r.err = io.ErrUnexpectedEOF
		return
	}
	r.pos, r.end, r.stored = r.pos+n, r.end+n, r.stored-n
}

// readCode reads the code of a block: the lengths of two Huffman codes, which are coded
// themselves.
func (r *Reader) readCode() {
	r.fill()
	literals, distances, lengths := r.take(5)+257, r.take(5)+1, r.take(4)+4
	if literals > 286 || distances > 30 {
		r.damaged("a code of %d literals and %d distances", literals, distances)
		return
	}
	var own [19]uint8
	for i := range lengths {
		if i%16 == 8 || i%16 == 0 {
			r.fill()
		}
		own[lengthOrder[i]] = uint8(r.take(3))
	}
	if !r.code.buildLengths(&own) {
		r.damaged("the code of code lengths is no code")
		return
	}
	var all [286 + 30]uint8
	for i := 0; i < literals+distances; {
		r.fill()
		e := r.code.lengths[r.bits&127]
		r.take(uint(e & 7))
		symbol := e >> 3
		var repeat int
		var value uint8
		switch {
		case symbol < 16:
			all[i] = symbol
			i++
			continue
		case symbol == 16:
			if i == 0 {
				r.damaged("a code length repeats nothing")
				return
			}
			repeat, value = 3+r.take(2), all[i-1]
		case symbol == 17:
			repeat = 3 + r.take(3)
		default:
			repeat = 11 + r.take(7)
		}
		if i+repeat > literals+distances {
			r.damaged("more code lengths than codes")
			return
		}
		for range repeat {
			all[i] = value
			i++
		}
	}
	switch {
	case 8*r.missing > r.have:
		r.err = io.ErrUnexpectedEOF
	case all[256] == 0:
		r.damaged("a block's code has no end")
	case !r.code.build(all[:literals], all[literals:literals+distances]):
		r.damaged("a block's code is no code")
	}
}

// lengthOrder is the order in which the lengths of the code lengths' code are stored.
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// coded decodes the symbols of a block until its end, or until limit. A round takes
// at most 33 bits of literals, or 48 of a length and its distance.
func (r *Reader) coded(limit int) {
	first := r.end - r.reach
	r.codedFast(limit, first)
	in, pos, bits, have := r.in, r.pos, r.bits, r.have
	out, end := r.out, r.end
	t := &r.code
	for end < limit && pos+8 <= len(in) {
		bits, pos, have = refill(in, pos, bits, have)
		e := t.literals[bits&(1<<literalBits-1)]
		if e&isLiteral != 0 {
			binary.LittleEndian.PutUint32(out[end:], e>>8) // at most three of these bytes count
			end += int(e / one & 3)
			bits >>= e & 15
			have -= uint(e & 15)
			e = t.literals[bits&(1<<literalBits-1)]
			if e&isLiteral != 0 {
				binary.LittleEndian.PutUint32(out[end:], e>>8)
				end += int(e / one & 3)
				bits >>= e & 15
				have -= uint(e & 15)
				e = t.literals[bits&(1<<literalBits-1)]
				if e&isLiteral != 0 {
					binary.LittleEndian.PutUint32(out[end:], e>>8)
					end += int(e / one & 3)
					bits >>= e & 15
					have -= uint(e & 15)
					continue
				}
			}
			if have < 48 {
				if pos+8 > len(in) {
					break
				}
				bits, pos, have = refill(in, pos, bits, have)
			}
		}
		if e&isOther != 0 {
			if e&isLink != 0 {
				e = t.literals[e>>value+uint32(bits>>literalBits)&(1<<(e>>8&15)-1)]
			}
			if e&isLiteral != 0 {
				out[end] = byte(e >> 8)
				end++
				bits >>= e & 15
				have -= uint(e & 15)
				continue
			}
			if e&isOther != 0 {
				if e&isEnd == 0 {
					r.damaged("a symbol that isn't in the code")
					break
				}
				bits >>= e & 15
				have -= uint(e & 15)
				r.kind = betweenBlocks
				break
			}
		}
		length := int(e>>value) + int(bits&(1<<(e&31)-1)>>(e>>8&15))
		bits >>= e & 31
		have -= uint(e & 31)
		if e = t.distance(bits); e&isOther != 0 {
			r.damaged("a distance that isn't in the code")
			break
		}
		from := end - int(e>>value) - int(bits&(1<<(e&31)-1)>>(e>>8&15))
		bits >>= e & 31
		have -= uint(e & 31)
		if from < first {
			r.damaged("a match begins %d bytes before the data", first-from)
			break
		}
		repeat(out, end, from, length)
		end += length
	}
	r.pos, r.bits, r.have, r.end = pos, bits, have, end
	if r.err == nil && r.kind == codedBlock && end < limit {
		r.codedTail(limit, first)
	}
}

// refill adds bits, so that there are at least 56: eight bytes are read, and those that
// fit count.
func refill(in []byte, pos int, bits uint64, have uint) (moreBits uint64, after int, atLeast56 uint) {
	return bits | binary.LittleEndian.Uint64(in[pos:])<<(have&63), pos + int((63-have)>>3), have | 56
}

// distance is the entry of the distance that comes next; isOther: it isn't in the code.
func (t *tables) distance(bits uint64) uint32 {
	e := t.distances[bits&(1<<distanceBits-1)]
	if e&(isOther|isLink) == isOther|isLink {
		e = t.distances[e>>value+uint32(bits>>distanceBits)&(1<<(e>>8&15)-1)]
	}
	return e
}

// codedTail is coded for the last bytes of the data: symbol by symbol, as long as no bit is
// missing.
func (r *Reader) codedTail(limit, first int) {
	t := &r.code
	for r.end < limit {
		r.fill()
		there := int(r.have) - 8*int(r.missing) // bits
		e := t.single[r.bits&(1<<literalBits-1)]
		if e&(isLiteral|isOther|isLink) == isOther|isLink {
			e = t.literals[e>>value+uint32(r.bits>>literalBits)&(1<<(e>>8&15)-1)]
		}
		switch {
		case e&isLiteral != 0:
			if there < int(e&15) {
				r.err = io.ErrUnexpectedEOF
				return
			}
			r.take(uint(e & 15))
			r.out[r.end] = byte(e >> 8)
			r.end++
			continue
		case e&isOther != 0 && e&isEnd == 0:
			r.damaged("a symbol that isn't in the code")
			return
		case e&isOther != 0:
			r.take(uint(e & 15))
			r.kind = betweenBlocks
			return
		}
		n := uint(e & 31)
		length := int(e>>value) + int(r.bits&(1<<n-1)>>(e>>8&15))
		r.take(n)
		e = t.distances[r.bits&(1<<distanceBits-1)]
		if e&(isOther|isLink) == isOther|isLink {
			e = t.distances[e>>value+uint32(r.bits>>distanceBits)&(1<<(e>>8&15)-1)]
		}
		if e&isOther != 0 {
			r.damaged("a distance that isn't in the code")
			return
		}
		from := r.end - int(e>>value) - int(r.bits&(1<<(e&31)-1)>>(e>>8&15))
		r.take(uint(e & 31))
		switch {
		case there < int(n)+int(e&31):
			r.err = io.ErrUnexpectedEOF
			return
		case from < first:
			r.damaged("a match begins %d bytes before the data", first-from)
			return
		}
		repeat(r.out, r.end, from, length)
		r.end += length
	}
}

// repeat copies length bytes from from to end; if these overlap they repeat. Up to 7 bytes
// more are written.
func repeat(out []byte, end, from, length int) {
	if end-from >= 8 && length <= 32 {
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(out[end+i:], binary.LittleEndian.Uint64(out[from+i:]))
		}
		return
	}
	for to := end + length; end < to; { // what was copied doubles what there is
		end += copy(out[end:to], out[from:end])
	}
}
