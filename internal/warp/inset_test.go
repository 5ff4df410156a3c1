package warp

import (
	"image"
	"testing"
)

// A framed resize is the resize, exactly, and around it the fill.
func TestInset(t *testing.T) {
	for _, antialias := range []bool{true, false} {
		for _, f := range Filters {
			for _, size := range [][4]int{{40, 61, 17, 23}, {7, 5, 31, 30}, {12, 9, 12, 9}, {1, 1, 3, 2}} {
				src := picture("noise", size[0], size[1])
				plain := Resize(size[0], size[1], size[2], size[3], f, antialias)
				tr := plain
				tr.Inset = image.Rect(5, 3, 5+size[3], 3+size[2])
				tr.Matrix = Translate(-5, -3).Then(plain.Matrix)
				tr.Height, tr.Width, tr.Fill = size[2]+9, size[3]+11, [3]uint8{1, 2, 3}
				if err := tr.Check(size[0], size[1]); err != nil {
					t.Fatal(err)
				}
				want, got := Apply(src, plain), Apply(src, tr)
				for y := range tr.Height {
					for x := range tr.Width {
						rgb := tr.Fill[:]
						if image.Pt(x, y).In(tr.Inset) {
							rgb = want.U8[3*((y-3)*want.Width+x-5):][:3]
						}
						if pixel := got.U8[3*(y*tr.Width+x):][:3]; string(pixel) != string(rgb) {
							t.Fatalf("%s %v, antialias %v: pixel %d, %d is %v, want %v", f, size, antialias, x, y, pixel, rgb)
						}
					}
				}
			}
		}
	}
}

// A chain counts its own transforms, however many passes they become.
func TestInsetPasses(t *testing.T) {
	box := Resize(40, 60, 20, 30, Bilinear, true)
	box.Inset, box.Height, box.Width = image.Rect(0, 5, 30, 25), 30, 30
	box.Matrix = Translate(0, -5).Then(box.Matrix)
	flip := Transform{Matrix: Affine{-1, 0, 29, 0, 1, 0}, Height: 30, Width: 30, Filter: Nearest}
	for _, c := range []struct {
		chain   []Transform
		lengths []int
	}{
		{[]Transform{box}, []int{1, 0}},
		{[]Transform{box, flip}, []int{1, 1}},
	} {
		passes := Fuse(40, 60, c.chain, true)
		if len(passes) != len(c.lengths) {
			t.Fatalf("%d passes, want %v", len(passes), c.lengths)
		}
		for i, want := range c.lengths {
			if passes[i].Length != want {
				t.Errorf("pass %d has %d transforms, want %d", i, passes[i].Length, want)
			}
		}
	}
}

func TestReflected(t *testing.T) {
	// Pixels 2..5 are mirrored at both ends.
	for x, want := range []int64{4, 3, 2, 3, 4, 5, 4, 3, 2, 3} {
		if got := reflected(int64(x), 2, 6); got != want {
			t.Errorf("%d lies at %d, want %d", x, got, want)
		}
	}
	for _, x := range []int64{-7, 0, 3, 9} {
		if got := reflected(x, 3, 4); got != 3 {
			t.Errorf("a single pixel: %d lies at %d", x, got)
		}
	}
}
