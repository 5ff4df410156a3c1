package gorgoniatrainer

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/sluicedata/sluice/trainer"
)

// shape is what a graph is made for.
type shape struct{ rows, height, width int }

func (s shape) String() string { return fmt.Sprintf("%dx3x%dx%d", s.rows, s.height, s.width) }

// graph is a Gorgonia graph and its VM for one input shape: images -> fused
// convolutions -> heads, and in a learner -> loss, with the gradients that
// gorgonia.Grad derives. It holds no memory of its own apart from nodes, so one per
// shape costs next to nothing, and a short batch has its own.
type graph struct {
	shape      shape
	model      *model
	g          *gorgonia.ExprGraph
	vm         gorgonia.VM
	input      *view
	logits     *view
	output     *gorgonia.Node // the logits
	parameters gorgonia.Nodes
	pass       pass
}

// newReader makes a graph that predicts.
func newReader(m *model, s shape) (*graph, error) {
	g, err := newGraph(m, s)
	if err != nil {
		return nil, err
	}
	g.vm = gorgonia.NewTapeMachine(g.g)
	return g, nil
}

// newLearner makes a graph that learns, too.
func newLearner(m *model, t *taskLosses, s shape) (*graph, error) {
	g, err := newGraph(m, s)
	if err != nil {
		return nil, err
	}
	loss, err := gorgonia.ApplyOp(lossOp(m, t, s.rows, &g.pass), g.output)
	if err == nil {
		_, err = gorgonia.Grad(loss, g.parameters...)
	}
	if err != nil {
		return nil, fmt.Errorf("gorgoniatrainer: graph for %s: %w", s, err)
	}
	g.vm = gorgonia.NewTapeMachine(g.g)
	return g, nil
}

// newGraph makes the nodes from images to logits.
func newGraph(m *model, s shape) (*graph, error) {
	g := &graph{shape: s, model: m, g: gorgonia.NewGraph(), input: newView(s.rows, 3, s.height, s.width)}
	x := gorgonia.NewTensor(g.g, tensor.Float32, 4, gorgonia.WithShape(g.input.shape...), gorgonia.WithName("images"))
	if err := gorgonia.Let(x, g.input); err != nil {
		return nil, fmt.Errorf("gorgoniatrainer: %w", err)
	}
	for _, p := range m.parameters {
		n := gorgonia.NewTensor(g.g, tensor.Float32, len(p.shape), gorgonia.WithShape(p.shape...), gorgonia.WithName(p.name), gorgonia.WithValue(p.value))
		g.parameters = append(g.parameters, n)
	}
	height, width, params := s.height, s.width, g.parameters
	var err error
	for i, l := range m.layers {
		plan := newGeometry(s.rows, l.in, height, width, l.out, l.poolTo)
		last := i == len(m.layers)-1
		if x, err = gorgonia.ApplyOp(g.convolve(l, &plan, i > 0, last), x, params[0], params[1]); err != nil {
			return nil, fmt.Errorf("gorgoniatrainer: graph for %s: %w", s, err)
		}
		height, width, params = plan.high.out, plan.wide.out, params[2:]
	}
	linear := g.linear()
	g.logits = linear.out
	if g.output, err = gorgonia.ApplyOp(linear, x, params[0], params[1]); err != nil {
		return nil, fmt.Errorf("gorgoniatrainer: graph for %s: %w", s, err)
	}
	return g, nil
}

// run computes on some rows of pixels, [rows, 3, height, width].
func (g *graph) run(pixels []float32) error {
	g.input.data = pixels
	err := g.vm.RunAll()
	g.vm.Reset()
	g.input.data = nil // a batch's memory is the sender's again
	return err
}

// predict gives the logits, task by task, rows x classes each. They are valid until
// a graph of the same model runs.
func (g *graph) predict(pixels []float32) ([]float32, error) {
	err := g.run(pixels)
	return g.logits.data, err
}

// learn runs rows from..to of a batch, whose pixels these are, forward and backward.
func (g *graph) learn(pixels []float32, targets []trainer.Target, from, to int) (lossResult, error) {
	p := &g.pass
	p.add, p.skip, p.targets = from > 0, g.model.skips.take(to-from), p.targets[:0]
	for _, t := range targets {
		p.targets = append(p.targets, t.Rows(from, to))
	}
	for i := range p.skip {
		p.skip[i] = trainer.Masked(targets, from+i)
	}
	err := g.run(pixels)
	clear(p.targets) // labels are the batch's memory
	p.skip, p.add = nil, false
	if err != nil && (math.IsNaN(p.result.total) || math.IsInf(p.result.total, 0)) {
		return p.result, errNotFinite // the VM's error doesn't unwrap to it
	}
	return p.result, err
}

// convolve is a layer's op: (x, weight, bias) -> pooled values, a matrix of
// features if it is the last. deep layers have a gradient of x.
func (g *graph) convolve(l *layer, plan *geometry, deep, last bool) *forwardOp {
	shape := []int{plan.rows, plan.out, plan.high.out, plan.wide.out}
	if last {
		shape = []int{plan.rows, plan.outSize()}
	}
	o := &forwardOp{op: op{name: l.name, arity: 3, out: newView(shape...)}, differentiable: []bool{deep, true, true}}
	o.do = func(in []gorgonia.Value) error {
		o.out.data = l.y.take(plan.rows * plan.outSize())
		l.forward(plan, o.out.data, floats(in[0]), floats(in[1]), floats(in[2]), g.pass.skip)
		return nil
	}
	o.gradients = func(in gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
		dx := newView(plan.rows, plan.in, plan.height, plan.width)
		back := &op{name: l.name + ".weight gradient", arity: 4, out: newView(l.weight.shape...), value: l.weight.grads}
		back.do = func(v []gorgonia.Value) error {
			if deep {
				dx.data = l.dx.take(plan.rows * plan.inSize())
			}
			l.backward(plan, dx.data, l.weight.gradient, l.bias.gradient, floats(v[3]), floats(v[0]), floats(v[1]), g.pass.skip, g.pass.add)
			return nil
		}
		dw, err := gorgonia.ApplyOp(back, in[0], in[1], y, dy)
		if err != nil {
			return nil, err
		}
		db, err := gorgonia.ApplyOp(alias(l.name+".bias gradient", l.bias.grads), dw)
		if err != nil || !deep {
			return gorgonia.Nodes{nil, dw, db}, err
		}
		in0, err := gorgonia.ApplyOp(alias(l.name+".input gradient", dx), dw)
		return gorgonia.Nodes{in0, dw, db}, err
	}
	return o
}

// linear is the heads' op: (features, weight, bias) -> logits, task by task.
func (g *graph) linear() *forwardOp {
	m, rows := g.model, g.shape.rows
	h := m.heads
	o := &forwardOp{op: op{name: "heads", arity: 3, out: newView(rows * h.outputs)}, differentiable: []bool{true, true, true}}
	o.do = func(in []gorgonia.Value) error {
		o.out.data = m.logits.take(rows * h.outputs)
		h.forward(o.out.data, floats(in[0]), floats(in[1]), floats(in[2]), rows)
		return nil
	}
	o.gradients = func(in gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
		back := &op{name: "heads gradient", arity: 4, out: newView(rows, h.inputs)}
		back.do = func(v []gorgonia.Value) error {
			back.out.data = m.dfeatures.take(rows * h.inputs)
			h.backward(back.out.data, m.headWeight.gradient, m.headBias.gradient, floats(v[3]), floats(v[0]), floats(v[1]), rows, g.pass.add)
			return nil
		}
		dx, err := gorgonia.ApplyOp(back, in[0], in[1], y, dy)
		if err != nil {
			return nil, err
		}
		dw, err := gorgonia.ApplyOp(alias("heads weight gradient", m.headWeight.grads), dx)
		if err != nil {
			return nil, err
		}
		db, err := gorgonia.ApplyOp(alias("heads bias gradient", m.headBias.grads), dx)
		return gorgonia.Nodes{dx, dw, db}, err
	}
	return o
}
