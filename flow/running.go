package flow

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sluicedata/sluice/flow/internal/memory"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// run is what the operators of one run share: the plan, the context that ends them, the
// memory that they may use and the figures that they count.
type run struct {
	plan     *Plan
	ctx      context.Context
	cancel   context.CancelCauseFunc
	sink     sinkSide
	budget   *memory.Budget
	pool     *memory.Pool
	buffers  sync.Pool // *[]byte of encoded files
	drawPool sync.Pool // *picture.Draw
	leaving  leaving
	stats    *stats
	elements func(ctx context.Context, in *inlet, waited *busy) input // that come to an operator
	partial  atomic.Bool                                              // some batches of the rank are not made: the sink has them, or they were before a resume
	base     *schema.Builder                                          // of the batches as batch makes them
	variants *schema.Builder                                          // of those as scales makes them
	donors   *schema.Builder                                          // of the pictures that rows are mixed with
	picks    func(epoch int, number int64) ([]int, error)

	begun    sync.Mutex
	origin   origin    // of the rows; set before the first; see from
	accounts *accounts // of that origin
	told     error     // of OnProgress
	state    struct {
		sync.Mutex
		State
	}

	wait    sync.WaitGroup // for what an operator leaves behind
	feeding sync.WaitGroup // for those that ask the sink what it has
}

// origin is where a run's rows come from.
type origin string

const (
	plannedDraws origin = "the plan's draws"
	givenSamples origin = "samples of another source"
)

// sinkSide is what a run's sink says of the batches that it wants.
type sinkSide struct {
	tracksReads bool // it wants to know what they were made of
	skipper     func(epoch int, batch int64) bool
	chooser     func(epoch int, batch int64) bool // none of its variants is wanted
}

// knows tells that has depends on the batch.
func (s *sinkSide) knows() bool { return s.skipper != nil || s.chooser != nil }

// has reports whether a batch need not be made.
func (s *sinkSide) has(epoch int, batch int64) bool {
	return s.skipper != nil && s.skipper(epoch, batch) || s.chooser != nil && s.chooser(epoch, batch)
}

// begin prepares a run whose batches leave in no other variant. Its end belongs to the
// caller, unless it fails.
func begin(ctx context.Context, p *Plan) (*run, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r := &run{plan: p, stats: newStats(p), elements: fromOurs, picks: func(int, int64) ([]int, error) { return nil, nil }}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	r.budget = memory.New(r.ctx, p.settings.Budget, p.settings.Queue+1)
	r.pool = memory.NewPool(p.settings.Allocator, r.budget)
	r.stats.budget, r.stats.ledger = r.budget, newLedger(p)
	r.state.State = p.stateAt(p.deal.start)
	if s := p.settings.Resume; s != nil {
		r.state.Rows, r.state.Failed, r.state.Refilled, r.state.Ledger = s.Rows, s.Failed, s.Refilled, s.Ledger
		r.stats.ledger.resume(s.Ledger)
		r.partial.Store(s.Rows > 0 || p.deal.start != cursor{})
	}
	var err, err2 error
	r.base, err = schema.NewBuilder(p.steps.beforeScales(p.info), r.pool)
	r.variants, err2 = schema.NewBuilder(&p.info, r.pool)
	if len(p.mixing.mixers) > 0 && err == nil {
		r.donors, err = schema.NewBuilder(p.steps.beforeScales(p.info), r.pool)
	}
	if err := errors.Join(err, err2); err != nil {
		r.cancel(nil)
		return nil, err
	}
	if mem := p.settings.Images; mem != nil {
		leaves := r.base
		if p.scaling != nil {
			leaves = r.variants
		}
		leaves.ImagesFrom(memory.Charge(mem, r.budget))
	}
	return r, nil
}

// expands has the run's batches leave in the variants that the plan picks.
func (r *run) expands() {
	if r.plan.scaling != nil {
		r.picks = r.plan.scaling.picks
	}
}

// asks finds out what an opened sink wants.
func (r *run) asks(sink sinks.Sink) {
	if s, ok := sink.(sinks.ReadTracker); ok {
		r.sink.tracksReads = s.TracksReads()
	}
	if s, ok := sink.(LedgerFollower); ok {
		r.stats.late = newLateLedger(r.stats.ledger)
		r.guard("sink", func() { s.Follow(r.stats.late) })
	}
	if s, ok := sink.(sinks.Skipper); ok {
		r.sink.skipper = func(epoch int, batch int64) (has bool) {
			has = true // in a run that ends
			r.guard("sink", func() { has = s.Has(epoch, batch) })
			return has
		}
	}
	if s, ok := sink.(sinks.Chooser); ok && r.plan.scaling != nil {
		r.picks = func(epoch int, number int64) (list []int, err error) {
			if list, err = r.plan.scaling.picks(epoch, number); err != nil {
				return nil, err
			}
			list = slices.Clone(list)
			err = guard("sink", func() error {
				list = slices.DeleteFunc(list, func(v int) bool { return !s.Wants(v) })
				return nil
			})
			return list, err
		}
		r.sink.chooser = func(epoch int, batch int64) bool {
			list, err := r.picks(epoch, batch)
			r.failOn(err)
			return len(list) == 0
		}
	}
}

// takes says where the rows come from, before the first of them. It opens the quarantine
// file.
func (r *run) takes(from origin) (err error) {
	r.begun.Lock()
	defer r.begun.Unlock()
	switch r.origin {
	case from:
		return nil
	case "":
		r.origin = from
	default:
		return errors.New("flow: a Stream takes the plan's draws or samples of another source, not both: Start another")
	}
	if from == givenSamples {
		if set := r.plan.settings; set.Resume != nil || set.World > 1 {
			return errors.New("flow: samples from a foreign source are a run of their own: it cannot resume from a state (Resume), and it isn't dealt to ranks (World): plan it without them")
		}
		r.accounts, err = accountsOfSamples(r.plan)
		return err
	}
	r.accounts, err = accountsOfDraws(r.plan, r.sink.has)
	return err
}

// from is where the rows come from, as far as that is known.
func (r *run) from() origin {
	r.begun.Lock()
	defer r.begun.Unlock()
	return r.origin
}

// takesNone is takes for an input that has ended: whatever would have come was a sample
// if there are no draws.
func (r *run) takesNone() error {
	if r.from() == plannedDraws {
		return nil
	}
	return r.takes(givenSamples)
}

// guard ends the run if user code panics.
func (r *run) guard(what string, do func()) {
	r.failOn(guard(what, func() error { do(); return nil }))
}

// fail ends the run; the first cause counts.
func (r *run) fail(err error) { r.cancel(err) }

// failOn ends the run if there is an error.
func (r *run) failOn(err error) {
	if err != nil {
		r.fail(err)
	}
}

// stopped reports whether the run has failed or was cancelled.
func (r *run) stopped() bool { return r.ctx.Err() != nil }

// progress is what tells the caller how far the run is.
func (r *run) progress() func(Progress) {
	tell := r.plan.settings.Progress
	if tell == nil {
		return nil
	}
	return func(p Progress) {
		if r.told != nil {
			return
		}
		if r.told = guard("progress", func() error { tell(p); return nil }); r.told != nil {
			r.fail(r.told)
		}
	}
}

// departed notes that a record has left the run, and its batch with its last variant: only
// then, and if the sink has it, the state moves on. After the run's end nothing is written
// any more, so where the last variant was, all were.
func (r *run) departed(written bool) {
	d := r.leaving.departed()
	if d == nil {
		return
	}
	r.budget.BatchDone()
	if !written {
		return
	}
	rows, failed, refilled := r.stats.count(d)
	if r.origin != plannedDraws {
		return // of samples there is no state
	}
	r.state.Lock()
	r.state.Epoch, r.state.Batch = d.job.next.epoch, d.job.next.batch
	r.state.Rows += rows
	r.state.Failed += failed
	r.state.Refilled += refilled
	tell := r.plan.settings.OnState
	if tell != nil {
		r.state.Ledger = r.stats.ledgerState()
	}
	state := r.state.State
	r.state.Unlock()
	if tell != nil {
		r.guard("state", func() { tell(state) })
	}
}

// checkDelivered fails a run that comes to its end with nothing to show for its draws:
// before the sink closes, so that nothing is sealed. One that makes only some of the
// batches may have none.
func (r *run) checkDelivered() {
	rows, drawn := r.stats.counted()
	if rows == 0 && drawn > 0 && !r.partial.Load() && !r.stopped() {
		r.fail(&NothingDelivered{Draws: drawn, Last: r.accounts.failing.last, times: r.accounts.failing.timesOf(r.accounts.failing.last)})
	}
}

// end sums up once all operators have ended. err is the run's.
func (r *run) end(err error) (*Report, error) {
	r.wait.Wait()
	if r.stats.late != nil {
		r.stats.late.end()
	}
	report := r.stats.end()
	report.Memory.Buffers = r.pool.Fresh()
	if r.accounts != nil {
		report.FirstFailed, report.FailedSamples = r.accounts.failing.report()
	}
	if r.origin != givenSamples {
		r.state.Lock()
		r.state.Ledger = r.stats.ledgerState()
		report.State = r.state.State
		r.state.Unlock()
	}
	if r.told != nil {
		err = joined(r.told, err)
	}
	r.cancel(nil)
	r.feeding.Wait()
	r.budget.Close()
	r.pool.Close()
	return report, errors.Join(err, r.accounts.close())
}
