package trainer

import (
	"math"
	"testing"
)

var inf = math.Inf(1)

func TestSoftmaxLoss(t *testing.T) {
	ln := math.Log
	for _, c := range []struct {
		name    string
		logits  []float32
		labels  []int32
		weights []float32
		offsets []float64
		want    float64
	}{
		{"even", []float32{0, 0, 5, 5}, []int32{0, 1}, []float32{1, 1}, nil, ln(2)},
		{"one row", []float32{1, 0}, []int32{0}, []float32{3}, nil, ln(1 + math.Exp(-1))},
		{"weighted", []float32{1, 0, 1, 0}, []int32{0, 1}, []float32{3, 1}, nil, (3*ln(1+math.Exp(-1)) + ln(1+math.E)) / 4},
		{"large", []float32{1e30, -1e30}, []int32{0}, []float32{1}, nil, 0},
		{"large and wrong", []float32{1000, 0}, []int32{1}, []float32{1}, nil, 1000},
		{"masked", []float32{1, 0, float32(math.NaN()), 0}, []int32{0, -1}, []float32{1, 0}, nil, ln(1 + math.Exp(-1))},
		{"balanced", []float32{0, 0}, []int32{1}, []float32{1}, []float64{ln(30), ln(10)}, ln(4)},
		{"balanced, empty class", []float32{0, 9}, []int32{0}, []float32{1}, []float64{ln(30), -inf}, 0},
		{"label of an empty class", []float32{0, 9}, []int32{1}, []float32{1}, []float64{ln(30), -inf}, inf},
		{"nothing", []float32{0, 9}, []int32{-1}, []float32{0}, nil, math.NaN()},
		{"no rows", nil, nil, nil, nil, math.NaN()},
	} {
		target := Target{Labels: c.labels, Weights: c.weights}
		for _, w := range c.weights {
			target.Sum += float64(w)
		}
		have := SoftmaxLoss(c.logits, target, c.offsets, 1, nil)
		if math.IsNaN(have) != math.IsNaN(c.want) || math.Abs(have-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, have, c.want)
		}
	}
}

// TestSoftmaxLossGradient compares with differences of the loss.
func TestSoftmaxLossGradient(t *testing.T) {
	logits := []float32{0.5, -1, 2, 0.25, 0, 1, 3, 1, -2, 1, 1, 1}
	target := Target{Labels: []int32{2, 0, -1, 1}, Weights: []float32{1, 0.5, 0, 2}, Sum: 3.5}
	offsets := []float64{math.Log(90), math.Log(9), math.Log(1)}
	gradient := make([]float32, len(logits))
	for i := range gradient {
		gradient[i] = 77
	}
	SoftmaxLoss(logits, target, offsets, 0.5, gradient)
	const step = 1.0 / 64
	for i, have := range gradient {
		at := func(d float32) float64 {
			moved := append([]float32{}, logits...)
			moved[i] += d
			return SoftmaxLoss(moved, target, offsets, 0.5, nil)
		}
		want := 0.5 * (8*(at(step)-at(-step)) - (at(2*step) - at(-2*step))) / (12 * step)
		if math.Abs(float64(have)-want) > 1e-7 {
			t.Errorf("element %d: %v, want %v", i, have, want)
		}
	}
}
