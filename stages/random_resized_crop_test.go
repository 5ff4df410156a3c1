package stages_test

import (
	"math"
	"testing"

	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestRandomResizedCrop(t *testing.T) {
	for _, s := range []stages.RandomResizedCrop{
		{Size: 24},
		{Height: 5, Width: 70, P: 0.5, Antialias: stages.Off},
		{Size: 8, Scale: stages.Range{0, 0.01}, Ratio: stages.Range{3, 4}, Interpolation: stages.Bicubic},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.RandomResizedCrop{}, "size: missing")
	wrong(t, stages.RandomResizedCrop{Size: 8, Scale: stages.Range{0.5, 2}, Ratio: stages.Range{0, 1}},
		"scale: [0.5, 2] is not within 0 to 1", "ratio: 0 is not a width / height")
}

// With a given window it equals torchvision's resized_crop on a Pillow image.
func TestRandomResizedCropEqualsTorchvision(t *testing.T) {
	for _, c := range golden[[]resized](t, "resized_crop") {
		stage := stages.RandomResizedCrop{Height: c.OutHeight, Width: c.OutWidth, Interpolation: c.Interpolation}
		got := apply(stage, &c.Window, stagetest.Pattern(c.Height, c.Width))
		if mean, worst := difference(t, got, c.OutHeight, c.OutWidth, c.Pixels); worst > 0 {
			t.Errorf("%+v of %dx%d: mean difference %.3f, largest %g", c.Window, c.Width, c.Height, mean, worst)
		}
	}
}

// Where no window fits, the middle is taken as by torchvision.
func TestRandomResizedCropFallback(t *testing.T) {
	type fixed struct {
		Height, Width int
		Ratio         stages.Range
		Window        stages.Window
	}
	for _, c := range golden[[]fixed](t, "central") {
		stage := stages.RandomResizedCrop{Size: 8, Scale: stages.Range{1, 1}, Ratio: c.Ratio}
		for position := range int64(5) {
			if got := *draw(t, stage, c.Height, c.Width, position).(*stages.Window); got != c.Window {
				t.Errorf("%dx%d, ratio %v: %+v, torchvision has %+v", c.Width, c.Height, c.Ratio, got, c.Window)
			}
		}
	}
}

// Windows have the means and standard deviations of torchvision's get_params.
func TestRandomResizedCropDistribution(t *testing.T) {
	type fixed struct {
		Height, Width int
		Scale, Ratio  stages.Range
		Draws         float64
		Mean, Std     map[string]float64
	}
	const n = 10_000
	for _, c := range golden[[]fixed](t, "statistics") {
		stage := stages.RandomResizedCrop{Size: 8, Scale: c.Scale, Ratio: c.Ratio}
		sum, square := map[string]float64{}, map[string]float64{}
		for position := range int64(n) {
			w := draw(t, stage, c.Height, c.Width, position).(*stages.Window)
			for name, v := range map[string]float64{
				"area": float64(w.Width*w.Height) / float64(c.Width*c.Height), "log_ratio": math.Log(float64(w.Width) / float64(w.Height)),
				"x": float64(w.X), "y": float64(w.Y), "width": float64(w.Width), "height": float64(w.Height),
			} {
				sum[name] += v
				square[name] += v * v
			}
		}
		for name, want := range c.Mean {
			mean := sum[name] / n
			std := math.Sqrt(square[name]/n - mean*mean)
			deviations := math.Abs(mean-want) / (c.Std[name] * math.Sqrt(1.0/n+1/c.Draws))
			t.Logf("%dx%d %s: mean %.4f (torchvision %.4f, %.1f sigma), std %.4f (%.4f)",
				c.Width, c.Height, name, mean, want, deviations, std, c.Std[name])
			if deviations > 4 || math.Abs(std/c.Std[name]-1) > 0.04 {
				t.Errorf("%dx%d %s: mean %.4f, std %.4f; torchvision has %.4f, %.4f", c.Width, c.Height, name, mean, std, want, c.Std[name])
			}
		}
	}
}
