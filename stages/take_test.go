package stages_test

import (
	"slices"
	"testing"

	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestTake(t *testing.T) {
	stagetest.Sampler(t, stages.Take{Count: 30})
	stagetest.Sampler(t, stages.Take{PerClass: 4, Task: "shape"})
}

func TestTakeTakes(t *testing.T) {
	backward := everySample(6)
	slices.Reverse(backward)
	for _, c := range []struct {
		take stages.Take
		in   stages.Selection
		want []int
	}{
		{stages.Take{Count: 2}, everySample(6), []int{0, 1}},
		{stages.Take{Count: 2}, backward, []int{5, 4}},
		{stages.Take{Count: 9}, everySample(6), []int{0, 1, 2, 3, 4, 5}},
		{stages.Take{PerClass: 1}, everySample(6), []int{0, 2, 4, 5}},
		{stages.Take{PerClass: 2, Task: "animal"}, backward, []int{5, 4, 3, 2, 1}},
	} {
		order, err := c.take.Sample(c.in, fewSamples(), stages.RandKey{})
		if err != nil || !slices.Equal(order.(stages.Selection), c.want) {
			t.Errorf("%+v of %v: %v, %v, want %v", c.take, c.in, order, err, c.want)
		}
	}
}

func TestTakeErrors(t *testing.T) {
	for what, c := range map[string]struct {
		take stages.Take
		want string
	}{
		"zero":     {stages.Take{}, "count: missing: give count or per_class"},
		"both":     {stages.Take{Count: 1, PerClass: 1}, "per_class: count is given too: give one of them"},
		"negative": {stages.Take{Count: -1}, "count: -1 is negative"},
		"task":     {stages.Take{Count: 1, Task: "animal"}, "task: only per_class needs it"},
	} {
		wantError(t, what, c.take.Check(), c.want)
	}
	_, err := stages.Take{PerClass: 1, Task: "colour"}.Sample(everySample(6), fewSamples(), stages.RandKey{})
	wantError(t, "unknown task", err, `task: unknown task "colour" (tasks: animal)`)
}

func TestTakeWarns(t *testing.T) {
	warn := func(take stages.Take) []string { return take.Warn(everySample(6), fewSamples()) }
	wantWarnings(t, "fewer", warn(stages.Take{Count: 5}))
	wantWarnings(t, "all", warn(stages.Take{Count: 6}), "count is 6, and only 6 samples reach it: it changes nothing")
	wantWarnings(t, "one each", warn(stages.Take{PerClass: 1}))
	wantWarnings(t, "two each", warn(stages.Take{PerClass: 2}), "classes of task animal with fewer than 2 samples: bee (1), cow (1), unknown labels (1)")
	wantWarnings(t, "three each", warn(stages.Take{PerClass: 3}), "no class of task animal has more than 3 samples: it changes nothing")
}
