package stages_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

// operation is a case of testdata/operations.json, which testdata/operations.py writes.
type operation struct {
	Stage         string
	Params        json.RawMessage
	Kind          string
	Height, Width int
	SHA256        string
}

func operations(t *testing.T) []operation {
	t.Helper()
	text, err := os.ReadFile("testdata/operations.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Cases []operation }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all.Cases
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

// Given what is drawn, stages have torchvision's bytes.
func TestOperationsEqualTorchvision(t *testing.T) {
	byName := map[string]stages.Stage{}
	for _, entry := range stages.Catalog {
		byName[entry.New().Name()] = entry.New()
	}
	count := map[string]int{}
	for _, c := range operations(t) {
		stage := byName[c.Stage]
		got := operate(stage, given(t, stage, c.Params), original(t, c.Kind, c.Height, c.Width))
		if digest(got) != c.SHA256 {
			t.Errorf("%s %s of %s, %dx%d: not torchvision's bytes", c.Stage, c.Params, c.Kind, c.Width, c.Height)
		}
		count[c.Stage]++
	}
	t.Log("pictures:", count)
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
