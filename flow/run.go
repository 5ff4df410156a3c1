package flow

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// run is what the operators of one run share: the plan, the context that ends
// them, the memory they may use and the figures they count.
type run struct {
	plan      *Plan
	ctx       context.Context
	cancel    context.CancelCauseFunc
	has       func(epoch int, batch int64) bool // the sink has a batch already, or wants none of its variants
	wants     func(variant int) bool            // the sink takes a variant; nil: all
	given     bool                              // the samples come from a foreign source
	plain     bool                              // batches leave before the expander
	told      error                             // of OnProgress
	budget    *budget
	pool      *pool
	failures  failures
	underway  underway
	stats     *stats
	remembers bool            // the sink wants to know what batches were made of
	partial   bool            // some batches of the rank are not made: the sink has them, or they were before a resume
	base      *schema.Builder // of the batches as operator 2 makes them
	builder   *schema.Builder // of the variants in which they leave

	state struct {
		sync.Mutex
		State
	}
}

// picks lists the variants that are made of a batch; nil without an expander.
func (r *run) picks(epoch int, number int64) (list []int) {
	if r.plan.expander == nil || r.plain {
		return nil
	}
	r.guard(r.plan.expander.name, func() {
		list = r.plan.picks(epoch, number)
		if r.wants != nil {
			list = slices.DeleteFunc(slices.Clone(list), func(v int) bool { return !r.wants(v) })
		}
	})
	return list
}

// guard ends the run if somebody else's code panics.
func (r *run) guard(what string, do func()) {
	if err := guard(what, func() error { do(); return nil }); err != nil {
		r.fail(err)
	}
}

// progress is what tells the caller how far the run is.
func (r *run) progress() func(Progress) {
	tell := r.plan.Settings.Progress
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

// fail ends the run; the first cause counts.
func (r *run) fail(err error) { r.cancel(err) }

// stopped reports whether the run has failed or was cancelled.
func (r *run) stopped() bool { return r.ctx.Err() != nil }

// checkDelivered fails a run that comes to its end with nothing to show for its
// draws: before the sink closes, so that nothing is sealed. One that makes only
// some of the batches may have none.
func (r *run) checkDelivered() {
	rows, drawn := r.stats.counted()
	if rows == 0 && drawn > 0 && !r.partial && !r.stopped() {
		r.fail(&NothingDelivered{Draws: drawn, Last: r.failures.last})
	}
}

// begin prepares a run. Its end belongs to the caller, unless it fails.
func (p *Plan) begin(ctx context.Context) (*run, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r := &run{plan: p, stats: newStats(p), has: func(int, int64) bool { return false }}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	r.budget = newBudget(r.ctx, p.Settings.Budget, p.Settings.Queue+1)
	r.pool = newPool(p.Settings.Allocator, r.budget)
	r.stats.budget, r.stats.ledger = r.budget, newLedger(p)
	r.state.State = p.stateAt(p.start())
	if s := p.Settings.Resume; s != nil {
		r.state.Rows, r.state.Failed, r.state.Refilled = s.Rows, s.Failed, s.Refilled
		r.partial = s.Rows > 0 || p.start() != cursor{}
	}
	var err, err2 error
	r.base, err = schema.NewBuilder(p.base(), r.pool)
	r.builder, err2 = schema.NewBuilder(&p.Run, r.pool)
	if err := errors.Join(err, err2); err != nil {
		r.cancel(nil)
		return nil, err
	}
	return r, nil
}

// watchFailures opens the quarantine file, once it is known what will be made.
func (r *run) watchFailures() (err error) {
	p, f := r.plan, r.plan.Settings.Failures
	world := int64(p.Settings.World)
	r.failures = failures{policy: f.Policy, max: f.Max, draws: r.state.Failed + r.state.Refilled}
	perEpoch := min(p.roundsEnd(0)/world*int64(p.BatchSize), p.RowsPerEpoch) // of a rank
	r.failures.limit = f.Max.of(perEpoch * int64(p.Epochs))
	name := f.Quarantine
	if r.given { // which are no draws of the plan: they have a file of their own
		r.failures.given = true
		r.failures.quarantine, err = openQuarantine(suffixed(name, "-given"), func(int, int64) bool { return false })
		return err
	}
	if world > 1 {
		name = numbered(name, p.Settings.Rank, p.Settings.World)
	}
	r.failures.quarantine, err = openQuarantine(name, func(epoch int, position int64) bool {
		number := position / int64(p.BatchSize)
		return p.makes(epoch, number) && !r.has(epoch, number)
	})
	if q := r.failures.quarantine; q != nil {
		r.failures.draws = max(r.failures.draws, q.kept)
	}
	return err
}

// numbered is the name of one of several processes' files: bad-0-of-4.jsonl.
func numbered(name string, i, n int) string {
	return suffixed(name, "-"+strconv.Itoa(i)+"-of-"+strconv.Itoa(n))
}

func suffixed(name, suffix string) string {
	if name == "" {
		return ""
	}
	ext := filepath.Ext(name)
	return strings.TrimSuffix(name, ext) + suffix + ext
}

// left notes that a record is through, and its batch with its last variant: only
// then, and if the sink has it, the state moves on. After the run's end nothing
// is written any more, so where the last variant was, all were.
func (r *run) left(written bool) {
	s := r.underway.left()
	if s == nil {
		return
	}
	r.budget.through()
	if !written {
		return
	}
	rows, failed, refilled := r.stats.through(s)
	r.state.Lock()
	r.state.Epoch, r.state.Batch = s.job.next.epoch, s.job.next.batch
	r.state.Rows += rows
	r.state.Failed += failed
	r.state.Refilled += refilled
	state := r.state.State
	r.state.Unlock()
	if tell := r.plan.Settings.OnState; tell != nil && !r.given {
		r.guard("state", func() { tell(state) })
	}
}

// end sums up once all operators have ended. err is the run's.
func (r *run) end(err error) (*Report, error) {
	report := r.stats.end()
	report.Memory.Buffers = r.pool.asked()
	r.state.Lock()
	if !r.given {
		report.State = r.state.State
	}
	r.state.Unlock()
	if r.told != nil {
		err = joined(r.told, err)
	}
	r.cancel(nil)
	r.budget.close()
	r.pool.close()
	return report, errors.Join(err, r.failures.quarantine.close())
}

// Run plans the pipeline and delivers all its batches to the sink. It returns
// when the sink is closed and every goroutine has ended. The report covers what
// was delivered, also when the error isn't nil.
func (p *Pipeline) Run(ctx context.Context, sink sinks.Sink, opts ...Option) (*Report, error) {
	plan, err := p.Plan(ctx, opts...)
	if err != nil {
		return nil, err
	}
	if plan.Settings.OnPlan != nil {
		plan.Settings.OnPlan(plan)
	}
	report, err := plan.Deliver(ctx, sink)
	return report, errors.Join(err, plan.Close())
}

// Deliver runs the plan into a sink, as Pipeline.Run does; the plan stays open
// and may be run again.
func (p *Plan) Deliver(ctx context.Context, sink sinks.Sink) (*Report, error) {
	r, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer r.cancel(nil)
	if err := guard("sink", func() error { return sink.Open(r.ctx, &p.Run) }); err != nil {
		return nil, err
	}
	if remembering, ok := sink.(sinks.Rememberer); ok {
		r.remembers = remembering.Remembers()
	}
	if skipper, ok := sink.(sinks.Skipper); ok {
		r.has = func(epoch int, batch int64) bool {
			has := true // in a run that ends
			r.guard("sink", func() { has = skipper.Has(epoch, batch) })
			return has
		}
	}
	if chooser, ok := sink.(sinks.Chooser); ok && p.expander != nil {
		has := r.has
		r.wants = chooser.Wants
		r.has = func(epoch int, batch int64) bool { return has(epoch, batch) || len(r.picks(epoch, batch)) == 0 }
	}
	if err := r.watchFailures(); err != nil {
		return nil, errors.Join(err, sink.Close(err))
	}
	deliver := newDeliver(r, sink, true)
	r.stats.begin(r.progress())
	newFeed(r).Via(newRows(r)).Via(newVariants(r)).To(deliver)
	return r.end(deliver.err)
}
