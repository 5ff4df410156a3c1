package sources

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Samples makes the index of a source from its samples, which come in any order. Labels
// come as text and become class numbers by the rules of every source (docs/sources.md):
// what counts as one class, in which order, what is worth a warning.
type Samples struct {
	table
	columns  []schema.Column
	problems problems
	given    map[string]ClassNames
}

// Sample is what a source lists of a sample.
type Sample struct {
	Key     string
	Size    int64    // of its encoded bytes; -1: it is missing
	Labels  []string // per task, the name of its class; "": unknown
	Weight  float32
	Numbers []int64 // where it is, as many for each sample: an object's number, offsets
	Values  []any   // per column
}

// ClassNames are the classes of a task, and what names them.
type ClassNames struct {
	Names []string
	From  string // for errors: `the features of "train.parquet"`
}

// NewSamples begins an index of samples with these tasks, with this many numbers each, and
// with further columns. Classes that the data name, in the order of their numbers, are in
// given, by task; the classes of other tasks are those that occur.
func NewSamples(tasks []string, given map[string]ClassNames, numbers int, columns []schema.Column) *Samples {
	s := &Samples{columns: columns, given: given}
	for _, name := range tasks {
		s.tasks = append(s.tasks, labels{task: name})
	}
	s.numbers, s.values = make([][]int64, numbers), make([][]any, len(columns))
	s.weights = []float32{}
	return s
}

// Add takes a sample.
func (s *Samples) Add(one Sample) {
	s.add(one.Key, one.Size)
	s.weights = append(s.weights, one.Weight)
	for t := range s.tasks {
		s.tasks[t].add(strings.TrimSpace(one.Labels[t]))
	}
	for i := range s.numbers {
		s.numbers[i] = append(s.numbers[i], one.Numbers[i])
	}
	for i := range s.values {
		s.values[i] = append(s.values[i], one.Values[i])
	}
}

// Len is the number of samples so far.
func (s *Samples) Len() int { return len(s.keys) }

// Listed is an index, and what belongs to it.
type Listed struct {
	Index    schema.Index
	Numbers  [][]int64 // of each number of Sample.Numbers, a column in the order of the index
	Warnings []string
	targets  *sampleTargets // nil: none
}

// Listed sorts the samples and numbers their classes by the option classes, by those given,
// or by those that occur. Samples cannot be used afterwards. Errors begin with the name of an
// option or a task; warnings with nothing.
func (s *Samples) Listed(classes Classes) (*Listed, error) {
	s.sort()
	for i := 1; i < len(s.keys); i++ {
		if s.keys[i] == s.keys[i-1] {
			s.problems.addf("two samples have the key %q", s.keys[i])
		}
	}
	if err := s.problems.err("keys"); err != nil {
		return nil, err
	}
	for t := range s.tasks {
		c := &s.tasks[t]
		if given, ok := s.given[c.task]; ok {
			c.given = &given
		}
	}
	if !slices.ContainsFunc(s.weights, func(w float32) bool { return w != 1 }) {
		s.weights = nil
	}
	x, fixed, err := s.index(classes, ofCells)
	if err != nil {
		return nil, err
	}
	x.ColumnList, x.Values = append(x.ColumnList, s.columns...), append(x.Values, s.values...)
	targets, about := s.targets.finish(x)
	list := append(remarks(x, fixed, ofNamedColumns), about...)
	n, example := missingSamples(x)
	switch {
	case n == x.Len() && n > 0:
		return nil, fmt.Errorf("all of its images (%d) are missing, such as %s", n, cut(example))
	case n > 0:
		list = append(list, sprintf("%d of %d images are missing, such as %q: %s", n, x.Len(), example, missingMeans))
	}
	if targets != nil {
		x.Targets = targets.table(x)
	}
	return &Listed{Index: x, Numbers: s.numbers, Warnings: list, targets: targets}, nil
}

// CheckOptions reports impossible values of options that sources have in common, as Check
// of a source does. taken says what columns are used as, besides those of tasks.
func CheckOptions(tasks []string, classes Classes, meta Meta, taken map[string]string) error {
	var p problems
	all := map[string]string{}
	for name, use := range taken {
		all[name] = use
	}
	for _, task := range tasks {
		if taken[task] != "" {
			p.addf("tasks: %q is already the column of %s", task, taken[task])
		}
		all[task] = "a task's labels"
	}
	return errlist.Join(errors.Join(p.list...), checkTasks(tasks), classes.check(), meta.check(all))
}
