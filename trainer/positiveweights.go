package trainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// PositiveWeights declares how much more a class's presence weighs than its absence in the
// loss of a task of several labels, PyTorch's pos_weight: balanced, or numbers by class; of
// classes that aren't named it is 1. balanced is, for each class, the number of samples
// without it over that of samples with it; 1 for a class that all or none of the samples
// have. The zero value declares none: all 1.
type PositiveWeights struct {
	Balanced bool
	Named    map[string]float64
}

const balancedRule = "balanced"

// SetOption reads the file form: balanced, or a map of numbers by class.
func (w *PositiveWeights) SetOption(v any) error {
	var out PositiveWeights
	switch v := v.(type) {
	case string:
		if v != balancedRule {
			return fmt.Errorf("%q is not balanced; give that, or a map of numbers by class", v)
		}
		out.Balanced = true
	case map[string]any:
		out.Named = make(map[string]float64, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			switch n := v[name].(type) {
			case int64:
				out.Named[name] = float64(n)
			case float64:
				out.Named[name] = n
			default:
				return fmt.Errorf("class %q: want a number, have %s", name, options.Have(v[name]))
			}
		}
	default:
		return fmt.Errorf("want balanced, or a map of numbers by class, have %s", options.Have(v))
	}
	*w = out
	return nil
}

// OptionSchema describes the file form.
func (PositiveWeights) OptionSchema() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "string", "enum": []any{balancedRule}},
		map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "number", "exclusiveMinimum": 0}, "minProperties": 1},
	}}
}

// MarshalJSON writes the file form; null where nothing is declared.
func (w PositiveWeights) MarshalJSON() ([]byte, error) {
	switch {
	case w.Balanced:
		return json.Marshal(balancedRule)
	case w.Named != nil:
		return json.Marshal(w.Named)
	}
	return []byte("null"), nil
}

// IsZero reports whether nothing is declared.
func (w PositiveWeights) IsZero() bool { return !w.Balanced && w.Named == nil }

// Check reports what is wrong whatever the data.
func (w PositiveWeights) Check() error {
	if w.Balanced && w.Named != nil {
		return errors.New("give balanced or a map of numbers by class, not both")
	}
	for _, name := range slices.Sorted(maps.Keys(w.Named)) {
		if !positive(w.Named[name]) {
			return fmt.Errorf("class %q: %v is not above 0", name, w.Named[name])
		}
	}
	return nil
}

// Resolve is the weight of each class of a task, in class order; nil where nothing is
// declared. count, which may be nil, is of the samples that are trained on.
func (w PositiveWeights) Resolve(task schema.Task, count *schema.MultiCount) ([]float64, error) {
	if err := w.Check(); err != nil || w.IsZero() {
		return nil, err
	}
	out := make([]float64, len(task.Classes))
	for c := range out {
		out[c] = 1
	}
	if !w.Balanced {
		var errs []error
		for _, name := range slices.Sorted(maps.Keys(w.Named)) {
			c := slices.Index(task.Classes, name)
			if c < 0 {
				errs = append(errs, fmt.Errorf("unknown class %q of task %s%s (classes: %s)", name, task.Name,
					options.DidYouMean(options.Nearest(name, task.Classes)), phrase.List(task.Classes)))
				continue
			}
			out[c] = w.Named[name]
		}
		return out, errors.Join(errs...)
	}
	if count == nil || count.Known == 0 {
		return nil, fmt.Errorf("balanced: no sample has known labels of task %s to count", task.Name)
	}
	for c, n := range count.Classes {
		if n > 0 && n < count.Known {
			out[c] = float64(count.Known-n) / float64(n)
		}
	}
	return out, nil
}
