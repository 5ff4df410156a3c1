package schema

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// Check reports what is wrong with an index, so that a source of somebody else's
// is believed only where it can be: the lengths of its columns, its keys (UTF-8,
// unique, sorted bytewise), sizes (-1 is a missing sample), weights, labels and
// classes, the numbers before a split. Each kind of mistake is named once, with
// its first sample.
func (x *Index) Check() error {
	if x == nil {
		return errors.New("there is no index")
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	n := x.Len()
	column := func(name string, have int, isThere bool) bool {
		if isThere && have != n {
			bad("%s has %d elements, and there are %d keys: give one for each sample", name, have, n)
		}
		return have == n
	}
	if len(x.Labels) != len(x.Tasks) {
		bad("there are labels of %d tasks, and %d tasks", len(x.Labels), len(x.Tasks))
	}
	if x.PassedOver < 0 {
		bad("PassedOver is %d", x.PassedOver)
	}
	x.checkKeys(bad)
	if column("Sizes", len(x.Sizes), true) {
		first(n, func(i int) bool { return x.Sizes[i] < -1 }, func(i int) {
			bad("sample %d (%q) has %d bytes: want its size, or -1 where it is missing", i, short(x.Keys[i]), x.Sizes[i])
		})
	}
	if column("Weights", len(x.Weights), x.Weights != nil) {
		first(n, func(i int) bool {
			w := float64(x.Weights[i])
			return math.IsNaN(w) || math.IsInf(w, 0) || w < 0
		}, func(i int) {
			bad("sample %d (%q) has the weight %v: want a finite number from 0 on", i, short(x.Keys[i]), x.Weights[i])
		})
	}
	if column("Origin", len(x.Origin), x.Origin != nil) {
		first(n, func(i int) bool { return x.Origin[i] < 0 || i > 0 && x.Origin[i] <= x.Origin[i-1] }, func(i int) {
			bad("sample %d (%q) has the number %d in the source before the split: want numbers from 0 on that rise", i, short(x.Keys[i]), x.Origin[i])
		})
	}
	names := map[string]bool{}
	for t, task := range x.Tasks {
		if task.Name == "" || !utf8.ValidString(task.Name) || names[task.Name] {
			bad("task %d has the name %q: want UTF-8 text that no other has", t, short(task.Name))
		}
		names[task.Name] = true
		x.checkClasses(task, bad)
		if t < len(x.Labels) && column(fmt.Sprintf("Labels[%d]", t), len(x.Labels[t]), true) {
			labels := x.Labels[t]
			first(n, func(i int) bool { return labels[i] < Unknown || int(labels[i]) >= len(task.Classes) }, func(i int) {
				bad("sample %d (%q) has the label %d in task %q, which has %d classes: want 0 to %d, or %d where it is unknown",
					i, short(x.Keys[i]), labels[i], short(task.Name), len(task.Classes), len(task.Classes)-1, Unknown)
			})
		}
	}
	return errors.Join(errs...)
}

func (x *Index) checkKeys(bad func(format string, args ...any)) {
	n := x.Len()
	first(n, func(i int) bool { return x.Keys[i] == "" || !utf8.ValidString(x.Keys[i]) }, func(i int) {
		bad("sample %d has the key %q: want UTF-8 text", i, short(x.Keys[i]))
	})
	first(n, func(i int) bool { return i > 0 && x.Keys[i] <= x.Keys[i-1] }, func(i int) {
		if x.Keys[i] == x.Keys[i-1] {
			bad("samples %d and %d have the same key %q: each needs its own", i-1, i, short(x.Keys[i]))
			return
		}
		bad("the key %q of sample %d stands behind %q: sort the samples by their keys, bytewise", short(x.Keys[i]), i, short(x.Keys[i-1]))
	})
}

func (x *Index) checkClasses(task Task, bad func(format string, args ...any)) {
	seen := make(map[string]bool, len(task.Classes))
	for i, name := range task.Classes {
		if name == "" || !utf8.ValidString(name) || seen[name] {
			bad("class %d of task %q has the name %q: want UTF-8 text that no other has", i, short(task.Name), short(name))
			return
		}
		seen[name] = true
	}
}

// first calls found for the first of n samples that is so.
func first(n int, is func(i int) bool, found func(i int)) {
	for i := range n {
		if is(i) {
			found(i)
			return
		}
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
