package stages

import (
	"errors"
	"fmt"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// Take keeps the first samples, in the source's order: Count in all, or PerClass of
// each class of a task, where unknown labels are a class of their own.
type Take struct {
	Count    int    `sluice:"count,positive" doc:"keep this many samples, the first ones"`
	PerClass int    `sluice:"per_class,positive" doc:"keep this many samples of each class, the first ones (unknown labels are one class)"`
	Task     string `sluice:"task" doc:"the task whose classes per_class counts (default: the only one)"`
}

// Name is the stage's name in pipeline files.
func (Take) Name() string { return "take" }

// Version of the algorithm.
func (Take) Version() int { return 1 }

// Check reports impossible options.
func (t Take) Check() error {
	var errs []error
	if t.Count < 0 {
		errs = append(errs, errorf("count", "%d is negative", t.Count))
	}
	if t.PerClass < 0 {
		errs = append(errs, errorf("per_class", "%d is negative", t.PerClass))
	}
	switch {
	case t.Count == 0 && t.PerClass == 0:
		errs = append(errs, errorf("count", "missing: give count or per_class"))
	case t.Count != 0 && t.PerClass != 0:
		errs = append(errs, errorf("per_class", "count is given too: give one of them"))
	}
	if t.Task != "" && t.PerClass == 0 {
		errs = append(errs, errorf("task", "only per_class needs it"))
	}
	return errors.Join(errs...)
}

// Sample returns the samples taken.
func (t Take) Sample(in Selection, index schema.Index, _ RandKey) (Order, error) {
	if len(in) == 0 {
		return nil, errEmpty
	}
	if t.PerClass == 0 {
		n := min(t.Count, len(in))
		return in[:n:n], nil
	}
	task, err := findTask("task", t.Task, index)
	if err != nil {
		return nil, err
	}
	out, taken := Selection{}, map[int32]int{}
	for _, s := range in {
		label := index.Label(task, s)
		if taken[label]++; taken[label] <= t.PerClass {
			out = append(out, s)
		}
	}
	return out, nil
}

// Warn warns where there are fewer samples than asked for.
func (t Take) Warn(in Selection, index schema.Index) []string {
	if t.PerClass == 0 {
		if t.Count < len(in) {
			return nil
		}
		return []string{fmt.Sprintf("count is %d, and only %d samples reach it: it changes nothing", t.Count, len(in))}
	}
	task, err := findTask("task", t.Task, index)
	if err != nil {
		return nil // Sample reports it
	}
	var few []string
	more := false
	for class, n := range classCounts(in, index, task) {
		more = more || n > int64(t.PerClass)
		if n > 0 && n < int64(t.PerClass) {
			few = append(few, fmt.Sprintf("%s (%d)", className(index.Tasks()[task], class), n))
		}
	}
	switch {
	case !more:
		return []string{fmt.Sprintf("no class of task %s has more than %d samples: it changes nothing", index.Tasks()[task].Name, t.PerClass)}
	case len(few) > 0:
		return []string{fmt.Sprintf("classes of task %s with fewer than %d samples: %s", index.Tasks()[task].Name, t.PerClass, phrase.List(few))}
	}
	return nil
}

// classCounts is the number of selected samples of each class; the last element
// is that of unknown labels.
func classCounts(in Selection, index schema.Index, task int) []int64 {
	unknown := len(index.Tasks()[task].Classes)
	counts := make([]int64, unknown+1)
	for _, s := range in {
		if label := index.Label(task, s); label == schema.Unknown {
			counts[unknown]++
		} else {
			counts[label]++
		}
	}
	return counts
}

// className is the name of a class, for messages.
func className(task schema.Task, class int) string {
	if class == len(task.Classes) {
		return "unknown labels"
	}
	return task.Classes[class]
}
