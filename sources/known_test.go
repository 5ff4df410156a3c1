package sources_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/internal/cachedir"
	"github.com/sluicedata/sluice/sources"
)

// told opens a source with a cache, and returns what was told of its listing.
func told(t *testing.T, cache string, s sources.Source) (sources.Dataset, []cachedir.Listing) {
	t.Helper()
	var list []cachedir.Listing
	ctx := sources.WithCache(context.Background(), sources.Cache{Dir: cache, Always: true, Told: func(l cachedir.Listing) { list = append(list, l) }})
	d, err := sources.Open(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, list
}

// all is everything that a dataset says, and the bytes of its samples.
func all(t *testing.T, d sources.Dataset) (list []string) {
	t.Helper()
	x := d.Index()
	list = append(list, fmt.Sprint(x.Tasks(), x.Columns(), x.Ignored(), sources.Identity(x)))
	if w, ok := d.(sources.Warner); ok {
		list = append(list, w.Warnings()...)
	}
	for s := range x.Len() {
		text := fmt.Sprint(x.Key(s), " ", x.Size(s), " ", x.Weight(s), " ", x.SourceIndex(s))
		for task := range x.Tasks() {
			text += fmt.Sprint(" ", x.Label(task, s))
		}
		for c := range x.Columns() {
			text += fmt.Sprintf(" %#v", x.Value(c, s))
		}
		if found, ok := x.Find(x.Key(s)); !ok || found != s {
			t.Errorf("the key %q is found as %d", x.Key(s), found)
		}
		data, err := d.Read(context.Background(), s, nil)
		list = append(list, fmt.Sprintf("%s %q %v", text, data, err))
	}
	return list
}

// settle waits until times tell later changes from earlier ones.
func settle() { time.Sleep(2100 * time.Millisecond) }

// TestKnownFolder: whatever changes between two starts, an index gives what listing gives,
// and only what has changed is read.
func TestKnownFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	t.Parallel()
	dir, cache := t.TempDir(), t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	write := func(name string) {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, "%s %d", name, r.Int()), 0o644))
	}
	for i := range 60 {
		write(fmt.Sprintf("class%d/%02d.jpg", i%6, i))
	}
	write("class1/notes.txt")
	must(t, os.Symlink(filepath.Join(dir, "class0/00.jpg"), filepath.Join(dir, "class2/link.jpg")))
	source := sources.Folder{Path: dir}
	fresh := func() []string {
		d, err := sources.Open(sources.WithCache(context.Background(), sources.Cache{Dir: "none"}), source)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		return all(t, d)
	}
	changes := []struct {
		name string
		do   func()
		read int // units
	}{
		{"first", func() {}, 7},
		{"nothing", func() {}, 0},
		{"a file more", func() { write("class3/more.png") }, 1},
		{"a file less, a class more", func() { must(t, os.Remove(filepath.Join(dir, "class4/04.jpg"))); write("class9/a.jpg") }, 3},
		{"a class renamed", func() { must(t, os.Rename(filepath.Join(dir, "class5"), filepath.Join(dir, "class7"))) }, 2},
	}
	for _, c := range changes {
		c.do()
		settle()
		d, list := told(t, cache, source)
		if len(list) != 1 || list[0].Read != c.read {
			t.Errorf("%s: told %+v, want %d read", c.name, list, c.read)
		}
		if diff := cmp.Diff(fresh(), all(t, d)); diff != "" {
			t.Errorf("%s: the index differs from a new listing (-new +index):\n%s", c.name, diff)
		}
	}
	// A file that was rewritten in place doesn't show in its folder, but is looked at.
	must(t, os.WriteFile(filepath.Join(dir, "class0/06.jpg"), []byte("longer than before, by much"), 0o644))
	settle()
	d, list := told(t, cache, source)
	if diff := cmp.Diff(fresh(), all(t, d)); diff != "" || len(list) != 1 || list[0].Read != 1 {
		t.Errorf("a file that was rewritten, told %+v: (-new +index):\n%s", list, diff)
	}
	// After that it is an error when it is read.
	must(t, os.WriteFile(filepath.Join(dir, "class0/06.jpg"), []byte("short"), 0o644))
	i, _ := d.Index().Find("class0/06.jpg")
	if _, err := d.Read(context.Background(), i, nil); err == nil || !strings.Contains(err.Error(), "has changed since it was listed") {
		t.Errorf("a file that was rewritten since: %v", err)
	}
}

// TestKnownList: of a list, too.
func TestKnownList(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	t.Parallel()
	dir, cache := t.TempDir(), t.TempDir()
	var rows strings.Builder
	rows.WriteString("path,kind,weight,site\n")
	for i := range 40 {
		name := fmt.Sprintf("d%d/%02d é.jpg", i%4, i)
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
		fmt.Fprintf(&rows, "%s,k%d,%d,%d\n", strings.Replace(name, "é", []string{"é", "é"}[i%2], 1), i%3, i, i)
	}
	fmt.Fprintf(&rows, "d1/none.jpg,k1,1,7\n")
	list := filepath.Join(dir, "list.csv")
	must(t, os.WriteFile(list, []byte(rows.String()), 0o644))
	source := sources.Manifest{Path: list, Tasks: []string{"kind"}, Meta: sources.Meta{{Name: "site"}}}
	for _, c := range []struct {
		name string
		do   func()
		read int
	}{
		{"first", func() {}, 5},
		{"nothing but the missing file's folder", func() {}, -1},
		{"the missing file", func() { must(t, os.WriteFile(filepath.Join(dir, "d1/none.jpg"), []byte("here"), 0o644)) }, -1},
		{"nothing", func() {}, 0},
		{"a row less", func() {
			text := strings.Replace(rows.String(), "d1/none.jpg,k1,1,7\n", "", 1)
			must(t, os.WriteFile(list, []byte(text), 0o644))
		}, -1},
	} {
		c.do()
		settle()
		d, told := told(t, cache, source)
		if len(told) != 1 || c.read >= 0 && told[0].Read != c.read {
			t.Errorf("%s: told %+v, want %d read", c.name, told, c.read)
		}
		fresh, err := sources.Open(sources.WithCache(context.Background(), sources.Cache{Dir: "none"}), source)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all(t, fresh), all(t, d)); diff != "" {
			t.Errorf("%s: the index differs from a new listing (-new +index):\n%s", c.name, diff)
		}
		fresh.Close()
	}
}

// TestKnownTar: a tar that was written again is listed again.
func TestKnownTar(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	t.Parallel()
	cache := t.TempDir()
	first, second := pack(t, 0, "a/1.jpg", "b/2.jpg"), pack(t, 0, "a/1.jpg", "b/3.jpg", "b/4.png")
	name := tarFile(t, first)
	source := sources.Folder{Path: name}
	settle()
	for i, want := range []int{1, 0} {
		d, list := told(t, cache, source)
		if len(list) != 1 || list[0].Read != want || d.Index().Len() != 2 {
			t.Errorf("start %d: told %+v", i, list)
		}
		if i == 1 {
			must(t, os.WriteFile(name, second, 0o644))
			settle()
			if _, err := d.Read(context.Background(), 0, nil); err == nil {
				t.Error("a tar that was rewritten is read")
			}
		}
	}
	d, _ := told(t, cache, source)
	if d.Index().Len() != 3 {
		t.Errorf("%d samples of the tar that was rewritten", d.Index().Len())
	}
}

// TestKnownDamaged: an index that isn't whole is made again, not trusted.
func TestKnownDamaged(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	t.Parallel()
	cache := t.TempDir()
	source := sources.Folder{Path: tree(t, "a/1.jpg", "a/2.jpg", "b/3.jpg")}
	settle()
	first, list := told(t, cache, source)
	want := all(t, first)
	whole, err := os.ReadFile(list[0].File)
	must(t, err)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 200 {
		bad := slices.Clone(whole)
		if i%3 == 0 {
			bad = bad[:r.IntN(len(bad))]
		} else {
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
		}
		must(t, os.Remove(list[0].File)) // as another process would replace it
		must(t, os.WriteFile(list[0].File, bad, 0o644))
		d, _ := told(t, cache, source)
		if diff := cmp.Diff(want, all(t, d)); diff != "" {
			t.Fatalf("damage %d changes the index:\n%s", i, diff)
		}
	}
}

// TestNoCache: without a cache directory everything is listed.
func TestNoCache(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o644))
	source := sources.Folder{Path: tree(t, "a/1.jpg")}
	for _, dir := range []string{"none", file} {
		d, list := told(t, dir, source)
		if d.Index().Len() != 1 || len(list) != 0 {
			t.Errorf("cache %q: %d samples, told %+v", dir, d.Index().Len(), list)
		}
	}
}

// fresh is what a source says without an index.
func fresh(t *testing.T, s sources.Source) []string {
	t.Helper()
	d, err := sources.Open(sources.WithCache(context.Background(), sources.Cache{Dir: "none"}), s)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return all(t, d)
}

// TestKnownArrow: only Arrow files that have changed are listed again, mapped ones and others.
func TestKnownArrow(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	t.Parallel()
	dir, cache := t.TempDir(), t.TempDir()
	columns := func(from, n int) []col {
		c := []col{
			{"key", arrow.BinaryTypes.String, nil}, {"image", varying, nil}, {"kind", arrow.BinaryTypes.String, nil}, {"weight", arrow.PrimitiveTypes.Float32, nil},
			{"site", arrow.BinaryTypes.String, nil}, {"n", arrow.PrimitiveTypes.Int64, nil}, {"x", arrow.PrimitiveTypes.Float64, nil}, {"yes", arrow.FixedWidthTypes.Boolean, nil},
		}
		for i := from; i < from+n; i++ {
			row := []any{fmt.Sprintf("k%03d é", (i*7)%100), []any{1, 2, fmt.Sprintf("pix%03d", i)}, fmt.Sprint("class", i%3), float64(i), "here", -i, float64(i) / 3, i%2 == 0}
			for k := range c {
				if v := row[k]; i%5 == 4 && k > 0 {
					c[k].values = append(c[k].values, nil)
				} else {
					c[k].values = append(c[k].values, v)
				}
			}
		}
		return c
	}
	file := func(name string, from, n int, options ...ipc.Option) {
		write(t, dir, name, string(arrowBytes(t, false, 3, nil, nil, columns(from, n), options...)))
	}
	file("a.arrow", 0, 10)
	file("b.arrow", 10, 10, ipc.WithZstd())
	file("c.arrow", 20, 10)
	source := sources.Arrow{Path: dir, Tasks: []string{"kind"}, WeightColumn: "weight", Meta: sources.Meta{{Name: "site"}, {Name: "n"}, {Name: "x"}}}
	for _, c := range []struct {
		name string
		do   func()
		read int
	}{
		{"first", func() {}, 3},
		{"nothing", func() {}, 0},
		{"a file changes, and makes keys equal", func() { file("b.arrow", 12, 10) }, 1},
		{"nothing again", func() {}, 0},
		{"a file less", func() { must(t, os.Remove(filepath.Join(dir, "a.arrow"))) }, 0},
		{"a file more", func() { file("d.arrow", 40, 3) }, 1},
		{"nothing at last", func() {}, 0},
	} {
		c.do()
		settle()
		d, list := told(t, cache, source)
		if len(list) != 1 || list[0].Read != c.read {
			t.Errorf("%s: told %+v, want %d read", c.name, list, c.read)
		}
		if diff := cmp.Diff(fresh(t, source), all(t, d)); diff != "" {
			t.Errorf("%s: the index differs from a new listing (-new +index):\n%s", c.name, diff)
		}
	}
	// Other options have an index of their own, and bools none.
	source.Tasks = nil
	if _, list := told(t, cache, source); len(list) != 1 || list[0].Read != 3 {
		t.Errorf("other tasks: told %+v", list)
	}
	source.Meta = sources.Meta{{Name: "yes"}}
	for range 2 {
		d, list := told(t, cache, source)
		if diff := cmp.Diff(fresh(t, source), all(t, d)); diff != "" || len(list) != 0 {
			t.Errorf("bools: told %+v (-new +index):\n%s", list, diff)
		}
	}
}

// TestKnownHuggingFace: files beside the rows have their say, too.
func TestKnownHuggingFace(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	t.Parallel()
	dir, cache := filepath.Join(t.TempDir(), "set"), t.TempDir()
	columns := hfColumns()
	columns[0].values = []any{[]any{"1st", nil}, []any{"second", "a"}, nil, []any{"4", nil}}
	saved(t, dir, hfFeatures, columns)
	source := sources.HuggingFace{Saved: dir, Meta: sources.Meta{{Name: "n"}}}
	for _, c := range []struct {
		name string
		do   func()
		read int
	}{
		{"first", func() {}, 1},
		{"nothing", func() {}, 0},
		{"a class has another name", func() {
			write(t, dir, "dataset_info.json", `{"features": {`+strings.Replace(hfFeatures, "zebra", "horse", 1)+`}}`)
		}, 1},
		{"a row names a file that is missing", func() { saved(t, dir, hfFeatures, hfColumns()) }, 1},
		{"it is there", func() { must(t, os.Mkdir(filepath.Join(dir, "in"), 0o755)); write(t, dir, "in/b.jpg", "b") }, 1},
	} {
		c.do()
		settle()
		d, list := told(t, cache, source)
		if len(list) != 1 || list[0].Read != c.read {
			t.Errorf("%s: told %+v, want %d read", c.name, list, c.read)
		}
		if diff := cmp.Diff(fresh(t, source), all(t, d)); diff != "" {
			t.Errorf("%s: the index differs from a new listing (-new +index):\n%s", c.name, diff)
		}
	}
}
