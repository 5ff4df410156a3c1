package stages

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/internal/perm"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// Rebalance draws the classes of a task in other proportions than they have, and
// shuffles. Every epoch has Draws draws; the proportions p_c are, with n_c samples in
// class c (Mahajan et al. 2018, Kang et al. 2020):
//
//	instance        p_c ~ n_c          the proportions of the data
//	square_root     p_c ~ sqrt(n_c)
//	power           p_c ~ n_c^Power    0 < Power <= 1
//	class_balanced  p_c ~ 1            all classes equally
//	Shares          p_c ~ the number given for class c
//	Counts          the same, and Draws is their sum
//
// Classes are those that have samples. With several tasks, the classes are the
// tuples of labels that occur, ordered by their class numbers; an unknown label
// counts as a class of its own, after the others. PerTask has a target for each task:
// the first divides the draws among its task's classes, the second each class's draws
// among those of its own. Shares and Counts alone are the first task's; within its
// classes the other tasks' keep the proportions that they have.
//
// Each draw is computed by itself, in closed form. The classes' quotas are laid end to
// end (longtail.Quotas: exact for every epoch, and over epochs no class falls behind by
// two draws). A keyed permutation maps a position of the epoch to a slot, which belongs
// to a class c and is its use u, counted over all epochs. That is member
// perm(c, u div n_c)(u mod n_c) of the class: its samples are used in one random order
// after another, so that at the end of every epoch the use counts within a class differ
// by at most one.
type Rebalance struct {
	Target Target    `sluice:"target" doc:"proportions of the classes: instance, square_root, power, class_balanced, {shares: {class: number}} or {counts: {class: draws per epoch}}; with several tasks a list may give each its own, of which the first divides the draws, and each further one divides those of every class before it"`
	Power  float64   `sluice:"power,positive" doc:"with target power: the exponent q of n^q, above 0, at most 1"`
	Task   TaskNames `sluice:"task" doc:"the task to balance, or several for the joint label (default: the only one)"`
	Draws  int64     `sluice:"draws,positive" doc:"draws per epoch (default: the number of samples, or the sum of the counts)"`
}

// maxDraws keeps the uses of a class over 2^22 epochs within an int64.
const maxDraws = 1 << 40

// TaskNames is one task or several. In files: a name or a list of names.
type TaskNames []string

// SetOption reads a name or a list of names.
func (n *TaskNames) SetOption(v any) error {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	names := TaskNames{}
	for _, item := range list {
		name, ok := item.(string)
		if !ok || name == "" {
			return fmt.Errorf("want a task's name or a list of them, have %v", v)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return errors.New("the list is empty: give a task's name, or leave it out")
	}
	*n = names
	return nil
}

// OptionSchema describes the file form.
func (TaskNames) OptionSchema() map[string]any {
	name := map[string]any{"type": "string", "minLength": 1}
	return map[string]any{"anyOf": []any{name, map[string]any{"type": "array", "items": name, "minItems": 1, "uniqueItems": true}}}
}

// Name is the stage's name in pipeline files.
func (Rebalance) Name() string { return "rebalance" }

// Version of the algorithm.
func (Rebalance) Version() int { return 1 }

// BalancedTasks are those of the option task.
func (r Rebalance) BalancedTasks() []string { return r.Task }

// Check reports impossible options.
func (r Rebalance) Check() error {
	var errs []error
	to, err := r.Target.read()
	switch {
	case r.Target == "":
		errs = append(errs, errorf("target", "missing: give one of %s", strings.Join(r.Target.Values(), ", ")))
	case err != nil:
		for _, err := range errlist.Split(err) {
			errs = append(errs, errorf("target", "%v", err))
		}
	case len(to.each) > 0 && len(to.each) != len(r.Task):
		errs = append(errs, errorf("target", "%d targets in a list for %s: give one for each, in the same order",
			len(to.each), phrase.Count(len(r.Task), "name of task")))
	}
	switch power := to.uses(Power); {
	case err != nil && r.Target.explicit():
	case !power && r.Power != 0:
		errs = append(errs, errorf("power", "only target power needs it"))
	case power && r.Power == 0:
		errs = append(errs, errorf("power", "missing: give a number between 0 and 1"))
	case math.IsNaN(r.Power) || r.Power < 0 || r.Power > 1:
		errs = append(errs, errorf("power", "%v is not between 0 (as class_balanced) and 1 (as instance)", r.Power))
	}
	for i, name := range r.Task {
		if slices.Contains(r.Task[:i], name) {
			errs = append(errs, errorf("task", "%q is named twice", name))
		}
	}
	if r.Draws < 0 || r.Draws > maxDraws {
		errs = append(errs, errorf("draws", "%d is not in 1..2^40", r.Draws))
	} else if sum := to.draws(); r.Draws > 0 && sum > 0 && sum != r.Draws {
		errs = append(errs, errorf("draws", "%d differs from the sum of the counts, %d: leave it out, or give shares", r.Draws, sum))
	}
	return errors.Join(errs...)
}

// Sample returns the order. It holds the samples sorted by class, 4 bytes each, and
// O(classes) numbers for the quotas of a few epochs.
func (r Rebalance) Sample(in Selection, index schema.Index, key RandKey) (Order, error) {
	return r.order(in, index, key)
}

// SampleAll is Sample of all samples of an index, without a list of their numbers, which
// for 10^8 of them would take 800 MB.
func (r Rebalance) SampleAll(index schema.Index, key RandKey) (Order, error) {
	return r.order(everySample(index.Len()), index, key)
}

// everySample is the Selection of all samples of an index that has as many.
type everySample int

func (n everySample) Len() int64                   { return int64(n) }
func (n everySample) At(_ int, position int64) int { return int(position) }

// mostSamples have numbers that fit into a uint32.
const mostSamples = 1 << 32

func (r Rebalance) order(in Order, index schema.Index, key RandKey) (Order, error) {
	if in.Len() == 0 {
		return nil, errEmpty
	}
	if int64(index.Len()) > mostSamples {
		return nil, fmt.Errorf("%d samples are more than 2^32", index.Len())
	}
	tasks, err := r.tasks(index)
	if err != nil {
		return nil, err
	}
	class, levels := groupBy(in, index, tasks)
	division, err := r.division(index, tasks, levels)
	if err != nil {
		return nil, err
	}
	counts := levels[len(levels)-1].counts
	o := &rebalanced{
		members: make([]uint32, in.Len()),
		starts:  make([]int, len(counts)+1),
		keys:    make([]RandKey, len(counts)),
		quotas:  longtail.NewDivided(division, r.draws(in)),
		slots:   perm.NewSeries(uint64(r.draws(in)), perm.Derive(key, keyOrder, 0)),
	}
	for c, n := range counts {
		o.starts[c+1] = o.starts[c] + int(n)
		o.keys[c] = perm.Derive(key, keyMembers, uint64(c))
	}
	next := slices.Clone(o.starts)
	for i := range o.members {
		c := class(i)
		o.members[next[c]] = uint32(in.At(0, int64(i)))
		next[c]++
	}
	return o, nil
}

type rebalanced struct {
	members []uint32  // samples, class after class
	starts  []int     // of each class in members, and the end
	keys    []RandKey // of each class's permutations
	quotas  *longtail.Quotas
	slots   *perm.Series // position -> slot
}

func (o *rebalanced) Len() int64 { return o.quotas.Draws() }

func (o *rebalanced) At(epoch int, position int64) int {
	slot := o.slots.At(uint64(epoch), uint64(position))
	class, use := o.quotas.Epoch(epoch).Slot(int64(slot))
	members := o.members[o.starts[class]:o.starts[class+1]]
	n := uint64(len(members))
	round := perm.New(n, o.keys[class], uint64(use)/n)
	return int(members[round.At(uint64(use)%n)])
}

// Warn warns of classes without samples, and of a target that changes nothing.
func (r Rebalance) Warn(in Selection, index schema.Index) []string {
	tasks, err := r.tasks(index)
	if err != nil || len(in) == 0 {
		return nil // Sample reports it
	}
	var warnings []string
	var names []string
	for _, task := range tasks {
		names = append(names, index.Tasks()[task].Name)
		if empty := emptyClasses(in, index, task); len(empty) > 0 {
			warnings = append(warnings, fmt.Sprintf("classes of task %s without samples, which get no draws: %s", index.Tasks()[task].Name, phrase.List(empty)))
		}
	}
	to, err := r.Target.read()
	if err != nil {
		return nil // Check reports it
	}
	perTask, drawn := to.perTask(len(tasks)), in
	for i, task := range tasks {
		counts := classCounts(drawn, index, task)
		if perTask != nil {
			if named, what := perTask[i].numbers(); named != nil {
				warnings = append(warnings, undrawn(named, what, index.Tasks()[task], counts)...)
				drawn = slices.DeleteFunc(slices.Clone(drawn), func(sample int) bool {
					n := named[labelName(index.Tasks()[task], index.Label(task, sample))]
					return n == nil || n.Sign() == 0
				})
				continue
			}
		}
		if unknown := counts[len(counts)-1]; unknown > 0 {
			warnings = append(warnings, fmt.Sprintf("%d samples have no label of task %s: they count as a class of their own, with its share of the draws; leave them out with filter if that isn't intended", unknown, index.Tasks()[task].Name))
		}
	}
	_, levels := groupBy(in, index, tasks)
	division, err := r.division(index, tasks, levels)
	if err != nil {
		return nil // Sample reports it
	}
	warnings = append(warnings, absent(perTask, index, tasks, levels)...)
	counts := levels[len(levels)-1].counts
	what := ""
	switch {
	case r.draws(in) != in.Len() || division.Parts != nil || !longtail.Proportional(division.Shares, counts):
		return warnings
	case len(counts) == 1:
		what = fmt.Sprintf("all samples are of one class of task %s", strings.Join(names, ", "))
	case r.Target == Instance || r.Target == Power && r.Power == 1:
		what = fmt.Sprintf("target %s draws the classes in the proportions that they have", r.Target)
	case to.rule == "":
		what = fmt.Sprintf("the target draws the classes of task %s in the proportions that they have", strings.Join(names, ", "))
	default:
		what = fmt.Sprintf("the classes of task %s are balanced already", strings.Join(names, ", "))
	}
	return append(warnings, what+": it changes nothing that shuffle doesn't do")
}

func (r Rebalance) draws(in Order) int64 {
	if r.Draws > 0 {
		return r.Draws
	}
	if to, err := r.Target.read(); err == nil && to.draws() > 0 {
		return to.draws()
	}
	return in.Len()
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
func absent(perTask []target, index schema.Index, tasks []int, levels []level) (warnings []string) {
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

// division is how the draws are divided among the tuples of labels.
func (r Rebalance) division(index schema.Index, tasks []int, levels []level) (longtail.Division, error) {
	to, err := r.Target.read()
	if err != nil {
		return longtail.Division{}, errorf("target", "%v", err)
	}
	perTask := to.perTask(len(tasks))
	if perTask == nil {
		return longtail.Division{Shares: r.shares(to.rule, levels[len(levels)-1].counts)}, nil
	}
	byLabel := make([][]int64, len(tasks)) // of explicit shares
	var errs []error
	for i, task := range tasks {
		if named, _ := perTask[i].numbers(); named != nil {
			have := make([]int64, len(index.Tasks()[task].Classes))
			for g, label := range levels[i].labels {
				if label != schema.Unknown {
					have[label] += levels[i].counts[g]
				}
			}
			byLabel[i], err = perTask[i].byLabel(index.Tasks()[task], have)
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return longtail.Division{}, err
	}
	// groups is the division among the groups first to end-1 of a level, which are those
	// within one group of the level before.
	var groups func(i, first, end int, drawn bool) longtail.Division
	groups = func(i, first, end int, drawn bool) longtail.Division {
		l := levels[i]
		d := longtail.Division{Shares: make([]int64, end-first)}
		if byLabel[i] == nil {
			d.Shares = r.shares(perTask[i].rule, l.counts[first:end])
		} else {
			for g := first; g < end; g++ {
				if label := l.labels[g]; label != schema.Unknown {
					d.Shares[g-first] = byLabel[i][label]
				}
			}
		}
		if drawn && !slices.ContainsFunc(d.Shares, func(s int64) bool { return s > 0 }) {
			where := ""
			if i > 0 {
				where = fmt.Sprintf(" within class %q of task %s", labelName(index.Tasks()[tasks[i-1]], levels[i-1].labels[l.parents[first]]), index.Tasks()[tasks[i-1]].Name)
			}
			_, what := perTask[i].numbers()
			errs = append(errs, errorf("target", "%s: no sample of task %s%s has a class with a share above 0", what, index.Tasks()[tasks[i]].Name, where))
		}
		if i+1 < len(levels) {
			at, _ := slices.BinarySearch(levels[i+1].parents, first)
			for g := first; g < end; g++ {
				next, _ := slices.BinarySearch(levels[i+1].parents, g+1)
				d.Parts = append(d.Parts, groups(i+1, at, next, drawn && d.Shares[g-first] > 0))
				at = next
			}
		}
		return d
	}
	d := groups(0, 0, len(levels[0].counts), true)
	return d, errors.Join(errs...)
}

// shares are integers s_c by a rule; p_c is s_c over their sum.
func (r Rebalance) shares(rule Target, counts []int64) []int64 {
	switch rule {
	case SquareRoot:
		return longtail.SquareRoot(counts)
	case Power:
		return longtail.Power(counts, r.Power)
	case ClassBalanced:
		return longtail.ClassBalanced(counts)
	}
	return longtail.Instance(counts)
}

// tasks are the numbers of the tasks to balance.
func (r Rebalance) tasks(index schema.Index) ([]int, error) {
	if len(r.Task) == 0 {
		task, err := findTask("task", "", index)
		return []int{task}, err
	}
	tasks, errs := make([]int, len(r.Task)), make([]error, len(r.Task))
	for i, name := range r.Task {
		tasks[i], errs[i] = findTask("task", name, index)
	}
	return tasks, errors.Join(errs...)
}

// level is the tuples of labels in the first of several tasks that occur, in the order
// of their class numbers, unknown ones last.
type level struct {
	counts  []int64 // samples of each tuple
	parents []int   // the tuple of the level before
	labels  []int32 // in the level's task
}

// groupBy numbers the label tuples that occur, level by level. class is the tuple of the
// i-th sample of in.
func groupBy(in Order, index schema.Index, tasks []int) (class func(i int) int, levels []level) {
	class, groups := func(int) int { return 0 }, 1
	for _, task := range tasks { // refines the groups of the tasks before
		classes, group := len(index.Tasks()[task].Classes), class
		refined := func(i int) int {
			label := int(index.Label(task, in.At(0, int64(i))))
			if label == int(schema.Unknown) {
				label = classes
			}
			return group(i)*(classes+1) + label
		}
		number, tuples, counts := numberTuples(int(in.Len()), groups*(classes+1), refined)
		l := level{counts, make([]int, len(tuples)), make([]int32, len(tuples))}
		for g, t := range tuples {
			l.parents[g], l.labels[g] = t/(classes+1), int32(t%(classes+1))
			if int(l.labels[g]) == classes {
				l.labels[g] = schema.Unknown
			}
		}
		levels, groups = append(levels, l), len(tuples)
		class = func(i int) int { return number(refined(i)) }
	}
	return class, levels
}

// numberTuples numbers those of the tuples 0..size-1 that n samples have, in rising
// order, lists them, and counts the samples of each.
func numberTuples(n, size int, tuple func(i int) int) (number func(tuple int) int, tuples []int, counts []int64) {
	if size > max(n, 1<<20) { // several tasks of many classes: few of the tuples occur
		occur := map[int]int64{}
		for i := range n {
			occur[tuple(i)]++
		}
		numbers := make(map[int]int, len(occur))
		tuples = slices.Sorted(maps.Keys(occur))
		for i, t := range tuples {
			numbers[t] = i
			counts = append(counts, occur[t])
		}
		return func(t int) int { return numbers[t] }, tuples, counts
	}
	occur, numbers := make([]int64, size), make([]int, size)
	for i := range n {
		occur[tuple(i)]++
	}
	for t, n := range occur {
		if n > 0 {
			numbers[t] = len(counts)
			tuples, counts = append(tuples, t), append(counts, n)
		}
	}
	return func(t int) int { return numbers[t] }, tuples, counts
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
