package jpeg

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"slices"
	"testing"
)

// perKind is how many of smallFiles are of the same picture.
const perKind = 6

// smallFiles are files of few pixels, some of which begin alike, and damaged ones.
func smallFiles(t *testing.T, r *rand.Rand) [][]byte {
	var list [][]byte
	for i := range 40 {
		var m image.Image
		size := image.Rect(0, 0, 8+8*r.IntN(2), 16)
		if i%5 == 0 {
			grey := image.NewGray(size)
			for k := range grey.Pix {
				grey.Pix[k] = uint8(r.Uint32())
			}
			m = grey
		} else {
			rgb := image.NewRGBA(size)
			for y := range size.Dy() {
				for x := range size.Dx() {
					rgb.Set(x, y, color.RGBA{uint8(r.Uint32()), uint8(16 * y), uint8(16 * x), 255})
				}
			}
			m = rgb
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 30 + 30*r.IntN(3)}); err != nil {
			t.Fatal(err)
		}
		data := b.Bytes()
		list = append(list, data)
		for range 3 { // most of these bytes are tables
			damaged := slices.Clone(data)
			damaged[r.IntN(len(data))] ^= 1 << r.IntN(8)
			list = append(list, damaged)
		}
		list = append(list, data[:r.IntN(len(data))])
		// Other tables behind the scan, which the next file must not be decoded with.
		end := len(data) - 2
		tables := slices.Concat([]byte{0xff, mDQT, 0, 67, 0}, bytes.Repeat([]byte{uint8(1 + r.IntN(200))}, 64))
		list = append(list, slices.Concat(data[:end], tables, data[end:]))
	}
	return list
}

// What a file before has left behind changes nothing.
func TestBeginningsChangeNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	files := smallFiles(t, r)
	for _, fill := range []bool{false, true} {
		var again Decoder
		again.Fill = fill
		same, errors := 0, 0
		kind := 0
		for i := range 2000 {
			if r.IntN(5) == 0 {
				kind = r.IntN(len(files) / perKind)
			}
			data := files[perKind*kind+r.IntN(perKind)]
			if again.last.is(data) {
				same++
			}
			told := func(d *Decoder) string {
				m, err := d.Decode(context.Background(), data)
				if err != nil {
					errors++
					return err.Error()
				}
				text := fmt.Sprintf("%+v %d", m.Header, m.Warnings)
				for _, p := range m.Planes {
					text += fmt.Sprint(p.Rect, p.Width, p.Height)
					for y := p.Rect.Min.Y; y < p.Rect.Max.Y; y++ {
						text += string(p.Row(y, p.Rect.Min.X, p.Rect.Max.X))
					}
				}
				return text
			}
			if got, want := told(&again), told(&Decoder{Fill: fill}); got != want {
				t.Fatalf("file %d, fill %v: %.200s, and by a new decoder %.200s", i, fill, got, want)
			}
		}
		if same < 200 || errors < 200 {
			t.Errorf("only %d files began as the one before, and %d had errors", same, errors)
		}
	}
}
