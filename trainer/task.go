package trainer

import (
	"errors"
	"fmt"

	"golang.org/x/text/unicode/norm"

	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// WeightSpec declares class weights, as the stage class_weights does: inverse,
// effective_number, a list in class order or a map by class name. The formulas
// are those of LONGTAIL: N/(C n_c); (1-b)/(1-b^n_c) with b = 0.9999, scaled to
// the sum C; explicit numbers scaled to the sum 1. The zero value declares none.
type WeightSpec = longtail.Weights

// TaskSpec is a task as a TRAINER.yaml declares it, before its classes are known.
type TaskSpec struct {
	Loss         Loss       `sluice:"loss" default:"cross_entropy" doc:"cross_entropy or balanced_softmax"`
	ClassWeights WeightSpec `sluice:"class_weights" doc:"inverse, effective_number, a number per class in class order, or a map of them by name; numbers are scaled to the sum 1"`
	Weight       float64    `sluice:"weight,positive" default:"1" doc:"factor of the task's loss in the sum"`
}

// Resolve sizes a task by the data that it is trained on. run describes the
// training pipeline.
func (s TaskSpec) Resolve(name string, run *schema.Run) (TaskConfig, error) {
	for i, task := range run.Tasks {
		if task.Name != name {
			continue
		}
		out := TaskConfig{Task: name, Loss: s.Loss, Weight: s.Weight, Classes: task.Classes}
		if i < len(run.Counts) {
			out.Counts = run.Counts[i][:len(task.Classes)] // the last counts unknown labels
		}
		if s.ClassWeights.IsZero() {
			return out, nil
		}
		var err error
		if out.ClassWeights, err = s.ClassWeights.Resolve(name, out.Classes, out.Counts, 0); err != nil {
			return TaskConfig{}, placed("tasks."+name+".class_weights", err)
		}
		return out, nil
	}
	var names []string
	for _, t := range run.Tasks {
		names = append(names, t.Name)
	}
	return TaskConfig{}, fmt.Errorf("tasks: %q is not in the data%s (tasks: %s)", name, options.DidYouMean(options.Nearest(name, names)), listed(names))
}

// placed puts an option's place before each of the errors joined in one.
func placed(place string, err error) error {
	list, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%s: %w", place, err)
	}
	var out []error
	for _, e := range list.Unwrap() {
		out = append(out, placed(place, e))
	}
	return errors.Join(out...)
}

// MatchClasses tells which class of the training set each class of another data
// set is, by name. A class that the training set hasn't got is an error.
func MatchClasses(training, other schema.Task) ([]int32, error) {
	number := make(map[string]int32, len(training.Classes))
	for i, name := range training.Classes {
		number[name] = int32(i)
	}
	out := make([]int32, len(other.Classes))
	var unknown []string
	for i, name := range other.Classes {
		n, ok := number[name]
		if !ok {
			unknown = append(unknown, name+alike(name, training.Classes))
		}
		out[i] = n
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("trainer: task %s: the training set has no class %s (its classes: %s): leave their images out, or train on some", training.Name, listed(unknown), listed(training.Classes))
	}
	return out, nil
}

// alike says of a name how it looks the same as a class and isn't.
func alike(name string, classes []string) string {
	for _, class := range classes {
		if norm.NFC.String(class) == norm.NFC.String(name) {
			return fmt.Sprintf(" (%+q, and %+q is one: it differs in Unicode normal form only)", name, class)
		}
	}
	return ""
}

// Translate gives labels the numbers of MatchClasses; Unknown stays Unknown.
func Translate(labels, classes []int32) []int32 {
	out := make([]int32, len(labels))
	for i, label := range labels {
		out[i] = schema.Unknown
		if label != schema.Unknown {
			out[i] = classes[label]
		}
	}
	return out
}
