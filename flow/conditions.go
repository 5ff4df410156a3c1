package flow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// conditional is a stage's conditions and strength, for the data of a plan.
type conditional struct {
	when     stages.When // its epochs don't count from the end
	declared stages.EpochSpan
	counted  *counted // of class_count; nil: none
	class    *counted // of a strength by class; nil: none
	repeats  stages.Repeater
	versions []version // by class, the last of rows without one; by repeat; or the only one
}

// version is a stage with a strength.
type version struct {
	stage    stages.PictureStage // nil: nothing is left to do
	strength float64
}

// holds reports whether the conditions hold for a draw.
func (c *conditional) holds(of *picture.Of) bool {
	if !c.when.Epochs.Holds(of.Epoch) {
		return false
	}
	if c.counted == nil {
		return true
	}
	class := c.counted.rarest(of)
	return class >= 0 && c.when.ClassCount.Holds(c.counted.counts[class])
}

// choose is the stage as it acts in a draw.
func (c *conditional) choose(of *picture.Of) (stages.PictureStage, float64) {
	if !c.holds(of) {
		return nil, 0
	}
	v := 0
	switch {
	case c.class != nil:
		if v = c.class.rarest(of); v < 0 {
			v = len(c.versions) - 1
		}
	case c.repeats != nil && of.Position < c.repeats.Len():
		v = int(min(c.repeats.Repeat(of.Epoch, of.Position), int64(len(c.versions)-1)))
	}
	return c.versions[v].stage, c.versions[v].strength
}

// varying is the type behind a stage with conditions, which some rows pass as they are.
func varying(when *stages.When, in, out schema.Tensor) (schema.Tensor, error) {
	if when == nil {
		return out, nil
	}
	var others []schema.Tensor
	if when.Conditional() {
		others = append(others, in)
	}
	if strength := when.Strength; strength != (stages.Strength{}) {
		for _, f := range []float64{strength.From, strength.To} {
			stage, ok := when.AtStrength(f).(stages.PictureStage)
			if !ok {
				others = append(others, in)
				continue
			}
			t, err := stage.Output(in)
			if err != nil {
				return out, fmt.Errorf("strength: at %g: %w", f, err)
			}
			others = append(others, t)
		}
	}
	for _, t := range others {
		if t.DType != out.DType || t.Layout != out.Layout || t.Channels != out.Channels {
			return out, fmt.Errorf("when: it makes %s of %s, and all rows leave as one type: it takes no conditions", out, in)
		}
		if t.Height != out.Height {
			out.Height = 0
		}
		if t.Width != out.Width {
			out.Width = 0
		}
	}
	return out, nil
}

// newConditional is conditions of a run of so many epochs. Counts are still to be resolved.
func newConditional(when stages.When, epochs int) (*conditional, error) {
	c := &conditional{when: when, declared: when.Epochs}
	if !when.Epochs.FromEnd() {
		return c, nil
	}
	if epochs == Endless {
		return nil, fmt.Errorf("when: epochs: [%d, %d] counts from the end of the run, and this one has none: give it a number of epochs", when.Epochs[0], when.Epochs[1])
	}
	c.when.Epochs = when.Epochs.Of(epochs)
	return c, nil
}

// never reports whether the conditions are of epochs that the run doesn't have, counted from its end.
func (c *conditional) never() bool {
	return c.declared.FromEnd() && c.when.Epochs == stages.EpochSpan{1, 1}
}

// text is the conditions as pipeline files have them, of a run of so many epochs.
func (c *conditional) text() string {
	if !c.never() {
		return c.when.Text()
	}
	when := c.when
	when.Epochs = c.declared
	return when.Text() + ", which is no epoch of this run"
}

// replace gives it another stage, which differs in what the data say alone.
func (c *conditional) replace(stage stages.Stage) {
	c.when.Stage = stage
	for i, v := range c.versions {
		switch {
		case v.stage == nil:
		case c.when.Strength == (stages.Strength{}):
			c.versions[i].stage, _ = stage.(stages.PictureStage)
		default:
			c.versions[i] = versionAt(&c.when, v.strength)
		}
	}
}

// drawn is the data that a run draws from.
type drawn struct {
	index     schema.Index
	selection stages.Selection // the samples that filter and take leave
	selected  schema.Index     // of these alone
	order     stages.Order
}

// resolve finds out what the conditions need of the data, and what is to be warned of.
func (c *conditional) resolve(of drawn) (warnings []string, err error) {
	when := &c.when
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	stage, _ := when.Stage.(stages.PictureStage) // of a weigher there is none
	if when.ClassCount != (stages.ClassCount{}) {
		if c.counted, err = of.counted("when: class_count", when.ClassCount.Task); err != nil {
			return warnings, err
		}
		if !slices.ContainsFunc(c.counted.counts, func(n int64) bool { return n > 0 && when.ClassCount.Holds(n) }) {
			warn("when: class_count holds for no class of %s: the stage never acts", c.counted.name)
		}
	}
	switch strength := when.Strength; {
	case strength == (stages.Strength{}):
		c.versions = []version{{stage, 1}}
	case strength.By == stages.ByRepeat:
		var ok bool
		if c.repeats, ok = of.order.(stages.Repeater); !ok {
			return warnings, fmt.Errorf("strength: by: repeat needs an order that counts the draws of a sample, and %T doesn't: use shuffle or rebalance", of.order)
		}
		for before := range strength.Repeats() + 1 {
			c.versions = append(c.versions, versionAt(when, strength.OfRepeat(int64(before))))
		}
	default:
		if c.class, err = of.counted("strength", strength.Task); err != nil {
			return warnings, err
		}
		most, fewest := c.class.extremes()
		made := map[int64]version{}
		for _, n := range append(slices.Clone(c.class.counts), -1) {
			if _, ok := made[n]; !ok {
				made[n] = versionAt(when, strength.OfClass(n, most, fewest))
			}
			c.versions = append(c.versions, made[n])
		}
		if most == fewest {
			warn("strength: all classes of %s have %s: it is %g for all", c.class.name, plural(most, "sample"), strength.From)
		}
	}
	return warnings, nil
}

func versionAt(when *stages.When, strength float64) version {
	stage, _ := when.AtStrength(strength).(stages.PictureStage)
	return version{stage, strength}
}

// counted is the samples of each class of a task, or the images that have objects or labels of
// each class, among those that a run draws from.
type counted struct {
	name    string
	counts  []int64
	classes func(of *picture.Of) []int32 // of a draw; several: the rarest counts
}

// rarest is the class of a draw that has the fewest samples; -1: it has none.
func (c *counted) rarest(of *picture.Of) int {
	best := -1
	for _, class := range c.classes(of) {
		if class >= 0 && int(class) < len(c.counts) && (best < 0 || c.counts[class] < c.counts[best]) {
			best = int(class)
		}
	}
	return best
}

// extremes is the most and the fewest samples of a class that has any; 0, 0 without any.
func (c *counted) extremes() (most, fewest int64) {
	for _, n := range c.counts {
		if n > 0 && (fewest == 0 || n < fewest) {
			fewest = n
		}
		most = max(most, n)
	}
	return most, fewest
}

// counted counts the classes of a task: one of single labels, one of several, or boxes. ""
// is the only one.
func (d drawn) counted(option, name string) (*counted, error) {
	index := d.index
	tasks, spec := index.Tasks(), schema.TargetSpecOf(index)
	var names []string
	for _, t := range tasks {
		names = append(names, t.Name)
	}
	if spec != nil {
		for _, t := range spec.Multi {
			names = append(names, t.Name)
		}
	}
	if spec.Objects() {
		names = append(names, schema.ColumnBoxes)
	}
	switch at := slices.Index(names, name); {
	case len(names) == 0:
		return nil, fmt.Errorf("%s: the samples have no classes", option)
	case name == "" && len(names) > 1:
		return nil, fmt.Errorf("%s: task: missing: the samples have several, give one of %s", option, strings.Join(names, ", "))
	case name != "" && at < 0:
		near := options.Nearest(name, names)
		if name == "objects" && spec.Objects() {
			near = schema.ColumnBoxes
		}
		return nil, fmt.Errorf("%s: task: unknown task %q%s (tasks: %s)", option, name, options.DidYouMean(near), strings.Join(names, ", "))
	case max(at, 0) < len(tasks):
		return d.countedLabels(max(at, 0)), nil
	case max(at, 0)-len(tasks) < len(spec.Multi):
		return d.countedMulti(spec.Multi[max(at, 0)-len(tasks)]), nil
	}
	return d.countedObjects(spec), nil
}

func (d drawn) countedLabels(task int) *counted {
	counts := schema.Counts(d.selected, task)
	c := &counted{name: "task " + d.index.Tasks()[task].Name, counts: counts[:len(counts)-1]}
	c.classes = func(of *picture.Of) []int32 {
		if task >= len(of.Labels) {
			return nil
		}
		return of.Labels[task : task+1]
	}
	return c
}

func (d drawn) countedMulti(task schema.Task) *counted {
	index := d.index
	column := schema.MultiColumn(index.Columns(), task.Name)
	c := &counted{name: "task " + task.Name}
	of := func(sample int, values []any) []int32 {
		var value any
		switch {
		case column < 0:
		case sample >= 0:
			value = index.Value(column, sample)
		case column < len(values):
			value = values[column]
		}
		list, _ := schema.MultiValue(value)
		return list
	}
	c.classes = func(draw *picture.Of) []int32 { return of(draw.Sample, draw.Values) }
	c.count(d.selection, len(task.Classes), func(sample int) []int32 { return of(sample, nil) })
	return c
}

func (d drawn) countedObjects(spec *schema.TargetSpec) *counted {
	index := d.index
	c := &counted{name: "the objects"}
	c.classes = func(of *picture.Of) (list []int32) {
		if of.Sample >= 0 {
			return schema.ObjectLabelsOf(index, of.Sample)
		}
		if of.Targets != nil {
			for _, o := range of.Targets.Objects {
				list = append(list, o.Label)
			}
		}
		return list
	}
	c.count(d.selection, len(spec.Classes), func(sample int) []int32 { return schema.ObjectLabelsOf(index, sample) })
	return c
}

// count counts each class of a sample once.
func (c *counted) count(samples stages.Selection, classes int, of func(sample int) []int32) {
	c.counts = make([]int64, classes)
	last := make([]int, classes) // the sample that was counted last, from 1
	for i, sample := range samples {
		for _, class := range of(sample) {
			if class >= 0 && int(class) < classes && last[class] != i+1 {
				last[class] = i + 1
				c.counts[class]++
			}
		}
	}
}
