package gorgoniatrainer

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// graph is a Gorgonia graph and its VM for one input shape: input -> fused
// convolutions -> heads -> loss, and the gradients that gorgonia.Grad derives.
// It holds no memory of its own beside nodes, so one per shape costs next to
// nothing, and a short batch has its own.
type graph struct {
	rows, height, width int
	model               *model
	g                   *gorgonia.ExprGraph
	vm                  gorgonia.VM
	input               *view
	targets             lossTargets
	logits              *view
	parameters          gorgonia.Nodes
}

// newGraph builds and compiles; learn adds loss and gradients.
func newGraph(m *model, rows, height, width int, learn bool) (*graph, error) {
	g := &graph{rows: rows, height: height, width: width, model: m, g: gorgonia.NewGraph(), input: newView(rows, 3, height, width)}
	x := gorgonia.NewTensor(g.g, tensor.Float32, 4, gorgonia.WithShape(g.input.shape...), gorgonia.WithName("images"))
	if err := gorgonia.Let(x, g.input); err != nil {
		return nil, fmt.Errorf("gorgoniatrainer: %w", err)
	}
	for _, p := range m.parameters {
		n := gorgonia.NewTensor(g.g, tensor.Float32, len(p.shape), gorgonia.WithShape(p.shape...), gorgonia.WithName(p.name), gorgonia.WithValue(p.value))
		g.parameters = append(g.parameters, n)
	}
	if err := g.build(x, learn); err != nil {
		return nil, fmt.Errorf("gorgoniatrainer: graph for %s: %w", shapeName(rows, height, width), err)
	}
	g.vm = gorgonia.NewTapeMachine(g.g)
	return g, nil
}

func (g *graph) build(x *gorgonia.Node, learn bool) (err error) {
	height, width, params := g.height, g.width, g.parameters
	for i, l := range g.model.layers {
		plan := newGeometry(g.rows, l.in, height, width, l.out, l.poolTo)
		last := i == len(g.model.layers)-1
		if x, err = gorgonia.ApplyOp(g.convolve(l, &plan, i > 0, last), x, params[0], params[1]); err != nil {
			return err
		}
		height, width, params = plan.high.out, plan.wide.out, params[2:]
	}
	linear := g.linear()
	g.logits = linear.out
	if x, err = gorgonia.ApplyOp(linear, x, params[0], params[1]); err != nil || !learn {
		return err
	}
	if x, err = gorgonia.ApplyOp(g.loss(), x); err != nil {
		return err
	}
	_, err = gorgonia.Grad(x, g.parameters...)
	return err
}

// run computes on some rows of pixels, [rows, 3, height, width].
func (g *graph) run(pixels []float32) error {
	g.input.data = pixels
	err := g.vm.RunAll()
	g.vm.Reset()
	g.input.data = nil // a batch's memory is the sender's again
	return err
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
		l.forward(plan, o.out.data, floats(in[0]), floats(in[1]), floats(in[2]), g.model.skip)
		return nil
	}
	o.gradients = func(in gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
		dx := newView(plan.rows, plan.in, plan.height, plan.width)
		back := &op{name: l.name + ".weight gradient", arity: 4, out: newView(l.weight.shape...), value: l.weight.gradient}
		back.do = func(v []gorgonia.Value) error {
			if deep {
				dx.data = l.dx.take(plan.rows * plan.inSize())
			}
			l.backward(plan, dx.data, l.weight.slope, l.bias.slope, floats(v[3]), floats(v[0]), floats(v[1]), g.model.skip, g.model.accumulate)
			return nil
		}
		dw, err := gorgonia.ApplyOp(back, in[0], in[1], y, dy)
		if err != nil {
			return nil, err
		}
		db, err := gorgonia.ApplyOp(alias(l.name+".bias gradient", l.bias.gradient), dw)
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
	m, rows := g.model, g.rows
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
			h.backward(back.out.data, m.weight.slope, m.bias.slope, floats(v[3]), floats(v[0]), floats(v[1]), rows, m.accumulate)
			return nil
		}
		dx, err := gorgonia.ApplyOp(back, in[0], in[1], y, dy)
		if err != nil {
			return nil, err
		}
		dw, err := gorgonia.ApplyOp(alias("heads weight gradient", m.weight.gradient), dx)
		if err != nil {
			return nil, err
		}
		db, err := gorgonia.ApplyOp(alias("heads bias gradient", m.bias.gradient), dx)
		return gorgonia.Nodes{dx, dw, db}, err
	}
	return o
}

func shapeName(rows, height, width int) string { return fmt.Sprintf("%dx3x%dx%d", rows, height, width) }
