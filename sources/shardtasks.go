package sources

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/schema"
)

// This file finds the tasks of shards for which none are given: those of the directory that
// sluice wrote the shards into, or those of the members <task>.cls.

const (
	planFile     = "plan.json"
	longestPlan  = 64 << 20 // bytes
	mostFound    = 32       // tasks
	peekedAt     = 1 << 10  // members
	classMembers = "cls"
)

// namedTasks are the tasks of shards that sluice wrote, by the extension of their members.
type namedTasks map[string]schema.Task

// plannedTasks reads the tasks of the shards' directories, which all have the same ones. A
// directory that sluice didn't write has none.
func plannedTasks(names []string) (named namedTasks, warning string, _ error) {
	var from string
	var tasks []schema.Task
	seen, without := map[string]bool{}, ""
	for _, name := range names {
		dir := filepath.Dir(name)
		if strings.HasPrefix(filepath.Base(dir), "scale-") && !isFile(filepath.Join(dir, planFile)) {
			dir = filepath.Dir(dir) // of multiscale
		}
		if seen[dir] {
			continue
		}
		seen[dir] = true
		file := filepath.Join(dir, planFile)
		more, err := readPlan(file)
		switch {
		case err != nil:
			return nil, sprintf("%q is passed over, so classes may lack their names: %v", file, err), nil
		case more == nil:
			without = dir
		case tasks == nil:
			tasks, from = more, file
		case !reflect.DeepEqual(tasks, more):
			return nil, "", errorf("shards: the tasks and classes in %q and %q differ, so the numbers in their .cls members mean different classes: make each directory a source of its own, as in concat", from, file)
		}
	}
	if tasks == nil {
		return nil, "", nil
	}
	if without != "" {
		return nil, sprintf("the names of the classes in %q aren't used, as other shards, such as those in %q, have no such file: give tasks and classes", from, without), nil
	}
	named = namedTasks{}
	for _, task := range tasks {
		ext := classMembers
		if len(tasks) > 1 {
			ext = taskExtension(task.Name)
		}
		named[ext] = task
	}
	return named, "", nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// readPlan is the tasks in a plan.json of a directory of WebDataset shards; nil in others.
func readPlan(name string) ([]schema.Task, error) {
	if !isFile(name) {
		return nil, nil
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, longestPlan+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(data) > longestPlan {
		return nil, errorf("it has more than %d bytes", longestPlan)
	}
	var plan struct {
		Format   string        `json:"format"`
		PlanHash string        `json:"plan_hash"`
		Tasks    []schema.Task `json:"tasks"`
	}
	if err := json.Unmarshal(data, &plan); err != nil {
		return nil, errorf("it is not the plan of a directory: %w", err)
	}
	if plan.Format != "webdataset" || plan.PlanHash == "" {
		return nil, nil
	}
	names := make([]string, len(plan.Tasks))
	for i, task := range plan.Tasks {
		names[i] = task.Name
		seen := map[string]bool{}
		for _, class := range task.Classes {
			if class == "" || seen[class] || !utf8.ValidString(class) {
				return nil, errorf("task %q: the class %q is there twice, or is no name", task.Name, class)
			}
			seen[class] = true
		}
	}
	if err := checkTasks(names); err != nil {
		return nil, err
	}
	if len(names) > mostFound {
		return nil, errorf("it has %d tasks: give those that you need in tasks", len(names))
	}
	return plan.Tasks, nil
}

// taskExtension is the extension of a task's members where there are several tasks. What no
// file name holds is an underscore.
func taskExtension(task string) string {
	name := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) || strings.ContainsRune(`<>:"/\|?*`, r) {
			return '_'
		}
		return r
	}, task)
	return strings.ToLower(name) + "." + classMembers
}

// taskOf is the task of an extension such as color.cls; cls is the task class.
func taskOf(ext string) (task string, ok bool) {
	if ext == classMembers {
		return "class", true
	}
	task, ok = strings.CutSuffix(ext, "."+classMembers)
	return task, ok && task != "" && task != "class" && !strings.Contains(task, ".") && digits(task) < len(task) || ext == "class."+classMembers
}

// tasksIn finds the tasks of the first members of a shard.
func tasksIn(ctx context.Context, o blob.Object) (map[string]string, error) {
	enough := errors.New("enough")
	found, n := map[string]string{}, 0
	_, err := headers(ctx, blob.ReaderAt(ctx, o), o.Size(), func(h tarHeader, _ int64) error {
		if n++; n > peekedAt {
			return enough
		}
		name := cleanKey(h.name)
		if ignoredPart(name) != "" {
			return nil
		}
		ext := memberExtension(name)
		if task, ok := taskOf(ext); ok && utf8.ValidString(task) && (found[task] == "" || ext == classMembers) {
			found[task] = ext
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && !errors.Is(err, enough) || len(found) > mostFound {
		return nil, nil // what is wrong is found when the shard is listed
	}
	return found, nil
}

// findTasks sets what labels are looked for.
func (o *shardOpener) findTasks(ctx context.Context) (err error) {
	named, warning, err := plannedTasks(o.names)
	if err != nil {
		return err
	}
	if o.named = named; warning != "" {
		o.remarks = append(o.remarks, warning)
	}
	if o.w.Tasks != nil {
		return nil
	}
	found := map[string]string{}
	for ext, task := range named {
		found[task.Name] = ext
	}
	if named == nil && len(o.archives) > 0 {
		if found, err = tasksIn(ctx, o.archives[0]); err != nil {
			return err
		}
	}
	if len(found) == 0 {
		return nil
	}
	o.found, o.w.Tasks = true, found
	if o.wanted = o.w.wanted(); len(o.wanted.extensions) > mostWanted {
		return errorf("the shards have %d tasks, and image, tasks and meta may name %d extensions: give those that you need in tasks", len(found), mostWanted)
	}
	return nil
}

// nameClasses makes names of the numbers in .cls members where sluice wrote the shards.
func (o *shardOpener) nameClasses(tasks []labels) {
	names := make([]string, len(tasks))
	for i := range tasks {
		names[i] = tasks[i].task
	}
	lists, err := o.w.Classes.resolve(names)
	for i := range tasks {
		task, ok := o.named[o.wanted.fields[i].extension]
		if !ok || o.wanted.fields[i].path != nil || err != nil || len(lists[i].names) > 0 && allWhole(lists[i].names) {
			continue
		}
		t := &tasks[i]
		to, was := labels{task: t.task}, t.names
		for _, cell := range t.cells {
			text := ""
			if cell != schema.Unknown {
				text = was[cell]
				if n := classNumber(text, len(task.Classes)); n >= 0 {
					text = task.Classes[n]
				}
			}
			to.add(text)
		}
		to.given = &ClassNames{Names: task.Classes, From: "the plan.json beside the shards"}
		*t = to
	}
}

// classNumber reads the number of a class, of so many; -1: it is none.
func classNumber(text string, classes int) int {
	n := 0
	if digits(text) < len(text) || len(text) > 9 || text == "" {
		return -1
	}
	for _, c := range []byte(text) {
		n = n*10 + int(c-'0')
	}
	if n >= classes {
		return -1
	}
	return n
}

// absent are the tasks that are asked for and that no sample has.
func (o *shardOpener) absent(notes *shardNotes) error {
	if o.w.Tasks == nil || o.found {
		return nil
	}
	var p problems
	for i, name := range o.wanted.tasks {
		field := o.wanted.fields[i]
		if notes.seen[o.wanted.slots[field.extension]] == 0 {
			p.addf("tasks: %q: no sample has a member .%s; there are %s", name, field.extension, o.extensions(notes))
			continue
		}
		if len(field.path) == 0 {
			continue
		}
		if top, ok := field.path[0].(string); ok && !slices.Contains(notes.top[field.extension], top) && len(notes.top[field.extension]) < mostTop {
			p.addf("tasks: %q: no member .%s has %q at its top; %s", name, field.extension, top, topNames(notes.top[field.extension]))
		}
	}
	return errors.Join(p.list...)
}

// topNames lists the names in JSON objects.
func topNames(names []string) string {
	if len(names) == 0 {
		return "they hold no objects with names"
	}
	names = slices.Clone(names)
	slices.Sort(names)
	return "there are " + some(names)
}

// extensions are those that occur.
func (o *shardOpener) extensions(notes *shardNotes) string {
	counts := map[string]int{}
	for ext, n := range notes.ignored {
		counts[ext] += n
	}
	for i, n := range notes.seen {
		if n > 0 {
			counts["."+o.wanted.extensions[i]] += n
		}
	}
	return kinds(counts)
}
