package flow

import (
	"context"
	"errors"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// run is what the operators of one run share: the plan, the context that ends
// them, and the figures they count.
type run struct {
	plan    *Plan
	ctx     context.Context
	cancel  context.CancelCauseFunc
	stats   *stats
	base    *schema.Builder // of the batches as operator 2 makes them
	builder *schema.Builder // of the variants in which they leave
}

// fail ends the run; the first cause counts.
func (r *run) fail(err error) { r.cancel(err) }

// stopped reports whether the run has failed or was cancelled.
func (r *run) stopped() bool { return r.ctx.Err() != nil }

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
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	r := &run{plan: p, stats: newStats(p)}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	var err error
	if r.base, err = schema.NewBuilder(p.base(), p.Settings.Allocator); err != nil {
		return nil, err
	}
	if r.builder, err = schema.NewBuilder(&p.Run, p.Settings.Allocator); err != nil {
		return nil, err
	}
	if err := sink.Open(r.ctx, &p.Run); err != nil {
		return nil, err
	}
	deliver := newDeliver(r, sink)
	r.stats.begin(p.Settings.Progress)
	newFeed(r, sink).Via(newRows(r)).Via(newVariants(r)).To(deliver)
	return r.stats.end(), deliver.err
}
