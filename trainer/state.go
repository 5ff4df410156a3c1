package trainer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// CopyState copies the data of src into the tensors of dst that have the same
// names. A missing, unknown, repeated or misshapen tensor is an error that names
// it, as is a count that isn't a whole number; all of them are reported, and
// then nothing is copied. A trainer whose State shares its memory loads with it:
//
//	func (t *T) Load(state []trainer.Tensor) error { return trainer.CopyState(t.State(), state) }
func CopyState(dst, src []Tensor) error {
	given := make(map[string]Tensor, len(src))
	var errs []error
	for _, t := range src {
		if _, twice := given[t.Name]; twice {
			errs = append(errs, fmt.Errorf("trainer: load: tensor %q is there twice", t.Name))
		}
		given[t.Name] = t
	}
	for _, want := range dst {
		have, ok := given[want.Name]
		delete(given, want.Name)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("trainer: load: tensor %q is missing", want.Name))
		case !slices.Equal(have.Shape, want.Shape) || len(have.Data) != len(want.Data):
			errs = append(errs, fmt.Errorf("trainer: load: tensor %q has shape %v and %d numbers, want %v and %d: is it of another model, image size or number of classes?",
				want.Name, have.Shape, len(have.Data), want.Shape, len(want.Data)))
		case want.Name == EpochsName || want.Name == stepName:
			if n := have.Data[0]; !(n >= 0 && n <= mostSteps) || n != float32(int(n)) {
				errs = append(errs, fmt.Errorf("trainer: load: tensor %q is %v, not a count", want.Name, n))
			}
		}
	}
	for _, t := range src {
		if _, unknown := given[t.Name]; unknown {
			errs = append(errs, fmt.Errorf("trainer: load: tensor %q is unknown", t.Name))
			delete(given, t.Name)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	byName := make(map[string]Tensor, len(src))
	for _, t := range src {
		byName[t.Name] = t
	}
	for _, want := range dst {
		copy(want.Data, byName[want.Name].Data)
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
