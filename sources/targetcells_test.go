package sources_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/coco"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// values are those of a column.
func values(t *testing.T, d sources.Dataset, name string) []string {
	t.Helper()
	for i, c := range d.Index().Columns() {
		if c.Name == name {
			return column(d.Index(), func(s int) string { return fmt.Sprint(d.Index().Value(i, s)) })
		}
	}
	t.Fatalf("there is no column %q", name)
	return nil
}

// bothLists makes a source of a list's rows, also as a folder's metadata.
func bothLists(t *testing.T, extension, text string, m sources.Manifest) map[string]sources.Source {
	t.Helper()
	dir := tree(t, "1.jpg", "2.jpg", "3.jpg", "4.jpg")
	m.Path, m.PathColumn = write(t, t.TempDir(), "list"+extension, text), "file_name"
	for _, name := range []string{"1.jpg", "2.jpg", "3.jpg", "4.jpg"} {
		write(t, filepath.Dir(m.Path), name, name)
	}
	write(t, dir, "metadata"+extension, text)
	return map[string]sources.Source{"manifest": m,
		"folder": sources.Folder{Path: dir, Tasks: m.Tasks, Meta: m.Meta, Multi: m.Multi, Values: m.Values, Objects: m.Objects},
		"tar":    sources.Folder{Path: asTar(t, dir), Tasks: m.Tasks, Meta: m.Meta, Multi: m.Multi, Values: m.Values, Objects: m.Objects}}
}

func TestMultiAndValues(t *testing.T) {
	for extension, text := range map[string]string{
		".csv":   "file_name,tags,age,kind\n4.jpg,night; rain,1e3,x\n1.jpg,day,2.5,x\n2.jpg,,,y\n3.jpg,;,-0,y\n",
		".jsonl": "{\"file_name\":\"4.jpg\",\"tags\":[\"rain\",\"night\"],\"age\":1e3,\"kind\":\"x\"}\n{\"file_name\":\"1.jpg\",\"tags\":\"day\",\"age\":2.5,\"kind\":\"x\"}\n{\"file_name\":\"2.jpg\",\"tags\":null,\"kind\":\"y\"}\n{\"file_name\":\"3.jpg\",\"tags\":[],\"age\":\"-0\",\"kind\":\"y\"}\n",
	} {
		for name, s := range bothLists(t, extension, text, sources.Manifest{Multi: sources.Multi{"weather": {Column: "tags"}}, Values: sources.ValueColumns{"age": "age"}}) {
			d := open(t, s)
			same(t, name+extension, values(t, d, "label.weather"), []string{"[0]", "<nil>", "[]", "[1 2]"})
			same(t, name+extension, values(t, d, "label.age"), []string{"2.5", "<nil>", "-0", "1000"})
			spec := schema.TargetSpecOf(d.Index())
			if len(spec.Multi) != 1 || spec.Multi[0].Name != "weather" || !slices.Equal(spec.Multi[0].Classes, []string{"day", "night", "rain"}) {
				t.Errorf("%+v", spec)
			}
			if tasks := d.Index().Tasks(); len(tasks) != 1 || tasks[0].Name != "kind" {
				t.Errorf("%s: tasks are %v", name, tasks)
			}
			must(t, schema.Check(d.Index()))
		}
	}
}

func TestMultiAndValueErrors(t *testing.T) {
	fixed := sources.Multi{"tags": {Classes: sources.ClassList{List: []string{"day", "night"}}}}
	for text, want := range map[string]string{
		`{"file_name":"1.jpg","tags":["day","Night"]}`: `line 1: column "tags": class "Night" of task "tags" is not among the 2 classes`,
		`{"file_name":"1.jpg","tags":{"a":1}}`:         `want a list of labels, have an object`,
		`{"file_name":"1.jpg","tags":[["day"]]}`:       `item 1 is no label`,
		`{"file_name":"1.jpg","tags":[""]}`:            `item 1 is empty`,
		`{"file_name":"1.jpg","tags":[],"age":"old"}`:  `line 1: column "age": "old" is not a value`,
		`{"file_name":"1.jpg","tags":[],"age":[1]}`:    `a list is not a value`,
		`{"file_name":"1.jpg","tags":[],"age":1e99}`:   `"1e99" is not a value`,
		`{"file_name":"1.jpg","age":1}`:                `there is no column "tags"`,
	} {
		if !strings.Contains(text, "age") {
			text = strings.Replace(text, "}", `,"age":1}`, 1)
			if strings.Contains(text, `{"a":1,"age":1}`) {
				text = `{"file_name":"1.jpg","tags":{"a":1},"age":1}`
			}
		}
		for _, s := range bothLists(t, ".jsonl", text+"\n", sources.Manifest{Multi: fixed, Values: sources.ValueColumns{"age": "age"}}) {
			fails(t, s, want)
		}
	}
	m := sources.Manifest{Path: "a.csv", Tasks: []string{"kind"}, Meta: sources.Meta{{Name: "note"}}, Multi: sources.Multi{"kind": {Column: "tags"}, "b": {Column: "note"}}, Values: sources.ValueColumns{"v": "path"}}
	err := m.Check()
	for _, want := range []string{`multi: "kind" is one of tasks, too`, `multi: "note" is already the column of meta`, `values: "path" is already the column of the paths`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
}

func TestObjects(t *testing.T) {
	text := `{"file_name":"4.jpg","objects":{"bbox":[[1,2,10,20],[0.5,0,3,4]],"categories":["red","white"],"id":[7,8],"area":[200,12],"iscrowd":[0,1],"keypoints":[[1,2,2,3,4,1],[5,5,0,6,6,2]]}}
{"file_name":"1.jpg","objects":[{"bbox":[0,0,5,5],"category":"red"},{"bbox":[1,1,2,2],"category":"blue","id":3}]}
{"file_name":"2.jpg","objects":{"bbox":[],"categories":[]}}
{"file_name":"3.jpg"}
`
	for name, s := range bothLists(t, ".jsonl", text, sources.Manifest{Objects: sources.Objects{Column: "objects", Keypoints: []string{"left", "right"}, Mirror: map[string]string{"left": "right"}}}) {
		d := open(t, s)
		x := d.Index()
		spec := schema.TargetSpecOf(x)
		must(t, spec.Check())
		same(t, "classes", spec.Classes, []string{"blue", "red", "white"})
		same(t, "mirrored", spec.Mirrored, []int{1, 0})
		for i, want := range [][]int32{{1, 0}, {}, {}, {1, 2}} {
			same(t, name, schema.ObjectLabelsOf(x, i), want)
		}
		last := targets(t, d, 3).Objects
		if o := last[0]; o.Box != [4]float32{1, 2, 11, 22} || o.ID != 7 || o.Area != 200 || o.Crowd || o.Label != 1 {
			t.Errorf("%+v", o)
		}
		if o := last[1]; o.Box != [4]float32{0.5, 0, 3.5, 4} || !o.Crowd || !slices.Equal(o.Keypoints, []float32{0, 0, 0, 6, 6, 2}) {
			t.Errorf("%+v", o)
		}
		if o := targets(t, d, 0).Objects; len(o) != 2 || o[1].ID != 3 || o[0].ID != 0 {
			t.Errorf("%+v", o)
		}
		if text := warnings(d); !strings.Contains(text, `1 row with no objects in the column "objects", such as "3.jpg"`) {
			t.Error(text)
		}
		if name == "manifest" {
			moved := s.(sources.Manifest)
			other := bothLists(t, ".jsonl", strings.Replace(text, "[0,0,5,5]", "[0,0,5,5.5]", 1), moved)["manifest"]
			if sources.Identity(x) == sources.Identity(open(t, other).Index()) {
				t.Error("a box that differs is not in the identity")
			}
		}
	}
}

// What makes classes that nobody meant is told: other spellings, another separator.
func TestSeveralLabelsRemarks(t *testing.T) {
	for text, c := range map[string]struct{ option, want string }{
		"a|b,c|a,b,c|b": {"multi", `3 of the 4 classes of task "tags" have "|" in their names, such as "a|b": if it stands between labels, say separator: "|"`},
		"a;b,c;a,b,c;b": {"tasks", `3 of the 4 classes of task "tags" have ";" in their names, such as "a;b": if it stands between labels, read them by multi: {tags: {column: tags, separator: ";"}}`},
		"a;b,B,c,":      {"multi", `the classes "B" (1 sample, such as "2.jpg") and "b" (1 sample, such as "1.jpg") of task "tags" differ only in letter case`},
		"a|x,b,c,d":     {"multi", ""},
		"a;b,c;a,b,c":   {"multi", ""},
		"a;x,b;y,c,d":   {"tasks", ""},
		"a;a,b;a;b":     {"multi", `2 labels with the same one in its cell, such as "a" of task "tags": it counts once`},
	} {
		m := sources.Manifest{Tasks: []string{}, Multi: sources.Multi{"tags": {}}}
		if c.option == "tasks" {
			m = sources.Manifest{Tasks: []string{"tags"}}
		}
		rows := "file_name,tags\n"
		for i, cell := range strings.Split(text, ",") {
			rows += fmt.Sprintf("%d.jpg,%s\n", i+1, cell)
		}
		for name, s := range bothLists(t, ".csv", rows, m) {
			if have := warnings(open(t, s)); c.want != "" && !strings.Contains(have, c.want) || c.want == "" && (strings.Contains(have, "in their names") || strings.Contains(have, "differ only")) {
				t.Errorf("%s, %s: %s, want %s", name, text, have, c.want)
			}
		}
	}
}

// Names that aren't among the classes are told, with those that were probably meant.
func TestStrangeClasses(t *testing.T) {
	text := `{"file_name":"1.jpg","objects":{"bbox":[[1,2,10,20],[5,5,4,9],[1,1,1,9]],"category":["red","whites","red"]}}` + "\n"
	for name, s := range bothLists(t, ".jsonl", text, sources.Manifest{Objects: sources.Objects{Classes: sources.ClassList{List: []string{"Red", "white"}}}}) {
		want := `3 objects with a class that isn't among classes, such as "red" (2) ("Red" is, which differs only in letter case), "whites" (1) (did you mean "white"?): left out`
		if text := warnings(open(t, s)); !strings.Contains(text, want) {
			t.Errorf("%s: %s lacks %s", name, text, want)
		}
	}
}

func TestBadObjects(t *testing.T) {
	text := `{"file_name":"1.jpg","objects":{"bbox":[[1,2,10,20],[5,5,4,9],[1,1,1,9],[1e99,0,1,1],[0,0,9,9],[0,0,9,9],[0,0,null,9]],"category":[0,1,0,0,2,null,0]}}` + "\n"
	m := sources.Manifest{Objects: sources.Objects{BBox: sources.XYXY, Classes: sources.ClassList{List: []string{"red", "white"}}}}
	for name, s := range bothLists(t, ".jsonl", text, m) {
		d := open(t, s)
		same(t, name, schema.ObjectLabelsOf(d.Index(), 0), []int32{0})
		for _, want := range []string{
			`1 object with a box whose corners are exchanged, such as object 2 of "1.jpg": [5 5 4 9]: left out: write left, top, right and bottom, or set bbox: xywh`,
			`1 object with a box without width or height, such as object 3 of "1.jpg"`,
			`2 objects with a box that isn't four finite numbers, such as object 4 of "1.jpg"`,
			`2 objects with an unknown category, such as object 5 of "1.jpg": 2`,
		} {
			if !strings.Contains(warnings(d), want) {
				t.Errorf("%s: %s lacks %s", name, warnings(d), want)
			}
		}
	}
	for objects, want := range map[string]string{
		`{"bbox":[[1,2,3,4]],"category":[]}`:                    `line 1: column "objects": bbox has 1 item and category 0`,
		`{"bbox":[[1,2,3,4]],"category":[0],"id":[1,2]}`:        `bbox has 1 item and id 2`,
		`{"bbox":[[1,2,3,4]],"category":[0],"area":[]}`:         `bbox has 1 item and area 0`,
		`{"bbox":[[1,2,3]],"category":[0]}`:                     `the box of object 1 has 3 numbers: want 4`,
		`{"bbox":[["1",2,3,4]],"category":[0]}`:                 `the box of object 1 holds something other than numbers`,
		`{"bbox":[[1,2,3,4]],"category":[0.5]}`:                 `is no whole number`,
		`{"bbox":[[1,2,3,4]],"category":[[0]]}`:                 `is neither a text nor a number`,
		`{"category":[0]}`:                                      `it has no list bbox`,
		`{"bbox":[]}`:                                           `it has no list category`,
		`"red"`:                                                 `is not JSON`,
		`[1]`:                                                   `item 1 is not a structure`,
		`{"bbox":[[1,2,3,4]],"category":[0],"iscrowd":["yes"]}`: `iscrowd of object 1 is not a number`,
		`{"bbox":[[1,2,3,4]],"category":[0],"id":[1.5]}`:        `id of object 1, 1.5, is no whole number`,
	} {
		for _, s := range bothLists(t, ".jsonl", `{"file_name":"1.jpg","objects":`+objects+"}\n", m) {
			fails(t, s, want)
		}
	}
}

// Whatever a cell holds, it is read, or an error in a few words.
func FuzzTargetCells(f *testing.F) {
	f.Add(`{"bbox":[[1,2,10,20]],"category":["red"],"id":[1],"area":[2],"iscrowd":[true],"keypoints":[[1,2,2]]}`, `["a","b"]`)
	f.Add(`[{"bbox":[1,2,3,4],"category":0},{"bbox":[1,2,3,4],"label":"x","id":7}]`, `"a;b"`)
	f.Add(`{"bbox":[[1e999,null,[3],4]],"category":[-1]}`, `null`)
	f.Add(`[]`, `[1,2]`)
	f.Fuzz(func(t *testing.T, objects, tags string) {
		dir := t.TempDir()
		write(t, dir, "a.jpg", "a")
		list := write(t, dir, "list.jsonl", `{"path":"a.jpg","objects":`+objects+`,"tags":`+tags+"}\n")
		x := openAny(t, sources.Manifest{Path: list, Tasks: []string{}, Objects: sources.Objects{Column: "objects", Keypoints: []string{"nose"}}, Multi: sources.Multi{"tags": {}}})
		if x == nil {
			return
		}
		must(t, schema.Check(x))
		spec := schema.TargetSpecOf(x)
		must(t, spec.Check())
		for s := range x.Len() {
			for _, label := range schema.ObjectLabelsOf(x, s) {
				if label < 0 || int(label) >= len(spec.Classes) {
					t.Errorf("label %d of %d classes", label, len(spec.Classes))
				}
			}
		}
	})
}

// Polygons are those that COCO's segmentation has, in lists of objects and in lists of parts.
func TestPolygonsInColumns(t *testing.T) {
	text := `{"file_name":"1.jpg","objects":{"bbox":[[0,0,9,9],[0,0,9,9],[1,1,2,2]],"category":["a","a","b"],"segmentation":[[[0,0,9,0,9,9],[1,1,2,1,2,2,1,2]],[1,1,5,1,5.5,5],null]}}
{"file_name":"2.jpg","objects":[{"bbox":[0,0,5,5],"category":"a","segmentation":[[0,0,5,0,5,5]]},{"bbox":[1,1,2,2],"category":"b"}]}
{"file_name":"3.jpg","objects":{"bbox":[[0,0,9,9],[0,0,9,9],[0,0,9,9],[0,0,9,9]],"category":["a","a","a","a"],"segmentation":[[[0,0,9,9]],"x",[[1,1,2,2,3,3,4]],[[0,0,1,1,1e60,2],[0,0,1,0,1,1]]]}}
{"file_name":"4.jpg","objects":{"bbox":[],"category":[],"segmentation":[]}}
`
	want := map[string][][][]float32{
		"1.jpg": {{{0, 0, 9, 0, 9, 9}, {1, 1, 2, 1, 2, 2, 1, 2}}, {{1, 1, 5, 1, 5.5, 5}}, nil},
		"2.jpg": {{{0, 0, 5, 0, 5, 5}}, nil},
		"3.jpg": {nil, nil, nil, {{0, 0, 1, 0, 1, 1}}},
		"4.jpg": nil,
	}
	m := sources.Manifest{Objects: sources.Objects{Column: "objects"}}
	for name, s := range bothLists(t, ".jsonl", text, m) {
		d := open(t, s)
		x := d.Index()
		if !schema.TargetSpecOf(x).Polygons {
			t.Errorf("%s: the spec has no polygons", name)
		}
		for sample := range x.Len() {
			var have [][][]float32
			one := targets(t, d, sample)
			must(t, schema.TargetSpecOf(x).CheckTargets(&one))
			for _, o := range one.Objects {
				have = append(have, o.Polygon)
			}
			if key := filepath.Base(x.Key(sample)); !reflect.DeepEqual(have, want[key]) {
				t.Errorf("%s: %s: %v, want %v", name, key, have, want[key])
			}
		}
		for _, want := range []string{
			`1 polygon with fewer than three points, such as object 1 of "3.jpg": part 0 has 2 points`,
			`1 object with a segmentation that is neither a polygon nor an RLE, such as object 2 of "3.jpg"`,
			`2 polygons with an odd number of numbers, or one that isn't finite, such as object 3 of "3.jpg": part 0 has 7 numbers`,
		} {
			if !strings.Contains(warnings(d), want) {
				t.Errorf("%s: %s lacks %s", name, warnings(d), want)
			}
		}
		other := bothLists(t, ".jsonl", strings.Replace(text, "5.5,5]", "5.25,5]", 1), m)[name]
		if sources.Identity(x) == sources.Identity(open(t, other).Index()) {
			t.Error("a polygon that differs is not in the identity")
		}
	}
	for _, s := range bothLists(t, ".jsonl", `{"file_name":"1.jpg","objects":{"bbox":[[1,2,3,4]],"category":["a"],"segmentation":[]}}`+"\n", m) {
		fails(t, s, "bbox has 1 item and segmentation 0")
	}
}

// Run-length encoded masks become the outlines of their pixels, as those of the source coco do.
func TestMasksInObjects(t *testing.T) {
	const counts = "[5,2,2,2,13]" // of 4 x 6: rows and columns 1 and 2
	text, err := coco.Encode([]byte{
		0, 0, 0, 0, 0, 0,
		0, 1, 1, 0, 0, 0,
		0, 1, 1, 0, 0, 0,
		0, 0, 0, 0, 0, 0}, 4, 6)
	must(t, err)
	m := sources.Manifest{Objects: sources.Objects{Column: "objects"}}
	box, square := `[1,1,2,2]`, [][]float32{{3, 1, 3, 3, 1, 3, 1, 1}}
	for _, c := range []struct {
		name, object string
		want         [][]float32
		warning      string
	}{
		{"lengths", `{"size":[4,6],"counts":` + counts + `}`, square, ""},
		{"compressed", `{"size":[4,6],"counts":"` + string(text.AppendEncoded(nil)) + `"}`, square, ""},
		{"too short", `{"size":[4,6],"counts":[5,2]}`, nil, "an RLE that can't be read, such as object 1"},
		{"nonsense", `{"size":[4,6],"counts":"~~"}`, nil, "an RLE that can't be read"},
		{"negative", `{"size":[4,6],"counts":[-5,29]}`, nil, "count 0 is -5"},
		{"no size", `{"counts":` + counts + `}`, nil, "its size is <nil>"},
		{"huge", `{"size":[1e9,1e9],"counts":` + counts + `}`, nil, "an RLE that can't be read"},
		{"of another size", `{"size":[6,4],"counts":` + counts + `}`, nil, "an RLE that lies elsewhere than the box"},
		{"null", `{"size":null,"counts":null}`, nil, ""},
		{"something else", `"x"`, nil, "neither a polygon nor an RLE"},
	} {
		for name, s := range bothLists(t, ".jsonl", `{"file_name":"1.jpg","objects":[{"bbox":`+box+`,"category":"a","segmentation":`+c.object+`}]}`+"\n", m) {
			d := open(t, s)
			o := targets(t, d, 0).Objects
			if len(o) != 1 || !reflect.DeepEqual(o[0].Polygon, c.want) {
				t.Errorf("%s, %s: %+v, want %v", c.name, name, o, c.want)
			}
			if have := warnings(d); !strings.Contains(have, c.warning) || c.warning == "" && strings.Contains(have, "RLE") {
				t.Errorf("%s, %s: %s", c.name, name, have)
			}
		}
	}
	of := `{"size":[[4,6],null],"counts":[` + counts + `,null]}` // a structure of lists, as datasets keeps structures in a list
	for name, s := range bothLists(t, ".jsonl", `{"file_name":"1.jpg","objects":{"bbox":[`+box+`,`+box+`],"category":["a","a"],"segmentation":`+of+`}}`+"\n", m) {
		if o := targets(t, open(t, s), 0).Objects; len(o) != 2 || !reflect.DeepEqual(o[0].Polygon, square) || o[1].Polygon != nil {
			t.Errorf("%s: %+v", name, o)
		}
	}
}
