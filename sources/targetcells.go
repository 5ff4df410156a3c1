package sources

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// This file reads several labels and values from the cells of lists, and has what lists with
// objects have, too.

var float32Type = arrow.PrimitiveTypes.Float32

// targetColumns are the columns of a source's options multi, values and objects, and what all
// of its lists have in common: the numbers of names.
type targetColumns struct {
	multi  Multi
	values ValueColumns

	tasks   []string // of multi, sorted
	named   []string // of values, sorted
	numbers []labels // of multi
	classes []classList
	doubled []faultCounts // of multi: labels that a cell has twice
	// The names of numbers, where the data have them; by task of multi.
	byNumber [][]string
	boxes    *objectReader // nil: no objects
}

// newTargetColumns reads the files of classes; nil where nothing is asked for.
func newTargetColumns(multi Multi, values ValueColumns, objects Objects) (*targetColumns, error) {
	if len(multi) == 0 && len(values) == 0 && !objects.given() {
		return nil, nil
	}
	c := &targetColumns{multi: multi, values: values,
		tasks: slices.Sorted(maps.Keys(multi)), named: slices.Sorted(maps.Keys(values))}
	for _, task := range c.tasks {
		list, err := c.multi[task].Classes.read()
		if err != nil {
			return nil, errorf("multi: %q: %w", task, err)
		}
		c.classes, c.numbers, c.byNumber = append(c.classes, list), append(c.numbers, labels{task: task}), append(c.byNumber, nil)
		c.doubled = append(c.doubled, faultCounts{})
	}
	if objects.given() {
		list, err := objects.Classes.read()
		if err != nil {
			return nil, fmt.Errorf("objects: %w", err)
		}
		c.boxes = &objectReader{Objects: objects, given: list.names}
	}
	return c, nil
}

// len is the number of columns; column is where each is.
func (c *targetColumns) len() int {
	switch {
	case c == nil:
		return 0
	case c.boxes != nil:
		return len(c.tasks) + len(c.named) + 1
	}
	return len(c.tasks) + len(c.named)
}

func (c *targetColumns) column(i int) (column, option string) {
	switch n := len(c.tasks); {
	case i < n:
		return c.multi.column(c.tasks[i]), "multi"
	case i < n+len(c.named):
		return c.values[c.named[i-n]], "values"
	}
	return c.boxes.column(), "objects"
}

// uses reports whether a column is one of them.
func (c *targetColumns) uses(name string) bool {
	for i := range c.len() {
		if column, _ := c.column(i); column == name {
			return true
		}
	}
	return false
}

// targetRows are the cells of samples, in the order of a table.
type targetRows struct {
	*targetColumns
	cells   [][]any           // per task of multi: nil or []int32, numbers of names; per value: nil or float32
	objects [][]schema.Object // Label is the number of a name
}

func (c *targetColumns) rows() *targetRows {
	if c == nil {
		return nil
	}
	return &targetRows{targetColumns: c, cells: make([][]any, len(c.tasks)+len(c.named))}
}

// add takes the cells of the next sample; text is "" where one is empty, and raw JSON where
// it is a list or a structure.
func (r *targetRows) add(cells []cell, where func(column string) string, key string) error {
	var errs []error
	for i := range r.cells {
		v, err := r.value(i, cells[i])
		if err != nil {
			column, _ := r.column(i)
			errs = append(errs, fmt.Errorf("%s: %w", where(column), err))
		}
		r.cells[i] = append(r.cells[i], v)
	}
	if r.boxes != nil {
		list, err := r.boxes.read(cells[len(cells)-1], key)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where(r.boxes.column()), err))
		}
		r.objects = append(r.objects, list)
	}
	return errors.Join(errs...)
}

func (r *targetRows) value(i int, c cell) (any, error) {
	if c.bad == "" && strings.TrimSpace(c.text) == "" {
		return nil, nil
	}
	if n := len(r.tasks); i >= n {
		f, err := strconv.ParseFloat(strings.TrimSpace(c.text), 64)
		v, ok := float32Of(f)
		if c.bad != "" || err != nil || !ok {
			what := strconv.Quote(cut(c.text))
			if c.bad != "" {
				what = c.bad
			}
			return nil, fmt.Errorf("%s is not a value: want a finite number, or nothing where it is unknown", what)
		}
		return v, nil
	}
	names, err := severalLabels(c, r.multi[r.tasks[i]].Separator)
	if err != nil {
		return nil, err
	}
	return r.several(i, names)
}

// several numbers the labels of a sample.
func (r *targetRows) several(i int, names []string) (any, error) {
	given := r.classes[i]
	out := make([]int32, 0, len(names))
	for _, name := range names {
		if of := r.byNumber[i]; of != nil {
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(of) {
				return nil, errorf("%q is no number of the %s of task %q", name, phrase.Count(len(of), "class"), r.tasks[i])
			}
			name = of[n]
		}
		if given.names != nil && !r.numbers[i].has(name) && !slices.Contains(given.names, name) { // what has a number was looked for
			return nil, errorf("class %q of task %q is not among the %s of %s%s: add it there, or remove the label",
				name, r.tasks[i], phrase.Count(len(given.names), "class"), given.from, alike(name, given.names))
		}
		n := r.numbers[i].number(name)
		if slices.Contains(out, n) {
			r.doubled[i].add(faultText{"label", "the same one in its cell", "it counts once: remove the others"}, "%q of task %q", name, r.tasks[i])
			continue
		}
		out = append(out, n)
	}
	return out, nil
}

// severalLabels are those of a cell: a JSON list, or a text with separators.
func severalLabels(c cell, separator string) ([]string, error) {
	if separator == "" {
		separator = ";"
	}
	if c.bad == "" && !strings.HasPrefix(strings.TrimSpace(c.text), "[") {
		var names []string
		for _, name := range strings.Split(c.text, separator) {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
		return names, nil
	}
	text := c.raw
	if c.bad == "" {
		text = []byte(c.text)
	}
	v, err := jsonMember(text)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, errors.New("want a list of labels, have an object")
	}
	names := make([]string, 0, len(list))
	for i, one := range list {
		switch one := one.(type) {
		case string:
			names = append(names, strings.TrimSpace(one))
		case json.Number:
			names = append(names, one.String())
		default:
			return nil, fmt.Errorf("item %d is no label: want a text or a number", i+1)
		}
		if names[i] == "" {
			return nil, fmt.Errorf("item %d is empty: leave it out", i+1)
		}
	}
	return names, nil
}

// sort orders the rows.
func (r *targetRows) sort(order []int32) {
	if r == nil {
		return
	}
	for i := range r.cells {
		r.cells[i] = permuted(r.cells[i], order)
	}
	r.objects = permuted(r.objects, order)
}

// spread makes rows of n samples of those of some of them.
func (r *targetRows) spread(n int) {
	for i := range r.cells {
		r.cells[i] = make([]any, n)
	}
	if r.boxes != nil {
		r.objects = make([][]schema.Object, n)
	}
}

// place puts the rows of another list where they belong.
func (r *targetRows) place(from *targetRows, rows []int) {
	for i := range r.cells {
		for n, row := range rows {
			r.cells[i][row] = from.cells[i][n]
		}
	}
	for n, row := range rows {
		if r.boxes != nil {
			r.objects[row] = from.objects[n]
		}
	}
}

// finish numbers the classes and adds the columns to an index. It gives what the samples'
// targets are, nil for none, and warnings.
func (r *targetRows) finish(x *schema.Table) (*sampleTargets, []string) {
	if r == nil {
		return nil, nil
	}
	t := newSampleTargets()
	spec := t.spec
	for i := range r.cells {
		name, of := "", float32Type
		if n := len(r.tasks); i < n {
			name, of = r.tasks[i], arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int32)
			classes, to := r.numbers[i].finish(r.classes[i].names)
			spec.Multi = append(spec.Multi, schema.Task{Name: name, Classes: classes})
			for _, v := range r.cells[i] {
				list, _ := v.([]int32)
				for k := range list {
					list[k] = to[list[k]]
				}
				slices.Sort(list)
			}
		} else {
			name = r.named[i-n]
		}
		x.ColumnList = append(x.ColumnList, schema.Column{Name: schema.ColumnLabel + name, Type: of})
		x.Values = append(x.Values, r.cells[i])
	}
	var warnings []string
	if r.boxes != nil {
		r.boxes.strange.count(&r.boxes.faults, r.boxes.given)
		classes, to := r.boxes.names.finish(r.boxes.given)
		for _, list := range r.objects {
			for k := range list {
				list[k].Label = to[list[k].Label]
			}
		}
		r.boxes.spec(spec, classes)
		spec.Polygons = r.boxes.polygons
		t.objects, warnings, t.frame = r.objects, r.boxes.faults.warnings("", nil), r.boxes.Annotations.of()
		if r.boxes.given == nil {
			warnings = append(warnings, objectRemarks(x, classes, func(sample int) (labels []int32) {
				for _, o := range r.objects[sample] {
					labels = append(labels, o.Label)
				}
				return labels
			})...)
		}
	}
	for i, task := range r.tasks {
		warnings = append(warnings, r.doubled[i].warnings("", nil)...)
		if r.classes[i].names == nil {
			warnings = append(warnings, severalRemarks(x, spec.Multi[i], r.multi[task].Separator, r.cells[i])...)
		}
		if !slices.ContainsFunc(r.cells[i], func(v any) bool { return v != nil }) {
			warnings = append(warnings, sprintf("task %q has no labels in any row", task))
		}
	}
	for i, value := range r.named {
		if !slices.ContainsFunc(r.cells[len(r.tasks)+i], func(v any) bool { return v != nil }) {
			warnings = append(warnings, sprintf("value %q is in no row", value))
		}
	}
	return t, warnings
}

// finish is the classes and, for each name by its number, the number of its class; given are
// fixed classes, nil for those that occur.
func (c *labels) finish(given []string) (classes []string, to []int32) {
	if given != nil {
		return slices.Clone(given), numbersIn(given, c.names)
	}
	to = make([]int32, len(c.names))
	for i := range to {
		to[i] = int32(i)
	}
	c.cells = to
	return c.order(ofCells), c.cells
}
