package stages_test

import (
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestCrop(t *testing.T) {
	for _, s := range []stages.Crop{
		{Size: 0.5, Offset: stages.Range{0, 0.25}},
		{Size: 0.5},
		{Size: 224, P: 0.5},
		{Height: 3, Width: 0.9},
		{Height: 3, Width: 2, Offset: stages.Range{1, 3}},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.Crop{}, "size: missing")
	wrong(t, stages.Crop{Size: 0.5, Height: 3}, "size: give either")
	wrong(t, stages.Crop{Height: 3}, "width: missing")
	wrong(t, stages.Crop{Width: 1.5}, "height: missing", "width: 1.5 is neither")
	wrong(t, stages.Crop{Size: -1, P: -1}, "size: -1 is neither", "p: -1 is not")
	for _, c := range []struct {
		offset stages.Range
		want   string
	}{
		{stages.Range{0.25, 0}, "offset: the range [0.25, 0] is empty"},
		{stages.Range{-3, 0}, "offset: -3 is neither"},
		{stages.Range{0, 2.5}, "offset: 2.5 is neither"},
		{stages.Range{0, 1}, "offset: up to but not including 1 pixel"},
		{stages.Range{0.1, 3}, "offset: [0.1, 3] mixes"},
		{stages.Range{0, 0.6}, "offset: 0.6 plus a window of 0.5 exceeds the picture: give at most 0.5"},
	} {
		wrong(t, stages.Crop{Size: 0.5, Offset: c.offset}, c.want)
	}
}

func TestCropTooLarge(t *testing.T) {
	refused(t, stages.Crop{Size: 224}, 180, 200, "224x224 exceeds 200x180 (width x height): resize or pad first, or crop a smaller window")
	refused(t, stages.Crop{Size: 100, Offset: stages.Range{0, 82}}, 180, 200,
		"100x100 at x 81, y 81 exceeds 200x180 (width x height): lower offset, resize or pad first, or crop a smaller window")
	fixed := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: 180, Width: 200}
	for _, stage := range []stages.PictureStage{
		stages.Crop{Size: 224}, stages.CenterCrop{Size: 181}, stages.Crop{Size: 100, Offset: stages.Range{0, 82}},
	} {
		if _, err := stage.Output(fixed); err == nil {
			t.Errorf("%+v: nothing is said before the run about pictures of %v", stage, fixed)
		}
	}
}

func TestCropCuts(t *testing.T) {
	in := stagetest.Pattern(9, 11)
	out := apply(stages.Crop{}, &stages.Window{X: 3, Y: 2, Width: 5, Height: 4}, in)
	if out.Height != 4 || out.Width != 5 {
		t.Fatalf("%d high, %d wide", out.Height, out.Width)
	}
	for i, v := range out.U8 {
		if y, x, c := i/15, i/3%5, i%3; v != in.U8[((y+2)*11+x+3)*3+c] {
			t.Fatalf("value %d is not the slice's", i)
		}
	}
}
