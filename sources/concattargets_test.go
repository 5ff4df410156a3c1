package sources_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// objectList is a list with a picture for each object's class.
func objectList(t *testing.T, classes ...string) sources.Manifest {
	t.Helper()
	dir, text := t.TempDir(), ""
	for i, class := range classes {
		write(t, dir, fmt.Sprintf("%d.jpg", i), class)
		text += fmt.Sprintf("{\"path\":\"%d.jpg\",\"tags\":[\"day\"],\"objects\":[{\"bbox\":[0,0,1,1],\"category\":%q}]}\n", i, class)
	}
	return sources.Manifest{Path: write(t, dir, "list.jsonl", text), Tasks: []string{}, Objects: sources.Objects{Column: "objects"}, Multi: sources.Multi{"tags": {}}}
}

func TestConcatTargets(t *testing.T) {
	masked := sources.Folder{Path: tree(t, "1.jpg", "m/1.png"), Tasks: []string{}, Masks: sources.Masks{Path: "m/{stem}.png"}}
	c := sources.Concat{Sources: map[string]sources.Source{"a": objectList(t, "car", "dog"), "b": objectList(t, "bus", "dog"), "c": masked}}
	d := open(t, c)
	x := d.Index()
	spec := schema.TargetSpecOf(x)
	must(t, spec.Check())
	same(t, "classes", spec.Classes, []string{"bus", "car", "dog"})
	if !spec.Boxes || !spec.Mask || len(spec.Multi) != 1 {
		t.Errorf("%+v", spec)
	}
	for i, want := range [][]int32{{1}, {2}, {0}, {2}, nil} {
		same(t, x.Key(i), schema.ObjectLabelsOf(x, i), want)
		var have []int32
		for _, o := range targets(t, d, i).Objects {
			have = append(have, o.Label)
		}
		same(t, x.Key(i), have, want)
	}
	if mask := string(targets(t, d, 4).Mask); mask != "m/1.png" {
		t.Errorf("the mask is %q", mask)
	}
	for _, want := range []string{"a has no masks, and other sources have", "c has no objects, and other sources have"} {
		if !strings.Contains(warnings(d), want) {
			t.Errorf("%s lacks %s", warnings(d), want)
		}
	}
	// The same numbers in the sources, of classes that are the other way round.
	turned := open(t, sources.Concat{Sources: map[string]sources.Source{"a": objectList(t, "bus", "dog"), "b": objectList(t, "car", "dog"), "c": masked}})
	same(t, "classes", schema.TargetSpecOf(turned.Index()).Classes, spec.Classes)
	if sources.Identity(x) == sources.Identity(turned.Index()) {
		t.Error("sources that differ in their objects' classes have the same identity")
	}
}

// mislabelled is a source of another module whose objects have a class that it doesn't name.
type mislabelled struct{ sources.Source }

type mislabelledData struct{ sources.Dataset }

func (m mislabelled) Open(ctx context.Context) (sources.Dataset, error) {
	d, err := m.Source.Open(ctx)
	return mislabelledData{d}, err
}

func (mislabelledData) Targets(_ context.Context, _ int, t *schema.Targets) error {
	t.Objects = append(t.Objects, schema.Object{Label: 7, ID: 3})
	return nil
}

func (mislabelledData) TargetBytes(int) int64 { return 0 }

func TestConcatForeignLabels(t *testing.T) {
	d := open(t, sources.Concat{Sources: map[string]sources.Source{"a": objectList(t, "bus"), "b": mislabelled{objectList(t, "dog")}}})
	var one schema.Targets
	err := d.(sources.Targeter).Targets(t.Context(), 1, &one)
	if !errors.Is(err, sources.ErrTargets) || !strings.Contains(err.Error(), "concat: b: ") || !strings.Contains(err.Error(), "object 0 (id 3): label 7 of 1 classes") {
		t.Error(err)
	}
}

func TestConcatTargetErrors(t *testing.T) {
	list := func(classes ...string) sources.Manifest {
		m := objectList(t, "car", "dog")
		m.Objects.Classes = sources.ClassList{List: classes}
		return m
	}
	points := func(names ...string) sources.Manifest {
		m := objectList(t, "car")
		m.Objects.Keypoints = names
		return m
	}
	tags := objectList(t, "car")
	tags.Multi = sources.Multi{"tags": {Classes: sources.ClassList{List: []string{"night", "day"}}}}
	for want, two := range map[string][2]sources.Source{
		"the sources have the classes of objects in different orders": {list("car", "dog", "cat"), list("dog", "car", "bus")},
		"a and b have different keypoints":                            {points("nose"), points("nose", "tail")},
		`b: its task "tags" of several labels has other classes`:      {objectList(t, "car"), tags},
	} {
		fails(t, sources.Concat{Sources: map[string]sources.Source{"a": two[0], "b": two[1]}}, want)
	}
}
