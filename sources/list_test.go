package sources_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/sources"
)

// in writes the labels of a column as both formats have them, for images
// 0.jpg, 1.jpg ..., and opens both, which must agree.
func in(t *testing.T, cells ...string) sources.Dataset {
	t.Helper()
	var names []string
	csv, jsonl := "path,class\n", ""
	for i, cell := range cells {
		name := fmt.Sprintf("%d.jpg", i)
		names = append(names, name)
		csv += fmt.Sprintf("%s,\"%s\"\n", name, cell)
		jsonl += fmt.Sprintf("{\"path\": %q, \"class\": %q}\n", name, cell)
	}
	dir := tree(t, names...)
	a, b := open(t, sources.Manifest{Path: write(t, dir, "m.csv", csv)}), open(t, sources.Manifest{Path: write(t, dir, "m.jsonl", jsonl)})
	if diff := cmp.Diff(a.Index(), b.Index()); diff != "" {
		t.Errorf("(-CSV +JSONL)\n%s", diff)
	}
	return a
}

func TestLabelsOfLists(t *testing.T) {
	for _, c := range []struct {
		cells  []string
		want   string
		labels []int32
	}{
		{[]string{"10", "2", "1"}, "1,2,10", []int32{2, 1, 0}},
		{[]string{"1", "1.0", " 1", "+1", "1.", "1e0"}, "1", []int32{0, 0, 0, 0, 0, 0}},
		{[]string{"-1", "-10", "0", "-0", "0.0"}, "-10,-1,0", []int32{1, 0, 2, 2, 2}},
		{[]string{"007", "7", "10"}, "007,7,10", []int32{0, 1, 2}},
		{[]string{"3", "", " ", "20"}, "3,20", []int32{0, -1, -1, 1}},
		{[]string{"123456789012345678901234567890", "9"}, "9,123456789012345678901234567890", []int32{1, 0}},
		{[]string{"10", "2", "x"}, "10,2,x", []int32{0, 1, 2}},
		{[]string{"10", "2", "0.5"}, "0.5,10,2", []int32{1, 2, 0}},
		{[]string{"cat ", "cat", " cat", "Dog"}, "Dog,cat", []int32{1, 1, 1, 0}},
	} {
		d := in(t, c.cells...)
		if have := classes(d); have != c.want {
			t.Errorf("%q: classes %s, want %s", c.cells, have, c.want)
		}
		if diff := cmp.Diff(c.labels, labels(d.Index(), 0)); diff != "" {
			t.Errorf("%q (-want +have)\n%s", c.cells, diff)
		}
	}
	// JSON's own numbers are read as they are written.
	dir := tree(t, "0.jpg", "1.jpg", "2.jpg", "3.jpg")
	numbers := "{\"path\": \"0.jpg\", \"class\": 10}\n{\"path\": \"1.jpg\", \"class\": 2.0}\n{\"path\": \"2.jpg\", \"class\": 1e1}\n{\"path\": \"3.jpg\", \"class\": null}\n"
	d := open(t, sources.Manifest{Path: write(t, dir, "m.jsonl", numbers)})
	if diff := cmp.Diff([]int32{1, 0, 1, -1}, labels(d.Index(), 0)); diff != "" || classes(d) != "2,10" {
		t.Errorf("classes %s (-want +have)\n%s", classes(d), diff)
	}
	// Given classes may be written otherwise, too.
	given := sources.Manifest{Path: write(t, dir, "g.csv", "path,class\n0.jpg,10.0\n1.jpg,2\n"), Classes: sources.Classes{List: []string{"10", "2.0"}}}
	if diff := cmp.Diff([]int32{0, 1}, labels(open(t, given).Index(), 0)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestRemarksOnLabels(t *testing.T) {
	for _, name := range []string{"nan", "NaN", "None", "null", "N/A", "-1", "-1.0", "#N/A", "undefined", `""`} {
		cells := []string{"x", "y", strings.ReplaceAll(name, `"`, `'`), "y"}
		warned(t, in(t, cells...), fmt.Sprintf("the class %q", cells[2]), `(1 sample, such as "2.jpg")`, "looks like a missing label", "leave the cell empty")
	}
	quiet(t, in(t, "0", "1", "", "0"))
	warned(t, in(t, "0.25", "0.5", "1e-3", "0.25"), `the column "class" makes 3 classes`, "numbers with fractions", "tasks")
	warned(t, in(t, "Cat", "cat"), "differ only in letter case")

	scores := func(n, values int, column string) sources.Dataset {
		var names []string
		text := "path," + column + "\n"
		for i := range n {
			names = append(names, fmt.Sprintf("%04d.jpg", i))
			text += fmt.Sprintf("%04d.jpg,%d\n", i, i%values)
		}
		return open(t, sources.Manifest{Path: write(t, tree(t, names...), "m.csv", text)})
	}
	warned(t, scores(60, 60, "photo"), "a different value in every row")
	warned(t, scores(60, 30, "photo"), "makes 30 classes", "only 60 rows with a label")
	warned(t, scores(150, 30, "user_id"), "makes 30 classes", `as "0" (5 samples, such as "0000.jpg")`, "its name is not that of a label")
	quiet(t, scores(150, 30, "species"))
}

func TestMissingFilesOfLists(t *testing.T) {
	dir := tree(t, "a.jpg", "sub/b.jpg")
	for _, list := range []string{
		write(t, dir, "m.csv", "path,class\ngone.jpg,x\na.jpg,y\na.jpg/c.jpg,x\n"),
		write(t, dir, "m.jsonl", "{\"path\": \"gone.jpg\", \"class\": \"x\"}\n{\"path\": \"a.jpg\", \"class\": \"y\"}\n{\"path\": \"a.jpg/c.jpg\", \"class\": \"x\"}\n"),
	} {
		d := open(t, sources.Manifest{Path: list})
		if diff := cmp.Diff(lines("a.jpg y", "a.jpg/c.jpg x", "gone.jpg x"), table(d.Index())); diff != "" {
			t.Errorf("(-want +have)\n%s", diff)
		}
		if diff := cmp.Diff([]int64{5, -1, -1}, sizes(d.Index())); diff != "" {
			t.Errorf("sizes (-want +have)\n%s", diff)
		}
		warned(t, d, "2 of 3 files are missing", "gone.jpg", "on_error")
		if _, err := d.Read(context.Background(), 2, nil); !errors.Is(err, sources.ErrMissing) {
			t.Errorf("Read: %v", err)
		}
	}
	fails(t, sources.Manifest{Path: write(t, dir, "all.csv", "path\nb.jpg\nc.jpg\n")}, `line 2: there is no file`, "b.jpg", "line 3", "relative to the folder of the list")
}

func TestPathsOfLists(t *testing.T) {
	nfc, nfd := "caf\u00e9", "cafe\u0301"
	dir := tree(t, nfd+"/"+nfc+".jpg", nfc+"/other.jpg", " lead.jpg", "b.jpg", "\u1ebf.jpg")
	list := func(text string) sources.Manifest {
		return sources.Manifest{Path: write(t, dir, "m.csv", "path\n"+text)}
	}
	// The key is the path as the list has it, and the file is found.
	d := open(t, list(nfc+"/"+nfd+".jpg\ne\u0302\u0301.jpg\n"))
	if diff := cmp.Diff([]string{nfc + "/" + nfd + ".jpg", "e\u0302\u0301.jpg"}, keys(d.Index())); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	for i, want := range []string{nfd + "/" + nfc + ".jpg", "\u1ebf.jpg"} {
		if b, err := d.Read(context.Background(), i, nil); err != nil || string(b) != want {
			t.Errorf("%q, %v", b, err)
		}
	}
	quiet(t, d)
	warned(t, open(t, list(nfd+"/"+nfc+".jpg\n"+nfc+"/"+nfd+".jpg\n")), "1 row: paths in different Unicode normal forms name the same file")
	// The source's own path likewise.
	must(t, os.Mkdir(filepath.Join(dir, "x"+nfd), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "x"+nfd, nfd+".csv"), []byte("path\n../b.jpg\n"), 0o644))
	open(t, sources.Manifest{Path: filepath.Join(dir, "x"+nfc, nfc+".csv")})
	must(t, os.WriteFile(filepath.Join(dir, "x"+nfd, "1.jpg"), nil, 0o644))
	open(t, sources.Folder{Path: filepath.Join(dir, "x"+nfc)})
	fails(t, sources.Folder{Path: filepath.Join(dir, "y"+nfc)}, "no such folder")
	// Spaces at the ends count where a file's name has them.
	if diff := cmp.Diff([]string{" lead.jpg", "b.jpg"}, keys(open(t, list("\" lead.jpg\"\n\" b.jpg \"\n")).Index())); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	for _, url := range []string{"https://host/1.png", "s3://bucket/a b.jpg", "HTTP://HOST/X.JPG", "file:///data/1.png", "data:image/png;base64,iVBOR"} {
		fails(t, list("b.jpg\n\""+url+"\"\n"), fmt.Sprintf("line 3: column \"path\": %q is a URL: download it first", url))
		fails(t, sources.Manifest{Path: write(t, dir, "m.jsonl", fmt.Sprintf("{\"path\": %q}", url))}, fmt.Sprintf("%q is a URL", url))
	}
}

func TestLineEnds(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"m.csv", "path,class\ra.jpg,x\rb.jpg,y\r"}, {"m.tsv", "path\tclass\ra.jpg\tx"}, {"n.csv", "path,class\na.jpg,x\rb.jpg,y\r"},
		{"m.jsonl", "{\"path\": \"a.jpg\"}\r{\"path\": \"b.jpg\"}\r"},
	} {
		fails(t, sources.Manifest{Path: listed(t, c.name, c.text)}, "lines end in CR alone")
	}
	quiet(t, open(t, sources.Manifest{Path: listed(t, "m.csv", "path,class\r\na.jpg,x\r\nb.jpg,y\r\n")}))
	fails(t, sources.Manifest{Path: listed(t, "m.jsonl", "{\"path\": \"a.jpg\", \"class\": NaN}\n")}, "line 1: is not JSON", "write null")
}

// Whatever is in a list, reading it costs little and messages quote it briefly.
func TestListLimits(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	columns := strings.Repeat(",c", 5000)
	for i := range 5000 {
		columns = strings.Replace(columns, ",c,", fmt.Sprintf(",c%d,", i), 1)
	}
	object := "{\"path\": \"a.jpg\""
	for i := range 1200 {
		object += fmt.Sprintf(", \"c%d\": 1", i)
	}
	for _, c := range []struct {
		name, text string
		source     sources.Manifest
		want       []string
	}{
		{"m.csv", "path,class\na.jpg," + long + "\n", sources.Manifest{}, []string{"line 2: the row that begins here has more than 1048576 bytes", "max_line"}},
		{"m.csv", "path,class\na.jpg,\"" + strings.Repeat("x\n", 1<<20) + "\"\n", sources.Manifest{}, []string{"line 2: the row that begins here", "is a quote missing?"}},
		{"m.csv", long, sources.Manifest{}, []string{"line 1: the row that begins here"}},
		{"m.jsonl", "{\"path\": \"a.jpg\"}\n{\"path\": \"" + long + "\"}", sources.Manifest{}, []string{"line 2: the row that begins here"}},
		{"m.csv", "path,class\na.jpg," + long[:200] + "\n", sources.Manifest{MaxLine: 100}, []string{"line 2: the row that begins here has more than 100 bytes"}},
		{"m.jsonl", "{\"path\": \"a.jpg\", \"class\": \"" + long[:200] + "\"}\n", sources.Manifest{MaxLine: 100}, []string{"line 1: the row that begins here has more than 100 bytes"}},
		{"m.csv", "path,class\na.jpg," + long[:70000] + "\n", sources.Manifest{}, []string{`line 2: column "class": "xxxx`, "has 70000 bytes, and 65536 are allowed", "max_cell", " .. "}},
		{"m.csv", "path,class\na.jpg," + long[:100] + "\n", sources.Manifest{MaxCell: 50}, []string{"has 100 bytes, and 50 are allowed"}},
		{"m.csv", "path" + columns + "\n", sources.Manifest{}, []string{"line 1: there are more than 1000 columns", "max_columns"}},
		{"m.jsonl", object + "}\n", sources.Manifest{Tasks: []string{"c1"}}, []string{"line 1: there are more than 1000 columns"}},
		{"m.jsonl", object + "}\n", sources.Manifest{MaxColumns: 2000}, []string{"more than 100 columns besides the path", "name the label columns in tasks"}},
		{"m.csv", "path,class\n" + long[:60000] + ".jpg,x\n", sources.Manifest{}, []string{"line 2: cannot read", "name too long", " .. "}},
	} {
		c.source.Path = listed(t, c.name, c.text)
		fails(t, c.source, c.want...)
		_, err := c.source.Open(t.Context())
		if name := c.source.Path; len(strings.ReplaceAll(err.Error(), name, "")) > 600 {
			t.Errorf("the error has %d bytes: %.200s", len(err.Error()), err)
		}
	}
	// Raised, they hold no more; what isn't used isn't counted.
	open(t, sources.Manifest{Path: listed(t, "m.jsonl", object+"}\n"), Tasks: []string{"c1"}, MaxColumns: 2000})
	open(t, sources.Manifest{Path: listed(t, "m.csv", "path,class,text\na.jpg,x,"+long+"\n"), Tasks: []string{"class"}, MaxLine: 4 << 20})
	if err := (sources.Manifest{Path: "m.csv", MaxLine: -1, MaxCell: -1, MaxColumns: -1}).Check(); err == nil || strings.Count(err.Error(), "is negative") != 3 {
		t.Errorf("Check: %v", err)
	}
}

// endless is a list that never ends its first line.
func endless(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.csv")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(size)) // zeros, which take no room
	return path
}

func TestEndlessLineTakesNoMemory(t *testing.T) {
	path := endless(t, 1<<30)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fails(t, sources.Manifest{Path: path}, "line 1: the row that begins here")
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 64 {
		t.Errorf("%d MiB were allocated", n)
	}
}

func TestListsAreFiles(t *testing.T) {
	fails(t, sources.Manifest{Path: filepath.Join(tree(t, "x.csv/"), "x.csv")}, "is a folder")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{"m.csv", "m.jsonl"} {
		if _, err := (sources.Manifest{Path: listed(t, name, "path\na.jpg\n")}).Open(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
