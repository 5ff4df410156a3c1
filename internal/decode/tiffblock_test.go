package decode

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
	"testing"
)

// sharedStrip is a grey TIFF file of rows of zeros (up to 128, or with CCITT codes any number), each a strip, all of
// which are the same bytes, followed by so many others. Where counted is false, the strips' byte counts are 0.
func sharedStrip(rows, width, padding, compression int, reversed, counted bool) []byte {
	le, depth, white := binary.LittleEndian, uint32(8), uint32(tiffBlackIsZero)
	strip := map[int][]byte{
		tiffNone:     make([]byte, width),
		tiffLZW:      literals(make([]byte, width)),
		tiffPackBits: append(bytes.Repeat([]byte{0x80}, 3000), uint8(1-width), 0), // codes that do nothing before the row
		tiffGroup4:   {0x80, 0x08, 0x00, 0x80},                                    // as the row above, which is white; the end
	}[compression]
	if compression == tiffGroup4 {
		depth, white = 1, tiffWhiteIsZero
	}
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
		{tiffWidth, 4, 1, uint32(width)}, {tiffLength, 4, 1, uint32(rows)}, {tiffBits, 3, 1, depth}, {tiffCompression, 3, 1, uint32(compression)},
		{tiffPhotometric, 3, 1, white}, {tiffFillOrder, 3, 1, fill}, {tiffStripOffsets, 4, uint32(rows), uint32(offsetsAt)},
		{tiffSamples, 3, 1, 1}, {tiffRowsPerStrip, 4, 1, 1}, {tiffStripByteCounts, 4, uint32(rows), uint32(countsAt)},
	}
	out = le.AppendUint16(out, uint16(len(entries)))
	for _, e := range entries {
		out = le.AppendUint16(le.AppendUint16(out, uint16(e[0])), uint16(e[1]))
		out = le.AppendUint32(le.AppendUint32(out, e[2]), e[3])
	}
	return append(out, 0, 0, 0, 0)
}

// A file that says twice what its samples mean is damaged.
func TestTIFFOfTwoInterpretations(t *testing.T) {
	data := sharedStrip(3, 64, 0, tiffNone, false, true)
	entry := []byte{tiffPhotometric & 255, tiffPhotometric >> 8, 3, 0, 1, 0, 0, 0}
	data[bytes.Index(data, entry)+4] = 2
	if _, err := Decode(t.Context(), data, 0); err == nil || !strings.Contains(err.Error(), "2 photometric interpretations") {
		t.Error(err)
	}
}

// What is looked at of a strip has to do with its pixels, whatever follows it in the file: many strips of one row
// that have no counts, or share their bytes, take no more time than the same rows in one.
func TestTIFFStripsThatShareBytes(t *testing.T) {
	for _, compression := range []int{tiffNone, tiffLZW, tiffPackBits} {
		for _, reversed := range []bool{false, true} {
			for _, counted := range []bool{false, true} {
				data := sharedStrip(20, 64, 1<<16, compression, reversed, counted)
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
