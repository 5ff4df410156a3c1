package schema

import (
	"slices"

	"github.com/apache/arrow/go/v15/arrow/array"
)

// A task of several labels has a column label.<task> of list<int32>: the numbers of a row's
// classes, in TargetSpec.Multi. An empty list has none of them; null is a row whose labels
// are unknown.

// MultiCount counts the samples of a task of several labels.
type MultiCount struct {
	Classes []int64 // samples that have the class
	Known   int64   // samples whose labels are known; the others have none of the numbers above
}

// MultiColumn is the number of a task's column among an index's or a run's; -1: there is
// none of several labels.
func MultiColumn(columns []Column, task string) int {
	return slices.IndexFunc(columns, func(c Column) bool { return c.Name == ColumnLabel+task && listOfLabels(c.Type) })
}

// CountMulti counts the samples of an index's task of several labels, a number in
// TargetSpec.Multi. Numbers that are no class's, and doubled ones, don't count.
func CountMulti(x Index, task int) MultiCount {
	t := TargetSpecOf(x).Multi[task]
	count := MultiCount{Classes: make([]int64, len(t.Classes))}
	column := MultiColumn(x.Columns(), t.Name)
	for sample := range x.Len() {
		if column < 0 {
			break
		}
		classes, known := MultiValue(x.Value(column, sample))
		if !known {
			continue
		}
		count.Known++
		for i, c := range classes {
			if c >= 0 && int(c) < len(t.Classes) && !slices.Contains(classes[:i], c) {
				count.Classes[c]++
			}
		}
	}
	return count
}

// MultiValue reads a sample's value of a column of several labels; known is false of null.
func MultiValue(value any) (classes []int32, known bool) {
	switch v := value.(type) {
	case []int32:
		return v, true
	case []any:
		for _, c := range v {
			if n, ok := c.(int32); ok {
				classes = append(classes, n)
			}
		}
		return classes, true
	}
	return nil, false
}

// Multi are a row's classes in a task of several labels, in the record's own memory. known
// is false of a null, and where the batch has no such task.
func (b *Batch) Multi(task string, row int) (classes []int32, known bool) {
	list, ok := b.Column(ColumnLabel + task).(*array.List)
	if !ok || list.IsNull(row) {
		return nil, false
	}
	numbers, ok := list.ListValues().(*array.Int32)
	if !ok {
		return nil, false
	}
	from, to := list.ValueOffsets(row)
	return numbers.Int32Values()[from:to:to], true
}

// HasMulti reports whether the batch has a task of several labels of that name.
func (b *Batch) HasMulti(task string) bool {
	c := b.Column(ColumnLabel + task)
	return c != nil && listOfLabels(c.DataType())
}
