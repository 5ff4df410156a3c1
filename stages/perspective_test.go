package stages_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestPerspective(t *testing.T) {
	for _, s := range []stages.Perspective{
		{},
		{DistortionScale: 1, Interpolation: stages.Nearest, Fill: stages.Color{9, 8, 7}},
		{DistortionScale: 0.1, P: 0.5},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.Perspective{DistortionScale: 1.5, Interpolation: "bicubic", P: 2},
		`interpolation: "bicubic" is none of nearest, bilinear`, "p: 2 is not", "distortion_scale: 1.5 is not a share of half the side")
	wrong(t, stages.Perspective{DistortionScale: math.NaN()}, "distortion_scale: NaN is not a share")
}

// With given corners it equals torchvision on a Pillow image, with a matrix of
// float64: nearest but for ties, bilinear within the level that Pillow rounds
// down. torchvision's own, of float32, is compared loosely.
func TestPerspectiveEqualsTorchvision(t *testing.T) {
	type fixed struct {
		Height, Width  int
		Params         stages.PerspectiveParams
		Matrix         [8]float64 // of points in coordinates that have pixel centres at halves
		Nearest        []byte
		Bilinear       []byte
		NearestDouble  []byte `json:"nearest_double"`
		BilinearDouble []byte `json:"bilinear_double"`
	}
	for _, c := range augment[[]fixed](t, "perspective") {
		what := fmt.Sprintf("%+v", c.Params)
		stage := stages.Perspective{}
		warp := stage.Warp(&c.Params, c.Height, c.Width)
		m := c.Matrix
		for i := range c.Height * c.Width {
			x, y := float64(i%c.Width), float64(i/c.Width)
			u, v, ok := warp.Homography().Apply(x, y)
			x, y = x+0.5, y+0.5
			d := m[6]*x + m[7]*y + 1
			if wantU, wantV := (m[0]*x+m[1]*y+m[2])/d-0.5, (m[3]*x+m[4]*y+m[5])/d-0.5; ok != (d > 0) ||
				math.Abs(u-wantU) > 1e-9*(1+math.Abs(u)) || math.Abs(v-wantV) > 1e-9*(1+math.Abs(v)) {
				t.Errorf("%s: pixel %d shows (%g, %g) %v, torchvision has (%g, %g)", what, i, u, v, ok, wantU, wantV)
				break
			}
		}
		in := stagetest.Pattern(c.Height, c.Width)
		got := apply(stage, &c.Params, in).U8
		within(t, what+": bilinear", got, c.BilinearDouble, c.Height, c.Width, 1)
		within(t, what+": bilinear, torchvision's matrix", got, c.Bilinear, c.Height, c.Width, 2)
		stage.Interpolation = stages.Nearest
		few(t, what+": nearest", apply(stage, &c.Params, in), c.NearestDouble, 0.01)
		few(t, what+": nearest, torchvision's matrix", apply(stage, &c.Params, in), c.Nearest, 0.02)
	}
}

// Corners have torchvision's ranges, means and standard deviations.
func TestPerspectiveDistribution(t *testing.T) {
	type fixed struct {
		statistics
		Height, Width   int
		DistortionScale float64 `json:"distortion_scale"`
		Least, Most     map[string]float64
	}
	for _, c := range augment[[]fixed](t, "perspective_statistics") {
		stage := stages.Perspective{DistortionScale: c.DistortionScale}
		c.compare(t, fmt.Sprintf("%dx%d, %g", c.Width, c.Height, c.DistortionScale), draws, func(position int64) map[string]float64 {
			p := draw(t, stage, c.Height, c.Width, position).(*stages.PerspectiveParams)
			out := map[string]float64{}
			for name, corner := range map[string][2]int{
				"top_left": p.TopLeft, "top_right": p.TopRight, "bottom_right": p.BottomRight, "bottom_left": p.BottomLeft,
			} {
				out[name+"_x"], out[name+"_y"] = float64(corner[0]), float64(corner[1])
			}
			for name, v := range out {
				if v < c.Least[name] || v > c.Most[name] {
					t.Fatalf("%s is %g, beyond torchvision's %g..%g", name, v, c.Least[name], c.Most[name])
				}
			}
			return out
		})
	}
}

// Four corners that fold the picture are drawn again, and a picture without area
// stays as it is.
func TestPerspectiveNeverFolds(t *testing.T) {
	stage := stages.Perspective{DistortionScale: 1}
	for _, size := range [][2]int{{64, 64}, {65, 33}, {3, 3}, {2, 2}, {1, 9}, {9, 1}, {1, 1}} {
		unmoved := 0
		for position := range int64(1000) {
			p := draw(t, stage, size[0], size[1], position)
			tr := stage.Warp(p, size[0], size[1])
			if _, ok := tr.Homography().Invert(); !ok {
				t.Fatalf("%v: %+v has no inverse", size, p)
			}
			if !tr.Projective() && tr.Matrix == [6]float64{1, 0, 0, 0, 1, 0} {
				unmoved++
			}
		}
		t.Logf("%dx%d: %d of 1000 stay as they are", size[1], size[0], unmoved)
		if size[0] > 9 && unmoved > 5 {
			t.Errorf("%dx%d: %d of 1000 stay as they are", size[1], size[0], unmoved)
		}
	}
	b, err := json.Marshal(draw(t, stage, 1, 9, 0))
	if want := `{"top_left":[0,0],"top_right":[8,0],"bottom_right":[8,0],"bottom_left":[0,0]}`; err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
}
