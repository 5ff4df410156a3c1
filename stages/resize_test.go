package stages_test

import (
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestResize(t *testing.T) {
	for _, s := range []stages.Resize{
		{Height: 20, Width: 30},
		{Size: 16, Antialias: stages.Off},
		{Size: 40, Interpolation: stages.Lanczos},
		{Height: 5, Width: 90, Interpolation: stages.Nearest},
		{Height: 7, Width: 8, Interpolation: stages.Bicubic, Antialias: stages.Off},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.Resize{}, "size: missing")
	wrong(t, stages.Resize{Height: 3}, "width: missing")
	wrong(t, stages.Resize{Size: -3, Interpolation: "area"}, "size: -3 pixels", `interpolation: "area" is none of`)
	wrong(t, stages.Resize{Height: 1 << 20, Width: 1 << 20}, "size: the result would be 1048576x1048576")
	refused(t, stages.Resize{Size: 224}, 1, 10_000, "size: the result would be 2240000x224 (width x height), more than 268435456 pixels")
}

// resized is one golden resize.
type resized struct {
	Height, Width, Size int
	OutHeight           int `json:"out_height"`
	OutWidth            int `json:"out_width"`
	Interpolation       stages.ResizeInterpolation
	AntialiasOff        bool `json:"antialias_off"`
	Window              stages.Window
	Pixels              []byte
}

func (c resized) limit() float64 {
	if c.AntialiasOff {
		return 1 // OpenCV's weights have 11 bits
	}
	return 0
}

func TestResizeEqualsTorchvisionAndOpenCV(t *testing.T) {
	for _, c := range golden[[]resized](t, "resize") {
		stage := stages.Resize{Size: c.Size, Interpolation: c.Interpolation}
		if c.AntialiasOff {
			stage = stages.Resize{Height: c.OutHeight, Width: c.OutWidth, Antialias: stages.Off}
		}
		got := apply(stage, stages.Nothing{}, stagetest.Pattern(c.Height, c.Width))
		if mean, worst := difference(t, got, c.OutHeight, c.OutWidth, c.Pixels); worst > c.limit() {
			t.Errorf("%+v of %dx%d: mean difference %.3f, largest %g", stage, c.Width, c.Height, mean, worst)
		}
	}
}

func TestResizeShorterSide(t *testing.T) {
	for _, c := range golden[[]resized](t, "sides") {
		in := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: c.Height, Width: c.Width}
		out, err := stages.Resize{Size: c.Size}.Output(in)
		if err != nil || out.Height != c.OutHeight || out.Width != c.OutWidth {
			t.Errorf("%dx%d to %d: %v, %v; torchvision has %dx%d", c.Width, c.Height, c.Size, out, err, c.OutWidth, c.OutHeight)
		}
	}
}
