package gorgoniatrainer_test

import (
	"testing"

	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/gorgoniatrainer"
	"github.com/sluicedata/sluice/trainer/trainertest"
)

func TestConformance(t *testing.T) { gorgoniatrainer.BothKernels(t, conformance) }

func conformance(t *testing.T) {
	for _, model := range []trainer.Model{gorgoniatrainer.Recipe{PoolTo: 4}, gorgoniatrainer.SmallCNN{}} {
		t.Run(model.Name(), func(t *testing.T) {
			trainertest.Run(t, func(cfg trainer.Config) (trainer.Trainer, error) {
				cfg.Model = model
				return gorgoniatrainer.New(cfg)
			})
		})
	}
}
