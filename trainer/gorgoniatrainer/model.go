package gorgoniatrainer

import (
	"math"
	"slices"

	"github.com/sluicedata/sluice/trainer"
	"gorgonia.org/tensor"
)

// parameter is a weight tensor and its gradient, shared by all graphs. Its
// gradient is that of the current batch alone.
type parameter struct {
	name            string
	shape           []int
	value, gradient *tensor.Dense
	data, slope     []float32 // their memory
}

func newParameter(name string, shape ...int) *parameter {
	p := &parameter{name: name, shape: shape}
	n := tensor.Shape(shape).TotalSize()
	p.data, p.slope = make([]float32, n), make([]float32, n)
	p.value = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(p.data))
	p.gradient = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(p.slope))
	return p
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

// model is a network's parts that all shapes share.
type model struct {
	layers          []*layer
	heads           *heads
	weight, bias    *parameter // of the heads: all tasks, one after the other
	parameters      []*parameter
	logits, dlogits slab[float32]
	dfeatures       slab[float32]
	accumulate      bool   // gradients add to what is there: a further part of the batch
	skip            []bool // rows that don't count, whatever their pixels; nil: all do
	skips           slab[bool]
	names           []trainer.Tensor // the weights as State names them, in their order
	gradients       [][]float32      // of names
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
		m.names, m.gradients = append(m.names, l.weight.tensor(), l.bias.tensor()), append(m.gradients, l.weight.slope, l.bias.slope)
		in = out
	}
	m.layers[len(m.layers)-1].poolTo = net.poolTo
	var classes []int
	for _, task := range cfg.Tasks {
		classes = append(classes, len(task.Classes))
	}
	m.heads = newHeads(t, classes, in*net.poolTo*net.poolTo)
	m.weight = newParameter("head.weight", m.heads.outputs, m.heads.inputs)
	m.bias = newParameter("head.bias", m.heads.outputs)
	m.parameters = append(m.parameters, m.weight, m.bias)
	m.names = append(m.names, m.headTensors(cfg.Tasks, m.weight.data, m.bias.data)...)
	for _, g := range m.headTensors(cfg.Tasks, m.weight.slope, m.bias.slope) {
		m.gradients = append(m.gradients, g.Data)
	}
	m.initialize(cfg.Seed)
	return m
}

// ofLoss are the gradients of the weights that had a part in the loss: nil stands
// for those of a head whose task has nothing to learn. All convolutions have one.
func (m *model) ofLoss(targets []trainer.Target) [][]float32 {
	out := slices.Clone(m.gradients)
	for i, t := range targets {
		if t.Sum == 0 {
			head := out[len(out)-2*(len(targets)-i):]
			head[0], head[1] = nil, nil
		}
	}
	return out
}

func (p *parameter) tensor() trainer.Tensor {
	return trainer.Tensor{Name: p.name, Shape: p.shape, Data: p.data}
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
// stream, so another task leaves the others' weights alone.
func (m *model) initialize(seed uint64) {
	bound := 0.0
	for _, t := range m.names {
		if len(t.Shape) > 1 { // a bias follows its weight, and has its fan_in
			bound = 1 / math.Sqrt(float64(len(t.Data)/t.Shape[0]))
		}
		trainer.DrawUniform(t.Data, bound, seed, "initial weights", t.Name)
	}
}
