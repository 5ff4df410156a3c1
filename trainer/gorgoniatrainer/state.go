package gorgoniatrainer

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/sluicedata/sluice/trainer"
)

// State implements trainer.Trainer.
func (t *Trainer) State() []trainer.Tensor {
	if t.model == nil {
		return nil
	}
	out := slices.Clone(t.model.names)
	out = append(out, t.moments("optimizer.exp_avg.", t.adam.mean)...)
	out = append(out, t.moments("optimizer.exp_avg_sq.", t.adam.square)...)
	return append(out,
		trainer.Tensor{Name: "optimizer.step", Shape: []int{1}, Data: t.adam.steps},
		trainer.Tensor{Name: "optimizer.epochs", Shape: []int{1}, Data: []float32{float32(t.epochs)}})
}

// moments names the optimizer's tensors as the weights.
func (t *Trainer) moments(prefix string, data [][]float32) []trainer.Tensor {
	var out []trainer.Tensor
	n := len(data) - 2 // the last two are the heads'
	for i, p := range t.model.parameters[:n] {
		out = append(out, trainer.Tensor{Name: p.name, Shape: p.shape, Data: data[i]})
	}
	out = append(out, t.model.headTensors(t.cfg.Tasks, data[n], data[n+1])...)
	for i := range out {
		out[i].Name = prefix + out[i].Name
	}
	return out
}

// Load implements trainer.Trainer.
func (t *Trainer) Load(state []trainer.Tensor) error {
	own := t.State()
	given := make(map[string]trainer.Tensor, len(state))
	for _, s := range state {
		if _, twice := given[s.Name]; twice {
			return fmt.Errorf("gorgoniatrainer: load: tensor %s is there twice", s.Name)
		}
		given[s.Name] = s
	}
	for _, o := range own {
		s, ok := given[o.Name]
		switch {
		case !ok:
			return fmt.Errorf("gorgoniatrainer: load: tensor %s is missing", o.Name)
		case !slices.Equal(s.Shape, o.Shape) || len(s.Data) != len(o.Data):
			return fmt.Errorf("gorgoniatrainer: load: tensor %s has shape %v and %d values, not %v", o.Name, s.Shape, len(s.Data), o.Shape)
		}
		delete(given, o.Name)
	}
	for _, s := range state {
		if _, unknown := given[s.Name]; unknown {
			return fmt.Errorf("gorgoniatrainer: load: tensor %s is not of this model", s.Name)
		}
	}
	given = make(map[string]trainer.Tensor, len(state))
	for _, s := range state {
		given[s.Name] = s
	}
	for _, o := range own {
		copy(o.Data, given[o.Name].Data)
	}
	t.epochs = int(own[len(own)-1].Data[0])
	return nil
}

// Stats implements trainer.Trainer.
func (t *Trainer) Stats() trainer.Stats {
	s := trainer.Stats{Steps: t.steps, LearningRate: t.learningRate(), StepSeconds: map[string]float64{}, PeakBytes: peakBytes(), GraphsCompiled: t.compiled}
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

// peakBytes is the process's largest resident memory so far, 0 where
// /proc/self/status doesn't tell.
func peakBytes() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == "VmHWM:" {
			kib, _ := strconv.ParseUint(string(fields[1]), 10, 64)
			return kib << 10
		}
	}
	return 0
}
