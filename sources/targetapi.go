package sources

import (
	"encoding/json"

	"github.com/sluicedata/sluice/schema"
)

// This file is for sources in folders of their own that have the options multi, values and
// objects.

// CheckTargetOptions reports impossible values of multi, values and objects. taken says what
// columns are used as, besides those of tasks and meta.
func CheckTargetOptions(multi Multi, values ValueColumns, objects Objects, tasks []string, meta Meta, taken map[string]string) error {
	all := map[string]string{}
	for name, use := range taken {
		all[name] = use
	}
	for _, task := range tasks {
		all[task] = "a task's labels"
	}
	for _, c := range meta {
		all[c.Name] = "meta"
	}
	return checkLabelNames(multi, values, objects, tasks, all)
}

// TargetColumn is a column of an option: multi, values or objects.
type TargetColumn struct{ Name, Option string }

// TargetColumns are those of the options, in the order in which AddTargets takes their cells.
func TargetColumns(multi Multi, values ValueColumns, objects Objects) (list []TargetColumn, err error) {
	c, err := newTargetColumns(multi, values, objects)
	for i := range c.len() {
		name, option := c.column(i)
		list = append(list, TargetColumn{name, option})
	}
	return list, err
}

// ObjectFields are the names of the parts of objects that are read.
func ObjectFields() []string {
	return append([]string{"bbox", "id", "area", "iscrowd", "keypoints", "segmentation"}, categoryNames...)
}

// BeginTargets is called before the first Add of samples that have targets. The names of
// classes are those of Hugging Face's features, by column, where they have any; from says
// where these are.
func (s *Samples) BeginTargets(multi Multi, values ValueColumns, objects Objects, features map[string]json.RawMessage, from string) error {
	c, err := newTargetColumns(multi, values, objects)
	if err != nil || c == nil {
		return err
	}
	if err := c.name(features, from); err != nil {
		return err
	}
	s.targets = c.rows()
	return nil
}

// AddTargets takes the cells of the sample that is added next or was added last, each as
// JSON; empty ones are null. row names the sample in warnings.
func (s *Samples) AddTargets(cells []json.RawMessage, row string) error {
	list := make([]cell, len(cells))
	for i, value := range cells {
		if len(value) > 0 {
			list[i].text, list[i].bad = jsonCell(value)
			list[i].raw = value
		}
	}
	return s.targets.add(list, func(column string) string { return sprintf("column %q", column) }, row)
}

// Targets are those of a sample, as Targeter has them.
func (l *Listed) Targets(sample int, t *schema.Targets) {
	if l.targets != nil && l.targets.objects != nil {
		t.Objects = append(t.Objects, l.targets.objects[sample]...)
	}
}

// TargetBytes is about how much memory Targets takes.
func (l *Listed) TargetBytes(sample int) int64 { return l.targets.bytes(sample) }
