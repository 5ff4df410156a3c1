package gorgoniatrainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// Trainer is a trainer.Trainer.
type Trainer struct {
	cfg      trainer.Config
	model    *model // nil after Close
	adam     *trainer.Adam
	epochs   []float32 // the one element of the epochs tensor
	steps    int
	losses   taskLosses
	learners map[shape]*graph // with gradients
	readers  map[shape]*graph // that only predict
	seconds  map[string]timing
	compiled int
	whole    slab[float32] // Predict's logits of a batch computed in several graphs
}

type timing struct {
	steps   int
	seconds float64
}

var (
	_ trainer.Trainer      = (*Trainer)(nil)
	_ trainer.ImageChecker = (*Trainer)(nil)
)

var errClosed = errors.New("gorgoniatrainer: closed")

// New makes a trainer with initial weights.
func New(cfg trainer.Config) (*Trainer, error) {
	cfg, net, err := check(cfg)
	if err != nil {
		return nil, err
	}
	t := &Trainer{cfg: cfg, epochs: make([]float32, 1), learners: map[shape]*graph{}, readers: map[shape]*graph{}, seconds: map[string]timing{}}
	workers := team{cfg.Workers}
	t.model = newModel(net, cfg, workers)
	t.adam = trainer.NewAdam(cfg.Optimizer, t.model.weights)
	t.adam.Kernel = adam
	for _, task := range cfg.Tasks {
		t.losses.criteria = append(t.losses.criteria, task.Criterion())
		t.losses.weights = append(t.losses.weights, task.Weight)
	}
	return t, nil
}

// learner is the graph that learns from a shape, made on first use.
func (t *Trainer) learner(s shape) (*graph, error) {
	return t.graph(t.learners, s, func() (*graph, error) { return newLearner(t.model, &t.losses, s) })
}

// reader is the graph that predicts for a shape, made on first use.
func (t *Trainer) reader(s shape) (*graph, error) {
	return t.graph(t.readers, s, func() (*graph, error) { return newReader(t.model, s) })
}

func (t *Trainer) graph(made map[shape]*graph, s shape, build func() (*graph, error)) (*graph, error) {
	if t.model == nil {
		return nil, errClosed
	}
	if g := made[s]; g != nil {
		return g, nil
	}
	if err := t.CheckImage(s.height, s.width); err != nil {
		return nil, err
	}
	g, err := build()
	if err != nil {
		return nil, err
	}
	made[s] = g
	t.compiled++
	return g, nil
}

// CheckImage implements trainer.ImageChecker.
func (t *Trainer) CheckImage(height, width int) error {
	if height < 4 || width < 4 {
		return fmt.Errorf("gorgoniatrainer: images of %dx%d are too small: the least is 4x4", height, width)
	}
	return nil
}

// microBatches calls do for successive rows of a batch, MicroBatch at a time, with
// the graph of their shape.
func (t *Trainer) microBatches(ctx context.Context, batch *schema.Batch, of func(shape) (*graph, error), do func(g *graph, from, to int) error) error {
	size, rows := t.cfg.MicroBatch, batch.Rows()
	if size == 0 || size > rows {
		size = rows
	}
	for from := 0; from < rows; from += size {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		to := min(from+size, rows)
		g, err := of(shape{to - from, batch.Tensor.Height, batch.Tensor.Width})
		if err != nil {
			return err
		}
		if err := do(g, from, to); err != nil {
			return err
		}
	}
	return context.Cause(ctx) // nil unless cancelled
}

// Step implements trainer.Trainer. A batch in which every row is masked changes
// nothing and is not a step.
func (t *Trainer) Step(ctx context.Context, batch *schema.Batch) (trainer.Losses, error) {
	start := time.Now()
	pixels, err := trainer.Pixels(batch)
	if err != nil {
		return trainer.Losses{}, err
	}
	targets, rows, err := t.cfg.Targets(batch)
	if err != nil {
		return trainer.Losses{}, err
	}
	losses := trainer.Losses{Rows: rows, Tasks: make([]float64, len(targets))}
	for i, target := range targets {
		if target.Sum == 0 {
			losses.Tasks[i] = math.NaN()
		}
	}
	if rows == 0 {
		return losses, context.Cause(ctx)
	}
	err = t.microBatches(ctx, batch, t.learner, func(g *graph, from, to int) error {
		n := batch.Tensor.Elements()
		result, err := g.learn(pixels[from*n:to*n], targets, from, to)
		if err != nil {
			return err
		}
		losses.Total += result.total
		for i, loss := range result.tasks {
			losses.Tasks[i] += loss
		}
		return nil
	})
	if errors.Is(err, errNotFinite) {
		return trainer.Losses{}, trainer.NotFinite("loss", batch, targets)
	}
	if err != nil {
		return trainer.Losses{}, err
	}
	if !t.model.finite() {
		return trainer.Losses{}, trainer.NotFinite("gradient", batch, targets)
	}
	t.adam.Step(t.learningRate(), t.model.usedGradients(targets), t.cfg.Workers)
	t.steps++
	t.time(shape{batch.Rows(), batch.Tensor.Height, batch.Tensor.Width}.String(), time.Since(start))
	return losses, nil
}

func (t *Trainer) learningRate() float64 {
	return t.cfg.Schedule.LearningRate(t.cfg.Optimizer.LearningRate, int(t.epochs[0]))
}

func (t *Trainer) time(name string, d time.Duration) {
	s := t.seconds[name]
	t.seconds[name] = timing{s.steps + 1, s.seconds + d.Seconds()}
}

// Predict implements trainer.Trainer.
func (t *Trainer) Predict(ctx context.Context, batch *schema.Batch) ([][]float32, error) {
	pixels, err := trainer.Pixels(batch)
	if err != nil {
		return nil, err
	}
	if t.model == nil {
		return nil, errClosed
	}
	out, whole := make([][]float32, len(t.cfg.Tasks)), t.whole.take(batch.Rows()*t.model.heads.outputs)
	for i, classes := range t.model.heads.classes {
		n := batch.Rows() * classes
		out[i], whole = whole[:n:n], whole[n:]
	}
	err = t.microBatches(ctx, batch, t.reader, func(g *graph, from, to int) error {
		n := batch.Tensor.Elements()
		logits, err := g.predict(pixels[from*n : to*n])
		if err != nil {
			return err
		}
		for i, classes := range t.model.heads.classes {
			logits = logits[copy(out[i][from*classes:to*classes], logits):]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// EndEpoch implements trainer.Trainer.
func (t *Trainer) EndEpoch() error {
	t.epochs[0]++
	return nil
}

// State implements trainer.Trainer.
func (t *Trainer) State() []trainer.Tensor {
	if t.model == nil {
		return nil
	}
	state := append(append([]trainer.Tensor{}, t.model.weights...), t.adam.State()...)
	return append(state, trainer.Tensor{Name: trainer.EpochsName, Shape: []int{1}, Data: t.epochs})
}

// Load implements trainer.Trainer.
func (t *Trainer) Load(state []trainer.Tensor) error {
	if t.model == nil {
		return errClosed
	}
	return trainer.CopyState(t.State(), state)
}

// Stats implements trainer.Trainer.
func (t *Trainer) Stats() trainer.Stats {
	s := trainer.Stats{Steps: t.steps, LearningRate: t.learningRate(), StepSeconds: map[string]float64{}, PeakBytes: trainer.PeakBytes(), GraphsCompiled: t.compiled}
	if t.model != nil {
		for _, p := range t.model.parameters {
			s.Parameters += len(p.data)
		}
	}
	for name, total := range t.seconds {
		s.StepSeconds[name] = total.seconds / float64(total.steps)
	}
	return s
}

// Close implements trainer.Trainer. Its goroutines end with each step, so there
// is only memory to give back.
func (t *Trainer) Close() error {
	var errs []error
	for _, graphs := range []map[shape]*graph{t.learners, t.readers} {
		for _, g := range graphs {
			errs = append(errs, g.vm.Close())
		}
	}
	*t = Trainer{cfg: t.cfg, seconds: t.seconds, steps: t.steps, compiled: t.compiled, epochs: t.epochs}
	return errors.Join(errs...)
}
