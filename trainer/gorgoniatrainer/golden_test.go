package gorgoniatrainer

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// goldenTensor is what testdata/golden.py says of a tensor.
type goldenTensor struct {
	Norm        float64
	Projections []float64
}

type goldenCase struct {
	Name       string
	Channels   int
	PoolTo     int `json:"pool_to"`
	Shapes     [][2]int
	Rows       int
	Count      int
	Weighted   bool
	Balanced   bool
	RowWeights bool  `json:"row_weights"`
	Hidden     []int // per step the task of which no row has a label; -1: none
	Several    bool  // type is a task of several labels
	Steps      []struct {
		Loss               float64
		Losses             []*float64 // nil: no row had a label
		LR                 float64
		Gradients, Weights map[string]goldenTensor
	}
}

func readGolden(t *testing.T) []goldenCase {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct{ Cases []goldenCase }
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) == 0 {
		t.Fatal("testdata/golden.json is empty: cd testdata && python golden.py > golden.json")
	}
	return g.Cases
}

// difference estimates the relative norm of a tensor's difference from PyTorch's.
func (g goldenTensor) difference(data []float32, number int) float64 {
	sum, norm := 0.0, 0.0
	for _, v := range data {
		norm += float64(v) * float64(v)
	}
	for k, want := range g.Projections {
		got := 0.0
		for i, axis := range mixed(len(data), 5000+8*number+k) {
			got += float64(data[i]) * float64(axis) * math.Sqrt(12)
		}
		sum += (got - want) * (got - want)
	}
	return max(math.Sqrt(sum/float64(len(g.Projections))), math.Abs(math.Sqrt(norm)-g.Norm)) / g.Norm
}

func (c goldenCase) config() trainer.Config {
	cfg := testConfig("recipe", c.PoolTo)
	if c.Channels > 1 {
		cfg.Model = SmallCNN{} // pools to 4, as the script
	}
	cfg.Optimizer.WeightDecay = 0.01
	cfg.Schedule = trainer.Schedule{StepSize: 2, Gamma: 0.1}
	for i := range cfg.Tasks {
		n := len(cfg.Tasks[i].Classes)
		for k := range n {
			if c.Weighted {
				cfg.Tasks[i].ClassWeights = append(cfg.Tasks[i].ClassWeights, float64(k+1)/float64(n*(n+1)/2))
			}
			cfg.Tasks[i].Counts = append(cfg.Tasks[i].Counts, int64(n-k)*10)
		}
		if c.Balanced {
			cfg.Tasks[i].Loss = trainer.BalancedSoftmax
		}
	}
	if c.Several {
		cfg.Tasks[1] = trainer.TaskConfig{Task: "type", Loss: trainer.BinaryCrossEntropy, Classes: classNames(5), PositiveWeights: []float64{0.5, 1, 1.5, 2, 2.5}}
	}
	return cfg
}

// TestEqualsPyTorch compares losses, gradients and weights with golden.py's.
func TestEqualsPyTorch(t *testing.T) { bothKernels(t, equalsPyTorch) }

func equalsPyTorch(t *testing.T) {
	for _, c := range readGolden(t) {
		t.Run(fmt.Sprint(c.Name, c.Shapes), func(t *testing.T) {
			tr := newTrainer(t, c.config())
			setWeights(tr)
			worst := 0.0
			for step, want := range c.Steps {
				size := c.Shapes[step%len(c.Shapes)]
				rows := goldenRows(c.Rows, step, size)
				if c.RowWeights {
					for i := range rows.weights {
						rows.weights[i] = float32(i%3) / 2
					}
				}
				rows.several = c.Several
				hidden := -1
				if len(c.Hidden) > 0 {
					hidden = c.Hidden[step]
				}
				if hidden >= 0 {
					for i := range rows.labels[hidden] {
						rows.labels[hidden][i] = schema.Unknown
					}
				}
				losses, err := tr.Step(t.Context(), rows.batch(t))
				if err != nil {
					t.Fatal(err)
				}
				if step%8 == 7 {
					tr.EndEpoch()
				}
				for i, got := range append(losses.Tasks, losses.Total) {
					w := append(slices.Clone(want.Losses), &want.Loss)[i]
					if w == nil && !math.IsNaN(got) || w != nil && !(math.Abs(got-*w) <= 1e-5*math.Abs(*w)) {
						t.Errorf("step %d: loss %d is %.8f, PyTorch's %v", step+1, i, got, w)
					}
				}
				if got := tr.Stats().LearningRate; math.Abs(got-want.LR) > 1e-12 {
					t.Errorf("step %d: learning rate %g, PyTorch's %g", step+1, got, want.LR)
				}
				worst = max(worst, compare(t, step, "gradient", gradients(tr, hidden), want.Gradients), compare(t, step, "weights", tr.model.weights, want.Weights))
			}
			t.Logf("largest relative difference %.1e", worst)
		})
	}
}

func compare(t *testing.T, step int, what string, got []trainer.Tensor, want map[string]goldenTensor) float64 {
	t.Helper()
	worst := 0.0
	for i, tensor := range got {
		w, ok := want[tensor.Name]
		if tensor.Data == nil { // no gradient
			if ok {
				t.Errorf("step %d: %s of %s is missing", step+1, what, tensor.Name)
			}
			continue
		}
		if !ok {
			if want != nil {
				t.Errorf("step %d: PyTorch has no %s of %s", step+1, what, tensor.Name)
			}
			continue
		}
		d := w.difference(tensor.Data, i)
		worst = max(worst, d)
		if !(d <= 1e-4) {
			t.Errorf("step %d: %s of %s differs by %.1e", step+1, what, tensor.Name, d)
		}
	}
	return worst
}

// gradients are those of the last step, named as the weights; nil for those of the
// head of a task without labels.
func gradients(t *Trainer, hidden int) []trainer.Tensor {
	out := slices.Clone(t.model.weights)
	targets := make([]trainer.Target, len(t.cfg.Tasks))
	for i := range targets {
		if i != hidden {
			targets[i].Sum = 1
		}
	}
	for i, gradient := range t.model.usedGradients(targets) {
		out[i].Data = gradient
	}
	return out
}
