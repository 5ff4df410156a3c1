package flow

import (
	streams "github.com/reugn/go-streams"
	gsflow "github.com/reugn/go-streams/flow"
)

// feed is the graph's source: the plan's draws as jobs, a batch each, in order, without
// those that the sink has already. Each is computed from its number.
type feed struct{ out chan any }

func newFeed(r *run) *feed {
	f := &feed{make(chan any)}
	deal := &r.plan.deal
	r.stats.expect(deal.totalRows())
	if r.sink.knows() {
		r.feeding.Go(func() { f.count(r) })
	}
	r.feeding.Go(func() {
		defer close(f.out)
		for n := range deal.count() {
			if r.stopped() {
				return
			}
			j := deal.job(n)
			if r.sink.has(j.epoch, j.number) {
				r.partial.Store(true)
				continue
			}
			select {
			case f.out <- j:
			case <-r.ctx.Done():
				return
			}
		}
	})
	return f
}

// count corrects what is to be expected by what the sink has, while rows are made
// already.
func (f *feed) count(r *run) {
	deal, rows := &r.plan.deal, int64(0)
	for n := range deal.count() {
		if n%1024 == 0 && r.stopped() {
			return
		}
		if j := deal.job(n); !r.sink.has(j.epoch, j.number) {
			rows += int64(j.rows)
		}
	}
	r.stats.expect(rows)
}

func (f *feed) Out() <-chan any { return f.out }

func (f *feed) Via(next streams.Flow) streams.Flow {
	gsflow.DoStream(f, next)
	return next
}
