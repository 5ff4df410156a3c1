package stages

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/internal/options"
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
//	EffectiveNumber p_c ~ n_c/E_c      between instance and class_balanced
//	RepeatFactor    p_c ~ n_c r_c      r_c = max(1, (threshold n/n_c)^power), n samples in all
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
// Of a task of several labels, and of objects (the task boxes), the class of a sample is the
// rarest that it has: n_c samples have class c, and a sample is drawn in proportion to p_c/n_c
// of its rarest class. For RepeatFactor that is the largest factor of its classes, as in LVIS.
// Samples without any class count as one of their own.
//
// Each draw is computed by itself, in closed form. The classes' quotas are laid end to
// end (longtail.Quotas: exact for every epoch, and over epochs no class falls behind by
// two draws). A keyed permutation maps a position of the epoch to a slot, which belongs
// to a class c and is its use u, counted over all epochs. That is member
// perm(c, u div n_c)(u mod n_c) of the class: its samples are used in one random order
// after another, so that at the end of every epoch the use counts within a class differ
// by at most one.
type Rebalance struct {
	Target Target    `sluice:"target" doc:"proportions of the classes: instance, square_root, power, class_balanced, {repeat_factor: {threshold: share, power: 0.5}}, {effective_number: {beta: 0.9999}}, {shares: {class: number}} or {counts: {class: draws per epoch}}; with several tasks a list may give each its own, of which the first divides the draws, and each further one divides those of every class before it"`
	Power  float64   `sluice:"power,positive" doc:"with target power: the exponent q of n^q, above 0, at most 1"`
	Task   TaskNames `sluice:"task" doc:"the task to balance, several for the joint label, or boxes for the classes of objects (default: the only one)"`
	Draws  int64     `sluice:"draws,positive" doc:"draws per epoch (default: the number of samples, or the sum of the counts, or of the repeat factors)"`

	Multiple float64 `sluice:"multiple,positive,later" doc:"draws per epoch, as a multiple of the number of samples"`
	Cover    Cover   `sluice:"cover,later" doc:"largest: as many draws per epoch as it takes to draw each sample of the largest class once"`

	Schedule Schedule `sluice:"schedule,later" doc:"over which epochs the target is reached: {progressive: {from: instance, over: 1}} or {deferred: {from: instance, after: 0.8}}, shares of the number of epochs"`

	epochs int // of the run, where there is a schedule; 0: not known yet
}

// Cover says what an epoch goes through whole.
type Cover string

// CoverLargest is each sample of the largest class.
const CoverLargest Cover = "largest"

// Values lists them.
func (Cover) Values() []string { return []string{string(CoverLargest)} }

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
			return fmt.Errorf("want a task's name or a list of them, have %s", options.Have(v))
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
		errs = append(errs, errorf("target", "missing: give one of %s", forms()))
	case err != nil:
		for _, err := range errlist.Split(err) {
			errs = append(errs, errorf("target", "%v", err))
		}
	case len(to.each) > 0 && len(to.each) != len(r.Task):
		errs = append(errs, errorf("target", "%d targets in a list for %s: give one for each, in the same order",
			len(to.each), phrase.Count(len(r.Task), "task")))
	}
	from, _ := r.Schedule.from().read()
	switch power := to.uses(Power) || from.rule == Power; {
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
	errs = append(errs, r.checkLength(to)...)
	return errors.Join(append(errs, errlist.Split(r.Schedule.check(r.Target))...)...)
}

// NeedsEpochs reports whether the draws depend on the number of epochs.
func (r Rebalance) NeedsEpochs() bool { return !r.Schedule.IsZero() }

// WithEpochs is the stage in a run of so many epochs; in later ones the target is reached.
func (r Rebalance) WithEpochs(epochs int) Stage {
	r.epochs = epochs
	return r
}

// checkLength reports lengths of the epoch that are impossible, or given twice.
func (r Rebalance) checkLength(to target) (errs []error) {
	if r.Draws < 0 || r.Draws > maxDraws {
		errs = append(errs, errorf("draws", "%d is not in 1..2^40", r.Draws))
	} else if sum := to.draws(); r.Draws > 0 && sum > 0 && sum != r.Draws {
		errs = append(errs, errorf("draws", "%d differs from the sum of the counts, %d: leave it out, or give shares", r.Draws, sum))
	}
	if math.IsNaN(r.Multiple) || r.Multiple < 0 || r.Multiple > maxDraws {
		errs = append(errs, errorf("multiple", "%v is not a positive number, at most 2^40", r.Multiple))
	}
	errs = append(errs, oneOf("cover", r.Cover))
	var given []string
	for _, length := range []struct {
		is   bool
		name string
	}{{r.Draws != 0, "draws"}, {r.Multiple != 0, "multiple"}, {r.Cover != "", "cover"}, {r.Draws == 0 && to.draws() > 0, "the counts"}} {
		if length.is {
			given = append(given, length.name)
		}
	}
	switch {
	case len(given) > 1:
		last := r.lastLength()
		errs = append(errs, errorf(last, "%s give the length of an epoch: leave all but one out", strings.Join(given, " and ")))
	case r.Cover != "" && (len(to.each) > 0 || len(r.Task) > 1 && to.rule == ""):
		errs = append(errs, errorf("cover", "with a target for each of several tasks it isn't said which class is meant: give draws"))
	}
	return errs
}

func (r Rebalance) lastLength() string {
	switch {
	case r.Cover != "":
		return "cover"
	case r.Multiple != 0:
		return "multiple"
	}
	return "draws"
}

// Sample returns the order. It holds O(classes) numbers for the quotas of a few epochs, and
// the samples sorted by class, 4 bytes each, unless those of a class follow each other.
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
	d, err := r.divide(in, index)
	if err != nil {
		return nil, err
	}
	counts := d.groups().counts
	o := &rebalanced{
		in:     in,
		starts: make([]int, len(counts)+1),
		keys:   make([]RandKey, len(counts)),
		quotas: longtail.NewScheduled(d.tree, d.draws, r.progress()),
		slots:  perm.NewSeries(uint64(d.draws), perm.Derive(key, keyOrder, 0)),
	}
	for c, n := range counts {
		o.starts[c+1] = o.starts[c] + int(n)
		o.keys[c] = perm.Derive(key, keyMembers, uint64(c))
	}
	if o.first = d.groups().first; o.first != nil {
		return o, nil
	}
	o.members = make([]uint32, in.Len())
	next := slices.Clone(o.starts)
	for i := range o.members {
		sample := in.At(0, int64(i))
		c := d.group(sample)
		o.members[next[c]] = uint32(sample)
		next[c]++
	}
	return o, nil
}

// progress is that of the schedule; in a run of unknown length that of one epoch.
func (r Rebalance) progress() longtail.Progress { return r.Schedule.progress(max(1, r.epochs)) }

type rebalanced struct {
	in      Order
	first   []int64   // of each class in in, where they follow each other there
	members []uint32  // else: samples, class after class
	starts  []int     // of each class in members, and the end
	keys    []RandKey // of each class's permutations
	quotas  *longtail.Quotas
	slots   *perm.Series // position -> slot
}

func (o *rebalanced) Len() int64 { return o.quotas.Draws() }

func (o *rebalanced) At(epoch int, position int64) int {
	slot := o.slots.At(uint64(epoch), uint64(position))
	class, use := o.quotas.Epoch(epoch).Slot(int64(slot))
	n := uint64(o.starts[class+1] - o.starts[class])
	round := perm.New(n, o.keys[class], uint64(use)/n)
	member := round.At(uint64(use) % n)
	if o.first != nil {
		return o.in.At(0, o.first[class]+int64(member))
	}
	return int(o.members[o.starts[class]+int(member)])
}
