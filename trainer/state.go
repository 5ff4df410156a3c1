package trainer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Tensor is a named array of float32, row-major.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// The names of what a state holds beside the weights.
const (
	OptimizerPrefix = "optimizer."
	EpochsName      = OptimizerPrefix + "epochs"      // ended epochs, one number
	stepName        = OptimizerPrefix + "step"        // of all weights, in states of before each had its own
	stepPrefix      = stepName + "."                  // then the weight's name, as in PyTorch
	meanPrefix      = OptimizerPrefix + "exp_avg."    // likewise
	squarePrefix    = OptimizerPrefix + "exp_avg_sq." // likewise
)

// mostSteps is where the steps stop being counted: float32 holds all whole
// numbers up to it, and the corrections 1-beta^t are 1 long before.
const mostSteps = 1 << 24

// CopyState copies the data of src into the tensors of dst that have the same
// names. A missing, unknown, repeated or misshapen tensor is an error that names
// it, as are numbers that no training leaves (see CheckState); all of them are
// reported, and then nothing is copied. A state of before weights counted steps of
// their own, which has one count for all, is read, too. A trainer whose State
// shares its memory loads with it:
//
//	func (t *T) Load(state []trainer.Tensor) error { return trainer.CopyState(t.State(), state) }
func CopyState(dst, src []Tensor) error {
	src = stepOfEach(dst, src)
	given := make(map[string]Tensor, len(src))
	var errs []error
	for _, t := range src {
		if _, twice := given[t.Name]; twice {
			errs = append(errs, fmt.Errorf("trainer: load: tensor %q is there twice", t.Name))
		}
		given[t.Name] = t
	}
	left := maps.Clone(given)
	for _, want := range dst {
		have, ok := given[want.Name]
		delete(left, want.Name)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("trainer: load: tensor %q is missing", want.Name))
		case !slices.Equal(have.Shape, want.Shape) || len(have.Data) != len(want.Data):
			errs = append(errs, fmt.Errorf("trainer: load: tensor %q has shape %v and %d numbers, want %v and %d: is it of another model, image size or number of classes?",
				want.Name, have.Shape, len(have.Data), want.Shape, len(want.Data)))
		default:
			if err := have.check(); err != nil {
				errs = append(errs, fmt.Errorf("trainer: load: %w", err))
			}
		}
	}
	for _, t := range src {
		if _, unknown := left[t.Name]; unknown {
			errs = append(errs, fmt.Errorf("trainer: load: tensor %q is unknown", t.Name))
			delete(left, t.Name)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, want := range dst {
		copy(want.Data, given[want.Name].Data)
	}
	return nil
}

// stepOfEach gives each weight the number of steps that a state has for all.
func stepOfEach(dst, src []Tensor) []Tensor {
	one := func(t Tensor) bool { return t.Name == stepName }
	all := slices.IndexFunc(src, one)
	if all < 0 || slices.ContainsFunc(dst, one) {
		return src
	}
	out := slices.Delete(slices.Clone(src), all, all+1)
	for _, want := range dst {
		if strings.HasPrefix(want.Name, stepPrefix) {
			out = append(out, Tensor{want.Name, src[all].Shape, src[all].Data})
		}
	}
	return out
}

// CheckState looks at every number of a state: weights and means are finite, mean
// squares not below 0, steps and epochs counts. The error names the first tensor
// that isn't so, and the place in it.
func CheckState(state []Tensor) error {
	for _, t := range state {
		if err := t.check(); err != nil {
			return fmt.Errorf("trainer: %w", err)
		}
	}
	return nil
}

func (t Tensor) check() error {
	count := t.Name == EpochsName || t.Name == stepName || strings.HasPrefix(t.Name, stepPrefix)
	square := strings.HasPrefix(t.Name, squarePrefix)
	for i, v := range t.Data {
		switch {
		case count && (!(v >= 0 && v <= mostSteps) || v != float32(int(v))):
			return fmt.Errorf("tensor %q is %v, not a count", t.Name, v)
		case v-v != 0:
			return fmt.Errorf("number %d of tensor %q is %v, not a finite number", i, t.Name, v)
		case square && v < 0:
			return fmt.Errorf("number %d of tensor %q is %v: a mean of squares is not below 0", i, t.Name, v)
		}
	}
	return nil
}

// Weights leaves out the optimizer's state: what remains is what PyTorch's
// state_dict would have.
func Weights(state []Tensor) []Tensor {
	var out []Tensor
	for _, t := range state {
		if !strings.HasPrefix(t.Name, OptimizerPrefix) {
			out = append(out, t)
		}
	}
	return out
}
