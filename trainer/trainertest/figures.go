package trainertest

import (
	"cmp"
	"math"
	"slices"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// loss: the losses of a step are those of the logits that Predict gave before
// it, by the formulas, at every one of some steps.
func loss(s *suite) {
	c := base()
	t := s.trainer(c)
	for number := range 4 {
		spec := batchSpec{number: number, rows: 9, edit: mixed}
		want := s.lossesOf(t, c, spec)
		total := 0.5*want[0] + want[1]
		batch := s.batches.make(spec)
		rows := 0
		for row := range batch.Rows() {
			if batch.Weights()[row] > 0 && (batch.Labels(0)[row] >= 0 || batch.Labels(1)[row] >= 0) {
				rows++
			}
		}
		losses, err := t.Step(s.Context(), batch)
		batch.Release()
		if err != nil {
			s.Fatal(err)
		}
		s.near("the loss of the sum", losses.Total, total)
		s.near("the loss of shape", losses.Tasks[0], want[0])
		s.near("the loss of type", losses.Tasks[1], want[1])
		if losses.Rows != rows {
			s.Errorf("%d rows counted, want %d", losses.Rows, rows)
		}
	}
}

// mixed gives rows several weights and hides some labels.
func mixed(row int, m *schema.Meta) {
	m.Weight = []float32{1, 0.5, 2, 0}[row%4]
	if row%5 == 1 {
		m.Labels[0] = schema.Unknown
	}
	if row%3 == 1 {
		m.Labels[1] = schema.Unknown
	}
}

// lossesOf is each task's loss of what Predict gives.
func (s *suite) lossesOf(t trainer.Trainer, c trainer.Config, spec batchSpec) []float64 {
	s.Helper()
	logits := s.logits(t, spec)
	batch := s.batches.make(spec)
	defer batch.Release()
	out := make([]float64, len(c.Tasks))
	for i := range c.Tasks {
		if task := c.Tasks[i]; task.MultiLabel() {
			out[i] = multiLossOf(task, logits[i], batch)
			continue
		}
		column := slices.IndexFunc(tasks, func(t schema.Task) bool { return t.Name == c.Tasks[i].Task })
		if spec.shares {
			out[i] = sharesLossOf(c.Tasks[i], logits[i], batch)
			continue
		}
		out[i] = lossOf(c.Tasks[i], logits[i], batch.Labels(column), batch.Weights())
	}
	return out
}

// gradient: with a large eps a step of Adam is one of plain descent, so what it
// changes tells the gradient. It is compared with differences of the formula's
// loss, along one direction for each tensor of weights.
func gradient(s *suite) { s.gradient(base(), mixed) }

func (s *suite) gradient(c trainer.Config, edit func(row int, m *schema.Meta)) {
	s.Helper()
	s.gradientOf(c, batchSpec{edit: edit})
}

func (s *suite) gradientOf(c trainer.Config, spec batchSpec) {
	s.Helper()
	const rate, eps, h = 0.01, 1e6, 1e-3
	c.Optimizer = trainer.Optimizer{LearningRate: rate * eps, Eps: eps, Betas: &[2]float64{0, 0.999}}
	t := s.trainer(c)
	start := clone(t.State())
	s.step(t, spec)
	after := clone(t.State())
	at := func(name string, direction []float64, by float64) float64 {
		moved := clone(start)
		for _, w := range moved {
			if w.Name == name {
				for i := range w.Data {
					w.Data[i] += float32(by * direction[i])
				}
			}
		}
		if err := t.Load(moved); err != nil {
			s.Fatal(err)
		}
		total := 0.0
		for i, loss := range s.lossesOf(t, c, spec) {
			total += cmp.Or(c.Tasks[i].Weight, 1) * loss
		}
		return total
	}
	for k, w := range trainer.Weights(start) {
		g, norm := make([]float64, len(w.Data)), 0.0
		for i, v := range trainer.Weights(after)[k].Data {
			g[i] = (float64(w.Data[i]) - float64(v)) / rate
			norm += g[i] * g[i]
		}
		norm = math.Sqrt(norm)
		if norm == 0 {
			s.Errorf("the gradient of %s is 0", w.Name)
			continue
		}
		direction, want := make([]float64, len(g)), 0.0
		for i := range g {
			noise := float64(mix(uint64(k), uint64(i))>>11)/(1<<52) - 1
			direction[i] = g[i]/norm + noise/math.Sqrt(float64(len(g)))
			want += direction[i] * g[i]
		}
		have := (8*(at(w.Name, direction, h)-at(w.Name, direction, -h)) - (at(w.Name, direction, 2*h) - at(w.Name, direction, -2*h))) / (12 * h)
		if !(math.Abs(have-want) <= 0.02*norm+2e-3) {
			s.Errorf("along a direction the loss grows with %s by %v, by the step's gradient %v (of norm %v)", w.Name, have, want, norm)
		}
	}
}

// lossOf is the formula, row by row: sum w_y l / sum w_y.
func lossOf(task trainer.TaskConfig, logits []float32, labels []int32, weights []float32) float64 {
	sum, over := 0.0, 0.0
	n := len(task.Classes)
	for row, label := range labels {
		if label == schema.Unknown {
			continue
		}
		w, exps, own := float64(weights[row]), 0.0, 0.0
		if task.ClassWeights != nil {
			w *= task.ClassWeights[label]
		}
		for c, z := range logits[row*n : (row+1)*n] {
			v := float64(z)
			if task.Loss == trainer.BalancedSoftmax {
				v += math.Log(float64(task.Counts[c]))
			}
			exps += math.Exp(v)
			if c == int(label) {
				own = v
			}
		}
		sum += w * (math.Log(exps) - own)
		over += w
	}
	return sum / over
}
