package learning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer"
)

// Evaluation is held-out data: a pipeline without random stages, rebalancing or
// scales, usually on the validation side of the training's split.
type Evaluation struct {
	Name     string // in logs and reports; must be unique
	Pipeline *flow.Pipeline
}

// evaluation is an Evaluation with its plan, and its classes matched by name with
// those of the training.
type evaluation struct {
	name    string
	plan    *flow.Plan
	tasks   []trainer.TaskConfig
	columns []int     // per trained task: its label column; -1: not in the data
	classes [][]int32 // per trained task: the training's number for each class of that column
}

// plan makes the plan of an evaluation, which the caller closes.
func (e Evaluation) plan(ctx context.Context, tasks []trainer.TaskConfig, opts ...flow.Option) (*evaluation, error) {
	if err := e.measuresItself(); err != nil {
		return nil, fmt.Errorf("evaluation %s: %w", e.Name, err)
	}
	plan, err := e.Pipeline.Plan(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("evaluation %s: %w", e.Name, err)
	}
	out := &evaluation{name: e.Name, plan: plan, tasks: tasks}
	if err := out.match(); err != nil {
		return nil, errors.Join(fmt.Errorf("evaluation %s: %w", e.Name, err), plan.Close())
	}
	return out, nil
}

func (e *evaluation) close() error {
	if err := e.plan.Close(); err != nil {
		return fmt.Errorf("evaluation %s: %w", e.name, err)
	}
	return nil
}

// measuresItself refuses an evaluation that would be normalized by statistics of its
// own data.
func (e Evaluation) measuresItself() error {
	for _, s := range e.Pipeline.Stages {
		if named, ok := s.(interface{ Unwrap() stages.Stage }); ok {
			s = named.Unwrap()
		}
		if n, ok := s.(stages.StatsConsumer); ok && n.NeedsStats() {
			return &SetupError{errors.New("normalize: {mean: dataset, std: dataset} would measure the held-out data, and training is normalized by its own: give the numbers that `sluice plan` shows for the training pipeline")}
		}
	}
	return nil
}

// match finds the trained tasks in the data, and their classes by name.
func (e *evaluation) match() error {
	if e.plan.Info().Scales {
		return &SetupError{errors.New("leave multiscale out: one scale is evaluated")}
	}
	if err := checkForm(e.plan); err != nil {
		return err
	}
	there, labelled := false, false
	var names []string
	for _, task := range e.tasks {
		names = append(names, task.Task)
		column := slices.IndexFunc(e.plan.Info().Tasks, func(t schema.Task) bool { return t.Name == task.Task })
		var classes []int32
		if column >= 0 {
			var err error
			if classes, err = trainer.MatchClasses(schema.Task{Name: task.Task, Classes: task.Classes}, e.plan.Info().Tasks[column]); err != nil {
				return err
			}
			there = true
			counts := e.plan.Info().Counts[column][:len(e.plan.Info().Tasks[column].Classes)] // the last counts unknown labels
			labelled = labelled || slices.ContainsFunc(counts, func(n int64) bool { return n > 0 })
		}
		e.columns, e.classes = append(e.columns, column), append(e.classes, classes)
	}
	switch {
	case !there:
		return &SetupError{fmt.Errorf("its data has none of the tasks that are trained (%s): give its source the same tasks", strings.Join(names, ", "))}
	case !labelled:
		return &SetupError{fmt.Errorf("none of its samples has a label of a task that is trained (%s): there is nothing to compare with", strings.Join(names, ", "))}
	}
	return nil
}

// measure evaluates the trainer on the whole held-out data.
func (e *evaluation) measure(ctx context.Context, t trainer.Trainer) (trainer.Metrics, error) {
	confusions := make([]*trainer.Confusion, len(e.tasks))
	for i, task := range e.tasks {
		confusions[i] = trainer.NewConfusion(schema.Task{Name: task.Task, Classes: task.Classes})
	}
	for batch, err := range e.plan.Batches(ctx) {
		if err == nil {
			err = e.add(ctx, t, batch, confusions)
		}
		if err != nil {
			return nil, fmt.Errorf("evaluation %s: %w", e.name, err)
		}
	}
	out := trainer.Metrics{}
	for i, task := range e.tasks {
		if e.columns[i] >= 0 {
			out[task.Task] = confusions[i].Metrics(task.Counts)
		}
	}
	return out, nil
}

// add counts the predictions for one batch.
func (e *evaluation) add(ctx context.Context, t trainer.Trainer, batch *schema.Batch, confusions []*trainer.Confusion) error {
	logits, err := t.Predict(ctx, batch)
	if err != nil {
		return err
	}
	for i, column := range e.columns {
		if column < 0 {
			continue
		}
		if err := confusions[i].Add(logits[i], trainer.Translate(batch.Labels(column), e.classes[i]), nil); err != nil {
			return err
		}
	}
	return nil
}
