package sources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// ClassesFrom is a source whose classes have the numbers that they have in another
// source, so that label 2 means the same in a validation set and in its training
// set. It has all classes of the other, including those without a sample here. A
// class or a task that the other doesn't have is an error. The order of the tasks
// and everything else are the source's own.
type ClassesFrom struct {
	Source Source
	From   Source // listed whenever Source is, never read
	File   string // the pipeline file that declares From, for messages and for writing pipeline files
}

// Name is classes_from.
func (ClassesFrom) Name() string { return "classes_from" }

// Unwrap is the source that takes the classes.
func (c ClassesFrom) Unwrap() Source { return c.Source }

// FollowsClasses is true: the numbers are From's.
func (ClassesFrom) FollowsClasses() bool { return true }

// Summary names the file.
func (c ClassesFrom) Summary() string { return "classes_from: " + c.File }

// FixesClasses reports whether Classes is given.
func (f Folder) FixesClasses() bool { return !f.Classes.isZero() }

// FixesClasses reports whether Classes is given.
func (m Manifest) FixesClasses() bool { return !m.Classes.isZero() }

// fixesClasses reports whether a source, or one inside it, fixes its classes.
func fixesClasses(s Source) bool {
	f, ok := find[ClassFixer](s)
	return ok && f.FixesClasses()
}

// Check looks at the options of both sources.
func (c ClassesFrom) Check() error {
	var errs []error
	switch {
	case c.Source == nil:
		errs = append(errs, errors.New("the source that takes the classes is missing"))
	case fixesClasses(c.Source):
		errs = append(errs, fmt.Errorf("the source has classes of its own: remove them, or do not take them from %s", c.from()))
	}
	if c.From == nil {
		errs = append(errs, errors.New("the source whose classes are taken is missing"))
	}
	for _, s := range []Source{c.Source, c.From} {
		if s != nil {
			if err := s.Check(); err != nil {
				errs = append(errs, errlist.Within(s.Name(), err))
			}
		}
	}
	return errlist.Join(errs...)
}

func (c ClassesFrom) from() string {
	switch {
	case c.File != "":
		return sprintf("%q", c.File)
	case c.From != nil:
		return "the other source (" + c.From.Name() + ")"
	}
	return "the other source"
}

// Open lists the other source for its classes, then the source.
func (c ClassesFrom) Open(ctx context.Context) (_ Dataset, err error) {
	if err := c.Check(); err != nil {
		return nil, errlist.Within("sources: classes_from", err)
	}
	other, err := Open(ctx, c.From)
	if err != nil {
		return nil, errorf("sources: classes_from: cannot list the source of %s: %w", c.from(), err)
	}
	known, objects := other.Index().Tasks(), schema.TargetSpecOf(other.Index()).Clone()
	if err := other.Close(); err != nil {
		return nil, errorf("sources: classes_from: %s: %w", c.from(), err)
	}
	d, err := Open(ctx, c.Source)
	if err != nil {
		return nil, err
	}
	index, err := c.renumber(d.Index(), known, objects)
	if err != nil {
		return nil, errors.Join(errlist.Within("sources: classes_from", err), d.Close())
	}
	return &renumbered{d, index}, nil
}

// renumber is an index with the classes of other tasks of the same names. Those of objects have
// their numbers in the source's options: others than there are an error.
func (c ClassesFrom) renumber(x schema.Index, known []schema.Task, objects *schema.TargetSpec) (schema.Index, error) {
	spec := schema.TargetSpecOf(x)
	out := &renumberedIndex{Index: x, spec: spec, shares: map[int][]int32{}}
	var p problems
	c.compare(spec, objects, &p)
	if spec != nil && len(spec.Multi) > 0 {
		out.spec, out.several = spec.Clone(), map[int][]int32{}
		for t := range spec.Multi {
			c.renumberSeveral(out, t, objects, &p)
		}
	}
	for t, task := range x.Tasks() {
		i := slices.IndexFunc(known, func(k schema.Task) bool { return k.Name == task.Name })
		if i < 0 {
			p.addf("there is no task %q in %s, only %s: give its source the same tasks", task.Name, c.from(), taskNames(known))
			continue
		}
		l := labels{task: task.Name, names: task.Classes, cells: make([]int32, x.Len())}
		for sample := range l.cells {
			l.cells[sample] = x.Label(t, sample)
		}
		l.take(known[i].Classes, c.from(), x.Key, unchanged, &p)
		out.tasks = append(out.tasks, schema.Task{Name: task.Name, Classes: slices.Clone(known[i].Classes)})
		out.labels = append(out.labels, l.cells)
		if column := schema.SharesIn(x.Columns(), task.Name); column >= 0 {
			to := numbersIn(known[i].Classes, task.Classes)
			checkShares(x, column, task, to, known[i].Classes, c.from(), &p)
			out.shares[column] = to
		}
	}
	if len(x.Tasks()) == 0 && spec == nil {
		p.addf("the samples have no labels, so there is nothing to number: leave classes_from out")
	}
	return out, errors.Join(p.list...)
}

// compare reports classes of objects and of masks that are others than the other source's.
func (c ClassesFrom) compare(spec, other *schema.TargetSpec, p *problems) {
	if other == nil {
		other = &schema.TargetSpec{}
	}
	switch {
	case !spec.Objects() || slices.Equal(spec.Classes, other.Classes):
	case !other.Objects():
		p.addf("the samples have objects, and those of %s have none: give its source objects", c.from())
	default:
		p.addf("the objects have the classes %q, and those of %s %q: it gives objects no other numbers, so give both sources the same classes of objects, in one order", spec.Classes, c.from(), other.Classes)
	}
	switch {
	case !spec.HasMask() || slices.Equal(spec.MaskClasses, other.MaskClasses):
	case !other.HasMask():
		p.addf("the samples have masks, and those of %s have none: give its source masks", c.from())
	default:
		p.addf("the masks have the classes %q, and those of %s %q: it gives pixels no other numbers, so give both sources the same classes in masks", spec.MaskClasses, c.from(), other.MaskClasses)
	}
}

// renumberSeveral gives a task of several labels the classes of the other source's.
func (c ClassesFrom) renumberSeveral(out *renumberedIndex, t int, other *schema.TargetSpec, p *problems) {
	task := out.spec.Multi[t]
	var known []schema.Task
	if other != nil {
		known = other.Multi
	}
	i := slices.IndexFunc(known, func(k schema.Task) bool { return k.Name == task.Name })
	if i < 0 {
		p.addf("there is no task %q of several labels in %s, only %s: give its source the same", task.Name, c.from(), taskNames(known))
		return
	}
	column := schema.MultiColumn(out.Columns(), task.Name)
	counts, example := make([]int, len(task.Classes)), make([]int, len(task.Classes))
	for sample := range out.Len() {
		list, _ := schema.MultiValue(out.Index.Value(column, sample))
		for _, class := range list {
			if class < 0 || int(class) >= len(counts) {
				continue // of a foreign source: no class's
			}
			if counts[class]++; counts[class] == 1 {
				example[class] = sample
			}
		}
	}
	to := numbersIn(known[i].Classes, task.Classes)
	for class, name := range task.Classes {
		if to[class] < 0 && counts[class] > 0 {
			p.addf("class %q of task %q (%s, such as %q) is not among the %s of %s%s: add it there, or remove the label", name, task.Name,
				phrase.Count(counts[class], "sample"), out.Key(example[class]), phrase.Count(len(known[i].Classes), "class"), c.from(), alike(name, known[i].Classes))
		}
	}
	out.spec.Multi[t].Classes, out.several[column] = slices.Clone(known[i].Classes), to
}

// renumberedIndex is an index with other class numbers.
type renumberedIndex struct {
	schema.Index
	tasks   []schema.Task
	labels  [][]int32
	spec    *schema.TargetSpec
	several map[int][]int32 // by column of several labels, the number of each class
	shares  map[int][]int32 // by column of shares, likewise
}

func (x *renumberedIndex) Tasks() []schema.Task         { return x.tasks }
func (x *renumberedIndex) Label(task, sample int) int32 { return x.labels[task][sample] }

// Value has other class numbers in columns of several labels.
func (x *renumberedIndex) Value(column, sample int) any {
	v := x.Index.Value(column, sample)
	if to := x.shares[column]; to != nil {
		return renumberShares(v, to)
	}
	to, several := x.several[column]
	if list, known := schema.MultiValue(v); several && known {
		out := make([]int32, 0, len(list))
		for _, class := range list {
			if class >= 0 && int(class) < len(to) {
				out = append(out, to[class])
			}
		}
		slices.Sort(out)
		return out
	}
	return v
}

// TargetSpec is the index's, with the classes of several labels.
func (x *renumberedIndex) TargetSpec() *schema.TargetSpec { return x.spec }

// ObjectLabels are the index's.
func (x *renumberedIndex) ObjectLabels(sample int) []int32 {
	return schema.ObjectLabelsOf(x.Index, sample)
}

// TargetDigest is the index's.
func (x *renumberedIndex) TargetDigest(sample int) [16]byte {
	return schema.TargetDigestOf(x.Index, sample)
}

func (x *renumberedIndex) GroupKey(sample int) string { return schema.GroupKey(x.Index, sample) }

func taskNames(tasks []schema.Task) string {
	if len(tasks) == 0 {
		return "samples without labels"
	}
	names := make([]string, len(tasks))
	for i, task := range tasks {
		names[i] = task.Name
	}
	return some(names)
}

// renumbered is a dataset with other class numbers.
type renumbered struct {
	Dataset
	index schema.Index
}

func (d *renumbered) Index() schema.Index { return d.index }

// Targets are the dataset's.
func (d *renumbered) Targets(ctx context.Context, sample int, t *schema.Targets) error {
	return readTargets(ctx, d.Dataset, sample, t)
}

// TargetBytes is the dataset's.
func (d *renumbered) TargetBytes(sample int) int64 { return targetBytes(d.Dataset, sample) }

// PictureSize is the dataset's.
func (d *renumbered) PictureSize() (height, width int, ok bool) { return SizeOf(d.Dataset) }

// Stamp is the dataset's.
func (d *renumbered) Stamp(sample int) string {
	if s, ok := d.Dataset.(Stamper); ok {
		return s.Stamp(sample)
	}
	return ""
}

// Lend lends what the dataset does.
func (d *renumbered) Lend(ctx context.Context, sample int) (schema.Picture, bool) {
	return lentBy(ctx, d.Dataset, sample)
}

// Unchanged is the dataset's.
func (d *renumbered) Unchanged(ctx context.Context, sample int) error {
	return unchangedIn(ctx, d.Dataset, sample)
}

// Warnings are those of the dataset, except about the order of classes.
func (d *renumbered) Warnings() []string {
	w, ok := d.Dataset.(Warner)
	if !ok {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(w.Warnings()), func(text string) bool { return strings.Contains(text, inTextOrder) })
}
