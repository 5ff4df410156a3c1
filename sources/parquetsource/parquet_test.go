package parquetsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// The files of testdata were written by make.py, which says what is in them.

const rowsOfEach = 24

var names = []string{"zebra", "ant", "bee"}

func image(i int) []byte {
	b := make([]byte, 40+13*i%80)
	for j := range b {
		b[j] = byte((7*i + j*j) % 251)
	}
	return b
}

func data(names ...string) Files {
	var f Files
	for _, name := range names {
		f = append(f, filepath.Join("testdata", name))
	}
	return f
}

func open(t *testing.T, p Parquet) sources.Dataset {
	t.Helper()
	d, err := sources.Open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// contents reads a dataset whose rows are those of make.py, except missing ones.
func contents(t *testing.T, d sources.Dataset, missing func(row int) bool, want func(row int) []byte) {
	t.Helper()
	x := d.Index()
	if x.Len() != rowsOfEach {
		t.Fatalf("%d samples, want %d", x.Len(), rowsOfEach)
	}
	for i := range x.Len() {
		got, err := d.Read(t.Context(), i, nil)
		switch {
		case missing(i):
			if !errors.Is(err, sources.ErrMissing) || x.Size(i) != -1 {
				t.Errorf("row %d: size %d, error %v: want it to be missing", i, x.Size(i), err)
			}
		case err != nil:
			t.Error(err)
		case !bytes.Equal(got, want(i)) || x.Size(i) != int64(len(got)):
			t.Errorf("row %d: %d bytes %x.., want %x..", i, len(got), got[:min(8, len(got))], want(i)[:8])
		}
	}
}

func none(int) bool        { return false }
func holed(row int) bool   { return row%7 == 3 }
func label(row int) string { return names[row%3] }

// labelled compares the labels of the only task.
func labelled(t *testing.T, x schema.Index, want func(row int) string) {
	t.Helper()
	classes := x.Tasks()[0].Classes
	for i := range x.Len() {
		got := ""
		if n := x.Label(0, i); n != schema.Unknown {
			got = classes[n]
		}
		if got != want(i) {
			t.Errorf("row %d: the label is %q, want %q", i, got, want(i))
		}
	}
}

func orNull(want func(int) string) func(int) string {
	return func(row int) string {
		if holed(row) {
			return ""
		}
		return want(row)
	}
}

// TestFiles reads what each program wrote.
func TestFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(files) < 40 {
		t.Fatal(len(files), err)
	}
	read := 0
	for _, name := range files {
		name := strings.TrimSuffix(filepath.Base(name), ".parquet")
		p := Parquet{Files: data(name + ".parquet"), Tasks: []string{"label"}}
		missing, want := none, label
		switch first, _, _ := strings.Cut(name, "-"); {
		case first == "codec", first == "encoding", first == "polars", first == "pandas", first == "checksums":
		case first == "nulls":
			missing, want = holed, orNull(label)
		case strings.HasPrefix(name, "duckdb-struct"):
			missing, want = holed, orNull(label)
		case first == "duckdb":
		case name == "datasets", name == "datasets-snappy":
			p.Tasks = nil
		default:
			continue
		}
		read++
		t.Run(name, func(t *testing.T) {
			d := open(t, p)
			contents(t, d, missing, image)
			labelled(t, d.Index(), want)
		})
	}
	if read < 30 {
		t.Errorf("%d files were read", read)
	}
}

func TestConformance(t *testing.T) {
	for name, p := range map[string]Parquet{
		"one":     {Files: data("datasets.parquet")},
		"nulls":   {Files: data("nulls-dictionary-2.parquet"), Tasks: []string{"label", "number"}},
		"several": {Files: data("codec-*.parquet", "polars.parquet"), Tasks: []string{"label"}, Meta: sources.Meta{{Name: "number"}}},
		"pixels":  {Files: data("pixels.parquet"), Tasks: []string{"label"}},
	} {
		t.Run(name, func(t *testing.T) { sourcetest.Run(t, func() sources.Source { return p }) })
	}
}

func TestKeys(t *testing.T) {
	d := open(t, Parquet{Files: data("codec-gzip-1.parquet"), Tasks: []string{}})
	if got := d.Index().Key(7); got != "codec-gzip-1.parquet#07" || len(d.Index().Tasks()) != 0 {
		t.Errorf("key %q, tasks %v", got, d.Index().Tasks())
	}
	text, err := os.ReadFile("testdata/codec-gzip-1.parquet")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"a/x/1.parquet", "b/x/1.parquet", "b/x/2.parquet"} {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	x := open(t, Parquet{Files: Files{filepath.Join(dir, "*", "x", "*.parquet")}, Tasks: []string{"number"}}).Index()
	var keys []string
	for i := 0; i < x.Len(); i += rowsOfEach {
		keys = append(keys, x.Key(i))
	}
	if want := []string{"2.parquet#00", "a/x/1.parquet#00", "b/x/1.parquet#00"}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
}

func TestLabels(t *testing.T) {
	for _, name := range []string{"kinds.parquet", "kinds-2.parquet"} {
		x := open(t, Parquet{Files: data(name), Tasks: []string{"boolean", "int8", "uint64", "large", "view", "empty"},
			Meta: sources.Meta{{Name: "float"}, {Name: "list"}}[:1]}).Index()
		for i := range x.Len() {
			var got []string
			for t, task := range x.Tasks() {
				if n := x.Label(t, i); n >= 0 {
					got = append(got, task.Classes[n])
				}
			}
			want := []string{fmt.Sprint(i%3 == 1), fmt.Sprint(i % 3), fmt.Sprint(uint64(1<<64-1) - uint64(i%3)), label(i), label(i)}
			if !slices.Equal(got, want) || x.Weight(i) != 0.5+float32(i%3) || x.Value(0, i) != 0.5+float64(i%3) {
				t.Errorf("%s: row %d: labels %q, want %q; weight %v, meta %v", name, i, got, want, x.Weight(i), x.Value(0, i))
			}
		}
	}
}

// TestClassNames: numbers stand for the names of the metadata, in their order.
func TestClassNames(t *testing.T) {
	x := open(t, Parquet{Files: data("datasets.parquet")}).Index()
	if task := x.Tasks()[0]; task.Name != "label" || !slices.Equal(task.Classes, names) {
		t.Errorf("%q", x.Tasks())
	}
	x = open(t, Parquet{Files: data("own.parquet")}).Index()
	if task := x.Tasks()[0]; task.Name != "kind" || !slices.Equal(task.Classes, append(slices.Clone(names), "none")) {
		t.Errorf("%q", x.Tasks())
	}
	labelled(t, x, orNull(label))
	// Other classes of the user's.
	sorted := slices.Sorted(slices.Values(names))
	x = open(t, Parquet{Files: data("datasets.parquet"), Classes: sources.Classes{List: sorted}}).Index()
	if !slices.Equal(x.Tasks()[0].Classes, sorted) {
		t.Errorf("%q", x.Tasks())
	}
	labelled(t, x, label)
	// Files that number the same names in different orders need the user's.
	both := Parquet{Files: data("datasets.parquet", "datasets-other.parquet")}
	_, err := both.Open(t.Context())
	wants(t, err, `"testdata/datasets.parquet" and "testdata/datasets-other.parquet" name other classes for the column "label"`)
	both.Classes = sources.Classes{List: names}
	x = open(t, both).Index()
	for i := range rowsOfEach { // the labels of the other were written in the reverse order, with the names
		if got, want := x.Label(0, i), int32(2-(rowsOfEach-1-i)%3); got != want {
			t.Errorf("%q: class %d, want %d", x.Key(i), got, want)
		}
	}
}

func TestMissingImages(t *testing.T) {
	d := open(t, Parquet{Files: data("datasets-nulls.parquet")})
	contents(t, d, func(row int) bool { return row%7 == 3 || row%7 == 4 }, image)
	labelled(t, d.Index(), orNull(label))
	text := strings.Join(d.(sources.Warner).Warnings(), "\n")
	for _, want := range []string{"6 of 24 images are missing", `column "image": where bytes is null there is no image in the file, even if path names one`} {
		if !strings.Contains(text, want) {
			t.Errorf("warnings %s\nwant %q", text, want)
		}
	}
}

func TestPixels(t *testing.T) {
	d := open(t, Parquet{Files: data("pixels.parquet"), Tasks: []string{"label"}})
	contents(t, d, none, func(i int) []byte {
		want := []byte("P6 4 3 255\n")
		for j := range 36 {
			want = append(want, byte(i+j))
		}
		return want
	})
	if h, w, ok := sources.SizeOf(d); h != 3 || w != 4 || !ok {
		t.Errorf("pictures of size %d x %d, %v", h, w, ok)
	}
	if _, _, ok := sources.SizeOf(open(t, Parquet{Files: data("fixed.parquet"), Tasks: []string{"label"}})); ok {
		t.Error("encoded images have one size")
	}
}

func TestOtherImages(t *testing.T) {
	contents(t, open(t, Parquet{Files: data("fixed.parquet"), Tasks: []string{"label"}}), none, func(i int) []byte { return image(i)[:40] })
	contents(t, open(t, Parquet{Files: data("required.parquet"), Tasks: []string{"label"}}), none, image)
	contents(t, open(t, Parquet{Files: data("large.parquet"), Tasks: []string{"label"}}), none, image)
	contents(t, open(t, Parquet{Files: data("two-images.parquet"), Image: "image", Tasks: []string{"boolean"}}), none, image)
}

func wants(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v\nwant %s", err, want)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		p    Parquet
		want string
	}{
		{Parquet{}, "files: is missing"},
		{Parquet{Files: Files{"a", ""}}, "files: item 2 is empty"},
		{Parquet{Files: Files{"https://x/y.parquet"}}, "is a URL: download it first"},
		{Parquet{Files: Files{"a["}}, `files: "a[" is not a pattern`},
		{Parquet{Files: Files{"a"}, Image: "i", Tasks: []string{"i"}}, `tasks: "i" is already the column of the images`},
		{Parquet{Files: Files{"a"}, Tasks: []string{"x", "x"}}, `"x" is named twice`},
		{Parquet{Files: Files{"testdata"}}, `"testdata" is a folder: give a pattern, such as "testdata/*.parquet"`},
		{Parquet{Files: data("there-is-none*")}, `there is no file "testdata/there-is-none*"`},
		{Parquet{Files: data("pixels.parquet", "pixels.*")}, "name each file once"},
		{Parquet{Files: data("make.py")}, "it doesn't begin with PAR1"},
		{Parquet{Files: data("no-rows.parquet"), Tasks: []string{"label"}}, `"testdata/no-rows.parquet" has no row`},
		{Parquet{Files: data("codec-none-1.parquet")}, `its metadata name no class label: name the label columns in tasks, or say tasks: []; it has "image", "label", "number"`},
		{Parquet{Files: data("codec-none-1.parquet"), Tasks: []string{"lable"}}, `tasks: there is no column "lable": it has "image", "label", "number"`},
		{Parquet{Files: data("codec-none-1.parquet"), Image: "picture"}, `image: there is no column "picture": it has "image"`},
		{Parquet{Files: data("codec-none-1.parquet"), Image: "number"}, `image: the column "number" holds no images`},
		{Parquet{Files: data("two-images.parquet"), Tasks: []string{"boolean"}}, `image: the columns ["image" "bytes"] hold bytes: name the one of the images`},
		{Parquet{Files: data("lists.parquet"), Tasks: []string{"label"}}, "no column holds images"},
		{Parquet{Files: data("kinds.parquet"), Tasks: []string{"list"}}, `tasks: the column "list" is a structure or a list`},
		{Parquet{Files: data("kinds.parquet"), Tasks: []string{"struct"}}, `tasks: the column "struct" is a structure or a list`},
		{Parquet{Files: data("kinds.parquet"), Tasks: []string{"date"}}, `tasks: the column "date" holds INT32 of the type DATE: want whole numbers, booleans or text`},
		{Parquet{Files: data("kinds.parquet"), Tasks: []string{"float"}}, `tasks: the column "float" holds DOUBLE`},
		{Parquet{Files: data("two-images.parquet"), Image: "image", Tasks: []string{"bytes"}}, `tasks: the column "bytes" holds bytes without a type`},
		{Parquet{Files: data("kinds.parquet"), Tasks: []string{}, WeightColumn: "large"}, `weight_column: the column "large" holds BYTE_ARRAY of the type STRING: want numbers`},
		{Parquet{Files: data("kinds.parquet"), Tasks: []string{}, Meta: sources.Meta{{Name: "date"}}}, `meta: the column "date" holds INT32 of the type DATE`},
		{Parquet{Files: data("kinds.parquet"), Tasks: []string{}, Meta: sources.Meta{{Name: "large", Type: sources.MetaInt}}}, `the column "large" holds text, and meta says that its type is int`},
		{Parquet{Files: data("kinds.parquet"), Tasks: []string{}, Meta: sources.Meta{{Name: "uint64"}}}, `column "uint64", row group 0`},
		{Parquet{Files: data("split.parquet"), Tasks: []string{}}, `"testdata/split.parquet": column "weight", row group 0: the page at byte`},
		{Parquet{Files: data("split.parquet"), Tasks: []string{}}, "the encoding BYTE_STREAM_SPLIT of FLOAT is not read: write the column with PLAIN or a dictionary"},
		{Parquet{Files: data("prefixes.parquet"), Tasks: []string{}}, "the encoding DELTA_BYTE_ARRAY of BYTE_ARRAY is not read"},
		{Parquet{Files: data("split-pixels.parquet"), Tasks: []string{}}, "the encoding BYTE_STREAM_SPLIT of FIXED_LEN_BYTE_ARRAY is not read"},
		{Parquet{Files: data("datasets-number.parquet")}, `column "label", row group 0: the page at byte`},
		{Parquet{Files: data("datasets-number.parquet")}, "row 0: the label is 9, and the metadata name 3 classes"},
		{Parquet{Files: data("datasets-paths.parquet"), Tasks: []string{"label"}}, "where bytes is null there is no image in the file"},
		{Parquet{Files: data("kinds.parquet", "codec-none-1.parquet"), Tasks: []string{}, Meta: sources.Meta{{Name: "number"}}}, `"testdata/kinds.parquet": meta: there is no column "number"`},
	} {
		d, err := c.p.Open(t.Context())
		if err == nil {
			d.Close()
		}
		wants(t, err, c.want)
		if err != nil && !strings.HasPrefix(err.Error(), "sources: parquet: ") {
			t.Errorf("%v: want it to begin with the source", err)
		}
	}
}

// TestChanged: a file that changes after it was listed is an error that says so.
func TestChanged(t *testing.T) {
	for _, from := range []string{"codec-none-1.parquet", "codec-zstd-1.parquet"} {
		name := filepath.Join(t.TempDir(), "x.parquet")
		text, err := os.ReadFile(filepath.Join("testdata", from))
		if err == nil {
			err = os.WriteFile(name, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		d := open(t, Parquet{Files: Files{name}, Tasks: []string{}})
		later := time.Now().Add(time.Hour)
		if err := os.Chtimes(name, later, later); err != nil {
			t.Fatal(err)
		}
		_, err = d.Read(t.Context(), 0, nil)
		wants(t, err, "has changed since it was listed")
		wants(t, err, `"x.parquet#00"`)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Parquet{Files: data("datasets.parquet")}).Open(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
