package sources

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/schema"
)

// This file joins the targets of several sources.

// joinedTargets is what a joinedIndex knows of targets.
type joinedTargets struct {
	spec   *schema.TargetSpec
	labels [][]int32 // by source, the number of each class of its objects; nil: the same
}

// joinTargets makes one spec of those of all sources; nil where none has targets.
func (x *joinedIndex) joinTargets(names []string, p *problems) (out *joinedTargets, warnings []string) {
	out = &joinedTargets{spec: &schema.TargetSpec{}, labels: make([][]int32, len(names))}
	specs := make([]*schema.TargetSpec, len(names))
	some, s := false, out.spec
	var classes [][]string
	for i, index := range x.indexes {
		if specs[i] = schema.TargetSpecOf(index); specs[i] == nil {
			continue
		}
		some = true
		s.Boxes, s.Polygons, s.Mask = s.Boxes || specs[i].Boxes, s.Polygons || specs[i].Polygons, s.Mask || specs[i].Mask
		if specs[i].Boxes {
			classes = append(classes, specs[i].Classes)
		}
	}
	if !some {
		return nil, nil
	}
	s.CrowdsAlone = s.Boxes && crowdsAlone(specs)
	equal := func(what string, of func(*schema.TargetSpec) []string, remedy string) (list []string) {
		from := -1
		for i := range specs {
			if specs[i] == nil || len(of(specs[i])) == 0 {
				continue
			}
			if from < 0 {
				from, list = i, of(specs[i])
			} else if !slices.Equal(list, of(specs[i])) {
				p.addf("%s and %s have different %s: %s", names[from], names[i], what, remedy)
			}
		}
		return list
	}
	s.Keypoints = equal("keypoints", func(t *schema.TargetSpec) []string { return t.Keypoints }, "read them without keypoints, or with the same")
	s.MaskClasses = equal("classes of masks", func(t *schema.TargetSpec) []string { return t.MaskClasses }, "give both sources the same classes in masks, and numbers by values")
	named := false
	for i, t := range specs {
		if t != nil && len(t.Keypoints) > 0 {
			if named && !slices.Equal(s.Mirrored, t.Mirrored) {
				p.addf("%s: its keypoints change places in a mirrored picture otherwise than those of other sources: say so in the same way in all", names[i])
			}
			s.Mirrored, named = t.Mirrored, true
		}
		if s.Mask && (t == nil || !t.Mask) {
			warnings = append(warnings, fmt.Sprintf("%s has no masks, and other sources have: all of its pixels are of unknown class, %d", cut(names[i]), schema.MaskIgnore))
		}
		if s.Boxes && (t == nil || !t.Boxes) {
			warnings = append(warnings, fmt.Sprintf("%s has no objects, and other sources have: its pictures count as ones without any", cut(names[i])))
		}
	}
	x.joinMulti(names, specs, s, p)
	out.joinClasses(specs, classes, p)
	return out, warnings
}

// crowdsAlone is whether no source has an object that isn't a crowd.
func crowdsAlone(specs []*schema.TargetSpec) bool {
	return !slices.ContainsFunc(specs, func(t *schema.TargetSpec) bool { return t.Objects() && !t.CrowdsAlone })
}

// joinMulti takes the tasks of several labels, whose columns are joined as they are.
func (x *joinedIndex) joinMulti(names []string, specs []*schema.TargetSpec, s *schema.TargetSpec, p *problems) {
	for i, t := range specs {
		if t == nil {
			continue
		}
		for _, task := range t.Multi {
			at := slices.IndexFunc(s.Multi, func(have schema.Task) bool { return have.Name == task.Name })
			if at < 0 {
				s.Multi = append(s.Multi, task)
			} else if !slices.Equal(s.Multi[at].Classes, task.Classes) {
				p.addf("%s: its task %q of several labels has other classes than that of another source: give both the same classes in multi", names[i], task.Name)
			}
		}
	}
}

// joinClasses numbers the classes of all objects by their names.
func (t *joinedTargets) joinClasses(specs []*schema.TargetSpec, classes [][]string, p *problems) {
	var union []string
	known := map[string]bool{}
	for _, list := range classes {
		for _, name := range list {
			if !known[name] {
				known[name] = true
				union = append(union, name)
			}
		}
	}
	order, _ := commonOrder(union, classes)
	if order == nil && len(union) > 0 {
		p.addf("the sources have the classes of objects in different orders, and none has all of them: give the sources the same classes, such as [%s, ...]", cut(union[0]))
		return
	}
	t.spec.Classes = order
	for i, spec := range specs {
		if spec == nil || !spec.Boxes {
			continue
		}
		if slices.Equal(spec.Classes, order) {
			t.spec.CategoryIDs, t.spec.Categories = spec.CategoryIDs, spec.Categories
			continue
		}
		for _, name := range spec.Classes {
			t.labels[i] = append(t.labels[i], int32(slices.Index(order, name)))
		}
	}
	for _, spec := range specs { // ids of categories are only those that all sources agree about
		if spec != nil && spec.Boxes && (!slices.Equal(spec.CategoryIDs, t.spec.CategoryIDs) || !bytes.Equal(spec.Categories, t.spec.Categories)) {
			t.spec.CategoryIDs, t.spec.Categories = nil, nil
		}
	}
}

// TargetSpec is that of all sources.
func (x *joinedIndex) TargetSpec() *schema.TargetSpec {
	if x.targets == nil {
		return nil
	}
	return x.targets.spec
}

// ObjectLabels are the source's, as numbers of the joined classes.
func (x *joinedIndex) ObjectLabels(sample int) []int32 {
	if x.targets == nil {
		return nil
	}
	source, at := x.place(sample)
	labels := schema.ObjectLabelsOf(x.indexes[source], at)
	to := x.targets.labels[source]
	if to == nil || len(labels) == 0 {
		return labels
	}
	out := make([]int32, len(labels))
	for i, label := range labels {
		out[i] = to[label]
	}
	return out
}

// TargetDigest is the source's, and of the numbers that its classes have here.
func (x *joinedIndex) TargetDigest(sample int) [16]byte {
	source, at := x.place(sample)
	digest := schema.TargetDigestOf(x.indexes[source], at)
	if x.targets == nil || x.targets.labels[source] == nil {
		return digest
	}
	buf := digest[:]
	for _, n := range x.targets.labels[source] {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(n))
	}
	return fingerprint.Of(buf)
}

// Targets are the source's, with numbers of the joined classes.
func (d *joined) Targets(ctx context.Context, sample int, t *schema.Targets) error {
	part, at := d.index.place(sample)
	before := len(t.Objects)
	if err := readTargets(ctx, d.parts[part], at, t); err != nil {
		return d.within(part, err)
	}
	if d.index.targets == nil || d.index.targets.labels[part] == nil {
		return nil
	}
	to := d.index.targets.labels[part]
	for i := range t.Objects[before:] {
		o := &t.Objects[before+i]
		if o.Label < 0 || int(o.Label) >= len(to) { // of a foreign source, whose targets nobody has checked yet
			return d.within(part, errorf("%q: %w: object %d (id %d): label %d of %d classes", d.index.Key(sample), ErrTargets, i, o.ID, o.Label, len(to)))
		}
		o.Label = to[o.Label]
	}
	return nil
}

// TargetBytes is the source's.
func (d *joined) TargetBytes(sample int) int64 {
	part, at := d.index.place(sample)
	return targetBytes(d.parts[part], at)
}
