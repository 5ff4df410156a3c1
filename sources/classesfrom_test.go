package sources_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

func TestClassesFrom(t *testing.T) {
	train := sources.Folder{Path: tree(t, "a/1.png", "b/2.png", "c/3.png", "d/")}
	val := sources.Folder{Path: tree(t, "c/4.png", "a/5.png")}
	from := sources.ClassesFrom{Source: val, From: train}
	sourcetest.Run(t, func() sources.Source { return from })
	x := open(t, from).Index()
	if diff := cmp.Diff(lines("a/5.png a", "c/4.png c"), table(x)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, x.Tasks()[0].Classes); diff != "" {
		t.Errorf("classes (-want +have)\n%s", diff)
	}
	if diff := cmp.Diff([]int32{0, 2}, labels(x, 0)); diff != "" {
		t.Errorf("labels (-want +have)\n%s", diff)
	}
	// Around a split and within one.
	split := sources.Split{Source: train, Val: 0.5}
	open(t, sources.ClassesFrom{Source: val, From: split})
	side := open(t, sources.Split{Source: sources.ClassesFrom{Source: sources.Folder{Path: tree(t, "a/1.png", "a/2.png")}, From: train}, Val: 0.5, Stratify: true})
	if n := len(side.Index().Tasks()[0].Classes); n != 4 {
		t.Errorf("a split of it has %d classes", n)
	}
}

// TestClassesFromSeveral: tasks of several labels get the other source's numbers, too.
func TestClassesFromSeveral(t *testing.T) {
	tagged := func(cells ...string) sources.Folder {
		dir, text := tree(t), "file_name,tags\n"
		for i, cell := range cells {
			name := fmt.Sprintf("%d.png", i)
			write(t, dir, name, name)
			text += name + "," + cell + "\n"
		}
		write(t, dir, "metadata.csv", text)
		return sources.Folder{Path: dir, Multi: sources.Multi{"tags": {}}}
	}
	train := tagged("a;d", "c;b")
	from := sources.ClassesFrom{Source: tagged("d;b", "", ";", "d"), From: train, File: "train.yaml"}
	sourcetest.Run(t, func() sources.Source { return from })
	d := open(t, from)
	same(t, "labels", values(t, d, "label.tags"), []string{"[1 3]", "<nil>", "[]", "[3]"})
	spec := schema.TargetSpecOf(d.Index())
	if diff := cmp.Diff([]schema.Task{{Name: "tags", Classes: []string{"a", "b", "c", "d"}}}, spec.Multi); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if diff := cmp.Diff([]int64{0, 1, 0, 2}, schema.CountMulti(d.Index(), 0).Classes); diff != "" {
		t.Errorf("counts (-want +have)\n%s", diff)
	}
	fails(t, sources.ClassesFrom{Source: tagged("D", "d", "e;D"), From: train, File: "train.yaml"},
		`class "D" of task "tags" (2 samples, such as "0.png") is not among the 4 classes of "train.yaml" ("d" is, which differs only in letter case)`, `class "e"`)
	other := tagged("a")
	other.Multi = sources.Multi{"weather": {Column: "tags"}}
	fails(t, sources.ClassesFrom{Source: train, From: other}, `no task "tags" of several labels in the other source (folder), only "weather"`)
	fails(t, sources.ClassesFrom{Source: train, From: sources.Folder{Path: tree(t, "a/1.png")}}, `no task "tags" of several labels`, "only samples without labels")
}

// TestClassesFromMasks: masks have the same classes as the other source's, or that is an error.
func TestClassesFromMasks(t *testing.T) {
	masked := func(classes ...string) sources.Folder {
		return sources.Folder{Path: tree(t, "1.png", "masks/1.png"), Tasks: []string{}, Masks: sources.Masks{Path: "masks/{stem}.png", MaskNumbers: sources.MaskNumbers{Classes: sources.ClassList{List: classes}}}}
	}
	open(t, sources.ClassesFrom{Source: masked("a", "b"), From: masked("a", "b")})
	fails(t, sources.ClassesFrom{Source: masked("a", "b"), From: masked("b", "a")}, `the masks have the classes ["a" "b"], and those of the other source (folder) ["b" "a"]`)
	fails(t, sources.ClassesFrom{Source: masked("a", "b"), From: sources.Folder{Path: tree(t, "a/1.png")}}, "the samples have masks, and those of the other source (folder) have none")
}

func TestClassesFromErrors(t *testing.T) {
	one := sources.Folder{Path: tree(t, "a/1.png", "b/2.png")}
	for name, c := range map[string]struct {
		source sources.ClassesFrom
		want   []string
	}{
		"an unknown class": {sources.ClassesFrom{Source: sources.Folder{Path: tree(t, "a/1.png", "A/2.png", "B/3.png")}, From: one, File: "train.yaml"},
			[]string{`class "A" of task "class" (1 sample, such as "A/2.png") is not among the 2 classes of "train.yaml"`, `"a" is, which differs only in letter case`, `class "B"`}},
		"another task":        {sources.ClassesFrom{Source: one, From: sources.Folder{Path: one.Path, Tasks: []string{"kind"}}}, []string{`no task "class" in the other source (folder), only "kind"`}},
		"no task there":       {sources.ClassesFrom{Source: one, From: sources.Folder{Path: tree(t, "1.png")}}, []string{`no task "class"`, "only samples without labels"}},
		"no task here":        {sources.ClassesFrom{Source: sources.Folder{Path: tree(t, "1.png")}, From: one}, []string{"have no labels"}},
		"classes of its own":  {sources.ClassesFrom{Source: sources.Split{Val: 0.5, Source: sources.Folder{Path: one.Path, Classes: sources.Classes{List: []string{"a", "b"}}}}, From: one}, []string{"classes of its own"}},
		"nothing to list":     {sources.ClassesFrom{Source: one, From: sources.Folder{Path: "no/such"}, File: "train.yaml"}, []string{`cannot list the source of "train.yaml"`, "no such folder"}},
		"no sources":          {sources.ClassesFrom{}, []string{"takes the classes is missing", "classes are taken is missing"}},
		"mistakes of options": {sources.ClassesFrom{Source: sources.Folder{}, From: sources.Manifest{}}, []string{"folder: path: is missing", "manifest: path: is missing"}},
	} {
		t.Run(name, func(t *testing.T) { fails(t, c.source, c.want...) })
	}
}

// foreign is a source of another module.
type foreign struct {
	index  schema.Index
	closed *bool
}

func (foreign) Name() string                                    { return "foreign" }
func (foreign) Check() error                                    { return nil }
func (f foreign) Open(context.Context) (sources.Dataset, error) { return f, nil }
func (f foreign) Index() schema.Index                           { return f.index }
func (foreign) Read(context.Context, int, []byte) ([]byte, error) {
	return nil, errors.New("not to be read")
}
func (f foreign) Close() error { *f.closed = true; return nil }

func TestOpenChecksTheIndex(t *testing.T) {
	closed := false
	bad := foreign{&schema.Table{Keys: []string{"b", "a"}, Sizes: []int64{1}}, &closed}
	for name, source := range map[string]sources.Source{
		"split":        sources.Split{Source: bad, Val: 0.5},
		"classes_from": sources.ClassesFrom{Source: sources.Folder{Path: tree(t, "a/1.png")}, From: bad},
	} {
		closed = false
		_, err := source.Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), "sources: foreign: the index: Sizes has 1 elements") || !strings.Contains(err.Error(), `the key "a" of sample 1`) {
			t.Errorf("%s: %v", name, err)
		}
		if !closed {
			t.Errorf("%s: the dataset wasn't closed", name)
		}
	}
}

// broken is a source of another module that panics, in Open or afterwards.
type broken struct {
	foreign
	inOpen bool
}

func (broken) Name() string { return "broken" }

func (b broken) Open(context.Context) (sources.Dataset, error) {
	if b.inOpen {
		panic("no such bucket")
	}
	return b, nil
}

func (broken) Index() schema.Index { panic("no such bucket") }

func TestOpenOutlivesPanics(t *testing.T) {
	for _, inOpen := range []bool{true, false} {
		bad := broken{inOpen: inOpen}
		for name, source := range map[string]sources.Source{
			"itself":       bad,
			"split":        sources.Split{Source: bad, Val: 0.5},
			"classes_from": sources.ClassesFrom{Source: sources.Folder{Path: tree(t, "a/1.png")}, From: bad},
		} {
			d, err := sources.Open(t.Context(), source)
			if d != nil || err == nil || !strings.Contains(err.Error(), "sources: broken: panic: no such bucket") {
				t.Errorf("%s: %v, %v", name, d, err)
			}
		}
	}
}
