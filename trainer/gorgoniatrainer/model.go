package gorgoniatrainer

import (
	"math"
	"slices"
	"sync/atomic"

	"gorgonia.org/tensor"

	"github.com/sluicedata/sluice/trainer"
)

// network is what a trainer.Model of this package is made of: the channels of its
// convolutions, and the side of the average pool behind them.
type network struct {
	channels []int
	poolTo   int
}

// parameter is a weight tensor and its gradient, shared by all graphs. Its
// gradient is that of the current batch alone.
type parameter struct {
	name           string
	shape          []int
	data, gradient []float32     // values and gradient
	value, grads   *tensor.Dense // the same memory, as Gorgonia has it
}

func newParameter(name string, shape ...int) *parameter {
	p := &parameter{name: name, shape: shape}
	n := tensor.Shape(shape).TotalSize()
	p.data, p.gradient = make([]float32, n), make([]float32, n)
	p.value = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(p.data))
	p.grads = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(p.gradient))
	return p
}

func (p *parameter) tensor() trainer.Tensor {
	return trainer.Tensor{Name: p.name, Shape: p.shape, Data: p.data}
}

// layer is one convolution with its activations' memory.
type layer struct {
	*convolution
	name         string
	in, out      int
	poolTo       int // side of the adaptive average pool behind it; 0: none
	weight, bias *parameter
	y, dx        slab[float32]
}

// model is a network's parts that the graphs of all shapes share: weights,
// gradients, and the memory of activations.
type model struct {
	layers               []*layer
	heads                *heads
	headWeight, headBias *parameter   // all tasks, one after the other
	parameters           []*parameter // in the order in which the graphs take them
	logits, dlogits      slab[float32]
	dfeatures            slab[float32]
	skips                slab[bool]
	weights              []trainer.Tensor // as State names them, in its order
	gradients            [][]float32      // of the weights
}

// newModel makes a network with the heads of a checked configuration, and draws
// its initial weights.
func newModel(net network, cfg trainer.Config, t team) *model {
	m, in := &model{}, 3
	for i, out := range net.channels {
		l := &layer{convolution: newConvolution(t), name: "conv", in: in, out: out}
		if len(net.channels) > 1 {
			l.name += string(rune('1' + i))
		}
		l.weight, l.bias = newParameter(l.name+".weight", out, in, 3, 3), newParameter(l.name+".bias", out)
		m.layers, m.parameters = append(m.layers, l), append(m.parameters, l.weight, l.bias)
		m.weights, m.gradients = append(m.weights, l.weight.tensor(), l.bias.tensor()), append(m.gradients, l.weight.gradient, l.bias.gradient)
		in = out
	}
	m.layers[len(m.layers)-1].poolTo = net.poolTo
	var classes []int
	for _, task := range cfg.Tasks {
		classes = append(classes, len(task.Classes))
	}
	m.heads = newHeads(t, classes, in*net.poolTo*net.poolTo)
	m.headWeight = newParameter("head.weight", m.heads.outputs, m.heads.inputs)
	m.headBias = newParameter("head.bias", m.heads.outputs)
	m.parameters = append(m.parameters, m.headWeight, m.headBias)
	m.weights = append(m.weights, m.headTensors(cfg.Tasks, m.headWeight.data, m.headBias.data)...)
	for _, g := range m.headTensors(cfg.Tasks, m.headWeight.gradient, m.headBias.gradient) {
		m.gradients = append(m.gradients, g.Data)
	}
	m.initialize(cfg.Seed)
	return m
}

// usedGradients returns the gradients in the order of the weights, nil for a head
// whose task took no part in the loss. The convolutions always take part.
func (m *model) usedGradients(targets []trainer.Target) [][]float32 {
	out := slices.Clone(m.gradients)
	for i, t := range targets {
		if t.Sum == 0 {
			head := out[len(out)-2*(len(targets)-i):]
			head[0], head[1] = nil, nil
		}
	}
	return out
}

// headTensors cuts the heads' weights into those of the tasks.
func (m *model) headTensors(tasks []trainer.TaskConfig, weight, bias []float32) []trainer.Tensor {
	var out []trainer.Tensor
	for i, classes := range m.heads.classes {
		n := classes * m.heads.inputs
		out = append(out,
			trainer.Tensor{Name: "head_" + tasks[i].Task + ".weight", Shape: []int{classes, m.heads.inputs}, Data: weight[:n:n]},
			trainer.Tensor{Name: "head_" + tasks[i].Task + ".bias", Shape: []int{classes}, Data: bias[:classes:classes]})
		weight, bias = weight[n:], bias[classes:]
	}
	return out
}

// initialize draws all weights as PyTorch's layers do by default: uniform on
// +-1/sqrt(fan_in), which is kaiming_uniform(a=sqrt(5)). Each tensor has its own
// stream, so adding a task doesn't change the weights of the others.
func (m *model) initialize(seed uint64) {
	bound := 0.0
	for _, t := range m.weights {
		if len(t.Shape) > 1 { // a bias follows its weight, and has its fan_in
			bound = 1 / math.Sqrt(float64(len(t.Data)/t.Shape[0]))
		}
		trainer.DrawUniform(t.Data, bound, seed, "initial weights", t.Name)
	}
}

// finite reports whether all gradients are finite.
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
