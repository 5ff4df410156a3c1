package sources_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

func TestClassesSetOption(t *testing.T) {
	for _, c := range []struct {
		value any
		want  sources.Classes
		err   string
	}{
		{"classes.txt", sources.Classes{File: "classes.txt"}, ""},
		{[]any{"cat", "dog"}, sources.Classes{List: []string{"cat", "dog"}}, ""},
		{[]any{int64(10), "x", uint64(1 << 63)}, sources.Classes{List: []string{"10", "x", "9223372036854775808"}}, ""},
		{map[string]any{"shape": []any{"a"}, "type": "t.txt"}, sources.Classes{ByTask: map[string]sources.Classes{
			"shape": {List: []string{"a"}}, "type": {File: "t.txt"}}}, ""},
		{[]any{"a", 1.5}, sources.Classes{}, "item 2: want a name, have 1.5: put it in quotes"},
		{[]any{"a", false}, sources.Classes{}, "put it in quotes"},
		{[]any{nil}, sources.Classes{}, "item 1"},
		{map[string]any{"shape": map[string]any{}}, sources.Classes{}, `"shape": want a list of names or a file's name`},
		{map[string]any{"shape": int64(3)}, sources.Classes{}, `"shape": want`},
		{int64(3), sources.Classes{}, "want a list of names, a file's name or a map"},
		{nil, sources.Classes{}, "want a list"},
	} {
		var have sources.Classes
		err := have.SetOption(c.value)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v: error %v, want %q", c.value, err, c.err)
			continue
		}
		if diff := cmp.Diff(c.want, have); diff != "" {
			t.Errorf("%v (-want +have)\n%s", c.value, diff)
		}
		if err != nil {
			continue
		}
		// What is written can be read again.
		text, err := json.Marshal(have)
		must(t, err)
		var value any
		must(t, json.Unmarshal(text, &value))
		var again sources.Classes
		must(t, again.SetOption(value))
		if diff := cmp.Diff(have, again); diff != "" {
			t.Errorf("written as %s (-before +after)\n%s", text, diff)
		}
	}
}

func TestClassesRelativeTo(t *testing.T) {
	f := sources.Folder{Classes: sources.Classes{ByTask: map[string]sources.Classes{"a": {File: "a.txt"}, "b": {List: []string{"x"}}, "c": {File: "/c.txt"}}}}
	options.Resolve(&f, "classes", "/data")
	want := sources.Classes{ByTask: map[string]sources.Classes{"a": {File: "/data/a.txt"}, "b": {List: []string{"x"}}, "c": {File: "/c.txt"}}}
	if diff := cmp.Diff(want, f.Classes); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestClassesFixTheOrder(t *testing.T) {
	dir := tree(t, "cat/1.jpg", "dog/2.jpg", "cat/3.jpg")
	file := write(t, t.TempDir(), "classes.txt", "\ufeffdog\r\n\r\n  horse \r\ncat\r\n")
	for name, classes := range map[string]sources.Classes{
		"list":    {List: []string{"dog", "horse", "cat"}},
		"file":    {File: file},
		"JSON":    {File: write(t, t.TempDir(), "classes.JSON", "\ufeff[\"dog\",\n \"horse\", \"cat\"]\n")},
		"by task": {ByTask: map[string]sources.Classes{"class": {File: file}}},
	} {
		x := open(t, sources.Folder{Path: dir, Classes: classes}).Index()
		if diff := cmp.Diff([]string{"dog", "horse", "cat"}, x.Tasks()[0].Classes); diff != "" {
			t.Errorf("%s (-want +have)\n%s", name, diff)
		}
		if diff := cmp.Diff([]int64{1, 0, 2, 0}, schema.Counts(x, 0)); diff != "" {
			t.Errorf("%s (-want +have)\n%s", name, diff)
		}
	}
}

func TestClassesOfOneTaskOnly(t *testing.T) {
	dir := tree(t, "circle/stop/1.jpg", "square/go/2.jpg")
	x := open(t, sources.Folder{Path: dir, Tasks: []string{"shape", "type"}, Classes: sources.Classes{
		ByTask: map[string]sources.Classes{"shape": {List: []string{"square", "circle"}}}}}).Index()
	if diff := cmp.Diff([]string{"square", "circle"}, x.Tasks()[0].Classes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"go", "stop"}, x.Tasks()[1].Classes); diff != "" {
		t.Error(diff)
	}
}

func TestClassesErrors(t *testing.T) {
	dir := tree(t, "cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "emu/1.jpg")
	two := []string{"shape", "type"}
	files := t.TempDir()
	repeated := write(t, files, "repeated.txt", "cat\n\ndog\ncat\n")
	empty := write(t, files, "empty.txt", "\n\n")
	one := func(c sources.Classes) sources.Folder { return sources.Folder{Path: dir, Classes: c} }
	for name, c := range map[string]struct {
		source sources.Folder
		want   []string
	}{
		"not in the list": {one(sources.Classes{List: []string{"dog"}}), []string{
			`class "cat" of task "class" (2 samples, such as "cat/1.jpg")`, `"emu"`, "among the 1 class of the list given", "add it"}},
		"not in the file":      {one(sources.Classes{File: write(t, files, "c.txt", "cat\nemu\n")}), []string{`class "dog"`, "c.txt"}},
		"no file":              {one(sources.Classes{File: filepath.Join(files, "gone")}), []string{"classes: ", "gone", "there is no such file"}},
		"twice in the file":    {one(sources.Classes{File: repeated}), []string{`repeated.txt": line 4: "cat" repeats line 1`}},
		"a map in JSON":        {one(sources.Classes{File: write(t, files, "map.json", `{"0": "cat"}`)}), []string{`map.json": want a JSON list of names`}},
		"lines in JSON":        {one(sources.Classes{File: write(t, files, "lines.json", "cat\ndog\n")}), []string{`lines.json"`, "JSON"}},
		"a fraction in JSON":   {one(sources.Classes{File: write(t, files, "item.json", `["cat", 1.5]`)}), []string{`item.json": item 2: want a name, have 1.5`}},
		"twice in JSON":        {one(sources.Classes{File: write(t, files, "twice.json", `["cat", 1, 1]`)}), []string{`twice.json": item 3: "1" repeats item 2`}},
		"an empty file":        {one(sources.Classes{File: empty}), []string{"the list is empty"}},
		"twice in the list":    {one(sources.Classes{List: []string{"a", "b", "a", " "}}), []string{`classes: item 3: "a" repeats item 1`, "classes: item 4"}},
		"an empty list":        {one(sources.Classes{List: []string{}}), []string{"classes: the list is empty"}},
		"two forms":            {one(sources.Classes{List: []string{"a"}, File: "b"}), []string{"give one of"}},
		"another task":         {one(sources.Classes{ByTask: map[string]sources.Classes{"color": {List: []string{"a"}}}}), []string{`no task "color", only ["class"]`}},
		"an empty map":         {one(sources.Classes{ByTask: map[string]sources.Classes{}}), []string{"the map is empty"}},
		"a task without any":   {one(sources.Classes{ByTask: map[string]sources.Classes{"class": {}}}), []string{`"class": give a list`}},
		"in a task":            {one(sources.Classes{ByTask: map[string]sources.Classes{"class": {List: []string{"a", "a"}}}}), []string{`classes: "class": item 2`}},
		"a list for two tasks": {sources.Folder{Path: tree(t, "a/b/1.jpg"), Tasks: two, Classes: sources.Classes{List: []string{"a"}}}, []string{`2 tasks`, "write a map", "{shape: [...]}"}},
	} {
		t.Run(name, func(t *testing.T) { fails(t, c.source, c.want...) })
	}
}
