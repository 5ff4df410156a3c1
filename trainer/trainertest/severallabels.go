package trainertest

import (
	"math"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// withTags trains a task of one label and one of several.
func withTags() trainer.Config {
	c := base()
	c.Tasks[1] = trainer.TaskConfig{Task: tags.Name, Loss: trainer.BinaryCrossEntropy, Classes: tags.Classes, PositiveWeights: []float64{1, 3, 0.5, 2, 4}}
	return c
}

// mixedTags is mixed, and hides some rows' tags.
func mixedTags(row int, m *schema.Meta) {
	if mixed(row, m); row%4 == 2 {
		m.Values = []any{nil}
	}
}

// severalLabels: a task of several labels beside one of one label. Losses are the
// formula's, gradients those of differences, rows of unknown tags have no influence on
// their head, and the task is learnt.
func severalLabels(s *suite) {
	c := withTags()
	t := s.trainer(c)
	for number := range 3 {
		spec := batchSpec{number: number, rows: 9, edit: mixedTags}
		want := s.lossesOf(t, c, spec)
		losses := s.step(t, spec)
		s.near("the loss of the sum", losses.Total, 0.5*want[0]+want[1])
		s.near("the loss of shape", losses.Tasks[0], want[0])
		s.near("the loss of tags", losses.Tasks[1], want[1])
	}
	s.gradient(withTags(), mixedTags)

	unknown := func(row int, m *schema.Meta) {
		if row%3 == 0 {
			m.Labels, m.Values = []int32{schema.Unknown, schema.Unknown}, []any{nil}
		}
	}
	without := batchSpec{edit: unknown, drop: func(row int) bool { return row%3 == 0 }}
	for _, parts := range []int{0, 5} {
		c.MicroBatch = parts
		s.near("the loss with and without rows of unknown tags", s.step(s.trainer(c), batchSpec{edit: unknown}).Total, s.step(s.trainer(c), without).Total)
	}
	all := s.step(t, batchSpec{edit: func(_ int, m *schema.Meta) { m.Values = []any{nil} }})
	if !math.IsNaN(all.Tasks[1]) {
		s.Errorf("no row has known tags: their loss is %v, want NaN", all.Tasks[1])
	}
	s.refuses(t, batchSpec{edit: func(row int, m *schema.Meta) {
		if row == 4 {
			m.Values = []any{[]int32{1, 9}}
		}
	}}, "label 9", "tags", key(0, 4))

	first, last := math.NaN(), 0.0
	for step := range 60 {
		if last = s.step(t, batchSpec{number: step % 4}).Tasks[1]; step == 0 {
			first = last
		}
	}
	if !(last < 0.7*first) {
		s.Errorf("in 60 steps the loss of tags fell from %v to %v only", first, last)
	}
}

// multiLossOf is the formula, row by row: sum w (p y log(1+exp(-z)) + (1-y) log(1+exp(z)))
// over the classes' number times sum w.
func multiLossOf(task trainer.TaskConfig, logits []float32, batch *schema.Batch) float64 {
	sum, over := 0.0, 0.0
	n := len(task.Classes)
	for row := range batch.Rows() {
		classes, known := batch.Multi(task.Task, row)
		if !known {
			continue
		}
		w, has := float64(batch.Weights()[row]), map[int]bool{}
		for _, c := range classes {
			has[int(c)] = true
		}
		for c, z := range logits[row*n : (row+1)*n] {
			if has[c] {
				sum += w * task.PositiveWeights[c] * math.Log(1+math.Exp(-float64(z)))
			} else {
				sum += w * math.Log(1+math.Exp(float64(z)))
			}
		}
		over += w
	}
	return sum / (float64(n) * over)
}
