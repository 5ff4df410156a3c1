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
		for _, t := range run.Tasks {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return c, errors.New("trainer: the data has no labels, so there is nothing to learn: put the images into folders of their classes, or use a manifest")
	}
	rank := func(name string) int {
		return slices.IndexFunc(run.Tasks, func(t schema.Task) bool { return t.Name == name })
	}
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
	Loss         Loss       `sluice:"loss" default:"cross_entropy" doc:"cross_entropy or balanced_softmax"`
	ClassWeights WeightSpec `sluice:"class_weights" doc:"inverse, effective_number, a number per class in class order, or a map of them by name; numbers are scaled to the sum 1"`
	Weight       float64    `sluice:"weight,positive" default:"1" doc:"factor of the task's loss in the sum"`
}

// Resolve sizes a task for the data that it is trained on. run describes the
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
			return TaskConfig{}, errlist.Within("tasks."+name+".class_weights", err)
		}
		return out, nil
	}
	var names []string
	for _, t := range run.Tasks {
		names = append(names, t.Name)
	}
	return TaskConfig{}, fmt.Errorf("tasks: %q is not in the data%s (tasks: %s)", name, options.DidYouMean(options.Nearest(name, names)), phrase.List(names))
}
