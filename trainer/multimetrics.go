package trainer

import (
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/schema"
)

// MultiLabel counts what was predicted in a task of several labels: a class is predicted
// where its probability, the sigmoid of its logit, is above 0.5. It keeps five bytes for each
// row and class, by which classes are ranked at the end.
type MultiLabel struct {
	Task schema.Task
	Rows int64
	// Of each class: rows that have it and are predicted to, that only are predicted to, and
	// that only have it.
	TruePositives, FalsePositives, FalseNegatives []int64

	ranking ranking // by the logit
}

// NewMultiLabel makes an empty one.
func NewMultiLabel(task schema.Task) *MultiLabel {
	n := len(task.Classes)
	return &MultiLabel{Task: task, TruePositives: make([]int64, n), FalsePositives: make([]int64, n), FalseNegatives: make([]int64, n), ranking: newRanking(n)}
}

// Add counts one row of logits, as Predict gives them; the row has the classes of these
// numbers.
func (m *MultiLabel) Add(logits []float32, classes []int32) error {
	n := len(m.Task.Classes)
	if len(logits) != n {
		return fmt.Errorf("trainer: metrics of task %s: %d logits of %d classes", m.Task.Name, len(logits), n)
	}
	for _, c := range classes {
		if c < 0 || int(c) >= n {
			return fmt.Errorf("trainer: metrics of task %s: label %d is not in 0..%d", m.Task.Name, c, n-1)
		}
	}
	for c, z := range logits {
		if z != z {
			return fmt.Errorf("trainer: metrics of task %s: a logit of class %s is NaN: the weights have diverged (lower the learning rate), or a pixel is not finite", m.Task.Name, m.Task.Classes[c])
		}
		has := slices.Contains(classes, int32(c))
		switch {
		case has && z > 0:
			m.TruePositives[c]++
		case has:
			m.FalseNegatives[c]++
		case z > 0:
			m.FalsePositives[c]++
		}
		m.ranking.add(c, z, has)
	}
	m.Rows++
	return nil
}

// Support is the number of rows that have each class.
func (m *MultiLabel) Support() []int64 {
	return m.each64(func(tp, _, fn int64) int64 { return tp + fn })
}

// Recall is the share of a class's rows that are predicted to have it; NaN for a class
// without rows.
func (m *MultiLabel) Recall() []float64 {
	return m.each(func(tp, _, fn int64) float64 { return float64(tp) / float64(tp+fn) })
}

// Precision is the share of the rows predicted to have a class that do; NaN for a class
// that is never predicted.
func (m *MultiLabel) Precision() []float64 {
	return m.each(func(tp, fp, _ int64) float64 { return float64(tp) / float64(tp+fp) })
}

// F1 is 2 TP / (2 TP + FP + FN); NaN for a class that no row has or is predicted to have.
func (m *MultiLabel) F1() []float64 {
	return m.each(func(tp, fp, fn int64) float64 { return 2 * float64(tp) / float64(2*tp+fp+fn) })
}

// AveragePrecision is that of each class, without interpolation, as scikit-learn's
// average_precision_score: with the rows in falling order of the class's logit, it sums
// (R_n - R_n-1) P_n over the different logits, R_n and P_n being recall and precision of the
// rows down to the n-th. NaN for a class without rows, which scikit-learn gives 0.
func (m *MultiLabel) AveragePrecision() []float64 { return m.ranking.averagePrecision() }

// Metrics sums the counts up, as Confusion.Metrics. trainCounts are the numbers of training
// samples that have each class.
func (m *MultiLabel) Metrics(trainCounts []int64) TaskMetrics {
	p := perClass{m.Recall(), m.Precision(), m.F1(), m.AveragePrecision(), m.Support()}
	out := p.metrics(m.Task.Classes, trainCounts)
	out.MultiLabel, out.Rows = true, m.Rows
	return out
}

func (m *MultiLabel) each(of func(tp, fp, fn int64) float64) []float64 {
	out := make([]float64, len(m.TruePositives))
	for c := range out {
		out[c] = of(m.TruePositives[c], m.FalsePositives[c], m.FalseNegatives[c])
	}
	return out
}

func (m *MultiLabel) each64(of func(tp, fp, fn int64) int64) []int64 {
	out := make([]int64, len(m.TruePositives))
	for c := range out {
		out[c] = of(m.TruePositives[c], m.FalsePositives[c], m.FalseNegatives[c])
	}
	return out
}
