package pipefile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/internal/options"
)

// Edit changes a pipeline file before it is checked, as if it had been written that
// way, and so enters the plan hash. Its mistakes name the flag it comes from. Relative
// paths in it are relative to the working directory.
//
//	seed=7                        a key at the top
//	split.val=0.2                 the key is added if the file doesn't have it
//	source.folder.path=data/val   an option of the source
//	stages.rotate.degrees=[-5, 5] a stage, by its name, its id, its number from 1,
//	                              or rotate_2: the second of the name
//	stages.flip={p: 1}            all its options
//
// Values are YAML.
type Edit struct {
	Flag   string // for errors, such as "--set stages.rotate.degrees=10"
	Path   string // dotted
	Value  string // YAML
	Remove bool   // instead: remove the stage that Path names
}

// ParseEdit reads PATH=VALUE as the flag of that name gives it.
func ParseEdit(flag, text string) (Edit, error) {
	e := Edit{Flag: flag + " " + text}
	var ok bool
	if e.Path, e.Value, ok = strings.Cut(text, "="); !ok || e.Path == "" {
		return e, fmt.Errorf("%s: want a dotted path and a value, such as %s stages.rotate.degrees=10 or %[2]s split.val=0.2", e.Flag, flag)
	}
	return e, nil
}

// edit applies the edits in order.
func (r *reader) edit(root *node, edits []Edit) {
	for i, e := range edits {
		if root.kind != mapKind {
			return // an error of its own
		}
		r.flags = append(r.flags, e.Flag)
		at := place{line: -1 - i}
		if err := r.apply(root, e, at); err != nil {
			r.add(at, "%v", err)
		}
	}
}

func (r *reader) apply(root *node, e Edit, at place) error {
	path := strings.Split(e.Path, ".")
	if slices.Contains(path, "") {
		return errors.New("the path has an empty name")
	}
	if e.Remove {
		list := root.find("stages")
		if list == nil || list.kind != listKind {
			return nil // an error of its own
		}
		i, err := stageOf(list, e.Path)
		if err != nil {
			return err
		}
		list.items = slices.Delete(list.items, i, i+1)
		return nil
	}
	if e.Path == "split.use" && root.find("split") == nil {
		return errors.New("the file has no split: add one to it, such as split: {val: 0.1}, or give --set split.val=0.1")
	}
	value, err := parseValue(e.Value, at)
	if err != nil {
		return err
	}
	n := root
	for depth, key := range path {
		last := depth == len(path)-1
		switch {
		case n.kind == listKind && depth == 1 && path[0] == "stages":
			i, err := stageOf(n, key)
			if err != nil {
				return err
			}
			n.items[i] = asMap(n.items[i])
			entry := &n.items[i].entries[0]
			if last {
				entry.value = value
				return nil
			}
			n = entry.value
			continue
		case n.kind == listKind:
			return fmt.Errorf("%s is a list: give it as a whole, as in %[1]s=[1, 2]", strings.Join(path[:depth], "."))
		case n.kind == scalarKind: // an option whose value becomes a map, or a map that is missing
			*n = node{place: at, kind: mapKind}
		}
		if next := n.find(key); next != nil && !last {
			n = next
			continue
		}
		next := value
		if !last {
			next = &node{place: at, kind: mapKind}
		}
		n.put(entry{place: at, key: key, value: next})
		n = next
	}
	return nil
}

// parseValue reads a value; all of it gets the given place.
func parseValue(text string, at place) (*node, error) {
	m := mistakes{}
	var n *node
	if strings.TrimSpace(text) == "" {
		n = &node{}
	} else if n = m.parseYAML([]byte(text)); len(m.list) > 0 || n == nil {
		return nil, fmt.Errorf("the value: %s", m.list[0].Msg)
	}
	n.move(at)
	return n, nil
}

// move gives another place to the node and everything in it.
func (n *node) move(at place) {
	n.place = at
	for _, item := range n.items {
		item.move(at)
	}
	for i := range n.entries {
		n.entries[i].place = at
		n.entries[i].value.move(at)
	}
}

// find is the value of a map's key, or nil.
func (n *node) find(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// put adds an entry to a map, or replaces that of the same key.
func (n *node) put(e entry) {
	if i := slices.IndexFunc(n.entries, func(have entry) bool { return have.key == e.key }); i >= 0 {
		n.entries[i].value = e.value
		return
	}
	n.entries = append(n.entries, e)
}

// asMap turns the list item `decode` into `decode: `, with a value to fill.
func asMap(item *node) *node {
	if item.kind == mapKind {
		return item
	}
	name, _ := item.scalar.(string)
	return &node{place: item.place, kind: mapKind, entries: []entry{{place: item.place, key: name, value: &node{place: item.place}}}}
}

// stageOf finds a stage in the list by its name, rotate or rotate_2, its id, or its
// number from 1.
func stageOf(list *node, name string) (int, error) {
	var names []string
	seen := map[string]int{}
	found := []int{}
	for i, item := range list.items {
		have := asMap(item)
		if len(have.entries) != 1 {
			continue // it has an error of its own
		}
		stage := have.entries[0].key
		seen[stage]++
		id := ""
		if n := have.entries[0].value.find("id"); n != nil {
			id, _ = n.scalar.(string)
		}
		numbered := stage + "_" + strconv.Itoa(seen[stage])
		if name == id || name == numbered || name == strconv.Itoa(i+1) {
			return i, nil
		}
		if name == stage {
			found = append(found, i)
		}
		names = append(names, stage)
	}
	switch {
	case len(found) == 0:
		return 0, fmt.Errorf("the file has no stage %q%s (its stages: %s)", name, options.DidYouMean(options.Nearest(name, names)), strings.Join(names, ", "))
	case len(found) > 1:
		return 0, fmt.Errorf("the file has %d stages %q: name one as %[2]s_1 or %[2]s_2, or by its id", len(found), name)
	}
	return found[0], nil
}
