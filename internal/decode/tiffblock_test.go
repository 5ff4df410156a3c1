package decode

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"testing"
)

// sharedStrip is a grey TIFF file of rows of 64 zeros, each a strip, all of which are the same bytes, followed by
// so many others. Where counted is false, the strips' byte counts are 0.
func sharedStrip(rows, padding, compression int, reversed, counted bool) []byte {
	le := binary.LittleEndian
	strip := map[int][]byte{
		tiffNone:     make([]byte, 64),
		tiffLZW:      literals(make([]byte, 64)),
		tiffPackBits: append(bytes.Repeat([]byte{0x80}, 3000), 193, 0), // codes that do nothing, 64 zeros
	}[compression]
	if reversed {
		for i, v := range strip {
			strip[i] = bits.Reverse8(v)
		}
	}
	out := append(append([]byte("II*\x00\x00\x00\x00\x00"), strip...), make([]byte, padding)...)
	offsetsAt := len(out)
	for range rows {
		out = le.AppendUint32(out, 8)
	}
	countsAt := len(out)
	for range rows {
		n := 0
		if counted {
			n = len(strip) + padding
		}
		out = le.AppendUint32(out, uint32(n))
	}
	le.PutUint32(out[4:], uint32(len(out)))
	fill := uint32(1)
	if reversed {
		fill = 2
	}
	entries := [][4]uint32{
		{tiffWidth, 4, 1, 64}, {tiffLength, 4, 1, uint32(rows)}, {tiffBits, 3, 1, 8}, {tiffCompression, 3, 1, uint32(compression)},
		{tiffPhotometric, 3, 1, tiffBlackIsZero}, {tiffFillOrder, 3, 1, fill}, {tiffStripOffsets, 4, uint32(rows), uint32(offsetsAt)},
		{tiffSamples, 3, 1, 1}, {tiffRowsPerStrip, 4, 1, 1}, {tiffStripByteCounts, 4, uint32(rows), uint32(countsAt)},
	}
	out = le.AppendUint16(out, uint16(len(entries)))
	for _, e := range entries {
		out = le.AppendUint16(le.AppendUint16(out, uint16(e[0])), uint16(e[1]))
		out = le.AppendUint32(le.AppendUint32(out, e[2]), e[3])
	}
	return append(out, 0, 0, 0, 0)
}

// What is looked at of a strip has to do with its pixels, whatever follows it in the file: many strips of one row
// that have no counts, or share their bytes, take no more time than the same rows in one.
func TestTIFFStripsThatShareBytes(t *testing.T) {
	for _, compression := range []int{tiffNone, tiffLZW, tiffPackBits} {
		for _, reversed := range []bool{false, true} {
			for _, counted := range []bool{false, true} {
				data := sharedStrip(20, 1<<16, compression, reversed, counted)
				p, err := Parse(data)
				if err != nil {
					t.Fatal(err)
				}
				if most := p.DecodeBytes; most > 3*64*20+blockMemory+pageMemory+1<<13 {
					t.Errorf("compression %d, reversed %v: %d bytes of memory", compression, reversed, most)
				}
				if m, err := p.Decode(t.Context(), 0); err != nil || !bytes.Equal(m.U8, make([]byte, 3*64*20)) {
					t.Errorf("compression %d, reversed %v, counted %v: %v, or not zeros", compression, reversed, counted, err)
				}
				f := p.regions.(*tiffFile)
				var b tiffBlock
				if err := b.open(f, 3, 1, true); err != nil {
					t.Fatal(err)
				}
				if n := max(len(b.data), len(b.turned)); n > 10*64+1<<12 {
					t.Errorf("compression %d, reversed %v, counted %v: %d bytes of a strip are looked at", compression, reversed, counted, n)
				}
			}
		}
	}
}
