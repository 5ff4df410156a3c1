package trainer

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/schema"
)

// keyed is a batch of 1x1 images with one task.
func keyed(t *testing.T, rows int, edit func(row int, m *schema.Meta, pixels []float32)) *schema.Batch {
	t.Helper()
	run := &schema.Run{Form: schema.FormTensor, Tasks: []schema.Task{{Name: "shape", Classes: []string{"a", "b", "c"}}},
		Variants: []schema.Variant{{Scale: 1, Tensor: schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Height: 1, Width: 1}}}}
	builder, err := schema.NewBuilder(run, memory.NewGoAllocator())
	if err != nil {
		t.Fatal(err)
	}
	draft := builder.Draft(2, 5, rows)
	for i := range rows {
		m := schema.Meta{Key: fmt.Sprintf("key-%d", i), Labels: []int32{1}, Weight: 1}
		clear(draft.Slot(i).F32)
		edit(i, &m, draft.Slot(i).F32)
		draft.SetMeta(i, m)
	}
	batch, err := draft.Finish()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(batch.Release)
	return batch
}

// TestNotFinite: all keys on the error, the first in its text.
func TestNotFinite(t *testing.T) {
	c := good()
	c.Tasks = c.Tasks[:1]
	c.Tasks[0].ClassWeights = []float64{1, 1, 0}
	const diverged = "trainer: the loss is not finite in epoch 3, batch 5 (the weights are as before it): the pixels are finite, so the weights have diverged: lower the learning rate "
	const pixels = "trainer: the loss is not finite in epoch 3, batch 5 (the weights are as before it): there are pixels that aren't finite "
	for _, k := range []struct {
		rows   int
		bad    func(row int) bool
		counts func(row int) bool
		text   string
	}{
		{2, nil, nil, diverged + `(keys "key-0", "key-1")`},
		{32, nil, nil, diverged + `(32 rows, first "key-0", "key-1", "key-2")`},
		{32, func(row int) bool { return row == 17 || row == 30 }, nil, pixels + `(keys "key-17", "key-30")`},
		{20, func(row int) bool { return row > 3 }, nil, pixels + `(16 rows, first "key-4", "key-5", "key-6", "key-7", "key-8", "key-9", "key-10", "key-11")`},
		{12, func(row int) bool { return row < 3 }, func(row int) bool { return row >= 3 }, diverged + `(9 rows, first "key-3", "key-4", "key-5")`},
		{12, func(row int) bool { return row < 4 }, func(row int) bool { return row >= 3 }, pixels + `(keys "key-0", "key-1", "key-2", "key-3")`},
	} {
		var keys, suspects []string
		batch := keyed(t, k.rows, func(row int, m *schema.Meta, pixels []float32) {
			switch {
			case k.counts == nil || k.counts(row):
				keys = append(keys, m.Key)
			case row%3 == 0:
				m.Weight = 0
			case row%3 == 1:
				m.Labels[0] = schema.Unknown
			default:
				m.Labels[0] = 2 // of class weight 0
			}
			if k.bad != nil && k.bad(row) {
				pixels[row%3] = float32(math.Inf(row%2*2 - 1))
				suspects = append(suspects, m.Key)
			}
		})
		targets, rows, err := c.Targets(batch)
		if err != nil || rows != len(keys) {
			t.Fatalf("%d rows count, want %d: %v", rows, len(keys), err)
		}
		e := NotFinite("loss", batch, targets)
		if !slices.Equal(e.Keys, keys) || !slices.Equal(e.Suspect, suspects) || e.Error() != k.text {
			t.Errorf("keys %q, suspect %q, text\n%s\nwant\n%s", e.Keys, e.Suspect, e, k.text)
		}
	}
}
