package gorgoniatrainer

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// TestHeadsWorkers: partial sums of several tasks, of an odd last one too, are
// the same bytes for any number of workers.
func TestHeadsWorkers(t *testing.T) {
	const rows, inputs = 7, 2*headJob + headChunk + 48
	classes := []int{6, 5}
	const outputs = 11
	x, weight, bias := mixed(rows*inputs, 1), mixed(outputs*inputs, 2), mixed(outputs, 3)
	dlogits := mixed(rows*outputs, 4)
	var want [][]float32
	for workers := 1; workers <= 5; workers++ {
		h := newHeads(team{workers}, classes, inputs)
		logits, dx := make([]float32, rows*outputs), make([]float32, rows*inputs)
		dweight, dbias := mixed(outputs*inputs, 5), mixed(outputs, 6)
		for range 3 { // chance decides who does what
			h.forward(logits, x, weight, bias, rows)
			h.backward(dx, dweight, dbias, dlogits, x, weight, rows, true)
		}
		got := [][]float32{logits, dx, dweight, dbias}
		if want == nil {
			want = got
			checkHeads(t, h, logits, x, weight, bias)
		}
		for i := range got {
			if text := differ(got[i], want[i]); text != "" {
				t.Errorf("%d workers: result %d%s", workers, i, text)
			}
		}
	}
	if tasks := (inputs + headJob - 1) / headJob; tasks < 3 {
		t.Errorf("%d tasks", tasks)
	}
}

// checkHeads compares logits with sums in float64.
func checkHeads(t *testing.T, h *heads, logits, x, weight, bias []float32) {
	at, first, rows := 0, 0, len(x)/h.inputs
	for _, n := range h.classes {
		for row := range rows {
			for k := first; k < first+n; k++ {
				sum := float64(bias[k])
				for i := range h.inputs {
					sum += float64(x[row*h.inputs+i]) * float64(weight[k*h.inputs+i])
				}
				if math.Abs(float64(logits[at])-sum) > 1e-4 {
					t.Fatalf("logit %d is %v, want %v", at, logits[at], sum)
				}
				at++
			}
		}
		first += n
	}
}

// TestInitialWeights: uniform on +-1/sqrt(fan_in), each tensor with numbers of
// its own.
func TestInitialWeights(t *testing.T) {
	for _, model := range []string{"recipe", "small_cnn"} {
		bound, firsts := 0.0, map[float64]string{}
		for _, w := range newTrainer(t, testConfig(model, 0)).model.weights {
			if len(w.Shape) > 1 {
				fan := 1
				for _, n := range w.Shape[1:] {
					fan *= n
				}
				bound = 1 / math.Sqrt(float64(fan))
			}
			low, high := float64(slices.Min(w.Data)), float64(slices.Max(w.Data))
			if low < -bound-1e-9 || high > bound+1e-9 {
				t.Errorf("%s %s: %v..%v, want within %v", model, w.Name, low, high, bound)
			}
			reach := 0.9 * bound
			if len(w.Data) < 100 {
				reach = 0.2 * bound
			}
			if low > -reach || high < reach {
				t.Errorf("%s %s: %v..%v, want almost to %v", model, w.Name, low, high, bound)
			}
			unit := math.Round(float64(w.Data[0])/bound*1e4) / 1e4
			if other, is := firsts[unit]; is {
				t.Errorf("%s: %s begins as %s", model, w.Name, other)
			}
			firsts[unit] = w.Name
		}
	}
}

// TestGraphs: one is compiled for each shape, once.
func TestGraphs(t *testing.T) {
	tr := newTrainer(t, testConfig("small_cnn", 0))
	shapes := [][3]int{{8, 16, 16}, {8, 16, 24}, {8, 24, 16}, {3, 16, 16}}
	for range 3 {
		for i, s := range shapes {
			batch := goldenRows(s[0], i, [2]int{s[1], s[2]}).batch(t)
			if _, err := tr.Step(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := tr.Stats().GraphsCompiled; n != len(shapes) {
		t.Errorf("%d graphs for %d shapes", n, len(shapes))
	}
	for range 2 { // graphs without gradients
		if _, err := tr.Predict(t.Context(), goldenRows(8, 1, [2]int{16, 16}).batch(t)); err != nil {
			t.Fatal(err)
		}
	}
	if n := tr.Stats().GraphsCompiled; n != len(shapes)+1 {
		t.Errorf("%d graphs for %d shapes and one to predict", n, len(shapes))
	}
}

// TestAllocations: a step allocates a little for Gorgonia, and nothing that grows
// with images or weights.
func TestAllocations(t *testing.T) {
	for _, c := range []struct {
		model              string
		rows, side, poolTo int
		workers            int
	}{{"small_cnn", 64, 16, 0, 1}, {"recipe", 8, 64, 16, 1}, {"recipe", 8, 64, 16, 3}} {
		cfg := testConfig(c.model, c.poolTo)
		cfg.Workers = c.workers
		tr := newTrainer(t, cfg)
		batch := goldenRows(c.rows, 1, [2]int{c.side, c.side}).batch(t)
		step := func() {
			if _, err := tr.Step(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		step()
		const runs = 10
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		allocations := testing.AllocsPerRun(runs, step)
		runtime.ReadMemStats(&after)
		if bytes := (after.TotalAlloc - before.TotalAlloc) / (runs + 1); allocations >= 400 || bytes >= 64<<10 {
			t.Errorf("%+v: a step makes %v allocations of %d bytes", c, allocations, bytes)
		}
	}
}

// TestGradientNotFinite: the loss is finite, a gradient isn't.
func TestGradientNotFinite(t *testing.T) {
	for _, weight := range []float64{1e38, 1e60} { // an overflow in the sums, or of each number
		cfg := testConfig("small_cnn", 0)
		cfg.Tasks[1].Weight = weight
		tr := newTrainer(t, cfg)
		before := tr.State()
		for i := range before {
			before[i].Data = slices.Clone(before[i].Data)
		}
		r := goldenRows(8, 0, [2]int{16, 16})
		for i := range r.images {
			r.images[i] *= 100
		}
		_, err := tr.Step(t.Context(), r.batch(t))
		var bad *trainer.NotFiniteError
		if !errors.As(err, &bad) || bad.What != "gradient" || bad.Suspect != nil {
			t.Errorf("weight %v: %v", weight, err)
		}
		for i, s := range tr.State() {
			if text := differ(s.Data, before[i].Data); text != "" {
				t.Errorf("weight %v: %s%s", weight, s.Name, text)
			}
		}
	}
}

// TestFinite: wherever in the gradients the number is.
func TestFinite(t *testing.T) {
	tr := newTrainer(t, testConfig("recipe", 32))
	for i, g := range tr.model.gradients {
		for _, at := range []int{0, len(g) / 2, len(g) - 1} {
			for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				g[at] = float32(v)
				if tr.model.finite() {
					t.Errorf("%v at %d of the gradient of %s is found finite", v, at, tr.model.weights[i].Name)
				}
				g[at] = 0
			}
		}
	}
	if !tr.model.finite() {
		t.Error("zeros are not found finite")
	}
}

// TestSuspects: masked rows may hold anything; where a step fails the
// keys are those of the rows that count, or whose pixels are bad.
func TestSuspects(t *testing.T) {
	tr := newTrainer(t, testConfig("recipe", 4))
	r := goldenRows(12, 0, [2]int{16, 16})
	for i := range r.weights {
		r.labels[0][i], r.labels[1][i] = 1, 2
	}
	spoil := func(row int, v float64) {
		for i := row * 768; i < (row+1)*768; i++ {
			r.images[i] = float32(v)
		}
	}
	r.weights[11] = 0
	r.labels[0][4], r.labels[1][4] = schema.Unknown, schema.Unknown
	spoil(11, math.NaN())
	spoil(4, math.Inf(1))
	if _, err := tr.Step(t.Context(), r.batch(t)); err != nil {
		t.Fatal(err)
	}
	spoil(2, math.NaN())
	_, err := tr.Step(t.Context(), r.batch(t))
	var bad *trainer.NotFiniteError
	if !errors.As(err, &bad) {
		t.Fatalf("error %v", err)
	}
	var keys []string
	for _, row := range []int{0, 1, 2, 3, 5, 6, 7, 8, 9, 10} {
		keys = append(keys, fmt.Sprintf("key-%d.png", row))
	}
	if !slices.Equal(bad.Keys, keys) || !slices.Equal(bad.Suspect, []string{"key-2.png", "key-4.png", "key-11.png"}) {
		t.Errorf("keys %q, suspect %q", bad.Keys, bad.Suspect)
	}
}

// TestClosed: nothing but errors.
func TestClosed(t *testing.T) {
	tr := newTrainer(t, testConfig("small_cnn", 0))
	batch := goldenRows(8, 0, [2]int{16, 16}).batch(t)
	if _, err := tr.Step(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := tr.Step(t.Context(), batch)
	_, err2 := tr.Predict(t.Context(), batch)
	for _, err := range []error{err, err2, tr.Load(nil), tr.Load([]trainer.Tensor{{Name: "a"}})} {
		if !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	if s := tr.Stats(); tr.State() != nil || s.Steps != 1 || s.LearningRate != 0.001 {
		t.Errorf("after Close: %+v", s)
	}
}
