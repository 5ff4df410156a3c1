package stages

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Flip mirrors a uint8 picture of height x width x 3 with probability P: left to
// right as cv2.flip(picture, 1) and torchvision's hflip do, or top to bottom as
// cv2.flip(picture, 0) and vflip do.
//
// A mirrored picture may show another class of one of the tasks, an arrow to the left for
// one to the right: Classes are such pairs, and a row that is flipped leaves with the label,
// and the weight, of the other. Rows of the classes in Never, such as those of letters, are not
// flipped.
type Flip struct {
	P         Probability       `sluice:"p,positive" doc:"share of the draws that are flipped"`
	Direction Direction         `sluice:"direction" default:"horizontal" doc:"horizontal: left becomes right; vertical: top becomes bottom"`
	Classes   map[string]string `sluice:"classes,later" doc:"classes that a flip exchanges, each pair once: {left_arrow: right_arrow}; a row that is flipped leaves with the label of the other"`
	Never     []string          `sluice:"never,later" doc:"classes whose rows are not flipped"`
	Task      string            `sluice:"task,later" doc:"the task whose classes these are (default: the only one)"`

	mirrored *mirrored // of Classes and Never, once the tasks are known
}

// mirrored is what a flip makes of the classes of a task.
type mirrored struct {
	task int
	of   []int32 // by class; -1: never flipped
}

const neverFlipped = -1

// Direction is the axis along which pixels move; "" is horizontal.
type Direction string

// The directions.
const (
	Horizontal Direction = "horizontal"
	Vertical   Direction = "vertical"
)

// Values lists the directions.
func (Direction) Values() []string { return []string{string(Horizontal), string(Vertical)} }

// FlipParams says whether the row is flipped; there are params for every row.
type FlipParams struct {
	Flipped bool `json:"flipped"`
}

// Name is the stage's name in pipeline files.
func (Flip) Name() string { return "flip" }

// Version of the algorithm.
func (Flip) Version() int { return 1 }

// Check reports impossible options. P must be given: where it is left out in Go, it
// was more likely forgotten than meant to be 1.
func (f Flip) Check() error {
	errs := []error{f.P.check("p"), oneOf("direction", f.Direction)}
	if f.P == 0 {
		errs = append(errs, fmt.Errorf("p is 0: it never flips; give a share such as 0.5, or leave flip out"))
	}
	paired := map[string]bool{}
	for _, a := range slices.Sorted(maps.Keys(f.Classes)) {
		b := f.Classes[a]
		if a == b {
			errs = append(errs, errorf("classes", "%q and itself: a class that a flip leaves as it is isn't named", a))
			continue
		}
		for _, name := range []string{a, b} {
			if paired[name] {
				errs = append(errs, errorf("classes", "%q is in two pairs: a class changes places with one other, and each pair is given once", name))
			}
			paired[name] = true
		}
	}
	for _, name := range f.Never {
		if paired[name] {
			errs = append(errs, errorf("never", "%q is in classes, too", name))
		}
	}
	if f.Task != "" && !f.NeedsTasks() {
		errs = append(errs, errorf("task", "it is the task of classes and never: give one of them, or leave task out"))
	}
	return errlist.Join(errs...)
}

// NeedsTasks reports whether classes are named.
func (f Flip) NeedsTasks() bool { return len(f.Classes)+len(f.Never) > 0 }

// ForTasks finds the classes in their task.
func (f Flip) ForTasks(tasks []schema.Task) (Stage, error) {
	number, err := findTask("task", f.Task, &schema.Table{TaskList: tasks})
	if err != nil {
		return nil, err
	}
	task := tasks[number]
	m := &mirrored{number, make([]int32, len(task.Classes))}
	for class := range m.of {
		m.of[class] = int32(class)
	}
	var errs []error
	class := func(option, name string) int {
		at := slices.Index(task.Classes, name)
		if at < 0 {
			errs = append(errs, unknownClass(option, name, task))
		}
		return at
	}
	for _, name := range slices.Sorted(maps.Keys(f.Classes)) {
		a, b := class("classes", name), class("classes", f.Classes[name])
		if a >= 0 && b >= 0 {
			m.of[a], m.of[b] = int32(b), int32(a)
		}
	}
	for _, name := range f.Never {
		if at := class("never", name); at >= 0 {
			m.of[at] = neverFlipped
		}
	}
	f.mirrored = m
	return f, errlist.Join(errs...)
}

// mirror is what a flip makes of a row's class in its task; the same where it changes nothing.
func (f Flip) mirror(labels []int32) (task int, before, after int32) {
	if f.mirrored == nil || f.mirrored.task >= len(labels) || labels[f.mirrored.task] == schema.Unknown {
		return 0, schema.Unknown, schema.Unknown
	}
	before = labels[f.mirrored.task]
	return f.mirrored.task, before, f.mirrored.of[before]
}

// Draw draws whether to flip.
func (f Flip) Draw(row *Row) (Params, error) {
	flipped := !f.P.skips(row.Rand)
	if _, before, after := f.mirror(row.Labels); before != schema.Unknown && after == neverFlipped {
		flipped = false
	}
	return Recycle(row, FlipParams{Flipped: flipped}), nil
}

// Relabel is the class of a mirrored picture.
func (f Flip) Relabel(params Params, labels []int32) (task int, label int32, changed bool) {
	task, before, after := f.mirror(labels)
	return task, after, params.(*FlipParams).Flipped && after != before
}

// Output is the input's type.
func (f Flip) Output(in schema.Tensor) (schema.Tensor, error) { return in, CheckWarpable(in) }

// Warp mirrors, or is the identity.
func (f Flip) Warp(params Params, height, width int) Transform {
	if !params.(*FlipParams).Flipped {
		return Transform{Matrix: Identity(), Height: height, Width: width, Filter: Nearest}
	}
	return FlipTransform(height, width, f.Direction)
}
