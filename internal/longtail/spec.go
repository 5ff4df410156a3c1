package longtail

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
)

// Weights is how a file declares class weights: a rule, or explicit numbers. At
// most one of the fields is set.
type Weights struct {
	Rule  WeightRule
	List  []float64          // in class order
	Named map[string]float64 // by class name
}

// WeightRule computes weights from the numbers of samples of the classes.
type WeightRule string

// The rules.
const (
	InverseWeights         WeightRule = "inverse"
	SquareRootWeights      WeightRule = "square_root"
	EffectiveNumberWeights WeightRule = "effective_number"
)

// DefaultBeta is effective_number's.
const DefaultBeta = 0.9999

// Values lists the rules.
func (WeightRule) Values() []string {
	return []string{string(InverseWeights), string(SquareRootWeights), string(EffectiveNumberWeights)}
}

// SetOption reads the name of a rule, a list or a map.
func (w *Weights) SetOption(v any) error {
	var out Weights
	switch v := v.(type) {
	case string:
		out.Rule = WeightRule(v)
		if !slices.Contains(out.Rule.Values(), v) {
			return fmt.Errorf("%q is none of %s; give one of them, a list of numbers, or a map of numbers by class", v, ruleNames())
		}
	case []any:
		out.List = make([]float64, len(v))
		for i, item := range v {
			f, ok := number(item)
			if !ok {
				return fmt.Errorf("want numbers, have %s", options.Have(item))
			}
			out.List[i] = f
		}
	case map[string]any:
		out.Named = make(map[string]float64, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			f, ok := number(v[name])
			if !ok {
				return fmt.Errorf("class %q: want a number, have %s", name, options.Have(v[name]))
			}
			out.Named[name] = f
		}
	default:
		return fmt.Errorf("want inverse, square_root, effective_number, a list of numbers, or a map of numbers by class, have %s", options.Have(v))
	}
	*w = out
	return nil
}

// OptionSchema describes the file form.
func (Weights) OptionSchema() map[string]any {
	weight := map[string]any{"type": "number", "minimum": 0}
	var rules []any
	for _, r := range WeightRule("").Values() {
		rules = append(rules, r)
	}
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "string", "enum": rules},
		map[string]any{"type": "array", "items": weight, "minItems": 1},
		map[string]any{"type": "object", "additionalProperties": weight, "minProperties": 1},
	}}
}

// MarshalJSON writes the file form; null where nothing is declared.
func (w Weights) MarshalJSON() ([]byte, error) {
	switch {
	case w.List != nil:
		return json.Marshal(w.List)
	case w.Named != nil:
		return json.Marshal(w.Named)
	case w.Rule == "":
		return []byte("null"), nil
	}
	return json.Marshal(w.Rule)
}

// IsZero reports whether nothing is declared.
func (w Weights) IsZero() bool { return w.Rule == "" && w.List == nil && w.Named == nil }

// Check reports what is wrong whatever the data. Nothing declared is an error, too;
// where that is allowed, ask IsZero first.
func (w Weights) Check() error {
	given := 0
	for _, is := range []bool{w.Rule != "", w.List != nil, w.Named != nil} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return fmt.Errorf("missing: give %s, a list of numbers, or a map of numbers by class", ruleNames())
	case given > 1:
		return errors.New("give one of a rule, a list and a map")
	case w.Rule != "":
		if !slices.Contains(w.Rule.Values(), string(w.Rule)) {
			return fmt.Errorf("%q is none of %s", string(w.Rule), ruleNames())
		}
		return nil
	}
	list := slices.Clone(w.List)
	for _, name := range slices.Sorted(maps.Keys(w.Named)) {
		list = append(list, w.Named[name])
	}
	return CheckWeights(list)
}

// CheckWeights reports numbers that cannot be weights, and a list whose sum is 0.
func CheckWeights(list []float64) error {
	sum := 0.0
	for _, f := range list {
		if math.IsNaN(f) || math.IsInf(f, 0) || f < 0 {
			return fmt.Errorf("%v is not a weight: give numbers >= 0", f)
		}
		sum += f
	}
	if sum == 0 || math.IsInf(sum, 0) {
		return fmt.Errorf("their sum is %v: they cannot be scaled to 1", sum)
	}
	return nil
}

// Resolve is the weight of each class of a task, in class order. counts are the samples
// of each class, which only the rules need; beta is that of effective_number, 0 for
// DefaultBeta. Explicit numbers are scaled to add up to 1. A map must name every class
// and no other.
func (w Weights) Resolve(task string, classes []string, counts []int64, beta float64) ([]float64, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	switch {
	case w.Named != nil:
		list, err := w.inClassOrder(task, classes)
		if err != nil {
			return nil, err
		}
		return Scaled(list, 1), nil
	case w.List != nil:
		if len(w.List) != len(classes) {
			return nil, fmt.Errorf("%d weights for the %d classes of task %s: %s", len(w.List), len(classes), task, phrase.List(classes))
		}
		return Scaled(w.List, 1), nil
	case !slices.ContainsFunc(counts, func(n int64) bool { return n > 0 }):
		return nil, fmt.Errorf("no sample has a known class of task %s to count", task)
	case w.Rule == InverseWeights:
		return InverseFrequency(counts), nil
	case w.Rule == SquareRootWeights:
		return InverseSquareRoot(counts), nil
	}
	if beta == 0 {
		beta = DefaultBeta
	}
	return EffectiveNumber(counts, beta), nil
}

func (w Weights) inClassOrder(task string, classes []string) ([]float64, error) {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(w.Named)) {
		if !slices.Contains(classes, name) {
			errs = append(errs, fmt.Errorf("unknown class %q of task %s%s (classes: %s)", name, task,
				options.DidYouMean(options.Nearest(name, classes)), phrase.List(classes)))
		}
	}
	list := make([]float64, len(classes))
	var missing []string
	for i, name := range classes {
		weight, ok := w.Named[name]
		if !ok {
			missing = append(missing, name)
		}
		list[i] = weight
	}
	if len(missing) > 0 {
		errs = append(errs, fmt.Errorf("%d weights for the %d classes of task %s: none for %s", len(w.Named), len(classes), task, phrase.List(missing)))
	}
	return list, errors.Join(errs...)
}

func ruleNames() string { return strings.Join(WeightRule("").Values(), ", ") }

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}
