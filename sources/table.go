package sources

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/schema"
)

// table is what a source lists, column by column: a sample has the same number
// in each of them.
type table struct {
	keys    []string
	sizes   []int64   // -1: there is no such file
	offsets []int64   // of the bytes, in a tar; nil elsewhere
	times   []times   // of the files; nil in a tar
	weights []float32 // nil: all 1
	tasks   []labels
}

// add takes a sample; its labels are added to the tasks.
func (t *table) add(key string, size int64) {
	t.keys = append(t.keys, key)
	t.sizes = append(t.sizes, size)
}

// sort puts the samples in the order of their keys.
func (t *table) sort() {
	if slices.IsSorted(t.keys) {
		return
	}
	order := make([]int32, len(t.keys))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(t.keys[a], t.keys[b]) })
	t.keys, t.sizes, t.offsets, t.weights = permuted(t.keys, order), permuted(t.sizes, order), permuted(t.offsets, order), permuted(t.weights, order)
	t.times = permuted(t.times, order)
	for i := range t.tasks {
		t.tasks[i].cells = permuted(t.tasks[i].cells, order)
	}
}

// permuted is a column in another order; nil stays.
func permuted[T any](column []T, order []int32) []T {
	if column == nil {
		return nil
	}
	out := make([]T, len(column))
	for i, from := range order {
		out[i] = column[from]
	}
	return out
}

// index gives the labels their numbers: those of the fixed classes, or of the
// names that occur, in the order that ordered makes; lists tells which they
// are. The table is used up.
func (t *table) index(classes Classes, ordered ordering) (_ *schema.Index, lists []classList, _ error) {
	names := make([]string, len(t.tasks))
	for i := range t.tasks {
		names[i] = t.tasks[i].task
	}
	lists, err := classes.resolve(names)
	if err != nil {
		return nil, nil, err
	}
	x := &schema.Index{Keys: t.keys, Sizes: t.sizes, Weights: t.weights, Labels: make([][]int32, len(t.tasks))}
	var p problems
	for i := range t.tasks {
		c := &t.tasks[i]
		task := schema.Task{Name: c.task}
		if lists[i].names == nil {
			task.Classes = c.order(ordered)
		} else {
			task.Classes = slices.Clone(lists[i].names)
			c.take(task.Classes, lists[i].from, t.keys, ordered, &p)
		}
		x.Tasks = append(x.Tasks, task)
		x.Labels[i] = c.cells
	}
	return x, lists, p.err("classes")
}

// checkTasks reports task names that cannot name a column.
func checkTasks(tasks []string) error {
	var p problems
	for i, name := range tasks {
		switch {
		case strings.TrimSpace(name) == "":
			p.addf("item %d: the name is empty", i+1)
		case !utf8.ValidString(name):
			p.addf("item %d: %q is not UTF-8", i+1, name)
		case slices.Index(tasks, name) < i:
			p.addf("item %d: %q is named twice", i+1, name)
		}
	}
	return p.err("tasks")
}

// opened is the Dataset part that sources of this package share.
type opened struct {
	source   string // what errors begin with: sources: folder
	index    *schema.Index
	warnings []string
}

func (d *opened) Index() *schema.Index { return d.index }
func (d *opened) Warnings() []string   { return d.warnings }

// errorf names the sample in an error of Read, with its whole key.
func (d *opened) errorf(sample int, format string, args ...any) error {
	return fmt.Errorf("%s: %q: %w", d.source, d.index.Keys[sample], errorf(format, args...))
}
