package flow

import (
	"context"
	"time"

	"github.com/sluicedata/sluice/schema"
)

// send hands a batch on, or releases it when the run ends first.
func send(r *run, out chan<- any, batch *schema.Batch) bool {
	select {
	case out <- batch:
		return true
	case <-r.ctx.Done():
		batch.Release()
		return false
	}
}

// grace is for how long an operator behind a foreign one waits for more once the run has
// ended: a source may be idle for ever, and go-streams cannot tell it to stop.
const grace = time.Second

// fromAnyone is the input from an operator that may be somebody else's, or not there. When
// it stops before the channel is closed, what still comes is taken and dropped, so that
// nothing upstream blocks: it may as well go on for ever.
func fromAnyone(ctx context.Context, in *inlet, waited *busy) input {
	return patient(ctx, in, waited, grace)
}

func patient(ctx context.Context, in *inlet, waited *busy, grace time.Duration) input {
	return func(yield func(any) bool) {
		ended := ctx.Done()
		var idle <-chan time.Time
		for {
			begin := time.Now()
			select {
			case element, ok := <-in.in:
				waited.add(begin)
				if !ok || !yield(element) {
					return
				}
			case <-ended:
			case <-idle:
				in.end(func() { drain(in.in) })
				return
			}
			if ctx.Err() != nil && idle == nil { // counted from the end, not from the last element
				ended, idle = nil, time.After(grace)
			}
		}
	}
}

// timed adds to each element how long it was waited for.
func timed(elements input) func(yield func(any, time.Duration) bool) {
	return func(yield func(any, time.Duration) bool) {
		begin := time.Now()
		for element := range elements {
			more := yield(element, time.Since(begin))
			if begin = time.Now(); !more {
				return
			}
		}
	}
}

// drain drops what comes. A row that is dropped counts for its batch, so that nobody waits
// for it.
func drain(in <-chan any) {
	for element := range in {
		switch e := element.(type) {
		case *schema.Batch:
			e.Release()
		case *ticket:
			e.batch.drop()
		case *filling:
			go e.abandon()
		}
	}
}
