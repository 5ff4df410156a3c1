package stages

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/schema"
)

// division is how Rebalance divides the draws of an epoch among groups of samples, which
// are the tuples of labels that occur.
type division struct {
	index  schema.Index // with the rarest classes as labels of a task, where those are balanced
	rarest *withRarest  // nil: samples have one class
	tasks  []int
	target target
	from   *target // of the first epochs, where there is a schedule
	levels []level
	group  func(sample int) int // of the last level
	tree   longtail.Division
	draws  int64
}

func (d *division) task(number int) schema.Task { return d.index.Tasks()[number] }

// groups are those that are drawn from.
func (d *division) groups() *level { return &d.levels[len(d.levels)-1] }

// divide looks at every sample's labels.
func (r Rebalance) divide(in Order, index schema.Index) (*division, error) {
	to, err := r.Target.read()
	if err != nil {
		return nil, errorf("target", "%v", err)
	}
	d := &division{index: index, target: to}
	if err := d.setTasks(r, in); err != nil {
		return nil, err
	}
	d.group, d.levels = groupBy(in, d.index, d.tasks)
	if l := d.groups(); d.rarest != nil {
		for g, label := range l.labels {
			n := l.counts[g]
			if label != schema.Unknown {
				n = d.rarest.having[label]
			}
			l.having = append(l.having, n)
		}
	}
	if in.Len() == 0 {
		return d, nil
	}
	if !r.Schedule.IsZero() {
		from, err := r.Schedule.from().read()
		if err != nil {
			return nil, errorf("schedule", "from: %v", err)
		}
		d.from = &from
	}
	total, err := d.split(r.Power)
	if err != nil {
		return nil, err
	}
	d.draws, err = d.length(r, in.Len(), total)
	return d, err
}

// Divide tells which samples are drawn alike, and how often.
func (r Rebalance) Divide(in Selection, index schema.Index) (*Groups, error) {
	d, err := r.divide(in, index)
	if err != nil {
		return nil, err
	}
	counts := d.groups().counts
	progress := r.progress()
	return &Groups{Of: d.group, Count: len(counts), Draws: func(epoch int) []float64 {
		part, whole := progress(epoch)
		each := due(d.tree, float64(d.draws), float64(part)/float64(whole), nil)
		for g, n := range counts {
			each[g] /= float64(n)
		}
		return each
	}}, nil
}

// due appends the draws that each leaf of a tree is due of some, where progress of its change
// is done.
func due(tree longtail.Division, draws, progress float64, each []float64) []float64 {
	proportions := func(shares []int64) []float64 {
		sum, list := 0.0, make([]float64, len(shares))
		for _, s := range shares {
			sum += float64(s)
		}
		for i, s := range shares {
			list[i] = float64(s) / max(sum, 1)
		}
		return list
	}
	shares := proportions(tree.Shares)
	if tree.From != nil {
		for i, f := range proportions(tree.From) {
			shares[i] = (1-progress)*f + progress*shares[i]
		}
	}
	for i, s := range shares {
		if tree.Parts == nil {
			each = append(each, draws*s)
		} else {
			each = due(tree.Parts[i], draws*s, progress, each)
		}
	}
	return each
}

// length is the number of draws of an epoch. total is the sum of the repeat factors, 0 for
// other targets.
func (d *division) length(r Rebalance, samples int64, total float64) (int64, error) {
	draws := float64(samples)
	switch {
	case r.Draws > 0:
		return r.Draws, nil
	case d.target.draws() > 0:
		return d.target.draws(), nil
	case r.Multiple > 0:
		draws = max(1, math.Floor(r.Multiple*float64(samples)+0.5))
	case r.Cover == CoverLargest:
		return d.covering()
	case total > 0:
		draws = math.Floor(total + 0.5)
	}
	if draws > maxDraws {
		return 0, errorf(r.lastLength(), "an epoch would have %.4g draws, which is more than 2^40: give fewer", draws)
	}
	return int64(draws), nil
}

// covering is the fewest draws of which the largest group with a share has as many as it
// has samples.
func (d *division) covering() (int64, error) {
	largest, sum := -1, uint64(0)
	for g, s := range d.tree.Shares {
		if sum += uint64(s); s > 0 && (largest < 0 || d.groups().counts[g] > d.groups().counts[largest]) {
			largest = g
		}
	}
	share := uint64(d.tree.Shares[largest])
	hi, lo := bits.Mul64(uint64(d.groups().counts[largest]), sum)
	if hi >= share {
		return 0, errorf("cover", "the largest class has so small a share of the draws that an epoch would have more than 2^40: give draws")
	}
	draws, rest := bits.Div64(hi, lo, share)
	if rest > 0 {
		draws++
	}
	if draws > maxDraws {
		return 0, errorf("cover", "an epoch would have %d draws, which is more than 2^40: give draws", draws)
	}
	return int64(draws), nil
}

// split sets the tree. total is the sum of the repeat factors of all samples, where these
// are the target of the first task.
func (d *division) split(power float64) (total float64, err error) {
	index, tasks, levels := d.index, d.tasks, d.levels
	perTask := d.target.perTask(len(tasks))
	if perTask == nil {
		d.tree.Shares, total = d.groups().shares(d.target, power, 0, len(d.groups().counts))
		if d.from != nil {
			d.tree.From, _ = d.groups().shares(*d.from, power, 0, len(d.groups().counts))
		}
		d.tree.Timely = d.from == nil && (d.target.rule == repeatFactor || d.target.rule == effectiveNumber)
		return total, nil
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
			having := have
			if d.rarest != nil {
				having = d.rarest.having
			}
			byLabel[i], err = perTask[i].byLabel(index.Tasks()[task], have, having)
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	// groups is the division among the groups first to end-1 of a level, which are those
	// within one group of the level before.
	var groups func(i, first, end int, drawn bool) longtail.Division
	groups = func(i, first, end int, drawn bool) longtail.Division {
		l := levels[i]
		node := longtail.Division{Shares: make([]int64, end-first)}
		if byLabel[i] == nil {
			sum := 0.0
			node.Shares, sum = l.shares(perTask[i], power, first, end)
			if i == 0 {
				total = sum
			}
		} else {
			for g := first; g < end; g++ {
				if label := l.labels[g]; label != schema.Unknown {
					node.Shares[g-first] = byLabel[i][label]
				}
			}
		}
		if d.from != nil {
			node.From, _ = l.shares(*d.from, power, first, end)
			for g, s := range node.Shares {
				if s == 0 { // what has no share is left out of all epochs
					node.From[g] = 0
				}
			}
		}
		if drawn && !slices.ContainsFunc(node.Shares, func(s int64) bool { return s > 0 }) {
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
				node.Parts = append(node.Parts, groups(i+1, at, next, drawn && node.Shares[g-first] > 0))
				at = next
			}
		}
		return node
	}
	d.tree = groups(0, 0, len(levels[0].counts), true)
	return total, errors.Join(errs...)
}

// shares are integers s_g of the groups first to end-1 by a rule; p_g is s_g over their sum.
// total is the sum of the repeat factors of their samples, 0 by other rules.
func (l *level) shares(to target, power float64, first, end int) (shares []int64, total float64) {
	counts := l.counts[first:end]
	if l.having == nil {
		switch to.rule {
		case Instance:
			return longtail.Instance(counts), 0
		case SquareRoot:
			return longtail.SquareRoot(counts), 0
		case Power:
			return longtail.Power(counts, power), 0
		case ClassBalanced:
			return longtail.ClassBalanced(counts), 0
		}
	}
	having, all := l.samples()[first:end], int64(0)
	for _, n := range counts {
		all += n
	}
	each := make([]float64, len(counts))
	for g, n := range having {
		each[g] = to.perSample(power, n, all)
		if to.rule == repeatFactor && l.labels[first+g] == schema.Unknown {
			each[g] = 1
		}
	}
	shares, total = longtail.Weighted(counts, each)
	if to.rule != repeatFactor {
		total = 0
	}
	return shares, total
}

// perSample is how often a sample of a class that n of all samples have is drawn by a rule, but
// for a factor.
func (t target) perSample(power float64, n, all int64) float64 {
	x := float64(n)
	switch t.rule {
	case repeatFactor:
		return longtail.RepeatFactor(n, all, t.threshold, t.power)
	case effectiveNumber:
		return longtail.PerEffective(n, t.beta)
	case ClassBalanced:
		return 1 / x
	case SquareRoot:
		return 1 / math.Sqrt(x)
	case Power:
		return 1 / detmath.Pow(x, 1-power)
	}
	return 1
}

// level is the tuples of labels in the first of several tasks that occur, in the order
// of their class numbers, unknown ones last.
type level struct {
	counts  []int64 // samples of each tuple
	having  []int64 // samples that have the class, where counts are those of which it is the rarest; nil: counts
	first   []int64 // where each tuple begins, if its samples follow each other, as those of folders do; nil: they don't
	parents []int   // the tuple of the level before
	labels  []int32 // in the level's task
}

// samples are those that have the class of each group.
func (l *level) samples() []int64 {
	if l.having != nil {
		return l.having
	}
	return l.counts
}

// groupBy numbers the label tuples that occur, level by level. class is the tuple of a
// sample.
func groupBy(in Order, index schema.Index, tasks []int) (class func(sample int) int, levels []level) {
	var group func(sample int) int // of the tasks before; nil: all are one
	groups := 1
	for _, task := range tasks { // refines them
		classes, before := len(index.Tasks()[task].Classes), group
		refined := func(sample int) int {
			label := int(index.Label(task, sample))
			if label == int(schema.Unknown) {
				label = classes
			}
			if before == nil {
				return label
			}
			return before(sample)*(classes+1) + label
		}
		number, tuples, l := numberTuples(in.Len(), groups*(classes+1), func(i int64) int { return refined(in.At(0, i)) })
		l.parents, l.labels = make([]int, len(tuples)), make([]int32, len(tuples))
		for g, t := range tuples {
			l.parents[g], l.labels[g] = t/(classes+1), int32(t%(classes+1))
			if int(l.labels[g]) == classes {
				l.labels[g] = schema.Unknown
			}
		}
		levels, groups = append(levels, l), len(tuples)
		group = func(sample int) int { return number(refined(sample)) }
	}
	return group, levels
}

// numberTuples numbers those of the tuples 0..size-1 that n samples have, in rising order, and
// lists them. It asks for every sample's tuple once, in their order.
func numberTuples(n int64, size int, tuple func(i int64) int) (number func(tuple int) int, tuples []int, l level) {
	dense := size <= max(int(n), 1<<20) // else several tasks of many classes: few of the tuples occur
	var occur, begin []int64
	sparse := map[int][2]int64{}
	if dense {
		occur, begin = make([]int64, size), make([]int64, size)
	}
	inARow := true // no tuple comes again after another
	count := func(t int, from, past int64) {
		if dense {
			if occur[t] == 0 {
				begin[t] = from
			} else {
				inARow = false
			}
			occur[t] += past - from
			return
		}
		had, again := sparse[t]
		if !again {
			had[1] = from
		}
		inARow = inARow && !again
		sparse[t] = [2]int64{had[0] + past - from, had[1]}
	}
	last, from := -1, int64(0)
	for i := range n {
		if t := tuple(i); t != last {
			if last >= 0 {
				count(last, from, i)
			}
			last, from = t, i
		}
	}
	if last >= 0 {
		count(last, from, n)
	}
	if !dense {
		numbers := make(map[int]int, len(sparse))
		tuples = slices.Sorted(maps.Keys(sparse))
		for i, t := range tuples {
			numbers[t] = i
			l.counts, l.first = append(l.counts, sparse[t][0]), append(l.first, sparse[t][1])
		}
		number = func(t int) int { return numbers[t] }
	} else {
		numbers := make([]int32, size)
		for t, n := range occur {
			if n > 0 {
				numbers[t] = int32(len(tuples))
				tuples, l.counts, l.first = append(tuples, t), append(l.counts, n), append(l.first, begin[t])
			}
		}
		number = func(t int) int { return int(numbers[t]) }
	}
	if !inARow {
		l.first = nil
	}
	return number, tuples, l
}
