package gorgoniatrainer

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// op is a Gorgonia operation on float32 values. Its output is a view on memory
// that the model holds, not one of the VM's registers.
type op struct {
	name  string // unique in its graph: Gorgonia merges nodes of equal hash
	arity int
	out   *view
	do    func(inputs []gorgonia.Value) error // fills out.data
	value gorgonia.Value                      // the output, where it isn't out
}

// Arity is the number of inputs.
func (o *op) Arity() int { return o.arity }

// Type takes anything and gives the output's type.
func (o *op) Type() hm.Type {
	types := make([]hm.Type, 0, o.arity+1)
	for i := range o.arity {
		types = append(types, hm.TypeVariable(rune('p'+i))) // not b: Gorgonia calls the result so
	}
	if dims := o.out.shape.Dims(); dims > 0 {
		return hm.NewFnType(append(types, gorgonia.TensorType{Dims: dims, Of: tensor.Float32})...)
	}
	return hm.NewFnType(append(types, tensor.Float32)...)
}

// InferShape gives the output's, known when the graph is made.
func (o *op) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return o.out.shape, nil }

// Do computes.
func (o *op) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	if err := o.do(inputs); err != nil {
		return nil, err
	}
	if o.value != nil {
		return o.value, nil
	}
	return o.out, nil
}

// ReturnsPtr is false: the register is never overwritten by others.
func (o *op) ReturnsPtr() bool { return false }

// CallsExtern is false.
func (o *op) CallsExtern() bool { return false }

// OverwritesInput is -1: it overwrites none.
func (o *op) OverwritesInput() int { return -1 }

// WriteHash writes the name.
func (o *op) WriteHash(h hash.Hash) { fmt.Fprint(h, o.name) }

// Hashcode is the hash of the name.
func (o *op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// String is the name.
func (o *op) String() string { return o.name }

// alias is an op whose value another op has computed as a by-product: Gorgonia's
// ops have one output. Its input orders the two.
func alias(name string, value gorgonia.Value) *op {
	return &op{name: name, arity: 1, out: newView(value.Shape()...), value: value, do: func([]gorgonia.Value) error { return nil }}
}

// forwardOp is an op with a gradient.
type forwardOp struct {
	op
	differentiable []bool
	gradients      func(inputs gorgonia.Nodes, output, gradient *gorgonia.Node) (gorgonia.Nodes, error)
}

var _ gorgonia.SDOp = (*forwardOp)(nil)

// DiffWRT tells for which inputs there is a gradient.
func (o *forwardOp) DiffWRT(int) []bool { return o.differentiable }

// SymDiff gives the nodes of the gradients.
func (o *forwardOp) SymDiff(inputs gorgonia.Nodes, output, gradient *gorgonia.Node) (gorgonia.Nodes, error) {
	return o.gradients(inputs, output, gradient)
}
