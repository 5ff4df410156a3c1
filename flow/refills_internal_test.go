package flow

import (
	"fmt"
	"testing"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
)

// TestRefillsOfSeveralTasks: where sources and classes are balanced together, a substitute
// is of the same source and class, and of one task alone of the same class in that.
func TestRefillsOfSeveralTasks(t *testing.T) {
	x := &schema.Table{
		TaskList: []schema.Task{{Name: "class", Classes: []string{"cat", "dog"}}, {Name: "source", Classes: []string{"ours", "web"}}},
		Labels:   make([][]int32, 2),
	}
	var all []int
	for i := range 60 {
		x.Keys = append(x.Keys, fmt.Sprintf("%02d", i))
		x.Labels[0], x.Labels[1] = append(x.Labels[0], int32(i%2)), append(x.Labels[1], int32(i%3%2))
		all = append(all, i)
	}
	for _, tasks := range [][]int{{1, 0}, {1}} {
		f := &refills{key: rng.NewKey(1, "refill", ""), index: x, tasks: tasks, selection: all}
		others := map[int]bool{}
		for position := range int64(600) {
			other, ok := f.other(7, f.key.Stream(0, position, 1))
			if !ok || other == 7 {
				t.Fatalf("tasks %v: no substitute, or itself: %d (%v)", tasks, other, ok)
			}
			others[other] = true
		}
		want := 0
		for i := range all {
			same := i != 7
			for _, task := range tasks {
				same = same && x.Label(task, i) == x.Label(task, 7)
			}
			if same {
				want++
			}
			if others[i] && !same {
				t.Errorf("tasks %v: sample %d stands in for 7", tasks, i)
			}
		}
		if len(others) != want {
			t.Errorf("tasks %v: %d samples stand in for 7, and %d could", tasks, len(others), want)
		}
	}
}
