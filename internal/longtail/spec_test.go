package longtail

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestWeightsFromFile(t *testing.T) {
	classes, counts := []string{"a", "b"}, []int64{30, 10}
	for _, c := range []struct {
		value any
		json  string
		want  []float64
	}{
		{"inverse", `"inverse"`, []float64{40.0 / 60, 40.0 / 20}},
		{"effective_number", `"effective_number"`, EffectiveNumber(counts, 0.9999)},
		{[]any{int64(1), 3.0}, `[1,3]`, []float64{0.25, 0.75}},
		{map[string]any{"b": int64(1), "a": int64(4)}, `{"a":4,"b":1}`, []float64{0.8, 0.2}},
	} {
		var w Weights
		if err := w.SetOption(c.value); err != nil {
			t.Fatal(err)
		}
		have, err := w.Resolve("shape", classes, counts, 0)
		if err != nil || !slices.EqualFunc(have, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
			t.Errorf("%v: %v, %v, want %v", c.value, have, err, c.want)
		}
		if text, err := json.Marshal(w); err != nil || string(text) != c.json {
			t.Errorf("%v: %s, %v, want %s", c.value, text, err, c.json)
		}
	}
	if text, err := json.Marshal(Weights{}); err != nil || string(text) != "null" {
		t.Errorf("nothing declared: %s, %v", text, err)
	}
}

func TestWeightsRefuses(t *testing.T) {
	for _, bad := range []any{"invers", []any{"1"}, map[string]any{"a": true}, 3.0, nil} {
		if err := new(Weights).SetOption(bad); err == nil {
			t.Errorf("%v was read", bad)
		}
	}
	classes := []string{"alpha", "beta"}
	for _, c := range []struct {
		w      Weights
		counts []int64
		want   string
	}{
		{Weights{}, nil, "missing"},
		{Weights{Rule: InverseWeights, List: []float64{1, 2}}, nil, "one of"},
		{Weights{Rule: "root"}, nil, "none of"},
		{Weights{List: []float64{1, math.NaN()}}, nil, "not a weight"},
		{Weights{List: []float64{0, 0}}, nil, "sum is 0"},
		{Weights{List: []float64{1, 2, 3}}, nil, "3 weights for the 2 classes of task shape: alpha, beta"},
		{Weights{Named: map[string]float64{"alpha": 1}}, nil, "none for beta"},
		{Weights{Named: map[string]float64{"alpha": 1, "beta": 1, "betta": 1}}, nil, `did you mean "beta"?`},
		{Weights{Rule: InverseWeights}, []int64{0, 0}, "no sample"},
	} {
		if _, err := c.w.Resolve("shape", classes, c.counts, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.w, err, c.want)
		}
	}
}
