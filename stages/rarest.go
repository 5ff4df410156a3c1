package stages

import (
	"errors"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// withRarest is an index with one more task, in which a sample's label is the rarest of its
// classes: that which the fewest of the samples in have, of several the one with the lowest
// number; Unknown, where it has none.
type withRarest struct {
	schema.Index
	tasks  []schema.Task
	labels []int32 // by sample
	having []int64 // samples that have each class
}

func (x *withRarest) Tasks() []schema.Task { return x.tasks }

func (x *withRarest) Label(task, sample int) int32 {
	if task == len(x.tasks)-1 {
		return x.labels[sample]
	}
	return x.Index.Label(task, sample)
}

// newRarest counts the classes of the samples in, and finds their rarest.
func newRarest(in Order, index schema.Index, task schema.Several) *withRarest {
	x := &withRarest{
		Index: index, tasks: append(slices.Clone(index.Tasks()), task.Task),
		labels: slices.Repeat([]int32{schema.Unknown}, index.Len()), having: make([]int64, len(task.Classes)),
	}
	for i := range in.Len() {
		task.Each(in.At(0, i), func(c int32) { x.having[c]++ })
	}
	for i := range in.Len() {
		rarest := &x.labels[in.At(0, i)]
		task.Each(in.At(0, i), func(c int32) {
			if *rarest == schema.Unknown || x.having[c] < x.having[*rarest] || x.having[c] == x.having[*rarest] && c < *rarest {
				*rarest = c
			}
		})
	}
	return x
}

// setTasks sets the tasks to balance, and the index in which they are.
func (d *division) setTasks(r Rebalance, in Order) error {
	several := schema.SeveralOf(d.index)
	wanted := r.Task
	if len(wanted) == 0 && len(d.index.Tasks()) == 0 && len(several) == 1 {
		wanted = TaskNames{several[0].Name}
	}
	if len(wanted) == 0 {
		wanted = TaskNames{""}
	}
	var errs []error
	for _, name := range wanted {
		task, known := schema.TaskNumber(d.index.Tasks(), name)
		number := slices.IndexFunc(several, func(s schema.Several) bool { return s.Name == name })
		switch {
		case known:
		case number >= 0 && len(wanted) > 1:
			errs = append(errs, errorf("task", "samples have several classes of %s, so there are no combinations with other tasks: give it alone", name))
		case number >= 0:
			x := newRarest(in, d.index, several[number])
			d.index, d.rarest, task = x, x, len(x.tasks)-1
		default:
			errs = append(errs, noTask(name, d.index, several))
		}
		d.tasks = append(d.tasks, task)
	}
	return errors.Join(errs...)
}

// noTask is the error of a task that doesn't exist, or isn't named.
func noTask(name string, index schema.Index, several []schema.Several) error {
	if len(several) == 0 {
		_, err := findTask("task", name, index)
		return err
	}
	var names []string
	for _, t := range index.Tasks() {
		names = append(names, t.Name)
	}
	for _, t := range several {
		names = append(names, t.Name)
	}
	if name == "" {
		return errorf("task", "missing: the samples have several, give one of %s", strings.Join(names, ", "))
	}
	near := options.Nearest(name, names)
	if name == "objects" && slices.Contains(names, schema.ColumnBoxes) {
		near = schema.ColumnBoxes
	}
	return errorf("task", "unknown task %q%s (tasks: %s)", name, options.DidYouMean(near), strings.Join(names, ", "))
}
