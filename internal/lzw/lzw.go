// Package lzw reads the LZW codes of GIF and TIFF files, which are in memory completely,
// several times as fast as compress/lzw and golang.org/x/image/tiff/lzw.
//
// It takes what Pillow and libtiff take: literals of 0 to 12 bits (GIF89a, appendix F, has 2 to
// 8), data that doesn't begin with a clear code, a table that stays full without one, and
// TIFF's codes from before version 6.0 with their bits in GIF's order.
//
// Codes are read in batches, whose width is known from their number. The string that a code
// stands for is kept in pieces of eight bytes, each written at once: the last piece, and the
// string that it continues.
package lzw

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	maxWidth = 12
	full     = 1 << maxWidth // strings in a full table
	longest  = full          // bytes of a string, at most
	fresh    = 8 << 10       // bytes decoded at a time
	slack    = longest + 8   // the last string, and stores that write beyond its end
	batch    = 512           // codes
	none     = -1            // no string before: a clear code was the last
)

// Memory is how many bytes a Decoder takes, in addition to the longest Next: its table of strings and
// codes in whole pages, and the string behind what was asked for.
const Memory = 20*full + 8<<10

// ErrDamaged is wrapped by every error that isn't io.ErrUnexpectedEOF.
var ErrDamaged = errors.New("damaged LZW data")

// useAssembly chooses between two ways to the same bytes.
var useAssembly = haveAssembly()

// Decoder decodes one stream after another, and keeps its memory from one to the next. Its zero
// value is an empty stream.
type Decoder struct {
	in   []byte
	pos  int
	bits uint64 // the next bits: GIF's lowest first, TIFF's highest
	have uint   // how many of them there are
	tiff bool   // TIFF's order, and codes that widen one code early

	literals int // how many there are; also the clear code
	width    uint
	next     int // the string that is made next
	previous int // the code before, or none
	err      error

	codes    [batch]uint16
	at, size int // codes that weren't used yet
	then     int // the code behind them: clear, end or none

	out        []byte
	begin, end int // of what wasn't returned yet

	made    int // how many literals are in the table
	strings [full + 3]piece
}

// piece is the end of a string.
type piece struct {
	bytes uint64 // its last 1 to 8 bytes, the first one lowest, zeros behind the last
	about uint64 // size of the string | its first byte<<16 | code of what is before the last bytes<<24
}

// ResetGIF begins with a GIF's codes; literalBits is what GIF calls the minimum code size. data
// is not copied.
func (d *Decoder) ResetGIF(data []byte, literalBits int) {
	d.reset(data, min(literalBits, maxWidth), false)
	if literalBits > maxWidth {
		d.err = fmt.Errorf("%w: codes of %d bits", ErrDamaged, literalBits)
	}
}

// ResetTIFF begins with a strip's or a tile's codes. data is not copied.
func (d *Decoder) ResetTIFF(data []byte) {
	// The first code of 9 bits is clear, 256. libtiff's rule (LZWPreDecode).
	old := len(data) >= 2 && data[0] == 0 && data[1]&1 != 0
	d.reset(data, 8, !old)
}

func (d *Decoder) reset(data []byte, literalBits int, tiff bool) {
	d.in, d.pos, d.bits, d.have, d.tiff, d.err = data, 0, 0, 0, tiff, nil
	d.at, d.size, d.then, d.begin, d.end = 0, 0, none, 0, 0
	if d.literals = 1 << literalBits; d.made != d.literals {
		d.made = d.literals
		for i := range d.literals {
			d.strings[i] = piece{uint64(uint8(i)), 1 | uint64(uint8(i))<<16}
		}
	}
	d.clear()
}

func (d *Decoder) clear() {
	n := uint(0)
	for 1<<n < d.literals {
		n++
	}
	d.width, d.next, d.previous = n+1, d.literals+2, none
}

// Release drops the stream's data.
func (d *Decoder) Release() { d.in = nil }

// Kept is how many bytes of memory the decoder keeps.
func (d *Decoder) Kept() int { return len(d.out) + 16*len(d.strings) + 2*batch }

// Next returns the next n bytes, valid until the next call of any method. Where there are fewer,
// it returns them and an error: io.ErrUnexpectedEOF at the end.
func (d *Decoder) Next(n int) ([]byte, error) {
	if need := max(n, fresh) + slack; need > len(d.out) {
		d.out = append(make([]byte, 0, need), d.out[:d.end]...)[:need]
	}
	for d.end-d.begin < n && d.err == nil {
		d.more()
	}
	p := d.out[d.begin:min(d.begin+n, d.end)]
	d.begin += len(p)
	if len(p) < n {
		return p, d.err
	}
	return p, nil
}

// more decodes until the memory is full, or to the end of the stream.
func (d *Decoder) more() {
	d.end = copy(d.out, d.out[d.begin:d.end])
	d.begin = 0
	for limit := len(d.out) - slack; d.err == nil && d.end < limit; {
		if d.at == d.size {
			d.read()
			continue
		}
		d.expand(limit)
	}
}

// read reads a batch of codes, or does what the code behind the last one says.
func (d *Decoder) read() {
	switch {
	case d.then == d.literals:
		d.clear()
	case d.then != none: // the end
		d.err = io.ErrUnexpectedEOF
		return
	}
	d.at, d.then = 0, none
	n := batch
	if d.previous == none { // the first code makes no string
		n = 1
	} else if last := d.last(); d.next <= last && d.width < maxWidth {
		n = min(n, last-d.next+1)
	}
	if d.tiff {
		d.size = d.readTIFF(n)
	} else {
		d.size = d.readGIF(n)
	}
	if d.size == 0 {
		d.err = io.ErrUnexpectedEOF
		return
	}
	if c := int(d.codes[d.size-1]); c == d.literals || c == d.literals+1 {
		d.then = c
		d.size--
	}
}

// last is the string behind which codes are a bit wider; there is none where the first string is
// behind it, with literals of less than two bits.
func (d *Decoder) last() int {
	if d.tiff {
		return 1<<d.width - 2
	}
	return 1<<d.width - 1
}

// readGIF reads up to n codes, no further than a clear or an end.
func (d *Decoder) readGIF(n int) (k int) {
	in, pos, bits, have, width := d.in, d.pos, d.bits, d.have, d.width&15
	mask, literals, codes := uint64(1)<<width-1, uint64(d.literals), d.codes[:n]
	more := true
	for more && k+4 <= len(codes) && pos+8 <= len(in) {
		bits |= binary.LittleEndian.Uint64(in[pos:]) << (have & 63)
		pos += int((63 - have) >> 3)
		have |= 56
		four := codes[k : k+4]
		a, b, c, e := bits&mask, bits>>width&mask, bits>>(2*width&63)&mask, bits>>(3*width&63)&mask
		four[0], four[1], four[2], four[3] = uint16(a), uint16(b), uint16(c), uint16(e)
		n := uint(4)
		if a-literals < 2 || b-literals < 2 || c-literals < 2 || e-literals < 2 {
			n, more = special(four, literals), false
		}
		bits >>= n * width & 63
		have -= n * width
		k += int(n)
	}
	for more && k < len(codes) {
		for have < width && pos < len(in) {
			bits = bits&(1<<have-1) | uint64(in[pos])<<have
			pos++
			have += 8
		}
		if have < width {
			break
		}
		code := bits & mask
		bits >>= width
		have -= width
		codes[k] = uint16(code)
		k++
		more = code-literals >= 2
	}
	d.pos, d.bits, d.have = pos, bits, have
	return k
}

// special is how many codes there are up to the first clear or end.
func special(codes []uint16, literals uint64) (n uint) {
	for uint64(codes[n])-literals >= 2 {
		n++
	}
	return n + 1
}

// readTIFF is the same for TIFF's order.
func (d *Decoder) readTIFF(n int) (k int) {
	in, pos, bits, have, width := d.in, d.pos, d.bits, d.have, d.width&15
	mask, literals, codes := uint64(1)<<width-1, uint64(d.literals), d.codes[:n]
	more := true
	for more && k+4 <= len(codes) && pos+8 <= len(in) {
		bits |= binary.BigEndian.Uint64(in[pos:]) >> (have & 63)
		pos += int((63 - have) >> 3)
		have |= 56
		four := codes[k : k+4]
		a, b, c, e := bits>>((64-width)&63), bits>>((64-2*width)&63)&mask, bits>>((64-3*width)&63)&mask, bits>>((64-4*width)&63)&mask
		four[0], four[1], four[2], four[3] = uint16(a), uint16(b), uint16(c), uint16(e)
		n := uint(4)
		if a-literals < 2 || b-literals < 2 || c-literals < 2 || e-literals < 2 {
			n, more = special(four, literals), false
		}
		bits <<= n * width & 63
		have -= n * width
		k += int(n)
	}
	for more && k < len(codes) {
		for have < width && pos < len(in) {
			bits = bits&^(1<<(64-have)-1) | uint64(in[pos])<<(56-have)
			pos++
			have += 8
		}
		if have < width {
			break
		}
		code := bits >> (64 - width)
		bits <<= width
		have -= width
		codes[k] = uint16(code)
		k++
		more = code-literals >= 2
	}
	d.pos, d.bits, d.have = pos, bits, have
	return k
}

// expand writes the strings of the batch's codes, while the last begins before limit.
func (d *Decoder) expand(limit int) {
	if d.previous == none {
		d.begins()
		return
	}
	before := d.next
	d.expandFast(limit)
	d.expandGo(limit)
	if last := d.last(); before <= last && d.next > last && d.width < maxWidth {
		d.width++
	}
}

// expandGo is expand behind the first code, but for the width of those that follow.
func (d *Decoder) expandGo(limit int) {
	out, n, next, previous := d.out, d.end, d.next, uint64(d.previous)
	p := d.strings[previous]
	codes := d.codes[d.at:d.size]
	for i, c := range codes {
		code := int(c)
		if code > next || n >= limit {
			codes = codes[:i]
			if code > next {
				d.err = fmt.Errorf("%w: a code that stands for nothing", ErrDamaged)
			}
			break
		}
		// A string more: the one before and the first byte of this one, which may be the same
		// string, whose first byte is known.
		made, at := &d.strings[next], 8*(p.about&7)
		if at == 0 {
			p.bytes, p.about = 0, p.about&(1<<24-1)|previous<<24
		}
		made.about = p.about + 1
		about := d.strings[code].about
		made.bytes = p.bytes | (about>>16&255)<<at
		p.bytes, p.about = d.strings[code].bytes, about
		size := int(about & (1<<16 - 1))
		if size <= 8 {
			binary.LittleEndian.PutUint64(out[n:], p.bytes)
		} else {
			d.long(out[n:], code, size)
		}
		n += size
		previous = uint64(code)
		if next < full {
			next++
		}
	}
	d.at += len(codes)
	d.end, d.next, d.previous = n, next, int(previous)
}

// long writes a string of more than eight bytes, from its end.
func (d *Decoder) long(out []byte, code, size int) {
	for at := (size - 1) &^ 7; at >= 0; at -= 8 {
		s := d.strings[code]
		binary.LittleEndian.PutUint64(out[at:], s.bytes)
		code = int(s.about >> 24)
	}
}

// begins writes the first byte behind a clear code.
func (d *Decoder) begins() {
	code := int(d.codes[d.at])
	if code > d.literals {
		d.err = fmt.Errorf("%w: a code that stands for nothing", ErrDamaged)
		return
	}
	d.at++
	d.previous = code
	d.out[d.end] = uint8(code)
	d.end++
}
