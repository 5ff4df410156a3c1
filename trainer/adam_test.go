package trainer

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// golden is testdata/golden.json, written by testdata/golden.py.
type golden struct {
	Torch string
	Adam  []struct {
		Options struct {
			LR          float64
			Betas       *[2]float64 // nil: the default
			Eps         float64
			WeightDecay float64 `json:"weight_decay"`
		}
		Without  []int // steps without a gradient
		Step     int
		Params   [][]float64
		ExpAvg   []float64 `json:"exp_avg"`
		ExpAvgSq []float64 `json:"exp_avg_sq"`
	}
	StepLR []struct {
		Base, Gamma float64
		Size        int
		Rates       []float64
	} `json:"step_lr"`
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Adam) == 0 || len(g.StepLR) == 0 {
		t.Fatal("testdata/golden.json is empty: cd trainer/testdata && python golden.py > golden.json")
	}
	return g
}

// goldenStart and goldenGradient are those of testdata/golden.py.
func goldenStart(i int) float32 { return float32((i*7919)%101-50) / 64 }

func goldenGradient(step, i int) float32 {
	if i%5 == 0 {
		return 0
	}
	return float32(float64((i*31+step*17)%23-11) / 16 * math.Pow(10, -float64(i%7)))
}

// distance is ||have - want|| / ||want||.
func distance(have []float32, want []float64) float64 {
	d, n := 0.0, 0.0
	for i, w := range want {
		d += (float64(have[i]) - w) * (float64(have[i]) - w)
		n += w * w
	}
	return math.Sqrt(d / n)
}

func TestAdamIsTorchs(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Adam {
		o := Optimizer{LearningRate: c.Options.LR, Betas: c.Options.Betas, Eps: c.Options.Eps, WeightDecay: c.Options.WeightDecay}
		n := len(c.Params[0])
		param := Tensor{"w", []int{n}, make([]float32, n)}
		for i := range param.Data {
			param.Data[i] = goldenStart(i)
		}
		adam := NewAdam(o, []Tensor{param})
		schedule := Schedule{StepSize: 5, Gamma: 0.1}
		gradient := make([]float32, n)
		for step, want := range c.Params {
			for i := range gradient {
				gradient[i] = goldenGradient(step, i)
			}
			given := [][]float32{gradient}
			if slices.Contains(c.Without, step) {
				given[0] = nil
			}
			adam.Step(schedule.LearningRate(c.Options.LR, step), given, 1)
			if d := distance(param.Data, want); !(d < 1e-7) {
				t.Fatalf("%+v: after step %d the weights are %g off torch %s", c.Options, step+1, d, g.Torch)
			}
		}
		state := adam.State()
		if d := distance(state[0].Data, c.ExpAvg); !(d < 1e-6) {
			t.Errorf("%+v: exp_avg is %g off", c.Options, d)
		}
		if d := distance(state[1].Data, c.ExpAvgSq); !(d < 1e-6) {
			t.Errorf("%+v: exp_avg_sq is %g off", c.Options, d)
		}
		if state[2].Data[0] != float32(c.Step) {
			t.Errorf("%v without a gradient: %v steps, torch has %d", c.Without, state[2].Data, c.Step)
		}
	}
}

// TestAdamFlushes: nothing becomes subnormal, and what is taken for 0 is far
// below eps.
func TestAdamFlushes(t *testing.T) {
	k := &AdamFactors{Beta1: 0.5, Rest1: 0.5, Beta2: 0.5, Rest2: 0.5, Root: 1, Eps: 1e-8, Size: 0.1}
	for _, c := range []struct{ gradient, mean, square, wantMean, wantSquare float32 }{
		{0, 0x1p-99, 0x1p-99, 0x1p-100, 0x1p-100},
		{0, -0x1p-99, 0x1p-99, -0x1p-100, 0x1p-100},
		{0, 0x1.8p-100, 0x1.8p-100, 0, 0},
		{0x1p-101, 0, 0, 0, 0},
		{0x1p-56, 0, 0x1p-10, 0x1p-57, 0x1p-11},
		{0x1p-50, 0, 0, 0x1p-51, 0},
		{0x1p-40, 0, 0, 0x1p-41, 0x1p-81},
		{0x1p-57, 0, 0x1p-99, 0x1p-58, 0x1p-100},
	} {
		p, m, v := []float32{1}, []float32{c.mean}, []float32{c.square}
		AdamKernel(p, []float32{c.gradient}, m, v, k)
		if m[0] != c.wantMean || v[0] != c.wantSquare {
			t.Errorf("gradient %g of mean %g and square %g: %g and %g, want %g and %g", c.gradient, c.mean, c.square, m[0], v[0], c.wantMean, c.wantSquare)
		}
	}
}

func TestAdamWorkers(t *testing.T) {
	const n = 100_003
	run := func(workers int) []float32 {
		p, g := Tensor{"w", []int{n}, make([]float32, n)}, make([]float32, n)
		adam := NewAdam(Optimizer{WeightDecay: 0.1}, []Tensor{p})
		for step := range 3 {
			for i := range g {
				g[i] = goldenGradient(step, i)
			}
			adam.Step(0.01, [][]float32{g}, workers)
		}
		return p.Data
	}
	want := run(1)
	for _, workers := range []int{2, 3, 8} {
		for i, v := range run(workers) {
			if v != want[i] {
				t.Fatalf("%d workers: element %d is %v, with one %v", workers, i, v, want[i])
			}
		}
	}
}

func TestStepLR(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.StepLR {
		s := Schedule{StepSize: c.Size, Gamma: c.Gamma}
		for epoch, want := range c.Rates {
			have := s.LearningRate(c.Base, epoch)
			if have != want {
				t.Errorf("%+v, epoch %d: %v, torch %s has %v", s, epoch, have, g.Torch, want)
			}
			closed := c.Base * math.Pow(c.Gamma, math.Floor(float64(epoch)/float64(c.Size)))
			if math.Abs(have-closed) > 1e-13*closed {
				t.Errorf("%+v, epoch %d: %v, in closed form %v", s, epoch, have, closed)
			}
		}
	}
	if have := (Schedule{}).LearningRate(0.2, 1000); have != 0.2 {
		t.Errorf("without a schedule the rate is %v", have)
	}
}

func BenchmarkAdam(b *testing.B) {
	const n = 3_000_000
	p, g := Tensor{"w", []int{n}, make([]float32, n)}, make([]float32, n)
	adam := NewAdam(Optimizer{}, []Tensor{p})
	b.SetBytes(4 * n * 7)
	for b.Loop() {
		adam.Step(0.001, [][]float32{g}, 2)
	}
}
