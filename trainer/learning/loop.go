package learning

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/trainer"
)

// loop holds what is needed after each step and each epoch.
type loop struct {
	trainer     trainer.Trainer
	evaluations []*evaluation
	dir         *directory
	epochs      int                        // of the training
	every       int                        // epochs between two evaluations
	onStep      func(sinks.StepInfo)       // may be nil
	onEpoch     func(EpochRecord)          // likewise
	last        map[string]trainer.Metrics // of the last evaluation; nil before it
}

// step logs a step.
func (l *loop) step(s sinks.StepInfo) {
	losses := slices.Clone(s.Losses.Tasks)
	for i, v := range losses {
		if v != v { // NaN, which JSON doesn't have
			losses[i] = -1
		}
	}
	l.dir.log.write(stepRecord{"step", s.Epoch, s.Batch, s.Scale, s.Losses.Total, losses, s.LearningRate, logFormat})
	if l.onStep != nil {
		l.onStep(s)
	}
}

// epoch evaluates and saves. An epoch whose evaluation fails is saved as well.
func (l *loop) epoch(ctx context.Context, info sinks.EpochInfo) error {
	record := EpochRecord{Kind: "epoch", EpochInfo: info, Format: logFormat}
	done := info.Epoch + 1
	var failed error
	if done%l.every == 0 || done == l.epochs {
		record.Evaluations, failed = l.evaluate(ctx)
		l.last = record.Evaluations
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := l.dir.save(l.trainer, record); err != nil {
		return err
	}
	if failed != nil {
		kept := "1 epoch"
		if done > 1 {
			kept = fmt.Sprintf("%d epochs", done)
		}
		return &RemedyError{ToResume, fmt.Errorf("%w; %s kept: fix the held-out data, or give its pipeline on_error, and resume", failed, kept)}
	}
	if l.onEpoch != nil {
		l.onEpoch(record)
	}
	return nil
}

// evaluate measures on all held-out data.
func (l *loop) evaluate(ctx context.Context) (map[string]trainer.Metrics, error) {
	if len(l.evaluations) == 0 {
		return nil, nil
	}
	out := map[string]trainer.Metrics{}
	for _, e := range l.evaluations {
		m, err := e.measure(ctx, l.trainer)
		if err != nil {
			return nil, err
		}
		out[e.name] = m
	}
	return out, nil
}
