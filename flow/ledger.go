package flow

import (
	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/schema"
)

// ledger counts exposure by task and class, in O(classes) memory and one bit
// per sample.
type ledger struct {
	seen    []uint64     // bit per sample: delivered in this run
	rows    [][]Exposure // [task][class], unknown last
	several []schema.Several
	images  [][]Exposure // [of several][class]
	weight  float64      // of all delivered rows; Exposure.Weight is a sum until the report
	objects objectLedger
}

func newLedger(p *Plan) *ledger {
	l := &ledger{seen: make([]uint64, (p.Index().Len()+63)/64)}
	if p.info.Targets != nil {
		l.objects = make(objectLedger, len(p.info.Targets.Classes))
	}
	for _, t := range p.info.Tasks {
		l.rows = append(l.rows, make([]Exposure, len(t.Classes)+1))
	}
	l.several = schema.SeveralOf(p.Index())
	for _, t := range l.several {
		l.images = append(l.images, make([]Exposure, len(t.Classes)))
	}
	return l
}

// add counts the draws of a batch that the sink has taken.
func (l *ledger) add(draws []outcome) {
	for i := range draws {
		d := &draws[i]
		for _, f := range d.failures {
			l.each(f.labels, f.read.Sample, func(x *Exposure) { x.Drawn++ })
		}
		l.each(d.planned, d.given, func(x *Exposure) {
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
		fresh := d.sample >= 0 && l.seen[d.sample/64]>>(d.sample%64)&1 == 0
		if fresh {
			l.seen[d.sample/64] |= 1 << (d.sample % 64)
		}
		l.weight += float64(d.weight)
		l.each(d.labels, d.sample, func(x *Exposure) {
			x.Weight += float64(d.weight)
			x.Drawn++
			x.Delivered++
			if d.filled != "" {
				x.Filled++
			}
			if fresh {
				x.Distinct++
			}
		})
	}
}

// each counts a sample, given its labels and its number, for every class that it has.
func (l *ledger) each(labels []int32, sample int, count func(*Exposure)) {
	for t, label := range labels {
		if label == schema.Unknown {
			label = int32(len(l.rows[t]) - 1)
		}
		count(&l.rows[t][label])
	}
	for t := range l.several {
		if sample >= 0 {
			l.several[t].Each(sample, func(c int32) { count(&l.images[t][c]) })
		}
	}
}

// report is the ledger by names; classes without a draw are in it, an unknown
// label ("") only where there is one.
func (l *ledger) report(tasks []schema.Task) map[string]map[string]Exposure {
	out := map[string]map[string]Exposure{}
	for t, task := range tasks {
		classes := map[string]Exposure{}
		for c, x := range l.rows[t] {
			l.finish(&x)
			if c < len(task.Classes) {
				classes[task.Classes[c]] = x
			} else if x != (Exposure{}) {
				classes[""] = x
			}
		}
		out[task.Name] = classes
	}
	return out
}

// finish computes what follows from the counts.
func (l *ledger) finish(x *Exposure) {
	x.Repeats = x.Delivered - x.Distinct
	if l.weight > 0 {
		x.WeightShare = x.Weight / l.weight
	}
	x.Weight /= float64(max(x.Delivered, 1))
}

// imagesReport is the ledger of tasks of several classes, by names; nil: there is none.
func (l *ledger) imagesReport() (out map[string]map[string]Exposure) {
	for t := range l.several {
		classes := map[string]Exposure{}
		for c, x := range l.images[t] {
			l.finish(&x)
			classes[l.several[t].Classes[c]] = x
		}
		if out == nil {
			out = map[string]map[string]Exposure{}
		}
		out[l.several[t].Name] = classes
	}
	return out
}

// objectLedger counts objects by class.
type objectLedger []ObjectExposure

func (l objectLedger) add(fates []picture.Fate) {
	for _, f := range fates {
		x := &l[f.Label]
		x.Seen++
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
