package trainer

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// Spec declares a trainer before its data are known; Config sizes it for them.
type Spec struct {
	Model      Model
	Tasks      map[string]TaskSpec // by name; empty: every task of the data
	Optimizer  Optimizer
	Schedule   Schedule
	Seed       uint64 // of the initial weights
	MicroBatch int    // see Config
	Workers    int    // see Config
}

// Config sizes the trainer for the data of a run: its tasks, their classes, and
// the number of samples of each class. Heads are in the order of the data's tasks.
// Everything that doesn't fit the data is reported at once; a mistake in one task
// is a *TaskError.
func (s Spec) Config(run *schema.Run) (Config, error) {
	c := Config{Model: s.Model, Optimizer: s.Optimizer, Schedule: s.Schedule, Seed: s.Seed, MicroBatch: s.MicroBatch, Workers: s.Workers}
	names := slices.Sorted(maps.Keys(s.Tasks))
	if len(names) == 0 {
		names = taskNames(run)
	}
	if err := CheckLabels(run); err != nil {
		return c, err
	}
	all := taskNames(run)
	rank := func(name string) int { return slices.Index(all, name) }
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	var errs []error
	for _, name := range names {
		task, err := s.Tasks[name].Resolve(name, run)
		for _, e := range errlist.Split(err) {
			errs = append(errs, &TaskError{name, e})
		}
		c.Tasks = append(c.Tasks, task)
	}
	if len(errs) > 0 {
		return c, errors.Join(errs...)
	}
	c = c.WithDefaults()
	return c, c.Check()
}

// CheckLabels returns an error where pictures have no labels, thus a trainer nothing to learn.
func CheckLabels(run *schema.Run) error {
	switch {
	case len(taskNames(run)) > 0:
		return nil
	case run.Targets.Objects() || run.Targets.HasMask():
		return errors.New("trainer: the data has boxes or masks and no labels of pictures, and sluice train learns classes of pictures only: train detection and segmentation in Python (sluicedata.Loader and sluicedata.collate)")
	}
	return errors.New("trainer: the data has no labels, so there is nothing to learn: put the images into folders of their classes, or use a manifest")
}

// TaskError is a mistake in the declaration of one task.
type TaskError struct {
	Task string
	Err  error
}

func (e *TaskError) Error() string { return e.Err.Error() }

// Unwrap is the mistake.
func (e *TaskError) Unwrap() error { return e.Err }

// WeightSpec declares class weights, as the stage class_weights does: inverse,
// effective_number, a list in class order or a map by class name. With n_c
// samples of class c, N in all, of C classes, inverse is N/(C n_c), and
// effective_number (1-b)/(1-b^n_c) with b = 0.9999, scaled to the sum C; numbers
// are scaled to the sum 1. The zero value declares none.
type WeightSpec = longtail.Weights

// TaskSpec declares one task, before its classes are known.
type TaskSpec struct {
	Loss         Loss       `sluice:"loss" default:"cross_entropy" doc:"cross_entropy or balanced_softmax; of a task of several labels binary_cross_entropy, which is its default"`
	ClassWeights WeightSpec `sluice:"class_weights" doc:"inverse, square_root, effective_number, a number per class in class order, or a map of them by name; numbers are scaled to the sum 1"`
	Weight       float64    `sluice:"weight,positive" default:"1" doc:"factor of the task's loss in the sum"`

	PositiveWeights PositiveWeights `sluice:"positive_weights" doc:"of a task of several labels: balanced, which is samples without the class over samples with it, or numbers by class; PyTorch's pos_weight"`
}

// Resolve sizes a task for the data that it is trained on. run describes the
// training pipeline.
func (s TaskSpec) Resolve(name string, run *schema.Run) (TaskConfig, error) {
	for i, task := range run.Tasks {
		if task.Name != name {
			continue
		}
		out := TaskConfig{Task: name, Loss: s.Loss, Weight: s.Weight, Classes: task.Classes}
		if !s.PositiveWeights.IsZero() {
			return TaskConfig{}, fmt.Errorf("tasks.%s.positive_weights: task %s has one label a sample: positive weights are of tasks of several labels; use class_weights", name, name)
		}
		if s.Loss == BinaryCrossEntropy {
			return TaskConfig{}, fmt.Errorf("tasks.%s.loss: task %s has one label a sample, so its loss is %s or %s; binary_cross_entropy is of tasks of several labels", name, name, CrossEntropy, BalancedSoftmax)
		}
		if i < len(run.Counts) {
			out.Counts = run.Counts[i][:len(task.Classes)] // the last counts unknown labels
		}
		if s.ClassWeights.IsZero() {
			return out, nil
		}
		var err error
		if out.ClassWeights, err = s.ClassWeights.Resolve(name, out.Classes, out.Counts, 0); err != nil {
			return TaskConfig{}, errlist.Within("tasks."+name+".class_weights", err)
		}
		return out, nil
	}
	if i := multiTask(run, name); i >= 0 {
		return s.resolveMulti(run, i)
	}
	if slices.ContainsFunc(run.Columns, func(c schema.Column) bool { return c.Name == schema.ColumnLabel+name }) {
		return TaskConfig{}, fmt.Errorf("tasks: %q is a number for each sample, not a class: train on it in PyTorch (sluice stream)", name)
	}
	names := taskNames(run)
	return TaskConfig{}, fmt.Errorf("tasks: %q is not in the data%s (tasks: %s)", name, options.DidYouMean(options.Nearest(name, names)), phrase.List(names))
}

// resolveMulti sizes a task of several labels, by its number in Targets.Multi.
func (s TaskSpec) resolveMulti(run *schema.Run, number int) (TaskConfig, error) {
	task := run.Targets.Multi[number]
	out := TaskConfig{Task: task.Name, Loss: BinaryCrossEntropy, Weight: s.Weight, Classes: task.Classes}
	if s.Loss != "" && s.Loss != BinaryCrossEntropy {
		return TaskConfig{}, fmt.Errorf("tasks.%s.loss: task %s has several labels a sample, so its loss is %s", task.Name, task.Name, BinaryCrossEntropy)
	}
	if !s.ClassWeights.IsZero() {
		return TaskConfig{}, fmt.Errorf("tasks.%s.class_weights: task %s has several labels a sample: use positive_weights", task.Name, task.Name)
	}
	var count *schema.MultiCount
	if number < len(run.Multi) {
		count, out.Counts = &run.Multi[number], run.Multi[number].Classes
	}
	var err error
	if out.PositiveWeights, err = s.PositiveWeights.Resolve(task, count); err != nil {
		return TaskConfig{}, errlist.Within("tasks."+task.Name+".positive_weights", err)
	}
	return out, nil
}

// taskNames are the tasks of one label, then those of several.
func taskNames(run *schema.Run) (names []string) {
	for _, t := range run.Tasks {
		names = append(names, t.Name)
	}
	if run.Targets != nil {
		for _, t := range run.Targets.Multi {
			names = append(names, t.Name)
		}
	}
	return names
}

// multiTask is the number of a task of several labels; -1: there is none.
func multiTask(run *schema.Run, name string) int {
	if run.Targets == nil {
		return -1
	}
	return slices.IndexFunc(run.Targets.Multi, func(t schema.Task) bool { return t.Name == name })
}
