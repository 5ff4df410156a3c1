package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// catalog lists the models of this package, as gorgoniatrainer.Catalog and
// softmax.Catalog do.
var catalog = []trainer.Entry{
	{New: func() trainer.Model { return &Coarse{Grid: 4} }, Doc: "a linear head per task on the image averaged down to a grid"},
}

// Coarse is a linear head per task on the image averaged down to Grid x Grid
// values a channel. A trainer file names it: model: {coarse: {grid: 3}}.
type Coarse struct {
	Grid int `json:"grid" sluice:"grid,positive" default:"4" doc:"rows and columns of averages"`
}

// Name implements trainer.Model.
func (Coarse) Name() string { return "coarse" }

// Check implements trainer.Model.
func (m Coarse) Check() error {
	if m.Grid < 1 {
		return fmt.Errorf("grid: %d: give a number above 0", m.Grid)
	}
	return nil
}

// New implements trainer.Model.
func (m Coarse) New(c trainer.Config) (trainer.Trainer, error) {
	t := &coarse{cfg: c.WithDefaults(), grid: m.Grid, epochs: make([]float32, 1), seconds: map[string][2]float64{}}
	inputs := t.inputs()
	bound := 1 / math.Sqrt(float64(inputs))
	for _, task := range t.cfg.Tasks {
		n := len(task.Classes)
		t.weights = append(t.weights,
			trainer.Tensor{Name: "head_" + task.Task + ".weight", Shape: []int{n, inputs}, Data: make([]float32, n*inputs)},
			trainer.Tensor{Name: "head_" + task.Task + ".bias", Shape: []int{n}, Data: make([]float32, n)})
	}
	for _, w := range t.weights {
		trainer.DrawUniform(w.Data, bound, c.Seed, "initial weights", w.Name)
		t.gradients = append(t.gradients, make([]float32, len(w.Data)))
	}
	t.adam = trainer.NewAdam(t.cfg.Optimizer, t.weights)
	return t, nil
}

// coarse is the trainer. It computes on one goroutine, so Config.Workers is only
// the optimizer's.
type coarse struct {
	cfg       trainer.Config
	grid      int
	weights   []trainer.Tensor // of each task: weight, bias
	gradients [][]float32      // likewise
	adam      *trainer.Adam
	epochs    []float32 // the one element of the epochs tensor
	input     []float32 // rows x inputs
	steps     int
	seconds   map[string][2]float64 // by shape: their sum, and how many they are
}

func (t *coarse) inputs() int { return 3 * t.grid * t.grid }

// forward fills t.input, and returns each task's logits.
func (t *coarse) forward(ctx context.Context, batch *schema.Batch) ([][]float32, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	pixels, err := trainer.Pixels(batch)
	if err != nil {
		return nil, err
	}
	rows, size, inputs := batch.Rows(), batch.Tensor.Elements(), t.inputs()
	t.input = slices.Grow(t.input[:0], rows*inputs)[:rows*inputs]
	for row := range rows {
		average(t.input[row*inputs:][:inputs], pixels[row*size:][:size], batch.Tensor.Height, batch.Tensor.Width, t.grid)
	}
	logits := make([][]float32, len(t.cfg.Tasks))
	for i, task := range t.cfg.Tasks {
		weight, bias := t.weights[2*i].Data, t.weights[2*i+1].Data
		for row := range rows {
			x := t.input[row*inputs:][:inputs]
			for class := range task.Classes {
				sum := bias[class]
				for k, w := range weight[class*inputs:][:inputs] {
					sum += float32(w * x[k]) // the conversion keeps the sum the same on every machine
				}
				logits[i] = append(logits[i], sum)
			}
		}
	}
	return logits, nil
}

// average fills out with the means of the grid's cells, channel by channel.
func average(out, pixels []float32, height, width, grid int) {
	for channel := range 3 {
		plane := pixels[channel*height*width:][:height*width]
		for cell := range grid * grid {
			y, x := cell/grid, cell%grid
			top, bottom := y*height/grid, ((y+1)*height+grid-1)/grid
			left, right := x*width/grid, ((x+1)*width+grid-1)/grid
			sum := float32(0)
			for row := top; row < bottom; row++ {
				for _, v := range plane[row*width+left : row*width+right] {
					sum += v
				}
			}
			out[channel*grid*grid+cell] = sum / float32((bottom-top)*(right-left))
		}
	}
}

// Step implements trainer.Trainer: logits, loss, gradients, Adam.
func (t *coarse) Step(ctx context.Context, batch *schema.Batch) (trainer.Losses, error) {
	begin := time.Now()
	targets, counted, err := t.cfg.Targets(batch)
	if err != nil {
		return trainer.Losses{}, err
	}
	logits, err := t.forward(ctx, batch)
	if err != nil {
		return trainer.Losses{}, err
	}
	losses := trainer.Losses{Rows: counted}
	used := make([][]float32, len(t.gradients)) // nil: it had no part in the loss
	for i, task := range t.cfg.Tasks {
		gradient := make([]float32, len(logits[i])) // of the logits
		loss := task.Criterion()(logits[i], targets[i], task.Weight, gradient)
		losses.Tasks = append(losses.Tasks, loss)
		if targets[i].Sum == 0 {
			continue
		}
		losses.Total += float64(task.Weight * loss)
		used[2*i], used[2*i+1] = t.gradients[2*i], t.gradients[2*i+1]
		t.backward(used[2*i], used[2*i+1], gradient, targets[i])
	}
	if counted == 0 {
		return losses, nil
	}
	if math.IsNaN(losses.Total) || math.IsInf(losses.Total, 0) {
		return trainer.Losses{}, trainer.NotFinite("loss", batch, targets)
	}
	for _, g := range used {
		if slices.ContainsFunc(g, func(v float32) bool { return v-v != 0 }) { // NaN or infinite
			return trainer.Losses{}, trainer.NotFinite("gradient", batch, targets)
		}
	}
	t.adam.Step(t.learningRate(), used, max(t.cfg.Workers, 1))
	shape := fmt.Sprintf("%dx3x%dx%d", batch.Rows(), batch.Tensor.Height, batch.Tensor.Width)
	old := t.seconds[shape]
	t.seconds[shape] = [2]float64{old[0] + time.Since(begin).Seconds(), old[1] + 1}
	t.steps++
	return losses, nil
}

// backward sums the gradients of a task's weight and bias over the rows that count.
func (t *coarse) backward(weight, bias, gradient []float32, target trainer.Target) {
	clear(weight)
	clear(bias)
	inputs := t.inputs()
	for row, w := range target.Weights {
		if w == 0 {
			continue // whatever its pixels are: they may be NaN
		}
		for class := range bias {
			d := gradient[row*len(bias)+class]
			bias[class] += d
			for k, x := range t.input[row*inputs:][:inputs] {
				weight[class*inputs+k] += float32(d * x)
			}
		}
	}
}

// Predict implements trainer.Trainer.
func (t *coarse) Predict(ctx context.Context, batch *schema.Batch) ([][]float32, error) {
	return t.forward(ctx, batch)
}

// EndEpoch implements trainer.Trainer.
func (t *coarse) EndEpoch() error {
	t.epochs[0]++
	return nil
}

func (t *coarse) learningRate() float64 {
	return t.cfg.Schedule.LearningRate(t.cfg.Optimizer.LearningRate, int(t.epochs[0]))
}

// State implements trainer.Trainer: weights, Adam's state, ended epochs.
func (t *coarse) State() []trainer.Tensor {
	return append(slices.Concat(t.weights, t.adam.State()), trainer.Tensor{Name: trainer.EpochsName, Shape: []int{1}, Data: t.epochs})
}

// Load implements trainer.Trainer.
func (t *coarse) Load(state []trainer.Tensor) error { return trainer.CopyState(t.State(), state) }

// Stats implements trainer.Trainer.
func (t *coarse) Stats() trainer.Stats {
	s := trainer.Stats{Steps: t.steps, LearningRate: t.learningRate(), StepSeconds: map[string]float64{}, PeakBytes: trainer.PeakBytes()}
	for _, w := range t.weights {
		s.Parameters += len(w.Data)
	}
	for shape, sum := range t.seconds {
		s.StepSeconds[shape] = sum[0] / sum[1]
	}
	return s
}

// Close implements trainer.Trainer: there is nothing to give back.
func (*coarse) Close() error { return nil }
