package trainer

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/sluicedata/sluice/schema"
)

// Confusion counts what was predicted for the rows of each class of a task.
type Confusion struct {
	Task   schema.Task
	Counts [][]int64 // [true class][predicted class]
}

// NewConfusion makes an empty one.
func NewConfusion(task schema.Task) *Confusion {
	c := &Confusion{Task: task, Counts: make([][]int64, len(task.Classes))}
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

// BalancedAccuracy is the mean recall of the classes that have rows; NaN if none
// has.
func (c *Confusion) BalancedAccuracy() float64 {
	return c.MeanRecall(func(int) bool { return true })
}

// MeanRecall is the mean recall of the classes in question that have rows; NaN if
// none has.
func (c *Confusion) MeanRecall(of func(class int) bool) float64 {
	sum, n := 0.0, 0
	for class, recall := range c.Recall() {
		if of(class) && !math.IsNaN(recall) {
			sum += recall
			n++
		}
	}
	return sum / float64(n)
}

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
	Count            map[string]int64 `json:"count"`                 // rows evaluated
	TrainCount       map[string]int64 `json:"train_count,omitempty"` // training samples, which define the groups below
	Many             Share            `json:"many,omitzero"`         // mean recall of classes with > 100 training samples
	Medium           Share            `json:"medium,omitzero"`       // 20-100
	Few              Share            `json:"few,omitzero"`          // < 20
	Rarest           Share            `json:"rarest,omitzero"`       // of the rarest third
}

// Metrics is what the member "tasks" of a report holds.
type Metrics map[string]TaskMetrics

// Metrics sums the counts up. trainCounts are the numbers of training samples of
// each class; nil if unknown: then there are no groups.
func (c *Confusion) Metrics(trainCounts []int64) TaskMetrics {
	m := TaskMetrics{
		BalancedAccuracy: Share(c.BalancedAccuracy()), Accuracy: Share(c.Accuracy()),
		Recall: c.named(c.Recall()), Precision: c.named(c.Precision()), Count: map[string]int64{},
		Many: Share(math.NaN()), Medium: Share(math.NaN()), Few: Share(math.NaN()), Rarest: Share(math.NaN()),
	}
	for class, n := range c.Support() {
		m.Count[c.Task.Classes[class]] = n
	}
	if len(trainCounts) != len(c.Counts) {
		return m
	}
	m.TrainCount = map[string]int64{}
	for class, n := range trainCounts {
		m.TrainCount[c.Task.Classes[class]] = n
	}
	rarest := Rarest(trainCounts)
	m.Many = Share(c.MeanRecall(func(class int) bool { return trainCounts[class] > ManyAbove }))
	m.Medium = Share(c.MeanRecall(func(class int) bool { return trainCounts[class] >= FewBelow && trainCounts[class] <= ManyAbove }))
	m.Few = Share(c.MeanRecall(func(class int) bool { return trainCounts[class] < FewBelow }))
	m.Rarest = Share(c.MeanRecall(func(class int) bool { return rarest[class] }))
	return m
}

func (c *Confusion) named(values []float64) map[string]Share {
	out := map[string]Share{}
	for class, v := range values {
		if !math.IsNaN(v) {
			out[c.Task.Classes[class]] = Share(v)
		}
	}
	return out
}

// UnmarshalJSON reads a missing share as NaN.
func (m *TaskMetrics) UnmarshalJSON(data []byte) error {
	type plain TaskMetrics
	nan := Share(math.NaN())
	p := plain{BalancedAccuracy: nan, Accuracy: nan, Many: nan, Medium: nan, Few: nan, Rarest: nan}
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	*m = TaskMetrics(p)
	return nil
}
