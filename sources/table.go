package sources

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/schema"
)

// table is the samples of a source, column by column.
type table struct {
	keys    []string
	sizes   []int64      // -1: there is no such file
	offsets []int64      // of the bytes, in a tar; nil elsewhere
	times   []blob.Times // of the files; nil in a tar
	weights []float32    // nil: all 1
	tasks   []labels
	meta    []metaCells
	numbers [][]int64   // further columns of numbers, such as places in files
	values  [][]any     // of further columns that are delivered
	targets *targetRows // nil: none
}

// add takes a sample; its labels are added to the tasks.
func (t *table) add(key string, size int64) {
	t.keys = append(t.keys, key)
	t.sizes = append(t.sizes, size)
}

// sort orders the samples by their keys.
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
	for i := range t.meta {
		t.meta[i].texts = permuted(t.meta[i].texts, order)
	}
	for i := range t.numbers {
		t.numbers[i] = permuted(t.numbers[i], order)
	}
	for i := range t.values {
		t.values[i] = permuted(t.values[i], order)
	}
	t.targets.sort(order)
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

// index numbers the labels by the fixed classes, or by the names that occur, in the
// given order; lists are the fixed classes. The table cannot be used afterwards.
func (t *table) index(classes Classes, ordered ordering) (_ *schema.Table, lists []classList, _ error) {
	names := make([]string, len(t.tasks))
	for i := range t.tasks {
		names[i] = t.tasks[i].task
	}
	lists, err := classes.resolve(names)
	if err != nil {
		return nil, nil, err
	}
	x := &schema.Table{Keys: t.keys, Sizes: t.sizes, Weights: t.weights, Labels: make([][]int32, len(t.tasks))}
	var p problems
	for i := range t.tasks {
		c := &t.tasks[i]
		task := schema.Task{Name: c.task}
		if lists[i].names == nil && c.given != nil {
			lists[i] = classList{names: c.given.Names, from: c.given.From}
		}
		if lists[i].names == nil {
			task.Classes = c.order(ordered)
		} else {
			task.Classes = slices.Clone(lists[i].names)
			c.take(task.Classes, lists[i].from, x.Key, ordered, &p)
		}
		x.TaskList = append(x.TaskList, task)
		x.Labels[i] = c.cells
	}
	if err := p.err("classes"); err != nil {
		return nil, nil, err
	}
	for i := range t.meta {
		column, values := t.meta[i].column(&p)
		x.ColumnList, x.Values = append(x.ColumnList, column), append(x.Values, values)
	}
	return x, lists, p.err("meta")
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

// opened is what the datasets of this package have in common.
type opened struct {
	source   string // what errors begin with: sources: folder
	index    schema.Index
	warnings []string
	prints   []atomic.Uint64   // of each sample's bytes when first read; 0: not yet
	keeper   *indexfile.Keeper // nil: the source has no index
	known    bool              // the index was there, and nothing was listed
	targets  *sampleTargets    // nil: none
}

func newOpened(source string, index schema.Index, warnings []string) opened {
	return opened{source: source, index: index, warnings: warnings, prints: make([]atomic.Uint64, index.Len())}
}

// sameBytes fails if a sample's bytes are not those that were first read: that detects
// changes after which size and time are the same.
func (d *opened) sameBytes(sample int, data []byte) error {
	hash := fingerprint.Of(data)
	print := max(1, binary.LittleEndian.Uint64(hash[:]))
	if d.prints[sample].CompareAndSwap(0, print) || d.prints[sample].Load() == print {
		return nil
	}
	return fmt.Errorf("%w: its bytes differ from the first read, though its size and time do not", blob.ErrChanged)
}

func (d *opened) Index() schema.Index { return d.index }
func (d *opened) Warnings() []string  { return d.warnings }

// errorf names the sample in an error of Read, with its whole key.
func (d *opened) errorf(sample int, format string, args ...any) error {
	return fmt.Errorf("%s: %q: %w", d.source, d.index.Key(sample), errorf(format, args...))
}
