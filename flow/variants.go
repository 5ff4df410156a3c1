package flow

import (
	"fmt"
	"sync"
	"time"

	streams "github.com/reugn/go-streams"
	gsflow "github.com/reugn/go-streams/flow"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// variants is operator 3: a batch in, the same batch in each scale picked for
// it out, one after the other. Without an expander batches pass through.
type variants struct {
	in, out chan any
	run     *run
	alone   bool // behind foreign operators: its batches have left the run
}

func newVariants(r *run) *variants {
	f := &variants{in: make(chan any), out: make(chan any), run: r}
	go f.work(timed(f.in, &r.stats.grouping.starved))
	return f
}

func (f *variants) work(input func(yield func(any) bool)) {
	defer close(f.out)
	for element := range input {
		batch, ok := element.(*schema.Batch)
		if !ok {
			f.run.fail(foreign("variants", element, batch))
			continue
		}
		if err := guard("variants", func() error { return f.pass(batch) }); err != nil {
			f.run.fail(err)
		}
	}
}

// pass sends on what becomes of one batch, which it gives up before the last
// variant leaves: what is through the sink holds no memory here.
func (f *variants) pass(batch *schema.Batch) error {
	r, p, m := f.run, f.run.plan, &f.run.stats.grouping
	if p.expander == nil {
		f.send(batch)
		return nil
	}
	defer func() {
		if batch != nil {
			batch.Release()
		}
	}()
	var picks []int
	var later []int64
	if f.alone {
		if want := p.pictureType(); batch.Tensor != want {
			return fmt.Errorf("flow: scales are made of batches of %s, and this one is of %s (epoch %d, batch %d)", want, batch.Tensor, batch.Epoch, batch.Number)
		}
		picks = p.picks(batch.Epoch, batch.Number)
	} else {
		s := r.underway.find(batch.Epoch, batch.Number)
		if s == nil {
			return nil // the run has ended
		}
		picks, later = r.picks(batch.Epoch, s.job.pick), s.later
	}
	for i, v := range picks {
		if r.stopped() {
			return nil
		}
		begin := time.Now()
		variant, err := f.scale(p.expanderOf(), batch, v)
		m.busy.add(begin)
		if err != nil {
			return fmt.Errorf("stages: %s: %w (epoch %d, batch %d)", p.expander.name, err, batch.Epoch, batch.Number)
		}
		if later != nil {
			r.budget.give(later[i]) // charged by its own buffer now
		}
		if i == len(picks)-1 {
			batch.Release()
			batch = nil
		}
		f.send(variant)
	}
	return nil
}

func (f *variants) send(batch *schema.Batch) {
	m := &f.run.stats.grouping
	begin := time.Now()
	send(f.run, f.out, batch)
	m.blocked.add(begin)
	m.items.Add(1)
}

func (p *Plan) expanderOf() stages.Expander { return p.expander.stage.(stages.Expander) }

// scale fills one variant of a batch, rows in parallel.
func (f *variants) scale(expander stages.Expander, batch *schema.Batch, variant int) (*schema.Batch, error) {
	draft := f.run.builder.Derive(batch, variant)
	errs := make(chan error, 1)
	var wait sync.WaitGroup
	workers := min(f.run.plan.Settings.Workers, batch.Rows())
	for w := range workers {
		wait.Go(func() {
			defer func() {
				if panicked := recover(); panicked != nil {
					select {
					case errs <- fmt.Errorf("panic: %v", panicked):
					default:
					}
				}
			}()
			for row := w; row < batch.Rows(); row += workers {
				if err := applyTo(draft, row, expander, variant, batch); err != nil {
					panic(err)
				}
			}
		})
	}
	wait.Wait()
	select {
	case err := <-errs:
		draft.Discard()
		return nil, err
	default:
	}
	return draft.Finish()
}

// applyTo fills a row of a variant. Grey leaves its three equal channels when it is put in its place.
func applyTo(draft *schema.Draft, row int, expander stages.Expander, variant int, batch *schema.Batch) error {
	src, slot := batch.Picture(row), draft.Slot(row)
	if !batch.Tensor.Gray() {
		expander.Apply(variant, slot, src)
		return nil
	}
	t := slot.Tensor()
	wide := newPicture(t)
	expander.Apply(variant, wide, src)
	return draft.SetPicture(row, wide)
}

// foreign is the error of an element that an operator cannot take.
func foreign(operator string, have, want any) error {
	return fmt.Errorf("flow: operator %s takes %T, and got %T: connect it to an operator of this package", operator, want, have)
}

func (f *variants) In() chan<- any  { return f.in }
func (f *variants) Out() <-chan any { return f.out }

func (f *variants) Via(next streams.Flow) streams.Flow {
	gsflow.DoStream(f, next)
	return next
}

func (f *variants) To(sink streams.Sink) {
	gsflow.DoStream(f, sink)
	sink.AwaitCompletion()
}
