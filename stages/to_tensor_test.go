package stages_test

import (
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestToTensor(t *testing.T) {
	stagetest.Picture(t, stages.ToTensor{})
	stagetest.Picture(t, stages.ToTensor{DType: stages.Uint8})
	stagetest.Picture(t, stages.ToTensor{Layout: stages.HWC})
	wrong(t, stages.ToTensor{DType: "float16", Layout: "nchw"}, `dtype: "float16" is none of float32, uint8`, `layout: "nchw" is none of chw, hwc`)
	wrong(t, stages.ToTensor{DType: stages.Uint8, Layout: stages.HWC}, "dtype: uint8 with layout hwc")

	in := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: 4, Width: 5}
	out, err := stages.ToTensor{}.Output(in)
	if want := (schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Height: 4, Width: 5}); err != nil || out != want {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := (stages.ToTensor{}).Output(out); err == nil {
		t.Error("a second to_tensor is accepted")
	}
}

// Every level, through both stages, has the bits that torchvision gives it.
func TestToTensorAndNormalizeEqualTorchvision(t *testing.T) {
	type fixed struct{ Tensor, Normalized []byte }
	want := golden[fixed](t, "normalize")
	tensor, normalized := floats(want.Tensor), floats(want.Normalized)
	toTensor := stages.ToTensor{}.PixelFunc(stages.Nothing{})
	normalize := stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}.PixelFunc(stages.Nothing{})
	for level := range 256 {
		v := float32(level)
		scaled := toTensor.Map([3]float32{v, v, v})
		result := normalize.Map(scaled)
		for c := range 3 {
			if i := 256*c + level; scaled[c] != tensor[i] || result[c] != normalized[i] {
				t.Errorf("level %d, channel %d: %v and %v; torchvision has %v and %v",
					level, c, scaled[c], result[c], tensor[i], normalized[i])
			}
		}
	}
}
