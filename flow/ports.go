package flow

import (
	"context"
	"sync"
	"time"

	streams "github.com/reugn/go-streams"
	gsflow "github.com/reugn/go-streams/flow"
)

// inlet is where elements come in. Who is upstream closes it once.
type inlet struct {
	in chan any

	mu        sync.Mutex
	connected bool
	drain     func() // once nobody takes elements any more
}

func newInlet() *inlet { return &inlet{in: make(chan any)} }

// In is where an operator upstream sends to.
func (i *inlet) In() chan<- any {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.drain != nil && !i.connected {
		go i.drain()
	}
	i.connected = true
	return i.in
}

// end has drain take what still comes, if anybody is connected, or ever will be.
func (i *inlet) end(drain func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.drain = drain; i.connected {
		go drain()
	}
}

// ports is what every operator of the graph has: where elements come in, and where they
// go out. It closes Out once its input is drained.
type ports struct {
	*inlet
	out chan any
}

func newPorts() ports { return ports{newInlet(), make(chan any)} }

func (p ports) Out() <-chan any { return p.out }

func (p ports) Via(next streams.Flow) streams.Flow {
	gsflow.DoStream(p, next)
	return next
}

func (p ports) To(sink streams.Sink) {
	gsflow.DoStream(p, sink)
	sink.AwaitCompletion()
}

// input is the elements that come to an inlet; waiting for them is added up.
type input func(yield func(any) bool)

// fromOurs is the input from an operator of the same run, which closes its output when
// the run ends.
func fromOurs(_ context.Context, in *inlet, waited *busy) input {
	return func(yield func(any) bool) {
		for {
			begin := time.Now()
			element, ok := <-in.in
			waited.add(begin)
			if !ok || !yield(element) {
				return
			}
		}
	}
}
