package inflate

import "encoding/binary"

// adler is an Adler-32 checksum (RFC 1950) under way: a begins with 1. Eight bytes are
// taken at once, and 32 where they are zeros, of which there are many in masks; all 32 in
// assembly where the processor has AVX2.
type adler struct{ a, b uint32 }

const (
	adlerModulus = 65521
	adlerMost    = 5552 // bytes after which neither sum has overflown
)

func (s *adler) add(data []byte) {
	const lanes = 0x00ff00ff00ff00ff
	for len(data) > 0 {
		part := data[:min(len(data), adlerMost)]
		data = data[len(part):]
		part = part[s.addFast(part):]
		a, b := s.a, s.b
		for ; len(part) >= 8; part = part[8:] {
			for len(part) >= 32 && zeros(part) {
				b += 32 * a
				part = part[32:]
			}
			if len(part) < 8 {
				break
			}
			b += 8 * a
			w := binary.LittleEndian.Uint64(part)
			if w == 0 {
				continue
			}
			// In the highest of four sums of 16 bits: all bytes, and each times how many
			// values of a it is in.
			even, odd := w&lanes, w>>8&lanes
			a += uint32((even + odd) * 0x0001000100010001 >> 48)
			b += uint32((even * 0x0008000600040002 >> 48) + (odd * 0x0007000500030001 >> 48))
		}
		for _, v := range part {
			a += uint32(v)
			b += a
		}
		s.a, s.b = a%adlerModulus, b%adlerModulus
	}
}

// zeros reports whether the first 32 bytes are zeros.
func zeros(p []byte) bool {
	p = p[:32]
	return binary.LittleEndian.Uint64(p)|binary.LittleEndian.Uint64(p[8:])|binary.LittleEndian.Uint64(p[16:])|binary.LittleEndian.Uint64(p[24:]) == 0
}

func (s *adler) value() uint32 { return s.b<<16 | s.a }
