package stages_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/stages"
)

// strengths has, for each stage that has amounts, one with all of them, and what it is at 0.5.
var strengths = []struct{ whole, half stages.Stage }{
	{stages.Rotate{Degrees: stages.Range{-10, 30}, P: 0.5}, stages.Rotate{Degrees: stages.Range{-5, 15}, P: 0.5}},
	{
		stages.Affine{Degrees: stages.Range{-10, 10}, Translate: [2]float64{0.2, 0.4}, Scale: stages.Range{0.5, 1.5}, Shear: stages.Shear{-20, 20, 0, 10}},
		stages.Affine{Degrees: stages.Range{-5, 5}, Translate: [2]float64{0.1, 0.2}, Scale: stages.Range{0.75, 1.25}, Shear: stages.Shear{-10, 10, 0, 5}},
	},
	{stages.Affine{Degrees: stages.Range{-10, 10}}, stages.Affine{Degrees: stages.Range{-5, 5}}},
	{stages.Perspective{}, stages.Perspective{DistortionScale: 0.25}},
	{
		stages.ColorJitter{Brightness: stages.Factor{0.2, 3}, Contrast: stages.Factor{0, 2}, Hue: stages.Range{-0.1, 0.5}},
		stages.ColorJitter{Brightness: stages.Factor{0.6, 2}, Contrast: stages.Factor{0.5, 1.5}, Hue: stages.Range{-0.05, 0.25}},
	},
	{stages.Gamma{}, stages.Gamma{Range: stages.Range{0.9, 1.1}}},
	{stages.Sharpness{Factor: stages.Factor{0.5, 3}}, stages.Sharpness{Factor: stages.Factor{0.75, 2}}},
	{stages.GaussianBlur{KernelSize: 5, Sigma: stages.Range{1, 2}}, stages.GaussianBlur{KernelSize: 5, Sigma: stages.Range{0.5, 1}}},
	{stages.GaussianNoise{Sigma: 0.5}, stages.GaussianNoise{Sigma: 0.25}},
	{stages.RandAugment{}, stages.RandAugment{Magnitude: 4.5}},
	{stages.RandomErasing{Scale: stages.Range{0.1, 0.4}, P: 0.5}, stages.RandomErasing{Scale: stages.Range{0.05, 0.2}, P: 0.5}},
	{stages.RandomResizedCrop{Size: 8, Scale: stages.Range{0.5, 1}}, stages.RandomResizedCrop{Size: 8, Scale: stages.Range{0.75, 1}}},
	{stages.RandomZoomOut{P: 0.5}, stages.RandomZoomOut{SideRange: stages.Range{1, 2.5}, P: 0.5}},
	{stages.ScaleJitter{Target: [2]int{8, 8}, Range: stages.Range{0.5, 2}}, stages.ScaleJitter{Target: [2]int{8, 8}, Range: stages.Range{0.75, 1.5}}},
}

func canonicalOf(t *testing.T, s stages.Stage) string {
	t.Helper()
	text, err := options.Canonical(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A stage of strength 1 is itself, one of 0.5 has options half as far from those that change
// nothing, and every stage that has amounts is looked at here.
func TestStrengths(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range strengths {
		stage := c.whole.(stages.Adjustable)
		seen[stage.Name()] = true
		if have, want := canonicalOf(t, stage.WithStrength(1)), canonicalOf(t, stage); have != want {
			t.Errorf("%s of strength 1 is %s, want %s", stage.Name(), have, want)
		}
		half := stage.WithStrength(0.5)
		if have, want := canonicalOf(t, half), canonicalOf(t, c.half); have != want || half.Check() != nil {
			t.Errorf("%s of strength 0.5 is %s, want %s; %v", stage.Name(), have, want, half.Check())
		}
		if none := stage.WithStrength(0); none != nil && none.Check() != nil {
			t.Errorf("%s of strength 0: %v", stage.Name(), none.Check())
		}
		if reflect.TypeOf(half) != reflect.TypeOf(c.whole) {
			t.Errorf("%s becomes a %T", stage.Name(), half)
		}
	}
	var missing []string
	for _, e := range stages.Catalog {
		if _, ok := e.New().(stages.Adjustable); ok && !seen[e.New().Name()] {
			missing = append(missing, e.New().Name())
		}
	}
	if len(missing) > 0 {
		t.Errorf("add a case for %v", missing)
	}
}

// Strengths go from one end to the other, in equal steps of the logarithm, or of repeats.
func TestStrengthOfRows(t *testing.T) {
	s := stages.Strength{By: stages.ByClassCount, From: 0.5, To: 2}
	for n, want := range map[int64]float64{1000: 0.5, 100: 1, 10: 1.5, 1: 2, 0: 2, -1: 0.5, 5000: 0.5} {
		if have := s.OfClass(n, 1000, 1); math.Abs(have-want) > 1e-12 {
			t.Errorf("of %d samples: %v, want %v", n, have, want)
		}
	}
	if have := s.OfClass(7, 7, 7); have != 0.5 {
		t.Errorf("where all classes are alike: %v", have)
	}
	s = stages.Strength{By: stages.ByRepeat, From: 1, To: 0, Over: 4}
	var have []float64
	for before := range int64(7) {
		have = append(have, s.OfRepeat(before))
	}
	if !slices.Equal(have, []float64{1, 0.75, 0.5, 0.25, 0, 0, 0}) {
		t.Errorf("by repeat %v", have)
	}
}

// p is multiplied in any stage that has it, behind a pointer, too; above 1 it is 1, and at 0 the
// stage does nothing.
func TestStrengthMultipliesP(t *testing.T) {
	for _, c := range []struct {
		stage stages.Stage
		s     float64
		want  stages.Stage
	}{
		{stages.Flip{P: 0.5}, 0.5, stages.Flip{P: 0.25}},
		{&stages.Flip{P: 0.5}, 3, stages.Flip{P: 1}},
		{stages.Rotate{Degrees: stages.Range{1, 2}}, 0.25, stages.Rotate{Degrees: stages.Range{1, 2}, P: 0.25}},
		{stages.Invert{P: 0.5}, 0, nil},
	} {
		w := stages.When{Stage: c.stage, Strength: stages.Strength{By: stages.ByRepeat, From: 1, To: 1, Of: stages.OfP}}
		if err := w.Check(); err != nil {
			t.Fatal(err)
		}
		if have := w.AtStrength(c.s); !reflect.DeepEqual(have, c.want) {
			t.Errorf("%+v times %v is %+v, want %+v", c.stage, c.s, have, c.want)
		}
	}
}
