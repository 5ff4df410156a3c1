package stages_test

import (
	"math"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestRotate(t *testing.T) {
	for _, s := range []stages.Rotate{
		{Degrees: stages.Range{-30, 30}},
		{Degrees: stages.Range{-30, 30}, P: 0.5, Fill: stages.Color{9, 8, 7}, Interpolation: stages.Nearest},
		{Degrees: stages.Range{-180, 180}, Expand: true},
		{Degrees: stages.Range{90, 90}, Expand: true, P: 0.5},
		{Degrees: stages.Range{33, 33}, Expand: true},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.Rotate{}, "degrees: the range [0, 0] rotates nothing")
	wrong(t, stages.Rotate{Degrees: stages.Range{30, -30}, Interpolation: "cubic", P: 2},
		"degrees: the range [30, -30] is empty", `interpolation: "cubic" is none of nearest, bilinear`, "p: 2 is not")
}

// The canvas, and what is on it, equal Pillow's rotate(expand=True).
func TestRotateExpandEqualsPillow(t *testing.T) {
	type fixed struct {
		Height, Width int
		Degrees       float64
		OutHeight     int `json:"out_height"`
		OutWidth      int `json:"out_width"`
		Pixels        []byte
	}
	for _, c := range golden[[]fixed](t, "expand") {
		stage := stages.Rotate{Degrees: stages.Range{c.Degrees, c.Degrees}, Expand: true}
		params := &stages.RotateParams{Degrees: c.Degrees}
		if tr := stage.Warp(params, c.Height, c.Width); tr.Height != c.OutHeight || tr.Width != c.OutWidth {
			t.Errorf("%dx%d turned by %g: %dx%d, Pillow has %dx%d",
				c.Width, c.Height, c.Degrees, tr.Width, tr.Height, c.OutWidth, c.OutHeight)
			continue
		}
		if c.Pixels == nil {
			continue
		}
		got := apply(stage, params, stagetest.Pattern(c.Height, c.Width)).U8
		if math.Mod(c.Degrees, 90) == 0 {
			if !slices.Equal(got, c.Pixels) {
				t.Errorf("%dx%d turned by %g: not the transposition", c.Width, c.Height, c.Degrees)
			}
			continue
		}
		// Pillow doesn't blend the edge with the fill: compare what lies inside.
		n := 0
		for i, v := range got {
			if inside(c.Pixels, i/3, c.OutHeight, c.OutWidth) {
				n++
				if d := int(v) - int(c.Pixels[i]); d < -1 || d > 1 {
					t.Fatalf("%dx%d turned by %g: value %d is %d, Pillow has %d", c.Width, c.Height, c.Degrees, i, v, c.Pixels[i])
				}
			}
		}
		if n < len(c.Pixels)/4 {
			t.Errorf("%dx%d turned by %g: only %d values compared", c.Width, c.Height, c.Degrees, n)
		}
	}
}

// inside says that the pixels around one, too, are not fill (black; the pattern
// has no black pixel).
func inside(pixels []byte, i, height, width int) bool {
	y, x := i/width, i%width
	for dy := -2; dy <= 2; dy++ {
		for dx := -2; dx <= 2; dx++ {
			if y+dy < 0 || y+dy >= height || x+dx < 0 || x+dx >= width {
				return false
			}
			at := 3 * ((y+dy)*width + x + dx)
			if pixels[at] == 0 && pixels[at+1] == 0 && pixels[at+2] == 0 {
				return false
			}
		}
	}
	return true
}

func TestRotateOutput(t *testing.T) {
	in := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: 30, Width: 40}
	for _, c := range []struct {
		stage stages.Rotate
		h, w  int
	}{
		{stages.Rotate{Degrees: stages.Range{-5, 5}}, 30, 40},
		{stages.Rotate{Degrees: stages.Range{-5, 5}, Expand: true}, 0, 0},
		{stages.Rotate{Degrees: stages.Range{90, 90}, Expand: true}, 40, 30},
		{stages.Rotate{Degrees: stages.Range{90, 90}, Expand: true, P: 0.5}, 0, 0},
	} {
		if out, err := c.stage.Output(in); err != nil || out.Height != c.h || out.Width != c.w {
			t.Errorf("%+v: %v, %v", c.stage, out, err)
		}
	}
}
