package schema

import (
	"fmt"
	"slices"
	"strings"
)

// ClassChanges says how the class numbers of each task differ between two lists of
// tasks, one sentence a task, none where they are the same. A label that was
// written with the old numbers means another class by the new ones.
func ClassChanges(there, here []Task) []string {
	var list []string
	for _, now := range here {
		i := slices.IndexFunc(there, func(t Task) bool { return t.Name == now.Name })
		if i < 0 || slices.Equal(there[i].Classes, now.Classes) {
			continue
		}
		list = append(list, classChange(there[i], now))
	}
	return list
}

// classChange is the sentence on a task whose classes differ.
func classChange(was, now Task) string {
	old, cur := numbers(was.Classes), numbers(now.Classes)
	var moved, gone, added []string
	for i, name := range was.Classes {
		switch n, ok := cur[name]; {
		case !ok:
			gone = append(gone, fmt.Sprintf("%q", short(name)))
		case n != i:
			moved = append(moved, fmt.Sprintf("%q was %d and is %d", short(name), i, n))
		}
	}
	for _, name := range now.Classes {
		if _, ok := old[name]; !ok {
			added = append(added, fmt.Sprintf("%q", short(name)))
		}
	}
	var parts []string
	for _, p := range []struct {
		list []string
		what string
	}{{moved, ""}, {added, "new: "}, {gone, "gone: "}} {
		const most = 4
		text := strings.Join(p.list[:min(len(p.list), most)], ", ")
		if n := len(p.list) - most; n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
		if text != "" {
			parts = append(parts, p.what+text)
		}
	}
	what := "class numbers changed"
	if len(moved) == 0 {
		what = "classes changed"
	}
	return fmt.Sprintf("%s: task %q: %s", what, short(now.Name), strings.Join(parts, "; "))
}

func numbers(classes []string) map[string]int {
	m := make(map[string]int, len(classes))
	for i, name := range classes {
		m[name] = i
	}
	return m
}
