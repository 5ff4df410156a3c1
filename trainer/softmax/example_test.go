package softmax_test

import (
	"context"
	"fmt"
	"log"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/softmax"
)

// A trainer learns from any batches, not a pipeline's alone: here from one that is
// built by hand, of a dark and a light image.
func Example() {
	run := &schema.Run{
		Tasks:    []schema.Task{{Name: "light", Classes: []string{"off", "on"}}},
		Form:     schema.FormTensor,
		Variants: []schema.Variant{{Scale: 1, Tensor: schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Height: 8, Width: 8}}},
	}
	batch, err := lights(run)
	if err != nil {
		log.Fatal(err)
	}

	cfg, err := trainer.Spec{Model: softmax.Model{}, Optimizer: trainer.Optimizer{LearningRate: 0.01}}.Config(run)
	if err != nil {
		log.Fatal(err)
	}
	t, err := trainer.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	first, last := 0.0, 0.0
	for step := range 50 {
		losses, err := t.Step(ctx, batch)
		if err != nil {
			log.Fatal(err)
		}
		if last = losses.Total; step == 0 {
			first = last
		}
	}
	logits, err := t.Predict(ctx, batch)
	if err != nil {
		log.Fatal(err)
	}
	light := logits[0] // of the first task: rows x classes
	fmt.Println("the loss fell:", last < first/10)
	fmt.Println("off is off:", light[0] > light[1], "and on is on:", light[3] > light[2])
	fmt.Println(t.Stats().Steps, "steps of", t.Stats().Parameters, "parameters")
	if err := t.Close(); err != nil {
		log.Fatal(err)
	}
	batch.Release()
	// Output:
	// the loss fell: true
	// off is off: true and on is on: true
	// 50 steps of 386 parameters
}

func lights(run *schema.Run) (*schema.Batch, error) {
	builder, err := schema.NewBuilder(run, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	draft := builder.Draft(0, 0, 2)
	for row, value := range []float32{-1, 1} {
		draft.SetMeta(row, schema.Meta{Key: fmt.Sprint(row), Labels: []int32{int32(row)}, Weight: 1})
		pixels := draft.Slot(row).F32
		for i := range pixels {
			pixels[i] = value
		}
	}
	return draft.Finish()
}
