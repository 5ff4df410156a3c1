package flow

import (
	"context"
	"errors"
	"fmt"
	"sync"

	streams "github.com/reugn/go-streams"
	gsflow "github.com/reugn/go-streams/flow"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// Stream is a run whose operators are wired by the caller, in a go-streams
// program of their own:
//
//	s, err := plan.Start(ctx)
//	s.Source().Via(flow of anyone's).To(s.Sink(sink))     // the plan's draws
//	source of anyone's.Via(s.Flow()).To(sink of anyone's) // samples of another origin
//	report, err := s.Wait()
//
// Where a foreign operator is to stand in front of the pipeline's scales, these are
// an operator of their own:
//
//	s.Draws().Via(flow of anyone's).Via(s.Scales()).To(sink of anyone's)
//	source of anyone's.Via(s.Rows()).Via(flow of anyone's).Via(s.Scales()).To(...)
//
// Elements are *schema.Batch. Who takes one out of a channel owns it, and hands
// it on or releases it; gsflow.FanOut sends one batch to all branches, so a Map
// in front of it has to Retain it once for each branch beyond the first.
//
// go-streams knows no errors: they end the Stream, and Wait returns the first.
// When it ends, Source and Flow close their output, and what is downstream ends
// as after a last batch. A source that isn't ours need not end: what it gives
// later is dropped, in a goroutine that ends when the source does.
type Stream struct {
	run  *run
	used bool
	wait sync.WaitGroup // for what closes last: outlets and sinks

	mu   sync.Mutex
	errs []error // of closing sinks
}

// Start begins a run that the caller wires. Wait must be called, once, and ends it.
func (p *Plan) Start(ctx context.Context) (*Stream, error) {
	r, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	r.remembers = true // its sinks come later
	r.stats.begin(r.progress())
	return &Stream{run: r}, nil
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

// Source gives the plan's own draws, as batches.
func (s *Stream) Source() streams.Source {
	s.once(false, false)
	return s.outlet(newFeed(s.run).Via(newRows(s.run)).Via(newVariants(s.run)))
}

// Draws is Source without the pipeline's scales: see Scales.
func (s *Stream) Draws() streams.Source {
	s.once(false, true)
	return s.outlet(newFeed(s.run).Via(newRows(s.run)))
}

// Flow takes samples and gives batches: a Sample, or a string, the key of one of
// the plan's own. Positions are counted in the order of arrival, in epoch 0; the
// pipeline's samplers have no say. The last batch is short. Of such a run there is
// no State, and it has no ranks; a share in Failures.Max is one of the samples
// given so far, and the quarantine has a file of its own.
func (s *Stream) Flow() streams.Flow {
	g := s.gather(false)
	return &between{s.outlet(g.Via(newRows(s.run)).Via(newVariants(s.run))), g.in}
}

// Rows is Flow without the pipeline's scales: see Scales.
func (s *Stream) Rows() streams.Flow {
	g := s.gather(true)
	return &between{s.outlet(g.Via(newRows(s.run))), g.in}
}

// Scales takes batches as Draws and Rows give them, or as somebody made them of
// these, and gives each in the scales that the pipeline picks for its epoch and
// number; it passes them on in a pipeline without scales. The Report counts what
// left Draws or Rows.
func (s *Stream) Scales() streams.Flow {
	r := s.run
	f := &variants{in: make(chan any), out: make(chan any), run: r, alone: true}
	s.wait.Go(func() { f.work(patient(r, f.in, &r.stats.grouping.starved, grace)) })
	return f
}

func (s *Stream) gather(plain bool) *gather {
	if set := s.run.plan.Settings; set.Resume != nil || set.World > 1 {
		s.run.fail(errors.New("flow: samples from a foreign source are a run of their own: it cannot go on from a state (Resume), and it isn't dealt to ranks (World): plan it without them"))
	}
	s.once(true, plain)
	g := &gather{in: make(chan any), jobs: make(chan any)}
	go g.work(s.run)
	return g
}

// once: a run's draws are made once.
func (s *Stream) once(given, plain bool) {
	if s.used {
		s.run.fail(errors.New("flow: a Stream has one Source or one Flow: Start another"))
		return
	}
	s.used = true
	s.run.given, s.run.plain = given, plain
	if s.run.stopped() {
		return
	}
	if err := s.run.watchFailures(); err != nil {
		s.run.fail(err)
	}
}

// Sink makes a streams.Sink of one of ours. It is opened at once, and closed
// when its input is; its errors end the stream.
func (s *Stream) Sink(sink sinks.Sink) streams.Sink {
	r := s.run
	if err := guard("sink", func() error { return sink.Open(r.ctx, &r.plan.Run) }); err != nil {
		r.fail(err)
		sink = unopened{}
	}
	d := newDeliver(r, sink, false)
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
			batch := element.(*schema.Batch) // variants has seen to it
			gone := !r.stopped()
			switch {
			case !gone || batch.Rows() == 0:
				batch.Release()
			default:
				if gone = send(r, o.out, batch); gone {
					r.stats.records.Add(1)
				}
			}
			r.left(gone)
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
	in chan any
}

func (b *between) In() chan<- any { return b.in }

func (b *between) To(sink streams.Sink) {
	gsflow.DoStream(b, sink)
	sink.AwaitCompletion()
}

// Sample is a sample that a foreign source gives. Key names it, in errors and in
// the quarantine. Without Data, Key is that of a sample in the plan's index, from
// which everything else comes.
type Sample struct {
	Key    string
	Data   []byte  // the encoded image; not changed, and kept until its row is made
	Labels []int32 // class numbers, per task; nil: unknown
	Weight float32 // 0: 1
	Values []any   // of the columns that the plan's source adds (Run.Columns); nil: none
}

// gather makes jobs of samples.
type gather struct{ in, jobs chan any }

func (g *gather) Out() <-chan any { return g.jobs }

func (g *gather) Via(next streams.Flow) streams.Flow {
	gsflow.DoStream(g, next)
	return next
}

func (g *gather) work(r *run) {
	defer close(g.jobs)
	next := job{}
	hand := func() {
		next.rows = len(next.given)
		next.pick, next.next = next.number, cursor{0, next.number + 1}
		select {
		case g.jobs <- next:
		case <-r.ctx.Done():
		}
		next = job{number: next.number + 1, first: next.first + int64(next.rows)}
	}
	for element := range patient(r, g.in, new(busy), 0) {
		if r.stopped() {
			continue // drain
		}
		sample, err := r.plan.checkSample(element)
		if err != nil {
			r.fail(err)
			continue
		}
		if next.given = append(next.given, sample); len(next.given) == r.plan.BatchSize {
			hand()
		}
	}
	if len(next.given) > 0 {
		hand()
	}
}

// checkSample is the sample of an element.
func (p *Plan) checkSample(element any) (Sample, error) {
	s, ok := element.(Sample)
	if key, isKey := element.(string); isKey {
		s, ok = Sample{Key: key}, true
	}
	if !ok {
		return s, foreign("rows", element, s)
	}
	if s.Key == "" {
		return s, errors.New("flow: a sample has no Key: give it one, it names the row in errors and in the quarantine")
	}
	if s.Data == nil {
		if _, ok := p.Index().Find(s.Key); !ok {
			return s, fmt.Errorf("flow: the source has no sample %q: give its Data", s.Key)
		}
		return s, nil
	}
	if s.Labels != nil && len(s.Labels) != len(p.Tasks) {
		return s, fmt.Errorf("flow: sample %q has %d labels, and there are %d tasks", s.Key, len(s.Labels), len(p.Tasks))
	}
	if s.Values != nil && len(s.Values) != len(p.Run.Columns) {
		return s, fmt.Errorf("flow: sample %q has %d values, and the source adds %d columns", s.Key, len(s.Values), len(p.Run.Columns))
	}
	for c, value := range s.Values {
		if err := p.Run.Columns[c].CheckValue(value); err != nil {
			return s, fmt.Errorf("flow: sample %q: %w", s.Key, err)
		}
	}
	for t, label := range s.Labels {
		if label != schema.Unknown && (label < 0 || int(label) >= len(p.Tasks[t].Classes)) {
			return s, fmt.Errorf("flow: sample %q: task %s has no class %d", s.Key, p.Tasks[t].Name, label)
		}
	}
	return s, nil
}

// locateGiven is the row of a given sample.
func (p *Plan) locateGiven(s *Sample, epoch int, position int64, labels []int32) Row {
	if s.Data == nil {
		i, _ := p.Index().Find(s.Key)
		return p.about(i, epoch, position, 0, labels)
	}
	row := Row{Sample: -1, Encoded: s.Data, epoch: epoch}
	row.Meta = schema.Meta{Key: s.Key, Labels: append(labels[:0], s.Labels...), Weight: s.Weight, Position: position, SourceIndex: -1, Values: s.Values}
	if s.Labels == nil {
		for range p.Tasks {
			row.Meta.Labels = append(row.Meta.Labels, schema.Unknown)
		}
	}
	if row.Meta.Weight == 0 {
		row.Meta.Weight = 1
	}
	p.weighRow(&row)
	return row
}
