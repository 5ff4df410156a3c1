package flow

import (
	"slices"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/schema"
)

// ledger counts exposure by task, class and span of epochs: O(classes) memory, and two bits
// per sample.
type ledger struct {
	tasks   []schema.Task // of one label, then those of several
	single  int           // how many there are of one label
	several []schema.Several
	stages  []string  // that have conditions or a strength
	samples [][]int64 // of each task and class, that the run draws from; unknown last
	seen    []uint64  // bit per sample: delivered in this run
	inSpan  []uint64  // the same, in the span under way
	resumed *sums     // of the run that was resumed; nil: none, or it had no ledger
	closed  *sums     // of the spans that have ended
	spans   []*span   // the last one is under way
	width   int       // epochs in a span
	objects objectLedger
}

// span is the exposure in some epochs.
type span struct {
	first, past int
	sums        *sums
}

// sums are what is added up.
type sums struct {
	by     [][]sum // task and class, the unknown class last
	weight float64 // of all delivered rows
}

// sum is what is added up of one class. Repeats and means follow from it.
type sum struct {
	Exposure
	firsts   int64 // samples that are delivered for the first time in the run
	weight   float64
	strength []float64 // by stage
}

// mostCells bounds the memory of spans: with more classes times epochs, several epochs make one.
const mostCells = 1 << 14

func newLedger(p *Plan) *ledger {
	bits := (p.Index().Len() + 63) / 64
	l := &ledger{seen: make([]uint64, bits), inSpan: make([]uint64, bits), several: schema.SeveralOf(p.Index()), single: len(p.info.Tasks), width: 1}
	if p.info.Targets != nil {
		l.objects = make(objectLedger, len(p.info.Targets.Classes))
	}
	for i := range p.steps {
		if s := &p.steps[i]; s.rules != nil && s.isPicture() {
			l.stages = append(l.stages, s.name)
		}
	}
	for t, task := range p.info.Tasks {
		l.tasks = append(l.tasks, task)
		l.samples = append(l.samples, p.info.Counts[t])
	}
	for _, t := range l.several {
		counts := make([]int64, len(t.Classes)+1)
		for _, sample := range p.sampling.selection {
			t.Each(sample, func(class int32) { counts[class]++ })
		}
		l.tasks, l.samples = append(l.tasks, t.Task), append(l.samples, counts)
	}
	l.closed = l.empty()
	if epochs := p.settings.Epochs; epochs != Endless {
		l.width = (epochs + l.most() - 1) / l.most()
	}
	return l
}

// most is the number of spans that are kept.
func (l *ledger) most() int {
	classes := 1
	for _, counts := range l.samples {
		classes += len(counts)
	}
	return max(4, mostCells/classes)
}

func (l *ledger) empty() *sums {
	s := &sums{by: make([][]sum, len(l.samples))}
	for t := range s.by {
		s.by[t] = make([]sum, len(l.samples[t]))
		if len(l.stages) > 0 {
			all := make([]float64, len(s.by[t])*len(l.stages))
			for c := range s.by[t] {
				s.by[t][c].strength = all[c*len(l.stages) : (c+1)*len(l.stages)]
			}
		}
	}
	return s
}

// at is the span of an epoch, which isn't before that of the last call.
func (l *ledger) at(epoch int) *sums {
	if n := len(l.spans); n > 0 {
		if last := l.spans[n-1]; epoch < last.past {
			return last.sums
		}
		l.closed.add(l.spans[n-1].sums)
	}
	if len(l.spans) == l.most() { // of a run without an end
		l.merge()
	}
	first := epoch / l.width * l.width
	clear(l.inSpan)
	l.spans = append(l.spans, &span{first, first + l.width, l.empty()})
	return l.spans[len(l.spans)-1].sums
}

// merge makes spans of twice as many epochs, two by two. Of the samples in two spans the
// closed form says how many there are in both together.
func (l *ledger) merge() {
	l.width *= 2
	var list []*span
	for _, s := range l.spans {
		if n := len(list); n > 0 && list[n-1].first/l.width == s.first/l.width {
			list[n-1].sums.add(s.sums)
			l.limitDistinct(list[n-1].sums)
			continue
		}
		first := s.first / l.width * l.width
		list = append(list, &span{first, first + l.width, s.sums})
	}
	l.spans = list
}

func (s *sums) add(other *sums) {
	s.weight += other.weight
	for t := range s.by {
		for c := range s.by[t] {
			a, b := &s.by[t][c], &other.by[t][c]
			a.Quota += b.Quota
			a.Drawn += b.Drawn
			a.Delivered += b.Delivered
			a.Failed += b.Failed
			a.Refilled += b.Refilled
			a.Filled += b.Filled
			a.Distinct += b.Distinct
			a.firsts += b.firsts
			a.weight += b.weight
			for i, f := range b.strength {
				a.strength[i] += f
			}
		}
	}
}

// limitDistinct: a class has no more distinct samples than samples. Where all of them are used
// equally often, the sum of distinct samples in two runs of draws, limited so, is exact.
func (l *ledger) limitDistinct(s *sums) {
	for t := range s.by {
		for c := range s.by[t] {
			s.by[t][c].Distinct = min(s.by[t][c].Distinct, l.samples[t][c])
		}
	}
}

// add counts the draws of a batch that the sink has taken.
func (l *ledger) add(epoch int, draws []outcome) {
	s := l.at(epoch)
	for i := range draws {
		d := &draws[i]
		for _, f := range d.failures {
			l.each(s, f.labels, f.read.Sample, func(x *sum) { x.Drawn++ })
		}
		l.each(s, d.planned, d.given, func(x *sum) {
			x.Quota++
			switch {
			case d.lost:
				x.Failed++
			case len(d.failures) > 0:
				x.Refilled++
			}
		})
		if d.lost {
			continue
		}
		l.objects.add(d.fates)
		s.weight += float64(d.weight)
		if l.seen != nil { // else the ledger is late, and another has found that
			d.first, d.fresh = mark(l.seen, d.sample), mark(l.inSpan, d.sample)
		}
		l.each(s, d.labels, d.sample, func(x *sum) {
			x.Drawn++
			x.Delivered++
			x.weight += float64(d.weight)
			for i, f := range d.strengths {
				x.strength[i] += f
			}
			if d.filled != "" {
				x.Filled++
			}
			if d.fresh {
				x.Distinct++
			}
			if d.first {
				x.firsts++
			}
		})
	}
}

// mark notes a sample, and tells whether it is new. -1 is none.
func mark(bits []uint64, sample int) (fresh bool) {
	if sample < 0 || bits[sample/64]>>(sample%64)&1 == 1 {
		return false
	}
	bits[sample/64] |= 1 << (sample % 64)
	return true
}

// each counts a sample, given its labels and its number, for every class that it has.
func (l *ledger) each(s *sums, labels []int32, sample int, count func(*sum)) {
	for t, label := range labels {
		if label == schema.Unknown {
			label = int32(len(s.by[t]) - 1)
		}
		count(&s.by[t][label])
	}
	for t := range l.several {
		if sample >= 0 {
			l.several[t].Each(sample, func(c int32) { count(&s.by[l.single+t][c]) })
		}
	}
}

// whole is the sums of all epochs, with those of the run that was resumed.
func (l *ledger) whole() *sums {
	s := l.empty()
	s.add(l.closed)
	if n := len(l.spans); n > 0 {
		s.add(l.spans[n-1].sums)
	}
	for t := range s.by {
		for c := range s.by[t] {
			s.by[t][c].Distinct = s.by[t][c].firsts
		}
	}
	if l.resumed != nil {
		s.add(l.resumed)
		l.limitDistinct(s)
	}
	return s
}

// exposure is a class's sums, with what follows from them. all is the weight of all rows.
func (l *ledger) exposure(x *sum, samples int64, all float64) Exposure {
	out := x.Exposure
	out.Samples, out.Repeats = samples, x.Delivered-x.Distinct
	if n := float64(x.Delivered); n > 0 {
		out.Weight = x.weight / n
		if all > 0 {
			out.WeightShare = x.weight / all
		}
		for i, stage := range l.stages {
			if out.Strength == nil {
				out.Strength = map[string]float64{}
			}
			out.Strength[stage] = x.strength[i] / n
		}
	}
	return out
}

// named is sums by the names of tasks and classes: of the tasks of one label, and of those of
// several, nil without any. Classes without a draw are in it, an unknown label ("") only where
// there is one.
func (l *ledger) named(s *sums) (one, several map[string]map[string]Exposure) {
	one = map[string]map[string]Exposure{}
	for t, task := range l.tasks {
		classes := map[string]Exposure{}
		for c := range s.by[t] {
			x := &s.by[t][c]
			if c < len(task.Classes) {
				classes[task.Classes[c]] = l.exposure(x, l.samples[t][c], s.weight)
			} else if x.Quota > 0 || x.Drawn > 0 {
				classes[""] = l.exposure(x, l.samples[t][c], s.weight)
			}
		}
		switch {
		case t < l.single:
			one[task.Name] = classes
		case several == nil:
			several = map[string]map[string]Exposure{task.Name: classes}
		default:
			several[task.Name] = classes
		}
	}
	return one, several
}

// byEpochs is the exposure in each span.
func (l *ledger) byEpochs() (list []EpochExposure) {
	for _, s := range l.spans {
		e := EpochExposure{Epochs: [2]int{s.first, s.past}}
		e.Ledger, e.Images = l.named(s.sums)
		list = append(list, e)
	}
	return list
}

// ledgerColumns are what a state has of each class, before the strengths.
var ledgerColumns = []string{"quota", "drawn", "delivered", "failed", "refilled", "filled", "distinct", "weight"}

// state is the ledger as a state has it; nil with many classes, as states are written often.
func (l *ledger) state() *StateLedger {
	classes := 0
	for _, counts := range l.samples {
		classes += len(counts)
	}
	if classes == 0 || classes > mostStateClasses {
		return nil
	}
	out := &StateLedger{Columns: append(slices.Clone(ledgerColumns), l.stages...), Tasks: map[string][][]float64{}, Samples: map[string][]int64{}}
	if len(l.tasks) > l.single {
		out.Several = l.tasks[l.single:]
	}
	parts := []*sums{l.closed}
	if n := len(l.spans); n > 0 {
		parts = append(parts, l.spans[n-1].sums)
	}
	if l.resumed != nil {
		parts = append(parts, l.resumed)
	}
	for _, part := range parts {
		out.Weight += part.weight
	}
	width := len(out.Columns)
	for t, task := range l.tasks {
		all, rows := make([]float64, len(l.samples[t])*width), make([][]float64, len(l.samples[t]))
		for c := range rows {
			row := all[c*width : (c+1)*width : (c+1)*width]
			for _, part := range parts {
				x := &part.by[t][c]
				if x.Quota|x.Drawn == 0 { // it had no draw
					continue
				}
				distinct := x.firsts
				if part == l.resumed {
					distinct = x.Distinct
				}
				row[0] += float64(x.Quota)
				row[1] += float64(x.Drawn)
				row[2] += float64(x.Delivered)
				row[3] += float64(x.Failed)
				row[4] += float64(x.Refilled)
				row[5] += float64(x.Filled)
				row[6] += float64(distinct)
				row[7] += x.weight
				for i, f := range x.strength {
					row[8+i] += f
				}
			}
			if l.resumed != nil {
				row[6] = min(row[6], float64(l.samples[t][c]))
			}
			rows[c] = row
		}
		out.Tasks[task.Name], out.Samples[task.Name] = rows, l.samples[t]
	}
	return out
}

// resume goes on with the ledger of a state. One of other classes or stages is none: there, the
// ledger begins with the run.
func (l *ledger) resume(from *StateLedger) {
	if from == nil || !slices.Equal(from.Columns, append(slices.Clone(ledgerColumns), l.stages...)) {
		return
	}
	s := l.empty()
	s.weight = from.Weight
	for t, task := range l.tasks {
		rows := from.Tasks[task.Name]
		if len(rows) != len(s.by[t]) {
			return
		}
		for c, row := range rows {
			if len(row) != len(from.Columns) {
				return
			}
			x := &s.by[t][c]
			for i, n := range []*int64{&x.Quota, &x.Drawn, &x.Delivered, &x.Failed, &x.Refilled, &x.Filled, &x.Distinct} {
				*n = int64(row[i])
			}
			x.weight = row[7]
			copy(x.strength, row[8:])
		}
	}
	l.resumed = s
}

// objectLedger counts objects by class.
type objectLedger []ObjectExposure

func (l objectLedger) add(fates []picture.Fate) {
	for _, f := range fates {
		x := &l[f.Label]
		x.Seen++
		if f.Pasted {
			x.Pasted++
		}
		switch f.What {
		case picture.Clipped:
			x.Clipped++
			x.Delivered++
		case picture.Whole:
			x.Delivered++
		default:
			if x.Dropped == nil {
				x.Dropped = map[string]int64{}
			}
			x.Dropped[f.What]++
		}
	}
}

// report is the ledger by names.
func (l objectLedger) report(spec *schema.TargetSpec) map[string]ObjectExposure {
	if !spec.Objects() {
		return nil
	}
	out := map[string]ObjectExposure{}
	for c, name := range spec.Classes {
		x := l[c]
		if x.Dropped == nil {
			x.Dropped = map[string]int64{}
		}
		out[name] = x
	}
	return out
}
