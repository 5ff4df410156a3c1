package trainertest

import (
	"math"
	"slices"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// learns: steps on one batch lower its loss.
func learns(s *suite) {
	t := s.trainer(base())
	first := s.step(t, batchSpec{}).Total
	var last float64
	for range 40 {
		last = s.step(t, batchSpec{}).Total
	}
	if !(last < 0.7*first) {
		s.Errorf("after 40 steps on one batch the loss is %v, and was %v", last, first)
	}
}

// predict: same logits twice, of the right lengths, whatever the labels; and
// training continues as if Predict had not been called.
func predict(s *suite) {
	watched, alone := s.trainer(base()), s.trainer(base())
	for number := range 3 {
		spec := batchSpec{number: number}
		before := clone(watched.State())
		first, second := s.logits(watched, spec), s.logits(watched, spec)
		s.logits(watched, batchSpec{number: 9, rows: 5, side: 24})
		s.same("after Predict", before, watched.State())
		for i, task := range tasks {
			if len(first[i]) != defaultRows*len(task.Classes) || !sameBits(first[i], second[i]) {
				s.Fatalf("task %s: %d logits, or others the second time", task.Name, len(first[i]))
			}
		}
		blind := spec
		blind.edit = func(row int, m *schema.Meta) { m.Labels, m.Weight = []int32{schema.Unknown, 99}, 0 }
		if got := s.logits(watched, blind); !sameBits(got[0], first[0]) || !sameBits(got[1], first[1]) {
			s.Error("Predict looks at labels or weights")
		}
		s.step(watched, spec)
		s.step(alone, spec)
	}
	s.same("with and without Predict", watched.State(), alone.State())
}

// resume: State and Load in the middle of training lose nothing.
func resume(s *suite) {
	whole := s.trainer(base())
	var states [][]trainer.Tensor
	train := func(t trainer.Trainer, number int) {
		s.step(t, batchSpec{number: number, rows: 7 + number})
		if number%2 == 1 {
			if err := t.EndEpoch(); err != nil {
				s.Fatal(err)
			}
		}
	}
	const steps = 7
	for number := range steps {
		states = append(states, clone(whole.State()))
		train(whole, number)
	}
	for _, from := range []int{0, 3, 4, 6} {
		c := base()
		c.Seed = 99 // the weights come from the state
		t := s.trainer(c)
		s.step(t, batchSpec{number: 50})
		if err := t.Load(states[from]); err != nil {
			s.Fatal(err)
		}
		s.same("after Load", states[from], t.State())
		for number := from; number < steps; number++ {
			train(t, number)
		}
		s.same("resumed", whole.State(), t.State())
		if have, want := t.Stats().LearningRate, whole.Stats().LearningRate; have != want {
			s.Errorf("resumed: learning rate %v, want %v", have, want)
		}
	}
}

// workers: their number changes no byte.
func workers(s *suite) {
	var want []trainer.Tensor
	for _, workers := range []int{1, 2, 3, 7, 0} {
		c := base()
		c.Workers = workers
		t := s.trainer(c)
		for number := range 3 {
			s.step(t, batchSpec{number: number, rows: []int{12, 12, 5}[number]})
		}
		if want == nil {
			want = clone(t.State())
		}
		s.same("with other workers", want, t.State())
	}
}

// seed: it decides the initial weights.
func seed(s *suite) {
	c := base()
	a, b := s.trainer(c), s.trainer(c)
	c.Seed++
	other := s.trainer(c)
	s.same("same seed", a.State(), b.State())
	s.differ("other seed", a.State(), other.State())
}

// microBatch: gradients add up to those of the whole batch.
func microBatch(s *suite) {
	whole := s.trainer(base())
	c := base()
	c.MicroBatch = 5
	parts := s.trainer(c)
	for number := range 3 {
		spec := batchSpec{number: number}
		spec.edit = func(row int, m *schema.Meta) {
			if row >= 5 && row < 10 {
				m.Labels[0] = schema.Unknown // a part without a label
			}
		}
		have, want := s.step(parts, spec), s.step(whole, spec)
		for i := range want.Tasks {
			if d := math.Abs(have.Tasks[i]-want.Tasks[i]) / want.Tasks[i]; !(d < 2e-3) { // Adam magnifies rounding
				s.Errorf("step %d, in parts: loss %v, whole %v", number, have.Tasks[i], want.Tasks[i])
			}
		}
		if have.Rows != want.Rows {
			s.Errorf("in parts %d rows counted, whole %d", have.Rows, want.Rows)
		}
	}
}

// sizes: one set of weights serves images and batches of several sizes, in any
// order.
func sizes(s *suite) {
	t := s.trainer(base())
	names := weightNames(t)
	for number, spec := range []batchSpec{{side: 16}, {side: 24}, {side: 16, rows: 5}, {side: 24, rows: 1}, {side: 16}} {
		spec.number = number
		before := clone(t.State())
		s.step(t, spec)
		s.differ("after a step", before, t.State())
	}
	if !slices.Equal(names, weightNames(t)) {
		s.Errorf("other sizes made other weights: %v, first %v", weightNames(t), names)
	}
}

func weightNames(t trainer.Trainer) []string {
	var names []string
	for _, w := range trainer.Weights(t.State()) {
		names = append(names, w.Name)
	}
	return names
}

// schedule: EndEpoch changes the learning rate, and a step uses it.
func schedule(s *suite) {
	c := base()
	t := s.trainer(c)
	for epoch := range 6 {
		if have, want := t.Stats().LearningRate, c.Schedule.LearningRate(0.003, epoch); have != want {
			s.Errorf("epoch %d: learning rate %v, want %v", epoch, have, want)
		}
		if err := t.EndEpoch(); err != nil {
			s.Fatal(err)
		}
	}
	fast, slow := s.trainer(c), s.trainer(c)
	for range 2 {
		if err := slow.EndEpoch(); err != nil {
			s.Fatal(err)
		}
	}
	start := clone(fast.State())
	s.step(fast, batchSpec{})
	s.step(slow, batchSpec{})
	moved := func(t trainer.Trainer) float64 {
		sum := 0.0
		for i, w := range trainer.Weights(t.State()) {
			for j, v := range w.Data {
				sum += math.Abs(float64(v) - float64(trainer.Weights(start)[i].Data[j]))
			}
		}
		return sum
	}
	if ratio := moved(slow) / moved(fast); math.Abs(ratio-0.5) > 0.01 {
		s.Errorf("after two epochs, with gamma 0.5, a step moves the weights %v times as far", ratio)
	}
}

// stats: parameters, steps, and the time of each shape.
func stats(s *suite) {
	t := s.trainer(base())
	s.step(t, batchSpec{})
	s.step(t, batchSpec{rows: 5})
	have, want := t.Stats(), 0
	for _, w := range trainer.Weights(t.State()) {
		n := 1
		for _, size := range w.Shape {
			n *= size
		}
		if n != len(w.Data) {
			s.Errorf("tensor %s of shape %v has %d numbers", w.Name, w.Shape, len(w.Data))
		}
		want += n
	}
	if have.Parameters != want || have.Steps != 2 {
		s.Errorf("%d parameters and %d steps, want %d and 2", have.Parameters, have.Steps, want)
	}
	for _, shape := range []string{"12x3x16x16", "5x3x16x16"} {
		if !(have.StepSeconds[shape] > 0) {
			s.Errorf("no seconds per step of shape %s: %v", shape, have.StepSeconds)
		}
	}
}
