package flow

import (
	"time"

	"github.com/sluicedata/sluice/flow/internal/picture"
)

// read is operator 1: jobs in, or samples of another source; the rows of each job out, in
// order, with their files read and their draws made.
//
//	dispatch  splits jobs into tickets, one per row, in order
//	fetch     a pool: reads the files of the next rows, a bounded number ahead, and draws
//	emit      waits for the next row's file, in order
type read struct {
	ports
	run *run
}

func newRead(r *run) *read {
	f := &read{newPorts(), r}
	ahead := r.plan.settings.filesAhead()
	reads, order := make(chan *ticket, ahead), make(chan *ticket, ahead)
	r.stats.reading.capacity, r.stats.transforming.capacity = ahead, ahead
	for range r.plan.settings.Readers {
		r.wait.Go(func() { f.fetch(reads) })
	}
	r.wait.Go(func() { f.dispatch(reads, order) })
	r.wait.Go(func() {
		defer close(f.out)
		f.emit(order)
	})
	return f
}

func (f *read) dispatch(reads, order chan<- *ticket) {
	defer close(order)
	defer close(reads)
	r := f.run
	samples := gathering{rows: r.plan.rows, size: r.plan.info.BatchSize}
	for element := range patient(r.ctx, f.inlet, new(busy), 0) {
		if r.stopped() {
			continue // drain
		}
		if j, ok := element.(job); ok {
			r.failOn(r.takes(plannedDraws))
			f.split(j, reads, order)
			continue
		}
		r.failOn(r.takes(givenSamples))
		var j job
		var whole bool
		r.failOn(guard("source", func() (err error) {
			j, whole, err = samples.add(element)
			return err
		}))
		if whole && !r.stopped() {
			f.split(j, reads, order)
		}
	}
	if !r.stopped() {
		r.failOn(r.takesNone())
	}
	if j, some := samples.rest(); some && !r.stopped() {
		f.split(j, reads, order)
	}
}

// split makes the tickets of a job: all of them, even if the run ends, so that every
// batch that is begun ends.
func (f *read) split(j job, reads, order chan<- *ticket) {
	r, rows := f.run, f.run.plan.rows
	donors, err := r.plan.mixing.donors(&j)
	r.failOn(err)
	all := j.rows + len(donors)
	b := &filling{run: r, job: j, tickets: make([]ticket, all), outcomes: make([]outcome, j.rows), ready: make(chan struct{}),
		wanted: donors, donated: make([]outcome, len(donors))}
	b.unmade.Store(int64(all))
	tasks := len(r.plan.info.Tasks)
	labels := make([]int32, all*tasks)
	for at := range b.tickets {
		t := &b.tickets[at]
		t.batch, t.at = b, at
		if at >= j.rows {
			t.at, t.donor = at-j.rows, true
		}
		t.fetched.Add(1)
		if !r.stopped() {
			r.failOn(guard("source", func() error { // its index may be user code
				memory := labels[at*tasks : at*tasks : (at+1)*tasks]
				if t.donor {
					w := donors[t.at]
					t.row = r.plan.mixing.mixers[w.mixer].donor(rows, w.which, b.job.epoch, b.job.first+int64(w.row), memory)
				} else {
					t.row = rows.of(&b.job, at, memory)
				}
				t.encoded, t.located = rows.encodedBytes(&t.row), true
				return nil
			}))
		}
		if t.located {
			r.budget.ReadAhead(t.encoded)
		}
		order <- t
		reads <- t
	}
}

// fetch is a reader.
func (f *read) fetch(reads <-chan *ticket) {
	m := &f.run.stats.reading
	begin := time.Now()
	for t := range reads {
		begin = m.starved.add(begin)
		m.queue(len(reads))
		if t.located && !f.run.stopped() {
			f.prepare(t)
			m.items.Add(1)
		}
		t.fetched.Done()
		begin = m.busy.add(begin)
	}
}

// prepare reads a row's file, unless it came with it or its pixels are lent, and draws its
// stages.
func (f *read) prepare(t *ticket) {
	r, rows := f.run, f.run.plan.rows
	if t.row.fault != nil {
		return
	}
	if t.row.encoded == nil && (r.sink.tracksReads || !rows.borrow(r.ctx, &t.row)) {
		buffer, _ := r.buffers.Get().(*[]byte)
		if buffer == nil {
			buffer = new([]byte)
		}
		if t.err = rows.read(r.ctx, &t.row, *buffer, r.sink.tracksReads); t.err != nil {
			if t.err.EndsRun() { // at once: others may be waiting for what the machine lacks
				r.fail(ended(rows.policy, t.err))
			}
			return
		}
		*buffer = t.row.encoded
		t.buffer = buffer
	}
	if t.err = rows.annotate(r.ctx, &t.row, r.sink.tracksReads); t.err != nil {
		if t.err.EndsRun() {
			r.fail(ended(rows.policy, t.err))
		}
		return
	}
	if rows.pictures != nil {
		t.row.draw, _ = r.drawPool.Get().(*picture.Draw)
		if t.row.draw == nil {
			t.row.draw = new(picture.Draw)
		}
	}
	t.working = rows.prepare(&t.row)
}

// emit sends rows on in order, each when its file is there.
func (f *read) emit(order <-chan *ticket) {
	for t := range order {
		t.fetched.Wait()
		f.run.stats.transforming.queue(len(order))
		select {
		case f.out <- t:
		case <-f.run.ctx.Done():
			t.batch.drop()
		}
	}
}

// gathering makes jobs of samples: whole batches, but for the last.
type gathering struct {
	rows *rows
	size int // of a batch
	next job
}

// add takes an element; whole tells that it completes a job.
func (g *gathering) add(element any) (j job, whole bool, err error) {
	sample, err := g.rows.checkSample(element)
	if err != nil {
		return j, false, err
	}
	if g.next.given = append(g.next.given, sample); len(g.next.given) < g.size {
		return j, false, nil
	}
	j, _ = g.rest()
	return j, true, nil
}

// rest is what has come and isn't in a job yet.
func (g *gathering) rest() (j job, some bool) {
	j = g.next
	j.rows = len(j.given)
	j.pick, j.next = j.number, cursor{0, j.number + 1}
	g.next = job{number: j.number + 1, first: j.first + int64(j.rows)}
	return j, j.rows > 0
}
