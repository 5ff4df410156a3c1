package stages_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestSchedule(t *testing.T) {
	for name, r := range map[string]stages.Rebalance{
		"progressive": scheduled(4, stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"shape"}, Schedule: stages.Schedule{Over: 1}}),
		"deferred":    scheduled(4, stages.Rebalance{Target: stages.RepeatFactor(0.3, 0), Task: stages.TaskNames{"type"}, Schedule: stages.Schedule{After: 0.5, From: stages.SquareRoot}}),
		"list":        scheduled(6, stages.Rebalance{Target: stages.PerTask(stages.ClassBalanced, stages.SquareRoot), Task: stages.TaskNames{"shape", "type"}, Schedule: stages.Schedule{Over: 0.5}}),
	} {
		t.Run(name, func(t *testing.T) { stagetest.Sampler(t, r) })
	}
}

// scheduled is a stage in a run of so many epochs.
func scheduled(epochs int, r stages.Rebalance) stages.Rebalance {
	return r.WithEpochs(epochs).(stages.Rebalance)
}

// TestProgressivelyBalanced: Kang et al.'s p_c(e) = (1-e/E) n_c/N + e/E/C, in draws.
func TestProgressivelyBalanced(t *testing.T) {
	index := longTail(0, 600, 30, 6)
	r := stages.Rebalance{Target: stages.ClassBalanced, Schedule: stages.Schedule{Over: 1}}.WithEpochs(10).(stages.Rebalance)
	u := follow(t, r, index)
	counts, due, total := []float64{600, 30, 6}, make([]float64, 3), make([]float64, 3)
	for epoch := range 13 {
		u.epoch(t, epoch)
		p := min(1, float64(epoch)/10)
		groups, err := r.Divide(everySample(636), index)
		if err != nil {
			t.Fatal(err)
		}
		for c, n := range counts {
			quota := 636 * ((1-p)*n/636 + p/3)
			due[c] += quota
			total[c] += float64(u.drawn[int32(c)])
			if off := math.Abs(due[c] - total[c]); off >= 1.5 {
				t.Errorf("after epoch %d class %d was drawn %v times, due are %v", epoch, c, total[c], due[c])
			}
			if got := groups.Draws(epoch)[c] * n; math.Abs(got-quota) > 1e-9*quota {
				t.Errorf("epoch %d: Divide says %v draws, want %v", epoch, got, quota)
			}
		}
	}
	if u.drawn[0] != 212 || u.drawn[2] != 212 {
		t.Errorf("after the schedule: %v", u.drawn)
	}
}

func TestDeferred(t *testing.T) {
	index := longTail(0, 60, 20, 10)
	for _, c := range []struct {
		s      stages.Schedule
		epochs int
		first  int // epoch of the target
	}{
		{stages.Schedule{After: 0.8}, 10, 8},
		{stages.Schedule{After: 0.7}, 10, 7},
		{stages.Schedule{After: 0.7, From: stages.SquareRoot}, 5, 4},
		{stages.Schedule{After: 1}, 3, 3},
	} {
		u := follow(t, stages.Rebalance{Target: stages.ClassBalanced, Schedule: c.s}.WithEpochs(c.epochs).(stages.Rebalance), index)
		before := fmt.Sprint(map[int32]int64{0: 60, 1: 20, 2: 10})
		if c.s.From == stages.SquareRoot {
			before = ""
		}
		for epoch := range c.epochs {
			u.epoch(t, epoch)
			balanced := u.drawn[0] <= 31 && u.drawn[2] >= 29
			if balanced != (epoch >= c.first) || !balanced && before != "" && fmt.Sprint(u.drawn) != before {
				t.Errorf("%+v of %d epochs: epoch %d draws %v", c.s, c.epochs, epoch, u.drawn)
			}
		}
	}
}

// TestScheduleLeavesOut: a class with an explicit share of 0 is left out from the start.
func TestScheduleLeavesOut(t *testing.T) {
	r := scheduled(4, stages.Rebalance{Target: stages.Shares(map[string]float64{"c0": 1, "c1": 1, "c2": 0}), Schedule: stages.Schedule{After: 0.5}})
	u := follow(t, r, longTail(0, 30, 10, 50))
	for epoch := range 4 {
		if u.epoch(t, epoch); u.drawn[2] != 0 {
			t.Errorf("epoch %d draws a class with a share of 0: %v", epoch, u.drawn)
		}
	}
}

func TestScheduleFileForm(t *testing.T) {
	inner := func(pairs ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i].(string)] = pairs[i+1]
		}
		return out
	}
	for _, c := range []struct {
		given any
		want  stages.Schedule
		text  string
		err   string
	}{
		{inner("progressive", inner("over", 0.8)), stages.Schedule{Over: 0.8}, `{"progressive":{"from":"instance","over":0.8}}`, ""},
		{inner("progressive", inner("from", "square_root", "to", "class_balanced", "over", int64(1))), stages.Schedule{From: stages.SquareRoot, To: stages.ClassBalanced, Over: 1}, `{"progressive":{"from":"square_root","over":1}}`, ""},
		{inner("deferred", inner("after", 0.8)), stages.Schedule{After: 0.8}, `{"deferred":{"after":0.8,"from":"instance"}}`, ""},
		{"late", stages.Schedule{}, "", "schedule: want {progressive: {over: share of the epochs}} or {deferred: {after: share of the epochs}}, have the text \"late\""},
		{inner("defered", inner()), stages.Schedule{}, "", `schedule: unknown key "defered": did you mean "deferred"? (keys: progressive, deferred)`},
		{inner("deferred", inner("over", 0.8)), stages.Schedule{}, "", "schedule: deferred: unknown key \"over\" (keys: from, to, after)\nschedule: deferred: after is missing: a share of the epochs, such as 0.8"},
		{inner("deferred", inner("after", int64(3))), stages.Schedule{}, "", "schedule: deferred: after: 3 is not a share of the epochs, above 0 and at most 1"},
		{inner("progressive", inner("over", 0.5, "from", "sqrt")), stages.Schedule{}, "", ""},
	} {
		var r stages.Rebalance
		err := options.Set(&r, "schedule", c.given)
		if c.text == "" && c.err == "" {
			if err == nil || !strings.HasPrefix(err.Error(), `schedule: progressive: from: unknown value "sqrt"`) {
				t.Errorf("%v: %v", c.given, err)
			}
			continue
		}
		wantError(t, fmt.Sprint(c.given), err, c.err)
		if r.Schedule != c.want {
			t.Errorf("%v is read as %+v, want %+v", c.given, r.Schedule, c.want)
		}
		if text, err := json.Marshal(r.Schedule); c.err == "" && (err != nil || string(text) != c.text) {
			t.Errorf("%v is written as %s (%v), want %s", c.given, text, err, c.text)
		}
	}
	for what, c := range map[string]struct {
		s    stages.Schedule
		want string
	}{
		"both":    {stages.Schedule{Over: 1, After: 1}, "schedule: give one of over and after"},
		"neither": {stages.Schedule{From: stages.SquareRoot}, "schedule: missing: over or after, a share of the epochs"},
		"to":      {stages.Schedule{Over: 1, To: stages.SquareRoot}, "schedule: to is square_root, and the target class_balanced: it leads to the target, so leave to out"},
		"shares":  {stages.Schedule{Over: 1, From: stages.Shares(map[string]float64{"a": 1})}, "schedule: from: want a rule, such as instance: shares, counts and lists can only be the target"},
		"power":   {stages.Schedule{Over: 1, From: stages.Power}, "power: missing: give a number between 0 and 1"},
		"NaN":     {stages.Schedule{Over: math.NaN()}, "schedule: missing: over or after, a share of the epochs"},
	} {
		wantError(t, what, stages.Rebalance{Target: stages.ClassBalanced, Schedule: c.s}.Check(), c.want)
	}
	index := longTail(0, 60, 20, 10)
	in := everySample(index.Len())
	wantWarnings(t, "same", scheduled(3, stages.Rebalance{Target: stages.Instance, Schedule: stages.Schedule{Over: 1}}).Warn(in, index), "the schedule changes nothing: instance draws the classes as the target does")
	wantWarnings(t, "one epoch", scheduled(1, stages.Rebalance{Target: stages.ClassBalanced, Schedule: stages.Schedule{Over: 1}}).Warn(in, index),
		"the schedule is over before it begins: in a run of one epoch all draws are by instance; give the number of epochs")
}
