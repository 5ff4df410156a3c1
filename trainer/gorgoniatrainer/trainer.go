// Package gorgoniatrainer is a trainer.Trainer on Gorgonia, the only importer of
// it. Networks:
//
//   - recipe: Conv2d(3, 64, 3, padding=1), ReLU, MaxPool2d(2),
//     AdaptiveAvgPool2d(pool_to, default 56), flattened in C, H, W order, one
//     Linear per task. At 112x112 the average pool does nothing, at 224x224 it
//     is a 2x2 mean, so one set of weights serves all sizes.
//   - small_cnn, for small images: Conv2d(3, 16), Conv2d(16, 32), each 3x3 with
//     padding 1, ReLU and MaxPool2d(2); AdaptiveAvgPool2d(pool_to, default 4,
//     which does nothing at 16x16); one Linear per task.
//
// Graph and virtual machine are Gorgonia's; the operations are this package's
// own, fused so that activations stay in cache. State names its tensors as this
// module's state_dict would, so weights go both ways:
//
//	class Recipe(torch.nn.Module):                  # small_cnn: conv1, conv2
//	    def __init__(self, tasks):                  # {"shape": 10, "type": 5}
//	        super().__init__()
//	        self.conv = torch.nn.Conv2d(3, 64, 3, padding=1)
//	        for t, n in tasks.items():              # a ModuleDict refuses the name "type"
//	            setattr(self, f"head_{t}", torch.nn.Linear(64 * 56 * 56, n))
//
// conv.weight [64, 3, 3, 3], conv.bias [64], head_<task>.weight [classes,
// 64*56*56], head_<task>.bias [classes]; beside them optimizer.exp_avg.<name>,
// optimizer.exp_avg_sq.<name>, optimizer.step.<name> and optimizer.epochs.
//
// All results are the same bytes for any number of workers, and with or without
// the assembly that amd64 processors with AVX2 use.
package gorgoniatrainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// Trainer is a trainer.Trainer.
type Trainer struct {
	cfg      trainer.Config
	model    *model
	adam     *trainer.Adam
	epochs   []float32 // the one element of the epochs tensor
	steps    int
	offsets  [][]float64
	weights  []float64
	graphs   map[shape]*graph
	seconds  map[string]timing
	compiled int
	whole    slab[float32] // Predict's logits of a batch computed in parts
}

// shape keys a graph.
type shape struct {
	rows, height, width int
	learn               bool
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
	t := &Trainer{cfg: cfg, epochs: make([]float32, 1), graphs: map[shape]*graph{}, seconds: map[string]timing{}}
	workers := team{cfg.Workers}
	t.model = newModel(net, cfg, workers)
	t.adam = trainer.NewAdam(cfg.Optimizer, t.model.names)
	t.adam.Kernel = adam
	for _, task := range cfg.Tasks {
		t.offsets = append(t.offsets, task.Offsets())
		t.weights = append(t.weights, task.Weight)
	}
	return t, nil
}

// graph gives the one for a shape, made on first use.
func (t *Trainer) graph(s shape) (*graph, error) {
	if t.model == nil {
		return nil, errClosed
	}
	if g := t.graphs[s]; g != nil {
		return g, nil
	}
	if err := t.CheckImage(s.height, s.width); err != nil {
		return nil, err
	}
	g, err := newGraph(t.model, s.rows, s.height, s.width, s.learn)
	if err != nil {
		return nil, err
	}
	g.targets.offsets, g.targets.weights = t.offsets, t.weights
	t.graphs[s] = g
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

// parts calls do for successive rows of a batch, MicroBatch at a time.
func (t *Trainer) parts(ctx context.Context, batch *schema.Batch, learn bool, do func(g *graph, from, to int) error) error {
	size, rows := t.cfg.MicroBatch, batch.Rows()
	if size == 0 || size > rows {
		size = rows
	}
	for from := 0; from < rows; from += size {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		to := min(from+size, rows)
		g, err := t.graph(shape{to - from, batch.Tensor.Height, batch.Tensor.Width, learn})
		if err != nil {
			return err
		}
		if err := do(g, from, to); err != nil {
			return err
		}
	}
	return context.Cause(ctx) // nil if it goes on
}

// Step implements trainer.Trainer. A batch in which no row counts changes
// nothing and is no step.
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
	err = t.parts(ctx, batch, true, func(g *graph, from, to int) error {
		t.model.accumulate = from > 0
		n := batch.Tensor.Elements()
		if err := g.learn(pixels[from*n:to*n], targets, from, to); err != nil {
			return err
		}
		losses.Total += g.targets.total
		for i, loss := range g.targets.losses {
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
	t.adam.Step(t.learningRate(), t.model.ofLoss(targets), t.cfg.Workers)
	t.steps++
	t.time(shapeName(batch.Rows(), batch.Tensor.Height, batch.Tensor.Width), time.Since(start))
	return losses, nil
}

// learn runs rows from..to of a batch forward and backward.
func (g *graph) learn(pixels []float32, targets []trainer.Target, from, to int) error {
	g.targets.tasks = g.targets.tasks[:0]
	for _, t := range targets {
		g.targets.tasks = append(g.targets.tasks, trainer.Target{Labels: t.Labels[from:to], Weights: t.Weights[from:to], Sum: t.Sum})
	}
	skip := g.model.skips.take(to - from)
	for i := range skip {
		skip[i] = !trainer.Counts(targets, from+i)
	}
	g.model.skip = skip
	err := g.run(pixels)
	g.model.skip = nil
	clear(g.targets.tasks) // labels are the batch's memory
	if err != nil && (math.IsNaN(g.targets.total) || math.IsInf(g.targets.total, 0)) {
		return errNotFinite // the VM's error doesn't unwrap to it
	}
	return err
}

// finite tells whether all gradients are.
func (m *model) finite() bool {
	const piece = 1 << 16
	var bad atomic.Bool
	for _, g := range m.gradients {
		m.heads.team.run((len(g)+piece-1)/piece, func(_, task int) {
			for _, v := range g[task*piece : min((task+1)*piece, len(g))] {
				if v-v != 0 { // NaN or infinite
					bad.Store(true)
					return
				}
			}
		})
	}
	return !bad.Load()
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
	err = t.parts(ctx, batch, false, func(g *graph, from, to int) error {
		n := batch.Tensor.Elements()
		if err := g.run(pixels[from*n : to*n]); err != nil {
			return err
		}
		logits := g.logits.data
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

// Close implements trainer.Trainer. Its goroutines end with each step, so there
// is only memory to give back.
func (t *Trainer) Close() error {
	var errs []error
	for _, g := range t.graphs {
		errs = append(errs, g.vm.Close())
	}
	*t = Trainer{cfg: t.cfg, seconds: t.seconds, steps: t.steps, compiled: t.compiled, epochs: t.epochs}
	return errors.Join(errs...)
}
