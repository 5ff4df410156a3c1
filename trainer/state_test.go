package trainer

import (
	"math"
	"strings"
	"testing"
)

// smallAdam is of two weights, and has made some steps.
func smallAdam(steps int) *Adam {
	adam := NewAdam(Optimizer{}, []Tensor{{"v", []int{2}, []float32{1, 2}}, {"w", []int{1}, []float32{3}}})
	for range steps {
		adam.Step(0.1, [][]float32{{1, -1}, {2}}, 1)
	}
	return adam
}

func TestCopyState(t *testing.T) {
	for prefix, bad := range map[string][]float32{
		stepPrefix:   {-1, 0.5, 1 << 25, float32(math.NaN())},
		meanPrefix:   {float32(math.NaN()), float32(math.Inf(1))},
		squarePrefix: {-1e-9, float32(math.NaN())},
	} {
		for _, v := range bad {
			state, adam := smallAdam(2).State(), smallAdam(3)
			for _, tensor := range state {
				if tensor.Name == prefix+"w" {
					tensor.Data[0] = v
				}
			}
			if err := CopyState(adam.State(), state); err == nil || !strings.Contains(err.Error(), prefix+"w") {
				t.Errorf("%s%v: %v", prefix, v, err)
			}
			if err := CheckState(state); err == nil || !strings.Contains(err.Error(), prefix+"w") {
				t.Errorf("CheckState, %s%v: %v", prefix, v, err)
			}
			if have := adam.step[0].Data[0]; have != 3 {
				t.Errorf("after an error there were %v steps", have)
			}
		}
	}
	err := CopyState(smallAdam(0).State(), []Tensor{{"x", nil, nil}, {"y", nil, nil}})
	if list, ok := err.(interface{ Unwrap() []error }); !ok || len(list.Unwrap()) != 8 {
		t.Errorf("want six missing and two unknown: %v", err)
	}
	if err := CheckState(smallAdam(2).State()); err != nil {
		t.Error(err)
	}
}

// TestOneStepForAll: a state of before weights counted steps of their own.
func TestOneStepForAll(t *testing.T) {
	var old []Tensor
	for _, tensor := range smallAdam(5).State() {
		if !strings.HasPrefix(tensor.Name, stepPrefix) {
			old = append(old, tensor)
		}
	}
	old = append(old, Tensor{stepName, []int{1}, []float32{5}})
	adam := smallAdam(1)
	if err := CopyState(adam.State(), old); err != nil {
		t.Fatal(err)
	}
	if adam.step[0].Data[0] != 5 || adam.step[1].Data[0] != 5 {
		t.Errorf("steps %v and %v, want 5 for each", adam.step[0].Data, adam.step[1].Data)
	}
	both := append(smallAdam(1).State(), Tensor{stepName, []int{1}, []float32{5}})
	if err := CopyState(adam.State(), both); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a state with both counts: %v", err)
	}
	old[len(old)-1].Data[0] = -5
	if err := CopyState(adam.State(), old); err == nil || !strings.Contains(err.Error(), "not a count") {
		t.Errorf("-5 steps for all: %v", err)
	}
}
