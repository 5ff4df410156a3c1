package png_test

import (
	"bytes"
	"image"
	"image/color"
	stdpng "image/png"
	"math/rand/v2"
	"testing"

	"github.com/sluicedata/sluice/internal/png"
)

// What Encode writes, Go's own reader reads back, pixel by pixel.
func TestEncode(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var e, other png.Encoder
	for _, size := range [][3]int{{1, 1, 1}, {1, 1, 3}, {7, 3, 3}, {64, 65, 1}, {33, 50, 3}, {1, 999, 3}} {
		h, w, c := size[0], size[1], size[2]
		for _, smooth := range []bool{true, false} {
			pix := make([]byte, h*w*c)
			for i := range pix {
				pix[i] = byte(i / c * 3 / 2)
				if !smooth {
					pix[i] = byte(rnd.Uint32())
				}
			}
			file, err := e.Encode([]byte("kept"), pix, h, w, c)
			if err != nil || !bytes.HasPrefix(file, []byte("kept")) {
				t.Fatal(err)
			}
			again, err := other.Encode(nil, pix, h, w, c)
			if err != nil || !bytes.Equal(again, file[4:]) {
				t.Fatalf("%v: another encoder writes other bytes (%v)", size, err)
			}
			other = png.Encoder{}
			img, err := stdpng.Decode(bytes.NewReader(file[4:]))
			if err != nil {
				t.Fatal(err)
			}
			if img.Bounds() != image.Rect(0, 0, w, h) {
				t.Fatalf("%v: %v", size, img.Bounds())
			}
			if _, grey := img.(*image.Gray); grey != (c == 1) {
				t.Errorf("%v: read as %T", size, img)
			}
			for y := range h {
				for x := range w {
					p := pix[(y*w+x)*c:]
					want := color.RGBA{p[0], p[0], p[0], 255}
					if c == 3 {
						want = color.RGBA{p[0], p[1], p[2], 255}
					}
					if have := color.RGBAModel.Convert(img.At(x, y)); have != want {
						t.Fatalf("%v at %d,%d: %v, want %v", size, x, y, have, want)
					}
				}
			}
		}
	}
	for _, size := range [][3]int{{0, 1, 3}, {1, 1, 4}, {2, 2, 3}} {
		if _, err := e.Encode(nil, make([]byte, 3), size[0], size[1], size[2]); err == nil {
			t.Errorf("%v: 3 bytes pass", size)
		}
	}
}
