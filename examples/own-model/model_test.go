package main

import (
	"testing"

	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/trainertest"
)

// TestCoarse checks the whole contract of a trainer.
func TestCoarse(t *testing.T) {
	trainertest.Run(t, func(c trainer.Config) (trainer.Trainer, error) {
		c.Model = Coarse{Grid: 4}
		return trainer.New(c) // which checks the configuration
	})
}

// TestProgram: the program runs, and its model learns what is easy to learn.
func TestProgram(t *testing.T) {
	report, err := run(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if m := report.Tasks["class"]; m.BalancedAccuracy < 0.9 || report.Train.Model != "coarse" {
		t.Errorf("model %s: %+v", report.Train.Model, m)
	}
}
