package planar

import (
	"image"
	"testing"
)

// A sample (x, y) of a plane is (y, x) of the transposed one, whatever the memory held.
func TestTransposed(t *testing.T) {
	var pic YCC
	pic.Count, pic.ShiftX, pic.ShiftY = 3, [3]uint{0, 1, 1}, [3]uint{0, 0, 0}
	for i := range pic.Planes {
		p := &pic.Planes[i]
		p.Width, p.Height, p.Stride = 70>>pic.ShiftX[i], 40, 90
		p.Rect = image.Rect(-1, 3, p.Width, 37)
		p.Pix = make([]uint8, p.Rect.Dy()*p.Stride)
		for k := range p.Pix {
			p.Pix[k] = uint8(7*k + i)
		}
	}
	for _, buf := range [][]uint8{nil, make([]uint8, 20000)} {
		before := cap(buf)
		turned := pic.Transposed(&buf)
		if turned.Count != 3 || turned.ShiftX != pic.ShiftY || turned.ShiftY != pic.ShiftX {
			t.Errorf("layout %d %v %v", turned.Count, turned.ShiftX, turned.ShiftY)
		}
		if before > 0 && (cap(buf) != before || &turned.Planes[0].Pix[0] != &buf[0]) {
			t.Error("memory that was large enough is not used")
		}
		for i := range pic.Planes {
			p, q := &pic.Planes[i], &turned.Planes[i]
			if q.Width != p.Height || q.Height != p.Width {
				t.Errorf("plane %d of %dx%d became %dx%d", i, p.Width, p.Height, q.Width, q.Height)
			}
			for y := p.Rect.Min.Y; y < p.Rect.Max.Y; y++ {
				for x := p.Rect.Min.X; x < p.Rect.Max.X; x++ {
					if a, b := p.Row(y, x, x+1)[0], q.Row(x, y, y+1)[0]; a != b {
						t.Fatalf("plane %d: %d at (%d, %d), %d where it was transposed to", i, a, x, y, b)
					}
				}
			}
		}
	}
}
