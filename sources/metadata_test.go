package sources_test

import (
	"archive/tar"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// withMetadata makes a folder of images and metadata files, whose texts are given by name.
func withMetadata(t *testing.T, texts map[string]string, names ...string) string {
	t.Helper()
	dir := tree(t, names...)
	for name, text := range texts {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		write(t, dir, filepath.FromSlash(name), text)
	}
	return dir
}

func TestMetadata(t *testing.T) {
	for _, c := range []struct {
		name     string
		files    []string
		texts    map[string]string
		source   sources.Folder
		want     string
		warnings []string // empty: none at all
	}{
		{"csv, not the folders", []string{"x/1.jpg", "y/2.jpg"}, map[string]string{"metadata.csv": "class,file_name\ndog,x/1.jpg\ncat,y/2.jpg\n"},
			sources.Folder{}, lines("x/1.jpg dog", "y/2.jpg cat"), nil},
		{"jsonl, with a task missing in a row", []string{"1.jpg", "2.jpg"}, map[string]string{"metadata.jsonl": `{"file_name": "2.jpg", "shape": "disc", "kind": 10}` + "\n" + `{"file_name": "./1.jpg", "kind": 9}`},
			sources.Folder{}, lines("1.jpg ? 9", "2.jpg disc 10"), nil},
		{"one per subfolder", []string{"train/a/1.jpg", "test/1.jpg"}, map[string]string{"train/metadata.csv": "file_name,class\na/1.jpg,x\n", "test/metadata.jsonl": `{"class": "y", "file_name": "1.jpg"}`},
			sources.Folder{}, lines("test/1.jpg y", "train/a/1.jpg x"), nil},
		{"some of the columns", []string{"1.jpg"}, map[string]string{"metadata.csv": "file_name,a,b,c\n1.jpg,x,y,z\n"},
			sources.Folder{Tasks: []string{"c"}, Meta: names("a")}, lines("1.jpg z"), nil},
		{"no labels", []string{"1.jpg"}, map[string]string{"metadata.jsonl": `{"file_name": "1.jpg", "objects": {"bbox": [1, 2]}}`},
			sources.Folder{Tasks: []string{}}, lines("1.jpg"), nil},
		{"an image without a row, and a row without an image", []string{"1.jpg", "2.jpg"}, map[string]string{"metadata.csv": "file_name,class\n1.jpg,x\nz/3.jpg,x\n"},
			sources.Folder{}, lines("1.jpg x", "2.jpg ?", "z/3.jpg x"),
			[]string{`1 image of 2 has no row in the metadata, such as "2.jpg"`, `metadata.csv: 1 of 2 files is missing, such as "z/3.jpg" (line 3;`}},
		{"none", []string{"x/1.jpg", "y/2.jpg"}, map[string]string{"metadata.csv": "file_name,class\nx/1.jpg,dog\n"},
			sources.Folder{Metadata: sources.NoMetadata}, lines("x/1.jpg x", "y/2.jpg y"), nil},
		{"a name in another normal form", []string{"e\u0301.jpg"}, map[string]string{"metadata.csv": "file_name,class\n\u00e9.jpg,x\n"},
			sources.Folder{}, lines("e\u0301.jpg x"), nil},
		{"parquet", []string{"x/1.jpg", "y/2.jpg"}, map[string]string{"metadata.parquet": "PAR1"},
			sources.Folder{}, lines("x/1.jpg x", "y/2.jpg y"), []string{`"metadata.parquet" is not read`}},
		{"texts beside the images", []string{"1.jpg", "1.txt"}, map[string]string{"metadata.csv": "file_name,class\n1.jpg,x\n"},
			sources.Folder{}, lines("1.jpg x"), nil},
		{"a link to the list", []string{"a/1.jpg", "a/metadata.csv -> ../list.csv"}, map[string]string{"list.csv": "file_name,class\n1.jpg,x\n"},
			sources.Folder{}, lines("a/1.jpg x"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.source.Path = withMetadata(t, c.texts, c.files...)
			d := open(t, c.source)
			if diff := cmp.Diff(c.want, table(d.Index())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			have := warnings(d)
			for _, want := range c.warnings {
				if !strings.Contains(have, want) {
					t.Errorf("no warning %q in %q", want, have)
				}
			}
			if len(c.warnings) == 0 && strings.TrimSpace(have) != "" {
				t.Errorf("warned: %s", have)
			}
		})
	}
}

func TestMetadataErrors(t *testing.T) {
	csv := func(text string) map[string]string { return map[string]string{"a/metadata.csv": text} }
	for _, c := range []struct {
		name   string
		texts  map[string]string
		source sources.Folder
		want   []string
	}{
		{"no image is there", csv("file_name,class\n2.jpg,x\n3.jpg,y\n"), sources.Folder{}, []string{`"a/metadata.csv"`, `line 2: there is no file "a/2.jpg"`, `line 3`}},
		{"above", csv("file_name,class\n../b/1.jpg,x\n"), sources.Folder{}, []string{`"a/metadata.csv": line 2`, `"../b/1.jpg" leads out of the folder`}},
		{"above, further in", csv("file_name,class\nx/../../b/1.jpg,x\n"), sources.Folder{}, []string{"leads out of the folder"}},
		{"absolute", csv("file_name,class\n/a/1.jpg,x\n"), sources.Folder{}, []string{`"/a/1.jpg" leads out of the folder`}},
		{"a URL", csv("file_name,class\nhttps://x.org/1.jpg,x\n"), sources.Folder{}, []string{"is a URL"}},
		{"not an image", csv("file_name,class\n1.txt,x\n"), sources.Folder{}, []string{`"1.txt" does not end as images do`}},
		{"twice", csv("file_name,class\n1.jpg,x\n./1.jpg,x\n"), sources.Folder{}, []string{"line 3", "already in line 2"}},
		{"in two files", map[string]string{"a/metadata.csv": "file_name,class\n1.jpg,x\n", "metadata.csv": "file_name,class\na/1.jpg,x\n"}, sources.Folder{}, []string{`"metadata.csv": line 2`, `already in "a/metadata.csv"`}},
		{"csv and jsonl", map[string]string{"a/metadata.csv": "file_name,class\n1.jpg,x\n", "a/metadata.jsonl": `{"file_name": "1.jpg"}`}, sources.Folder{}, []string{`both "a/metadata.csv" and "a/metadata.jsonl"`, "keep one"}},
		{"no file_name", csv("path,class\n1.jpg,x\n"), sources.Folder{}, []string{`"a/metadata.csv": there is no column "file_name"`, `["path", "class"]`}},
		{"no such task", csv("file_name,class\n1.jpg,x\n"), sources.Folder{Tasks: []string{"klass"}}, []string{`there is no column "klass"`, "in tasks"}},
		{"the names as labels", csv("file_name,class\n1.jpg,x\n"), sources.Folder{Tasks: []string{"file_name"}}, []string{"tasks", "cannot be a label column"}},
		{"empty", csv(""), sources.Folder{}, []string{`"a/metadata.csv": is empty`}},
		{"no row", csv("file_name,class\n"), sources.Folder{}, []string{"lists no image"}},
		{"an object", map[string]string{"metadata.jsonl": `{"file_name": "a/1.jpg", "objects": {"id": 1}}`}, sources.Folder{}, []string{`"metadata.jsonl": line 1: column "objects"`, "have an object", "tasks"}},
		{"a long cell", csv("file_name,class\n1.jpg," + strings.Repeat("x", 1<<16+1) + "\n"), sources.Folder{}, []string{"65536 are allowed: name the label columns"}},
		{"a long row", csv("file_name,class\n1.jpg,\"" + strings.Repeat("x", 1<<20+1<<17)), sources.Folder{}, []string{"is a quote missing?"}},
		{"label", csv("file_name,class\n1.jpg,x\n"), sources.Folder{Label: sources.Innermost}, []string{`"a/metadata.csv"`, "metadata: none"}},
		{"a class that is not listed", csv("file_name,class\n1.jpg,x\n"), sources.Folder{Classes: sources.Classes{List: []string{"y"}}}, []string{`class "x"`, `"a/1.jpg"`}},
		{"meta without metadata", nil, sources.Folder{Meta: names("camera")}, []string{"neither a metadata.csv nor a metadata.jsonl"}},
		{"meta, and none", nil, sources.Folder{Meta: names("camera"), Metadata: sources.NoMetadata}, []string{"meta: names columns of metadata files"}},
		{"neither auto nor none", nil, sources.Folder{Metadata: "always"}, []string{`"always" is neither auto nor none`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.source.Path = withMetadata(t, c.texts, "a/1.jpg", "b/1.jpg")
			fails(t, c.source, append(c.want, "sources: folder: ")...)
		})
	}
	fails(t, sources.Folder{Path: tree(t, "a/1.jpg", "a/metadata.csv -> gone.csv")}, `cannot read "a/metadata.csv"`, "there is no such file")
}

// A missing image is a sample that cannot be read; meta and weights come from their rows.
func TestMetadataColumns(t *testing.T) {
	d := open(t, sources.Folder{Meta: names("camera"), Path: withMetadata(t, map[string]string{
		"b/metadata.csv": "file_name,class,camera,weight\n2.jpg,x,7,0.5\n1.jpg,y,,\n9.jpg,y,8,2\n",
		"a/metadata.csv": "file_name,camera,class\n1.jpg,5,\n",
	}, "a/1.jpg", "b/1.jpg", "b/2.jpg")})
	x := d.Index()
	if diff := cmp.Diff(lines("a/1.jpg ?", "b/1.jpg y", "b/2.jpg x", "b/9.jpg y"), table(x)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{int64(5), nil, int64(7), int64(8)}, column(x, func(i int) any { return x.Value(0, i) })); diff != "" {
		t.Errorf("meta (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float32{1, 1, 0.5, 2}, column(x, x.Weight)); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
	if _, err := d.Read(context.Background(), 3, nil); !errors.Is(err, sources.ErrMissing) {
		t.Errorf("reading b/9.jpg: %v", err)
	}
}

// The same names in a folder and in archives of it give the same samples.
func TestMetadataInArchives(t *testing.T) {
	ownCache(t)
	texts := map[string]string{"metadata.csv": "file_name,class\nx/1.jpg,dog\nx/2.jpg,cat\nx/3.jpg,cat\n"}
	dir := withMetadata(t, texts, "x/1.jpg", "x/2.jpg", "x/4.jpg")
	want := open(t, sources.Folder{Path: dir})
	members := []string{"./metadata.csv: old", "x/1.jpg", "x/2.jpg", "x/4.jpg", "metadata.csv: " + texts["metadata.csv"]}
	packed := pack(t, tar.FormatPAX, members...)
	for name, path := range map[string]string{
		"tar": tarFile(t, packed), "tar.gz": write(t, t.TempDir(), "data.tar.gz", string(gzipped(t, packed))), "zip": zipFile(t, packZip(t, members...)),
	} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Run(t, func() sources.Source { return sources.Folder{Path: path} })
			got := open(t, sources.Folder{Path: path})
			if diff := cmp.Diff(table(want.Index()), table(got.Index())); diff != "" {
				t.Errorf("(-folder +archive):\n%s", diff)
			}
			if w, g := sources.Identity(want.Index()), sources.Identity(got.Index()); w != g {
				t.Errorf("identity %s, want %s", g, w)
			}
			if have := warnings(got); !strings.Contains(have, `"x/3.jpg"`) || !strings.Contains(have, `"x/4.jpg"`) {
				t.Errorf("warnings: %s", have)
			}
		})
	}
}

func TestMetadataConforms(t *testing.T) {
	dir := withMetadata(t, map[string]string{"a/metadata.csv": "file_name,class,camera\n1.jpg,x,1\n2.jpg,y,\n", "b/metadata.jsonl": `{"file_name": "1.jpg", "class": "x"}`},
		"a/1.jpg", "a/2.jpg", "b/1.jpg", "c.jpg")
	sourcetest.Run(t, func() sources.Source { return sources.Folder{Path: dir} })
}

// TestKnownMetadata: a metadata file that was changed changes the labels at the next start,
// and nothing is listed where none was.
func TestKnownMetadata(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	t.Parallel()
	cache := t.TempDir()
	dir := withMetadata(t, map[string]string{"a/metadata.csv": "file_name,class\n1.jpg,x\n2.jpg,y\n"}, "a/1.jpg", "a/2.jpg")
	file := filepath.Join(dir, "a", "metadata.csv")
	for _, c := range []struct {
		name, want string
		do         func()
		read       int // units
	}{
		{"first", lines("a/1.jpg x", "a/2.jpg y"), func() {}, 3},
		{"nothing", lines("a/1.jpg x", "a/2.jpg y"), func() {}, 0},
		{"rewritten in place", lines("a/1.jpg y", "a/2.jpg x"), func() { must(t, os.WriteFile(file, []byte("file_name,class\n1.jpg,y\n2.jpg,x\n"), 0o644)) }, 1},
		{"removed", lines("a/1.jpg a", "a/2.jpg a"), func() { must(t, os.Remove(file)) }, 1},
		{"another", lines("a/1.jpg ?", "a/2.jpg z"), func() { write(t, dir, "metadata.jsonl", `{"file_name": "a/2.jpg", "class": "z"}`) }, 2},
	} {
		c.do()
		settle()
		d, list := told(t, cache, sources.Folder{Path: dir})
		if diff := cmp.Diff(c.want, table(d.Index())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if len(list) != 1 || list[0].Read != c.read {
			t.Errorf("%s: told %+v, want %d read", c.name, list, c.read)
		}
	}
	if d, _ := told(t, cache, sources.Folder{Path: dir, Metadata: sources.NoMetadata}); schema.Counts(d.Index(), 0)[0] != 2 {
		t.Errorf("without metadata: %s", table(d.Index()))
	}
}
