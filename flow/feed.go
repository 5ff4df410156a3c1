package flow

import (
	streams "github.com/reugn/go-streams"
	gsflow "github.com/reugn/go-streams/flow"
)

// feed is operator 1: a streams.Source of the jobs of a run, in order, without
// those that the sink has already.
type feed struct {
	out chan any
}

func newFeed(r *run) *feed {
	f := &feed{out: make(chan any)}
	rows := int64(0)
	for j := range r.plan.jobs() {
		if r.stopped() {
			break
		}
		if r.has(j.epoch, j.number) {
			r.partial = true
		} else {
			rows += int64(j.rows)
		}
	}
	r.stats.expect(rows)
	go func() {
		defer close(f.out)
		for j := range r.plan.jobs() {
			if r.has(j.epoch, j.number) {
				continue
			}
			select {
			case f.out <- j:
			case <-r.ctx.Done():
				return
			}
		}
	}()
	return f
}

func (f *feed) Out() <-chan any { return f.out }

func (f *feed) Via(next streams.Flow) streams.Flow {
	gsflow.DoStream(f, next)
	return next
}
