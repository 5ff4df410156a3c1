package sources

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/schema"
)

// row is one sample as a source lists it.
type row struct {
	key    string
	size   int64
	offset int64    // of its bytes, in a tar
	labels []string // class names, per task; "" where unknown
	weight float32
}

func sortRows(rows []row) {
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.key, b.key) })
}

// newIndex gives the labels of sorted rows their numbers: those of the fixed
// classes, or of the byte-sorted names that occur.
func newIndex(rows []row, tasks []string, classes Classes, weighted bool) (*schema.Index, error) {
	lists, err := classes.resolve(tasks)
	if err != nil {
		return nil, err
	}
	x := &schema.Index{
		Keys: make([]string, len(rows)), Sizes: make([]int64, len(rows)), Labels: make([][]int32, len(tasks)),
	}
	if weighted {
		x.Weights = make([]float32, len(rows))
	}
	for i, r := range rows {
		x.Keys[i], x.Sizes[i] = r.key, r.size
		if weighted {
			x.Weights[i] = r.weight
		}
	}
	var p problems
	for t, name := range tasks {
		task := schema.Task{Name: name, Classes: slices.Clone(lists[t].names)}
		if task.Classes == nil {
			task.Classes = occurring(rows, t)
		}
		x.Tasks = append(x.Tasks, task)
		x.Labels[t] = number(rows, t, task, lists[t].from, &p)
	}
	return x, p.err("classes")
}

// occurring is the byte-sorted class names of a task.
func occurring(rows []row, task int) []string {
	seen := map[string]bool{}
	names := []string{}
	for _, r := range rows {
		if name := r.labels[task]; name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// number looks up each row's class; from is what fixed the classes.
func number(rows []row, t int, task schema.Task, from string, p *problems) []int32 {
	numbers := make(map[string]int32, len(task.Classes)+1)
	for i, name := range task.Classes {
		numbers[name] = int32(i)
	}
	numbers[""] = schema.Unknown
	labels := make([]int32, len(rows))
	var strangers []string
	samples := map[string][]int{} // of classes that aren't given
	for i, r := range rows {
		n, ok := numbers[r.labels[t]]
		if !ok {
			if samples[r.labels[t]] == nil {
				strangers = append(strangers, r.labels[t])
			}
			samples[r.labels[t]] = append(samples[r.labels[t]], i)
		}
		labels[i] = n
	}
	for _, class := range strangers {
		p.addf("class %q of task %q (%s, as %q) is not among the %s of %s: add it there, or take its samples out",
			class, task.Name, count(len(samples[class]), "sample"), rows[samples[class][0]].key,
			count(len(task.Classes), "class"), from)
	}
	return labels
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

// errorf names the sample in an error of Read.
func (d *opened) errorf(sample int, format string, args ...any) error {
	return fmt.Errorf("%s: %q: %w", d.source, d.index.Keys[sample], fmt.Errorf(format, args...))
}
