package stages_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestClassWeights(t *testing.T) {
	for _, w := range []stages.Weights{
		{Rule: stages.InverseWeights},
		{Rule: stages.EffectiveNumberWeights},
		{List: []float64{1, 2, 3, 4}},
		{Named: map[string]float64{"circle": 1, "hexagon": 0, "square": 3, "star": 9}},
	} {
		stagetest.Weigher(t, stages.ClassWeights{Task: "shape", Weights: w})
	}
	stagetest.Weigher(t, stages.ClassWeights{Task: "type", Weights: stages.Weights{Rule: stages.EffectiveNumberWeights}, Beta: 0.9})
}

// TestClassWeightsFactors has 3 samples of ant, 1 of bee, 1 of cow, none of dog
// and 1 unknown.
func TestClassWeightsFactors(t *testing.T) {
	e3 := 1 / (1 + 0.9 + 0.81)
	for what, c := range map[string]struct {
		stage stages.ClassWeights
		want  []float64
	}{
		"inverse":          {stages.ClassWeights{Weights: stages.Weights{Rule: stages.InverseWeights}}, []float64{5.0 / 9, 5.0 / 3, 5.0 / 3, 0}},
		"effective_number": {stages.ClassWeights{Weights: stages.Weights{Rule: stages.EffectiveNumberWeights}, Beta: 0.9}, []float64{3 * e3 / (e3 + 2), 3 / (e3 + 2), 3 / (e3 + 2), 0}},
		"square_root":      {stages.ClassWeights{Weights: stages.Weights{Rule: stages.SquareRootWeights}}, []float64{5 / (math.Sqrt(3) * (math.Sqrt(3) + 2)), 5 / (math.Sqrt(3) + 2), 5 / (math.Sqrt(3) + 2), 0}},
		"the recipe's":     {stages.ClassWeights{Weights: stages.Weights{List: []float64{1, 2, 3, 4}}}, []float64{0.1, 0.2, 0.3, 0.4}},
		"named":            {stages.ClassWeights{Weights: stages.Weights{Named: map[string]float64{"dog": 4, "cow": 3, "bee": 2, "ant": 1}}}, []float64{0.1, 0.2, 0.3, 0.4}},
	} {
		weigh, err := c.stage.Weigh(fewSamples())
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for class, want := range c.want {
			if got := weigh([]int32{int32(class)}); math.Abs(float64(got)-want) > 1e-7 {
				t.Errorf("%s: class %d has the factor %v, want %v", what, class, got, want)
			}
		}
		if got := weigh([]int32{schema.Unknown}); got != 1 {
			t.Errorf("%s: an unknown label has the factor %v, want 1", what, got)
		}
	}
}

func TestClassWeightsErrors(t *testing.T) {
	rule := stages.Weights{Rule: stages.InverseWeights}
	for what, c := range map[string]struct {
		stage stages.ClassWeights
		want  string
	}{
		"zero":     {stages.ClassWeights{}, "weights: missing: give inverse, square_root, effective_number, a list of numbers, or a map of numbers by class"},
		"two":      {stages.ClassWeights{Weights: stages.Weights{Rule: "inverse", List: []float64{1}}}, "weights: give one of a rule, a list and a map"},
		"rule":     {stages.ClassWeights{Weights: stages.Weights{Rule: "invers"}}, `weights: "invers" is none of inverse, square_root, effective_number`},
		"negative": {stages.ClassWeights{Weights: stages.Weights{List: []float64{1, -2}}}, "weights: -2 is not a weight: give numbers >= 0"},
		"NaN":      {stages.ClassWeights{Weights: stages.Weights{Named: map[string]float64{"a": math.NaN()}}}, "weights: NaN is not a weight: give numbers >= 0"},
		"sum":      {stages.ClassWeights{Weights: stages.Weights{List: []float64{}}}, "weights: their sum is 0: they cannot be scaled to 1"},
		"beta":     {stages.ClassWeights{Weights: rule, Beta: 0.5}, "beta: only effective_number needs it"},
		"beta 1":   {stages.ClassWeights{Weights: stages.Weights{Rule: stages.EffectiveNumberWeights}, Beta: 1}, "beta: 1 is not above 0 and below 1: to weigh all classes alike leave the stage out; by 1/n_c, as near 1, take weights: inverse"},
	} {
		wantError(t, what, c.stage.Check(), c.want)
	}
	none := fewSamples()
	none.Labels[0] = []int32{-1, -1, -1, -1, -1, -1}
	for what, c := range map[string]struct {
		stage stages.ClassWeights
		index *schema.Table
		want  string
	}{
		"length": {stages.ClassWeights{Weights: stages.Weights{List: []float64{1, 2, 3}}}, fewSamples(), "weights: 3 weights for the 4 classes of task animal: ant, bee, cow, dog"},
		"names": {stages.ClassWeights{Weights: stages.Weights{Named: map[string]float64{"ant": 1, "be": 2}}}, fewSamples(),
			"weights: unknown class \"be\" of task animal: did you mean \"bee\"? (classes: ant, bee, cow, dog)\n" +
				"weights: 2 weights for the 4 classes of task animal: none for bee, cow, dog"},
		"several":   {stages.ClassWeights{Weights: rule}, stagetest.Samples(1, 1, 1), "task: missing: the samples have several, give one of shape, type"},
		"unlabeled": {stages.ClassWeights{Weights: rule}, none, "weights: no sample has a known class of task animal to count"},
	} {
		_, err := c.stage.Weigh(c.index)
		wantError(t, what, err, c.want)
	}
}

func TestWeightsOption(t *testing.T) {
	for _, c := range []struct {
		value any
		want  stages.Weights
		json  string
		err   string
	}{
		{"inverse", stages.Weights{Rule: stages.InverseWeights}, `"inverse"`, ""},
		{[]any{int64(1), 2.5}, stages.Weights{List: []float64{1, 2.5}}, `[1,2.5]`, ""},
		{map[string]any{"b": int64(1), "a": 0.5}, stages.Weights{Named: map[string]float64{"a": 0.5, "b": 1}}, `{"a":0.5,"b":1}`, ""},
		{"inverted", stages.Weights{}, `null`, `"inverted" is none of inverse, square_root, effective_number; give one of them, a list of numbers, or a map of numbers by class`},
		{[]any{"x"}, stages.Weights{}, `null`, `want numbers, have the text "x"`},
		{map[string]any{"a": true}, stages.Weights{}, `null`, `class "a": want a number, have true`},
		{int64(3), stages.Weights{}, `null`, "want inverse, square_root, effective_number, a list of numbers, or a map of numbers by class, have 3"},
	} {
		var w stages.Weights
		wantError(t, fmt.Sprint(c.value), w.SetOption(c.value), c.err)
		text, err := json.Marshal(w)
		if !reflect.DeepEqual(w, c.want) || err != nil || string(text) != c.json {
			t.Errorf("%v is read as %+v and written as %s, %v", c.value, w, text, err)
		}
	}
}

func TestClassWeightsWarns(t *testing.T) {
	warn := func(w stages.Weights, index *schema.Table) []string {
		return stages.ClassWeights{Weights: w}.Warn(everySample(index.Len()), index)
	}
	inverse := stages.Weights{Rule: stages.InverseWeights}
	wantWarnings(t, "tail", warn(inverse, fewSamples()), "classes of task animal without samples: dog")
	wantWarnings(t, "even", warn(inverse, longTail(3, 5, 5)), "all classes of task class get the same factor 1: it changes only the scale")
	wantWarnings(t, "list", warn(stages.Weights{List: []float64{2, 2}}, longTail(0, 9, 5)), "all classes of task class get the same factor 0.5: it changes only the scale")
}
