package trainer

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/sluicedata/sluice/schema"
)

// The loss of mixed rows is that of torch's cross_entropy with probabilities as target, with its
// class weights, and so is its gradient; testdata/shares.json is written by shares.py.
func TestSharesLossEqualsTorch(t *testing.T) {
	var golden struct {
		Losses []struct {
			Logits       []float32
			ClassWeights []float64 `json:"class_weights"`
			Shares       [][]float64
			Loss         float64
			Gradient     []float64
		}
	}
	data, err := os.ReadFile("testdata/shares.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &golden); err != nil || len(golden.Losses) == 0 {
		t.Fatalf("testdata/shares.json: %v: cd trainer/testdata && python shares.py > shares.json", err)
	}
	for i, c := range golden.Losses {
		classes := make([]string, len(c.Shares[0]))
		for n := range classes {
			classes[n] = string(rune('a' + n))
		}
		run := &schema.Run{Form: schema.FormTensor, Tasks: []schema.Task{{Name: "shape", Classes: classes}}, Mixed: true,
			Variants: []schema.Variant{{Scale: 1, Tensor: schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Height: 1, Width: 1}}}}
		builder, err := schema.NewBuilder(run, nil)
		if err != nil {
			t.Fatal(err)
		}
		draft := builder.Draft(0, 0, len(c.Shares))
		for row, shares := range c.Shares {
			clear(draft.Slot(row).F32)
			m := schema.Meta{Labels: []int32{0}, Weight: 1, Shares: make([][]schema.ClassShare, 1)}
			for class, share := range shares {
				if share > 0 {
					m.Shares[0] = append(m.Shares[0], schema.ClassShare{Class: int32(class), Share: float32(share)})
				}
			}
			draft.SetMeta(row, m)
		}
		batch, err := draft.Finish()
		if err != nil {
			t.Fatal(err)
		}
		task := TaskConfig{Task: "shape", Classes: classes, ClassWeights: c.ClassWeights}
		targets, rows, err := Config{Tasks: []TaskConfig{task}}.Targets(batch)
		batch.Release()
		if err != nil || rows != len(c.Shares) {
			t.Fatalf("%d rows: %v", rows, err)
		}
		gradient := make([]float32, len(c.Logits))
		have := task.Criterion()(c.Logits, targets[0], 1, gradient)
		if math.Abs(have-c.Loss) > 1e-6*math.Max(1, c.Loss) { // class weights times shares are float32
			t.Errorf("case %d: loss %v, torch has %v", i, have, c.Loss)
		}
		for k, v := range gradient {
			if math.Abs(float64(v)-c.Gradient[k]) > 1e-6 {
				t.Errorf("case %d, element %d: gradient %v, torch has %v", i, k, v, c.Gradient[k])
			}
		}
	}
}
