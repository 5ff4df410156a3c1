package flow

import (
	"container/heap"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// Repeats declares which samples of a foreign source come more than once: a sample of a class
// that a share f of the samples has comes max(1, (Threshold/f)^Power) times on average, of
// several classes by the rarest (LVIS's repeat factors). For a Threshold of the largest
// class's share and a Power of 1 all classes come equally often.
type Repeats struct {
	Task      string           // of the plan, or boxes; "": the only one
	Threshold float64          // a share of the samples, above 0, at most 1
	Power     float64          // above 0, at most 1; 0: 1/2
	Counts    map[string]int64 // samples that have each class, which without one is never repeated; nil: learnt from those that come
	Samples   int64            // of which Counts tells; 0: the sum of Counts
	KeepBytes int64            // of encoded samples that are kept to be repeated; 0: 256 MiB
	State     *RepeatState     // to go on from; nil: from the start
}

// RepeatState is what a Repeater has counted, by class number. It has no samples: those that
// come after it are repeated for those before.
type RepeatState = longtail.RepeatState

// Repeater is a streams.Flow that takes samples, as Read does, and gives each of them once,
// and those of rare classes again later, while others come. What is repeated are encoded
// samples, so each repeat is decoded and augmented anew, and no picture is made in vain.
//
// What holds is less than for a source with an index, whose rebalance is exact in every epoch.
// The number of repeats of a class is that which the factors of its samples ask for, to less
// than one, by the end of the stream; before, repeats are behind. Factors are those of the
// declared counts; where counts are learnt, those of the stream so far, so that a class that
// first comes late is repeated more often than its share of the whole asks for, and one of the
// first samples less. Of the samples of a class that are kept, that which was repeated least
// comes next; of more than KeepBytes, those of the classes that hold most are given up. All of
// it depends on the order of the samples alone.
type Repeater struct {
	ports
	plan    *Plan
	task    schema.Several // of several classes
	number  int            // of a task with one class; -1: of several
	columns int            // number of the column with several labels; -1: none
	limit   int64

	mu    sync.Mutex
	count *longtail.Repeats

	kept   []keptSamples // by class
	given  int64         // samples, for keptSample.number
	held   []int64       // bytes, by class
	bytes  int64
	labels []int32 // working space
}

type keptSample struct {
	element      any
	bytes        int64
	uses, number int64
}

// keptSamples is a heap: in front is that which was repeated least, of several the oldest.
type keptSamples []keptSample

func (k keptSamples) Len() int      { return len(k) }
func (k keptSamples) Swap(i, j int) { k[i], k[j] = k[j], k[i] }

func (k keptSamples) Less(i, j int) bool {
	return k[i].uses < k[j].uses || k[i].uses == k[j].uses && k[i].number < k[j].number
}

func (k *keptSamples) Push(x any) { *k = append(*k, x.(keptSample)) }

func (k *keptSamples) Pop() any {
	last := (*k)[len(*k)-1]
	(*k)[len(*k)-1] = keptSample{}
	*k = (*k)[:len(*k)-1]
	return last
}

const keepBytes = 256 << 20

// State is what has been counted so far.
func (f *Repeater) State() RepeatState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count.Clone()
}

func newRepeater(p *Plan, declared Repeats) (*Repeater, error) {
	f := &Repeater{ports: newPorts(), plan: p, columns: -1, limit: declared.KeepBytes}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("flow: repeats: "+format, args...)) }
	share := func(x float64) bool { return x > 0 && x <= 1 }
	if !share(declared.Threshold) {
		bad("threshold: %v is not a share of the samples, above 0 and at most 1", declared.Threshold)
	}
	if declared.Power == 0 {
		declared.Power = 0.5
	}
	if !share(declared.Power) {
		bad("power: %v is not above 0 and at most 1", declared.Power)
	}
	if f.limit == 0 {
		f.limit = keepBytes
	}
	if f.limit < 0 || declared.Samples < 0 {
		bad("negative numbers: KeepBytes %d, Samples %d", declared.KeepBytes, declared.Samples)
	}
	task, err := f.findTask(declared.Task)
	if err != nil {
		return nil, errors.Join(append(errs, err)...)
	}
	counts, err := declaredCounts(task, declared.Counts)
	errs = append(errs, err)
	samples := int64(0)
	for _, n := range counts {
		samples += n
	}
	classes := len(task.Classes)
	if declared.Samples > 0 {
		samples = declared.Samples
		for c, n := range counts {
			if n > samples {
				bad("samples: %d in all, and class %q has %d of them", samples, task.Classes[c], n)
			}
		}
	}
	state := RepeatState{Counts: make([]int64, classes), Owed: make([]int64, classes), Paid: make([]int64, classes)}
	if declared.State != nil {
		state = *declared.State
		if err := state.Check(classes); err != nil {
			bad("%v", err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	f.count = longtail.NewRepeats(declared.Threshold, declared.Power, counts, samples, state)
	f.kept, f.held = make([]keptSamples, classes), make([]int64, classes)
	return f, nil
}

// findTask sets the task whose classes count.
func (f *Repeater) findTask(name string) (schema.Task, error) {
	tasks, several := f.plan.info.Tasks, schema.SeveralOf(f.plan.Index())
	if number, ok := schema.TaskNumber(tasks, name); ok {
		f.number = number
		return tasks[number], nil
	}
	f.number = -1
	var names []string
	for _, t := range tasks {
		names = append(names, t.Name)
	}
	for _, t := range several {
		if t.Name == name || name == "" && len(tasks) == 0 && len(several) == 1 {
			f.task, f.columns = t, schema.MultiColumn(f.plan.Index().Columns(), t.Name)
			return t.Task, nil
		}
		names = append(names, t.Name)
	}
	return schema.Task{}, fmt.Errorf("flow: repeats: task: want one of %s, have %q", phrase.List(names), name)
}

// declaredCounts are counts in class order; nil where none are declared.
func declaredCounts(task schema.Task, named map[string]int64) ([]int64, error) {
	if named == nil {
		return nil, nil
	}
	var errs []error
	counts := make([]int64, len(task.Classes))
	for _, name := range slices.Sorted(maps.Keys(named)) {
		class := slices.Index(task.Classes, name)
		switch {
		case class < 0:
			errs = append(errs, fmt.Errorf("flow: repeats: counts: unknown class %q of task %s%s (classes: %s)", name, task.Name, options.DidYouMean(options.Nearest(name, task.Classes)), phrase.List(task.Classes)))
		case named[name] < 1 || named[name] > math.MaxInt32*1000:
			errs = append(errs, fmt.Errorf("flow: repeats: counts: class %q has %d samples: want at least 1", name, named[name]))
		default:
			counts[class] = named[name]
		}
	}
	return counts, errors.Join(errs...)
}

// run takes samples until there are no more, or the run ends.
func (f *Repeater) run(r *run) {
	defer close(f.out)
	for element := range fromAnyone(r.ctx, f.inlet, new(busy)) {
		if r.stopped() {
			continue // drain
		}
		r.failOn(guard("source", func() error { // its index may be user code
			sample, err := r.plan.rows.checkSample(element)
			if err == nil {
				f.add(element, &sample)
			}
			return err
		}))
		f.give(r, element)
		f.pay(r, false)
	}
	f.pay(r, true)
}

// add counts a sample, and keeps it where it is to be repeated.
func (f *Repeater) add(element any, sample *Sample) {
	f.mu.Lock()
	defer f.mu.Unlock()
	class := f.count.Add(f.classes(sample))
	if class < 0 {
		return
	}
	f.given++
	k := keptSample{element: element, bytes: keptBytes(sample), number: f.given}
	heap.Push(&f.kept[class], k)
	f.held[class] += k.bytes
	f.bytes += k.bytes
	for f.bytes > f.limit {
		f.forget()
	}
}

// keptBytes is about what a sample takes: its picture, its mask and its objects.
func keptBytes(s *Sample) int64 {
	const key = 100
	n := int64(len(s.Data)) + key
	if s.Targets == nil {
		return n
	}
	n += int64(len(s.Targets.Mask))
	for i := range s.Targets.Objects {
		n += s.Targets.Objects[i].Bytes()
	}
	return n
}

// classes are those of a sample, each once, in the working space.
func (f *Repeater) classes(sample *Sample) []int32 {
	f.labels = f.labels[:0]
	add := func(c int32) {
		if c >= 0 && int(c) < len(f.count.Counts) && !slices.Contains(f.labels, c) {
			f.labels = append(f.labels, c)
		}
	}
	number, own := f.plan.Index().Find(sample.Key)
	switch {
	case sample.Data == nil && own && f.number >= 0:
		add(f.plan.Index().Label(f.number, number))
	case sample.Data == nil && own:
		f.task.Each(number, add)
	case f.number >= 0 && sample.Labels != nil:
		add(sample.Labels[f.number])
	case f.number >= 0:
	case f.columns >= 0 && sample.Values != nil:
		list, _ := schema.MultiValue(sample.Values[f.columns])
		for _, c := range list {
			add(c)
		}
	case f.columns < 0 && sample.Targets != nil:
		for i := range sample.Targets.Objects {
			add(sample.Targets.Objects[i].Label)
		}
	}
	return f.labels
}

// forget gives up a sample of the class that holds most: one at the heap's end.
func (f *Repeater) forget() {
	class := 0
	for c := range f.held {
		if f.held[c] > f.held[class] {
			class = c
		}
	}
	gone := f.kept[class].Pop().(keptSample) // what is left is a heap, without its last leaf
	f.held[class] -= gone.bytes
	f.bytes -= gone.bytes
}

// pay gives the repeats that are due now; final: all.
func (f *Repeater) pay(r *run, final bool) {
	for !r.stopped() {
		f.mu.Lock()
		class, ok := f.count.Pay(final, func(class int) bool { return len(f.kept[class]) > 0 })
		var element any
		if ok {
			first := &f.kept[class][0]
			first.uses++
			element = first.element
			heap.Fix(&f.kept[class], 0)
		}
		f.mu.Unlock()
		if !ok {
			return
		}
		f.give(r, element)
	}
}

// give hands an element on, unless the run ends first.
func (f *Repeater) give(r *run, element any) {
	select {
	case f.out <- element:
	case <-r.ctx.Done():
	}
}
