package sources

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
)

// Classes fixes the classes of a task and their order. Without it they are the
// names that occur, sorted bytewise. A class that occurs but isn't given is an
// error; one that is given but doesn't occur is kept, with no samples. At most
// one of the fields is set.
//
// In pipeline files: a list of names, or the path of a file with one name per line, or
// with a JSON list where it ends in .json, or a map from task to one of these:
//
//	classes: [cat, dog]
//	classes: classes.txt
//	classes: {shape: [circle, square], type: types.txt}
type Classes struct {
	List []string // of the only task
	File string   // of the only task: one name per line, empty lines are skipped; of a .json file a list
	// ByTask holds the lists or files of several tasks; the classes of a task that
	// isn't in it are sorted bytewise.
	ByTask map[string]Classes
}

// SetOption reads a list of names, a file's name, or a map from task to these.
func (c *Classes) SetOption(v any) error {
	switch v := v.(type) {
	case string:
		*c = Classes{File: v}
		return nil
	case []any:
		list := make([]string, len(v))
		for i, item := range v {
			name, err := className(item)
			if err != nil {
				return fmt.Errorf("item %d: %w", i+1, err)
			}
			list[i] = name
		}
		*c = Classes{List: list}
		return nil
	case map[string]any:
		byTask := make(map[string]Classes, len(v))
		for _, task := range slices.Sorted(maps.Keys(v)) {
			if _, nested := v[task].(map[string]any); nested {
				return errorf("%q: want a list of names or a file's name, have a map", task)
			}
			var one Classes
			if err := one.SetOption(v[task]); err != nil {
				return errorf("%q: %w", task, err)
			}
			byTask[task] = one
		}
		*c = Classes{ByTask: byTask}
		return nil
	}
	return fmt.Errorf("want a list of names, a file's name or a map from task to these, have %s", options.Have(v))
}

// className reads a name in a list. A whole number becomes its decimal text; what
// YAML may not have read as it was written (1.10, no, null) is refused.
func className(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	}
	return "", fmt.Errorf("want a name, have %s: put it in quotes", options.Have(v))
}

// OptionSchema describes the file form.
func (Classes) OptionSchema() map[string]any {
	list := map[string]any{"type": "array", "minItems": 1, "uniqueItems": true,
		"items": map[string]any{"type": []any{"string", "integer"}}}
	file := map[string]any{"type": "string", "minLength": 1}
	return map[string]any{"anyOf": []any{list, file, map[string]any{
		"type": "object", "minProperties": 1, "additionalProperties": map[string]any{"anyOf": []any{list, file}},
	}}}
}

// MarshalJSON writes the form that SetOption reads; null if nothing is fixed.
func (c Classes) MarshalJSON() ([]byte, error) {
	switch {
	case c.ByTask != nil:
		return json.Marshal(c.ByTask)
	case c.File != "":
		return json.Marshal(c.File)
	}
	return json.Marshal(c.List)
}

// RelativeTo makes relative file names relative to a folder.
func (c *Classes) RelativeTo(folder string) {
	if c.File != "" && !filepath.IsAbs(c.File) && !options.IsURL(c.File) {
		c.File = filepath.Join(folder, c.File)
	}
	for task, one := range c.ByTask {
		one.RelativeTo(folder)
		c.ByTask[task] = one
	}
}

func (c Classes) isZero() bool { return c.List == nil && c.File == "" && c.ByTask == nil }

// check reports mistakes without touching the disk.
func (c Classes) check() error {
	var p problems
	set := 0
	for _, is := range []bool{c.List != nil, c.File != "", c.ByTask != nil} {
		if is {
			set++
		}
	}
	switch {
	case set > 1:
		p.addf("give one of a list, a file and a map from task to these")
	case options.IsURL(c.File):
		p.addf("%q is a URL: download it first, and give the path of the file", c.File)
	case c.List != nil:
		checkNames(c.List, func(i int) string { return fmt.Sprintf("item %d", i+1) }, &p)
	case c.ByTask != nil && len(c.ByTask) == 0:
		p.addf("the map is empty: leave it out, or name a task")
	}
	for _, task := range slices.Sorted(maps.Keys(c.ByTask)) {
		one := c.ByTask[task]
		if one.ByTask != nil || one.isZero() {
			p.addf("%q: give a list of names or a file's name", task)
			continue
		}
		for _, err := range errlist.Split(one.check()) {
			if err != nil {
				p.addf("%q: %w", task, errors.Unwrap(err))
			}
		}
	}
	return p.err("classes")
}

// checkNames reports empty, malformed and repeated class names.
func checkNames(names []string, where func(i int) string, p *problems) {
	if len(names) == 0 {
		p.addf("the list is empty: leave it out, or name the classes")
	}
	seen := map[string]int{}
	for i, name := range names {
		first, again := seen[name]
		switch {
		case strings.TrimSpace(name) == "":
			p.addf("%s: the name is empty", where(i))
		case !utf8.ValidString(name):
			p.addf("%s: %q is not UTF-8", where(i), name)
		case again:
			p.addf("%s: %q repeats %s", where(i), name, where(first))
		default:
			seen[name] = i
		}
	}
}

// classList is the fixed classes of one task; names is nil where they aren't.
type classList struct {
	names []string
	from  string // what fixes them, for errors
}

// resolve reads the files and gives each task its list.
func (c Classes) resolve(tasks []string) ([]classList, error) {
	lists := make([]classList, len(tasks))
	if c.isZero() {
		return lists, nil
	}
	if c.ByTask == nil {
		if len(tasks) != 1 {
			return nil, errorf("classes: one list for %s %q: write a map, as in {%s: [...]}",
				phrase.Count(len(tasks), "task"), tasks, first(tasks, "task"))
		}
		list, err := c.read()
		lists[0] = list
		return lists, err
	}
	var errs []error
	for _, task := range slices.Sorted(maps.Keys(c.ByTask)) {
		t := slices.Index(tasks, task)
		if t < 0 {
			errs = append(errs, errorf("classes: there is no task %q, only %q", task, tasks))
			continue
		}
		list, err := c.ByTask[task].read()
		if err != nil {
			errs = append(errs, err)
		}
		lists[t] = list
	}
	return lists, errlist.Join(errs...)
}

func first(list []string, otherwise string) string {
	if len(list) == 0 {
		return otherwise
	}
	return list[0]
}

// read returns the names of a list or file.
func (c Classes) read() (classList, error) {
	if c.File == "" {
		return classList{c.List, "the list given as classes"}, nil
	}
	text, err := readSmall(c.File)
	if err != nil {
		return classList{}, errorf("classes: %q: %w", c.File, err)
	}
	if strings.EqualFold(filepath.Ext(c.File), ".json") {
		names, err := jsonNames(text)
		if err != nil {
			return classList{}, errorf("classes: %q: %w", c.File, err)
		}
		var p problems
		checkNames(names, func(i int) string { return fmt.Sprintf("item %d", i+1) }, &p)
		return classList{names, strconv.Quote(c.File)}, p.err(fmt.Sprintf("classes: %q", c.File))
	}
	var names []string
	var lines []int
	for i, line := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		if name := strings.TrimSpace(line); name != "" {
			names, lines = append(names, name), append(lines, i+1)
		}
	}
	var p problems
	checkNames(names, func(i int) string { return fmt.Sprintf("line %d", lines[i]) }, &p)
	return classList{names, strconv.Quote(c.File)}, p.err(fmt.Sprintf("classes: %q", c.File))
}

// jsonNames are those of a JSON list.
func jsonNames(text []byte) ([]string, error) {
	v, err := jsonMember(text)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf(`want a JSON list of names, as ["cat", "dog"], have %s`, options.Have(v))
	}
	names := make([]string, len(list))
	for i, item := range list {
		if number, ok := item.(json.Number); ok {
			if item, err = number.Int64(); err != nil {
				item = number // which is refused
			}
		}
		if names[i], err = className(item); err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
	}
	return names, nil
}

// readSmall reads a file that was written by hand.
func readSmall(name string) ([]byte, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const most = 64 << 20
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read: %w", cause(err))
	case len(text) > most:
		return nil, fmt.Errorf("has more than %d bytes: want one name per line", most)
	}
	return text, nil
}

// cause is the reason for a failed file operation, without the path, which the
// message already has.
func cause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// numbersIn are the numbers of classes among others; schema.Unknown of those that aren't there.
func numbersIn(others, classes []string) []int32 {
	to := make([]int32, len(classes))
	for i, name := range classes {
		to[i] = int32(slices.Index(others, name))
	}
	return to
}
