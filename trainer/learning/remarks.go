package learning

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// remarks warns of what is possible and probably not intended.
func remarks(plan *flow.Plan, cfg trainer.Config, evaluations []*evaluation) (list []string) {
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if plan.Info().RowsPerEpoch > 1 && !redraws(plan) {
		const saysMore = "the pipeline has neither shuffle nor rebalance" // flow's, which has no kinds of warnings
		if !slices.ContainsFunc(plan.Warnings(), func(text string) bool { return strings.HasPrefix(text, saysMore) }) {
			say("the trainer sees the samples in the same order in every epoch: no stage shuffles them; write shuffle as the first stage")
		}
	}
	for _, task := range cfg.Tasks {
		corrects := task.Loss == trainer.BalancedSoftmax
		for _, w := range task.ClassWeights {
			corrects = corrects || w != task.ClassWeights[0]
		}
		for _, w := range task.PositiveWeights {
			corrects = corrects || w != task.PositiveWeights[0]
		}
		if corrects && rebalances(plan, task.Task) {
			by := "class_weights"
			if task.Loss == trainer.BalancedSoftmax {
				by = "balanced_softmax"
			}
			if task.MultiLabel() {
				by = "positive_weights"
			}
			say("task %s is balanced twice, by the pipeline's %s and by the loss (%s): use one of them", task.Task, drawer(plan), by)
		}
	}
	for _, e := range evaluations {
		list = append(list, e.missing()...)
		for _, text := range e.plan.UnlikeImages(plan) {
			say("evaluation %s is unlike the training: %s", e.name, text)
		}
		if n := shared(plan, e.plan); n > 0 {
			say("evaluation %s: %d of its %d samples have the key and the size of training samples: is a split missing, or use: val, or have the two splits another seed or share?", e.name, n, len(e.plan.Selection()))
		}
		if redraws(e.plan) && repeats(e.plan) {
			say("evaluation %s: its %s draws some samples several times and others never: leave it out", e.name, drawer(e.plan))
		}
		list = append(list, e.absent()...)
	}
	return list
}

// redraws reports whether each epoch has an order of its own.
func redraws(p *flow.Plan) bool { return drawer(p) != "" }

// drawer names the stage that gives each epoch an order of its own; "" if none does.
func drawer(p *flow.Plan) string {
	samplers := p.Outline().PushedDown
	if n := len(samplers); n > 0 && samplers[n-1].Draws {
		return samplers[n-1].Name
	}
	return ""
}

// repeats reports whether an epoch draws a sample more than once.
func repeats(p *flow.Plan) bool {
	drawn := make([]bool, p.Index().Len())
	for position := range p.Info().RowsPerEpoch {
		sample := p.Drawn(0, position)
		if drawn[sample] {
			return true
		}
		drawn[sample] = true
	}
	return false
}

// rebalances reports whether the draws of a task's classes have other shares
// than its samples.
func rebalances(p *flow.Plan, task string) bool {
	if !redraws(p) || int64(len(p.Selection())) == p.Info().RowsPerEpoch && !repeats(p) { // a shuffle has the shares of its samples
		return false
	}
	var samples, draws []int64
	n, m := float64(0), float64(0)
	if t := slices.IndexFunc(p.Info().Tasks, func(t schema.Task) bool { return t.Name == task }); t >= 0 {
		samples, draws = p.Info().Counts[t], p.DrawnCounts(t)
		for c := range samples {
			n, m = n+float64(samples[c]), m+float64(draws[c])
		}
	} else { // of several labels: each sample counts for all its classes
		for _, c := range p.Outline().Several[task] {
			samples, draws = append(samples, c.Samples), append(draws, c.Drawn)
		}
		n, m = float64(len(p.Selection())), float64(p.Info().RowsPerEpoch)
	}
	for c := range samples {
		if before, after := float64(samples[c])/n, float64(draws[c])/m; before > 0 && (after > 1.2*before+1/m || after < before/1.2-1/m) {
			return true
		}
	}
	return false
}

// checkCounts refuses to train a task in which every sample is masked: its head
// would be saved as it was initialized.
func checkCounts(p *flow.Plan, cfg trainer.Config) error {
	var errs []error
	for _, task := range cfg.Tasks {
		if !counts(p, task) {
			errs = append(errs, fmt.Errorf("task %s: none of the %d samples that are drawn counts: each has no label of it, or a weight of 0 (its own, or its class's): fix the labels or the weights, or list the other tasks under tasks",
				task.Task, p.Info().RowsPerEpoch))
		}
	}
	if len(errs) > 0 {
		return &SetupError{errors.Join(errs...)}
	}
	return nil
}

// counts reports whether any draw of the first epoch has a label and a weight.
func counts(p *flow.Plan, task trainer.TaskConfig) bool {
	index := p.Index()
	number := slices.IndexFunc(p.Info().Tasks, func(t schema.Task) bool { return t.Name == task.Task })
	column := schema.MultiColumn(index.Columns(), task.Task)
	labelled := func(sample int) bool {
		if task.MultiLabel() {
			_, known := schema.MultiValue(index.Value(column, sample))
			return known
		}
		label := index.Label(number, sample)
		return label != schema.Unknown && (task.ClassWeights == nil || task.ClassWeights[label] > 0)
	}
	for position := range p.Info().RowsPerEpoch {
		if sample := p.Drawn(0, position); labelled(sample) && p.Weight(sample) > 0 {
			return true
		}
	}
	return false
}

// shared counts the samples of an evaluation that have the key and the size of
// one that is trained on.
func shared(train, eval *flow.Plan) (n int) {
	type sample struct {
		key  string
		size int64
	}
	known := map[sample]bool{}
	for _, i := range train.Selection() {
		known[sample{train.Index().Key(i), train.Index().Size(i)}] = true
	}
	for _, i := range eval.Selection() {
		if known[sample{eval.Index().Key(i), eval.Index().Size(i)}] {
			n++
		}
	}
	return n
}

// missing warns of trained tasks that the data doesn't have.
func (e *evaluation) missing() (warnings []string) {
	for i, task := range e.tasks {
		if e.columns[i] < 0 {
			warnings = append(warnings, fmt.Sprintf("evaluation %s: its data has no task %s, which is trained but not evaluated", e.name, task.Task))
		}
	}
	return warnings
}

// absent warns of classes that are trained and have no held-out samples.
func (e *evaluation) absent() (warnings []string) {
	for i, task := range e.tasks {
		if e.columns[i] < 0 {
			continue
		}
		found := map[string]int64{}
		counts := e.counts(task, e.columns[i])
		for c, name := range e.task(task, e.columns[i]).Classes {
			found[name] = counts[c]
		}
		var none []string
		for _, name := range task.Classes {
			if found[name] == 0 {
				none = append(none, name)
			}
		}
		if len(none) == len(task.Classes) && e.known(task, e.columns[i]) == 0 {
			warnings = append(warnings, fmt.Sprintf("evaluation %s: no sample has a label of task %s, which is not evaluated", e.name, task.Task))
		} else if len(none) > 0 {
			warnings = append(warnings, fmt.Sprintf("evaluation %s: no sample of %s's %s: means are over the other %d classes",
				e.name, task.Task, strings.Join(none, ", "), len(task.Classes)-len(none)))
		}
	}
	return warnings
}
