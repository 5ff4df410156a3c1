package flow

import "github.com/sluicedata/sluice/schema"

// ledger counts exposure by task and class, in O(classes) memory and one bit
// per sample.
type ledger struct {
	seen []uint64     // bit per sample: delivered in this run
	rows [][]Exposure // [task][class], unknown last
}

func newLedger(p *Plan) *ledger {
	l := &ledger{seen: make([]uint64, (p.Index().Len()+63)/64)}
	for _, t := range p.info.Tasks {
		l.rows = append(l.rows, make([]Exposure, len(t.Classes)+1))
	}
	return l
}

// add counts the draws of a batch that the sink has taken.
func (l *ledger) add(draws []outcome) {
	for i := range draws {
		d := &draws[i]
		for _, f := range d.failures {
			l.each(f.labels, func(x *Exposure) { x.Drawn++ })
		}
		l.each(d.planned, func(x *Exposure) {
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
		fresh := d.sample >= 0 && l.seen[d.sample/64]>>(d.sample%64)&1 == 0
		if fresh {
			l.seen[d.sample/64] |= 1 << (d.sample % 64)
		}
		l.each(d.labels, func(x *Exposure) {
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

func (l *ledger) each(labels []int32, count func(*Exposure)) {
	for t, label := range labels {
		if label == schema.Unknown {
			label = int32(len(l.rows[t]) - 1)
		}
		count(&l.rows[t][label])
	}
}

// report is the ledger by names; classes without a draw are in it, an unknown
// label ("") only where there is one.
func (l *ledger) report(tasks []schema.Task) map[string]map[string]Exposure {
	out := map[string]map[string]Exposure{}
	for t, task := range tasks {
		classes := map[string]Exposure{}
		for c, x := range l.rows[t] {
			x.Repeats = x.Delivered - x.Distinct
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
