package flow

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
)

// place is where a draw's picture goes, and who reads other samples for it.
type place interface {
	maskSlot() []uint8                    // to sample its mask into; nil: into one of its own
	slot() *schema.Picture                // to sample it into; nil: into a picture of its own
	look() *picture.Views                 // where pictures on the way are wanted; nil: they aren't
	put(*row) error                       // moves a finished row there
	read(context.Context, *row) *RowError // reads and prepares a substitute
}

// complete makes a draw with all its attempts: the row that it leaves, nil if none, and
// the samples that failed on the way. first is the draw as located, read and prepared; or
// err says why it couldn't be read. Both are nil where ctx has ended.
//
// What a draw becomes is a function of data, plan, epoch and position: each attempt's
// sample and random numbers are addressed by the attempt's number.
func (r *rows) complete(ctx context.Context, m *picture.Maker, first *row, err *RowError, p place) (made *row, failed []*RowError) {
	for row := first; ; {
		if err == nil {
			err = r.putInPlace(ctx, m, row, p)
		}
		if err == nil {
			return row, failed
		}
		if ctx.Err() != nil {
			return nil, nil // the run's end, not the row's fault
		}
		failed = append(failed, err)
		other, ok := r.substitute(first, row.attempt+1)
		if err.EndsRun() || !ok {
			return nil, failed
		}
		if row, err = &other, nil; other.fault == nil {
			err = p.read(ctx, row)
		}
	}
}

// putInPlace makes a row and puts it where it belongs. A panic of user code is
// an error, too.
func (r *rows) putInPlace(ctx context.Context, m *picture.Maker, row *row, p place) (failed *RowError) {
	stage := "source"
	defer func() {
		if panicked := recover(); panicked != nil {
			failed = row.failed(stage, fmt.Errorf("panic: %v\n%s", panicked, debug.Stack()))
		}
	}()
	if row.fault != nil {
		return row.failed(stage, row.fault)
	}
	if failed := r.make(ctx, m, row, p.slot(), p.look()); failed != nil {
		return failed
	}
	if failed := r.makeTargets(m, row, p.maskSlot()); failed != nil {
		return failed
	}
	stage = "batch"
	if err := p.put(row); err != nil {
		return row.failed(stage, err)
	}
	return nil
}

// substitute is another sample for a draw.
func (r *rows) substitute(first *row, attempt int) (other row, ok bool) {
	if r.policy != Refill || attempt > mostRefills || first.sample < 0 || first.fault != nil {
		return other, false
	}
	rand := func(attempt int) *rng.Stream {
		return r.refills.key.Stream(first.epoch, first.meta.Position, first.offset+attempt)
	}
	err := guard("source", func() error { // its index may be user code
		var sample int
		if sample, ok = r.refills.other(first.sample, attempt, rand); ok {
			other = r.ofSample(sample, first.epoch, first.meta.Position, attempt, nil)
		}
		return nil
	})
	if err != nil {
		other, ok = row{meta: first.meta, sample: first.sample, attempt: attempt, epoch: first.epoch, fault: err}, true
	}
	if !ok {
		return other, false
	}
	other.offset, other.program = first.offset, first.program
	other.draw = first.draw
	if other.draw == nil && r.pictures != nil {
		other.draw = new(picture.Draw)
	}
	return other, true
}
