package flow

import (
	"sync"
	"time"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/schema"
)

// transform is operator 2: rows in, batches being filled out, in order.
//
//	admit  in order: waits for memory, first for a batch's, then for each row's
//	work   a pool: makes the rows of several batches at a time, each into its place
type transform struct {
	ports
	run *run
}

func newTransform(r *run) *transform {
	f := &transform{newPorts(), r}
	tasks := make(chan *ticket, r.plan.settings.Workers) // so that no worker waits for admission to be scheduled
	var workers sync.WaitGroup
	for range r.plan.settings.Workers {
		workers.Go(func() { f.work(tasks) })
	}
	r.wait.Go(func() {
		defer close(f.out)
		f.admit(tasks)
		workers.Wait()
	})
	return f
}

// admit lets rows through to the workers, in order.
func (f *transform) admit(tasks chan<- *ticket) {
	defer close(tasks)
	r := f.run
	for element, starved := range timed(r.elements(r.ctx, f.inlet, new(busy))) {
		t, ok := element.(*ticket)
		if !ok {
			r.fail(wrongElement("transform", element, t))
			continue
		}
		begin := time.Now()
		if t.at == 0 && !t.donor {
			f.begin(t.batch)
			f.hand(t.batch)
		}
		if t.located && !r.stopped() {
			t.charged = t.encoded + t.working
			r.budget.Row(t.working, t.encoded)
			r.pool.Trim()
		}
		t.blocked = time.Since(begin) > starved
		tasks <- t
	}
}

// begin admits a batch and allocates it.
func (f *transform) begin(b *filling) {
	r := f.run
	if r.stopped() {
		return
	}
	picks, err := r.picks(b.job.epoch, b.job.pick)
	if err != nil {
		r.fail(err)
		return
	}
	base, reserved := r.plan.batchBytes(b.job.rows, picks)
	total := int64(0)
	for _, n := range reserved {
		total += n
	}
	t := r.plan.steps.pictureType()
	donors := int64(len(b.wanted)) * (imageBytes(t) + maskBytes(r.plan.info.Targets, t))
	r.budget.Batch(base+donors, total)
	if r.stopped() {
		return
	}
	b.picks, b.reserved = picks, reserved
	r.pool.Trim()
	b.draft = r.base.Draft(b.job.epoch, b.job.number, b.job.rows)
	if len(b.wanted) > 0 {
		b.donors = r.donors.Draft(b.job.epoch, b.job.number, len(b.wanted))
	}
}

// hand sends a batch on as it is begun.
func (f *transform) hand(b *filling) {
	select {
	case f.out <- b:
	case <-f.run.ctx.Done():
		f.run.wait.Go(b.abandon)
	}
}

// work is a worker. After the run's end it only counts.
func (f *transform) work(tasks <-chan *ticket) {
	r, m := f.run, &f.run.stats.transforming
	maker := &picture.Maker{Clock: &r.stats.clock}
	begin := time.Now()
	for t := range tasks {
		if t.blocked {
			begin = m.blocked.add(begin)
		} else {
			begin = m.starved.add(begin)
		}
		if t.located && t.batch.draft != nil && !r.stopped() {
			r.budget.StartRow()
			f.make(maker, t)
			r.budget.EndRow()
			m.items.Add(1)
		}
		f.dropDraw(t)
		last := t.batch.count()
		r.budget.RowDone(t.charged, last)
		if last {
			close(t.batch.ready)
		}
		begin = m.busy.add(begin)
	}
}

// mostKept is the size of buffers for files that are kept for others, which are charged
// by their own size.
const mostKept = 4 << 20

// make completes one draw. What the ticket holds of it is given up: batches end late.
func (f *transform) make(maker *picture.Maker, t *ticket) {
	r, rows := f.run, f.run.plan.rows
	form := r.plan.info.Form
	d := t.outcome()
	d.planned, d.given = t.row.meta.Labels, t.row.sample
	row, failed := rows.complete(r.ctx, maker, &t.row, t.err, t)
	if n := len(failed); t.row.fault != nil && n > 0 {
		r.fail(failed[0])
	} else if n > 0 && failed[n-1].EndsRun() {
		r.fail(ended(rows.policy, failed[n-1]))
	}
	if form != schema.FormEncoded && t.buffer != nil { // there the batch holds it to its end
		if cap(*t.buffer) <= mostKept {
			r.buffers.Put(t.buffer)
		}
		t.buffer = nil
	}
	d.failures, d.lost = failed, row == nil
	if row == nil {
		t.draft().Drop(t.at)
	} else {
		d.labels, d.sample, d.print = row.meta.Labels, row.sample, row.print
		d.fates, d.turn, d.weight = row.fates, row.turn, row.meta.Weight
		if row.draw != nil && len(row.draw.Chosen) > 0 {
			d.strengths = make([]float64, 0, len(row.draw.Chosen))
			for _, c := range row.draw.Chosen {
				d.strengths = append(d.strengths, c.Strength)
			}
		}
		if row.repairs > 0 {
			d.filled = row.meta.Key
		}
		if d.turn == picture.Untold {
			d.untold = row.meta.Key
		}
		switch form {
		case schema.FormVarying:
			d.held = int64(len(row.picture.U8))
			if row.mask != nil {
				d.held += int64(len(row.mask.U8))
			}
		case schema.FormEncoded:
			d.held = int64(len(row.encoded))
			if row.meta.Targets != row.targets { // its mask may have a file of its own
				d.held += int64(len(row.meta.Targets.Mask))
			}
		}
		t.charged -= d.held
	}
}

// dropDraw takes a ticket's draw back, for another row.
func (f *transform) dropDraw(t *ticket) {
	if t.row.draw != nil {
		t.row.draw.Drop()
		f.run.drawPool.Put(t.row.draw)
	}
	t.row = row{}
}
