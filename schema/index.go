package schema

import "slices"

// Unknown is the label of a sample whose class is not known; null in Arrow.
const Unknown int32 = -1

// Task is one label column: its name and the names of its classes, in the
// order of their numbers.
type Task struct {
	Name    string   `json:"name"`
	Classes []string `json:"classes"`
}

// Index is what is known of a source's samples without opening an image.
// Samples are numbered 0..Len()-1 in the order of their keys, bytewise; keys
// are unique and UTF-8. An Index never changes, and its methods are safe for
// concurrent use. They are called for every row of a run, so they are fast and
// never block. Callers don't write to what they return.
//
// Table is an index in memory. Another one may be a file that is mapped into
// memory, or a view of another index: embed that one, and replace some methods.
type Index interface {
	// Len is the number of samples.
	Len() int
	// Tasks are the label columns, the same slice at every call.
	Tasks() []Task
	// Key is a sample's name: a slash-separated path with extension.
	Key(sample int) string
	// Find is the sample of a key.
	Find(key string) (sample int, ok bool)
	// Size is the number of a sample's encoded bytes; -1: it was missing when
	// the source was listed.
	Size(sample int) int64
	// Label is a sample's class number in a task; Unknown where it has none.
	Label(task, sample int) int32
	// Weight is a sample's weight in the loss, 1 unless the source has others.
	Weight(sample int) float32
	// SourceIndex is a sample's number in the source before a split chose among
	// them (the column source_index); its own number where nothing did.
	SourceIndex(sample int) int64
	// Columns are those that the source adds to every row, the same slice at every
	// call; nil: none.
	Columns() []Column
	// Value is a sample's value in one of Columns, of the Go type that Column
	// names; nil: it has none. It never changes.
	Value(column, sample int) any
	// Ignored is the number of files that the source saw and left out: those
	// without an image extension, and dot files.
	Ignored() int
}

// Grouped is an Index whose samples are grouped by another name than their key, as those
// of several sources are by the key in theirs. Samples of one group key are on one side of
// a split.
type Grouped interface {
	Index
	GroupKey(sample int) string
}

// GroupKey is a sample's group key: its key, unless the index is Grouped.
func GroupKey(x Index, sample int) string {
	if g, ok := x.(Grouped); ok {
		return g.GroupKey(sample)
	}
	return x.Key(sample)
}

// Table is an Index in memory: a column for each of its methods, with an element
// for each sample.
type Table struct {
	TaskList     []Task
	Keys         []string
	Sizes        []int64
	Labels       [][]int32 // [task][sample]
	Weights      []float32 // nil: all 1
	Origin       []int64   // SourceIndex; nil: the sample's own number
	ColumnList   []Column
	Values       [][]any // [column][sample]
	IgnoredFiles int
	Targets      *TargetTable // nil: none
}

// Len is the number of keys.
func (x *Table) Len() int { return len(x.Keys) }

// Tasks is TaskList.
func (x *Table) Tasks() []Task { return x.TaskList }

// Key is an element of Keys.
func (x *Table) Key(sample int) string { return x.Keys[sample] }

// Find searches Keys, which are sorted.
func (x *Table) Find(key string) (sample int, ok bool) { return slices.BinarySearch(x.Keys, key) }

// Size is an element of Sizes.
func (x *Table) Size(sample int) int64 { return x.Sizes[sample] }

// Label is an element of Labels.
func (x *Table) Label(task, sample int) int32 { return x.Labels[task][sample] }

// Weight is an element of Weights, or 1.
func (x *Table) Weight(sample int) float32 {
	if x.Weights == nil {
		return 1
	}
	return x.Weights[sample]
}

// SourceIndex is an element of Origin, or the sample's number.
func (x *Table) SourceIndex(sample int) int64 {
	if x.Origin == nil {
		return int64(sample)
	}
	return x.Origin[sample]
}

// Columns is ColumnList.
func (x *Table) Columns() []Column { return x.ColumnList }

// Value is an element of Values.
func (x *Table) Value(column, sample int) any { return x.Values[column][sample] }

// Ignored is IgnoredFiles.
func (x *Table) Ignored() int { return x.IgnoredFiles }

// TaskNumber finds a task by name. The empty name means the only task; ok is
// false where there is none or several.
func TaskNumber(tasks []Task, name string) (task int, ok bool) {
	if name == "" {
		return 0, len(tasks) == 1
	}
	task = slices.IndexFunc(tasks, func(t Task) bool { return t.Name == name })
	return max(task, 0), task >= 0
}

// Counts is the number of samples of each class of a task; the last element
// counts the samples whose label is Unknown.
func Counts(x Index, task int) []int64 {
	counts := make([]int64, len(x.Tasks()[task].Classes)+1)
	for sample := range x.Len() {
		label := x.Label(task, sample)
		if label == Unknown {
			label = int32(len(counts) - 1)
		}
		counts[label]++
	}
	return counts
}

// Select is the index of some samples of another, by their numbers. Find needs
// them in rising order.
func Select(x Index, samples []int) Index { return &selection{x, samples} }

// selection is some samples of an index; its other methods are the index's.
type selection struct {
	Index
	samples []int
}

func (s *selection) Len() int                     { return len(s.samples) }
func (s *selection) Key(sample int) string        { return s.Index.Key(s.samples[sample]) }
func (s *selection) GroupKey(sample int) string   { return GroupKey(s.Index, s.samples[sample]) }
func (s *selection) Size(sample int) int64        { return s.Index.Size(s.samples[sample]) }
func (s *selection) Label(task, sample int) int32 { return s.Index.Label(task, s.samples[sample]) }
func (s *selection) Weight(sample int) float32    { return s.Index.Weight(s.samples[sample]) }
func (s *selection) SourceIndex(sample int) int64 { return s.Index.SourceIndex(s.samples[sample]) }

func (s *selection) Value(column, sample int) any { return s.Index.Value(column, s.samples[sample]) }

func (s *selection) Find(key string) (sample int, ok bool) {
	of, ok := s.Index.Find(key)
	if !ok {
		return 0, false
	}
	return slices.BinarySearch(s.samples, of)
}
