package trainer

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluicedata/sluice/schema"
)

var abc = schema.Task{Name: "shape", Classes: []string{"a", "b", "c", "d"}}

// confusion has 4 rows of a, 2 of b, none of c, 1 of d; d is never predicted.
func confusion(t *testing.T) *Confusion {
	c := NewConfusion(abc)
	add := func(truth int32, predicted ...int) {
		for _, p := range predicted {
			z := []float32{0, 0, 0, 0}
			z[p] = 1
			if err := c.Add(z, []int32{truth}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(0, 0, 0, 0, 1)
	add(1, 1, 2)
	add(3, 0)
	add(schema.Unknown, 2)
	return c
}

func TestMetrics(t *testing.T) {
	nan := math.NaN()
	c := confusion(t)
	if d := cmp.Diff([][]int64{{3, 1, 0, 0}, {0, 1, 1, 0}, {0, 0, 0, 0}, {1, 0, 0, 0}}, c.Counts); d != "" {
		t.Error(d)
	}
	for name, v := range map[string][2]float64{
		"accuracy":          {c.Accuracy(), 4.0 / 7},
		"balanced accuracy": {c.BalancedAccuracy(), (0.75 + 0.5 + 0) / 3},
		"recall of c":       {c.MeanRecall(func(class int) bool { return class == 2 }), nan},
	} {
		if v[0] != v[1] && !(math.IsNaN(v[0]) && math.IsNaN(v[1])) {
			t.Errorf("%s: %v, want %v", name, v[0], v[1])
		}
	}
	if d := cmp.Diff([]float64{0.75, 0.5, nan, 0}, c.Recall(), cmpopts.EquateNaNs()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]float64{0.75, 0.5, 0, nan}, c.Precision(), cmpopts.EquateNaNs()); d != "" {
		t.Error(d)
	}
	empty := NewConfusion(abc)
	if !math.IsNaN(empty.Accuracy()) || !math.IsNaN(empty.BalancedAccuracy()) {
		t.Error("without rows accuracies are not NaN")
	}
}

func TestMetricsJSON(t *testing.T) {
	m := Metrics{"shape": confusion(t).Metrics([]int64{101, 100, 20, 19}), "empty": NewConfusion(schema.Task{Classes: []string{"x", "y"}}).Metrics(nil)}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"empty":{"recall":{},"precision":{},"f1":{},"average_precision":{},"count":{"x":0,"y":0}},` +
		`"shape":{"balanced_accuracy":0.4166666666666667,"accuracy":0.5714285714285714,"recall":{"a":0.75,"b":0.5,"d":0},` +
		`"precision":{"a":0.75,"b":0.5,"c":0},"f1":{"a":0.75,"b":0.5,"c":0,"d":0},` +
		`"average_precision":{"a":0.7053571428571428,"b":0.39285714285714285,"d":0.14285714285714285},` +
		`"count":{"a":4,"b":2,"c":0,"d":1},"train_count":{"a":101,"b":100,"c":20,"d":19},"many":0.75,"medium":0.5,"few":0,"rarest":0,` +
		`"mean_precision":0.4166666666666667,"mean_recall":0.4166666666666667,"mean_f1":0.4166666666666667,` +
		`"mean_average_precision":0.4136904761904761,"rarest_average_precision":0.14285714285714285}}`
	if string(text) != want {
		t.Errorf("\n%s\nwant\n%s", text, want)
	}
	var back Metrics
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, back, cmp.Comparer(func(a, b Share) bool { return a == b || a.IsZero() && b.IsZero() })); d != "" {
		t.Errorf("read again: %s", d)
	}
}

// TestGroups: of the bounds, 20 and 100 samples are medium.
func TestGroups(t *testing.T) {
	task := schema.Task{Name: "shape", Classes: []string{"101", "100", "21", "20", "19", "0"}}
	c := NewConfusion(task)
	for class, right := range []int64{16, 8, 4, 2, 1, 0} { // of 32
		c.Counts[class][class] += right
		c.Counts[class][(class+1)%6] += 32 - right
	}
	m := c.Metrics([]int64{101, 100, 21, 20, 19, 0})
	if m.Many != 16.0/32 || m.Medium != Share(8+4+2)/3/32 || m.Few != 0.5/32 {
		t.Errorf("many %v, medium %v, few %v", m.Many, m.Medium, m.Few)
	}
}

func TestAdd(t *testing.T) {
	c := NewConfusion(abc)
	z := []float32{1, 1, 0, 0, float32(math.Inf(-1)), -2, -1, -3}
	if err := c.Add(z, []int32{0, 2}, []float32{1, 0}); err != nil {
		t.Fatal(err)
	}
	if c.Counts[0][0] != 1 || c.Counts[2][2] != 0 {
		t.Errorf("of equal logits the first, and no row of weight 0: %v", c.Counts)
	}
	nan := float32(math.NaN())
	for name, err := range map[string]error{
		"length":  c.Add(z, []int32{0}, nil),
		"weights": c.Add(z, []int32{0, 1}, []float32{1}),
		"label":   c.Add(z, []int32{0, 4}, nil),
		"NaN":     c.Add([]float32{0, 0, nan, 0}, []int32{0}, nil),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRarest(t *testing.T) {
	for _, c := range []struct {
		counts []int64
		want   []int
	}{
		{[]int64{5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50}, []int{7, 8, 9}},
		{[]int64{1, 2}, []int{0}},
		{[]int64{7}, []int{0}},
		{[]int64{5, 5, 5, 5, 5}, []int{3, 4}},
		{[]int64{0, 9, 1 << 40}, []int{0}},
		{nil, nil},
	} {
		var have []int
		for class, is := range Rarest(c.counts) {
			if is {
				have = append(have, class)
			}
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("%v: %v, want %v", c.counts, have, c.want)
		}
	}
}
