// Package softmax is the smallest trainer: multinomial logistic regression, one
// linear head per task, on the image averaged down to 8x8. It takes images of any
// size, needs no framework, and is a pattern for other trainers: package trainer
// provides pixels, targets, loss, optimizer, schedule and state, and a trainer adds
// the network between them. It imports only public packages, so it can be copied
// into another module.
package softmax

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// Catalog lists the one model.
var Catalog = []trainer.Entry{{New: func() trainer.Model { return &Model{} }, Doc: "a linear head per task on the image averaged down to 8x8"}}

// Model is linear heads on the image averaged down to 8x8. It has no options.
type Model struct{}

// Name implements trainer.Model.
func (Model) Name() string { return "softmax" }

// Check implements trainer.Model.
func (Model) Check() error { return nil }

// New implements trainer.Model.
func (Model) New(c trainer.Config) (trainer.Trainer, error) { return New(c) }

// MarshalJSON writes what checkpoints have always had of this model.
func (Model) MarshalJSON() ([]byte, error) { return []byte(`{"pool_to":0}`), nil }

const (
	side     = 8
	features = 3 * side * side
)

// Trainer is a trainer.Trainer. MicroBatch has no effect.
type Trainer struct {
	config  trainer.Config
	heads   []head
	weights []trainer.Tensor // of the heads, in their order: weight, bias
	adam    *trainer.Adam
	epochs  []float32 // the one element of the epochs tensor

	input     []float32   // rows x features
	gradients [][]float32 // of weights
	steps     int
	seconds   map[string]*mean
}

var _ trainer.Trainer = (*Trainer)(nil)

// head is one task: logits = weight features + bias.
type head struct {
	classes          int
	weight, bias     []float32 // classes x features, classes
	criterion        trainer.Criterion
	logits, gradient []float32 // rows x classes
}

type mean struct{ sum, n float64 }

// New makes a trainer with initial weights as torch.nn.Linear's: uniform between
// -1/sqrt(n) and 1/sqrt(n), for n inputs.
func New(c trainer.Config) (*Trainer, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	switch c.Model.(type) {
	case Model, *Model:
	default:
		return nil, fmt.Errorf("softmax: model: %s is another trainer's: make it by trainer.New", c.Model.Name())
	}
	t := &Trainer{config: c.WithDefaults(), epochs: make([]float32, 1), seconds: map[string]*mean{}}
	if t.config.Workers == 0 {
		t.config.Workers = runtime.GOMAXPROCS(0)
	}
	for _, task := range t.config.Tasks {
		n := len(task.Classes)
		h := head{classes: n, weight: make([]float32, n*features), bias: make([]float32, n), criterion: task.Criterion()}
		t.heads = append(t.heads, h)
		t.weights = append(t.weights,
			trainer.Tensor{Name: "head_" + task.Task + ".weight", Shape: []int{n, features}, Data: h.weight},
			trainer.Tensor{Name: "head_" + task.Task + ".bias", Shape: []int{n}, Data: h.bias})
	}
	bound := 1 / math.Sqrt(features)
	for _, w := range t.weights {
		trainer.DrawUniform(w.Data, bound, c.Seed, "initial", w.Name)
		t.gradients = append(t.gradients, make([]float32, len(w.Data)))
	}
	t.adam = trainer.NewAdam(t.config.Optimizer, t.weights)
	return t, nil
}

// Step is one step of Adam.
func (t *Trainer) Step(ctx context.Context, batch *schema.Batch) (trainer.Losses, error) {
	begin := time.Now()
	if ctx.Err() != nil {
		return trainer.Losses{}, context.Cause(ctx)
	}
	targets, rows, err := t.config.Targets(batch)
	if err != nil {
		return trainer.Losses{}, err
	}
	if err := t.forward(batch); err != nil {
		return trainer.Losses{}, err
	}
	losses := trainer.Losses{Rows: rows}
	for i := range t.heads {
		h, task := &t.heads[i], t.config.Tasks[i]
		h.gradient = resize(h.gradient, len(h.logits))
		loss := h.criterion(h.logits, targets[i], task.Weight, h.gradient)
		losses.Tasks = append(losses.Tasks, loss)
		if targets[i].Sum > 0 {
			losses.Total += float64(task.Weight * loss)
		}
	}
	if rows == 0 {
		return losses, nil
	}
	if !finite(losses.Total) {
		return trainer.Losses{}, trainer.NotFinite("loss", batch, targets)
	}
	t.backward(batch.Rows(), targets)
	for _, g := range t.gradients {
		for _, v := range g {
			if !finite(float64(v)) {
				return trainer.Losses{}, trainer.NotFinite("gradient", batch, targets)
			}
		}
	}
	gradients := slices.Clone(t.gradients)
	for i, target := range targets {
		if target.Sum == 0 { // it had no part in the loss
			gradients[2*i], gradients[2*i+1] = nil, nil
		}
	}
	t.adam.Step(t.learningRate(), gradients, t.config.Workers)
	t.count(batch, time.Since(begin))
	return losses, nil
}

// Predict gives the logits.
func (t *Trainer) Predict(ctx context.Context, batch *schema.Batch) ([][]float32, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := t.forward(batch); err != nil {
		return nil, err
	}
	out := make([][]float32, len(t.heads))
	for i := range t.heads {
		out[i] = t.heads[i].logits
	}
	return out, nil
}

// forward fills the input and the logits.
func (t *Trainer) forward(batch *schema.Batch) error {
	pixels, err := trainer.Pixels(batch)
	if err != nil {
		return err
	}
	rows, size := batch.Rows(), batch.Tensor.Elements()
	t.input = resize(t.input, rows*features)
	for i := range t.heads {
		t.heads[i].logits = resize(t.heads[i].logits, rows*t.heads[i].classes)
	}
	t.each(rows, func(row int) {
		x := t.input[row*features : (row+1)*features]
		average(x, pixels[row*size:(row+1)*size], batch.Tensor.Height, batch.Tensor.Width)
		for _, h := range t.heads {
			for c := range h.classes {
				sum := h.bias[c]
				for i, w := range h.weight[c*features : (c+1)*features] {
					sum += float32(w * x[i])
				}
				h.logits[row*h.classes+c] = sum
			}
		}
	})
	return nil
}

// backward sums the gradients of the weights over the rows, in their order, for
// each class separately, so no byte depends on the number of workers.
func (t *Trainer) backward(rows int, targets []trainer.Target) {
	for i, h := range t.heads {
		weight, bias := t.gradients[2*i], t.gradients[2*i+1]
		t.each(h.classes, func(c int) {
			g := weight[c*features : (c+1)*features]
			clear(g)
			bias[c] = 0
			for row := range rows {
				if targets[i].Weights[row] == 0 {
					continue // whatever its pixels are
				}
				d := h.gradient[row*h.classes+c]
				bias[c] += d
				for j, x := range t.input[row*features : (row+1)*features] {
					g[j] += float32(d * x)
				}
			}
		})
	}
}

// average is torch.nn.AdaptiveAvgPool2d(8) of one picture.
func average(out, pixels []float32, height, width int) {
	for channel := range 3 {
		plane := pixels[channel*height*width : (channel+1)*height*width]
		for y := range side {
			top, bottom := y*height/side, ((y+1)*height+side-1)/side
			for x := range side {
				left, right := x*width/side, ((x+1)*width+side-1)/side
				sum := float32(0)
				for row := top; row < bottom; row++ {
					for _, v := range plane[row*width+left : row*width+right] {
						sum += v
					}
				}
				out[(channel*side+y)*side+x] = sum / float32((bottom-top)*(right-left))
			}
		}
	}
}

// each calls do for 0..n-1 from the workers.
func (t *Trainer) each(n int, do func(i int)) {
	workers := min(t.config.Workers, n)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := w; i < n; i += workers {
				do(i)
			}
		})
	}
	wait.Wait()
}

// EndEpoch counts an epoch.
func (t *Trainer) EndEpoch() error {
	t.epochs[0]++
	return nil
}

func (t *Trainer) learningRate() float64 {
	return t.config.Schedule.LearningRate(t.config.Optimizer.LearningRate, int(t.epochs[0]))
}

// State is the weights, Adam's state and the ended epochs.
func (t *Trainer) State() []trainer.Tensor {
	state := append(append([]trainer.Tensor{}, t.weights...), t.adam.State()...)
	return append(state, trainer.Tensor{Name: trainer.EpochsName, Shape: []int{1}, Data: t.epochs})
}

// Load replaces the state.
func (t *Trainer) Load(state []trainer.Tensor) error { return trainer.CopyState(t.State(), state) }

// Stats describes the steps so far.
func (t *Trainer) Stats() trainer.Stats {
	s := trainer.Stats{Steps: t.steps, LearningRate: t.learningRate(), StepSeconds: map[string]float64{}, PeakBytes: trainer.PeakBytes()}
	for _, w := range t.weights {
		s.Parameters += len(w.Data)
	}
	for shape, m := range t.seconds {
		s.StepSeconds[shape] = m.sum / m.n
	}
	return s
}

func (t *Trainer) count(batch *schema.Batch, took time.Duration) {
	t.steps++
	shape := fmt.Sprintf("%dx3x%dx%d", batch.Rows(), batch.Tensor.Height, batch.Tensor.Width)
	if t.seconds[shape] == nil {
		t.seconds[shape] = &mean{}
	}
	t.seconds[shape].sum += took.Seconds()
	t.seconds[shape].n++
}

// Close does nothing: there are no goroutines between steps.
func (*Trainer) Close() error { return nil }

func resize(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

func finite(x float64) bool { return x-x == 0 }
