package decode

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"testing"
)

// bitmap is a bitmap of RGB rows, which it stores as B G R from the lowest on.
func bitmap(height, width, bits int, rgb []byte) []byte {
	le := binary.LittleEndian
	stride := (width*bits/8 + 3) &^ 3
	out := append([]byte("BM"), make([]byte, 52)...)
	le.PutUint32(out[10:], 54)
	le.PutUint32(out[14:], 40)
	le.PutUint32(out[18:], uint32(width))
	le.PutUint32(out[22:], uint32(height))
	le.PutUint16(out[26:], 1)
	le.PutUint16(out[28:], uint16(bits))
	for y := height - 1; y >= 0; y-- {
		row := make([]byte, stride)
		for x := range width {
			p := rgb[3*(y*width+x):]
			copy(row[x*bits/8:], []byte{p[2], p[1], p[0]})
		}
		out = append(out, row...)
	}
	return out
}

// fields is a bitmap of 16 bits a pixel, 5 for each colour.
func fields(height, width int) []byte {
	out := bitmap(height, width, 24, make([]byte, 3*height*width))
	out[28] = 16
	stride := (width*2 + 3) &^ 3
	out = out[:54]
	for i := range height * stride {
		out = append(out, uint8(i*i>>3))
	}
	return out
}

// writeTIFF is a TIFF file of RGB rows in strips of 50.
func writeTIFF(t testing.TB, height, width int, rgb []byte, compression int) []byte {
	t.Helper()
	le := binary.LittleEndian
	out := []byte("II*\x00\x00\x00\x00\x00")
	var offsets, counts []byte
	for y := 0; y < height; y += 50 {
		strip := rgb[3*y*width : 3*min(y+50, height)*width]
		switch compression {
		case tiffDeflate:
			var b bytes.Buffer
			w := zlib.NewWriter(&b)
			if _, err := w.Write(strip); err != nil || w.Close() != nil {
				t.Fatal(err)
			}
			strip = b.Bytes()
		case tiffLZW:
			strip = literals(strip)
		case tiffPackBits:
			var b []byte
			for ; len(strip) > 0; strip = strip[min(128, len(strip)):] {
				n := min(128, len(strip))
				b = append(append(b, uint8(n-1)), strip[:n]...)
			}
			strip = b
		}
		offsets, counts = le.AppendUint32(offsets, uint32(len(out))), le.AppendUint32(counts, uint32(len(strip)))
		out = append(out, strip...)
	}
	strips := uint32(len(offsets) / 4)
	offsetsAt, countsAt := len(out), len(out)+len(offsets)
	out = append(append(out, offsets...), counts...)
	bitsAt := len(out)
	out = append(out, 8, 0, 8, 0, 8, 0)
	le.PutUint32(out[4:], uint32(len(out)))
	entries := [][4]uint32{
		{tiffWidth, 4, 1, uint32(width)}, {tiffLength, 4, 1, uint32(height)}, {tiffBits, 3, 3, uint32(bitsAt)}, {tiffCompression, 3, 1, uint32(compression)},
		{tiffPhotometric, 3, 1, tiffRGB}, {tiffStripOffsets, 4, strips, uint32(offsetsAt)}, {tiffSamples, 3, 1, 3}, {tiffRowsPerStrip, 4, 1, 50},
		{tiffStripByteCounts, 4, strips, uint32(countsAt)},
	}
	if strips == 1 {
		copy(entries[5][3:], []uint32{le.Uint32(offsets)})
		copy(entries[8][3:], []uint32{le.Uint32(counts)})
	}
	out = le.AppendUint16(out, uint16(len(entries)))
	for _, e := range entries {
		out = le.AppendUint16(le.AppendUint16(out, uint16(e[0])), uint16(e[1]))
		out = le.AppendUint32(le.AppendUint32(out, e[2]), e[3])
	}
	return append(out, 0, 0, 0, 0)
}

// literals are LZW codes of TIFF that repeat nothing: of nine bits, with a clear code in time.
func literals(data []byte) (out []byte) {
	var bits uint64
	have := 0
	put := func(code int) {
		bits, have = bits<<9|uint64(code), have+9
		for ; have >= 8; have -= 8 {
			out = append(out, uint8(bits>>(have-8)))
		}
	}
	for i, v := range data {
		if i%250 == 0 {
			put(256)
		}
		put(int(v))
	}
	put(257)
	return append(out, uint8(bits<<(8-have)))
}
