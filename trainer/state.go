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

// The names of what a state holds apart from the weights.
const (
	OptimizerPrefix = "optimizer."
	EpochsName      = OptimizerPrefix + "epochs"      // ended epochs, one number
	stepName        = OptimizerPrefix + "step"        // of all weights, in states from before each had its own
	stepPrefix      = stepName + "."                  // then the weight's name, as in PyTorch
	meanPrefix      = OptimizerPrefix + "exp_avg."    // likewise
	squarePrefix    = OptimizerPrefix + "exp_avg_sq." // likewise
)

// mostSteps is where step counts stop: float32 holds all whole numbers up to it,
// and the corrections 1-beta^t reach 1 long before.
const mostSteps = 1 << 24

// CopyState copies the data of src into the tensors of dst with the same names. A
// tensor that is missing, unknown, repeated or of another shape is an error that
// names it, and so is a value that no training produces (see CheckState). All
// errors are reported, and after any nothing is copied. A state from before each
// weight had its own step count, with one count for all, is accepted. A trainer
// whose State shares its memory loads with it:
//
//	func (t *T) Load(state []trainer.Tensor) error { return trainer.CopyState(t.State(), state) }
func CopyState(dst, src []Tensor) error {
	src = stepOfEach(dst, src)
	given := make(map[string]Tensor, len(src))
	var errs []error
	for _, t := range src {
		if _, twice := given[t.Name]; twice {
			errs = append(errs, fmt.Errorf("trainer: load: tensor %q appears twice", t.Name))
		}
		given[t.Name] = t
	}
	unused := maps.Clone(given)
	for _, want := range dst {
		have, ok := given[want.Name]
		delete(unused, want.Name)
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
		if _, unknown := unused[t.Name]; unknown {
			errs = append(errs, fmt.Errorf("trainer: load: tensor %q is unknown", t.Name))
			delete(unused, t.Name)
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

// stepOfEach gives each weight the step count that an old state has for all.
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

// CheckState checks every value of a state: weights and means must be finite, mean
// squares not negative, steps and epochs whole numbers. The error names the first
// tensor that breaks the rule, and the place in it.
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

// Weights returns a state without the optimizer's part: what PyTorch's state_dict
// would hold.
func Weights(state []Tensor) []Tensor {
	var out []Tensor
	for _, t := range state {
		if !strings.HasPrefix(t.Name, OptimizerPrefix) {
			out = append(out, t)
		}
	}
	return out
}
