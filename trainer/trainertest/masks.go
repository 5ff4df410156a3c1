package trainertest

import (
	"fmt"
	"math"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// nullLabels: rows without any label have no influence, rows without one task's
// label have it on the other task's head alone.
func nullLabels(s *suite) {
	spec := batchSpec{edit: func(row int, m *schema.Meta) {
		if row%3 == 0 {
			m.Labels = []int32{schema.Unknown, schema.Unknown}
		}
	}}
	s.noInfluence(spec, func(row int) bool { return row%3 == 0 })

	all := batchSpec{edit: func(row int, m *schema.Meta) { m.Labels[0] = schema.Unknown }}
	t := s.trainer(base())
	losses := s.step(t, all)
	if !math.IsNaN(losses.Tasks[0]) {
		s.Errorf("no row has a label of shape: its loss is %v, want NaN", losses.Tasks[0])
	}
	s.near("the sum is type's alone", losses.Total, losses.Tasks[1])
	if losses.Rows != defaultRows {
		s.Errorf("%d rows counted, want %d: they have a label of type", losses.Rows, defaultRows)
	}
}

// noPart: a task without a row that counts leaves alone what serves it alone,
// weights and optimizer's state; what it shares moves.
func noPart(s *suite) {
	hide := func(task int) func(int, *schema.Meta) {
		return func(_ int, m *schema.Meta) { m.Labels[task] = schema.Unknown }
	}
	moved := func(t trainer.Trainer, spec batchSpec) map[string]bool {
		before, names := clone(t.State()), map[string]bool{}
		s.step(t, spec)
		for i, tensor := range t.State() {
			if !sameBits(tensor.Data, before[i].Data) {
				names[tensor.Name] = true
			}
		}
		return names
	}
	for _, parts := range []int{0, 5} {
		c := base() // with weight decay
		c.MicroBatch = parts
		t := s.trainer(c)
		all := moved(t, batchSpec{}) // so that every weight has momentum
		for task, how := range map[int]func(int, *schema.Meta){0: hide(0), 1: hide(1)} {
			without, only := moved(t, batchSpec{number: 1, edit: how}), moved(t, batchSpec{number: 2, edit: hide(1 - task)})
			own := 0
			for name := range all {
				switch {
				case !without[name] && only[name]:
					own++
				case !without[name]:
					s.Errorf("%s moves neither with task %s hidden nor with it alone", name, tasks[task].Name)
				}
			}
			weights := 0
			for _, w := range trainer.Weights(t.State()) {
				if !without[w.Name] {
					weights++
				}
			}
			if weights == 0 || own <= weights {
				s.Errorf("without a label of %s, %d weights and %d tensors of the optimizer's state stay as they are, want its head's (moved: %v)",
					tasks[task].Name, weights, own-weights, without)
			}
		}
	}
}

// weightZero: rows of weight 0 have no influence.
func weightZero(s *suite) {
	zero := func(row int) bool { return row >= 9 } // padding at the end
	spec := batchSpec{edit: func(row int, m *schema.Meta) {
		if zero(row) {
			m.Weight = 0
		}
	}}
	s.noInfluence(spec, zero)

	other := spec
	other.edit = func(row int, m *schema.Meta) {
		if spec.edit(row, m); zero(row) {
			m.Labels = []int32{2, 3}
		}
	}
	a, b := s.trainer(base()), s.trainer(base())
	s.step(a, spec)
	s.step(b, other)
	s.same("other labels in rows of weight 0", a.State(), b.State())
}

// noInfluence changes the pixels of some rows, and leaves the rows out.
func (s *suite) noInfluence(spec batchSpec, of func(row int) bool) {
	s.Helper()
	without := spec
	without.drop = of
	for _, parts := range []int{0, 5} {
		c := base()
		c.MicroBatch = parts
		plain, fewer := s.trainer(c), s.trainer(c)
		first, third := s.step(plain, spec), s.step(fewer, without)
		s.near("the loss with and without masked rows", first.Total, third.Total)
		for _, bad := range []float32{900, math.MaxFloat32, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			changed := spec
			changed.pixel = func(row, i int, v float32) float32 {
				if of(row) && i%5 > 0 {
					return bad * (1 - v)
				}
				return v
			}
			other := s.trainer(c)
			second := s.step(other, changed)
			s.same(fmt.Sprintf("pixels of %v in masked rows", bad), plain.State(), other.State())
			if first.Total != second.Total || first.Rows != second.Rows || first.Rows != third.Rows {
				s.Errorf("masked rows: losses %+v, with pixels of %v %+v, without them %+v", first, bad, second, third)
			}
		}
	}
}

// noRowCounts: such a batch changes nothing.
func noRowCounts(s *suite) {
	for name, spec := range map[string]batchSpec{
		"no rows":   {drop: func(int) bool { return true }},
		"weights 0": {edit: func(_ int, m *schema.Meta) { m.Weight = 0 }},
		"null":      {edit: func(_ int, m *schema.Meta) { m.Labels = []int32{schema.Unknown, schema.Unknown} }},
	} {
		t := s.trainer(base())
		s.step(t, batchSpec{}) // so that Adam has moments
		before := clone(t.State())
		losses := s.step(t, spec)
		s.same(name, before, t.State())
		if losses.Rows != 0 || losses.Total != 0 || len(losses.Tasks) != 2 || !math.IsNaN(losses.Tasks[0]) || !math.IsNaN(losses.Tasks[1]) {
			s.Errorf("%s: losses %+v, want no rows, a total of 0, and NaN for each task", name, losses)
		}
	}
}
