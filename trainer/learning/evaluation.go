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
	columns []int     // per trained task: its label column, or its number in Targets.Multi; -1: not in the data
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
		column, err := e.column(task)
		if err != nil {
			return err
		}
		var classes []int32
		if column >= 0 {
			if classes, err = trainer.MatchClasses(schema.Task{Name: task.Task, Classes: task.Classes}, e.task(task, column)); err != nil {
				return err
			}
			there = true
			labelled = labelled || e.known(task, column) > 0
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

// column is a trained task's number among those of its kind in the data; -1: it isn't there.
func (e *evaluation) column(task trainer.TaskConfig) (int, error) {
	info := e.plan.Info()
	of := func(list []schema.Task) int {
		return slices.IndexFunc(list, func(t schema.Task) bool { return t.Name == task.Task })
	}
	one, several := of(info.Tasks), -1
	if info.Targets != nil {
		several = of(info.Targets.Multi)
	}
	switch {
	case task.MultiLabel() && several < 0 && one >= 0:
		return 0, &SetupError{fmt.Errorf("task %s has one label a sample, and in the training several: give its source the same option multi", task.Task)}
	case !task.MultiLabel() && one < 0 && several >= 0:
		return 0, &SetupError{fmt.Errorf("task %s has several labels a sample, and in the training one: give its source the same option multi", task.Task)}
	case task.MultiLabel():
		return several, nil
	}
	return one, nil
}

// task is a trained task as the data has it.
func (e *evaluation) task(task trainer.TaskConfig, column int) schema.Task {
	if task.MultiLabel() {
		return e.plan.Info().Targets.Multi[column]
	}
	return e.plan.Info().Tasks[column]
}

// counts are the samples that have each class of a trained task, in the data's order.
func (e *evaluation) counts(task trainer.TaskConfig, column int) []int64 {
	if task.MultiLabel() {
		return e.plan.Info().Multi[column].Classes
	}
	return e.plan.Info().Counts[column][:len(e.plan.Info().Tasks[column].Classes)] // the last counts unknown labels
}

// known is how many samples have a known label of a trained task.
func (e *evaluation) known(task trainer.TaskConfig, column int) (n int64) {
	if task.MultiLabel() {
		return e.plan.Info().Multi[column].Known
	}
	for _, of := range e.counts(task, column) {
		n += of
	}
	return n
}

// figures count what is predicted for a task, of one label or of several.
type figures struct {
	one     *trainer.Confusion
	several *trainer.MultiLabel
}

// measure evaluates the trainer on the whole held-out data.
func (e *evaluation) measure(ctx context.Context, t trainer.Trainer) (trainer.Metrics, error) {
	counted := make([]figures, len(e.tasks))
	for i, task := range e.tasks {
		if of := (schema.Task{Name: task.Task, Classes: task.Classes}); task.MultiLabel() {
			counted[i].several = trainer.NewMultiLabel(of)
		} else {
			counted[i].one = trainer.NewConfusion(of)
		}
	}
	for batch, err := range e.plan.Batches(ctx) {
		if err == nil {
			err = e.add(ctx, t, batch, counted)
		}
		if err != nil {
			return nil, fmt.Errorf("evaluation %s: %w", e.name, err)
		}
	}
	out := trainer.Metrics{}
	for i, task := range e.tasks {
		switch {
		case e.columns[i] < 0:
		case task.MultiLabel():
			out[task.Task] = counted[i].several.Metrics(task.Counts)
		default:
			out[task.Task] = counted[i].one.Metrics(task.Counts)
		}
	}
	return out, nil
}

// add counts the predictions for one batch.
func (e *evaluation) add(ctx context.Context, t trainer.Trainer, batch *schema.Batch, counted []figures) error {
	logits, err := t.Predict(ctx, batch)
	if err != nil {
		return err
	}
	for i, column := range e.columns {
		if column < 0 {
			continue
		}
		var err error
		if counted[i].several != nil {
			err = e.addMulti(i, logits[i], batch, counted[i].several)
		} else {
			err = counted[i].one.Add(logits[i], trainer.Translate(batch.Labels(column), e.classes[i]), nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addMulti counts the rows of a batch whose labels of a task of several labels are known.
func (e *evaluation) addMulti(task int, logits []float32, batch *schema.Batch, counted *trainer.MultiLabel) error {
	classes := len(e.tasks[task].Classes)
	for row := range batch.Rows() {
		list, known := batch.Multi(e.tasks[task].Task, row)
		if !known {
			continue
		}
		if err := counted.Add(logits[row*classes:(row+1)*classes], trainer.Translate(list, e.classes[task])); err != nil {
			return fmt.Errorf("%w (key %q)", err, batch.Key(row))
		}
	}
	return nil
}
