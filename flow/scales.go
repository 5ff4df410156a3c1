package flow

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// scales is operator 4: a batch in, the same batch in each variant picked for it out, one
// after the other. Without an Expander batches pass through.
type scales struct {
	ports
	run   *run
	picks func(*schema.Batch) (list []int, reserved []int64, err error)
}

// newScales is the operator right behind batch.
func newScales(r *run) *scales { return scalesBy(r, r.picksOf) }

// newLooseScales is the operator behind foreign ones: its batches have left the run, and
// may be others.
func newLooseScales(r *run) *scales { return scalesBy(r, r.loosePicksOf) }

func scalesBy(r *run, picks func(*schema.Batch) (list []int, reserved []int64, err error)) *scales {
	f := &scales{newPorts(), r, picks}
	r.wait.Go(func() { f.work(r.elements(r.ctx, f.inlet, &r.stats.scaling.starved)) })
	return f
}

// picksOf lists the variants of a batch that has just been made, and the bytes reserved
// for them; none once the run has ended.
func (r *run) picksOf(b *schema.Batch) (list []int, reserved []int64, err error) {
	d := r.leaving.find(b.Epoch, b.Number)
	if d == nil {
		return nil, nil, nil
	}
	return d.picks, d.reserved, nil
}

// loosePicksOf lists the variants of a batch that has left the run.
func (r *run) loosePicksOf(b *schema.Batch) (list []int, reserved []int64, err error) {
	p, number := r.plan, b.Number
	if r.from() == plannedDraws {
		number %= p.deal.batches // of one that pads, that of the batch that it repeats
	}
	if want := p.steps.pictureType(); p.scaling != nil && b.Tensor != want {
		return nil, nil, fmt.Errorf("flow: scales are made of batches of %s, and this one is of %s (epoch %d, batch %d)", want, b.Tensor, b.Epoch, b.Number)
	}
	list, err = p.scaling.picks(b.Epoch, number)
	return list, nil, err
}

func (f *scales) work(elements input) {
	defer close(f.out)
	for element := range elements {
		batch, ok := element.(*schema.Batch)
		if !ok {
			f.run.fail(wrongElement("scales", element, batch))
			continue
		}
		f.run.failOn(guard("scales", func() error { return f.pass(batch) }))
	}
}

// pass sends on what becomes of one batch, which it gives up before the last variant
// leaves: what is through the sink holds no memory here.
func (f *scales) pass(batch *schema.Batch) error {
	r, m := f.run, &f.run.stats.scaling
	scaling := r.plan.scaling
	if scaling == nil {
		f.send(batch)
		return nil
	}
	defer func() {
		if batch != nil {
			batch.Release()
		}
	}()
	picks, reserved, err := f.picks(batch)
	if err != nil {
		return err
	}
	for i, v := range picks {
		if r.stopped() {
			return nil
		}
		begin := time.Now()
		variant, err := f.expand(batch, v)
		m.busy.add(begin)
		if err != nil {
			return fmt.Errorf("stages: %s: %w (epoch %d, batch %d)", scaling.name, err, batch.Epoch, batch.Number)
		}
		if reserved != nil {
			r.budget.Credit(reserved[i]) // charged by its own buffer now
		}
		if i == len(picks)-1 {
			batch.Release()
			batch = nil
		}
		f.send(variant)
	}
	return nil
}

func (f *scales) send(batch *schema.Batch) {
	m := &f.run.stats.scaling
	begin := time.Now()
	send(f.run, f.out, batch)
	m.blocked.add(begin)
	m.items.Add(1)
}

// expand fills one variant of a batch, rows in parallel.
func (f *scales) expand(batch *schema.Batch, variant int) (*schema.Batch, error) {
	draft := f.run.variants.Derive(batch, variant)
	workers := min(f.run.plan.settings.Workers, batch.Rows())
	errs := make([]error, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			defer func() {
				if panicked := recover(); panicked != nil {
					errs[w] = fmt.Errorf("panic: %v", panicked)
				}
			}()
			for row := w; row < batch.Rows() && errs[w] == nil; row += workers {
				errs[w] = expandRow(draft, row, f.run.plan.scaling.stage, variant, batch)
			}
		})
	}
	wait.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		draft.Discard()
		return nil, errs[i]
	}
	return draft.Finish()
}

// expandRow fills a row of a variant. Grey leaves its three equal channels when it is put
// in its place.
func expandRow(draft *schema.Draft, row int, stage stages.Expander, variant int, batch *schema.Batch) error {
	src, slot := batch.Picture(row), draft.Slot(row)
	if !batch.Tensor.Gray() {
		stage.Apply(variant, slot, src)
		return nil
	}
	wide := slot.Tensor().NewPicture()
	stage.Apply(variant, wide, src)
	return draft.SetPicture(row, wide)
}
