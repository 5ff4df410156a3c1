package trainer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/sluicedata/sluice/internal/detmath"
)

// Optimizer is Adam with coupled weight decay, torch.optim.Adam.
type Optimizer struct {
	LearningRate float64     `json:"lr" sluice:"lr,positive" default:"0.001" doc:"learning rate of the first epoch"`
	Betas        *[2]float64 `json:"betas" sluice:"betas" default:"[0.9, 0.999]" doc:"decay of the running means of gradient and squared gradient, each from 0 to below 1"`
	Eps          float64     `json:"eps" sluice:"eps,positive" default:"1e-8" doc:"added to the root of the squared gradient"`
	WeightDecay  float64     `json:"weight_decay" sluice:"weight_decay" doc:"multiple of the weights that is added to the gradient"`
}

func (o Optimizer) withDefaults() Optimizer {
	if o.LearningRate == 0 {
		o.LearningRate = 0.001
	}
	if o.Betas == nil { // not [0, 0], which PyTorch takes, too
		o.Betas = &[2]float64{0.9, 0.999}
	}
	if o.Eps == 0 {
		o.Eps = 1e-8
	}
	return o
}

// Check reports impossible options, each error behind the option's name.
func (o Optimizer) Check() error {
	var p problems
	p.optimizer("", o.withDefaults())
	return errors.Join(p...)
}

func (p *problems) optimizer(place string, o Optimizer) {
	if !positive(o.LearningRate) {
		p.addf(place+"lr", "%v is not above 0", o.LearningRate)
	}
	for _, b := range o.Betas {
		if !(b >= 0 && b < 1) {
			p.addf(place+"betas", "%v is not in 0..1, or is 1", b)
		}
	}
	if !positive(o.Eps) {
		p.addf(place+"eps", "%v is not above 0", o.Eps)
	}
	if !(o.WeightDecay >= 0) || math.IsInf(o.WeightDecay, 0) {
		p.addf(place+"weight_decay", "%v is not 0 or above", o.WeightDecay)
	}
}

// Adam is torch.optim.Adam with coupled weight decay, in float32, in PyTorch's
// order of operations:
//
//	g = g + weight_decay p
//	m = beta1 m + (1-beta1) g
//	v = beta2 v + (1-beta2) g g
//	p = p - lr/(1-beta1^t) m / (sqrt(v) / sqrt(1-beta2^t) + eps)
//
// A weight without a gradient keeps its value, m, v and t, as in PyTorch where grad
// is None: so each weight has a step count of its own.
//
// Elements are computed independently, so the number of goroutines doesn't change
// the result.
type Adam struct {
	// Kernel, if set, is a faster AdamKernel with the same results.
	Kernel func(param, gradient, mean, square []float32, k *AdamFactors)

	options            Optimizer
	params             []Tensor
	mean, square, step []Tensor // per weight; a step tensor has one element
}

// NewAdam makes an optimizer for the weights, which it updates in place. Zero
// options stand for their defaults.
func NewAdam(o Optimizer, params []Tensor) *Adam {
	a := &Adam{options: o.withDefaults(), params: params}
	for _, p := range params {
		a.mean = append(a.mean, Tensor{meanPrefix + p.Name, p.Shape, make([]float32, len(p.Data))})
		a.square = append(a.square, Tensor{squarePrefix + p.Name, p.Shape, make([]float32, len(p.Data))})
		a.step = append(a.step, Tensor{stepPrefix + p.Name, []int{1}, make([]float32, 1)})
	}
	return a
}

// State returns the means, mean squares and step counts. The tensors are the
// optimizer's own memory: CopyState into them restores it.
func (a *Adam) State() []Tensor { return slices.Concat(a.mean, a.square, a.step) }

// Step updates the weights, given the gradient of each, in the order of the
// weights. A nil gradient leaves its weight unchanged: it had no part in the loss.
// The gradients are not modified.
func (a *Adam) Step(learningRate float64, gradients [][]float32, workers int) {
	if len(gradients) != len(a.params) {
		panic(fmt.Sprintf("trainer: %d gradients for %d weights", len(gradients), len(a.params)))
	}
	kernel := a.Kernel
	if kernel == nil {
		kernel = AdamKernel
	}
	for i, p := range a.params {
		if gradients[i] == nil {
			continue
		}
		step := a.step[i].Data
		step[0] = min(step[0]+1, mostSteps)
		k := a.options.factors(learningRate, float64(step[0]))
		inParallel(len(p.Data), 1<<14, workers, func(from, to int) {
			kernel(p.Data[from:to], gradients[i][from:to], a.mean[i].Data[from:to], a.square[i].Data[from:to], k)
		})
	}
}

// factors returns those of step t, counted from 1.
func (o Optimizer) factors(learningRate, t float64) *AdamFactors {
	beta := *o.Betas
	return &AdamFactors{
		Decay: float32(o.WeightDecay),
		Beta1: float32(beta[0]), Rest1: float32(1 - beta[0]),
		Beta2: float32(beta[1]), Rest2: float32(1 - beta[1]),
		Root: float32(math.Sqrt(1 - detmath.Pow(beta[1], t))), Eps: float32(o.Eps),
		Size: float32(learningRate / (1 - detmath.Pow(beta[0], t))),
	}
}

// AdamFactors are the constants of one step, for an Adam's Kernel.
type AdamFactors struct {
	Decay           float32 // weight decay
	Beta1, Rest1    float32 // rest: 1 - beta
	Beta2, Rest2    float32
	Root, Eps, Size float32 // sqrt(1-beta2^t), eps, lr/(1-beta1^t)
}

// Smaller numbers are set to 0, so that nothing becomes subnormal: a mean that only
// decays would stay subnormal for ever, at over a hundred cycles a step. Compared
// with eps they are nothing.
const (
	adamTiny       = 0x1p-100 // of gradient, mean and square
	adamTinySquare = 0x1p-56  // of the gradient to be squared
)

// flush returns v, or 0 if v is between -tiny and tiny.
func flush(v, tiny float32) float32 {
	if v < tiny && v > -tiny {
		return 0
	}
	return v
}

// AdamKernel is one step on some elements, in the order of PyTorch's operations.
// Its conversions rule out fused multiply-adds: the same bytes on every machine.
func AdamKernel(param, gradient, mean, square []float32, k *AdamFactors) {
	gradient, mean, square = gradient[:len(param)], mean[:len(param)], square[:len(param)]
	for i, p := range param {
		g := flush(gradient[i]+float32(k.Decay*p), adamTiny)
		m := flush(float32(k.Beta1*mean[i])+float32(k.Rest1*g), adamTiny)
		s := flush(g, adamTinySquare)
		v := flush(float32(k.Beta2*square[i])+float32(float32(k.Rest2*s)*s), adamTiny)
		mean[i], square[i] = m, v
		root := float32(math.Sqrt(float64(v))) // correctly rounded to float32
		param[i] = p - float32(k.Size*m)/(root/k.Root+k.Eps)
	}
}

// inParallel splits 0..n-1 among goroutines, in pieces of at least a size.
func inParallel(n, least, workers int, do func(from, to int)) {
	pieces := max(1, min(workers, n/least))
	if pieces == 1 {
		do(0, n)
		return
	}
	var wait sync.WaitGroup
	for i := range pieces {
		wait.Go(func() { do(i*n/pieces, (i+1)*n/pieces) })
	}
	wait.Wait()
}
