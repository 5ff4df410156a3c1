package stages

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/schema"
)

// ClassWeights multiplies each row's weight column by a factor of its class, for
// a loss that is the weighted mean over the batch. A row of unknown class keeps
// its weight (factor 1). With n_c samples in class c, among those that reach the
// batches before any rebalancing, N their sum and C the classes that have any:
//
//	inverse           N / (C n_c), as scikit-learn's class_weight="balanced"
//	effective_number  (1-Beta) / (1-Beta^n_c), scaled to the sum C (Cui et al. 2019)
//	a list            one number per class, in class order, scaled to the sum 1:
//	                  the recipe's [1, 2, 3, 4] gives 0.1, 0.2, 0.3, 0.4
//	a map             the same by class name
type ClassWeights struct {
	Task    string  `sluice:"task" doc:"the task whose classes are weighted (default: the only one)"`
	Weights Weights `sluice:"weights" doc:"inverse, effective_number, a number per class in class order, or a map of them by name; such numbers are scaled to the sum 1 (inverse has the mean 1 over the samples); rows without a label keep their weight"`
	Beta    float64 `sluice:"beta,positive" default:"0.9999" doc:"of effective_number, above 0 and below 1"`
}

// Weights is a rule or explicit numbers: one of the fields is set.
type Weights struct {
	Rule  WeightRule
	List  []float64          // in class order
	Named map[string]float64 // by class name
}

// WeightRule computes weights from the classes' numbers of samples.
type WeightRule string

// The rules.
const (
	InverseWeights         WeightRule = "inverse"
	EffectiveNumberWeights WeightRule = "effective_number"
)

const defaultBeta = 0.9999

// Values lists the rules.
func (WeightRule) Values() []string {
	return []string{string(InverseWeights), string(EffectiveNumberWeights)}
}

// SetOption reads the name of a rule, a list or a map.
func (w *Weights) SetOption(v any) error {
	var out Weights
	switch v := v.(type) {
	case string:
		out.Rule = WeightRule(v)
		if !slices.Contains(out.Rule.Values(), v) {
			return fmt.Errorf("%q is none of %s; give one of them, a list of numbers, or a map of numbers by class", v, strings.Join(out.Rule.Values(), ", "))
		}
	case []any:
		out.List = make([]float64, len(v))
		for i, item := range v {
			f, ok := number(item)
			if !ok {
				return fmt.Errorf("want numbers, have %v", item)
			}
			out.List[i] = f
		}
	case map[string]any:
		out.Named = make(map[string]float64, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			f, ok := number(v[name])
			if !ok {
				return fmt.Errorf("class %q: want a number, have %v", name, v[name])
			}
			out.Named[name] = f
		}
	default:
		return fmt.Errorf("want inverse, effective_number, a list of numbers, or a map of numbers by class, have %v", v)
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

// MarshalJSON writes the file form.
func (w Weights) MarshalJSON() ([]byte, error) {
	switch {
	case w.List != nil:
		return json.Marshal(w.List)
	case w.Named != nil:
		return json.Marshal(w.Named)
	}
	return json.Marshal(w.Rule)
}

func (w Weights) check() error {
	given := 0
	for _, is := range []bool{w.Rule != "", w.List != nil, w.Named != nil} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return errorf("weights", "missing: give %s, a list of numbers, or a map of numbers by class", strings.Join(w.Rule.Values(), ", "))
	case given > 1:
		return errorf("weights", "give one of a rule, a list and a map")
	case w.Rule != "":
		return oneOf("weights", w.Rule)
	}
	list := slices.Clone(w.List)
	for _, name := range slices.Sorted(maps.Keys(w.Named)) {
		list = append(list, w.Named[name])
	}
	sum := 0.0
	for _, f := range list {
		if math.IsNaN(f) || math.IsInf(f, 0) || f < 0 {
			return errorf("weights", "%v is no weight: give numbers >= 0", f)
		}
		sum += f
	}
	if sum == 0 || math.IsInf(sum, 0) {
		return errorf("weights", "their sum is %v: they cannot be scaled to 1", sum)
	}
	return nil
}

// Name is the stage's name in pipeline files.
func (ClassWeights) Name() string { return "class_weights" }

// Version of the algorithm.
func (ClassWeights) Version() int { return 1 }

// Check reports impossible options.
func (c ClassWeights) Check() error {
	errs := []error{c.Weights.check()}
	if c.Beta != 0 && c.Weights.Rule != EffectiveNumberWeights {
		errs = append(errs, errorf("beta", "only effective_number needs it"))
	}
	if math.IsNaN(c.Beta) || c.Beta < 0 || c.Beta >= 1 {
		errs = append(errs, errorf("beta", "%v is not between 0 and 1", c.Beta))
	}
	return errors.Join(errs...)
}

// Weigh computes the factors of the classes. A class without samples gets the
// factor 0 by the rules: no row has it.
func (c ClassWeights) Weigh(index *schema.Index) (func(labels []int32) float32, error) {
	task, err := findTask("task", c.Task, index)
	if err != nil {
		return nil, err
	}
	counts := index.Counts(task)
	weights, err := c.weights(index.Tasks[task], counts[:len(counts)-1])
	if err != nil {
		return nil, err
	}
	factors := make([]float32, len(weights))
	for i, w := range weights {
		factors[i] = float32(w)
	}
	return func(labels []int32) float32 {
		if labels[task] == schema.Unknown {
			return 1
		}
		return factors[labels[task]]
	}, nil
}

func (c ClassWeights) weights(task schema.Task, counts []int64) ([]float64, error) {
	switch {
	case c.Weights.Named != nil:
		list, err := inClassOrder(c.Weights.Named, task)
		if err != nil {
			return nil, err
		}
		return longtail.Scaled(list, 1), nil
	case c.Weights.List != nil:
		if len(c.Weights.List) != len(task.Classes) {
			return nil, errorf("weights", "%d weights for the %d classes of task %s: %s", len(c.Weights.List), len(task.Classes), task.Name, listed(task.Classes))
		}
		return longtail.Scaled(c.Weights.List, 1), nil
	case !slices.ContainsFunc(counts, func(n int64) bool { return n > 0 }):
		return nil, errorf("weights", "no sample has a known class of task %s to count", task.Name)
	case c.Weights.Rule == InverseWeights:
		return longtail.InverseFrequency(counts), nil
	}
	beta := c.Beta
	if beta == 0 {
		beta = defaultBeta
	}
	return longtail.EffectiveNumber(counts, beta), nil
}

// inClassOrder makes a list of a map, which must name every class and no other.
func inClassOrder(named map[string]float64, task schema.Task) ([]float64, error) {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !slices.Contains(task.Classes, name) {
			errs = append(errs, unknownClass("weights", name, task))
		}
	}
	list := make([]float64, len(task.Classes))
	var missing []string
	for i, name := range task.Classes {
		w, ok := named[name]
		if !ok {
			missing = append(missing, name)
		}
		list[i] = w
	}
	if len(missing) > 0 {
		errs = append(errs, errorf("weights", "%d weights for the %d classes of task %s: none for %s", len(named), len(task.Classes), task.Name, listed(missing)))
	}
	return list, errors.Join(errs...)
}

// Warn tells of factors that are all the same, and of classes without samples.
func (c ClassWeights) Warn(in Selection, index *schema.Index) []string {
	task, err := findTask("task", c.Task, index)
	if err != nil || len(in) == 0 {
		return nil // Weigh reports it
	}
	counts := classCounts(in, index, task)
	weights, err := c.weights(index.Tasks[task], counts[:len(counts)-1])
	if err != nil {
		return nil
	}
	var warnings []string
	if empty := emptyClasses(in, index, task); len(empty) > 0 {
		warnings = append(warnings, fmt.Sprintf("classes of task %s without samples: %s", index.Tasks[task].Name, listed(empty)))
	}
	var used []float64 // of the classes that have samples
	for class, w := range weights {
		if counts[class] > 0 {
			used = append(used, w)
		}
	}
	if len(used) > 0 && slices.Min(used) == slices.Max(used) {
		warnings = append(warnings, fmt.Sprintf("all classes of task %s get the same factor %.4g: it changes nothing but the scale", index.Tasks[task].Name, used[0]))
	}
	return warnings
}
