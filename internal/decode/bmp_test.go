package decode

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// TestBitFields reads bitmaps of 16 and 32 bits with masks of every kind, whole bytes, none and beyond the pixel among them.
func TestBitFields(t *testing.T) {
	random, le := rand.New(rand.NewPCG(3, 1)), binary.LittleEndian
	const height, width = 3, 20
	for range 400 {
		size := 2 + 2*random.IntN(2)
		var masks [3]uint32
		for c := range masks {
			if masks[c] = 0xff << (8 * random.IntN(5)); random.IntN(3) == 0 { // beyond 32 bits: none
				masks[c] = (1<<(1+random.IntN(12)) - 1) << random.IntN(32)
			}
		}
		if masks == [3]uint32{} { // then there are the usual ones
			continue
		}
		data := make([]byte, 14+40+12+height*width*size)
		copy(data, "BM")
		le.PutUint32(data[10:], 14+40+12)
		for at, v := range map[int]uint32{14: 40, 18: width, 22: height, 26: 1 | uint32(8*size)<<16, 30: 3} {
			le.PutUint32(data[at:], v)
		}
		for c, mask := range masks {
			le.PutUint32(data[54+4*c:], mask)
		}
		pixels := data[14+40+12:]
		for i := range pixels {
			pixels[i] = uint8(random.IntN(256))
		}
		p, err := Decode(t.Context(), data, 0)
		if err != nil {
			t.Fatalf("%d bytes, masks %08x: %v", size, masks, err)
		}
		for i := range p.U8 {
			at := (height-1-i/3/width)*width + i/3%width
			v, mask := uint32(le.Uint16(pixels[size*at:])), masks[i%3]
			if size == 4 {
				v = le.Uint32(pixels[size*at:])
			}
			want := uint8(0)
			if top := uint64(mask >> bits.TrailingZeros32(mask)); mask != 0 {
				value := uint64(v & mask >> bits.TrailingZeros32(mask))
				if want = uint8(value * 255 / top); top > 255 {
					want = uint8(value >> (bits.Len64(top) - 8))
				}
			}
			if p.U8[i] != want {
				t.Fatalf("%d bytes, masks %08x, pixel %d, channel %d: %d, want %d", size, masks, i/3, i%3, p.U8[i], want)
			}
		}
	}
}
