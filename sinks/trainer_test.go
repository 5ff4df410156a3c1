package sinks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/softmax"
)

// softmaxSink trains on sinktest's tasks and keeps its state in dir, from where
// it goes on.
func softmaxSink(t *testing.T, dir string) *sinks.Trainer {
	t.Helper()
	learner, err := softmax.New(trainer.Config{
		Model: softmax.Model{},
		Tasks: []trainer.TaskConfig{
			{Task: "shape", Classes: []string{"circle", "star"}},
			{Task: "type", Classes: []string{"a", "b", "c"}, ClassWeights: []float64{1, 2, 3}},
		},
		Schedule: trainer.Schedule{StepSize: 1, Gamma: 0.5},
		Workers:  2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = learner.Close() })
	sink := &sinks.Trainer{Trainer: learner}
	file := func(epochs int) string { return filepath.Join(dir, fmt.Sprintf("%d.safetensors", epochs)) }
	for ; ; sink.Start++ {
		if _, err := os.Stat(file(sink.Start + 1)); err != nil {
			break
		}
	}
	if sink.Start > 0 {
		state, _, err := trainer.LoadSafetensors(file(sink.Start))
		if err != nil {
			t.Fatal(err)
		}
		if err := learner.Load(state); err != nil {
			t.Fatal(err)
		}
	}
	sink.OnEpoch = func(_ context.Context, info sinks.EpochInfo) error {
		return trainer.SaveSafetensors(file(info.Epoch+1), learner.State(), nil)
	}
	return sink
}

// TestTrainer: also what sinktest has for every Skipper: broken off anywhere and
// gone on from the last epoch, the states are the same bytes.
func TestTrainer(t *testing.T) {
	sinktest.Test(t, sinktest.Subject{
		New:   func(t *testing.T, dir string) sinks.Sink { return softmaxSink(t, dir) },
		Takes: func(run *schema.Run) bool { return run.BatchesPerEpoch > 0 && takes(run) && len(run.Tasks) == 2 },
	})
}

func takes(run *schema.Run) bool {
	for _, v := range run.Variants {
		if trainer.CheckForm(run.Form, v.Tensor) != nil {
			return false
		}
	}
	return true
}

func TestTrainerRefuses(t *testing.T) {
	for name, run := range sinktest.Runs() {
		err := softmaxSink(t, t.TempDir()).Open(t.Context(), run)
		if takes(run) != (err == nil) || err != nil && !strings.Contains(err.Error(), "to_tensor") {
			t.Errorf("%s: %v", name, err)
		}
	}
	run := sinktest.Runs()["float32"]
	if err := (&sinks.Trainer{}).Open(t.Context(), run); err == nil {
		t.Error("opened without a trainer")
	}
	if err := (&sinks.Trainer{Trainer: &fake{}, Start: 3}).Open(t.Context(), run); err == nil {
		t.Error("3 epochs of 2 are behind it: no error")
	}
}

// choosy takes images of 4x4 and above.
type choosy struct{ fake }

func (*choosy) CheckImage(height, width int) error {
	if height < 4 || width < 4 {
		return fmt.Errorf("%dx%d is too small", height, width)
	}
	return nil
}

func TestTrainerChecksImages(t *testing.T) {
	err := (&sinks.Trainer{Trainer: &choosy{}}).Open(t.Context(), floats(1, 1, 0.5))
	if err == nil || !strings.HasSuffix(err.Error(), "scale 0.5: 2x3 is too small") {
		t.Errorf("images of 2x3: %v", err)
	}
	if err := (&sinks.Trainer{Trainer: &choosy{}}).Open(t.Context(), floats(1, 1)); err != nil {
		t.Error(err)
	}
}

// fake is a trainer that notes what happens, and takes its time.
type fake struct {
	trainer.Trainer
	events []string
	epochs int
	takes  time.Duration
	fail   func(epoch int, batch int64) error
}

func (f *fake) Step(_ context.Context, b *schema.Batch) (trainer.Losses, error) {
	time.Sleep(f.takes)
	if f.fail != nil {
		if err := f.fail(b.Epoch, b.Number); err != nil {
			return trainer.Losses{}, err
		}
	}
	f.events = append(f.events, fmt.Sprintf("%d.%d@%dx%d", b.Epoch, b.Number, b.Tensor.Height, b.Tensor.Width))
	return trainer.Losses{Total: float64(b.Number), Tasks: []float64{1, math.NaN()}, Rows: b.Rows()}, nil
}

func (f *fake) EndEpoch() error {
	f.epochs++
	f.events = append(f.events, "end")
	return nil
}

func (f *fake) State() []trainer.Tensor { return nil }

func (f *fake) Stats() trainer.Stats { return trainer.Stats{LearningRate: 1 / float64(1+f.epochs)} }

// floats is sinktest's run with scales, as float32 CHW.
func floats(epochs int, scales ...float64) *schema.Run {
	run := sinktest.Runs()["float32"]
	run.Epochs, run.RowsPerEpoch, run.BatchesPerEpoch = epochs, 12, 3
	run.Scales, run.Variants = len(scales) > 0, nil
	for _, s := range append(scales, 1)[:max(1, len(scales))] {
		run.Variants = append(run.Variants, schema.Variant{Scale: s, Tensor: schema.Tensor{
			DType: schema.Float32, Layout: schema.CHW, Height: int(4 * s), Width: int(6 * s)}})
	}
	return run
}

func TestTrainerSteps(t *testing.T) {
	f := &fake{}
	var steps []string
	sink := &sinks.Trainer{Trainer: f,
		OnStep: func(i sinks.StepInfo) {
			steps = append(steps, fmt.Sprintf("%d.%d/%s rate %.2f loss %v", i.Epoch, i.Batch, schema.FormatScale(i.Scale), i.LearningRate, i.Losses.Total))
		},
		OnEpoch: func(_ context.Context, i sinks.EpochInfo) error {
			f.events = append(f.events, fmt.Sprintf("epoch %d: %d steps, %d rows, loss %v", i.Epoch, i.Steps, i.Rows, i.Loss))
			return nil
		},
	}
	run := floats(2, 0.5, 1)
	if err := (sinktest.Delivery{Run: run, Mem: sinktest.Memory(t)}).To(t.Context(), sink); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"0.0@2x3", "0.0@4x6", "0.1@2x3", "0.1@4x6", "0.2@2x3", "0.2@4x6", "end", "epoch 0: 6 steps, 24 rows, loss 1",
		"1.0@2x3", "1.0@4x6", "1.1@2x3", "1.1@4x6", "1.2@2x3", "1.2@4x6", "end", "epoch 1: 6 steps, 24 rows, loss 1",
	}
	if !slices.Equal(f.events, want) {
		t.Errorf("\n%q\nwant\n%q", f.events, want)
	}
	if len(steps) != 12 || steps[0] != "0.0/0.5 rate 1.00 loss 0" || steps[11] != "1.2/1 rate 0.50 loss 2" {
		t.Errorf("OnStep: %q", steps)
	}
	r := sink.Report()
	if r.Steps != 12 || r.Rows != 48 || len(r.Epochs) != 2 || r.Epochs[1].LearningRate != 0.5 {
		t.Errorf("report %+v", r)
	}
	if text, err := json.Marshal(r); err != nil || !strings.Contains(string(text), `"waiting_seconds"`) {
		t.Errorf("%s, %v", text, err)
	}
}

// TestTrainerEpochs: EndEpoch comes once for each epoch, whichever batches have
// no rows, and not for one that failed.
func TestTrainerEpochs(t *testing.T) {
	failing, cancelled := errors.New("no more"), errors.New("enough")
	at := func(epoch int, number int64, err error) func(int, int64) error {
		return func(e int, n int64) error {
			if e == epoch && n == number {
				return err
			}
			return nil
		}
	}
	for _, c := range []struct {
		name         string
		start        int
		step, before func(epoch int, batch int64) error
		onEpoch      error
		ends, steps  int
		err          error
	}{
		{"complete", 0, nil, nil, nil, 3, 9, nil},
		{"from the second on", 1, nil, nil, nil, 2, 6, nil},
		{"nothing left", 3, nil, nil, nil, 0, 0, nil},
		{"a step fails", 0, at(1, 1, failing), nil, nil, 1, 4, failing},
		{"the first step of an epoch fails", 0, at(1, 0, failing), nil, nil, 1, 3, failing},
		{"the last step fails", 0, at(2, 2, failing), nil, nil, 2, 8, failing},
		{"the pipeline fails", 0, nil, at(1, 2, failing), nil, 1, 5, failing},
		{"evaluation fails", 0, nil, nil, failing, 1, 3, failing},
		{"cancelled", 0, at(1, 1, cancelled), nil, nil, 1, 5, cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			f := &fake{fail: func(epoch int, batch int64) error {
				if c.step == nil {
					return nil
				}
				err := c.step(epoch, batch)
				if errors.Is(err, cancelled) { // in the middle of a step, which ends
					cancel(cancelled)
					return nil
				}
				return err
			}}
			epochs := []int{}
			sink := &sinks.Trainer{Trainer: f, Start: c.start, OnEpoch: func(_ context.Context, i sinks.EpochInfo) error {
				epochs = append(epochs, i.Epoch)
				return c.onEpoch
			}}
			d := sinktest.Delivery{Run: floats(3), Mem: sinktest.Memory(t), Before: func(b *schema.Batch) error {
				if c.before == nil {
					return nil
				}
				return c.before(b.Epoch, b.Number)
			}}
			if err := d.To(ctx, sink); !errors.Is(err, c.err) || c.err == nil && err != nil {
				t.Errorf("error %v, want %v", err, c.err)
			}
			steps := len(f.events) - f.epochs
			if f.epochs != c.ends || steps != c.steps || sink.Report().Steps != c.steps {
				t.Errorf("%d epochs ended and %d steps, want %d and %d: %q", f.epochs, steps, c.ends, c.steps, f.events)
			}
			for i, epoch := range epochs {
				if epoch != c.start+i {
					t.Errorf("OnEpoch of %v, from %d on", epochs, c.start)
				}
			}
		})
	}
}

// TestTrainerWithoutStep: an epoch in which nothing was learnt is an error, and
// doesn't end.
func TestTrainerWithoutStep(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(run *schema.Run)
		count int // of a batch's rows
		want  string
	}{
		"no row":           {func(run *schema.Run) { run.RowsPerEpoch, run.BatchesPerEpoch = 0, 1 }, 4, "epoch 1 had no step: none of its rows was delivered"},
		"no row counts":    {func(*schema.Run) {}, 0, "epoch 1 had no step: all of its 12 rows are masked"},
		"from the second":  {func(*schema.Run) {}, -1, "epoch 2 had no step: all of its 12 rows are masked"},
		"weights overflow": {func(*schema.Run) {}, -2, "after epoch 1: trainer: number 0 of tensor \"w\" is +Inf"},
	} {
		t.Run(name, func(t *testing.T) {
			run := floats(3)
			c.edit(run)
			f := &counting{rows: c.count}
			sink := &sinks.Trainer{Trainer: f}
			err := (sinktest.Delivery{Run: run, Mem: sinktest.Memory(t)}).To(t.Context(), sink)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if n := strings.Count(strings.Join(f.events, " "), "end"); n != len(sink.Report().Epochs) || n != map[bool]int{true: 1}[c.count == -1] {
				t.Errorf("%d epochs ended: %q", n, f.events)
			}
		})
	}
}

// counting says how many rows of a batch count: -1: all in the first epoch, none
// later; -2: all, with weights that overflow.
type counting struct {
	fake
	rows int
}

func (f *counting) Step(ctx context.Context, b *schema.Batch) (trainer.Losses, error) {
	losses, err := f.fake.Step(ctx, b)
	if losses.Rows = f.rows; f.rows < 0 && b.Epoch == 0 {
		losses.Rows = b.Rows()
	}
	losses.Rows = max(losses.Rows, 0)
	return losses, err
}

func (f *counting) State() []trainer.Tensor {
	w := float32(1)
	if f.rows == -2 {
		w = float32(math.Inf(1))
	}
	return []trainer.Tensor{{Name: "w", Shape: []int{1}, Data: []float32{w}}}
}

// TestTrainerWarns: of losses that show a mistake, once.
func TestTrainerWarns(t *testing.T) {
	for name, c := range map[string]struct {
		losses func(step int) float64
		want   string
	}{
		"as usual":        {func(step int) float64 { return 3 / float64(1+step) }, ""},
		"a bad start":     {func(step int) float64 { return 500 / float64(1+step) }, ""},
		"up a little":     {func(step int) float64 { return 0.5 + float64(step) }, ""},
		"huge at once":    {func(int) float64 { return 1e36 }, "the first loss is 1e+36, "},
		"a step explodes": {func(step int) float64 { return map[bool]float64{true: 4000, false: 2}[step == 4] }, "the loss is 4e+03 in epoch 2, and was 2 in the first step"},
		"it grows":        {func(step int) float64 { return 2 + 10*float64(step) }, "the mean loss of epoch 2 is 42, and was 2 in the first step"},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			sink := &sinks.Trainer{Trainer: &losing{losses: c.losses}, OnWarning: func(text string) { told = append(told, text) }}
			if err := (sinktest.Delivery{Run: floats(2), Mem: sinktest.Memory(t)}).To(t.Context(), sink); err != nil {
				t.Fatal(err)
			}
			if c.want == "" && len(told) > 0 || c.want != "" && (len(told) != 1 || !strings.HasPrefix(told[0], c.want)) {
				t.Errorf("warnings %q, want %q", told, c.want)
			}
			if !slices.Equal(sink.Report().Warnings, told) {
				t.Errorf("the report has %q, told was %q", sink.Report().Warnings, told)
			}
		})
	}
}

// losing has losses by the number of the step.
type losing struct {
	fake
	losses func(step int) float64
	steps  int
}

func (f *losing) Step(_ context.Context, b *schema.Batch) (trainer.Losses, error) {
	loss := f.losses(f.steps)
	f.steps++
	return trainer.Losses{Total: loss / 2, Tasks: []float64{loss, math.NaN()}, Rows: b.Rows()}, nil
}

// TestTrainerTimes: who waited for whom.
func TestTrainerTimes(t *testing.T) {
	const pause = 20 * time.Millisecond
	run := floats(2)
	sleep := func(*schema.Batch) error { time.Sleep(pause); return nil }
	for _, c := range []struct {
		name         string
		step         time.Duration
		before       func(*schema.Batch) error
		train, waits float64 // in pauses, at least
	}{
		{"slow trainer", pause, nil, 6, 0},
		{"slow pipeline", 0, sleep, 0, 5},
	} {
		sink := &sinks.Trainer{Trainer: &fake{takes: c.step}, OnEpoch: func(context.Context, sinks.EpochInfo) error {
			time.Sleep(pause)
			return nil
		}}
		begin := time.Now()
		if err := (sinktest.Delivery{Run: run, Before: c.before}).To(t.Context(), sink); err != nil {
			t.Fatal(err)
		}
		took, r := time.Since(begin).Seconds(), sink.Report()
		unit := pause.Seconds()
		if r.TrainingSeconds < c.train*unit || r.WaitingSeconds < c.waits*unit || r.BetweenSeconds < 2*unit {
			t.Errorf("%s: %+v", c.name, r)
		}
		if sum := r.FirstSeconds + r.WaitingSeconds + r.TrainingSeconds + r.BetweenSeconds; sum > took || sum < 0.8*took {
			t.Errorf("%s: %v of %v s accounted for: %+v", c.name, sum, took, r)
		}
		if c.waits > 0 && (r.Starved != 5 || r.FirstSeconds < unit) {
			t.Errorf("%s: starved %d times, first batch after %v s", c.name, r.Starved, r.FirstSeconds)
		}
		inEpochs := 0.0
		for _, e := range r.Epochs {
			inEpochs += e.WaitingSeconds + e.TrainingSeconds
		}
		if math.Abs(inEpochs-r.FirstSeconds-r.WaitingSeconds-r.TrainingSeconds) > 1e-6 {
			t.Errorf("%s: the epochs' times are not those of the run: %+v", c.name, r)
		}
	}
}
