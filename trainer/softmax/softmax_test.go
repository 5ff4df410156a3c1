package softmax

import (
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/trainertest"
)

func TestSoftmax(t *testing.T) {
	trainertest.Run(t, func(c trainer.Config) (trainer.Trainer, error) {
		c.Model = Model{}
		return New(c)
	})
}

func TestOtherModel(t *testing.T) {
	c := trainer.Config{Model: another{}, Tasks: []trainer.TaskConfig{{Task: "a", Classes: []string{"x", "y"}}}}
	if _, err := New(c); err == nil {
		t.Error("the softmax trainer took the recipe's model")
	}
}

// another is a model that isn't this trainer's.
type another struct{ Model }

func (another) Name() string { return "another" }

// TestStats: the memory is that of the process, where the system tells it.
func TestStats(t *testing.T) {
	c := trainer.Config{Model: Model{}, Tasks: []trainer.TaskConfig{{Task: "a", Classes: []string{"x", "y"}}}}
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	const mib = 1 << 20
	if have := tr.Stats().PeakBytes; runtime.GOOS == "linux" && (have < mib || have > mib*mib) {
		t.Errorf("the peak is %d bytes", have)
	}
}

// TestAverage checks torch.nn.AdaptiveAvgPool2d's windows: from floor(i H/8) to
// ceil((i+1) H/8).
func TestAverage(t *testing.T) {
	ramp := func(height, width int) []float32 {
		out := make([]float32, 3*height*width)
		for i := range out {
			out[i] = float32(i % width)
		}
		return out
	}
	for _, c := range []struct {
		width int
		want  []float32
	}{
		{8, []float32{0, 1, 2, 3, 4, 5, 6, 7}},
		{16, []float32{0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 14.5}},
		{4, []float32{0, 0, 1, 1, 2, 2, 3, 3}},
		{1, []float32{0, 0, 0, 0, 0, 0, 0, 0}},
		{12, []float32{0.5, 1.5, 3.5, 4.5, 6.5, 7.5, 9.5, 10.5}},
		{9, []float32{0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5}},
	} {
		got := make([]float32, features)
		average(got, ramp(5, c.width), 5, c.width)
		for line := range slices.Chunk(got, side) {
			if !slices.Equal(line, c.want) {
				t.Fatalf("width %d: %v, want %v", c.width, line, c.want)
			}
		}
	}
}

// TestModelJSON: by these bytes a checkpoint of earlier releases is known.
func TestModelJSON(t *testing.T) {
	have, err := json.Marshal(trainer.Config{Model: Model{}})
	if err != nil || !strings.HasPrefix(string(have), `{"model":{"name":"softmax","pool_to":0},"tasks":null,`) {
		t.Errorf("%s, %v", have, err)
	}
}
