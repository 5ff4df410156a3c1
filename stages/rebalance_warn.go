package stages

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// Warn warns of classes without samples, and of a target that changes nothing.
func (r Rebalance) Warn(in Selection, index schema.Index) []string {
	d, err := r.divide(in, index)
	if err != nil || len(in) == 0 {
		return nil // Sample reports it
	}
	var warnings []string
	var names []string
	for _, task := range d.tasks {
		names = append(names, d.task(task).Name)
		if empty := d.empty(in, task); len(empty) > 0 {
			warnings = append(warnings, fmt.Sprintf("classes of task %s without samples, which get no draws: %s", d.task(task).Name, phrase.List(empty)))
		}
	}
	perTask, drawn := d.target.perTask(len(d.tasks)), in
	for i, task := range d.tasks {
		counts := classCounts(drawn, d.index, task)
		if perTask != nil {
			if named, what := perTask[i].numbers(); named != nil {
				warnings = append(warnings, undrawn(named, what, d.task(task), counts)...)
				drawn = slices.DeleteFunc(slices.Clone(drawn), func(sample int) bool {
					n := named[labelName(d.task(task), d.index.Label(task, sample))]
					return n == nil || n.Sign() == 0
				})
				continue
			}
		}
		if unknown := counts[len(counts)-1]; unknown > 0 && d.target.rule != repeatFactor {
			if d.rarest != nil {
				warnings = append(warnings, fmt.Sprintf("%d samples have no class of %s: they count as a class of their own, with its share of the draws; leave them out if that isn't intended", unknown, d.task(task).Name))
				continue
			}
			warnings = append(warnings, fmt.Sprintf("%d samples have no label of task %s: they count as a class of their own, with its share of the draws; leave them out with filter if that isn't intended", unknown, d.task(task).Name))
		}
	}
	warnings = append(warnings, d.absent(perTask)...)
	if d.from != nil {
		return append(warnings, d.unscheduled(r)...)
	}
	if what := d.pointless(r, in.Len(), strings.Join(names, ", ")); what != "" {
		warnings = append(warnings, what+": it changes nothing that shuffle doesn't do")
	}
	return warnings
}

// unscheduled warns of a schedule that changes nothing.
func (d *division) unscheduled(r Rebalance) []string {
	switch {
	case d.tree.Parts == nil && longtail.Proportional(d.tree.From, d.tree.Shares):
		return []string{fmt.Sprintf("the schedule changes nothing: %s draws the classes as the target does", r.Schedule.from())}
	case r.epochs == 1:
		return []string{fmt.Sprintf("the schedule is over before it begins: in a run of one epoch all draws are by %s; give the number of epochs", r.Schedule.from())}
	}
	return nil
}

// empty are the classes without a sample.
func (d *division) empty(in Selection, task int) (names []string) {
	if d.rarest == nil {
		return emptyClasses(in, d.index, task)
	}
	for c, n := range d.rarest.having {
		if n == 0 {
			names = append(names, d.task(task).Classes[c])
		}
	}
	return names
}

// pointless says why a target changes nothing; "": it does.
func (d *division) pointless(r Rebalance, samples int64, tasks string) string {
	counts := d.groups().counts
	switch {
	case d.draws != samples || d.tree.Parts != nil || !longtail.Proportional(d.tree.Shares, counts):
		return ""
	case r.Target == Instance: // as others pass it on: what it does is in its name
		return ""
	case len(counts) == 1:
		return fmt.Sprintf("all samples are of one class of task %s", tasks)
	case r.Target == Power && r.Power == 1:
		return fmt.Sprintf("target %s with power 1 draws the classes in the proportions that they have", r.Target)
	case d.target.rule == repeatFactor:
		return fmt.Sprintf("the threshold %v is at most the share of every class of task %s, the smallest of which is %.2g, so none is repeated", d.target.threshold, tasks, float64(slices.Min(d.groups().samples()))/float64(samples))
	case d.target.rule == "":
		return fmt.Sprintf("the target draws the classes of task %s in the proportions that they have", tasks)
	}
	return fmt.Sprintf("the classes of task %s are balanced already", tasks)
}

// undrawn warns of samples that explicit shares leave out. counts are those of the
// classes, and last of the samples without a label.
func undrawn(named map[string]*big.Rat, what string, task schema.Task, counts []int64) (warnings []string) {
	var zero []string
	for class, name := range task.Classes {
		if n := named[name]; n != nil && n.Sign() == 0 && counts[class] > 0 {
			zero = append(zero, fmt.Sprintf("%s (%s)", name, phrase.Count(counts[class], "sample")))
		}
	}
	if len(zero) > 0 {
		warnings = append(warnings, fmt.Sprintf("%s of 0 leave classes of task %s out: %s", what, task.Name, phrase.List(zero)))
	}
	if unknown := counts[len(counts)-1]; unknown > 0 {
		warnings = append(warnings, fmt.Sprintf("%s without a label of task %s: explicit %s name classes, so they get no draws", phrase.Count(unknown, "sample"), task.Name, what))
	}
	return warnings
}

// absent warns of classes with a share that are missing from a class of the task before.
func (d *division) absent(perTask []target) (warnings []string) {
	index, tasks, levels := d.index, d.tasks, d.levels
	for i := 1; i < len(perTask); i++ {
		named, what := perTask[i].numbers()
		if named == nil {
			continue
		}
		task, within := index.Tasks()[tasks[i]], levels[i-1]
		occurs := make([]map[string]bool, len(within.counts))
		for g, parent := range levels[i].parents {
			if occurs[parent] == nil {
				occurs[parent] = map[string]bool{}
			}
			occurs[parent][labelName(task, levels[i].labels[g])] = true
		}
		var missing []string
		for g := range within.counts {
			for _, class := range task.Classes {
				if n := named[class]; n != nil && n.Sign() > 0 && !occurs[g][class] {
					missing = append(missing, class+" in "+labelName(index.Tasks()[tasks[i-1]], within.labels[g]))
				}
			}
		}
		if len(missing) > 0 {
			warnings = append(warnings, fmt.Sprintf("classes of task %s without samples within one of task %s, whose other classes get their %s of the draws: %s",
				task.Name, index.Tasks()[tasks[i-1]].Name, what, phrase.List(missing)))
		}
	}
	return warnings
}

func labelName(task schema.Task, label int32) string {
	if label == schema.Unknown {
		return "(no label)"
	}
	return task.Classes[label]
}

// emptyClasses names the classes of a task without a selected sample.
func emptyClasses(in Selection, index schema.Index, task int) []string {
	var empty []string
	counts := classCounts(in, index, task)
	for c, name := range index.Tasks()[task].Classes {
		if counts[c] == 0 {
			empty = append(empty, name)
		}
	}
	return empty
}
