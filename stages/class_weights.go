package stages

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// ClassWeights multiplies the weight of each row by a factor of its class, for a loss
// that is the weighted mean over the batch. A row of unknown class keeps its weight
// (factor 1). Of the samples that filters leave, before any rebalancing, n_c are of
// class c, N is their number and C the number of classes that have any:
//
//	inverse           N / (C n_c), as scikit-learn's class_weight="balanced"
//	square_root       N / (sqrt(n_c) R), R being the sum of sqrt(n_k) over the classes
//	effective_number  (1-Beta) / (1-Beta^n_c), scaled to add up to C (Cui et al. 2019)
//	a list            one number per class, in class order, scaled to add up to 1:
//	                  the recipe's [1, 2, 3, 4] gives 0.1, 0.2, 0.3, 0.4
//	a map             the same by class name
type ClassWeights struct {
	Task    string  `sluice:"task" doc:"the task whose classes are weighted (default: the only one)"`
	Weights Weights `sluice:"weights" doc:"inverse, square_root, effective_number, a number per class in class order, or a map of them by name; such numbers are scaled to add up to 1 (inverse and square_root have a mean of 1 over the samples); rows without a label keep their weight"`
	Beta    float64 `sluice:"beta,positive" default:"0.9999" doc:"of effective_number, above 0 and below 1"`
}

// Weights is a rule or explicit numbers: one of its fields Rule, List (in class
// order) and Named (by class name) is set. A TRAINER.yaml declares class weights
// by the same type.
type Weights = longtail.Weights

// WeightRule computes weights from the classes' numbers of samples.
type WeightRule = longtail.WeightRule

// The rules.
const (
	InverseWeights         = longtail.InverseWeights
	SquareRootWeights      = longtail.SquareRootWeights
	EffectiveNumberWeights = longtail.EffectiveNumberWeights
)

// Name is the stage's name in pipeline files.
func (ClassWeights) Name() string { return "class_weights" }

// Version of the algorithm.
func (ClassWeights) Version() int { return 1 }

// WeightedTask is that of the option task.
func (c ClassWeights) WeightedTask() string { return c.Task }

// Check reports impossible options.
func (c ClassWeights) Check() error {
	var errs []error
	if err := c.Weights.Check(); err != nil {
		errs = append(errs, errorf("weights", "%v", err))
	}
	if c.Beta != 0 && c.Weights.Rule != EffectiveNumberWeights {
		errs = append(errs, errorf("beta", "only effective_number needs it"))
	}
	if math.IsNaN(c.Beta) || c.Beta < 0 || c.Beta >= 1 {
		errs = append(errs, errorf("beta", "%v is not above 0 and below 1: to weigh all classes alike leave the stage out; by 1/n_c, as near 1, take weights: inverse", c.Beta))
	}
	return errors.Join(errs...)
}

// Weigh computes the factors of the classes. A class without samples gets the
// factor 0 from the rules; no row has it.
func (c ClassWeights) Weigh(index schema.Index) (func(labels []int32) float32, error) {
	task, err := findTask("task", c.Task, index)
	if err != nil {
		return nil, err
	}
	counts := schema.Counts(index, task)
	weights, err := c.resolve(index.Tasks()[task], counts[:len(counts)-1])
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

// resolve is the weight of each class; every error names the option.
func (c ClassWeights) resolve(task schema.Task, counts []int64) ([]float64, error) {
	weights, err := c.Weights.Resolve(task.Name, task.Classes, counts, c.Beta)
	return weights, errlist.Within("weights", err)
}

// Warn warns of factors that are all the same, and of classes without samples.
func (c ClassWeights) Warn(in Selection, index schema.Index) []string {
	task, err := findTask("task", c.Task, index)
	if err != nil || len(in) == 0 {
		return nil // Weigh reports it
	}
	counts := classCounts(in, index, task)
	weights, err := c.resolve(index.Tasks()[task], counts[:len(counts)-1])
	if err != nil {
		return nil
	}
	var warnings []string
	if empty := emptyClasses(in, index, task); len(empty) > 0 {
		warnings = append(warnings, fmt.Sprintf("classes of task %s without samples: %s", index.Tasks()[task].Name, phrase.List(empty)))
	}
	var used []float64 // of the classes that have samples
	for class, w := range weights {
		if counts[class] > 0 {
			used = append(used, w)
		}
	}
	if len(used) > 0 && slices.Min(used) == slices.Max(used) {
		warnings = append(warnings, fmt.Sprintf("all classes of task %s get the same factor %.4g: it changes only the scale", index.Tasks()[task].Name, used[0]))
	}
	return warnings
}
