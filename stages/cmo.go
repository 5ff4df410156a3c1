package stages

import (
	"fmt"
	"image"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// CMO pastes a box of a donor into a picture, as CutMix does, where the donor is a sample of
// a second stream that favours rare classes (Park et al. 2022, context-rich minority
// oversampling): rare objects before the many backgrounds of common ones. The stream draws the
// samples of class c, of n_c, in proportion to 1/n_c^Exponent: with 1 all classes equally, as
// the authors' program does, with 2 in proportion to 1/n_c. Its quotas are exact, as Rebalance's.
// Samples without a class donate nothing.
type CMO struct {
	P        Probability `sluice:"p,positive" doc:"share of the batches, or rows, into which a donor is pasted"`
	Alpha    float64     `sluice:"alpha,positive" default:"1" doc:"of the distribution Beta(alpha, alpha) of a picture's share before the box is clipped: 1 is uniform"`
	Exponent float64     `sluice:"exponent,positive" default:"1" doc:"donors are drawn in proportion to 1/n_c^exponent, with n_c samples in their class: 1 is all classes equally, 2 those of a class in proportion to 1/n_c"`
	Task     string      `sluice:"task" doc:"the task whose classes count (default: the only one)"`
	Per      MixDraws    `sluice:"per" default:"batch" doc:"batch: one draw for all rows of a batch; row: one for each"`
}

const mostExponent = 8

// Name is the stage's name in pipeline files.
func (CMO) Name() string { return "cmo" }

// Version of the algorithm.
func (CMO) Version() int { return 1 }

// Check reports impossible options.
func (c CMO) Check() error {
	errs := []error{checkMix(c.Alpha, c.P, c.Per)}
	if c.P == 0 {
		errs = append(errs, fmt.Errorf("p is 0: it never pastes; give a share such as 0.5, or leave cmo out"))
	}
	if !(c.Exponent >= 0 && c.Exponent <= mostExponent) {
		errs = append(errs, errorf("exponent", "%v is not in (0, %d]", c.Exponent, mostExponent))
	}
	return errlist.Join(errs...)
}

// PerRow reports whether each row has a draw of its own.
func (c CMO) PerRow() bool { return c.Per == PerRow }

// DrawMix draws the box, as CutMix does.
func (c CMO) DrawMix(height, width int, rand *Rand) Params {
	return CutMix{Alpha: c.Alpha, P: c.P}.DrawMix(height, width, rand)
}

// Share is the share of the picture that is its own.
func (CMO) Share(params Params) float64 { return params.(*CutMixParams).Lambda }

// Mix pastes the box.
func (CMO) Mix(params Params, own, partner *schema.Picture) {
	b := params.(*CutMixParams).Box
	paste(own, partner, image.Rect(b[0], b[1], b[2], b[3]))
}

// Donors is the second stream.
func (c CMO) Donors(in Selection, index schema.Index, draws int64, key RandKey) (Order, error) {
	task, err := findTask("task", c.Task, index)
	if err != nil {
		return nil, err
	}
	var known Selection
	for _, sample := range in {
		if index.Label(task, sample) != schema.Unknown {
			known = append(known, sample)
		}
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("no sample has a class of task %s: there is nothing to paste", index.Tasks()[task].Name)
	}
	r := Rebalance{Target: ClassBalanced, Task: TaskNames{index.Tasks()[task].Name}, Draws: draws}
	switch counts := classCounts(known, index, task); {
	case c.Exponent == 0 || c.Exponent == 1:
	case c.Exponent < 1:
		r.Target, r.Power = Power, 1-c.Exponent
	default:
		shares := map[string]float64{}
		for class, name := range index.Tasks()[task].Classes {
			if n := counts[class]; n > 0 {
				shares[name] = detmath.Pow(float64(n), 1-c.Exponent)
			}
		}
		r.Target = Shares(shares)
	}
	return r.Sample(known, index, key)
}

// Warn warns of classes that are alike, so that the second stream is like the first.
func (c CMO) Warn(in Selection, index schema.Index) []string {
	task, err := findTask("task", c.Task, index)
	if err != nil || len(in) == 0 {
		return nil // Donors reports it
	}
	counts := classCounts(in, index, task)
	most := int64(0)
	for _, n := range counts[:len(counts)-1] {
		most = max(most, n)
	}
	for _, n := range counts[:len(counts)-1] {
		if n > 0 && n < most {
			return nil
		}
	}
	return []string{fmt.Sprintf("the classes of task %s have equally many samples: donors are drawn as all samples are, and cutmix does the same without reading any", index.Tasks()[task].Name)}
}
