package flow

import (
	"sync"
	"sync/atomic"
	"time"

	streams "github.com/reugn/go-streams"
	gsflow "github.com/reugn/go-streams/flow"

	"github.com/sluicedata/sluice/schema"
)

// rows is operator 2: jobs in, batches out, in the order of the jobs.
//
//	dispatch  splits jobs into tickets, one per row, in order
//	readers   fetch the files of the next rows, a bounded number ahead
//	admit     in order: waits for a row's file, then for memory; begins batches
//	workers   make the rows of several batches at a time, each into its place
//	emit      waits for the oldest batch, a future, and sends it on
//
// Readers and workers are pools; the others are one goroutine each, and what
// they do in order makes the order of everything.
type rows struct {
	in, out chan any
	run     *run
	buffers sync.Pool // *[]byte of encoded files
}

// pending is a batch under way: a future.
type pending struct {
	job     job
	draft   *schema.Draft // nil before admission, and where the run ended first
	tickets []ticket      // per row
	draws   []outcome     // per row, written by its worker
	later   []int64       // bytes reserved for each variant in which it will leave
	left    atomic.Int64  // rows still to be made
	ready   chan struct{} // closed when none is left
}

// ticket is a row under way.
type ticket struct {
	batch   *pending
	at      int            // its row in the batch
	located bool           // false once the run has ended
	row     Row            // empty once it is made
	encoded int64          // bytes of its file, charged as read ahead
	working int64          // bytes that making it takes
	buffer  *[]byte        // that its file was read into; nil: none
	err     *RowError      // of reading
	read    sync.WaitGroup // done when the file is there, or isn't
	charged int64          // its bytes in the budget, once admitted
	blocked bool           // admission waited for memory longer than for the file
}

func newRows(r *run) *rows {
	f := &rows{in: make(chan any), out: make(chan any), run: r}
	s := r.plan.Settings
	ahead := s.filesAhead()
	reads := make(chan *ticket, ahead)
	order := make(chan *ticket, ahead)
	tasks := make(chan *ticket, s.Workers) // so that no worker waits for admission to be scheduled
	queue := make(chan *pending, s.Queue+1)
	r.stats.reader.capacity, r.stats.pictures.capacity = ahead, ahead
	var workers sync.WaitGroup
	for range s.Readers {
		workers.Go(func() { f.fetch(reads) })
	}
	for range s.Workers {
		workers.Go(func() { f.work(tasks) })
	}
	go f.dispatch(reads, order)
	go f.admit(order, tasks, queue)
	go func() {
		f.emit(queue)
		workers.Wait()
		close(f.out)
	}()
	return f
}

func (f *rows) dispatch(reads, order chan<- *ticket) {
	defer close(order)
	defer close(reads)
	for element := range f.in {
		j, ok := element.(job)
		if !ok {
			f.run.fail(foreign("rows", element, j))
		}
		if f.run.stopped() {
			continue // drain
		}
		p := f.run.plan
		b := &pending{job: j, tickets: make([]ticket, j.rows), draws: make([]outcome, j.rows), ready: make(chan struct{})}
		b.left.Store(int64(j.rows))
		tasks := len(p.Tasks)
		labels := make([]int32, j.rows*tasks)
		for at := range j.rows { // all of them, even if the run ends: so every batch that is begun ends
			t := &b.tickets[at]
			t.batch, t.at = b, at
			t.read.Add(1)
			if !f.run.stopped() {
				t.row, t.located = p.locateIn(&b.job, at, labels[at*tasks:at*tasks:(at+1)*tasks]), true
				t.encoded = p.encodedBytes(&t.row)
				f.run.budget.readAhead(t.encoded)
			}
			order <- t
			reads <- t
		}
	}
}

// fetch is a reader.
func (f *rows) fetch(reads <-chan *ticket) {
	m, mem := &f.run.stats.reader, new(scratch)
	begin := time.Now()
	for t := range reads {
		begin = m.starved.add(begin)
		m.queue(len(reads))
		if t.located && t.row.Encoded == nil && !f.run.stopped() {
			buffer, _ := f.buffers.Get().(*[]byte)
			if buffer == nil {
				buffer = new([]byte)
			}
			if t.err = f.run.plan.read(f.run, &t.row, *buffer); t.err == nil {
				*buffer = t.row.Encoded
				t.buffer = buffer
			} else if t.err.EndsRun() { // at once: others may be waiting for what the machine lacks
				f.run.fail(ended(f.run.plan.Settings.Failures.Policy, t.err))
			}
			m.items.Add(1)
		}
		if t.located && t.row.Encoded != nil && t.err == nil {
			t.working = f.run.plan.workingBytes(mem, &t.row)
		}
		t.read.Done()
		begin = m.busy.add(begin)
	}
}

// admit lets rows through to the workers, in order.
func (f *rows) admit(order <-chan *ticket, tasks chan<- *ticket, queue chan<- *pending) {
	defer close(queue)
	defer close(tasks)
	r := f.run
	for t := range order {
		begin := time.Now()
		t.read.Wait()
		starved := time.Since(begin)
		begin = time.Now()
		if t.at == 0 {
			if f.begin(t.batch); r.stopped() {
				t.located = false
			}
			queue <- t.batch // has room: the budget bounds the batches
		}
		if t.located && !r.stopped() {
			t.charged = t.encoded + t.working
			r.budget.row(t.working, t.encoded)
			r.pool.trim()
			r.stats.pictures.queue(len(order))
		}
		t.blocked = time.Since(begin) > starved
		tasks <- t
	}
}

// begin admits a batch and allocates it.
func (f *rows) begin(b *pending) {
	r := f.run
	if r.stopped() {
		return
	}
	base, later := r.plan.batchBytes(b.job, r.picks(b.job.epoch, b.job.pick))
	total := int64(0)
	for _, n := range later {
		total += n
	}
	r.budget.batch(base, total)
	if r.stopped() {
		return
	}
	b.later = later
	r.pool.trim()
	b.draft = r.base.Draft(b.job.epoch, b.job.number, b.job.rows)
}

// work is a worker. After the run's end it only counts.
func (f *rows) work(tasks <-chan *ticket) {
	m, mem := &f.run.stats.pictures, new(scratch)
	begin := time.Now()
	for t := range tasks {
		if t.blocked {
			begin = m.blocked.add(begin)
		} else {
			begin = m.starved.add(begin)
		}
		if t.located && t.batch.draft != nil && !f.run.stopped() {
			f.run.budget.start()
			f.make(mem, t)
			f.run.budget.finish()
			m.items.Add(1)
		}
		last := t.batch.left.Add(-1) == 0
		f.run.budget.rowMade(t.charged, last)
		if last {
			close(t.batch.ready)
		}
		begin = m.busy.add(begin)
	}
}

// mostKept is the size of buffers for files that are kept for others, which are charged
// by their own size.
const mostKept = 4 << 20

// make settles one draw. What the ticket holds of it is given up: batches end late.
func (f *rows) make(m *scratch, t *ticket) {
	p, b := f.run.plan, t.batch
	d := &b.draws[t.at]
	d.planned = t.row.Meta.Labels
	defer func() { t.row = Row{} }()
	if p.Form == schema.FormTensor && !p.decoder.Gray() { // grey leaves its three channels when it is put there
		t.row.slot = b.draft.Slot(t.at)
	}
	row, failed := p.settle(f.run, m, &t.row, t.err, t)
	if p.Form != schema.FormEncoded && t.buffer != nil { // there the batch holds it to its end
		if cap(*t.buffer) <= mostKept {
			f.buffers.Put(t.buffer)
		}
		t.buffer = nil
	}
	d.failures, d.lost = failed, row == nil
	if row == nil {
		b.draft.Drop(t.at)
		return
	}
	d.labels, d.sample, d.print = row.Meta.Labels, row.Sample, row.print
	if row.Repairs > 0 {
		d.filled = row.Meta.Key
	}
	switch p.Form {
	case schema.FormVarying:
		d.held = int64(len(row.Picture.U8))
	case schema.FormEncoded:
		d.held = int64(len(row.Encoded))
	}
	t.charged -= d.held
}

// emit sends whole batches on, in order. It waits for all rows of a batch even
// after the run's end: a worker may still be writing into its buffer.
func (f *rows) emit(queue <-chan *pending) {
	r := f.run
	for b := range queue {
		<-b.ready
		if b.draft == nil {
			continue
		}
		if !r.stopped() {
			if err := r.failures.note(b); err != nil {
				r.fail(err)
			}
		}
		if r.stopped() {
			b.draft.Discard()
			continue
		}
		batch, err := b.draft.Finish()
		for i := range b.draws {
			r.budget.give(b.draws[i].held)
		}
		if err != nil {
			r.fail(err)
			continue
		}
		if r.remembers {
			batch.Reads = reads(b.draws)
		}
		r.underway.push(&summary{job: b.job, draws: b.draws, later: b.later, variants: max(len(b.later), 1)})
		send(r, f.out, batch)
	}
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

func (f *rows) In() chan<- any  { return f.in }
func (f *rows) Out() <-chan any { return f.out }

func (f *rows) Via(next streams.Flow) streams.Flow {
	gsflow.DoStream(f, next)
	return next
}

func (f *rows) To(sink streams.Sink) {
	gsflow.DoStream(f, sink)
	sink.AwaitCompletion()
}
