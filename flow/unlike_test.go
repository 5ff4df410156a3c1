package flow_test

import (
	"strings"
	"testing"

	"github.com/sluicedata/sluice/stages"
)

func TestUnlikeImages(t *testing.T) {
	imagenet := stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}
	resize, tensor, batch := stages.Resize{Height: 8, Width: 8}, stages.ToTensor{}, stages.Batch{Size: 4}
	train := []stages.Stage{stages.Shuffle{}, stages.Decode{}, stages.RandomResizedCrop{Size: 8}, stages.Flip{P: 0.5},
		stages.ColorJitter{Brightness: stages.Factor{0.8, 1.2}}, tensor, imagenet, batch}
	for name, c := range map[string]struct {
		train, eval []stages.Stage
		want        []string
	}{
		"alike":           {train, []stages.Stage{stages.Decode{}, resize, tensor, imagenet, batch}, nil},
		"centre crop":     {train, []stages.Stage{stages.Decode{}, stages.Resize{Size: 10}, stages.CenterCrop{Size: 8}, tensor, imagenet, batch}, nil},
		"rounded figures": {train, []stages.Stage{stages.Decode{}, resize, tensor, stages.Normalize{Mean: stages.Mean{0.49, 0.46, 0.41}, Std: stages.Std{0.23, 0.224, 0.225}}, batch}, nil},
		"no normalize": {train, []stages.Stage{stages.Decode{}, resize, tensor, batch},
			[]string{"black and white leave as [0 0 0] and [1 1 1], in training as [-2.12 -2.04 -1.8] and [2.25 2.43 2.64]: use the same"}},
		"another normalize": {train, []stages.Stage{stages.Decode{}, resize, tensor, stages.Normalize{Mean: stages.Mean{0.5, 0.5, 0.5}, Std: stages.Std{0.5, 0.5, 0.5}}, batch},
			[]string{"black and white leave as [-1 -1 -1] and [1 1 1]"}},
		"none in training": {[]stages.Stage{stages.Shuffle{}, stages.Decode{}, resize, tensor}, []stages.Stage{stages.Decode{}, resize, tensor, imagenet},
			[]string{"in training as [0 0 0] and [1 1 1]"}},
		"another size":   {train, []stages.Stage{stages.Decode{}, stages.Resize{Height: 16, Width: 16}, tensor, imagenet, batch}, []string{"images are float32[3,16,16], in training float32[3,8,8]"}},
		"another layout": {train, []stages.Stage{stages.Decode{}, resize, stages.ToTensor{Layout: stages.HWC}, imagenet, batch}, []string{"images are float32[8,8,3]"}},
		"another type": {train, []stages.Stage{stages.Decode{}, resize, stages.ToTensor{DType: stages.Uint8}, batch},
			[]string{"images are uint8[3,8,8]", "black and white leave as [0 0 0] and [255 255 255]"}},
		"one of the scales": {append(train[:len(train):len(train)], stages.MultiScale{Scales: []float64{1, 2}}), []stages.Stage{stages.Decode{}, stages.Resize{Height: 16, Width: 16}, tensor, imagenet, batch}, nil},
		"another filter":    {train, []stages.Stage{stages.Decode{}, stages.Resize{Height: 8, Width: 8, Interpolation: "nearest"}, tensor, imagenet, batch}, []string{"pictures are resized by nearest, in training by bilinear"}},
		"no antialiasing":   {train, []stages.Stage{stages.Decode{}, stages.Resize{Height: 8, Width: 8, Antialias: stages.Off}, tensor, imagenet, batch}, []string{"by bilinear without antialiasing, in training by bilinear"}},
		"random":            {train, []stages.Stage{stages.Decode{}, stages.Rotate{Degrees: stages.Range{-9, 9}}, resize, stages.Flip{P: 0.5}, tensor, imagenet, batch}, []string{"rotate, flip: images change at random"}},
		"grey":              {[]stages.Stage{stages.Shuffle{}, stages.Decode{}, resize, tensor, batch}, []stages.Stage{stages.Decode{Mode: stages.Gray}, resize, tensor, batch}, []string{"images are float32[1,8,8], in training float32[3,8,8]", `decode: mode is "gray", in training "rgb"`}},
		"inverted":          {train, []stages.Stage{stages.Decode{}, resize, stages.Invert{}, tensor, imagenet, batch}, []string{"black and white leave as [2.25 2.43 2.64] and [-2.12"}},
		"always changed": {[]stages.Stage{stages.Shuffle{}, stages.Decode{}, resize, stages.Invert{}, stages.Solarize{}, stages.Equalize{}, tensor, batch},
			[]stages.Stage{stages.Decode{}, resize, stages.Invert{}, stages.Solarize{}, stages.Equalize{}, tensor, batch}, nil},
		"at times":  {train, []stages.Stage{stages.Decode{}, resize, stages.Solarize{P: 0.5}, tensor, imagenet, batch}, []string{"solarize: images change at random"}},
		"drop_last": {train, []stages.Stage{stages.Decode{}, resize, tensor, imagenet, stages.Batch{Size: 5, DropLast: true}}, []string{"drop_last leaves 2 samples out"}},
		"encoded":   {[]stages.Stage{batch}, []stages.Stage{batch}, nil},
	} {
		training, eval := planOf(t, small(12), c.train), planOf(t, small(12), c.eval)
		have := eval.UnlikeImages(training)
		ok := len(have) == len(c.want)
		for i := range c.want {
			ok = ok && strings.Contains(have[i], c.want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", name, have, c.want)
		}
	}
}
