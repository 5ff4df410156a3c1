package trainertest

import (
	"math"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// blended is mixed, and some rows have several classes: of a third of the rows a half, of
// others no part of theirs, of some they aren't known.
func blended(row int, m *schema.Meta) {
	mixed(row, m)
	if m.Shares = make([][]schema.ClassShare, len(tasks)); row%7 == 3 {
		return
	}
	for task := range m.Shares {
		n := int32(len(tasks[task].Classes))
		switch own := max(m.Labels[task], 0); row % 3 {
		case 0:
			m.Shares[task] = []schema.ClassShare{{Class: own, Share: 0.5}, {Class: (own + 1) % n, Share: 0.25}, {Class: (own + 2) % n, Share: 0.25}}
		case 1:
			m.Shares[task] = []schema.ClassShare{{Class: (own + 1) % n, Share: 1}}
		case 2:
			m.Shares[task] = []schema.ClassShare{{Class: own, Share: 0.875}, {Class: (own + 2) % n, Share: 0.125}}
		}
	}
}

// shares: of mixed rows, losses are the formula's and gradients those of differences, also in
// micro batches; rows without shares have no influence.
func shares(s *suite) {
	c := base()
	t := s.trainer(c)
	for number := range 3 {
		spec := batchSpec{number: number, rows: 9, edit: blended, shares: true}
		want := s.lossesOf(t, c, spec)
		losses := s.step(t, spec)
		s.near("the loss of the sum", losses.Total, 0.5*want[0]+want[1])
		s.near("the loss of shape", losses.Tasks[0], want[0])
		s.near("the loss of type", losses.Tasks[1], want[1])
	}
	s.gradientOf(base(), batchSpec{edit: blended, shares: true})

	unknown := batchSpec{edit: blended, shares: true}
	without := batchSpec{edit: blended, shares: true, drop: func(row int) bool { return row%7 == 3 }}
	for _, parts := range []int{0, 5} {
		c.MicroBatch = parts
		s.near("the loss with and without rows that have no shares", s.step(s.trainer(c), unknown).Total, s.step(s.trainer(c), without).Total)
	}
	for _, bad := range []schema.ClassShare{{Class: 3, Share: 1}, {Class: -1, Share: 1}, {Share: 1.5}, {Share: float32(math.NaN())}} {
		s.refuses(t, batchSpec{shares: true, edit: func(row int, m *schema.Meta) {
			if row == 4 {
				m.Shares = [][]schema.ClassShare{{bad}, {{Class: 0, Share: 1}}}
			}
		}}, "class", "shape", key(0, 4))
	}
}

// sharesLossOf is PyTorch's formula for targets that are probabilities, row by row:
// sum w sum_c v_c y_c l_c / sum w, with class weights v.
func sharesLossOf(task trainer.TaskConfig, logits []float32, batch *schema.Batch) float64 {
	sum, over := 0.0, 0.0
	n := len(task.Classes)
	for row, w := range batch.Weights() {
		list, known := batch.Shares(task.Task, row)
		if !known {
			continue
		}
		z, exps := make([]float64, n), 0.0
		for c := range z {
			z[c] = float64(logits[row*n+c])
			if task.Loss == trainer.BalancedSoftmax {
				z[c] += math.Log(float64(task.Counts[c]))
			}
			exps += math.Exp(z[c])
		}
		for _, y := range list {
			v := float64(w) * float64(y.Share)
			if task.ClassWeights != nil {
				v *= task.ClassWeights[y.Class]
			}
			sum += v * (math.Log(exps) - z[y.Class])
		}
		over += float64(w)
	}
	return sum / over
}
