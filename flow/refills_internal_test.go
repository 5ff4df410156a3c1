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
			other, ok := f.other(7, 1, func(attempt int) *rng.Stream { return f.key.Stream(0, position, attempt) })
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

// TestRefillsTryEachOnce: the attempts of a draw are different samples, each as likely, and end
// where there are no more of the class.
func TestRefillsTryEachOnce(t *testing.T) {
	x := &schema.Table{TaskList: []schema.Task{{Name: "class", Classes: []string{"cat"}}}, Labels: [][]int32{make([]int32, 9)}}
	f := &refills{key: rng.NewKey(3, "refill", ""), index: x, tasks: []int{0}, selection: []int{0, 1, 2, 4, 5, 6, 8}}
	var at [8][9]int // by attempt and sample
	const draws = 3000
	for position := range int64(draws) {
		rand := func(attempt int) *rng.Stream { return f.key.Stream(0, position, attempt) }
		tried := map[int]bool{4: true}
		for attempt := 1; attempt < 7; attempt++ {
			other, ok := f.other(4, attempt, rand)
			if !ok || tried[other] {
				t.Fatalf("attempt %d of draw %d is sample %d (%v), after %v", attempt, position, other, ok, tried)
			}
			tried[other] = true
			at[attempt][other]++
		}
		if other, ok := f.other(4, 7, rand); ok {
			t.Fatalf("draw %d has a seventh attempt, sample %d", position, other)
		}
	}
	for attempt := 1; attempt < 7; attempt++ {
		for _, sample := range []int{0, 1, 2, 5, 6, 8} {
			if n := at[attempt][sample]; n < draws/6-120 || n > draws/6+120 { // six standard deviations
				t.Errorf("attempt %d is sample %d %d times of %d", attempt, sample, n, draws)
			}
		}
	}
}
