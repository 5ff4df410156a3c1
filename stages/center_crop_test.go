package stages_test

import (
	"testing"

	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestCenterCrop(t *testing.T) {
	stagetest.Picture(t, stages.CenterCrop{Size: 224})
	stagetest.Picture(t, stages.CenterCrop{Height: 0.875, Width: 2})
	wrong(t, stages.CenterCrop{}, "size: missing")
	wrong(t, stages.CenterCrop{Size: 2.5, Width: 3}, "size: give either", "size: 2.5 is neither")
	refused(t, stages.CenterCrop{Size: 224}, 180, 200, "224x224 exceeds 200x180 (width x height): resize or pad first, or crop a smaller window")
}

func TestCenterCropEqualsTorchvision(t *testing.T) {
	type fixed struct {
		Height, Width, X, Y int
		CropHeight          stages.Extent `json:"crop_height"`
		CropWidth           stages.Extent `json:"crop_width"`
	}
	for _, c := range golden[[]fixed](t, "center_crop") {
		stage := stages.CenterCrop{Height: c.CropHeight, Width: c.CropWidth}
		tr := stage.Warp(stages.Nothing{}, c.Height, c.Width)
		if want := [2]float64{float64(c.X), float64(c.Y)}; tr.Matrix[2] != want[0] || tr.Matrix[5] != want[1] {
			t.Errorf("%+v of %dx%d: at %v, %v; torchvision has %v", stage, c.Width, c.Height, tr.Matrix[2], tr.Matrix[5], want)
		}
	}
}
