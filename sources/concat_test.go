package sources_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

type parts = map[string]sources.Source

func folderOf(t *testing.T, names ...string) sources.Folder {
	return sources.Folder{Path: tree(t, names...)}
}

func listOf(t *testing.T, text string, names ...string) sources.Manifest {
	return sources.Manifest{Path: write(t, tree(t, names...), "list.csv", text)}
}

// described is what an index says, a line a sample: key, labels by name, weight, columns.
func described(x schema.Index) (lines []string) {
	for s := range x.Len() {
		line := x.Key(s)
		for t, task := range x.Tasks() {
			name := "?"
			if label := x.Label(t, s); label != schema.Unknown {
				name = task.Classes[label]
			}
			line += " " + task.Name + "=" + name
		}
		line += fmt.Sprintf(" %v %d", x.Weight(s), x.Size(s))
		for c, column := range x.Columns() {
			line += fmt.Sprintf(" %s=%v", column.Name, x.Value(c, s))
		}
		lines = append(lines, line)
	}
	return lines
}

func TestConcat(t *testing.T) {
	ours := folderOf(t, "cat/1.jpg", "dog/1.jpg", "dog/notes.txt")
	list := listOf(t, "path,class,kind,weight,shot\na.jpg,dog,x,2,7\nb.jpg,emu,,1,\ngone.jpg,,y,1,8\n", "a.jpg", "b.jpg")
	list.Meta = sources.Meta{{Name: "shot"}}
	c := sources.Concat{Sources: parts{"web": list, "ours": ours, "web-2": folderOf(t, "cat/1.jpg")}}
	sourcetest.Run(t, func() sources.Source { return c })
	sourcetest.Run(t, func() sources.Source { return &sources.Split{Source: c, Val: 0.5, Use: sources.Val} })
	d := open(t, c)
	want := []string{
		"ours/cat/1.jpg class=cat kind=? source=ours 1 9 meta.shot=<nil>",
		"ours/dog/1.jpg class=dog kind=? source=ours 1 9 meta.shot=<nil>",
		"web-2/cat/1.jpg class=cat kind=? source=web-2 1 9 meta.shot=<nil>",
		"web/a.jpg class=dog kind=x source=web 2 5 meta.shot=7",
		"web/b.jpg class=emu kind=? source=web 1 5 meta.shot=<nil>",
		"web/gone.jpg class=? kind=y source=web 1 -1 meta.shot=8",
	}
	if have := described(d.Index()); !slices.Equal(have, want) {
		t.Errorf("have\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	if n := d.Index().Ignored(); n != 1 {
		t.Errorf("%d files are ignored", n)
	}
	tasks := d.Index().Tasks()
	if fmt.Sprint(tasks) != "[{class [cat dog emu]} {kind [x y]} {source [ours web web-2]}]" {
		t.Errorf("tasks are %v", tasks)
	}
	for key, text := range map[string]string{"ours/dog/1.jpg": "dog/1.jpg", "web/b.jpg": "b.jpg"} {
		s, _ := d.Index().Find(key)
		if data, err := d.Read(context.Background(), s, nil); err != nil || string(data) != text {
			t.Errorf("%s reads %q (%v)", key, data, err)
		}
		if stamp := d.(sources.Stamper).Stamp(s); stamp == "" {
			t.Errorf("%s has no stamp", key)
		}
	}
	if _, err := d.Read(context.Background(), 5, nil); !errors.Is(err, sources.ErrMissing) || !strings.HasPrefix(err.Error(), `sources: concat: web: manifest: "gone.jpg": `) {
		t.Errorf("reading what is missing: %v", err)
	}
	warned := strings.Join(d.(sources.Warner).Warnings(), "\n")
	for _, text := range []string{"concat: web: manifest: ", "concat: ours has no task kind: 2 samples without a label of it"} {
		if !strings.Contains(warned, text) {
			t.Errorf("warnings lack %q:\n%s", text, warned)
		}
	}
}

// TestConcatWhere: where the sources lie and in which order a program names them changes nothing.
func TestConcatWhere(t *testing.T) {
	identity := func() string {
		return sources.Identity(open(t, sources.Concat{Sources: parts{"b": folderOf(t, "x/1.jpg"), "a": folderOf(t, "y/1.jpg", "x/2.jpg")}}).Index())
	}
	if a, b := identity(), identity(); a != b {
		t.Error("copies of the data have another identity")
	}
	c := sources.Concat{Sources: parts{"a": folderOf(t, "y/1.jpg", "x/2.jpg"), "c": folderOf(t, "x/1.jpg")}}
	if sources.Identity(open(t, c).Index()) == identity() {
		t.Error("a source's name isn't part of the identity")
	}
}

func TestConcatLabel(t *testing.T) {
	both := parts{"a": folderOf(t, "y/1.jpg"), "b": folderOf(t, "x/1.jpg")}
	for label, want := range map[string]string{"": "class source", "origin": "class origin", "none": "class"} {
		var names []string
		for _, task := range open(t, sources.Concat{Sources: both, Label: label}).Index().Tasks() {
			names = append(names, task.Name)
		}
		if have := strings.Join(names, " "); have != want {
			t.Errorf("label %q: tasks %s, want %s", label, have, want)
		}
	}
}

func TestConcatClassOrder(t *testing.T) {
	cells := func(labels ...string) sources.Source {
		text, names := "path,class\n", []string{}
		for i, label := range labels {
			names = append(names, fmt.Sprint(i, ".jpg"))
			text += fmt.Sprintf("%d.jpg,%s\n", i, label)
		}
		return listOf(t, text, names...)
	}
	fixed := func(of sources.Source, classes ...string) sources.Source {
		m := of.(sources.Manifest)
		m.Classes = sources.Classes{List: classes}
		return m
	}
	natural := folderOf(t, "a9/1.jpg", "a10/1.jpg")
	natural.ClassOrder = sources.NaturalOrder
	for name, c := range map[string]struct {
		of      sources.Concat
		want    string
		warning string // "": none about classes
	}{
		"bytewise":   {sources.Concat{Sources: parts{"a": cells("b", "10"), "b": cells("a", "9")}}, "10 9 a b", "no class of task class is in two of the sources"},
		"numbers":    {sources.Concat{Sources: parts{"a": cells("2", "10"), "b": cells("9", "10.0", "1")}}, "1 2 9 10", ""},
		"of folders": {sources.Concat{Sources: parts{"a": folderOf(t, "10/1.jpg", "9/1.jpg"), "b": folderOf(t, "2/1.jpg", "9/1.jpg")}}, "10 2 9", "all classes of task \"class\" are numbers"},
		"natural":    {sources.Concat{Sources: parts{"a": natural, "b": cells("a2", "a9")}}, "a2 a9 a10", ""},
		"of one":     {sources.Concat{Sources: parts{"a": fixed(cells("c", "a"), "c", "b", "a"), "b": cells("a", "b")}}, "c b a", ""},
		"given":      {sources.Concat{Sources: parts{"a": cells("1", "2"), "b": cells("2")}, Classes: sources.Classes{List: []string{"2.0", "7", "1"}}}, "2.0 7 1", ""},
		"alike":      {sources.Concat{Sources: parts{"a": cells("Cat", "dog"), "b": cells("cat", "dog")}}, "Cat cat dog", `the classes "Cat" (1 sample, such as "a/0.jpg") and "cat" (1 sample, such as "b/0.jpg") of task "class" differ only in letter case`},
	} {
		d := open(t, c.of)
		if have := strings.Join(d.Index().Tasks()[0].Classes, " "); have != c.want {
			t.Errorf("%s: the classes are %s, want %s", name, have, c.want)
		}
		warned := strings.Join(d.(sources.Warner).Warnings(), "\n")
		if c.warning == "" && strings.Contains(warned, "class") || !strings.Contains(warned, c.warning) {
			t.Errorf("%s: warnings %q, want %q", name, warned, c.warning)
		}
	}
}

func TestConcatErrors(t *testing.T) {
	folder := sources.Folder{Path: "x"}
	for name, c := range map[string]struct {
		of   sources.Concat
		want string
	}{
		"none":       {sources.Concat{}, "it has no sources: give each a name, as in {web: {folder: {path: data/web}}, ours: {folder: {path: data/ours}}}"},
		"names":      {sources.Concat{Sources: parts{"": folder}}, `: the name "" of a source: want letters, digits, - _ and ., and neither label nor classes, which are options`},
		"slash":      {sources.Concat{Sources: parts{"a/b": folder}}, `a/b: the name "a/b" of a source: want letters, digits, - _ and ., and neither label nor classes, which are options`},
		"dots":       {sources.Concat{Sources: parts{"..": folder}}, `..: the name ".." of a source: want letters, digits, - _ and ., and neither label nor classes, which are options`},
		"an option":  {sources.Concat{Sources: parts{"label": folder}}, `label: the name "label" of a source: want letters, digits, - _ and ., and neither label nor classes, which are options`},
		"nil":        {sources.Concat{Sources: parts{"a": nil}}, "a: there is no source under this name"},
		"nested":     {sources.Concat{Sources: parts{"a": &sources.Concat{Sources: parts{"b": folder}}}}, "a: a concat within another: put its sources into the outer one"},
		"of a part":  {sources.Concat{Sources: parts{"a": folder, "b": sources.Manifest{}}}, "b: manifest: path: is missing: give a .csv, .tsv, .jsonl or .ndjson file"},
		"task":       {sources.Concat{Sources: parts{"a": folder}, Label: " "}, `label: " " cannot be the name of a task`},
		"class list": {sources.Concat{Sources: parts{"a": folder}, Classes: sources.Classes{List: []string{"a", "a"}}}, `classes: item 2: "a" repeats item 1`},
	} {
		if err := c.of.Check(); fmt.Sprint(err) != c.want {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
	ordered := func(classes ...string) sources.Source {
		f := folderOf(t, "a/1.jpg")
		f.Classes = sources.Classes{List: classes}
		return f
	}
	typed := func(kind sources.MetaType) sources.Source {
		m := listOf(t, "path,class,shot\na.jpg,dog,7\n", "a.jpg")
		m.Meta = sources.Meta{{Name: "shot", Type: kind}}
		return m
	}
	ours := folderOf(t, "cat/1.jpg")
	sided := ours
	sided.Tasks = []string{"source"}
	for name, c := range map[string]struct {
		of   sources.Concat
		want []string
	}{
		"two that are missing": {sources.Concat{Sources: parts{"a": sources.Folder{Path: "no/a"}, "b": ours, "c": sources.Folder{Path: "no/c"}}},
			[]string{`sources: concat: a: folder: "no/a": there is no such folder or file`, `sources: concat: c: folder: "no/c": there is no such folder or file`}},
		"orders": {sources.Concat{Sources: parts{"a": ordered("b", "a"), "b": ordered("a", "c")}},
			[]string{`sources: concat: classes: the sources have the classes of task "class" in different orders, and none has all of them: fix their order in classes, as in {class: [b, ...]}`}},
		"not given": {sources.Concat{Sources: parts{"a": ours}, Classes: sources.Classes{List: []string{"Cat"}}},
			[]string{`sources: concat: classes: class "cat" of task "class" (1 sample, such as "a/cat/1.jpg") is not among the 1 class of the list given as classes ("Cat" is, which differs only in letter case): add it there, or remove its samples`}},
		"label": {sources.Concat{Sources: parts{"a": sided}}, []string{`sources: concat: label: the sources have a task "source" of their own: give label another name, or none`}},
		"types": {sources.Concat{Sources: parts{"a": typed("int"), "b": typed("text")}},
			[]string{`sources: concat: the column "meta.shot" is int64 in a and utf8 in b: give it one type there, as with meta: [{shot: text}]`}},
		"no such task": {sources.Concat{Sources: parts{"a": ours}, Classes: sources.Classes{ByTask: map[string]sources.Classes{"source": {List: []string{"a"}}}}},
			[]string{`sources: concat: classes: there is no task "source", only ["class"]`}},
	} {
		_, err := c.of.Open(context.Background())
		for _, text := range c.want {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v\nwant %s", name, err, text)
			}
		}
	}
}

// TestConcatClosesAll: where one source cannot be opened, the others don't stay open.
func TestConcatClosesAll(t *testing.T) {
	closed := 0
	part := func(fails bool) sources.Source { return &counting{folderOf(t, "a/1.jpg"), &closed, fails} }
	_, err := sources.Concat{Sources: parts{"a": part(false), "b": part(true), "c": part(false)}}.Open(context.Background())
	if err == nil || !strings.Contains(err.Error(), "concat: b: on purpose") || closed != 2 {
		t.Errorf("%d are closed, and the error is %v", closed, err)
	}
}

type counting struct {
	sources.Folder
	closed *int
	fails  bool
}

func (s *counting) Open(ctx context.Context) (sources.Dataset, error) {
	if s.fails {
		return nil, errors.New("on purpose")
	}
	d, err := s.Folder.Open(ctx)
	return countingDataset{d, s.closed}, err
}

type countingDataset struct {
	sources.Dataset
	closed *int
}

func (d countingDataset) Close() error {
	*d.closed++
	return d.Dataset.Close()
}

// TestConcatProperties compares the index of random folders with one that is made by
// hand, and the sides of its split with those of each source alone.
func TestConcatProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp("", "concat")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "a-", "a.b", "ab", "b", "é", "1"}), 1, 4, rapid.ID[string]).Draw(r, "names")
		c := sources.Concat{Sources: parts{}}
		var want []string
		for _, name := range names {
			for i := range 2 + rapid.IntRange(0, 8).Draw(r, "files") {
				key := fmt.Sprintf("%s/%d.jpg", rapid.SampledFrom([]string{"x", "y", "z-", "z"}).Draw(r, "class"), i)
				file := filepath.Join(dir, name, filepath.FromSlash(key))
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(name+key), 0o644)); err != nil {
					r.Fatal(err)
				}
				want = append(want, name+"/"+key)
			}
			c.Sources[name] = sources.Folder{Path: filepath.Join(dir, name)}
		}
		slices.Sort(want)
		d, err := sources.Open(context.Background(), c)
		if err != nil {
			r.Fatal(err)
		}
		defer d.Close()
		x := d.Index()
		for s := range x.Len() {
			name, key, _ := strings.Cut(x.Key(s), "/")
			class, _, _ := strings.Cut(key, "/")
			data, err := d.Read(context.Background(), s, nil)
			if err != nil || x.Key(s) != want[s] || string(data) != name+key || int(x.Size(s)) != len(data) ||
				x.Tasks()[0].Classes[x.Label(0, s)] != class || x.Tasks()[1].Classes[x.Label(1, s)] != name || schema.GroupKey(x, s) != key {
				r.Fatalf("sample %d is %q (%v), labels %d %d, reads %q", s, x.Key(s), err, x.Label(0, s), x.Label(1, s), data)
			}
		}
		if x.Len() != len(want) || !slices.IsSorted(x.Tasks()[0].Classes) {
			r.Fatalf("%d samples of %d, classes %v", x.Len(), len(want), x.Tasks()[0].Classes)
		}
		sides := map[string]sources.Side{}
		for _, use := range []sources.Side{sources.Train, sources.Val} {
			side, err := sources.Open(context.Background(), sources.Split{Source: c, Val: 0.4, Use: use})
			if err != nil {
				return // a side without a sample
			}
			defer side.Close()
			for s := range side.Index().Len() {
				sides[side.Index().Key(s)] = use
			}
			for name, part := range c.Sources {
				alone, err := sources.Open(context.Background(), sources.Split{Source: part, Val: 0.4, Use: use})
				if err != nil {
					continue
				}
				for s := range alone.Index().Len() {
					if key := name + "/" + alone.Index().Key(s); sides[key] != use {
						r.Fatalf("%s is on the side %s, alone on %s", key, cmp.Or(sides[key], "none"), use)
					}
				}
				alone.Close()
			}
		}
	})
}

func TestConcatWithClassesFrom(t *testing.T) {
	train := sources.Concat{Sources: parts{"a": folderOf(t, "cat/1.jpg", "dog/1.jpg"), "b": folderOf(t, "emu/1.jpg")}}
	val := sources.Concat{Sources: parts{"b": folderOf(t, "emu/2.jpg", "cat/3.jpg")}}
	d := open(t, sources.Split{Source: sources.ClassesFrom{Source: val, From: train}, Val: 0.5, Use: sources.Val})
	x := d.Index()
	if fmt.Sprint(x.Tasks()) != "[{class [cat dog emu]} {source [a b]}]" || x.Label(1, 0) != 1 || strings.Contains(schema.GroupKey(x, 0), "b/") {
		t.Errorf("tasks %v, group %s", x.Tasks(), schema.GroupKey(x, 0))
	}
	if err := (sources.ClassesFrom{Source: sources.Concat{Sources: val.Sources, Classes: sources.Classes{List: []string{"cat"}}}, From: train}).Check(); err == nil ||
		!strings.Contains(err.Error(), "classes of its own") {
		t.Errorf("classes twice: %v", err)
	}
}

// TestConcatTells: indexes of sources that are listed at the same time are told of one
// after the other, in the order of the sources.
func TestConcatTells(t *testing.T) {
	c := sources.Concat{Sources: parts{"b": folderOf(t, "x/1.jpg"), "a": folderOf(t, "y/1.jpg", "x/2.jpg"), "c": folderOf(t, "x/1.jpg", "x/2.jpg", "x/3.jpg")}}
	var told []int
	ctx := sources.WithCache(context.Background(), sources.Cache{Dir: t.TempDir(), Always: true, Told: func(l sources.Listing) { told = append(told, l.Samples) }})
	for range 2 { // without indexes, and with them
		d, err := c.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		must(t, d.Close())
	}
	if !slices.Equal(told, []int{2, 1, 3, 2, 1, 3}) {
		t.Errorf("told of sources of %v samples", told)
	}
}

// lending is a source whose samples are lent.
type lending struct{ sources.Folder }

func (s lending) Open(ctx context.Context) (sources.Dataset, error) {
	d, err := s.Folder.Open(ctx)
	return lendingDataset{d}, err
}

type lendingDataset struct{ sources.Dataset }

func (lendingDataset) Lend(_ context.Context, sample int) (schema.Picture, bool) {
	return schema.Picture{Height: 1 + sample}, true
}

func (lendingDataset) Unchanged(_ context.Context, sample int) error {
	return fmt.Errorf("sample %d has changed", sample)
}

func TestConcatLends(t *testing.T) {
	d := open(t, sources.Concat{Sources: parts{"a": folderOf(t, "x/1.jpg"), "b": lending{folderOf(t, "x/1.jpg", "x/2.jpg")}}})
	l := d.(sources.Lender)
	if _, ok := l.Lend(context.Background(), 0); ok || l.Unchanged(context.Background(), 0) != nil {
		t.Error("a folder lends")
	}
	if lent, ok := l.Lend(context.Background(), 2); !ok || lent.Height != 2 {
		t.Errorf("lent %v (%v)", lent, ok)
	}
	if err := l.Unchanged(context.Background(), 2); fmt.Sprint(err) != "sources: concat: b: sample 1 has changed" {
		t.Error(err)
	}
}
