package jpeg

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"sync"
	"testing"
)

// noisy is a file with several seek points in a row, and many bytes 0xff.
func noisy(t testing.TB, seed uint64, grey bool) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	m := image.NewRGBA(image.Rect(0, 0, 300+r.IntN(200), 130+r.IntN(60)))
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			v := uint8(x) ^ uint8(r.IntN(1+x/4))
			m.SetRGBA(x, y, color.RGBA{v, uint8(y) + uint8(r.IntN(9)), ^v, 255})
		}
	}
	var picture image.Image = m
	if grey {
		picture = &image.Gray{Pix: m.Pix, Stride: m.Stride, Rect: image.Rect(0, 0, m.Rect.Dx(), m.Rect.Dy())}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: 70 + r.IntN(30)}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// described is what a decoding gives, to compare.
func described(d *Decoder, data []byte, r image.Rectangle, denominator int, known *SeekPoints) string {
	m, err := d.DecodeRegion(context.Background(), data, r, denominator, known)
	if err != nil {
		return err.Error()
	}
	var out bytes.Buffer
	for i := range m.Planes {
		p := &m.Planes[i]
		fmt.Fprintln(&out, p.Rect)
		for y := p.Rect.Min.Y; y < p.Rect.Max.Y; y++ {
			out.Write(p.Row(y, p.Rect.Min.X, p.Rect.Max.X))
		}
	}
	return out.String()
}

func randomRegion(r *rand.Rand, data []byte) (region image.Rectangle, denominator int) {
	h, _ := ReadHeader(data)
	x, y := r.IntN(h.Width), r.IntN(h.Height)
	return image.Rect(x, y, x+1+r.IntN(h.Width-x), y+1+r.IntN(h.Height-y)), 1 << r.IntN(4)
}

// Known seek points change nothing, whether the file is sound or damaged anywhere.
func TestSeekPointsChangeNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var a, b Decoder
	for i := range uint64(60) {
		data := noisy(t, i, i%4 == 3)
		if i%8 == 7 { // a lone component's blocks are MCUs, whatever its sampling factors
			data = edit(t, data, mSOF0, 0, func(b []byte) []byte { b[7] = 0x22; return b })
		}
		if i%3 == 2 {
			data[len(data)/4+r.IntN(len(data)/2)] ^= 1 << r.IntN(8)
		}
		known := new(SeekPoints)
		for range 25 {
			region, denominator := randomRegion(r, data)
			if with, without := described(&a, data, region, denominator, known), described(&b, data, region, denominator, nil); with != without {
				t.Fatalf("file %d, %v at 1/%d: %.80q with seek points, %.80q without", i, region, denominator, with, without)
			}
		}
		if i%3 != 2 && len(known.list) < known.full/2 {
			t.Errorf("file %d: %d of %d seek points are known", i, len(known.list), known.full)
		}
		h, _ := ReadHeader(data)
		if n := int64(12 * known.full); n != h.SeekPointsBytes() {
			t.Errorf("file %d: seek points take %d bytes, %d were said", i, n, h.SeekPointsBytes())
		}
	}
}

// Seek points belong to a file's bytes: another file under the same name is read anew.
func TestSeekPointsOfAnotherFile(t *testing.T) {
	known := new(SeekPoints)
	var a, b Decoder
	for i := range uint64(6) {
		data := noisy(t, 1, false)
		if i%2 == 1 {
			data = noisy(t, i, false)
		}
		region := image.Rect(200, 40, 260, 50)
		if described(&a, data, region, 1, known) != described(&b, data, region, 1, nil) {
			t.Fatalf("file %d", i)
		}
	}
}

func TestSeekPointsOfSeveralGoroutines(t *testing.T) {
	data := noisy(t, 9, false)
	known := new(SeekPoints)
	var all sync.WaitGroup
	for i := range uint64(4) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(i, 1))
			var a, b Decoder
			for range 20 {
				region, denominator := randomRegion(r, data)
				if described(&a, data, region, denominator, known) != described(&b, data, region, denominator, nil) {
					t.Errorf("%v at 1/%d", region, denominator)
				}
			}
		})
	}
	all.Wait()
}

// Reading on from an offset that was kept gives what reading on gives.
func TestOffsets(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		data := make([]byte, 0, 64)
		for range 20 {
			if v := byte(r.Uint32()); r.IntN(3) == 0 {
				data = append(data, 0xff, 0)
			} else {
				data = append(data, min(v, 0xfe))
			}
		}
		b := bits{data: data}
		for range r.IntN(12) {
			b.take(uint(r.IntN(14)))
		}
		bit, ok := b.offset()
		if !ok {
			continue
		}
		c := bits{data: data}
		c.seek(bit)
		for range 8 {
			if x, y := b.take(9), c.take(9); x != y {
				t.Fatalf("%x at bit %d: %x and %x", data, bit, x, y)
			}
		}
	}
}
