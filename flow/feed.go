package flow

import (
	streams "github.com/reugn/go-streams"
	gsflow "github.com/reugn/go-streams/flow"

	"github.com/sluicedata/sluice/sinks"
)

// job is one batch to be made: rows of consecutive positions of an epoch.
type job struct {
	epoch  int
	number int64 // within the epoch
	first  int64 // position of its first row
	rows   int
}

// feed is operator 1: a streams.Source of the jobs of a run, in order, without
// those that the sink has already.
type feed struct {
	out chan any
}

func newFeed(r *run, sink sinks.Sink) *feed {
	f := &feed{out: make(chan any)}
	skipper, _ := sink.(sinks.Skipper)
	wanted := func(j job) bool { return skipper == nil || !skipper.Has(j.epoch, j.number) }
	rows := r.plan.RowsPerEpoch * int64(r.plan.Epochs)
	if skipper != nil {
		rows = 0
		for j := range r.plan.jobs() {
			if r.stopped() {
				break
			}
			if wanted(j) {
				rows += int64(j.rows)
			}
		}
	}
	r.stats.expect(rows)
	go func() {
		defer close(f.out)
		for j := range r.plan.jobs() {
			if !wanted(j) {
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

// jobs yields all batches of the plan, in order.
func (p *Plan) jobs() func(yield func(job) bool) {
	return func(yield func(job) bool) {
		size := int64(p.BatchSize)
		for epoch := range p.Epochs {
			for number := range p.BatchesPerEpoch {
				first := number * size
				rows := min(size, p.RowsPerEpoch-first)
				if !yield(job{epoch, number, first, int(rows)}) {
					return
				}
			}
		}
	}
}

func (f *feed) Out() <-chan any { return f.out }

func (f *feed) Via(next streams.Flow) streams.Flow {
	gsflow.DoStream(f, next)
	return next
}
