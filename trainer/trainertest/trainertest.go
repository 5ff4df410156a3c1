// Package trainertest is the conformance suite of trainers: every trainer's test
// calls Run in one line. Its batches are small, of 16x16 and 24x24 pixels, with
// two tasks; they are made by schema.Builder, in memory that is checked and that
// is overwritten when it is given back.
package trainertest

import (
	"math"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/trainer"
)

// New makes a trainer. The suite leaves Config.Model empty: New chooses.
type New func(trainer.Config) (trainer.Trainer, error)

// Run checks the contract of trainer.Trainer.
func Run(t *testing.T, create New) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"learns", learns},
		{"loss", loss},
		{"gradient", gradient},
		{"several labels", severalLabels},
		{"shares", shares},
		{"predict changes nothing", predict},
		{"resume", resume},
		{"workers", workers},
		{"seed", seed},
		{"micro batch", microBatch},
		{"sizes", sizes},
		{"null labels", nullLabels},
		{"weight 0", weightZero},
		{"no row counts", noRowCounts},
		{"no part in the loss", noPart},
		{"not finite", notFinite},
		{"image type", imageType},
		{"labels", labels},
		{"config", config},
		{"schedule", schedule},
		{"load", load},
		{"cancelled", cancelled},
		{"stats", stats},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaks := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, leaks) }) // after every Close
			c.test(&suite{T: t, create: create, batches: newBatches(t)})
		})
	}
}

type suite struct {
	*testing.T
	create  New
	batches *batches
}

// base has everything that a step takes into account.
func base() trainer.Config {
	return trainer.Config{
		Tasks: []trainer.TaskConfig{
			{Task: "shape", Weight: 0.5, Classes: tasks[0].Classes, ClassWeights: []float64{0.5, 1, 2}},
			{Task: "type", Loss: trainer.BalancedSoftmax, Classes: tasks[1].Classes, Counts: []int64{90, 40, 20, 5}},
		},
		Optimizer: trainer.Optimizer{LearningRate: 0.003, WeightDecay: 0.01},
		Schedule:  trainer.Schedule{StepSize: 2, Gamma: 0.5},
		Seed:      7,
		Workers:   2,
	}
}

// trainer makes one that is closed when the test ends.
func (s *suite) trainer(c trainer.Config) trainer.Trainer {
	s.Helper()
	t, err := s.create(c)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := t.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	})
	return t
}

// step trains on a batch, and releases it.
func (s *suite) step(t trainer.Trainer, spec batchSpec) trainer.Losses {
	s.Helper()
	batch := s.batches.make(spec)
	defer batch.Release()
	losses, err := t.Step(s.Context(), batch)
	if err != nil {
		s.Fatal(err)
	}
	return losses
}

// logits predicts, and copies.
func (s *suite) logits(t trainer.Trainer, spec batchSpec) [][]float32 {
	s.Helper()
	batch := s.batches.make(spec)
	defer batch.Release()
	out, err := t.Predict(s.Context(), batch)
	if err != nil {
		s.Fatal(err)
	}
	var copied [][]float32
	for _, task := range out {
		copied = append(copied, slices.Clone(task))
	}
	return copied
}

// refuses has Step fail, and change nothing.
func (s *suite) refuses(t trainer.Trainer, spec batchSpec, words ...string) error {
	s.Helper()
	batch := s.batches.make(spec)
	defer batch.Release()
	before := clone(t.State())
	_, err := t.Step(s.Context(), batch)
	s.says("Step", err, words...)
	s.same("after an error of Step", before, t.State())
	return err
}

// says checks an error's words.
func (s *suite) says(what string, err error, words ...string) {
	s.Helper()
	if err == nil {
		s.Errorf("%s: no error, want one with %q", what, words)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			s.Errorf("%s: the error %q does not say %q", what, err, word)
		}
	}
}

func clone(state []trainer.Tensor) []trainer.Tensor {
	out := slices.Clone(state)
	for i := range out {
		out[i].Shape, out[i].Data = slices.Clone(out[i].Shape), slices.Clone(out[i].Data)
	}
	return out
}

// difference names the first tensor with other bits; "" if there is none.
func difference(a, b []trainer.Tensor) string {
	if len(a) != len(b) {
		return "the number of tensors"
	}
	for i := range a {
		if a[i].Name != b[i].Name || !slices.Equal(a[i].Shape, b[i].Shape) || !sameBits(a[i].Data, b[i].Data) {
			return a[i].Name
		}
	}
	return ""
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func (s *suite) same(what string, a, b []trainer.Tensor) {
	s.Helper()
	if name := difference(a, b); name != "" {
		s.Errorf("%s: %s is not the same", what, name)
	}
}

func (s *suite) differ(what string, a, b []trainer.Tensor) {
	s.Helper()
	if difference(a, b) == "" {
		s.Errorf("%s: the state is the same", what)
	}
}

// near compares to a relative 1e-4: sums may be taken in another order.
func (s *suite) near(what string, have, want float64) {
	s.Helper()
	if !(math.Abs(have-want) <= 1e-4*math.Max(1, math.Abs(want))) {
		s.Errorf("%s: %v, want %v", what, have, want)
	}
}
