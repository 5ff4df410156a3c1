package flow_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// A source of somebody else's is looked at when the plan is made, before a run
// could stumble over it.
func TestPlanChecksTheIndex(t *testing.T) {
	defer goleak.VerifyNone(t)
	for name, c := range map[string]struct {
		spoil func(x *schema.Table)
		want  string
	}{
		"a label out of range": {func(x *schema.Table) { x.Labels[1][3] = 7 }, `sources: held: the index: sample 3 (`},
		"short labels":         {func(x *schema.Table) { x.Labels[0] = x.Labels[0][:2] }, "Labels[0] has 2 elements"},
		"short sizes":          {func(x *schema.Table) { x.Sizes = x.Sizes[:1] }, "Sizes has 1 elements"},
		"unsorted keys":        {func(x *schema.Table) { x.Keys[0] = "\x7f" }, "sort the samples by their keys"},
		"keys twice":           {func(x *schema.Table) { x.Keys[1] = x.Keys[0] }, "have the same key"},
	} {
		t.Run(name, func(t *testing.T) {
			source := small(6)
			c.spoil(source.index)
			_, err := flow.New(source, stages.Rebalance{Target: stages.SquareRoot, Task: stages.TaskNames{"class"}}, stages.Decode{}).Plan(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("have %v, want %q", err, c.want)
			}
		})
	}
}

// A state and a class folder that comes between.
func TestStateOfOtherClassNumbers(t *testing.T) {
	dir := t.TempDir()
	for i, class := range []string{"a", "c"} {
		path := filepath.Join(dir, class, "1.png")
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, first(album())[i].data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	pipe := flow.New(sources.Folder{Path: dir}, stages.Batch{Size: 1})
	records := recordsOf(t, pipe)
	state := records[0].after
	if err := os.Mkdir(filepath.Join(dir, "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := pipe.Plan(t.Context(), flow.Resume(state))
	if want := `class numbers changed: task "class": "c" was 1 and is 2; new: "b"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("have %v, want %q", err, want)
	}
	state.Tasks = nil // a state of before
	if _, err = pipe.Plan(t.Context(), flow.Resume(state)); err == nil || !strings.Contains(err.Error(), "or the numbers of their classes") {
		t.Errorf("an older state: %v", err)
	}
}
