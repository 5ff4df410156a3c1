package schema

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Check reports what is wrong with an index, as that of a foreign source may be: its keys
// (UTF-8, unique, sorted bytewise), sizes (-1 is a missing sample), weights, labels and
// classes, the numbers before a split, further columns and their values, the spec of targets and
// the classes of objects, and of a Table the lengths of its columns. Each kind of mistake is named once, with its first sample.
func Check(x Index) error {
	if x == nil {
		return errors.New("there is no index")
	}
	c := checker{Index: x}
	if t, ok := x.(*Table); ok {
		if t == nil {
			return errors.New("there is no index")
		}
		c.lengths(t)
	}
	complete := len(c.errs) == 0
	c.keys()
	if !complete {
		return errors.Join(c.errs...)
	}
	if n := x.Ignored(); n < 0 {
		c.addf("Ignored is %d", n)
	}
	c.first(func(i int) bool { return x.Size(i) < -1 }, func(i int) {
		c.addf("sample %d (%q) has %d bytes: want its size, or -1 where it is missing", i, short(x.Key(i)), x.Size(i))
	})
	c.first(func(i int) bool {
		w := float64(x.Weight(i))
		return math.IsNaN(w) || math.IsInf(w, 0) || w < 0
	}, func(i int) {
		c.addf("sample %d (%q) has the weight %v: want a finite number from 0 on", i, short(x.Key(i)), x.Weight(i))
	})
	before := int64(-1)
	c.first(func(i int) bool {
		rises := x.SourceIndex(i) > before
		before = x.SourceIndex(i)
		return !rises
	}, func(i int) {
		c.addf("sample %d (%q) has the number %d in the source before the split: want numbers from 0 on that rise", i, short(x.Key(i)), before)
	})
	names := map[string]bool{}
	for t, task := range x.Tasks() {
		if task.Name == "" || !utf8.ValidString(task.Name) || names[task.Name] {
			c.addf("task %d has the name %q: want UTF-8 text that no other one has", t, short(task.Name))
		}
		names[task.Name] = true
		c.classes(task)
		c.first(func(i int) bool { return x.Label(t, i) < Unknown || int(x.Label(t, i)) >= len(task.Classes) }, func(i int) {
			c.addf("sample %d (%q) has the label %d in task %q, which has %d classes: want 0 to %d, or %d where it is unknown",
				i, short(x.Key(i)), x.Label(t, i), short(task.Name), len(task.Classes), len(task.Classes)-1, Unknown)
		})
	}
	c.columns()
	c.targets()
	return errors.Join(c.errs...)
}

// checker collects what is wrong with an index.
type checker struct {
	Index
	errs []error
}

func (c *checker) addf(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// first calls report for the first sample that is wrong.
func (c *checker) first(wrong func(i int) bool, report func(i int)) {
	for i := range c.Len() {
		if wrong(i) {
			report(i)
			return
		}
	}
}

// lengths compares those of a table's columns with the number of keys.
func (c *checker) lengths(x *Table) {
	column := func(name string, have int) {
		if n := len(x.Keys); have != n {
			c.addf("%s has %d elements for %d keys: give each sample one", name, have, n)
		}
	}
	column("Sizes", len(x.Sizes))
	if x.Weights != nil {
		column("Weights", len(x.Weights))
	}
	if x.Origin != nil {
		column("Origin", len(x.Origin))
	}
	if t := x.Targets; t != nil {
		if t.Digests != nil {
			column("Targets.Digests", len(t.Digests))
		}
		c.objects(t, len(x.Keys))
	}
	if len(x.Labels) != len(x.TaskList) {
		c.addf("Labels has %d tasks, and TaskList %d", len(x.Labels), len(x.TaskList))
	} else {
		for t, labels := range x.Labels {
			column(fmt.Sprintf("Labels[%d]", t), len(labels))
		}
	}
	if len(x.Values) != len(x.ColumnList) {
		c.addf("Values has %d columns, and ColumnList %d", len(x.Values), len(x.ColumnList))
		return
	}
	for i, values := range x.Values {
		column(fmt.Sprintf("Values[%d]", i), len(values))
	}
}

// objects compares where each sample's objects begin with their number.
func (c *checker) objects(t *TargetTable, samples int) {
	switch {
	case t.First == nil:
		if len(t.Labels) > 0 {
			c.addf("Targets.First is missing, and there are %d labels of objects", len(t.Labels))
		}
		return
	case len(t.First) != samples+1:
		c.addf("Targets.First has %d elements for %d keys: give each sample one, and one more", len(t.First), samples)
		return
	case t.First[0] != 0 || t.First[samples] != int64(len(t.Labels)):
		c.addf("Targets.First goes from %d to %d: want 0 to the number of labels, %d", t.First[0], t.First[samples], len(t.Labels))
		return
	}
	for i := range samples {
		if t.First[i+1] < t.First[i] {
			c.addf("Targets.First falls from %d to %d after sample %d: want numbers that never fall", t.First[i], t.First[i+1], i)
			return
		}
	}
}

// targets checks the spec, and the classes of all objects.
func (c *checker) targets() {
	spec := TargetSpecOf(c.Index)
	if err := spec.Check(); err != nil {
		c.errs = append(c.errs, err)
		return
	}
	n := 0
	if spec.Objects() {
		n = len(spec.Classes)
		c.classes(Task{Name: ColumnObject, Classes: spec.Classes})
	}
	wrong := func(label int32) bool { return label < 0 || int(label) >= n }
	c.first(func(i int) bool { return slices.ContainsFunc(ObjectLabelsOf(c.Index, i), wrong) }, func(i int) {
		labels := ObjectLabelsOf(c.Index, i)
		at := slices.IndexFunc(labels, wrong)
		c.addf("sample %d (%q): object %d has the label %d, and there are %d classes of objects", i, short(c.Key(i)), at, labels[at], n)
	})
}

func (c *checker) keys() {
	c.first(func(i int) bool { return c.Key(i) == "" || !utf8.ValidString(c.Key(i)) }, func(i int) {
		c.addf("sample %d has the key %q: want UTF-8 text", i, short(c.Key(i)))
	})
	c.first(func(i int) bool { return i > 0 && c.Key(i) <= c.Key(i-1) }, func(i int) {
		if c.Key(i) == c.Key(i-1) {
			c.addf("samples %d and %d have the same key %q: each needs its own", i-1, i, short(c.Key(i)))
			return
		}
		c.addf("the key %q of sample %d comes after %q: sort the samples by their keys, bytewise", short(c.Key(i)), i, short(c.Key(i-1)))
	})
}

func (c *checker) classes(task Task) {
	seen := make(map[string]bool, len(task.Classes))
	for i, name := range task.Classes {
		if name == "" || !utf8.ValidString(name) || seen[name] {
			c.addf("class %d of task %q has the name %q: want UTF-8 text that no other one has", i, short(task.Name), short(name))
			return
		}
		seen[name] = true
	}
}

func (c *checker) columns() {
	names := map[string]bool{}
	var scratch []byte
	for i, column := range c.Columns() {
		err := column.Check()
		switch {
		case err != nil:
			c.errs = append(c.errs, err)
			continue
		case names[column.Name]:
			c.addf("two columns have the name %q", short(column.Name))
		}
		names[column.Name] = true
		c.first(func(sample int) bool {
			scratch, err = column.AppendValue(scratch[:0], c.Value(i, sample))
			return err != nil
		}, func(sample int) {
			c.addf("sample %d (%q): %w", sample, short(c.Key(sample)), err)
		})
	}
}

// short is a text for a message: no more than 80 characters.
func short(text string) string {
	const most = 80
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + ".."
}
