package flow

import (
	"context"
	"fmt"
	"sync"

	streams "github.com/reugn/go-streams"
	gsflow "github.com/reugn/go-streams/flow"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// Stream is a run whose operators are wired by the caller, in a go-streams
// program of their own. All of the graph in one piece:
//
//	s, err := plan.Start(ctx)
//	s.Source().Via(yourFlow).To(s.Sink(sink))  // the plan's draws
//	yourSource.Via(s.Flow()).To(yourSink)      // samples of another source
//	report, err := s.Wait()
//
// Or each operator by itself; others may stand before Read, among samples, and behind
// Batch, among batches:
//
//	s.Draws().Via(s.Read()).Via(s.Transform()).Via(s.Batch()).Via(yourFlow).Via(s.Scales()).To(s.Sink(sink))
//	yourSource.Via(s.Read()).Via(s.Transform()).Via(s.Batch()).To(yourSink)
//
// Elements between Draws, Read, Transform and Batch are the run's own. From Batch on
// they are *schema.Batch. Whatever takes one out of a channel owns it, and hands it on or
// releases it; gsflow.FanOut sends one batch to all branches, so a Map in front of it has
// to Retain it once for each branch beyond the first.
//
// go-streams knows no errors: they end the Stream, and Wait returns the first. When it
// ends, the operators close their outputs, and what is downstream ends as after a last
// batch. A source that isn't ours need not end: what it gives later is dropped, in a
// goroutine that ends when the source does.
type Stream struct {
	run  *run
	wait sync.WaitGroup // for what closes last: outlets and sinks

	mu   sync.Mutex
	used map[string]bool // operators that there are already
	errs []error         // of closing sinks
}

// Start begins a run that the caller wires. Wait must be called, once, and ends it.
func (p *Plan) Start(ctx context.Context) (*Stream, error) {
	r, err := begin(ctx, p)
	if err != nil {
		return nil, err
	}
	r.sink.tracksReads = true // its sinks come later
	r.elements = fromAnyone
	r.stats.begin(r.progress())
	return &Stream{run: r, used: map[string]bool{}}, nil
}

// Cancel ends the stream with an error, which Wait returns.
func (s *Stream) Cancel(cause error) { s.run.fail(cause) }

// Wait returns when everything of the stream's own has ended: after To, or from
// another goroutine. The plan stays open.
func (s *Stream) Wait() (*Report, error) {
	s.wait.Wait()
	s.run.checkDelivered() // where the sinks are somebody else's
	var cause error
	if s.run.stopped() {
		cause = context.Cause(s.run.ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run.end(joined(cause, s.errs...))
}

// Source gives the plan's own draws, as batches: all operators but Sink in one.
func (s *Stream) Source() streams.Source { return s.Draws().Via(s.Flow()) }

// Flow takes samples, as Read does, and gives batches: the operators from Read to Scales
// in one.
func (s *Stream) Flow() streams.Flow {
	s.run.expands()
	for _, name := range []string{"Read", "Transform", "Batch"} {
		s.once(name)
	}
	first := newRead(s.run)
	last := first.Via(newTransform(s.run)).Via(newBatch(s.run)).Via(newScales(s.run))
	return &between{s.outlet(last), first.inlet}
}

// Draws gives the plan's own draws, for Read.
func (s *Stream) Draws() streams.Source {
	s.once("Draws")
	s.run.failOn(s.run.takes(plannedDraws))
	return newFeed(s.run)
}

// Read takes Draws, or samples: a Sample, or a string, the key of one of the plan's own.
// It reads their files, in a pool, and draws their stages. Positions of samples are
// counted in the order of arrival, in epoch 0; the pipeline's samplers have no say. The
// last batch is short. Of such a run there is no State, and it has no ranks; a share in
// Failures.Max is one of the samples given so far, and the quarantine has a file of its
// own.
func (s *Stream) Read() streams.Flow {
	s.once("Read")
	return newRead(s.run)
}

// Repeat takes samples, as Read does, and gives those of rare classes more than once, for Read
// or Flow:
//
//	yourSource.Via(repeater).Via(s.Flow()).To(yourSink)
func (s *Stream) Repeat(declared Repeats) (*Repeater, error) {
	f, err := newRepeater(s.run.plan, declared)
	if err != nil {
		return nil, err
	}
	s.wait.Go(func() { f.run(s.run) })
	return f, nil
}

// once ends the stream where an operator of a name is there already: a run's rows are made
// once.
func (s *Stream) once(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[name] {
		s.run.fail(fmt.Errorf("flow: a Stream has one %s, and one Source or one Flow, which have it in them: Start another", name))
	}
	s.used[name] = true
}

// Transform takes what Read gives. It decodes and transforms, in a pool, as far as the
// byte budget goes.
func (s *Stream) Transform() streams.Flow {
	s.once("Transform")
	return newTransform(s.run)
}

// Batch takes what Transform gives, and gives batches in their order, as they are before
// the pipeline's scales. The Report counts what left here.
func (s *Stream) Batch() streams.Flow {
	s.once("Batch")
	f := newBatch(s.run)
	return &between{s.outlet(f), f.inlet}
}

// Scales takes batches as Batch gives them, or as somebody made them of these, and gives
// each in the scales that the pipeline picks for its epoch and number; it passes them on
// in a pipeline without scales.
func (s *Stream) Scales() streams.Flow { return newLooseScales(s.run) }

// Sink makes a streams.Sink of one of ours. It is opened at once, and closed
// when its input is; its errors end the stream.
func (s *Stream) Sink(sink sinks.Sink) streams.Sink {
	r := s.run
	if err := guard("sink", func() error { return sink.Open(r.ctx, r.plan.Info()) }); err != nil {
		r.fail(err)
		sink = unopened{}
	}
	d := newLooseDeliver(r, sink)
	s.wait.Go(func() {
		<-d.done
		s.mu.Lock()
		defer s.mu.Unlock()
		s.errs = append(s.errs, d.own)
	})
	return d
}

// unopened stands for a sink that could not be opened.
type unopened struct{ sinks.Sink }

func (unopened) Close(cause error) error { return cause }

// outlet is where batches leave for foreign operators.
type outlet struct{ out chan any }

func (s *Stream) outlet(from streams.Outlet) *outlet {
	o, r := &outlet{make(chan any)}, s.run
	s.wait.Go(func() {
		defer close(o.out)
		for element := range from.Out() {
			batch := element.(*schema.Batch)
			gone := !r.stopped()
			switch {
			case !gone || batch.Rows() == 0:
				batch.Release()
			default:
				if gone = send(r, o.out, batch); gone {
					r.stats.records.Add(1)
				}
			}
			r.departed(gone)
		}
	})
	return o
}

func (o *outlet) Out() <-chan any { return o.out }

func (o *outlet) Via(next streams.Flow) streams.Flow {
	gsflow.DoStream(o, next)
	return next
}

// between is the outlet of several operators with the inlet of their first.
type between struct {
	*outlet
	*inlet
}

func (b *between) To(sink streams.Sink) {
	gsflow.DoStream(b, sink)
	sink.AwaitCompletion()
}
