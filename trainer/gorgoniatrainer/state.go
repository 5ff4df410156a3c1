package gorgoniatrainer

import "github.com/sluicedata/sluice/trainer"

// State implements trainer.Trainer.
func (t *Trainer) State() []trainer.Tensor {
	if t.model == nil {
		return nil
	}
	state := append(append([]trainer.Tensor{}, t.model.names...), t.adam.State()...)
	return append(state, trainer.Tensor{Name: trainer.EpochsName, Shape: []int{1}, Data: t.epochs})
}

// Load implements trainer.Trainer.
func (t *Trainer) Load(state []trainer.Tensor) error {
	if t.model == nil {
		return errClosed
	}
	return trainer.CopyState(t.State(), state)
}

// Stats implements trainer.Trainer.
func (t *Trainer) Stats() trainer.Stats {
	s := trainer.Stats{Steps: t.steps, LearningRate: t.learningRate(), StepSeconds: map[string]float64{}, PeakBytes: trainer.PeakBytes(), GraphsCompiled: t.compiled}
	if t.model != nil {
		for _, p := range t.model.parameters {
			s.Parameters += len(p.data)
		}
	}
	for name, total := range t.seconds {
		s.StepSeconds[name] = total.seconds / float64(total.steps)
	}
	return s
}
