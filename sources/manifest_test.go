package sources_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// listed makes a folder with images a.jpg to f.jpg and sub/g.jpg, and a list.
func listed(t *testing.T, name, text string) string {
	t.Helper()
	return write(t, tree(t, "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg", "sub/g.jpg"), name, text)
}

func TestManifestConforms(t *testing.T) {
	csv := listed(t, "m.csv", "path,shape,type,weight\nb.jpg,circle,stop,2\na.jpg,square,,0\nsub/g.jpg,,go,\n")
	sourcetest.Run(t, func() sources.Source { return sources.Manifest{Path: csv} })
	jsonl := listed(t, "m.jsonl", `{"path": "b.jpg", "class": 3}`+"\n"+`{"path": "a.jpg"}`)
	sourcetest.Run(t, func() sources.Source { return &sources.Manifest{Path: jsonl} })
}

func TestManifestIndex(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		source           sources.Manifest
		tasks            []string
		want             string
		weights          []float32
	}{
		{"one label", "m.csv", "path,class\nb.jpg,dog\na.jpg,cat\n", sources.Manifest{},
			[]string{"class"}, lines("a.jpg cat", "b.jpg dog"), nil},
		{"labels, weights, unknown", "m.csv", "shape,path,weight,type\ncircle,b.jpg,0.5,\n,a.jpg,,stop\n", sources.Manifest{},
			[]string{"shape", "type"}, lines("a.jpg ? stop", "b.jpg circle ?"), []float32{1, 0.5}},
		{"chosen columns, in the order chosen", "m.csv", "id,file,x,y,w\n1,b.jpg,p,q,3\n2,a.jpg,r,s,-0\n",
			sources.Manifest{PathColumn: "file", Tasks: []string{"y", "x"}, WeightColumn: "w"},
			[]string{"y", "x"}, lines("a.jpg s r", "b.jpg q p"), []float32{0, 3}},
		{"an empty list is none given", "m.csv", "path,class\na.jpg,cat\n", sources.Manifest{Tasks: []string{}}, []string{"class"}, lines("a.jpg cat"), nil},
		{"paths only", "m.csv", "path\nb.jpg\na.jpg\n", sources.Manifest{}, nil, lines("a.jpg", "b.jpg"), nil},
		{"weight as a label", "m.csv", "path,weight\na.jpg,heavy\n", sources.Manifest{Tasks: []string{"weight"}}, []string{"weight"}, lines("a.jpg heavy"), nil},
		{"mark, CRLF, spaces, quotes, empty rows", "m.csv", "\ufeffpath, class\r\n\r\n\"a.jpg\", \"cat, small\"\r\n , \r\nb.jpg , dog \r\n", sources.Manifest{},
			[]string{"class"}, lines("a.jpg cat, small", "b.jpg dog"), nil},
		{"tabs", "m.TSV", "path\tclass\na.jpg\tbig cat\n", sources.Manifest{}, []string{"class"}, lines("a.jpg big cat"), nil},
		{"paths are cleaned", "m.csv", "path\n./a.jpg\nsub//g.jpg\nsub/../b.jpg\n", sources.Manifest{}, nil, lines("a.jpg", "b.jpg", "sub/g.jpg"), nil},
		{"an unnamed column that isn't used", "m.csv", ",path,class\n0,a.jpg,cat\n", sources.Manifest{Tasks: []string{"class"}}, []string{"class"}, lines("a.jpg cat"), nil},
		{"JSON: columns in order of appearance", "m.jsonl", `{"type": "stop", "path": "b.jpg"}` + "\n\n" + `{"shape": null, "path": "a.jpg", "type": ""}` + "\r\n" + `{"path": "c.jpg", "shape": "circle"}`,
			sources.Manifest{}, []string{"type", "shape"}, lines("a.jpg ? ?", "b.jpg stop ?", "c.jpg ? circle"), nil},
		{"JSON: numbers and truth", "m.ndjson", strings.Join([]string{
			`{"path": "a.jpg", "class": 7, "weight": 2}`, `{"path": "b.jpg", "class": 7.0, "weight": "0.5"}`, `{"path": "c.jpg", "class": 1e3, "weight": null}`,
			`{"path": "d.jpg", "class": -0.25}`, `{"path": "e.jpg", "class": 12345678901234567890123}`, `{"path": "f.jpg", "class": true}`}, "\n"),
			sources.Manifest{}, []string{"class"}, lines("a.jpg 7", "b.jpg 7.0", "c.jpg 1e3", "d.jpg -0.25", "e.jpg 12345678901234567890123", "f.jpg true"),
			[]float32{2, 0.5, 1, 1, 1, 1}},
		{"JSON: a list in a column that isn't used", "m.jsonl", `{"path": "a.jpg", "box": [1, 2], "class": "cat"}`, sources.Manifest{Tasks: []string{"class"}},
			[]string{"class"}, lines("a.jpg cat"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.source.Path = listed(t, c.file, c.text)
			x := open(t, c.source).Index()
			var tasks []string
			for _, task := range x.Tasks() {
				tasks = append(tasks, task.Name)
			}
			if diff := cmp.Diff(c.tasks, tasks); diff != "" {
				t.Errorf("tasks (-want +have)\n%s", diff)
			}
			if diff := cmp.Diff(c.want, table(x)); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			if c.weights == nil {
				c.weights = slices.Repeat([]float32{1}, x.Len())
			}
			if diff := cmp.Diff(c.weights, column(x, x.Weight)); diff != "" {
				t.Errorf("weights (-want +have)\n%s", diff)
			}
		})
	}
}

func TestManifestErrors(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		source           sources.Manifest
		want             []string
	}{
		{"empty", "m.csv", "", sources.Manifest{}, []string{"is empty", "header row"}},
		{"header only", "m.csv", "path,class\n", sources.Manifest{}, []string{"lists no image"}},
		{"empty JSON", "m.jsonl", "\n\n", sources.Manifest{}, []string{"lists no image"}},
		{"no path column", "m.csv", "file,class\na.jpg,cat\n", sources.Manifest{}, []string{`no column "path"`, `["file", "class"]`, "path_column"}},
		{"semicolons", "m.csv", "path;class\na.jpg;cat\n", sources.Manifest{}, []string{`no column "path"`, "separated by commas"}},
		{"no header", "m.csv", "a.jpg,cat\nb.jpg,dog\n", sources.Manifest{}, []string{`no column "path"`, "is it missing?"}},
		{"no such label, no such weight", "m.csv", "path,class\na.jpg,cat\n", sources.Manifest{Tasks: []string{"kind"}, WeightColumn: "w"},
			[]string{`no column "kind"`, "in tasks", `no column "w"`, "in weight_column"}},
		{"two columns of a name", "m.csv", "path,class,class\na.jpg,cat,dog\n", sources.Manifest{}, []string{`line 1: there are two columns "class"`}},
		{"an unnamed column", "m.csv", ",path,class\n0,a.jpg,cat\n", sources.Manifest{}, []string{"column 1 has no name", "tasks"}},
		{"several at once", "m.csv", "path,class,weight\na.jpg,cat,-1\ngone.jpg,cat,1\n\nb.jpg,dog\n,cat,1\na.jpg,dog,1\nsub,dog,nan\nc.jpg,cat,1e39\n", sources.Manifest{}, []string{
			`line 2: column "weight": "-1" is not a weight`, "line 5: has 2 cells where the header has 3",
			`line 6: column "path": the path is empty`, `line 7: column "path": "a.jpg" is already in line 2`, "line 8: ", "is not a regular file",
			`line 8: column "weight": "nan"`, `line 9: column "weight": "1e39"`}},
		{"one file in two spellings", "m.csv", "path\na.jpg\n./a.jpg\n", sources.Manifest{}, []string{`line 3: column "path": "./a.jpg" is already in line 2`}},
		{"backslashes", "m.csv", "path\nsub\\g.jpg\n", sources.Manifest{}, []string{"line 2", "write paths with slashes"}},
		{"an open quote", "m.csv", "path,class\na.jpg,cat\nb.jpg,\"dog\nc.jpg,cat\n", sources.Manifest{}, []string{"line 3", "quote"}},
		{"a line's number behind a cell of two lines", "m.csv", "path,class\na.jpg,\"c\nat\"\na.jpg,dog\n", sources.Manifest{}, []string{`line 4: column "path": "a.jpg" is already in line 2`}},
		{"CSV not UTF-8", "m.csv", "path,class\na.jpg,caf\xe9\n", sources.Manifest{}, []string{`line 2: column "class": "caf\xe9" is not UTF-8`}},
		{"UTF-16", "m.csv", "\xff\xfep\x00a\x00", sources.Manifest{}, []string{"UTF-16"}},
		{"no JSON", "m.jsonl", "{\"path\": \"a.jpg\"}\npath,class\n", sources.Manifest{}, []string{"line 2: is not a JSON object"}},
		{"bad JSON", "m.jsonl", "{\"path\": }\n{\"path\": \"a.jpg\"\n{\"path\": \"a.jpg\"} x\n{\"path\": \"a.jpg\", \"path\": \"b.jpg\"}\n", sources.Manifest{},
			[]string{"line 1: is not JSON", "line 2: the JSON object does not end", "line 3: something follows", `line 4: the name "path" occurs twice`}},
		{"one JSON list", "m.jsonl", "[{\"path\": \"a.jpg\"}]", sources.Manifest{}, []string{"line 1: is not a JSON object", "one object per line"}},
		{"a list as a label", "m.jsonl", `{"path": "a.jpg", "box": [1]}`, sources.Manifest{}, []string{`line 1: column "box": want text or a number, have a list`, "tasks"}},
		{"an object as a path", "m.jsonl", `{"path": {}, "class": 1e999}`, sources.Manifest{}, []string{`column "path"`, "an object"}},
		{"empty objects", "m.jsonl", "{}\n{}\n", sources.Manifest{}, []string{`no column "path"`}},
		{"JSON not UTF-8", "m.jsonl", "{\"path\": \"a\xe9.jpg\"}", sources.Manifest{}, []string{"line 1: is not UTF-8"}},
		{"JSON without a path", "m.jsonl", "{\"path\": \"a.jpg\"}\n{\"class\": \"cat\"}", sources.Manifest{}, []string{`line 2: column "path": the path is empty`}},
		{"a class that isn't given", "m.csv", "path,class\na.jpg,cat\n", sources.Manifest{Classes: sources.Classes{List: []string{"dog"}}}, []string{`class "cat"`, `"a.jpg"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.source.Path = listed(t, c.file, c.text)
			fails(t, c.source, append(c.want, "sources: manifest: ", c.file)...)
		})
	}
}

func TestManifestShowsTheFirstProblems(t *testing.T) {
	text := "path\n"
	for i := range 25 {
		text += fmt.Sprintf("gone%d.jpg\n", i)
	}
	source := sources.Manifest{Path: listed(t, "m.csv", text)}
	fails(t, source, "line 2: ", "line 11: ", "and 15 problems more")
	_, err := source.Open(context.Background())
	if n := strings.Count(err.Error(), "there is no file"); n != 10 {
		t.Errorf("%d problems are shown, want 10", n)
	}
}

func TestManifestCheck(t *testing.T) {
	for want, m := range map[string]sources.Manifest{
		"path: is missing":                 {},
		"must end in .csv":                 {Path: "m.parquet"},
		`tasks: "path" is the path column`: {Path: "m.csv", Tasks: []string{"path"}},
		`weight_column: "w" is used as`:    {Path: "m.csv", Tasks: []string{"w"}, WeightColumn: "w"},
		"tasks: item 2":                    {Path: "m.csv", Tasks: []string{"a", "a"}},
		"classes: the list is empty":       {Path: "m.csv", Classes: sources.Classes{List: []string{}}},
	} {
		if err := m.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check of %+v: %v, want %q", m, err, want)
		}
	}
	fails(t, sources.Manifest{Path: "no/such.csv"}, "no such file")
}

func TestManifestWarnings(t *testing.T) {
	names := make([]string, 25)
	text := "path,id,empty\n"
	for i := range names {
		names[i] = fmt.Sprintf("%02d.jpg", i)
		text += fmt.Sprintf("%s,%d,\n", names[i], i)
	}
	dir := tree(t, names...)
	have := warnings(open(t, sources.Manifest{Path: write(t, dir, "m.csv", text)}))
	for _, want := range []string{`column "id" makes 25 classes, such as "0" (1 sample, such as "00.jpg"), and is probably not a label: it has a different value in every row`, `column "empty" has no label`} {
		if !strings.Contains(have, want) {
			t.Errorf("warnings lack %q: %s", want, have)
		}
	}
	absolute := write(t, t.TempDir(), "m.csv", "path\n"+filepath.Join(dir, "00.jpg")+"\n")
	d := open(t, sources.Manifest{Path: absolute})
	if have := warnings(d); !strings.Contains(have, "paths are absolute") {
		t.Errorf("warnings: %s", have)
	}
	if b, err := d.Read(context.Background(), 0, nil); err != nil || string(b) != "00.jpg" {
		t.Errorf("%q, %v", b, err)
	}
}

// A column's name is a reason to doubt that it is a label only if tasks doesn't name
// it, and it has no word for class.
func TestManifestNamesOfNoLabel(t *testing.T) {
	const rows, classes = 360, 25
	names := make([]string, rows)
	for i := range names {
		names[i] = fmt.Sprintf("%03d.jpg", i)
	}
	dir := tree(t, names...)
	list := func(column string) string {
		text := "path," + column + "\n"
		for i, name := range names {
			text += fmt.Sprintf("%s,%d\n", name, i%classes)
		}
		return write(t, dir, "m.csv", text)
	}
	for _, column := range []string{"class_id", "Class ID", "category_id", "class_name", "label_idx", "label", "target", "species.id", "breed_name", "age", "city_name", "plant_id", "number", "name"} {
		if have := warnings(open(t, sources.Manifest{Path: list(column)})); strings.Contains(have, "probably no label") {
			t.Errorf("%s: %s", column, have)
		}
	}
	for _, column := range []string{"id", "Index", "score", "width", "user_id", "image id", "file-name", "image_width", "box.x", "detection_score", "url"} {
		if have := warnings(open(t, sources.Manifest{Path: list(column)})); !strings.Contains(have, "its name is not that of a label") {
			t.Errorf("%s: %q", column, have)
		}
		if have := warnings(open(t, sources.Manifest{Path: list(column), Tasks: []string{column}})); strings.Contains(have, "probably no label") {
			t.Errorf("%s, named in tasks: %s", column, have)
		}
	}
}

// Moving a row changes nothing.
func TestManifestOrderOfRows(t *testing.T) {
	one := open(t, sources.Manifest{Path: listed(t, "m.csv", "path,class\nb.jpg,dog\na.jpg,cat\nc.jpg,cat\n")}).Index()
	two := open(t, sources.Manifest{Path: listed(t, "other.csv", "path,class\na.jpg,cat\nc.jpg,cat\nb.jpg,dog\n")}).Index()
	if diff := cmp.Diff(one, two); diff != "" {
		t.Errorf("(-one +two)\n%s", diff)
	}
}

func TestManifestChangedAfterOpen(t *testing.T) {
	path := listed(t, "m.csv", "path\na.jpg\n")
	d := open(t, sources.Manifest{Path: path})
	must(t, os.Remove(filepath.Join(filepath.Dir(path), "a.jpg")))
	if _, err := d.Read(context.Background(), 0, nil); err == nil || !strings.Contains(err.Error(), `sources: manifest: "a.jpg": `) {
		t.Errorf("Read: %v", err)
	}
}
