package flow

import (
	"time"

	streams "github.com/reugn/go-streams"
	gsflow "github.com/reugn/go-streams/flow"

	"github.com/sluicedata/sluice/schema"
)

// ports is what every operator of the graph has: where elements come in, and where they
// go out. Its upstream closes In once; it closes Out once its input is drained.
type ports struct{ in, out chan any }

func newPorts() ports { return ports{make(chan any), make(chan any)} }

func (p ports) In() chan<- any  { return p.in }
func (p ports) Out() <-chan any { return p.out }

func (p ports) Via(next streams.Flow) streams.Flow {
	gsflow.DoStream(p, next)
	return next
}

func (p ports) To(sink streams.Sink) {
	gsflow.DoStream(p, sink)
	sink.AwaitCompletion()
}

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

// input is the elements that come from a channel.
type input func(yield func(any) bool)

// fromOurs is the input from an operator of the same run, which closes its output when
// the run ends. It adds up the time of waiting.
func fromOurs(in <-chan any, waited *busy) input {
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

// grace is for how long an operator behind a foreign one waits for more once the run has
// ended: a source may be idle for ever, and go-streams cannot tell it to stop.
const grace = time.Second

// fromAnyone is the input from an operator that may be somebody else's. When it stops
// before the channel is closed, what still comes is taken and dropped, so that nothing
// upstream blocks: it may as well go on for ever.
func fromAnyone(r *run, in <-chan any, waited *busy, grace time.Duration) input {
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
