package jpeg

import (
	"bytes"
	"fmt"
)

// lutBits is how many bits are looked up in tables.
const lutBits = 11

// entry is what a code stands for, with the value that follows it if this is known:
//
//	bits  0-7   how many bits it takes
//	bits  8-11  size: how many bits of value follow
//	bits 12-15  run: zero coefficients before it, or with size and value 0 EOBn (15: ZRL)
//	bits 16-31  the signed value, if its bits are among those looked up; else 0
//
// 0 stands for no code.
type entry uint32

func (e entry) length() uint { return uint(e & 0xff) }
func (e entry) size() uint   { return uint(e >> 8 & 15) }
func (e entry) run() int     { return int(e >> 12 & 15) }
func (e entry) value() int32 { return int32(e) >> 16 }

// huffman is a decoding table (T.81, C.2 and F.2.2.3).
type huffman struct {
	defined bool
	broken  bool                // a segment defined it, but it is invalid
	lut     [1 << lutBits]entry // by the next bits; 0 for codes longer than that
	limit   [17]uint32          // by length: one above its last code, aligned to 16 bits
	offset  [17]int             // by length: index of its first value less its first code
	values  [256]uint8

	skips    [1 << lutBits]skip // for blocks to be skipped
	skipping bool               // skips is filled

	pairs   [1 << lutBits]codePair // for assembly, of AC coefficients
	pairing bool                   // pairs is filled

	raw []byte // as defined: the next file often has the same table
}

// skip is as many complete codes with their values as the bits looked up hold, or one
// whose value goes beyond them:
//
//	bits  0-7   how many bits they take
//	bits  8-15  how many coefficients
//	bit  16     the last code is the end of the block
//
// 0 stands for no code, or one that is longer.
type skip uint32

// tabulateSkips fills skips from lut.
func (h *huffman) tabulateSkips() {
	h.skipping = true
	for i := range h.skips {
		bits, coefs := uint(0), 0
		h.skips[i] = 0
		for {
			e := h.lut[i<<bits&(1<<lutBits-1)]
			length := e.length() + e.size()
			if e == 0 || bits > 0 && bits+length > lutBits {
				break
			}
			bits += length
			end := e>>16 == 0 && e.size() == 0 && e.run() != 15
			if !end {
				coefs += e.run() + 1
			}
			h.skips[i] = skip(bits) | skip(coefs)<<8
			if end {
				h.skips[i] |= 1 << 16
			}
			if end || bits >= lutBits {
				break
			}
		}
	}
}

// codePair is one or two coefficients whose codes and values are among the bits looked up:
//
//	bits  0-5   how many bits they take, with the end of the block
//	bits  6-9   run of the first
//	bits 10-15  how far from the coefficient before them the last is; with the end of the block
//	            one more
//	bits 16-23  the signed value of the first, not 0
//	bits 24-31  the signed value of the last, 0: the end of the block follows the first
//
// If there is only one, it is also the last. Anything else is noPair: see lut.
type codePair uint32

// noPair is farther than any coefficient.
const noPair codePair = 63 << 10

// tabulatePairs fills pairs from lut.
func (h *huffman) tabulatePairs() {
	h.pairing = true
	for i := 0; i < len(h.pairs); {
		e := h.lut[i]
		n, v := e.length(), e.value()
		if e == 0 {
			n = lutBits
		}
		part := h.pairs[i:][:1<<(lutBits-n)]
		i += len(part)
		if e.size() != 0 || v == 0 || v != int32(int8(v)) {
			for k := range part {
				part[k] = noPair
			}
			continue
		}
		// The next code: its place in lut is the rest of the bits, its length is at most most, so
		// that its value has at most 7 bits. Conditions are rarely mispredicted, since codes are in order.
		base := codePair(n) | codePair(e.run())<<6 | codePair(e.run()+1)<<10 | codePair(uint8(v))<<16
		single := base + codePair(uint8(v))<<24
		most := entry(min(lutBits-n, 8))
		at, step := 0, 1<<(n&15)
		for k := range part {
			next := h.lut[at&(1<<lutBits-1)]
			at += step
			pair := single
			if next&0xfff <= most { // without bits of value to come
				pair = base + codePair(next&0xff) + codePair(next>>12&15+1)<<10 + codePair(next<<8&(0xff<<24))
				if next>>16 == 0 {
					pair = single
					if next != 0 && next.run() != 15 {
						pair = base + codePair(next&0xff) + 1<<10
					}
				}
			}
			part[k] = pair
		}
	}
}

// define sets the table to one of a DHT segment: 16 numbers of codes by length, and values.
func (h *huffman) define(raw []byte, dc bool) error {
	if bytes.Equal(raw, h.raw) {
		h.defined = true
		return nil
	}
	counts, values := raw[:16], raw[16:]
	h.defined, h.broken, h.skipping, h.pairing, h.raw = true, false, false, false, h.raw[:0]
	h.lut, h.limit, h.offset, h.values = [1 << lutBits]entry{}, [17]uint32{}, [17]int{}, [256]uint8{}
	copy(h.values[:], values)
	if dc {
		for _, v := range values {
			if v > 15 {
				return fmt.Errorf("a Huffman table has DC differences of %d bits", v)
			}
		}
	}
	code, index := 0, 0
	for length := 1; length <= 16; length++ {
		h.offset[length] = index - code
		for range counts[length-1] {
			if code >= 1<<length {
				return fmt.Errorf("a Huffman table has too many codes of %d bits", length)
			}
			if length <= lutBits {
				h.enter(code, length, h.values[index])
			}
			code++
			index++
		}
		h.limit[length] = uint32(code) << (16 - length)
		code <<= 1
	}
	h.raw = append(h.raw, raw...)
	return nil
}

// enter fills the entries of lut that begin with a code.
func (h *huffman) enter(code, length int, symbol uint8) {
	free := lutBits - length
	part := h.lut[code<<free:][:1<<free]
	size := int(symbol & 15)
	plain := entry(length) | entry(symbol)<<8
	if size == 0 || size > free {
		for i := range part {
			part[i] = plain
		}
		return
	}
	whole := entry(length+size) | entry(symbol>>4)<<12
	each := 1 << (free - size)
	for v := range int32(1) << size {
		e := whole | entry(extend(v, uint(size)))<<16
		for i := range part[:each] {
			part[i] = e
		}
		part = part[each:]
	}
}

// long finds a code of more than lutBits bits in acc; the entry is without its value.
func (h *huffman) long(acc uint64) entry {
	code := uint32(acc >> 48)
	for length := lutBits + 1; length <= 16; length++ {
		if code < h.limit[length] {
			i := int(code>>(16-length)) + h.offset[length]
			return entry(length) | entry(h.values[i&255])<<8
		}
	}
	return 0
}

// symbol reads a code and its value, which is 0 if it has no bits.
func (h *huffman) symbol(b *bits) (e entry, value int32) {
	if b.n < minBits {
		b.fill()
	}
	e = h.lut[b.acc>>(64-lutBits)]
	if e == 0 {
		e = h.long(b.acc)
	}
	b.acc <<= e.length() & 63
	b.n -= e.length()
	value = e.value()
	if size := e.size(); size != 0 {
		value = extend(int32(b.acc>>((64-size)&63)), size)
		b.acc <<= size
		b.n -= size
	}
	return e, value
}
