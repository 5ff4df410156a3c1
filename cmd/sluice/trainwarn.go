package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer"
)

// declared lists a pipeline's stages without their ids.
func declared(p *flow.Pipeline) []stages.Stage {
	list := slices.Clone(p.Stages)
	for i, s := range list {
		if named, ok := s.(interface{ Unwrap() stages.Stage }); ok {
			list[i] = named.Unwrap()
		}
	}
	return list
}

func declares[S stages.Stage](p *flow.Pipeline) bool {
	return slices.ContainsFunc(declared(p), func(s stages.Stage) bool { _, ok := s.(S); return ok })
}

// remarks are about training that is possible and probably not meant.
func (l *learning) remarks() (list []string) {
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if l.plan.RowsPerEpoch > 1 && !declares[stages.Shuffle](l.Pipeline) && !declares[stages.Balancer](l.Pipeline) {
		const unordered = "the pipeline has neither shuffle nor rebalance"
		if !slices.ContainsFunc(l.plan.Warnings, func(text string) bool { return strings.HasPrefix(text, unordered) }) { // which says more
			say(unordered + ": the trainer sees the samples in the same order in every epoch: write shuffle as the first stage")
		}
	}
	for _, task := range l.config.Tasks {
		corrects := task.Loss == trainer.BalancedSoftmax
		for _, w := range task.ClassWeights {
			corrects = corrects || w != task.ClassWeights[0]
		}
		if corrects && l.rebalances(task.Task) {
			say("task %s is balanced twice, by the pipeline's rebalance and by the loss (%s): use one of them", task.Task, correction(task))
		}
	}
	for i := range l.Evals {
		e := &l.Evals[i]
		list = append(list, e.missing(l.config)...)
		for _, text := range e.plan.UnlikeImages(l.plan) {
			say("evaluation %s is unlike the training: %s", e.Name, text)
		}
		if n := shared(l.plan, e.plan); n > 0 {
			say("evaluation %s: %d of its %d samples have the key and the size of training samples: is a split missing, or use: val, or have the two splits another seed or share?", e.Name, n, len(e.plan.Selection()))
		}
		if declares[stages.Balancer](e.Pipeline) {
			say("evaluation %s: its rebalance draws some samples several times and others never: leave it out", e.Name)
		}
		list = append(list, e.absent(l.config)...)
	}
	return list
}

func correction(t trainer.TaskConfig) string {
	if t.Loss == trainer.BalancedSoftmax {
		return "balanced_softmax"
	}
	return "class_weights"
}

// rebalances reports whether the draws of a task's classes have other shares
// than its samples.
func (l *learning) rebalances(task string) bool {
	if !declares[stages.Balancer](l.Pipeline) {
		return false
	}
	t := slices.IndexFunc(l.plan.Tasks, func(t schema.Task) bool { return t.Name == task })
	samples, draws := l.plan.Counts[t], l.plan.DrawnCounts(t)
	n, m := float64(0), float64(0)
	for c := range samples {
		n, m = n+float64(samples[c]), m+float64(draws[c])
	}
	for c := range samples {
		if before, after := float64(samples[c])/n, float64(draws[c])/m; before > 0 && (after > 1.2*before+1/m || after < before/1.2-1/m) {
			return true
		}
	}
	return false
}

// checkCounts refuses to train a task of which no sample counts: its head would be
// saved as it was drawn.
func (l *learning) checkCounts() error {
	var errs []error
	for _, task := range l.config.Tasks {
		t := slices.IndexFunc(l.plan.Tasks, func(t schema.Task) bool { return t.Name == task.Task })
		if !l.counts(task, t) {
			errs = append(errs, fmt.Errorf("task %s: none of the %d samples that are drawn counts: each has no label of it, or a weight of 0 (its own, or its class's): mend the labels or the weights, or list the other tasks under tasks",
				task.Task, l.plan.RowsPerEpoch))
		}
	}
	if len(errs) > 0 {
		return usageError{errors.Join(errs...)}
	}
	return nil
}

// counts reports whether any draw of the first epoch has a label and a weight.
func (l *learning) counts(task trainer.TaskConfig, number int) bool {
	index := l.plan.Index()
	for position := range l.plan.RowsPerEpoch {
		sample := l.plan.Drawn(0, position)
		if label := index.Label(number, sample); label != schema.Unknown && (task.ClassWeights == nil || task.ClassWeights[label] > 0) && l.plan.Weight(sample) > 0 {
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

// absent warns of classes that are trained and have nothing to be evaluated on.
func (e *evaluation) absent(cfg trainer.Config) (warnings []string) {
	for i, task := range cfg.Tasks {
		if e.columns[i] < 0 {
			continue
		}
		found := map[string]int64{}
		for c, name := range e.plan.Tasks[e.columns[i]].Classes {
			found[name] = e.plan.Counts[e.columns[i]][c]
		}
		var none []string
		for _, name := range task.Classes {
			if found[name] == 0 {
				none = append(none, name)
			}
		}
		if len(none) == len(task.Classes) {
			warnings = append(warnings, fmt.Sprintf("evaluation %s: no sample has a label of task %s, which is not evaluated", e.Name, task.Task))
		} else if len(none) > 0 {
			warnings = append(warnings, fmt.Sprintf("evaluation %s: no sample of %s's %s: means are over the other %d classes",
				e.Name, task.Task, strings.Join(none, ", "), len(task.Classes)-len(none)))
		}
	}
	return warnings
}

// ownStatistics refuses an evaluation that would be normalized by its own data.
func (e *evaluation) ownStatistics() error {
	for _, s := range declared(e.Pipeline) {
		if n, ok := s.(stages.StatsConsumer); ok && n.NeedsStats() {
			return usageError{errors.New("normalize: {mean: dataset, std: dataset} would measure the held-out data, and training is normalized by its own: give the numbers that `sluice plan` shows for the training pipeline")}
		}
	}
	return nil
}
