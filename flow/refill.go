package flow

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// mostRefills is the number of other samples that are tried for a draw.
const mostRefills = 16

// settle makes a draw with all its attempts: the row that it leaves, nil if
// none, and the samples that failed on the way. first is the draw as located,
// read if err is nil and it has bytes; err is why it couldn't be read. t is its ticket,
// nil outside of runs.
//
// What a draw becomes is a function of data, plan, epoch and position: each
// attempt's sample and random numbers are addressed by the attempt's number.
func (p *Plan) settle(r *run, m *scratch, first *Row, err *RowError, t *ticket) (*Row, []*RowError) {
	var failed []*RowError
	for row := first; ; {
		if row.Encoded == nil && err == nil {
			err = p.readRefill(r, m, row, t)
		}
		if err == nil {
			err = p.makeRow(r, m, row, t)
		}
		if err == nil {
			return row, failed
		}
		if r.stopped() {
			return nil, nil // the run's end, not the row's fault
		}
		failed = append(failed, err)
		attempt := row.Attempt + 1
		if err.EndsRun() {
			if t != nil {
				r.fail(ended(p.Settings.Failures.Policy, err))
			}
			return nil, failed
		}
		if p.Settings.Failures.Policy != Refill || attempt > mostRefills || first.Sample < 0 {
			return nil, failed
		}
		rand := p.refills.key.Stream(first.epoch, first.Meta.Position, attempt)
		sample, ok := p.refills.other(p, first.Sample, rand)
		if !ok {
			return nil, failed
		}
		other := p.about(sample, first.epoch, first.Meta.Position, attempt, nil)
		other.slot = first.slot
		row = &other
		err = nil
	}
}

// readRefill reads a substitute, for which its draw's ticket is charged anew: first what
// reading takes, then what making it will take.
func (p *Plan) readRefill(r *run, m *scratch, row *Row, t *ticket) *RowError {
	if t == nil {
		return p.read(r, row, nil)
	}
	charge := func(n int64) { // beside the draw's first file, which is still there
		r.budget.again(t.charged, t.encoded+n)
		t.charged = t.encoded + n
	}
	n := p.encodedBytes(row)
	charge(n)
	if r.stopped() {
		return row.failed("source", context.Cause(r.ctx))
	}
	err := p.read(r, row, nil)
	if err == nil {
		charge(n + p.workingBytes(m, row))
	}
	return err
}

// refills finds substitutes for samples that fail: others of their class, which
// is their label in the tasks that a Balancer balances, or in all tasks.
type refills struct {
	key   rng.Key
	tasks []int

	once    sync.Once
	members map[string][]int // samples of the selection, by labels; made when first needed
}

func (p *Plan) newRefills() *refills {
	f := &refills{key: rng.NewKey(p.Settings.Seed, "on_error", "refill")}
	index := p.Index()
	for _, s := range p.steps {
		if balancer, ok := s.stage.(stages.Balancer); ok {
			for _, name := range balancer.BalancedTasks() {
				if t, ok := schema.TaskNumber(index.Tasks(), name); ok {
					f.tasks = append(f.tasks, t)
				}
			}
		}
	}
	if len(f.tasks) == 0 {
		for t := range index.Tasks() {
			f.tasks = append(f.tasks, t)
		}
	}
	return f
}

func (f *refills) class(p *Plan, sample int) string {
	var b []byte
	for _, t := range f.tasks {
		b = binary.LittleEndian.AppendUint32(b, uint32(p.Index().Label(t, sample)))
	}
	return string(b)
}

// other draws a sample of the same class, but not the sample itself.
func (f *refills) other(p *Plan, sample int, rand *rng.Stream) (int, bool) {
	f.once.Do(func() {
		f.members = map[string][]int{}
		for _, s := range p.selection {
			c := f.class(p, s)
			f.members[c] = append(f.members[c], s)
		}
	})
	members := f.members[f.class(p, sample)]
	if len(members) < 2 {
		return 0, false
	}
	i := rand.IntN(len(members) - 1)
	if i >= slices.Index(members, sample) {
		i++
	}
	return members[i], true
}
