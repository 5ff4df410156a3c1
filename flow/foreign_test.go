package flow_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// The components below use none of the module's own by embedding: what the engine knows
// of them they tell by the capabilities beside the contracts.

// deal is a Balancer by pointer.
type deal struct {
	Task string `sluice:"task"`
}

func (*deal) Name() string              { return "deal" }
func (*deal) Version() int              { return 1 }
func (*deal) Check() error              { return nil }
func (d *deal) BalancedTasks() []string { return []string{d.Task} }

func (*deal) Sample(in stages.Selection, _ schema.Index, _ stages.RandKey) (stages.Order, error) {
	return in, nil
}

// tally is a TaskWeigher by value.
type tally struct {
	Task string `sluice:"task"`
}

func (tally) Name() string           { return "tally" }
func (tally) Version() int           { return 1 }
func (tally) Check() error           { return nil }
func (t tally) WeightedTask() string { return t.Task }

func (tally) Weigh(schema.Index) (func([]int32) float32, error) {
	return func([]int32) float32 { return 1 }, nil
}

// centre subtracts the data set's mean: a StatsConsumer.
type centre struct {
	Mean     [3]float64 `sluice:"mean"`
	Measured bool       `sluice:"measured"`
}

func (centre) Name() string                              { return "centre" }
func (centre) Version() int                              { return 1 }
func (centre) Check() error                              { return nil }
func (c centre) NeedsStats() bool                        { return !c.Measured }
func (centre) WithStats(mean, _ [3]float64) stages.Stage { return centre{mean, true} }
func (centre) Draw(*stages.Row) (stages.Params, error)   { return stages.Nothing{}, nil }

func (centre) Output(in schema.Tensor) (schema.Tensor, error) { return in, nil }

func (c centre) PixelFunc(stages.Params) stages.PixelFunc {
	return stages.PixelFunc{Separate: true, Map: func(rgb [3]float32) [3]float32 {
		for i := range rgb {
			rgb[i] -= float32(c.Mean[i])
		}
		return rgb
	}}
}

// shrink is a Resizer.
type shrink struct{ stage stages.Resize }

func (shrink) Name() string                                     { return "shrink" }
func (shrink) Version() int                                     { return 1 }
func (shrink) Check() error                                     { return nil }
func (shrink) ResizeFilter() string                             { return "hearsay" }
func (s shrink) Draw(row *stages.Row) (stages.Params, error)    { return s.stage.Draw(row) }
func (s shrink) Output(in schema.Tensor) (schema.Tensor, error) { return s.stage.Output(in) }
func (s shrink) Warp(p stages.Params, height, width int) stages.Transform {
	return s.stage.Warp(p, height, width)
}

// jitter is a Mapper that draws.
type jitter struct{}

func (jitter) Name() string { return "jitter" }
func (jitter) Version() int { return 1 }
func (jitter) Check() error { return nil }

func (jitter) Draw(row *stages.Row) (stages.Params, error) {
	return map[string]int{"by": row.Rand.IntN(3)}, nil
}
func (jitter) Output(in schema.Tensor) (schema.Tensor, error)          { return in, nil }
func (jitter) Map(_ stages.Params, in *schema.Picture) *schema.Picture { c := *in; return &c }

// half is a wrapper that takes a side.
type half struct {
	inner sources.Source
	side  sources.Side
}

func (half) Name() string                                        { return "half" }
func (h half) Check() error                                      { return h.inner.Check() }
func (h half) Open(ctx context.Context) (sources.Dataset, error) { return h.inner.Open(ctx) }
func (h half) Unwrap() sources.Source                            { return h.inner }
func (h half) Summary() string                                   { return "half of it" }
func (h half) Side() sources.Side                                { return h.side }

// TestForeignBalancerAndWeighers: the class of a substitute, and remarks on weights.
func TestForeignBalancerAndWeighers(t *testing.T) {
	list, broken := album()
	list = append(list[:5:5], broken[0])
	for i := range list {
		list[i].labels = [2]int32{0, int32(i % 2)}
	}
	list[4].labels = [2]int32{1, 1}
	list[5].labels = [2]int32{2, 0} // the only one of its class, not of its colour
	for i, s := range []stages.Stage{&deal{Task: "colour"}, flow.WithID("x", &deal{Task: "colour"})} {
		source := hold(list)
		plan := planOf(t, source, []stages.Stage{s, tally{Task: "class"}, tally{Task: "colour"}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}},
			flow.OnError(flow.Failures{Policy: flow.Refill, Max: flow.Limit{Share: 1}}))
		refilled := 0
		for position := range plan.Info().RowsPerEpoch {
			row, err := plan.Row(t.Context(), 0, position)
			if err != nil {
				t.Fatal(err)
			}
			if row.Attempt > 0 {
				refilled++
				if row.Meta.Labels[1] != 0 {
					t.Errorf("%d: a substitute of the colour %d", i, row.Meta.Labels[1])
				}
			}
		}
		if refilled != 1 {
			t.Errorf("%d: %d rows are substitutes, want 1", i, refilled)
		}
		if text := strings.Join(plan.Warnings(), "\n"); !strings.Contains(text, "deal and tally are both on") {
			t.Errorf("%d: warnings %q", i, text)
		}
	}
	for _, second := range []stages.Stage{&tally{Task: "class"}, stages.ClassWeights{Task: "class", Weights: stages.Weights{Rule: stages.InverseWeights}}} {
		_, err := flow.New(small(4), tally{Task: "class"}, second).Plan(t.Context())
		if err == nil || !strings.Contains(err.Error(), "task class is weighted by tally already") {
			t.Errorf("%T: %v", second, err)
		}
	}
}

// TestForeignSourcesAndPictures: sides of a split, measured figures, resizing.
func TestForeignSourcesAndPictures(t *testing.T) {
	list := []stages.Stage{stages.Decode{}, shrink{stages.Resize{Height: 4, Width: 4}}, jitter{}, stages.ToTensor{}, &centre{}, stages.Batch{Size: 2}}
	train := planOf(t, half{half{small(8), sources.Train}, sources.Train}, list)
	if text := train.String(); !strings.Contains(text, "half of it; half of it") || !strings.Contains(text, "on the train side") {
		t.Errorf("plan: %s", text)
	}
	if text := string(train.Canonical()); !strings.Contains(text, `"measured":true`) {
		t.Errorf("not measured: %s", text)
	}
	if _, err := flow.New(&half{small(8), sources.Val}, list...).Plan(t.Context()); err == nil || !strings.Contains(err.Error(), "would measure the validation side") {
		t.Errorf("figures of the validation side: %v", err)
	}
	list[4] = centre{Measured: true}
	val := planOf(t, half{&half{small(8), sources.Val}, sources.Val}, append([]stages.Stage{&deal{Task: "class"}}, list...))
	text := strings.Join(val.Warnings(), "\n")
	for _, want := range []string{"deal: the validation side is drawn by it", "jitter: the validation side is augmented by it"} {
		if !strings.Contains(text, want) {
			t.Errorf("warnings %q, want %q", text, want)
		}
	}
	list[1] = stages.Resize{Height: 4, Width: 4}
	text = strings.Join(planOf(t, small(8), list).UnlikeImages(train), "\n")
	if !strings.Contains(text, "pictures are resized by bilinear, in training by hearsay") || !strings.Contains(text, "jitter: images change at random") {
		t.Errorf("unlike: %q", text)
	}
}
