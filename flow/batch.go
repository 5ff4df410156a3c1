package flow

import (
	"time"

	"github.com/sluicedata/sluice/schema"
)

// batch is operator 3: batches being filled in, whole ones out, in order.
type batch struct {
	ports
	run *run
}

func newBatch(r *run) *batch {
	f := &batch{newPorts(), r}
	queue := make(chan *filling, r.plan.settings.Queue+1) // so that the next batches are filled while the oldest is waited for
	r.wait.Go(func() {
		defer close(queue)
		for element := range r.elements(r.ctx, f.inlet, new(busy)) {
			b, ok := element.(*filling)
			if !ok {
				r.fail(wrongElement("batch", element, b))
				continue
			}
			queue <- b
		}
	})
	r.wait.Go(func() {
		defer close(f.out)
		f.complete(queue)
	})
	return f
}

// complete waits for all rows of the oldest batch, even after the run's end: a worker may
// still be writing into its buffer. Then it accounts for them and sends the batch on.
func (f *batch) complete(queue <-chan *filling) {
	r, m := f.run, &f.run.stats.batching
	begin := time.Now()
	for b := range queue {
		<-b.ready
		begin = m.starved.add(begin)
		if b.draft == nil {
			continue
		}
		if !r.stopped() {
			b.noteDonors()
			if err := r.accounts.note(b.outcomes); err != nil {
				r.leaving.wait(r.ctx) // so that what comes before a bad row is delivered, however slow the sink
				r.fail(err)
			}
		}
		if r.stopped() {
			b.discard()
			continue
		}
		var record *schema.Batch
		err := guard("batch", func() (err error) {
			err = r.plan.mixing.mix(b.mixable(), b.job.epoch, b.job.pick, r.plan.settings.Workers)
			b.discardDonors()
			if err != nil {
				b.draft.Discard()
				return err
			}
			record, err = b.draft.Finish()
			return err
		})
		for i := range b.outcomes {
			r.budget.Credit(b.outcomes[i].held)
		}
		if err != nil {
			r.fail(err)
			continue
		}
		if r.sink.tracksReads {
			record.Reads = append(reads(b.outcomes), readDonors(b.donated)...)
		}
		r.leaving.push(&departure{job: b.job, outcomes: b.outcomes, picks: b.picks, reserved: b.reserved, variants: max(len(b.picks), 1)})
		begin = m.busy.add(begin)
		send(r, f.out, record)
		m.items.Add(1)
		begin = m.blocked.add(begin)
	}
}
