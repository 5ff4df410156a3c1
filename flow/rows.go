package flow

import (
	"sync"
	"sync/atomic"

	streams "github.com/reugn/go-streams"
	gsflow "github.com/reugn/go-streams/flow"

	"github.com/sluicedata/sluice/schema"
)

// rows is operator 2: jobs in, batches out, in the order of the jobs. A pool of
// workers makes single rows, of several batches at a time; a bounded queue of
// pending batches keeps order and makes the pool wait for a slow sink.
type rows struct {
	in, out chan any
	run     *run
}

// pending is a batch under way: a future.
type pending struct {
	job   job
	draft *schema.Draft
	left  atomic.Int64  // rows still to be made
	ready chan struct{} // closed when none is left

	failed struct {
		sync.Mutex
		row int
		err error // of the first row, in their order, that could not be made
	}
}

// fail notes a row's error, so that the one reported doesn't depend on which
// worker was first.
func (p *pending) fail(row int, err error) {
	p.failed.Lock()
	defer p.failed.Unlock()
	if p.failed.err == nil || row < p.failed.row {
		p.failed.row, p.failed.err = row, err
	}
}

type task struct {
	batch *pending
	row   int
}

func newRows(r *run) *rows {
	f := &rows{in: make(chan any), out: make(chan any), run: r}
	tasks := make(chan task, r.plan.Settings.Workers)
	queue := make(chan *pending, r.plan.Settings.Queue)
	var workers sync.WaitGroup
	for range r.plan.Settings.Workers {
		workers.Go(func() {
			for t := range tasks {
				f.make(t)
			}
		})
	}
	go f.dispatch(tasks, queue)
	go func() {
		f.emit(queue)
		workers.Wait()
		close(f.out)
	}()
	return f
}

// dispatch splits jobs into tasks. The queue's room comes first: that is the
// backpressure.
func (f *rows) dispatch(tasks chan<- task, queue chan<- *pending) {
	defer close(queue)
	defer close(tasks)
	for element := range f.in {
		j, ok := element.(job)
		if !ok {
			f.run.fail(foreign("rows", element, j))
		}
		if f.run.stopped() {
			continue // drain
		}
		p := &pending{job: j, draft: f.run.base.Draft(j.epoch, j.number, j.rows), ready: make(chan struct{})}
		p.left.Store(int64(j.rows))
		queue <- p
		for row := range j.rows {
			tasks <- task{p, row}
		}
	}
}

// make makes one row; after a failure it only counts it.
func (f *rows) make(t task) {
	if !f.run.stopped() {
		if err := f.run.plan.makeRow(f.run, t); err != nil {
			t.batch.fail(t.row, err)
		}
	}
	if t.batch.left.Add(-1) == 0 {
		close(t.batch.ready)
	}
}

// emit sends finished batches on, in order. It waits for all rows of a batch
// even after a failure: a worker may still be writing into its buffer.
func (f *rows) emit(queue <-chan *pending) {
	for p := range queue {
		<-p.ready
		if p.failed.err != nil {
			f.run.fail(p.failed.err)
		}
		if f.run.stopped() {
			p.draft.Discard()
			continue
		}
		batch, err := p.draft.Finish()
		if err != nil {
			f.run.fail(err)
			continue
		}
		send(f.run, f.out, batch)
	}
}

// send hands a batch on, or releases it when the run ends first.
func send(r *run, out chan<- any, batch *schema.Batch) {
	select {
	case out <- batch:
	case <-r.ctx.Done():
		batch.Release()
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
