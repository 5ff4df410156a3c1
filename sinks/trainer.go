package sinks

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// Trainer trains: each record, and so each scale of a batch, is one step, in
// order. During a step the engine prepares the next batches, as many as its queue
// holds. An epoch without a step is an error, and so are weights that are NaN or
// infinite at its end, so that they aren't saved.
//
// An epoch ends when a record of the next one arrives, the last one in Close, and
// none if the run failed: a checkpoint that OnEpoch writes is always one of whole
// epochs. To resume from it, Load it and set Start. The caller closes the
// trainer.Trainer.
type Trainer struct {
	Trainer trainer.Trainer
	Start   int // epochs that the trainer has done already: their batches are not made

	// OnStep, if set, is called after each step.
	OnStep func(StepInfo)
	// OnEpoch, if set, is called after the trainer's EndEpoch, with the run's context:
	// the place to evaluate and to save. Its error ends the run.
	OnEpoch func(ctx context.Context, info EpochInfo) error
	// OnWarning, if set, is called about what is legal but probably a mistake: losses
	// that show too large inputs or too high a learning rate. At most once a run; the
	// warning is in the TrainReport, too.
	OnWarning func(text string)

	run     *schema.Run
	ctx     context.Context // of the run, for the last epoch, which ends in Close
	report  TrainReport
	current EpochInfo // of the epoch under way
	records int
	rows    int       // of the current epoch, masked ones included
	usual   float64   // loss of the run's first step, summed over the tasks, unweighted; NaN before it
	sum     float64   // of such losses in the current epoch
	idle    time.Time // when the last step ended
}

var _ Skipper = (*Trainer)(nil)

// StepInfo is what is known after a step.
type StepInfo struct {
	Epoch        int
	Batch        int64
	Scale        float64
	Losses       trainer.Losses
	LearningRate float64 // of this step
	Wait, Train  time.Duration
}

// EpochInfo summarizes an epoch.
type EpochInfo struct {
	Epoch           int     `json:"epoch"`
	Steps           int     `json:"steps"`
	Rows            int64   `json:"rows"` // with a part in a step's loss; each scale counts
	Loss            float64 `json:"loss"` // mean of the steps' totals
	LearningRate    float64 `json:"learning_rate"`
	WaitingSeconds  float64 `json:"waiting_seconds"`  // for the pipeline
	TrainingSeconds float64 `json:"training_seconds"` // in steps, during which the pipeline waits if its queue is full
}

// TrainReport is a run's.
type TrainReport struct {
	Steps           int         `json:"steps"`
	Rows            int64       `json:"rows"`
	FirstSeconds    float64     `json:"first_seconds"`    // until the first batch arrived
	WaitingSeconds  float64     `json:"waiting_seconds"`  // for the pipeline, after that
	Starved         int         `json:"starved"`          // steps that waited longer than a millisecond
	TrainingSeconds float64     `json:"training_seconds"` // in steps
	BetweenSeconds  float64     `json:"between_seconds"`  // at the ends of epochs: evaluation, checkpoints
	Epochs          []EpochInfo `json:"epochs"`
	Warnings        []string    `json:"warnings,omitempty"`
}

// Report is that of the current run, or of the last one.
func (t *Trainer) Report() TrainReport {
	r := t.report
	r.Epochs = append([]EpochInfo{}, r.Epochs...)
	r.Warnings = slices.Clone(r.Warnings)
	return r
}

// Open refuses runs whose images a trainer can't learn from.
func (t *Trainer) Open(ctx context.Context, run *schema.Run) error {
	if t.Trainer == nil {
		return fmt.Errorf("sinks: trainer: no trainer: set Trainer.Trainer")
	}
	if t.Start < 0 || t.Start > run.Epochs {
		return fmt.Errorf("sinks: trainer: %d epochs are done already, of %d: give the run more epochs", t.Start, run.Epochs)
	}
	for _, v := range run.Variants {
		if err := trainer.CheckForm(run.Form, v.Tensor); err != nil {
			return fmt.Errorf("sinks: %w", err)
		}
		if c, ok := t.Trainer.(trainer.ImageChecker); ok {
			if err := c.CheckImage(v.Tensor.Height, v.Tensor.Width); err != nil {
				return fmt.Errorf("sinks: trainer: scale %s: %w", schema.FormatScale(v.Scale), err)
			}
		}
	}
	t.run, t.ctx, t.report = run, ctx, TrainReport{Epochs: []EpochInfo{}}
	t.records, t.usual = 0, math.NaN()
	t.begin(t.Start)
	t.idle = time.Now()
	return nil
}

// Has reports the batches of epochs before Start.
func (t *Trainer) Has(epoch int, _ int64) bool { return epoch < t.Start }

// Write trains one step, none for a batch without rows.
func (t *Trainer) Write(ctx context.Context, batch *schema.Batch) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if t.Has(batch.Epoch, batch.Number) {
		return nil
	}
	came := time.Now()
	wait := came.Sub(t.idle)
	defer func() { t.idle = time.Now() }()
	if batch.Epoch < t.current.Epoch {
		return fmt.Errorf("sinks: trainer: a batch of epoch %d after one of epoch %d", batch.Epoch, t.current.Epoch)
	}
	if err := t.endEpochs(ctx, batch.Epoch); err != nil {
		return err
	}
	// Waiting is counted in the epoch that was waited for.
	if t.records++; t.records == 1 {
		t.report.FirstSeconds = wait.Seconds()
	} else {
		t.report.WaitingSeconds += wait.Seconds()
		if wait > time.Millisecond {
			t.report.Starved++
		}
	}
	t.current.WaitingSeconds += wait.Seconds()
	if batch.Rows() == 0 {
		return nil
	}
	t.rows += batch.Rows()
	return t.step(ctx, batch, wait)
}

func (t *Trainer) step(ctx context.Context, batch *schema.Batch, wait time.Duration) error {
	begin := time.Now()
	losses, err := t.Trainer.Step(ctx, batch)
	train := time.Since(begin)
	t.report.TrainingSeconds += train.Seconds()
	t.current.TrainingSeconds += train.Seconds()
	if err != nil {
		return fmt.Errorf("sinks: %w", err)
	}
	if losses.Rows > 0 {
		t.report.Steps++
		t.report.Rows += int64(losses.Rows)
		t.current.Steps++
		t.current.Rows += int64(losses.Rows)
		t.current.Loss += (losses.Total - t.current.Loss) / float64(t.current.Steps)
		t.watch(losses)
	}
	if t.OnStep != nil {
		t.OnStep(StepInfo{
			Epoch: batch.Epoch, Batch: batch.Number, Scale: t.run.Variants[batch.Variant].Scale,
			Losses: losses, LearningRate: t.current.LearningRate, Wait: wait, Train: train,
		})
	}
	return nil
}

// absurdLoss is a cross-entropy that no data give: guessing among C classes gives
// ln C, 14 for a million classes.
const absurdLoss = 1000

// watch warns of a loss that shows a mistake.
func (t *Trainer) watch(losses trainer.Losses) {
	sum := 0.0
	for _, loss := range losses.Tasks {
		if loss == loss { // NaN: no row had a label
			sum += loss
		}
	}
	first := t.usual != t.usual
	if first {
		t.usual = sum
	}
	t.sum += sum
	switch {
	case sum <= absurdLoss:
	case first:
		t.warn("the first loss is %.3g, while guessing gives about ln(classes): the pixels are far from 0: is the std of normalize too small, or are the values in 0..255?", sum)
	default:
		t.warn("the loss is %.3g in epoch %d, and was %.3g in the first step: lower the learning rate", sum, t.current.Epoch+1, t.usual)
	}
}

// watchEpoch warns of an epoch that made things worse. In the first epoch Adam's first
// steps may overshoot.
func (t *Trainer) watchEpoch() {
	factor := 10.0
	if t.current.Epoch == t.Start {
		factor = 100
	}
	if mean := t.sum / float64(t.current.Steps); mean > factor*max(t.usual, 1) {
		t.warn("the mean loss of epoch %d is %.3g, and was %.3g in the first step: lower the learning rate", t.current.Epoch+1, mean, t.usual)
	}
}

// warn warns once.
func (t *Trainer) warn(format string, args ...any) {
	if len(t.report.Warnings) > 0 {
		return
	}
	text := fmt.Sprintf(format, args...)
	t.report.Warnings = append(t.report.Warnings, text)
	if t.OnWarning != nil {
		t.OnWarning(text)
	}
}

// begin resets the figures for an epoch.
func (t *Trainer) begin(epoch int) {
	t.rows, t.sum = 0, 0
	t.current = EpochInfo{Epoch: epoch, LearningRate: t.Trainer.Stats().LearningRate}
}

// endEpochs ends all epochs before the given one.
func (t *Trainer) endEpochs(ctx context.Context, before int) error {
	for t.current.Epoch < before {
		begin := time.Now()
		if err := t.endEpoch(ctx); err != nil {
			return err
		}
		t.report.BetweenSeconds += time.Since(begin).Seconds()
	}
	return nil
}

func (t *Trainer) endEpoch(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if t.current.Steps == 0 {
		return t.noStep()
	}
	if err := trainer.CheckState(t.Trainer.State()); err != nil {
		return fmt.Errorf("sinks: trainer: after epoch %d: %w: the learning rate or the pixels are too large", t.current.Epoch+1, err)
	}
	t.watchEpoch()
	if err := t.Trainer.EndEpoch(); err != nil {
		return fmt.Errorf("sinks: trainer: end of epoch %d: %w", t.current.Epoch, err)
	}
	info := t.current
	t.report.Epochs = append(t.report.Epochs, info)
	t.begin(info.Epoch + 1)
	if t.OnEpoch != nil {
		return t.OnEpoch(ctx, info)
	}
	return nil
}

// noStep is the error of an epoch without a step.
func (t *Trainer) noStep() error {
	if t.rows == 0 {
		return fmt.Errorf("sinks: trainer: epoch %d had no step: none of its rows was delivered (all of them failed, and on_error leaves such rows out): fix or replace the files; on_error: {policy: fail} says what is wrong with the first", t.current.Epoch+1)
	}
	return fmt.Errorf("sinks: trainer: epoch %d had no step: all of its %d rows are masked: each has weight 0 (its own, or its class's), or no label of a trained task: fix the weights or the labels, or train other tasks", t.current.Epoch+1, t.rows)
}

// Close ends the last epoch, if the run did not fail.
func (t *Trainer) Close(cause error) error {
	if cause != nil {
		return nil
	}
	return t.endEpochs(t.ctx, t.run.Epochs)
}
