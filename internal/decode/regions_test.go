package decode

import (
	"bytes"
	"image"
	"math/rand/v2"
	"strings"
	"testing"
)

// crop is a part of a picture's RGB.
func crop(rgb []uint8, width int, part image.Rectangle) (out []uint8) {
	for y := part.Min.Y; y < part.Max.Y; y++ {
		out = append(out, rgb[3*(y*width+part.Min.X):3*(y*width+part.Max.X)]...)
	}
	return out
}

// A part of any golden file, in memory that held something else, is that part of the whole.
func TestRegionsAreCrops(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	with, turned := map[string]int{}, map[int]int{}
	for _, g := range goldens(t) {
		p, err := Parse(g.Encoded)
		if err != nil {
			t.Fatal(err)
		}
		if !p.HasRegions() {
			continue
		}
		with[p.Format]++
		if turned[p.Orientation]++; p.Orientation > 1 {
			with["turned "+p.Format]++
		}
		for range 20 {
			x, y := r.IntN(g.Width), r.IntN(g.Height)
			part := image.Rect(x, y, x+1+r.IntN(g.Width-x), y+1+r.IntN(g.Height-y))
			n := 3 * part.Dx() * part.Dy()
			into := bytes.Repeat([]byte{0xa5}, n+1)
			rgb, err := p.Region(t.Context(), part, into[:n:n])
			if err != nil || !bytes.Equal(rgb, crop(g.RGB, g.Width, part)) {
				t.Errorf("%s: %v: %v, or not the picture's pixels", g.Name, part, err)
			}
			if into[n] != 0xa5 {
				t.Fatalf("%s: %v: written behind its end", g.Name, part)
			}
		}
	}
	if len(turned) != 8 || with["turned PNG"] < 5 {
		t.Errorf("orientations %v", turned)
	}
	for _, format := range []string{"PNG", "GIF", "BMP", "PPM", "TIFF"} {
		if with[format] < 5 {
			t.Errorf("only %d %s files have regions", with[format], format)
		}
	}
}

// A part that isn't within the picture, or empty, is refused as such, in every format.
func TestRegionsOutside(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range goldens(t) {
		p, err := Parse(g.Encoded)
		if err != nil {
			t.Fatal(err)
		}
		if !p.HasRegions() || seen[p.Format] {
			continue
		}
		seen[p.Format] = true
		h, w := p.Height, p.Width
		for _, part := range []image.Rectangle{
			{}, image.Rect(0, 0, w, 0), image.Rect(w, h, w+3, h+2), image.Rect(0, 0, w+1, h), image.Rect(0, h-1, w, h+1), image.Rect(-1, 0, 1, 1), image.Rect(0, -2, 1, 1),
			{image.Pt(w, h), image.Pt(0, 0)},
		} {
			if _, err := p.Region(t.Context(), part, nil); err == nil || !strings.Contains(err.Error(), "was asked for") {
				t.Errorf("%s: %v of %dx%d: %v", p.Format, part, h, w, err)
			}
		}
	}
	if len(seen) != len(formats)-1 {
		t.Errorf("only of %v", seen)
	}
}
