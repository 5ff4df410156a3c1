package flow

import (
	"context"
	"errors"
	"iter"

	"github.com/sluicedata/sluice/schema"
)

// Batches runs the pipeline and yields its batches in order. The loop's body
// borrows each batch: it is released when the body ends; Retain keeps it. An
// error is yielded once, last, with a nil batch. Leaving the loop early ends
// the run, and every goroutine of it, before the loop statement returns; the
// batch at hand then doesn't count for OnState (see Plan.StateAfter).
func (p *Pipeline) Batches(ctx context.Context, opts ...Option) iter.Seq2[*schema.Batch, error] {
	return func(yield func(*schema.Batch, error) bool) {
		plan, err := p.Plan(ctx, opts...)
		if err != nil {
			yield(nil, err)
			return
		}
		more, closed := true, false
		defer func() {
			if !closed { // the body panicked
				_ = plan.Close()
			}
		}()
		for batch, err := range plan.Batches(ctx) {
			if more = yield(batch, err); !more {
				break
			}
		}
		closed = true
		if err := plan.Close(); err != nil && more {
			yield(nil, err)
		}
	}
}

// Batches runs the plan, as Pipeline.Batches does; the plan stays open.
func (p *Plan) Batches(ctx context.Context) iter.Seq2[*schema.Batch, error] {
	return func(yield func(*schema.Batch, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		h := &handOver{batches: make(chan *schema.Batch), taken: make(chan bool)}
		result := make(chan error, 1)
		go func() {
			defer close(h.batches)
			_, err := p.Deliver(ctx, h)
			result <- err
		}()
		// Also when the body panics, the run ends before the panic goes on.
		ended := false
		defer func() {
			if !ended {
				cancel(errLoopLeft)
				for range h.batches { // at most one more; the run closes it
					h.taken <- false
				}
			}
			cancel(nil)
		}()
		for batch := range h.batches {
			if !h.lend(batch, yield) {
				return
			}
		}
		ended = true
		if err := <-result; err != nil {
			yield(nil, err)
		}
	}
}

var errLoopLeft = errors.New("flow: the loop over the batches was left")

// handOver is the sink of Batches: Write lends a batch to the loop's body.
type handOver struct {
	batches chan *schema.Batch
	taken   chan bool // false: the loop was left
}

func (h *handOver) Open(context.Context, *schema.Run) error { return nil }

func (h *handOver) Write(ctx context.Context, batch *schema.Batch) error {
	if batch.Rows() == 0 { // all of them failed: nothing for a loop to do
		return nil
	}
	select {
	case h.batches <- batch:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if !<-h.taken { // whatever happens to ctx: the body is still reading the batch
		return errLoopLeft
	}
	return nil
}

// lend runs the loop's body on a batch and takes it back, also when the body
// panics.
func (h *handOver) lend(batch *schema.Batch, body func(*schema.Batch, error) bool) (more bool) {
	defer func() { h.taken <- more }()
	return body(batch, nil)
}

func (h *handOver) Close(cause error) error { return cause }
