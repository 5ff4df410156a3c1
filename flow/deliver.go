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

func newDeliver(r *run, sink sinks.Sink) *deliver {
	d := &deliver{in: make(chan any), done: make(chan struct{})}
	go func() {
		defer close(d.done)
		for element := range d.in {
			batch, ok := element.(*schema.Batch)
			if !ok {
				r.fail(foreign("deliver", element, batch))
				continue
			}
			if !r.stopped() {
				begin := time.Now()
				if err := guard("sink", func() error { return sink.Write(r.ctx, batch) }); err != nil {
					r.fail(err)
				} else {
					r.stats.delivered(batch)
				}
				r.stats.sink.add(begin)
			}
			batch.Release()
		}
		d.err = closeSink(r, sink)
	}()
	return d
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
