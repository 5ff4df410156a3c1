package trainer

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/schema"
)

// Confusion counts what was predicted for the rows of each class of a task.
type Confusion struct {
	Task   schema.Task
	Counts [][]int64 // [true class][predicted class]

	ranking ranking // by the logarithm of softmax
}

// NewConfusion makes an empty one.
func NewConfusion(task schema.Task) *Confusion {
	c := &Confusion{Task: task, Counts: make([][]int64, len(task.Classes)), ranking: newRanking(len(task.Classes))}
	for i := range c.Counts {
		c.Counts[i] = make([]int64, len(task.Classes))
	}
	return c
}

// Add counts rows of logits, as Predict gives them: the class of the largest is
// predicted, of equal ones the first. Rows with an Unknown label or of weight 0
// are skipped; nil weights are all 1.
func (c *Confusion) Add(logits []float32, labels []int32, weights []float32) error {
	classes := len(c.Task.Classes)
	if len(logits) != len(labels)*classes || weights != nil && len(weights) != len(labels) {
		return fmt.Errorf("trainer: metrics of task %s: %d logits and %d weights for %d rows of %d classes", c.Task.Name, len(logits), len(weights), len(labels), classes)
	}
	shifted := make([]float64, classes)
	for row, label := range labels {
		if label == schema.Unknown || weights != nil && weights[row] == 0 {
			continue
		}
		if label < 0 || int(label) >= classes {
			return fmt.Errorf("trainer: metrics of task %s: label %d is not in 0..%d", c.Task.Name, label, classes-1)
		}
		best, z := 0, logits[row*classes:(row+1)*classes]
		for i, v := range z {
			if math.IsNaN(float64(v)) {
				return fmt.Errorf("trainer: metrics of task %s: a logit of class %s is NaN: the weights have diverged (lower the learning rate), or a pixel is not finite", c.Task.Name, c.Task.Classes[i])
			}
			if v > z[best] {
				best = i
			}
		}
		c.Counts[label][best]++
		total := softmaxTerms(shifted, z, nil)
		for i, s := range shifted {
			c.ranking.add(i, float32(s-detmath.Log(total)), i == int(label))
		}
	}
	return nil
}

// Support is the number of rows of each class.
func (c *Confusion) Support() []int64 {
	out := make([]int64, len(c.Counts))
	for truth, predicted := range c.Counts {
		for _, n := range predicted {
			out[truth] += n
		}
	}
	return out
}

// Accuracy is the share of rows predicted right; NaN without rows.
func (c *Confusion) Accuracy() float64 {
	right, all := int64(0), int64(0)
	for truth, n := range c.Support() {
		right += c.Counts[truth][truth]
		all += n
	}
	return float64(right) / float64(all)
}

// Recall is the share of each class's rows that were predicted right; NaN for a
// class without rows.
func (c *Confusion) Recall() []float64 {
	out := make([]float64, len(c.Counts))
	for truth, n := range c.Support() {
		out[truth] = float64(c.Counts[truth][truth]) / float64(n)
	}
	return out
}

// Precision is the share of the rows predicted as a class that are of that class;
// NaN for a class that was never predicted.
func (c *Confusion) Precision() []float64 {
	out := make([]float64, len(c.Counts))
	for class := range c.Counts {
		predicted := int64(0)
		for truth := range c.Counts {
			predicted += c.Counts[truth][class]
		}
		out[class] = float64(c.Counts[class][class]) / float64(predicted)
	}
	return out
}

// F1 is 2 TP / (2 TP + FP + FN) of each class; NaN for a class without rows that was never
// predicted.
func (c *Confusion) F1() []float64 {
	out, support := make([]float64, len(c.Counts)), c.Support()
	for class := range c.Counts {
		predicted := int64(0)
		for truth := range c.Counts {
			predicted += c.Counts[truth][class]
		}
		out[class] = 2 * float64(c.Counts[class][class]) / float64(predicted+support[class])
	}
	return out
}

// AveragePrecision is that of each class against all others, by the probability that
// softmax of the logits gives it: see MultiLabel.AveragePrecision.
func (c *Confusion) AveragePrecision() []float64 { return c.ranking.averagePrecision() }

// BalancedAccuracy is the mean recall of the classes that have rows; NaN if none
// has.
func (c *Confusion) BalancedAccuracy() float64 {
	return c.MeanRecall(every)
}

// MeanRecall is the mean recall of the classes in question that have rows; NaN if
// none has.
func (c *Confusion) MeanRecall(of func(class int) bool) float64 {
	return meanOf(c.Recall(), c.Support(), of)
}

// meanOf is the mean over the classes in question that have rows; a value that isn't
// defined counts as 0. NaN if none has rows.
func meanOf(values []float64, support []int64, of func(class int) bool) float64 {
	sum, n := 0.0, 0
	for class, v := range values {
		if !of(class) || support[class] == 0 {
			continue
		}
		if n++; !math.IsNaN(v) {
			sum += v
		}
	}
	return sum / float64(n)
}

func every(int) bool { return true }

// The groups of classes by their training samples (Liu et al. 2019): many have
// more than ManyAbove, few less than FewBelow.
const (
	ManyAbove = 100
	FewBelow  = 20
)

// Rarest marks the third of the classes with the fewest training samples: C/3 of C
// classes, rounded to the nearest and at least one; of equally rare ones the later.
func Rarest(counts []int64) []bool {
	order := make([]int, len(counts))
	for i := range order {
		order[i] = len(counts) - 1 - i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(max(-1, min(1, counts[a]-counts[b]))) })
	out := make([]bool, len(counts))
	for _, class := range order[:min(len(order), max(1, (len(order)+1)/3))] {
		out[class] = true
	}
	return out
}

// Share is a number in 0..1, NaN where it is undefined. JSON omits a NaN.
type Share float64

// IsZero tells encoding/json what to omit.
func (s Share) IsZero() bool { return math.IsNaN(float64(s)) }

// TaskMetrics are the figures of one task in a report. Maps hold the classes for
// which a figure is defined.
type TaskMetrics struct {
	BalancedAccuracy Share            `json:"balanced_accuracy,omitzero"`
	Accuracy         Share            `json:"accuracy,omitzero"`
	Recall           map[string]Share `json:"recall"`
	Precision        map[string]Share `json:"precision"`
	F1               map[string]Share `json:"f1"`
	AveragePrecision map[string]Share `json:"average_precision"`
	Count            map[string]int64 `json:"count"`                 // rows evaluated that have the class
	TrainCount       map[string]int64 `json:"train_count,omitempty"` // training samples, which define the groups below
	Many             Share            `json:"many,omitzero"`         // mean recall of classes with > 100 training samples
	Medium           Share            `json:"medium,omitzero"`       // 20-100
	Few              Share            `json:"few,omitzero"`          // < 20
	Rarest           Share            `json:"rarest,omitzero"`       // of the rarest third

	// Means over the classes that have rows, each of the same weight; the precision of a
	// class that is never predicted counts as 0.
	MeanPrecision          Share `json:"mean_precision,omitzero"`
	MeanRecall             Share `json:"mean_recall,omitzero"` // of a task of one label it is BalancedAccuracy
	MeanF1                 Share `json:"mean_f1,omitzero"`
	MeanAveragePrecision   Share `json:"mean_average_precision,omitzero"`
	RarestAveragePrecision Share `json:"rarest_average_precision,omitzero"` // mean over the rarest third

	MultiLabel bool  `json:"multi_label,omitempty"` // precision, recall and F1 are at a probability of 0.5
	Rows       int64 `json:"rows,omitempty"`        // of a task of several labels: evaluated
}

// Metrics is what the member "tasks" of a report holds.
type Metrics map[string]TaskMetrics

// perClass are a task's figures, an element for each class.
type perClass struct {
	recall, precision, f1, average []float64
	support                        []int64
}

// Metrics sums the counts up. trainCounts are the numbers of training samples of
// each class; nil if unknown: then there are no groups.
func (c *Confusion) Metrics(trainCounts []int64) TaskMetrics {
	p := perClass{c.Recall(), c.Precision(), c.F1(), c.AveragePrecision(), c.Support()}
	m := p.metrics(c.Task.Classes, trainCounts)
	m.BalancedAccuracy, m.Accuracy = Share(c.BalancedAccuracy()), Share(c.Accuracy())
	return m
}

// metrics names the figures, and takes their means.
func (p perClass) metrics(classes []string, trainCounts []int64) TaskMetrics {
	nan := Share(math.NaN())
	mean := func(values []float64, of func(class int) bool) Share { return Share(meanOf(values, p.support, of)) }
	m := TaskMetrics{
		BalancedAccuracy: nan, Accuracy: nan, Many: nan, Medium: nan, Few: nan, Rarest: nan, RarestAveragePrecision: nan,
		Recall: named(classes, p.recall), Precision: named(classes, p.precision),
		F1: named(classes, p.f1), AveragePrecision: named(classes, p.average), Count: map[string]int64{},
		MeanPrecision: mean(p.precision, every), MeanRecall: mean(p.recall, every),
		MeanF1: mean(p.f1, every), MeanAveragePrecision: mean(p.average, every),
	}
	for class, n := range p.support {
		m.Count[classes[class]] = n
	}
	if len(trainCounts) != len(classes) {
		return m
	}
	m.TrainCount = map[string]int64{}
	for class, n := range trainCounts {
		m.TrainCount[classes[class]] = n
	}
	rare := Rarest(trainCounts)
	rarest := func(class int) bool { return rare[class] }
	m.Many = mean(p.recall, func(class int) bool { return trainCounts[class] > ManyAbove })
	m.Medium = mean(p.recall, func(class int) bool { return trainCounts[class] >= FewBelow && trainCounts[class] <= ManyAbove })
	m.Few = mean(p.recall, func(class int) bool { return trainCounts[class] < FewBelow })
	m.Rarest, m.RarestAveragePrecision = mean(p.recall, rarest), mean(p.average, rarest)
	return m
}

func named(classes []string, values []float64) map[string]Share {
	out := map[string]Share{}
	for class, v := range values {
		if !math.IsNaN(v) {
			out[classes[class]] = Share(v)
		}
	}
	return out
}

// UnmarshalJSON reads a missing share as NaN.
func (m *TaskMetrics) UnmarshalJSON(data []byte) error {
	type plain TaskMetrics
	nan := Share(math.NaN())
	p := plain{BalancedAccuracy: nan, Accuracy: nan, Many: nan, Medium: nan, Few: nan, Rarest: nan,
		MeanPrecision: nan, MeanRecall: nan, MeanF1: nan, MeanAveragePrecision: nan, RarestAveragePrecision: nan}
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	*m = TaskMetrics(p)
	return nil
}
