package sources_test

import (
	"context"
	"errors"
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
