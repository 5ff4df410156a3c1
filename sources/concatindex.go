package sources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// joinedIndex is the indexes of several sources, one after the other.
type joinedIndex struct {
	prefixes []string // of the keys: the sources' names, with a slash
	indexes  []schema.Index
	starts   []int // the first sample of each, and their sum

	tasks      []schema.Task
	taskOf     [][]int     // by task and source: its number there; -1: none
	classOf    [][][]int32 // by task and source: the class of each class there
	label      int         // the task that says which source; -1: none
	sourceOf   []int32     // its class by source
	columns    []schema.Column
	columnOf   [][]int // by column and source; -1: none
	sharesOf   []int   // by column, the task whose shares it has; -1: it is another
	ignored    int
	targets    *joinedTargets // nil: none
	renumbered bool           // a task's classes are in another order than text
}

// place is a sample's source, and its number there.
func (x *joinedIndex) place(sample int) (source, at int) {
	source, found := slices.BinarySearch(x.starts, sample)
	if !found {
		source--
	}
	for x.starts[source+1] == x.starts[source] { // which has no samples
		source++
	}
	return source, sample - x.starts[source]
}

func (x *joinedIndex) Len() int { return x.starts[len(x.indexes)] }

func (x *joinedIndex) Tasks() []schema.Task { return x.tasks }

func (x *joinedIndex) Key(sample int) string {
	source, at := x.place(sample)
	return x.prefixes[source] + x.indexes[source].Key(at)
}

// GroupKey is the key in the source.
func (x *joinedIndex) GroupKey(sample int) string {
	source, at := x.place(sample)
	return schema.GroupKey(x.indexes[source], at)
}

func (x *joinedIndex) Find(key string) (sample int, ok bool) {
	for source, prefix := range x.prefixes {
		if rest, has := strings.CutPrefix(key, prefix); has {
			at, ok := x.indexes[source].Find(rest)
			return x.starts[source] + at, ok
		}
	}
	return 0, false
}

func (x *joinedIndex) Size(sample int) int64 {
	source, at := x.place(sample)
	return x.indexes[source].Size(at)
}

func (x *joinedIndex) Label(task, sample int) int32 {
	source, at := x.place(sample)
	if task == x.label {
		return x.sourceOf[source]
	}
	of := x.taskOf[task][source]
	if of < 0 {
		return schema.Unknown
	}
	label := x.indexes[source].Label(of, at)
	if label == schema.Unknown {
		return schema.Unknown
	}
	return x.classOf[task][source][label]
}

func (x *joinedIndex) Weight(sample int) float32 {
	source, at := x.place(sample)
	return x.indexes[source].Weight(at)
}

func (x *joinedIndex) SourceIndex(sample int) int64 { return int64(sample) }

func (x *joinedIndex) Columns() []schema.Column { return x.columns }

func (x *joinedIndex) Value(column, sample int) any {
	source, at := x.place(sample)
	of, task := x.columnOf[column][source], x.sharesOf[column]
	switch {
	case of < 0 && task >= 0: // pictures that weren't mixed are among ones that were
		if label := x.Label(task, sample); label != schema.Unknown {
			return []schema.ClassShare{{Class: label, Share: 1}}
		}
		return nil
	case of < 0:
		return nil
	case task >= 0:
		return renumberShares(x.indexes[source].Value(of, at), x.classOf[task][source])
	}
	return x.indexes[source].Value(of, at)
}

// joinShares finds the columns of shares.
func (x *joinedIndex) joinShares(p *problems) {
	x.sharesOf = slices.Repeat([]int{-1}, len(x.columns))
	for t, task := range x.tasks {
		column := schema.SharesIn(x.columns, task.Name)
		if column < 0 {
			continue
		}
		x.sharesOf[column] = t
		for source, index := range x.indexes {
			if of := x.columnOf[column][source]; of >= 0 && x.taskOf[t][source] >= 0 {
				checkShares(index, of, index.Tasks()[x.taskOf[t][source]], x.classOf[t][source], task.Classes, "classes", p)
			}
		}
	}
}

func (x *joinedIndex) Ignored() int { return x.ignored }

// index joins the indexes of the opened sources.
func (c Concat) index(ctx context.Context, d *joined) (*joinedIndex, []string, error) {
	x := &joinedIndex{starts: []int{0}, label: -1}
	var taskNames []string
	for i, part := range d.parts {
		index := part.Index()
		x.prefixes = append(x.prefixes, d.names[i]+"/")
		x.indexes = append(x.indexes, index)
		x.starts = append(x.starts, x.starts[i]+index.Len())
		x.ignored += index.Ignored()
		for _, task := range index.Tasks() {
			if !slices.Contains(taskNames, task.Name) {
				taskNames = append(taskNames, task.Name)
			}
		}
	}
	var p problems
	lists, err := c.Classes.resolve(taskNames)
	if err != nil {
		return nil, nil, err
	}
	var warnings []string
	for t, name := range taskNames {
		if name == c.label() && c.label() != noLabel {
			p.addf("label: the sources have a task %q of their own: give label another name, or none", name)
			continue
		}
		warnings = append(warnings, x.join(d.names, name, lists[t], &p)...)
	}
	x.joinColumns(d.names, &p)
	x.joinShares(&p)
	targets, about := x.joinTargets(d.names, &p)
	x.targets, warnings = targets, append(warnings, about...)
	if p.more > 0 {
		p.list = append(p.list, fmt.Errorf("and %s more like these", phrase.Count(p.more, "problem")))
	}
	if len(p.list) > 0 {
		return nil, nil, errors.Join(p.list...)
	}
	for t, task := range x.tasks {
		if lists[t].names == nil {
			warnings = append(warnings, x.alike(t, task)...)
		}
	}
	if c.label() != noLabel {
		names := slices.Sorted(slices.Values(d.names))
		for _, name := range d.names {
			x.sourceOf = append(x.sourceOf, int32(slices.Index(names, name)))
		}
		x.label = len(x.tasks)
		x.tasks = append(x.tasks, schema.Task{Name: c.label(), Classes: names})
	}
	return x, warnings, ctx.Err()
}

// join makes one task of those of its name.
func (x *joinedIndex) join(names []string, task string, fixed classList, p *problems) (warnings []string) {
	of, numbers, classes := make([]int, len(names)), make([][]int32, len(names)), [][]string{}
	var union []string
	known := map[string]bool{}
	for source, index := range x.indexes {
		of[source] = slices.IndexFunc(index.Tasks(), func(t schema.Task) bool { return t.Name == task })
		if of[source] < 0 {
			warnings = append(warnings, lacking(names[source], task, index.Len()))
			continue
		}
		list := index.Tasks()[of[source]].Classes
		classes = append(classes, list)
		for _, class := range list {
			if !known[class] {
				known[class] = true
				union = append(union, class)
			}
		}
	}
	order, text := fixed.names, false
	if order == nil {
		order, text = commonOrder(union, classes)
	}
	if order == nil {
		p.addf("classes: the sources have the classes of task %q in different orders, and none has all of them: fix their order in classes, as in {%s: [%s, ...]}",
			task, cut(task), cut(first(union, "cat")))
		return nil
	}
	x.renumbered = x.renumbered || !text
	byName := make(map[string]int32, len(order))
	for i, class := range order {
		byName[class] = int32(i)
	}
	for source, index := range x.indexes {
		if of[source] < 0 {
			continue
		}
		list := index.Tasks()[of[source]].Classes
		numbers[source] = make([]int32, len(list))
		for i, class := range list {
			n, ok := byName[class]
			if number, whole := wholeNumber(class); !ok && whole { // the list may have 1.0 for the 1 of a column
				at := slices.IndexFunc(order, func(given string) bool { w, is := wholeNumber(given); return is && w == number })
				n, ok = int32(at), at >= 0
			}
			if !ok {
				n = schema.Unknown
				if many, example := x.samplesOf(source, of[source], int32(i)); many > 0 {
					p.addf("classes: class %q of task %q (%s, such as %q) is not among the %s of %s%s: add it there, or remove its samples",
						class, task, phrase.Count(many, "sample"), example, phrase.Count(len(order), "class"), fixed.from, alike(class, order))
				}
			}
			numbers[source][i] = n
		}
	}
	x.tasks = append(x.tasks, schema.Task{Name: task, Classes: slices.Clone(order)})
	x.taskOf, x.classOf = append(x.taskOf, of), append(x.classOf, numbers)
	if shared := len(union) < total(classes); !shared && len(classes) > 1 && len(classes[0])*len(classes[1]) > 0 {
		warnings = append(warnings, fmt.Sprintf("no class of task %s is in two of the sources: classes are one if they have the same name", cut(task)))
	}
	return warnings
}

func total(lists [][]string) (n int) {
	for _, list := range lists {
		n += len(list)
	}
	return n
}

// samplesOf counts the samples of a class of a source.
func (x *joinedIndex) samplesOf(source, task int, class int32) (n int, example string) {
	index := x.indexes[source]
	for i := range index.Len() {
		if index.Label(task, i) == class {
			if n++; n == 1 {
				example = x.prefixes[source] + index.Key(i)
			}
		}
	}
	return n, example
}

// commonOrder is the classes of all lists in the order that the lists have, nil where they
// have none in common; text reports that it is bytewise.
func commonOrder(union []string, lists [][]string) (order []string, text bool) {
	type sorting struct {
		compare func(a, b string) int
		text    bool
	}
	sortings := []sorting{{strings.Compare, true}, {compareNatural, false}}
	if allWhole(union) {
		sortings = slices.Insert(sortings, 0, sorting{compareWhole, false})
	}
	for _, s := range sortings {
		if !slices.ContainsFunc(lists, func(list []string) bool { return !slices.IsSortedFunc(list, s.compare) }) {
			order = slices.Clone(union)
			slices.SortFunc(order, s.compare)
			return order, s.text
		}
	}
	for _, list := range lists {
		if len(list) == len(union) {
			return list, false
		}
	}
	return nil, false
}

// joinColumns makes one column of those of the same name.
func (x *joinedIndex) joinColumns(names []string, p *problems) {
	from := map[string]int{} // the first source of each column
	for source, index := range x.indexes {
		for i, column := range index.Columns() {
			at := slices.IndexFunc(x.columns, func(c schema.Column) bool { return c.Name == column.Name })
			switch {
			case at < 0:
				at = len(x.columns)
				from[column.Name] = source
				x.columns = append(x.columns, column)
				x.columnOf = append(x.columnOf, slices.Repeat([]int{-1}, len(x.indexes)))
			case schema.TypeText(column.Type) != schema.TypeText(x.columns[at].Type):
				p.addf("the column %q is %s in %s and %s in %s: give it one type there, as with meta: [{%s: text}]", column.Name, schema.TypeText(x.columns[at].Type),
					cut(names[from[column.Name]]), schema.TypeText(column.Type), cut(names[source]), cut(strings.TrimPrefix(column.Name, schema.ColumnMeta)))
			}
			x.columnOf[at][source] = i
		}
	}
}

// alike warns of classes of different sources that people would take for the same; the
// source warns of its own.
func (x *joinedIndex) alike(t int, task schema.Task) []string {
	return newExamples(x, t).alike(task.Classes, func(group []int) bool {
		return slices.ContainsFunc(x.classOf[t], func(of []int32) bool {
			return !slices.ContainsFunc(group, func(class int) bool { return !slices.Contains(of, int32(class)) })
		})
	})
}
