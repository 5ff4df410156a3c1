package stages

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// Filter leaves out samples by class or by key, and keeps the others in their order.
// It keeps a sample if that satisfies every option given: its class is in Keep, its
// class is not in Drop, its key matches Key, its key doesn't match DropKey. A sample
// of unknown class satisfies Drop but not Keep.
type Filter struct {
	Task    string   `sluice:"task" doc:"the task whose classes keep and drop name (default: the only one)"`
	Keep    []string `sluice:"keep" doc:"classes to keep; all others, and samples of unknown class, are left out"`
	Drop    []string `sluice:"drop" doc:"classes to leave out"`
	Key     string   `sluice:"key" doc:"keep the samples whose key this regular expression (RE2) matches anywhere"`
	DropKey string   `sluice:"drop_key" doc:"leave out the samples whose key this regular expression matches anywhere"`
}

// Name is the stage's name in pipeline files.
func (Filter) Name() string { return "filter" }

// Version of the algorithm.
func (Filter) Version() int { return 1 }

// Check reports impossible options.
func (f Filter) Check() error {
	var errs []error
	if len(f.Keep)+len(f.Drop) == 0 {
		if f.Key == "" && f.DropKey == "" {
			errs = append(errs, errorf("keep", "missing: give keep, drop, key or drop_key"))
		}
		if f.Task != "" {
			errs = append(errs, errorf("task", "only keep and drop need it"))
		}
	}
	for _, name := range f.Keep {
		if slices.Contains(f.Drop, name) {
			errs = append(errs, errorf("drop", "%q is in keep too", name))
		}
	}
	_, err := f.patterns()
	return errlist.Join(append(errs, err)...)
}

// patterns compiles Key and DropKey; nil where there is none.
func (f Filter) patterns() (both [2]*regexp.Regexp, err error) {
	var errs []error
	for i, text := range []string{f.Key, f.DropKey} {
		if text == "" {
			continue
		}
		if both[i], err = regexp.Compile(text); err != nil {
			errs = append(errs, errorf([]string{"key", "drop_key"}[i], "%v", err))
		}
	}
	return both, errors.Join(errs...)
}

// Sample returns the samples that are kept; none is an error.
func (f Filter) Sample(in Selection, index schema.Index, _ RandKey) (Order, error) {
	if len(in) == 0 {
		return nil, errEmpty
	}
	var keep, drop []bool // by class; nil: not given
	label := func(int) int32 { return schema.Unknown }
	if len(f.Keep)+len(f.Drop) > 0 {
		task, err := findTask("task", f.Task, index)
		if err != nil {
			return nil, err
		}
		label = func(sample int) int32 { return index.Label(task, sample) }
		var errs [2]error
		keep, errs[0] = classSet("keep", f.Keep, index.Tasks()[task])
		drop, errs[1] = classSet("drop", f.Drop, index.Tasks()[task])
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
	}
	patterns, err := f.patterns()
	if err != nil {
		return nil, err
	}
	out := Selection{}
	for _, s := range in {
		class := label(s)
		known := class != schema.Unknown
		switch {
		case keep != nil && (!known || !keep[class]):
		case drop != nil && known && drop[class]:
		case patterns[0] != nil && !patterns[0].MatchString(index.Key(s)):
		case patterns[1] != nil && patterns[1].MatchString(index.Key(s)):
		default:
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it keeps none of %d samples, the first of which is %q", len(in), index.Key(in[0]))
	}
	return out, nil
}

// Warn warns of a filter that keeps everything.
func (f Filter) Warn(in Selection, index schema.Index) []string {
	out, err := f.Sample(in, index, RandKey{})
	if err != nil || out.Len() < in.Len() {
		return nil
	}
	return []string{fmt.Sprintf("it keeps all %d samples, and so changes nothing", len(in))}
}

// findTask is the number of a task by name, or of the only one.
func findTask(option, name string, index schema.Index) (int, error) {
	if task, ok := schema.TaskNumber(index.Tasks(), name); ok {
		return task, nil
	}
	names := make([]string, len(index.Tasks()))
	for i, t := range index.Tasks() {
		names[i] = t.Name
	}
	switch {
	case len(names) == 0:
		return 0, errorf(option, "the samples have no labels")
	case name == "":
		return 0, errorf(option, "missing: the samples have several, give one of %s", strings.Join(names, ", "))
	}
	return 0, errorf(option, "unknown task %q%s (tasks: %s)", name, options.DidYouMean(options.Nearest(name, names)), strings.Join(names, ", "))
}

// classSet marks the classes of the given names, nil where there are none. All
// unknown names are reported.
func classSet(option string, names []string, task schema.Task) ([]bool, error) {
	if len(names) == 0 {
		return nil, nil
	}
	set := make([]bool, len(task.Classes))
	var errs []error
	for _, name := range names {
		if c := slices.Index(task.Classes, name); c >= 0 {
			set[c] = true
		} else {
			errs = append(errs, unknownClass(option, name, task))
		}
	}
	return set, errors.Join(errs...)
}

func unknownClass(option, name string, task schema.Task) error {
	return errorf(option, "unknown class %q of task %s%s (classes: %s)", name, task.Name,
		options.DidYouMean(options.Nearest(name, task.Classes)), phrase.List(task.Classes))
}
