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
	own  error // of it, what the sink's Close returned
}

var _ streams.Sink = (*deliver)(nil)

// newDeliver starts the operator. direct says that its batches come straight
// from operator 3, so that those it is done with have left the run; behind
// foreign operators that is so when they got them.
func newDeliver(r *run, sink sinks.Sink, direct bool) *deliver {
	d := &deliver{in: make(chan any), done: make(chan struct{})}
	go func() {
		defer close(d.done)
		input := timed(d.in, &r.stats.sink.starved)
		if !direct {
			input = patient(r, d.in, &r.stats.sink.starved, grace)
		}
		for element := range input {
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
		d.close(r, sink)
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

// grace is for how long an operator with a foreign input waits for more of it
// once the run has ended: a source may be idle for ever, and go-streams cannot
// tell it to stop.
const grace = time.Second

// patient is timed for a foreign input. When it stops before the input does, what
// still comes is taken and dropped, so that nothing upstream blocks: an input may as well
// go on giving for ever.
func patient(r *run, in <-chan any, waited *busy, grace time.Duration) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		ended := r.ctx.Done()
		var idle <-chan time.Time
		for {
			begin := time.Now()
			select {
			case element, ok := <-in:
				waited.add(begin)
				if !ok || !yield(element) {
					return
				}
			case <-ended:
			case <-idle:
				go drain(in)
				return
			}
			if r.stopped() && idle == nil { // counted from the end, not from the last element
				ended, idle = nil, time.After(grace)
			}
		}
	}
}

func drain(in <-chan any) {
	for element := range in {
		if batch, ok := element.(*schema.Batch); ok {
			batch.Release()
		}
	}
}

// close ends the sink; what ended the run comes first in the error.
func (d *deliver) close(r *run, sink sinks.Sink) {
	r.checkDelivered()
	var cause error
	if r.stopped() {
		cause = context.Cause(r.ctx)
	}
	d.own = guard("sink", func() error { return sink.Close(cause) })
	d.err = joined(cause, d.own)
}

// joined is the cause, and what came on top of it. The cause is said once, if it
// is among the errors, too.
func joined(cause error, errs ...error) error {
	if cause == nil {
		return errors.Join(errs...)
	}
	var list []error
	for _, err := range errs {
		list = append(list, without(err, cause)...)
	}
	if len(list) == 0 {
		return cause
	}
	if !errors.Is(errors.Join(list...), cause) {
		list = append([]error{cause}, list...)
	}
	return errors.Join(list...)
}

// without lists the errors joined in err but the cause itself.
func without(err, cause error) (list []error) {
	if err == nil || errors.Is(err, cause) && err.Error() == cause.Error() {
		return nil
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok && errors.Is(err, cause) {
		for _, e := range several.Unwrap() {
			list = append(list, without(e, cause)...)
		}
		return list
	}
	return []error{err}
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
