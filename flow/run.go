package flow

import (
	"context"
	"errors"

	"github.com/sluicedata/sluice/sinks"
)

// Run plans the pipeline and delivers all its batches to the sink. It returns
// when the sink is closed and every goroutine has ended. The report covers what
// was delivered, also when the error isn't nil.
func (p *Pipeline) Run(ctx context.Context, sink sinks.Sink, opts ...Option) (*Report, error) {
	plan, err := p.Plan(ctx, opts...)
	if err != nil {
		return nil, err
	}
	if tell := plan.settings.OnPlan; tell != nil {
		tell(plan)
	}
	report, err := plan.Deliver(ctx, sink)
	return report, errors.Join(err, plan.Close())
}

// Deliver runs the plan into a sink, as Pipeline.Run does; the plan stays open
// and may be run again; With says where it resumes.
func (p *Plan) Deliver(ctx context.Context, sink sinks.Sink) (*Report, error) {
	if isNil(sink) {
		return nil, errors.New("flow: there is no sink: give one, such as *sinks.Discard")
	}
	r, err := begin(ctx, p)
	if err != nil {
		return nil, err
	}
	defer r.cancel(nil)
	if err := guard("sink", func() error { return sink.Open(r.ctx, p.Info()) }); err != nil {
		return nil, err
	}
	r.expands()
	r.asks(sink)
	if err := r.takes(plannedDraws); err != nil {
		return nil, errors.Join(err, sink.Close(err))
	}
	deliver := newDeliver(r, sink)
	r.stats.begin(r.progress())
	newFeed(r).
		Via(newRead(r)).
		Via(newTransform(r)).
		Via(newBatch(r)).
		Via(newScales(r)).
		To(deliver)
	return r.end(deliver.err)
}
