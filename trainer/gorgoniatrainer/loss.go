package gorgoniatrainer

import (
	"errors"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/sluicedata/sluice/trainer"
)

// taskLosses are how the tasks' losses are computed and summed.
type taskLosses struct {
	criteria []trainer.Criterion // per task
	weights  []float64           // per task
}

// tinyGradient: a logit's gradient below it, from a probability of 1e-24 or less, is
// set to 0. Products with such numbers would be subnormal, and each takes the
// processor over a hundred cycles.
const tinyGradient = 0x1p-80

var errNotFinite = errors.New("the loss is not finite")

// lossOp is the fused loss of all tasks, (logits) -> scalar: the sum of weight x
// the task's trainer.Criterion, which is torch.nn.CrossEntropyLoss with class
// weights or torch.nn.BCEWithLogitsLoss with positive ones. A task without a labelled row contributes 0. Forward computes the
// gradient too. A loss that isn't finite ends the run, so nothing is learnt
// from it.
func lossOp(m *model, of *taskLosses, rows int, p *pass) *forwardOp {
	o := &forwardOp{op: op{name: "loss", arity: 1, out: newView()}, differentiable: []bool{true}}
	o.do = func(in []gorgonia.Value) error {
		logits := floats(in[0])
		gradient := m.dlogits.take(len(logits))
		r := &p.result
		r.tasks, r.total = r.tasks[:0], 0
		for i, classes := range m.heads.classes {
			n := rows * classes
			loss := of.criteria[i](logits[:n], p.targets[i], of.weights[i], gradient[:n])
			if p.targets[i].Sum > 0 {
				r.total += float64(of.weights[i] * loss)
			}
			for k, v := range gradient[:n] {
				gradient[k] = flush(v, tinyGradient)
			}
			r.tasks = append(r.tasks, loss)
			logits, gradient = logits[n:], gradient[n:]
		}
		o.value = gorgonia.NewF32(float32(r.total))
		if math.IsNaN(r.total) || math.IsInf(r.total, 0) {
			return errNotFinite
		}
		return nil
	}
	o.gradients = func(in gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
		// dy is the constant 1: the loss is the end.
		back := &op{name: "loss gradient", arity: 3, out: newView(in[0].Shape()...)}
		back.do = func(v []gorgonia.Value) error {
			back.out.data = m.dlogits.data[:len(floats(v[0]))]
			return nil
		}
		dx, err := gorgonia.ApplyOp(back, in[0], y, dy)
		return gorgonia.Nodes{dx}, err
	}
	return o
}
