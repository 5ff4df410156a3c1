package sources

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// warnings name the classes of which one side has no sample, task by task, and for
// the joint label if that was stratified.
func (s Split) warnings(x schema.Index, inVal []bool) []string {
	var list []string
	all := make([]int, len(x.Tasks()))
	names := make([]string, len(x.Tasks()))
	for t, task := range x.Tasks() {
		all[t], names[t] = t, task.Name
		list = append(list, s.missing(x, inVal, []int{t}, task.Name)...)
	}
	if s.Stratify && s.Task == "" && len(all) > 1 {
		list = append(list, s.missing(x, inVal, all, strings.Join(names, " with "))...)
	}
	return list
}

// missing names the classes of the given tasks together that are on one side only.
func (s Split) missing(x schema.Index, inVal []bool, tasks []int, what string) []string {
	type counts struct{ total, val int }
	byClass := map[string]counts{}
	var classes []string
	for sample, val := range inVal {
		if slices.ContainsFunc(tasks, func(t int) bool { return x.Label(t, sample) == schema.Unknown }) {
			continue
		}
		class := joint(x, tasks, sample)
		c, seen := byClass[class]
		if !seen {
			classes = append(classes, class)
		}
		c.total++
		if val {
			c.val++
		}
		byClass[class] = c
	}
	slices.Sort(classes)
	var list []string
	for _, part := range []Side{Train, Val} {
		var lacking []string
		for _, class := range classes {
			c := byClass[class]
			if part == Val && c.val == 0 || part == Train && c.val == c.total {
				lacking = append(lacking, fmt.Sprintf("%s (%s)", cut(class), phrase.Count(c.total, "sample")))
			}
		}
		if len(lacking) > 0 {
			list = append(list, fmt.Sprintf("split: %s has no sample of %s in task %s: %s: too few samples or groups for a share of %v%s",
				part, phrase.Count(len(lacking), "class"), cut(what), shorten(lacking, len(lacking)), s.Val, s.advice()))
		}
	}
	return list
}

func (s Split) advice() string {
	if s.Stratify {
		return ""
	}
	return " (stratify: true takes the share of each class)"
}
