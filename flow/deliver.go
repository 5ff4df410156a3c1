package flow

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	streams "github.com/reugn/go-streams"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// deliver is operator 4: a streams.Sink that hands batches to one of ours, and
// closes it with the run's cause.
type deliver struct {
	in   chan any
	done chan struct{}
	err  error // of the run; read after AwaitCompletion
}

var _ streams.Sink = (*deliver)(nil)

// newDeliver starts the operator. direct says that its batches come straight
// from operator 3, so that those it is done with have left the run; behind
// foreign operators that is so when they got them.
func newDeliver(r *run, sink sinks.Sink, direct bool) *deliver {
	d := &deliver{in: make(chan any), done: make(chan struct{})}
	go func() {
		defer close(d.done)
		for element := range timed(d.in, &r.stats.sink.starved) {
			batch, ok := element.(*schema.Batch)
			if !ok {
				r.fail(foreign("deliver", element, batch))
				continue
			}
			written := !r.stopped() && d.write(r, sink, batch, direct)
			batch.Release()
			if direct {
				r.left(written)
			}
		}
		d.err = closeSink(r, sink)
	}()
	return d
}

func (d *deliver) write(r *run, sink sinks.Sink, batch *schema.Batch, direct bool) (written bool) {
	begin := time.Now()
	r.budget.writing(1)
	err := guard("sink", func() error { return sink.Write(r.ctx, batch) })
	r.budget.writing(-1)
	r.stats.sink.busy.add(begin)
	r.stats.sink.items.Add(1)
	switch {
	case err != nil:
		r.fail(err)
	case direct:
		r.stats.delivered(batch)
	}
	return err == nil
}

// timed yields what comes from a channel, and adds up the time of waiting.
func timed(in <-chan any, waited *busy) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		for {
			begin := time.Now()
			element, ok := <-in
			waited.add(begin)
			if !ok || !yield(element) {
				return
			}
		}
	}
}

// closeSink ends the sink; what ended the run comes first in the error.
func closeSink(r *run, sink sinks.Sink) error {
	var cause error
	if r.stopped() {
		cause = context.Cause(r.ctx)
	}
	err := guard("sink", func() error { return sink.Close(cause) })
	if errors.Is(err, cause) {
		return err
	}
	return errors.Join(cause, err)
}

func (d *deliver) In() chan<- any   { return d.in }
func (d *deliver) AwaitCompletion() { <-d.done }

// guard turns a panic of somebody else's code into an error.
func guard(what string, do func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("flow: %s: panic: %v\n%s", what, panicked, debug.Stack())
		}
	}()
	return do()
}
