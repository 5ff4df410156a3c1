package sources_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// metaTable writes an index's columns and their values, a line for each.
func metaTable(x schema.Index) (list []string) {
	for c, column := range x.Columns() {
		text := column.Name + " " + schema.TypeText(column.Type) + ":"
		for s := range x.Len() {
			text += fmt.Sprintf(" %#v", x.Value(c, s))
		}
		list = append(list, text)
	}
	return list
}

func names(list ...string) (m sources.Meta) {
	for _, name := range list {
		m = append(m, sources.MetaColumn{Name: name})
	}
	return m
}

func TestMetaColumns(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		meta             sources.Meta
		tasks            int
		want             []string
	}{
		{"all types, by the order of meta", "m.csv", "path,camera,class,shot,gain\nb.jpg,\"Nikon, old\",cat,2,1\na.jpg,Canon,dog,-1,0.50\n", names("gain", "camera", "shot"), 1,
			[]string{`meta.gain float64: 0.5 1`, `meta.camera utf8: "Canon" "Nikon, old"`, `meta.shot int64: -1 2`}},
		{"empty cells", "m.csv", "path,a,b,c\na.jpg,,1,\nb.jpg,x,,\n", names("a", "b", "c"), 0,
			[]string{`meta.a utf8: <nil> "x"`, `meta.b int64: 1 <nil>`, `meta.c utf8: <nil> <nil>`}},
		{"codes are text", "m.csv", "path,a,b,c\na.jpg,007,+1,99999999999999999999\nb.jpg,042,0x2,1e999\n", names("a", "b", "c"), 0,
			[]string{`meta.a utf8: "007" "042"`, `meta.b utf8: "+1" "0x2"`, `meta.c utf8: "99999999999999999999" "1e999"`}},
		{"large numbers", "m.csv", "path,a,b\na.jpg,9223372036854775807,9007199254740992\nb.jpg,-9223372036854775808,0.5\n", names("a", "b"), 0,
			[]string{`meta.a int64: 9223372036854775807 -9223372036854775808`, `meta.b float64: 9.007199254740992e+15 0.5`}},
		{"text stays as it is", "m.tsv", "path\ta\na.jpg\t x \nb.jpg\tNULL\n", names("a"), 0, []string{`meta.a utf8: " x " "NULL"`}},
		{"types given", "m.csv", "path,a,b,c\na.jpg,1.10,3,4\nb.jpg,12a, 4,5.5\n",
			sources.Meta{{Name: "a", Type: sources.MetaText}, {Name: "b", Type: sources.MetaFloat}, {Name: "c", Type: sources.MetaFloat}}, 0,
			[]string{`meta.a utf8: "1.10" "12a"`, `meta.b float64: 3 4`, `meta.c float64: 4 5.5`}},
		{"JSON's types", "m.jsonl", `{"path": "a.jpg", "n": 12, "s": "12", "f": 1.5, "b": true}
{"path": "b.jpg", "n": null, "s": " ü", "f": 2, "b": false, "late": 9}`, names("n", "s", "f", "b", "late"), 0,
			[]string{`meta.n int64: 12 <nil>`, `meta.s utf8: "12" " ü"`, `meta.f float64: 1.5 2`, `meta.b utf8: "true" "false"`, `meta.late int64: <nil> 9`}},
		{"the column weight as meta", "m.csv", "path,weight\na.jpg,heavy\nb.jpg,light\n", names("weight"), 0, []string{`meta.weight utf8: "heavy" "light"`}},
		{"beside tasks", "m.csv", "path,class,id\na.jpg,x,1\nb.jpg,y,2\n", names("id"), 1, []string{`meta.id int64: 1 2`}},
		{"a missing file has values", "m.csv", "path,id\na.jpg,1\ngone.jpg,2\n", names("id"), 0, []string{`meta.id int64: 1 2`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := sources.Manifest{Path: listed(t, c.file, c.text), Meta: c.meta}
			x := open(t, source).Index()
			if diff := cmp.Diff(c.want, metaTable(x)); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			if len(x.Tasks()) != c.tasks {
				t.Errorf("tasks %v, want %d", x.Tasks(), c.tasks)
			}
			for s := range x.Len() {
				if x.Weight(s) != 1 {
					t.Errorf("weight %v", x.Weight(s))
				}
			}
			sourcetest.Run(t, func() sources.Source { return source })
		})
	}
}

func TestMetaErrors(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		meta             sources.Meta
		want             []string
	}{
		{"no such column", "m.csv", "path,camera\na.jpg,x\n", names("Camera"), []string{`there is no column "Camera"`, `"camera" is, which differs only in letter case`, `in meta`}},
		{"mixed", "m.csv", "path,id\na.jpg,1\nb.jpg,2b\n", names("id"), []string{`meta: column "id": "2b" (line 3) is text and "1" (line 2) a number: make them alike, or write {id: text} in meta`}},
		{"mixed with fractions", "m.csv", "path,id\na.jpg,n/a\nb.jpg,2.5\n", names("id"), []string{`"n/a" (line 2) is text and "2.5" (line 3) a number`}},
		{"mixed in JSON", "m.jsonl", `{"path": "a.jpg", "id": 1}
{"path": "b.jpg", "id": "1"}`, names("id"), []string{`"1" (line 2) is text and "1" (line 1) a number`}},
		{"no number", "m.csv", "path,id\na.jpg,1\nb.jpg,x\n", sources.Meta{{Name: "id", Type: sources.MetaFloat}}, []string{`column "id": line 3: "x" is not a number, and meta says that its type is float`}},
		{"no whole number", "m.csv", "path,id\na.jpg,1\nb.jpg,2.0\n", sources.Meta{{Name: "id", Type: sources.MetaInt}}, []string{`line 3: "2.0" is not a whole number`, "say float"}},
		{"too large", "m.csv", "path,id\na.jpg,9223372036854775808\n", sources.Meta{{Name: "id", Type: sources.MetaInt}}, []string{`"9223372036854775808" is not a number`}},
		{"more digits than a float has", "m.csv", "path,id\na.jpg,9007199254740993\nb.jpg,0.5\n", names("id"), []string{`line 2: "9007199254740993" has more digits than a float holds: say {id: text} in meta`}},
		{"a list", "m.jsonl", `{"path": "a.jpg", "box": [1]}`, names("box"), []string{`line 1: column "box": want text or a number, have a list: leave the column out of meta`}},
		{"not UTF-8", "m.csv", "path,a\na.jpg,\xff\n", names("a"), []string{`line 2: column "a": "\xff" is not UTF-8`}},
		{"long", "m.csv", "path,a\na.jpg," + strings.Repeat("x", 1<<17) + "\n", names("a"), []string{"131072 bytes, and 65536 are allowed: raise max_cell, or leave the column out of meta"}},
		{"several", "m.csv", "path,a,b\na.jpg,1,x\nb.jpg,x,1\n", names("a", "b"), []string{`column "a"`, `column "b"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fails(t, sources.Manifest{Path: listed(t, c.file, c.text), Meta: c.meta}, append(c.want, "sources: manifest: ", c.file)...)
		})
	}
}

func TestMetaCheck(t *testing.T) {
	for want, m := range map[string]sources.Manifest{
		`meta: item 1: "path" is already the column of the paths`:          {Meta: names("path")},
		`meta: item 2: "w" is already the column of the weights`:           {Meta: names("a", "w"), WeightColumn: "w"},
		`meta: item 1: "class" is already the column of a task's labels`:   {Meta: names("class"), Tasks: []string{"class"}},
		`meta: item 2: "a" is named twice`:                                 {Meta: names("a", "a")},
		`meta: item 1: the name is empty`:                                  {Meta: names(" ")},
		`meta: item 1: a column has the name "meta.\xff": want UTF-8`:      {Meta: names("\xff")},
		`meta: item 1: "a": unknown type "date" (types: text, int, float)`: {Meta: sources.Meta{{Name: "a", Type: "date"}}},
	} {
		m.Path = "m.csv"
		if err := m.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check of %+v: %v, want %q", m, err, want)
		}
	}
}

func TestMetaOption(t *testing.T) {
	var m sources.Manifest
	set := func(text string) error {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return options.Set(&m, "meta", v)
	}
	if err := set(`["camera", {"serial": "text"}, {"gain": "float"}, {"shot": "int"}]`); err != nil {
		t.Fatal(err)
	}
	want := sources.Meta{{Name: "camera"}, {Name: "serial", Type: sources.MetaText}, {Name: "gain", Type: sources.MetaFloat}, {Name: "shot", Type: sources.MetaInt}}
	if diff := cmp.Diff(want, m.Meta); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	b, err := json.Marshal(m.Meta)
	if have := string(b); err != nil || have != `["camera",{"serial":"text"},{"gain":"float"},{"shot":"int"}]` {
		t.Errorf("written as %s (%v)", have, err)
	}
	for text, want := range map[string]string{
		`"camera"`:                   "want a list of columns",
		`{"camera": "text"}`:         "want a list of columns",
		`[["camera"]]`:               "item 1: want a name",
		`["a", {"b": "date"}]`:       `item 2: "b": unknown type date (types: text, int, float)`,
		`[{"b": 1}]`:                 `"b": unknown type 1`,
		`[{"b": "int", "c": "int"}]`: "item 1: want one column and its type",
		`[{}]`:                       "item 1: want one column and its type",
	} {
		if err := set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// A split and classes_from keep the columns; their values are part of the identity,
// and a list without meta has the identity that it always had.
func TestMetaAround(t *testing.T) {
	var files []string
	text := "path,class,id\n"
	for i := range 40 {
		name := fmt.Sprintf("%02d.jpg", i)
		files = append(files, name)
		text += fmt.Sprintf("%s,%c,%d\n", name, 'a'+i%2, i)
	}
	dir := tree(t, files...)
	path := write(t, dir, "m.csv", text)
	list := sources.Manifest{Path: path, Tasks: []string{"class"}, Meta: names("id")}
	for name, source := range map[string]sources.Source{
		"train":        sources.Split{Source: list, Val: 0.3},
		"val":          sources.Split{Source: list, Val: 0.3, Use: sources.Val},
		"classes_from": sources.ClassesFrom{Source: list, From: list},
	} {
		x := open(t, source).Index()
		for s := range x.Len() {
			if want := fmt.Sprintf("%02d.jpg", x.Value(0, s)); x.Key(s) != want {
				t.Errorf("%s: the value of %q is that of %q", name, x.Key(s), want)
			}
		}
		sourcetest.Run(t, func() sources.Source { return source })
	}
	plain := list
	plain.Meta = nil
	identity := func(s sources.Source) string { return sources.Identity(open(t, s).Index()) }
	with, without := identity(list), identity(plain)
	if with == without {
		t.Error("meta is no part of the identity")
	}
	typed := list
	typed.Meta = sources.Meta{{Name: "id", Type: sources.MetaText}}
	if identity(typed) == with {
		t.Error("the type is no part of the identity")
	}
	write(t, dir, "m.csv", strings.Replace(text, ",39\n", ",40\n", 1))
	if identity(list) == with {
		t.Error("a value is no part of the identity")
	}
	if identity(plain) != without {
		t.Error("a column that isn't used is part of the identity")
	}
}

func TestMetaWarns(t *testing.T) {
	have := warnings(open(t, sources.Manifest{Path: listed(t, "m.csv", "path,a,b\na.jpg,,1\n"), Meta: names("a", "b")}))
	if !strings.Contains(have, `column "a" of meta holds no value in any row`) || strings.Contains(have, `"b"`) {
		t.Errorf("warnings: %s", have)
	}
}
