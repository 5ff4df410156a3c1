package flow

import (
	"context"
	"time"

	streams "github.com/reugn/go-streams"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// deliver is operator 5: a streams.Sink that hands batches to one of ours, and closes it
// with the run's cause.
type deliver struct {
	*inlet
	done chan struct{}
	err  error // of the run; read after AwaitCompletion
	own  error // of it, what the sink's Close returned
}

var _ streams.Sink = (*deliver)(nil)

// newDeliver is the operator right behind scales: a batch that it is done with has left
// the run.
func newDeliver(r *run, sink sinks.Sink) *deliver {
	d := &deliver{inlet: newInlet(), done: make(chan struct{})}
	go d.work(r, sink, r.elements(r.ctx, d.inlet, &r.stats.sinking.starved), func(batch *schema.Batch, written bool) {
		if written && batch.Rows() > 0 {
			r.stats.records.Add(1)
		}
		batch.Release()
		r.departed(written)
	})
	return d
}

// newLooseDeliver is the operator behind foreign ones, which got their batches when these
// left the run.
func newLooseDeliver(r *run, sink sinks.Sink) *deliver {
	d := &deliver{inlet: newInlet(), done: make(chan struct{})}
	go d.work(r, sink, r.elements(r.ctx, d.inlet, &r.stats.sinking.starved), func(batch *schema.Batch, _ bool) { batch.Release() })
	return d
}

func (d *deliver) work(r *run, sink sinks.Sink, elements input, after func(batch *schema.Batch, written bool)) {
	defer close(d.done)
	for element := range elements {
		batch, ok := element.(*schema.Batch)
		if !ok {
			r.fail(wrongElement("deliver", element, batch))
			continue
		}
		after(batch, !r.stopped() && d.write(r, sink, batch))
	}
	d.close(r, sink)
}

func (d *deliver) write(r *run, sink sinks.Sink, batch *schema.Batch) (written bool) {
	begin := time.Now()
	r.budget.Writing(1)
	err := guard("sink", func() error { return sink.Write(r.ctx, batch) })
	r.budget.Writing(-1)
	r.stats.sinking.busy.add(begin)
	r.stats.sinking.items.Add(1)
	r.failOn(err)
	return err == nil
}

// close ends the sink; what ended the run comes first in the error.
func (d *deliver) close(r *run, sink sinks.Sink) {
	r.feeding.Wait() // no Has during Close
	r.checkDelivered()
	var cause error
	if r.stopped() {
		cause = context.Cause(r.ctx)
	}
	d.own = guard("sink", func() error { return sink.Close(cause) })
	d.err = joined(cause, d.own)
}

func (d *deliver) AwaitCompletion() { <-d.done }
