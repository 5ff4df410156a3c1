package trainertest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// notFinite: a step that would spoil the weights is an error that names keys.
func notFinite(s *suite) {
	with := func(bad float32) batchSpec {
		return batchSpec{number: 1, pixel: func(row, i int, v float32) float32 {
			if row == 3 && i%7 < 4 {
				return bad
			}
			return v
		}}
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		t := s.trainer(base())
		s.step(t, batchSpec{})
		err := s.refuses(t, with(bad), key(1, 3))
		var notFinite *trainer.NotFiniteError
		if !errors.As(err, &notFinite) {
			s.Errorf("pixels %v: the error is %T, want *trainer.NotFiniteError", bad, err)
		}
		s.step(t, batchSpec{number: 2}) // training continues
	}

	// Finite pixels whose sums overflow: an error or not, but no such weights.
	t := s.trainer(base())
	batch := s.batches.make(with(math.MaxFloat32))
	defer batch.Release()
	_, _ = t.Step(s.Context(), batch)
	for _, w := range trainer.Weights(t.State()) {
		if slices.ContainsFunc(w.Data, func(v float32) bool { return v-v != 0 }) {
			s.Errorf("after pixels of %v, %s is not finite", float32(math.MaxFloat32), w.Name)
		}
	}
}

// imageType: anything but float32 CHW is an error that says so.
func imageType(s *suite) {
	t := s.trainer(base())
	for name, spec := range map[string]batchSpec{
		"uint8":       {tensor: schema.Tensor{DType: schema.Uint8, Layout: schema.CHW}},
		"float32 hwc": {tensor: schema.Tensor{DType: schema.Float32, Layout: schema.HWC}},
		"varying":     {form: schema.FormVarying},
		"encoded":     {form: schema.FormEncoded},
	} {
		s.refuses(t, spec, "float32")
		batch := s.batches.make(spec)
		_, err := t.Predict(s.Context(), batch)
		batch.Release()
		s.says("Predict of "+name, err, "float32")
	}
}

// labels: a label that is no class, and a task that isn't there.
func labels(s *suite) {
	t := s.trainer(base())
	for _, label := range []int32{4, 1000, -2} {
		s.refuses(t, batchSpec{number: 1, edit: func(row int, m *schema.Meta) {
			if row == 5 {
				m.Labels[1] = label
			}
		}}, "type", key(1, 5))
	}
	s.refuses(t, batchSpec{tasks: 1}, "type")

	// Columns are found by name, not by place.
	c := base()
	c.Tasks[0], c.Tasks[1] = c.Tasks[1], c.Tasks[0]
	swapped := s.trainer(c)
	logits := s.logits(swapped, batchSpec{})
	batch := s.batches.make(batchSpec{})
	defer batch.Release()
	losses, err := swapped.Step(s.Context(), batch)
	if err != nil {
		s.Fatal(err)
	}
	s.near("type, now the first head", losses.Tasks[0], lossOf(c.Tasks[0], logits[0], batch.Labels(1), batch.Weights()))
	s.near("shape, now the second head", losses.Tasks[1], lossOf(c.Tasks[1], logits[1], batch.Labels(0), batch.Weights()))
}

// config: New refuses what Config.Check does.
func config(s *suite) {
	for word, spoil := range map[string]func(*trainer.Config){
		"class_weights": func(c *trainer.Config) { c.Tasks[0].ClassWeights = []float64{1, 2} },
		"focal":         func(c *trainer.Config) { c.Tasks[0].Loss = "focal" },
		"lr":            func(c *trainer.Config) { c.Optimizer.LearningRate = -1 },
		"tasks":         func(c *trainer.Config) { c.Tasks = nil },
	} {
		c := base()
		spoil(&c)
		t, err := s.create(c)
		s.says("a bad Config", err, word)
		if err == nil {
			_ = t.Close()
		}
	}
}

// load: a state that doesn't fit is an error that names the tensor, and changes
// nothing.
func load(s *suite) {
	t := s.trainer(base())
	s.step(t, batchSpec{})
	before := clone(t.State())
	other := s.trainer(base())
	s.step(other, batchSpec{number: 1})
	last := len(before) - 1
	for name, spoil := range map[string]func([]trainer.Tensor) ([]trainer.Tensor, string){
		"a weight missing": func(l []trainer.Tensor) ([]trainer.Tensor, string) { return l[1:], l[0].Name },
		"the last missing": func(l []trainer.Tensor) ([]trainer.Tensor, string) { return l[:last], l[last].Name },
		"unknown": func(l []trainer.Tensor) ([]trainer.Tensor, string) {
			return append(l, trainer.Tensor{Name: "stranger", Shape: []int{1}, Data: []float32{1}}), "stranger"
		},
		"twice": func(l []trainer.Tensor) ([]trainer.Tensor, string) { return append(l, l[0]), l[0].Name },
		"misshapen": func(l []trainer.Tensor) ([]trainer.Tensor, string) {
			l[0].Shape = append([]int{1}, l[0].Shape...)
			return l, l[0].Name
		},
		"too short": func(l []trainer.Tensor) ([]trainer.Tensor, string) {
			l[last].Data, l[last].Shape = nil, []int{0}
			return l, l[last].Name
		},
		"weights alone": func(l []trainer.Tensor) ([]trainer.Tensor, string) {
			return trainer.Weights(l), trainer.OptimizerPrefix
		},
		"steps of -1":    number(trainer.OptimizerPrefix+"step", -1),
		"steps of 0.5":   number(trainer.OptimizerPrefix+"step", 0.5),
		"steps of NaN":   number(trainer.OptimizerPrefix+"step", math.NaN()),
		"steps of +Inf":  number(trainer.OptimizerPrefix+"step", math.Inf(1)),
		"a weight NaN":   number(before[0].Name, math.NaN()),
		"a weight -Inf":  number(before[0].Name, math.Inf(-1)),
		"a mean NaN":     number(trainer.OptimizerPrefix+"exp_avg.", math.NaN()),
		"a square of -1": number(trainer.OptimizerPrefix+"exp_avg_sq.", -1),
		"epochs of -1":   number(trainer.EpochsName, -1),
		"epochs of 0.5":  number(trainer.EpochsName, 0.5),
		"epochs of NaN":  number(trainer.EpochsName, math.NaN()),
		"epochs of +Inf": number(trainer.EpochsName, math.Inf(1)),
		"nothing":        func([]trainer.Tensor) ([]trainer.Tensor, string) { return nil, before[0].Name },
	} {
		state, word := spoil(clone(other.State()))
		s.says("Load, "+name, t.Load(state), word)
		s.same("after Load, "+name, before, t.State())
	}
	reversed := clone(other.State())
	slices.Reverse(reversed)
	if err := t.Load(reversed); err != nil {
		s.Errorf("Load in another order: %v", err)
	}
	s.same("loaded", other.State(), t.State())

	closed, err := s.create(base())
	if err != nil {
		s.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		s.Fatal(err)
	}
	if err := closed.Load(nil); err == nil {
		s.Error("Load of nothing after Close: no error")
	}
}

// number spoils a number of the last tensor whose name begins so.
func number(prefix string, v float64) func([]trainer.Tensor) ([]trainer.Tensor, string) {
	return func(l []trainer.Tensor) ([]trainer.Tensor, string) {
		for i := range slices.Backward(l) {
			if strings.HasPrefix(l[i].Name, prefix) {
				l[i].Data[0] = float32(v)
				return l, l[i].Name
			}
		}
		return nil, "" // a trainer that counts otherwise
	}
}

// cancelled: the context's cause ends Step and Predict, and changes nothing.
func cancelled(s *suite) {
	t := s.trainer(base())
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(s.Context())
	cancel(cause)
	batch := s.batches.make(batchSpec{})
	defer batch.Release()
	before := clone(t.State())
	if _, err := t.Step(ctx, batch); !errors.Is(err, cause) {
		s.Errorf("Step, cancelled: %v", err)
	}
	if _, err := t.Predict(ctx, batch); !errors.Is(err, cause) {
		s.Errorf("Predict, cancelled: %v", err)
	}
	s.same("cancelled", before, t.State())
	s.step(t, batchSpec{})
}
