package stages_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestOneOfAndSomeOf(t *testing.T) {
	list := stages.StageList{
		stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Grayscale{}, &stages.Solarize{P: 0.5}, stages.Resize{Height: 9, Width: 12},
		stages.RandAugment{}, stages.OneOf{Stages: stages.StageList{stages.Invert{}, stages.Equalize{}}},
	}
	for _, s := range []stages.PictureStage{
		stages.OneOf{Stages: list}, stages.OneOf{Stages: list[:2], P: 0.3}, stages.OneOf{Stages: list[3:4]}, stages.OneOf{Stages: list[:3], Weights: []float64{3, 1, 0.5}},
		stages.SomeOf{Stages: list}, stages.SomeOf{Stages: list, N: 4}, stages.SomeOf{Stages: list, N: 6, P: 0.5},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.OneOf{}, "stages: missing: give a list")
	wrong(t, stages.OneOf{Stages: stages.StageList{stages.Rotate{}, nil, stages.Batch{Size: 2}}, P: 2},
		"stages: rotate: degrees: the range", "stages: number 2 is nil", "stages: batch isn't about a picture alone", "p: 2 is not")
	wrong(t, stages.OneOf{Stages: stages.StageList{stages.RandomIoUCrop{}}}, "stages: random_iou_crop looks at objects")
	wrong(t, stages.OneOf{Stages: stages.StageList{stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd}}}, "stages: normalize asks for figures of the data")
	wrong(t, stages.OneOf{Stages: list[:2], Weights: []float64{1}}, "weights: 1 number for 2 stages")
	wrong(t, stages.OneOf{Stages: list[:3], Weights: []float64{0, 1, math.NaN()}}, "weights: 0, of stage 1", "weights: NaN, of stage 3")
	for _, s := range []stages.Stage{stages.When{Stage: stages.Grayscale{}, Epochs: stages.EpochSpan{1, 0}}, &stages.When{Stage: stages.Grayscale{}}} {
		wrong(t, stages.OneOf{Stages: stages.StageList{s}}, "stages: grayscale has when or strength, which depend on the row")
	}
	wrong(t, stages.SomeOf{Stages: list, N: 7}, "n: 7 of 6 stages: give 1 to 6")
	in := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: 20, Width: 30}
	if out, err := (stages.SomeOf{Stages: list}).Output(in); err != nil || out.Height != 0 || out.Width != 0 {
		t.Errorf("behind some of them, pictures are %v (%v): want a size that varies", out, err)
	}
	if out, err := (stages.OneOf{Stages: list[3:4]}).Output(in); err != nil || out.Height != 9 || out.Width != 12 {
		t.Errorf("behind the only one, pictures are %v (%v): want 9x12", out, err)
	}
	if _, err := (stages.OneOf{Stages: stages.StageList{stages.ToTensor{}}}).Output(in); err == nil || !strings.Contains(err.Error(), "all rows leave as one type") {
		t.Errorf("to_tensor as one of several: %v", err)
	}
}

// Each stage acts as often, and N of them; those of SomeOf in all sets as often.
func TestOneOfDistribution(t *testing.T) {
	list := stages.StageList{stages.Grayscale{}, stages.Invert{}, stages.Equalize{}, stages.Autocontrast{}, stages.Solarize{}}
	for _, s := range []stages.PictureStage{stages.OneOf{Stages: list}, stages.SomeOf{Stages: list, N: 2}, stages.SomeOf{Stages: list, N: 3}} {
		count := map[string]float64{}
		for position := range int64(draws) {
			var names []string
			for _, a := range draw(t, s, 8, 8, position).(*stages.Acting).Stages {
				names = append(names, a.Stage)
			}
			count[strings.Join(names, " ")]++
		}
		var counts []float64
		for _, n := range count {
			counts = append(counts, n)
		}
		if want := map[string]int{"one_of": 5, "some_of": 10}[s.Name()]; len(counts) != want {
			t.Errorf("%s: %v: want %d sets", s.Name(), count, want)
		}
		uniform(t, s.Name(), counts)
	}
}

// By weights, each acts in proportion to its own.
func TestOneOfWeights(t *testing.T) {
	s := stages.OneOf{Stages: stages.StageList{stages.Grayscale{}, stages.Invert{}, stages.Equalize{}}, Weights: []float64{3, 0.5, 1}}
	count := map[string]float64{}
	const n = 40_000
	for position := range int64(n) {
		count[draw(t, s, 8, 8, position).(*stages.Acting).Stages[0].Stage]++
	}
	for i, name := range []string{"grayscale", "invert", "equalize"} {
		p := s.Weights[i] / 4.5
		if d := count[name] - n*p; math.Abs(d) > 5*math.Sqrt(n*p*(1-p)) {
			t.Errorf("%s acts %v times of %d, want a share of %.4f", name, count[name], n, p)
		}
	}
}

func TestStageList(t *testing.T) {
	var list stages.StageList
	read := func(v ...any) error { return list.SetOption(v) }
	if err := read("grayscale", map[string]any{"rotate": map[string]any{"degrees": int64(30), "p": 0.5}}, map[string]any{"invert": nil}); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(list)
	if want := `[{"grayscale":{}},{"rotate":{"degrees":[-30,30],"p":0.5}},{"invert":{}}]`; err != nil || string(text) != want {
		t.Errorf("written as %s (%v), want %s", text, err, want)
	}
	values, pointers := stages.OneOf{Stages: stages.StageList{stages.Rotate{Degrees: stages.Range{-3, 3}}}}, stages.OneOf{Stages: stages.StageList{&stages.Rotate{Degrees: stages.Range{-3, 3}, P: 1}}}
	a, _ := options.Canonical(values)
	b, _ := options.Canonical(pointers)
	if string(a) != string(b) {
		t.Errorf("equal options have two forms: %s, %s", a, b)
	}
	for _, c := range []struct {
		v    any
		want string
	}{
		{[]any{"rotat"}, `unknown stage "rotat"`}, {[]any{3.0}, "want a stage"}, {"rotate", "want a list"},
		{[]any{map[string]any{"rotate": int64(3)}}, "rotate: want its options as a map"},
		{[]any{map[string]any{"rotate": nil, "flip": nil}}, "a stage has one key, here are 2"},
		{[]any{map[string]any{"rotate": map[string]any{"degree": 3.0}}}, `rotate: unknown option "degree"`},
	} {
		if err := list.SetOption(c.v); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", c.v, err, c.want)
		}
	}
}
