package pipefile

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
)

// component is a stage, a source or a sink as the file writes it.
type component struct {
	place   // of the name
	name    string
	number  int // in its catalogue
	options *node
}

// component parses `name`, `name:` or `name: {options}`.
func (r *reader) component(what string, n *node, names []string) (component, bool) {
	var c component
	switch {
	case n.kind == refused:
		return c, false
	case n.kind == mapKind && len(n.entries) > 0:
		e := n.entries[0]
		if len(n.entries) > 1 {
			r.severalKeys(what, n, names)
			return c, false
		}
		c = component{place: e.place, name: e.key, options: e.value}
	case n.kind == scalarKind:
		if name, ok := n.scalar.(string); ok {
			c = component{place: n.place, name: name, options: &node{place: n.place}}
			break
		}
		fallthrough
	default:
		r.add(n.place, "want a %s, such as %s: {...}, have %s", what, append(names, "name")[0], n.have())
		return c, false
	}
	c.number = slices.Index(names, c.name)
	if c.number < 0 {
		all := ""
		if !r.listed[what] { // once is enough
			all = fmt.Sprintf(" (%ss: %s)", what, strings.Join(names, ", "))
			r.listed = map[string]bool{what: true}
		}
		r.add(c.place, "unknown %s %q%s%s", what, c.name, meantComponent(c.name, names, foreignNames[what]), all)
		return c, false
	}
	return c, true
}

// severalKeys reports an entry such as
//
//   - rotate:
//     degrees: 30
//
// whose options are not indented below their stage, or two entries of which the
// second has no dash.
func (r *reader) severalKeys(what string, n *node, names []string) {
	first, second := n.entries[0], n.entries[1]
	var keys []string
	for _, e := range n.entries {
		keys = append(keys, e.key)
	}
	all := strings.Join(keys, ", ")
	switch {
	case !slices.Contains(names, second.key):
		r.add(second.place, "a %s has one key, here are %s: indent the options of %q below it, or write %s: {%s: ...}",
			what, all, first.key, first.key, second.key)
	case what == "stage":
		r.add(second.place, "a stage has one key, here are %s: begin %q with a dash of its own", all, second.key)
	default:
		r.add(second.place, "a pipeline has one %s, here are %s", what, all)
	}
}

// given is where the options of a struct are in the file.
type given struct {
	at     map[string]place // of their values
	failed map[string]bool  // an error was reported for the option
	none   bool             // an error was reported for all of them
}

// options sets the options of the struct that ptr points to from a map in the file.
func (r *reader) options(who string, ptr any, n *node) given {
	g := given{at: map[string]place{}, failed: map[string]bool{}, none: n.kind == refused}
	if n.empty() || g.none {
		return g
	}
	names := options.Names(ptr)
	if n.kind != mapKind {
		r.add(n.place, "%s: want its options as a map, such as {%s}, have %s", who, example(names), n.have())
		g.none = true
		return g
	}
	for _, e := range n.entries {
		g.at[e.key] = e.value.place
		if !e.value.valid() {
			g.failed[e.key] = true
			continue
		}
		err := options.Set(ptr, e.key, e.value.plain())
		var unknown *options.UnknownError
		switch {
		case err == nil:
			if r.folder != "" && !e.value.edited() {
				options.Resolve(ptr, e.key, r.folder)
			}
		case errors.As(err, &unknown):
			if meant, note, known := meantOption(who, e.key, unknown.Options); known {
				unknown.Meant, unknown.Note = meant, note
			}
			r.add(e.place, "%s: %v", who, err)
			g.failed[unknown.Meant] = true
		default:
			for _, one := range errlist.Split(err) {
				r.add(e.value.place, "%s: %v", who, one)
			}
			g.failed[e.key] = true
		}
	}
	return g
}

func example(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0] + ": ..."
}

// check reports the errors of a Check at the options that they begin with, or at the
// component. It leaves out errors that follow from others: those about options that
// could not be set and, if there are such, those about no option.
func (r *reader) check(who string, at place, err error, g given) {
	if g.none {
		return
	}
	for _, e := range errlist.Split(err) {
		msg := e.Error()
		option := optionOf(msg)
		where, written := g.at[option]
		switch {
		case g.failed[option]:
		case written:
			r.add(where, "%s: %s", who, msg)
		case !strings.HasPrefix(msg, option+":") && len(g.failed) > 0:
		default:
			r.add(at, "%s: %s", who, msg)
		}
	}
}

// optionOf is the first word of an error, which by convention is the option's
// name: "size: 0 rows", "p is 0", "scales[1]: -1 is negative".
func optionOf(msg string) string { return msg[:strings.IndexAny(msg+" ", " :[")] }

// value is what a pointer to options points to, if that is a T, too: a pipeline holds
// its stages and sources as values, as Go code writes them.
func value[T any](ptr T) T {
	if v := reflect.ValueOf(ptr); v.Kind() == reflect.Pointer {
		if plain, ok := v.Elem().Interface().(T); ok {
			return plain
		}
	}
	return ptr
}
