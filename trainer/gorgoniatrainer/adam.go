package gorgoniatrainer

import (
	"fmt"
	"math"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/trainer"
	"gorgonia.org/gorgonia"
)

// Adam is torch.optim.Adam with coupled weight decay, a gorgonia.Solver whose
// state can be saved. Gorgonia's own keeps its moments to itself. Parameters
// must come in the same order each step.
type Adam struct {
	options      trainer.Optimizer
	team         team
	learningRate float64
	steps        []float32   // one number
	mean, square [][]float32 // per parameter
}

var _ gorgonia.Solver = (*Adam)(nil)

// adamTask is the number of elements a worker takes at a time.
const adamTask = 1 << 14

// newAdam makes a solver whose options have their defaults filled in.
func newAdam(options trainer.Optimizer, t team, parameters []*parameter) *Adam {
	a := &Adam{options: options, team: t, learningRate: options.LearningRate, steps: make([]float32, 1)}
	for _, p := range parameters {
		a.mean = append(a.mean, make([]float32, len(p.data)))
		a.square = append(a.square, make([]float32, len(p.data)))
	}
	return a
}

// mostSteps ends the count: beyond it float32 skips numbers, and 1-beta^t has
// long been 1.
const mostSteps = 1 << 24

// Step changes the values by their gradients, which it leaves as they are.
func (a *Adam) Step(values []gorgonia.ValueGrad) error {
	if len(values) != len(a.mean) {
		return fmt.Errorf("gorgoniatrainer: adam: %d parameters, not %d", len(values), len(a.mean))
	}
	t, beta := min(float64(a.steps[0])+1, mostSteps), a.options.Betas
	a.steps[0] = float32(t)
	k := adamFactors{
		decay: float32(a.options.WeightDecay),
		beta1: float32(beta[0]), rest1: float32(1 - beta[0]),
		beta2: float32(beta[1]), rest2: float32(1 - beta[1]),
		root:    float32(math.Sqrt(1 - detmath.Pow(beta[1], t))),
		epsilon: float32(a.options.Eps),
		size:    float32(a.learningRate / (1 - detmath.Pow(beta[0], t))),
	}
	for i, v := range values {
		gradient, err := v.Grad()
		if err != nil {
			return fmt.Errorf("gorgoniatrainer: adam: %w", err)
		}
		w, g, m, s := floats(v.Value()), floats(gradient), a.mean[i], a.square[i]
		if len(w) != len(m) || len(g) != len(m) {
			return fmt.Errorf("gorgoniatrainer: adam: parameter %d has %d values and %d gradients, not %d", i, len(w), len(g), len(m))
		}
		a.team.run((len(w)+adamTask-1)/adamTask, func(_, task int) {
			from, to := task*adamTask, min((task+1)*adamTask, len(w))
			adam(w[from:to], g[from:to], m[from:to], s[from:to], &k)
		})
	}
	return nil
}
