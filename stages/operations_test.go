package stages_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

// operations reads a part of testdata/operations.json, which testdata/operations.py writes.
func operations[T any](t *testing.T, part string) T {
	t.Helper()
	return partOf[T](t, "operations", part)
}

// written is a stage of the catalogue with options as a file has them.
func written(t *testing.T, name string, values map[string]any) stages.Stage {
	t.Helper()
	for _, entry := range stages.Catalog {
		stage := entry.New()
		if stage.Name() != name {
			continue
		}
		for option, v := range values {
			if err := options.Set(stage, option, whole(v)); err != nil {
				t.Fatal(err)
			}
		}
		return stage
	}
	t.Fatalf("there is no stage %s", name)
	return nil
}

// whole is a value of JSON as YAML has it, where numbers may be integers.
func whole(v any) any {
	switch v := v.(type) {
	case float64:
		if v == math.Floor(v) {
			return int64(v)
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	}
	return v
}

// given are the params of a stage with these values.
func given(t *testing.T, stage stages.Stage, values json.RawMessage) stages.Params {
	t.Helper()
	var p stages.Params
	switch stage.Name() {
	case "solarize":
		p = new(stages.SolarizeParams)
	case "posterize":
		p = new(stages.PosterizeParams)
	case "gamma":
		p = new(stages.GammaParams)
	case "sharpness":
		p = new(stages.SharpnessParams)
	case "gaussian_blur":
		p = new(stages.BlurParams)
	case "random_erasing":
		p = new(stages.ErasingParams)
	case "coarse_dropout":
		p = new(stages.DropoutParams)
	default:
		return stages.Nothing{}
	}
	if err := json.Unmarshal(values, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// operate applies a stage to a uint8 picture, pixel by pixel where it can.
func operate(stage stages.Stage, params stages.Params, in *schema.Picture) *schema.Picture {
	if m, ok := stage.(stages.Mapper); ok {
		return m.Map(params, in)
	}
	f := stage.(stages.Pixelwise).PixelFunc(params)
	out := schema.NewPicture(in.Height, in.Width)
	for i := 0; i < len(in.U8); i += 3 {
		for c, v := range f.Map([3]float32{float32(in.U8[i]), float32(in.U8[i+1]), float32(in.U8[i+2])}) {
			out.U8[i+c] = warp.RoundToByte(v)
		}
	}
	return out
}

// original draws the pictures of operations.py.
func original(t *testing.T, kind string, height, width int) *schema.Picture {
	t.Helper()
	switch kind {
	case "flat":
		p := schema.NewPicture(height, width)
		for i := range p.U8 {
			p.U8[i] = []uint8{200, 0, 31}[i%3]
		}
		return p
	case "narrow":
		p := augmented(t, "noise", height, width)
		for i := range p.U8 {
			p.U8[i] = p.U8[i]%[]uint8{7, 60, 2}[i%3] + 90
		}
		return p
	}
	return augmented(t, kind, height, width)
}

// Given what is drawn, stages have torchvision's bytes, and coarse_dropout albumentations'.
func TestOperationsEqualTorchvision(t *testing.T) {
	type fixed struct {
		Stage         string
		Options       map[string]any
		Params        json.RawMessage
		Kind          string
		Height, Width int
		SHA256        string
	}
	count := map[string]int{}
	for _, c := range operations[[]fixed](t, "cases") {
		stage := written(t, c.Stage, c.Options)
		got := operate(stage, given(t, stage, c.Params), original(t, c.Kind, c.Height, c.Width))
		if digest(got) != c.SHA256 {
			t.Errorf("%s %s of %s, %dx%d: other bytes", c.Stage, c.Params, c.Kind, c.Width, c.Height)
		}
		count[c.Stage]++
	}
	t.Log("pictures:", count)
}

func TestGaussianBlurEqualsTorchvision(t *testing.T) {
	type fixed struct {
		Size          int
		Sigma         float64
		Kind          string
		Height, Width int
		Pixels        []byte
	}
	for _, c := range operations[[]fixed](t, "blurs") {
		got := stages.GaussianBlur{KernelSize: c.Size}.Map(&stages.BlurParams{Sigma: c.Sigma}, original(t, c.Kind, c.Height, c.Width))
		if mean, worst := difference(t, got, c.Height, c.Width, c.Pixels); worst > 1 || mean > 0.02 {
			t.Errorf("kernel %d, sigma %g, of %s: mean difference %.3f, largest %g", c.Size, c.Sigma, c.Kind, mean, worst)
		}
	}
}

func TestLevels(t *testing.T) {
	for _, s := range []stages.PictureStage{
		stages.Grayscale{}, stages.Grayscale{P: 0.5}, stages.Invert{}, stages.Invert{P: 0.5},
		stages.Solarize{}, stages.Solarize{Threshold: 99.5, P: 0.5}, stages.Posterize{}, stages.Posterize{Bits: 1, P: 0.5},
		stages.Gamma{}, stages.Gamma{Range: stages.Range{0, 3}, P: 0.5},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.Grayscale{P: 2}, "p: 2 is not a probability")
	wrong(t, stages.Invert{P: -1}, "p: -1 is not a probability")
	wrong(t, stages.Solarize{Threshold: 256, P: 2}, "p: 2 is not", "threshold: 256 is not in 0..255")
	wrong(t, stages.Posterize{Bits: 9}, "bits: 9: values have 8 bits")
	wrong(t, stages.Gamma{Range: stages.Range{-1, 1}}, "range: the power -1 is negative")
	wrong(t, stages.Gamma{Range: stages.Range{2, 1}}, "range: the range [2, 1] is empty")
}

func TestWholePicture(t *testing.T) {
	for _, s := range []stages.PictureStage{
		stages.Autocontrast{}, stages.Autocontrast{P: 0.5}, stages.Equalize{}, stages.Equalize{P: 0.5},
		stages.Sharpness{Factor: stages.Factor{0, 3}}, stages.Sharpness{Factor: stages.Factor{2, 2}, P: 0.5},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.Autocontrast{P: 2}, "p: 2 is not")
	wrong(t, stages.Equalize{P: 2}, "p: 2 is not")
	wrong(t, stages.Sharpness{}, "factor: nothing to do")
	wrong(t, stages.Sharpness{Factor: stages.Factor{1, 1e30}}, "factor: 1e+30 is too large")
	wrong(t, stages.Sharpness{Factor: stages.Factor{-1, 1}, P: 2}, "factor: the factor -1 is negative", "p: 2 is not")
}

// Grey pixels stay as they are, and rows have the values of pixels one by one.
func TestGrayscale(t *testing.T) {
	f := stages.Grayscale{}.PixelFunc(stages.Nothing{})
	for v := range 256 {
		if got := f.Map([3]float32{float32(v), float32(v), float32(v)}); got != [3]float32{float32(v), float32(v), float32(v)} {
			t.Errorf("grey %d becomes %v", v, got)
		}
	}
	for n := range 50 {
		in := augmented(t, "noise", 1, n)
		want := operate(stages.Grayscale{}, stages.Nothing{}, in)
		if f.Row(in.U8); string(in.U8) != string(want.U8) {
			t.Errorf("rows of %d pixels differ from pixels", n)
		}
	}
}

// Of many draws, a share of p acts.
func TestActs(t *testing.T) {
	for _, p := range []stages.Probability{0.1, 0.5, 1} {
		acted := 0
		for position := range int64(draws) {
			if draw(t, stages.Invert{P: p}, 9, 9, position) != nil {
				acted++
			}
		}
		uniformShare(t, acted, float64(p))
	}
}

// uniformShare wants a number of the draws to be within four deviations of its expectation.
func uniformShare(t *testing.T, got int, p float64) {
	t.Helper()
	if d := float64(got) - draws*p; d*d > 16*draws*p*(1-p) {
		t.Errorf("%d of %d draws, with a probability of %g", got, draws, p)
	}
}

func TestGaussianBlur(t *testing.T) {
	stagetest.Picture(t, stages.GaussianBlur{KernelSize: 9})
	stagetest.Picture(t, stages.GaussianBlur{KernelSize: 3, Sigma: stages.Range{0.01, 90}, P: 0.5})
	wrong(t, stages.GaussianBlur{P: 2}, "p: 2 is not", "kernel_size: missing")
	wrong(t, stages.GaussianBlur{KernelSize: 8, Sigma: stages.Range{0, 1}}, "kernel_size: 8 is even: give 7 or 9", "sigma: 0 is not")
	wrong(t, stages.GaussianBlur{KernelSize: 257}, "kernel_size: 257 pixels")
}

func TestGaussianNoise(t *testing.T) {
	stagetest.Picture(t, stages.GaussianNoise{})
	stagetest.Picture(t, stages.GaussianNoise{Mean: -0.1, Sigma: 0.5, P: 0.5})
	wrong(t, stages.GaussianNoise{Mean: 20, Sigma: 10, P: 2}, "p: 2 is not", "mean: 20 is not a share", "sigma: 10 is not a share")
}

// What is added is normal, each value by itself, and rounded: its shares are those of the
// distribution's function.
func TestGaussianNoiseDistribution(t *testing.T) {
	in := schema.NewPicture(300, 301)
	for i := range in.U8 {
		in.U8[i] = 128
	}
	for _, p := range []stages.NoiseParams{{Sigma: 0.1, Key: 1}, {Mean: 0.05, Sigma: 0.02, Key: 99}, {Mean: -0.1, Sigma: 0.004, Key: 1 << 52}} {
		out := (stages.GaussianNoise{}).Map(&p, in)
		var counts [256]float64
		product, n := 0.0, float64(len(out.U8))
		for i, v := range out.U8 {
			counts[v]++
			product += (float64(v) - 128 - 255*p.Mean) * (float64(out.U8[(i+1)%len(out.U8)]) - 128 - 255*p.Mean)
		}
		below := func(level float64) float64 {
			return math.Erfc(-(level-128-255*p.Mean)/(255*p.Sigma)/math.Sqrt2) / 2
		}
		square, freedom := 0.0, -1.0
		for v, count := range counts {
			low, high := below(float64(v)-0.5), below(float64(v)+0.5)
			if v == 0 {
				low = 0
			}
			if v == 255 {
				high = 1
			}
			if expected := n * (high - low); expected > 5 {
				square += (count - expected) * (count - expected) / expected
				freedom++
			}
		}
		variance := 255 * p.Sigma * 255 * p.Sigma
		t.Logf("mean %g, sigma %g: chi-square %.1f with %g degrees of freedom, correlation of neighbours %.4f", p.Mean, p.Sigma, square, freedom, product/n/variance)
		if square > freedom+5*math.Sqrt(2*freedom) || math.Abs(product/n/variance) > 5/math.Sqrt(n) {
			t.Errorf("mean %g, sigma %g: not that distribution", p.Mean, p.Sigma)
		}
	}
}

func TestRandomErasing(t *testing.T) {
	for _, s := range []stages.RandomErasing{
		{P: 0.5}, {P: 1, Value: stages.ErasedByNoise, Scale: stages.Range{0.1, 0.9}}, {P: 1, Value: stages.Erased{1, 2, 3}, Ratio: stages.Range{1, 1}},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.RandomErasing{}, "p is 0")
	wrong(t, stages.RandomErasing{P: 2, Scale: stages.Range{0, 2}, Ratio: stages.Range{0, 2}, Value: stages.Erased{math.NaN()}},
		"p: 2 is not", "scale: [0, 2] is not", "ratio: 0 is not", "value: NaN is not")
	pixels := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC}
	for _, v := range []stages.Erased{stages.ErasedByNoise, {-1, 0, 0}, {0, 256, 0}, {0.5, 0.5, 0.5}} {
		if _, err := (stages.RandomErasing{P: 1, Value: v}).Output(pixels); err == nil {
			t.Errorf("%v is put into uint8 pictures", v)
		}
	}
	gray := schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Channels: 1}
	if _, err := (stages.RandomErasing{P: 1, Value: stages.Erased{1, 2, 3}}).Output(gray); err == nil {
		t.Error("a colour is put into grey pictures")
	}
}

// In every layout the same rectangle is erased, by the value or by noise.
func TestRandomErasingOfFloats(t *testing.T) {
	p := &stages.ErasingParams{Window: stages.Window{X: 3, Y: 1, Width: 40, Height: 30}, Key: 7}
	for _, value := range []stages.Erased{{}, {-1.5, 2, 0.25}, stages.ErasedByNoise} {
		var first []float32
		for _, layout := range []schema.Layout{schema.CHW, schema.HWC} {
			in := &schema.Picture{Height: 35, Width: 50, Layout: layout, F32: make([]float32, 3*35*50)}
			for i := range in.F32 {
				in.F32[i] = 9
			}
			out := (stages.RandomErasing{Value: value}).Map(p, in)
			var erased []float32
			for y := range out.Height {
				for x := range out.Width {
					for c := range 3 {
						v := out.F32[(y*50+x)*3+c]
						if layout == schema.CHW {
							v = out.F32[(c*35+y)*50+x]
						}
						inside := x >= 3 && x < 43 && y >= 1 && y < 31
						if inside {
							erased = append(erased, v)
						}
						if inside == (v == 9) || inside && value != stages.ErasedByNoise && v != float32(value[c]) {
							t.Fatalf("%v, %s: %d, %d, %d is %g", value, layout, x, y, c, v)
						}
					}
				}
			}
			if first == nil {
				first = erased
			}
			if !slices.Equal(first, erased) {
				t.Errorf("%v: layouts differ", value)
			}
		}
		mean, square := 0.0, 0.0
		for _, v := range first {
			mean += float64(v) / float64(len(first))
			square += float64(v) * float64(v) / float64(len(first))
		}
		if value == stages.ErasedByNoise && slices.Contains(first[:120], first[120]) {
			t.Error("the second row repeats a number of the first") // one of 65,536; the key is fixed
		}
		if value == stages.ErasedByNoise && (math.Abs(mean) > 0.08 || math.Abs(square-1) > 0.1) {
			t.Errorf("noise has mean %g and mean square %g", mean, square)
		}
	}
}

func TestRandomErasingDistribution(t *testing.T) {
	type sized struct {
		Height, Width int
		statistics
	}
	for _, c := range operations[[]sized](t, "erasing_statistics") {
		c.compare(t, "random_erasing", draws, func(position int64) map[string]float64 {
			p, ok := draw(t, stages.RandomErasing{P: 1}, c.Height, c.Width, position).(*stages.ErasingParams)
			if !ok {
				return map[string]float64{"erased": 0}
			}
			return map[string]float64{"x": float64(p.X), "y": float64(p.Y), "width": float64(p.Width), "height": float64(p.Height), "erased": 1}
		})
	}
}

func TestCoarseDropout(t *testing.T) {
	for _, s := range []stages.CoarseDropout{
		{}, {NumHolesRange: [2]int{1, 9}, P: 0.5}, {HoleHeightRange: stages.Range{1, 20}, HoleWidthRange: stages.Range{3, 3}, Fill: stages.Color{1, 2, 3}},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.CoarseDropout{NumHolesRange: [2]int{2, 1}, HoleHeightRange: stages.Range{-1, 0.5}, HoleWidthRange: stages.Range{0.5, 1}, P: 2},
		"p: 2 is not", "num_holes_range: [2, 1]", "hole_height_range: [-1, 0.5]: give shares", "hole_width_range: [0.5, 1]: pixels are whole")
}

func TestCoarseDropoutDistribution(t *testing.T) {
	type sized struct {
		Options       map[string]any
		Height, Width int
		statistics
	}
	for _, c := range operations[[]sized](t, "dropout_statistics") {
		stage := written(t, "coarse_dropout", c.Options).(*stages.CoarseDropout)
		c.compare(t, "coarse_dropout", draws, func(position int64) map[string]float64 {
			holes := draw(t, stage, c.Height, c.Width, position).(*stages.DropoutParams).Holes
			h := holes[len(holes)-1]
			return map[string]float64{"holes": float64(len(holes)), "x": float64(h.X), "y": float64(h.Y), "width": float64(h.Width), "height": float64(h.Height)}
		})
	}
}

// BenchmarkOperations edits a copy of a picture of 224 x 224, or recolours its rows.
func BenchmarkOperations(b *testing.B) {
	original, pic := stagetest.Pattern(224, 224), schema.NewPicture(224, 224)
	for _, c := range []struct {
		stage  stages.Stage
		params stages.Params
	}{
		{stages.Grayscale{}, stages.Nothing{}},
		{stages.Autocontrast{}, stages.Nothing{}},
		{stages.Equalize{}, stages.Nothing{}},
		{stages.Sharpness{}, &stages.SharpnessParams{Factor: 1.5}},
		{stages.GaussianBlur{KernelSize: 23}, &stages.BlurParams{Sigma: 1}},
		{stages.GaussianNoise{}, &stages.NoiseParams{Sigma: 0.1}},
		{stages.CoarseDropout{}, &stages.DropoutParams{Holes: []stages.Window{{X: 9, Y: 9, Width: 99, Height: 99}}}},
		{stages.RandomErasing{}, &stages.ErasingParams{Window: stages.Window{X: 9, Y: 9, Width: 99, Height: 99}}},
	} {
		b.Run(c.stage.Name(), func(b *testing.B) {
			for b.Loop() {
				copy(pic.U8, original.U8)
				if e, ok := c.stage.(stages.Editor); ok {
					e.Edit(c.params, pic)
				} else {
					c.stage.(stages.Pixelwise).PixelFunc(c.params).Row(pic.U8)
				}
			}
		})
	}
}
