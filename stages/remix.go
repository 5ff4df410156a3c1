package stages

import (
	"math"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Remix is MixUp whose label favours the rarer class (Chou et al. 2020): of two classes one of
// which has Kappa times the samples of the other or more, the rarer has the whole label if its
// share of the picture is above 1 - Tau. Any other pair is MixUp's. Samples are counted among
// those that the pipeline draws from, in each task.
type Remix struct {
	Alpha float64     `sluice:"alpha,positive" default:"1" doc:"of the distribution Beta(alpha, alpha) of a picture's share: 1 is uniform, less is nearer to 0 and 1"`
	Kappa float64     `sluice:"kappa,positive" default:"3" doc:"how many times the samples of the rarer class the other has at least"`
	Tau   float64     `sluice:"tau,positive" default:"0.5" doc:"the label is the rarer class alone where the other's share of the picture is below this"`
	P     Probability `sluice:"p,positive" default:"1" doc:"share of the batches, or rows, that are mixed"`
	Per   MixDraws    `sluice:"per" default:"batch" doc:"batch: one draw for all rows of a batch; row: one for each"`
}

const (
	defaultKappa = 3.0
	defaultTau   = 0.5
)

// Name is the stage's name in pipeline files.
func (Remix) Name() string { return "remix" }

// Version of the algorithm.
func (Remix) Version() int { return 1 }

// Check reports impossible options.
func (m Remix) Check() error {
	errs := []error{checkMix(m.Alpha, m.P, m.Per)}
	if m.Kappa != 0 && !(m.Kappa >= 1) || math.IsInf(m.Kappa, 0) {
		errs = append(errs, errorf("kappa", "%v is not how many times the samples of the rarer class the other has: give a number from 1 on", m.Kappa))
	}
	if math.IsNaN(m.Tau) || m.Tau < 0 || m.Tau > 1 {
		errs = append(errs, errorf("tau", "%v is not a share: give a number in (0, 1]", m.Tau))
	}
	return errlist.Join(errs...)
}

// PerRow reports whether each row has a draw of its own.
func (m Remix) PerRow() bool { return m.Per == PerRow }

// DrawMix draws lambda.
func (m Remix) DrawMix(height, width int, rand *Rand) Params {
	return MixUp{Alpha: m.Alpha, P: m.P}.DrawMix(height, width, rand)
}

// Share is lambda.
func (Remix) Share(params Params) float64 { return params.(*MixUpParams).Lambda }

// Mix blends.
func (Remix) Mix(params Params, own, partner *schema.Picture) { MixUp{}.Mix(params, own, partner) }

// LabelShares gives the rarer class the whole label.
func (m Remix) LabelShares(index schema.Index) func(task int, own, partner int32, share float64) float64 {
	if m.Kappa == 0 {
		m.Kappa = defaultKappa
	}
	if m.Tau == 0 {
		m.Tau = defaultTau
	}
	var counts [][]int64
	for task := range index.Tasks() {
		counts = append(counts, schema.Counts(index, task))
	}
	return func(task int, own, partner int32, share float64) float64 {
		mine, others := float64(counts[task][own]), float64(counts[task][partner])
		switch {
		case mine >= float64(m.Kappa*others) && share < m.Tau:
			return 0
		case others >= float64(m.Kappa*mine) && 1-share < m.Tau:
			return 1
		}
		return share
	}
}
