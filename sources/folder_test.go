package sources_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

func TestFolderConforms(t *testing.T) {
	dir := tree(t, "cat/1.jpg", "cat/2.png", "dog/1.jpg", "readme.txt")
	sourcetest.Run(t, func() sources.Source { return sources.Folder{Path: dir} })
}

func TestFolderPhotos(t *testing.T) {
	dir := shared(t, "photos")
	sourcetest.Run(t, func() sources.Source { return &sources.Folder{Path: dir} })
	x := open(t, sources.Folder{Path: dir}).Index()
	if x.Len() != 167 || len(x.Tasks()) != 0 || x.Ignored() != 0 {
		t.Errorf("%d samples, %d tasks, %d ignored", x.Len(), len(x.Tasks()), x.Ignored())
	}
}

func TestFolderIndex(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  []string
		tasks  []string
		want   string
		passed int
	}{
		{"one task", []string{"dog/b.jpg", "cat/b.jpg", "cat/a.jpg"}, nil,
			lines("cat/a.jpg cat", "cat/b.jpg cat", "dog/b.jpg dog"), 0},
		{"innermost folders, outermost first", []string{"site1/2024/circle/stop/1.png", "site2/2025/square/go/2.png"}, []string{"shape", "type"},
			lines("site1/2024/circle/stop/1.png circle stop", "site2/2025/square/go/2.png square go"), 0},
		{"extensions in any case, others ignored", []string{"a/1.JPEG", "a/2.Png", "a/3.txt", "a/4", "a/5.jpg.bak", "x.csv"}, nil,
			lines("a/1.JPEG a", "a/2.Png a"), 4},
		{"dot files, and a dot folder as one", []string{"a/1.jpg", "a/.2.jpg", "a/._1.jpg", ".git/a.jpg", ".git/b/c.jpg", "a/.x/y.jpg"}, nil,
			lines("a/1.jpg a"), 4},
		{"flat", []string{"2.jpg", "1.jpg", "notes/readme.txt"}, nil, lines("1.jpg", "2.jpg"), 1},
		{"no tasks", []string{"2.jpg", "a/1.jpg"}, []string{}, lines("2.jpg", "a/1.jpg"), 0},
		{"bytewise: capitals, then small, then others", []string{"a/é.jpg", "a/z.jpg", "B/a.jpg", "a/Z.jpg", "a-b/1.jpg"}, nil,
			lines("B/a.jpg B", "a-b/1.jpg a-b", "a/Z.jpg a", "a/z.jpg a", "a/é.jpg a"), 0},
		{"a folder named as an image", []string{"x.jpg/1.jpg"}, nil, lines("x.jpg/1.jpg x.jpg"), 0},
		{"links to a file and a folder", []string{"a/1.jpg", "b/2.jpg -> ../a/1.jpg", "c -> a", "d/x.txt -> nowhere"}, nil,
			lines("a/1.jpg a", "b/2.jpg b", "c/1.jpg c"), 1},
		{"links in a circle", []string{"a/1.jpg", "a/up -> ..", "a/self -> ."}, nil, lines("a/1.jpg a"), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := open(t, sources.Folder{Path: tree(t, c.files...), Tasks: c.tasks}).Index()
			if diff := cmp.Diff(c.want, table(x)); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			if x.Ignored() != c.passed {
				t.Errorf("%d ignored, want %d", x.Ignored(), c.passed)
			}
		})
	}
}

func TestFolderErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  []string
		source sources.Folder
		want   []string
	}{
		{"empty", []string{"a/"}, sources.Folder{}, []string{"no image in this folder", ".jpg", ".png"}},
		{"nothing but others", []string{"a/1.txt", "a/2.tga", "a/3.tga", ".x"}, sources.Folder{},
			[]string{"no image", "ignored 4 files (2 .tga, 1 .txt, 1 hidden)"}},
		{"above the labels", []string{"a/1.jpg", "2.jpg"}, sources.Folder{}, []string{`1 image lies above`, `"2.jpg"`, `"class/2.jpg"`, "move it"}},
		{"above two labels", []string{"a/1.jpg", "a/b/2.jpg"}, sources.Folder{Tasks: []string{"shape", "type"}}, []string{`"a/1.jpg"`, `"shape/type/1.jpg"`}},
		{"nothing but dangling links", []string{"a/1.jpg -> gone.jpg"}, sources.Folder{}, []string{`"a/1.jpg"`, "broken link"}},
		{"not UTF-8", []string{"a/caf\xe9.jpg", "a/b.jpg"}, sources.Folder{}, []string{`"a/caf\xe9.jpg"`, "UTF-8", "rename"}},
		{"classes of a flat folder", []string{"1.jpg"}, sources.Folder{Classes: sources.Classes{List: []string{"a"}}}, []string{"none has a label"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.source.Path = tree(t, c.files...)
			fails(t, c.source, append(c.want, "sources: folder: ")...)
		})
	}
}

func TestFolderPathErrors(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		"missing": "no such folder", "x.tar.gz": "neither by gzip nor by zstd", "x.zip": "not a zip", "x.tar.xz": "make it a .tar", "x.csv": "manifest", "x.bin": "is a file",
	} {
		path := filepath.Join(dir, name)
		if name != "missing" {
			write(t, dir, name, "x")
		}
		fails(t, sources.Folder{Path: path}, want, fmt.Sprintf("%q", path))
	}
	fails(t, sources.Folder{Path: "no/such"}, "no such folder", "sources") // the working folder is named
}

func TestFolderCheck(t *testing.T) {
	err := sources.Folder{Tasks: []string{"a", "", "a"}, Classes: sources.Classes{List: []string{"x", "x"}}}.Check()
	for _, want := range []string{"path: is missing", "tasks: item 2: the name is empty", `tasks: item 3: "a" is named twice`, "classes: item 2"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check lacks %q: %v", want, err)
		}
	}
}

func TestFolderUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := tree(t, "a/1.jpg", "b/2.jpg")
	must(t, os.Chmod(filepath.Join(dir, "b"), 0))
	fails(t, sources.Folder{Path: dir}, `"b/"`, "permission denied")
}

func TestFolderWarnings(t *testing.T) {
	dir := tree(t, "a/1.jpg", "a/2.tga", "b/3.HEIC", "a/up -> ..")
	have := warnings(open(t, sources.Folder{Path: dir}))
	for _, want := range []string{"1 .heic, 1 .tga", `"a/up"`} {
		if !strings.Contains(have, want) {
			t.Errorf("warnings lack %q: %s", want, have)
		}
	}
	flat := open(t, sources.Folder{Path: tree(t, "1.jpg"), Tasks: []string{"shape", "type"}})
	if have := warnings(flat); !strings.Contains(have, `["shape" "type"] are left out`) {
		t.Errorf("warnings of a flat folder: %s", have)
	}
}

func TestFolderChangedAfterOpen(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		change func(file string) error
		want   string
	}{
		"gone":    {os.Remove, "disappeared"},
		"longer":  {func(f string) error { return os.WriteFile(f, []byte("a longer text"), 0o644) }, "had 7 bytes and now has 13"},
		"shorter": {func(f string) error { return os.Truncate(f, 3) }, "had 7 bytes and now has 3"},
		"empty":   {func(f string) error { return os.Truncate(f, 0) }, "had 7 bytes and now has 0"},
		"other": {func(f string) error {
			return errors.Join(os.WriteFile(f, []byte("another"), 0o644), os.Chtimes(f, time.Time{}, time.Now().Add(time.Second)))
		}, "written at"},
		"folder": {func(f string) error { return errors.Join(os.Remove(f), os.Mkdir(f, 0o755)) }, "cannot read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, "a/1.jpg", "a/2.jpg")
			d := open(t, sources.Folder{Path: dir})
			must(t, c.change(filepath.Join(dir, "a", "2.jpg")))
			_, err := d.Read(ctx, 1, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `sources: folder: "a/2.jpg": `) {
				t.Errorf("Read: %v", err)
			}
			if errors.Is(err, sources.ErrMissing) {
				t.Errorf("%v: it wasn't missing when the folder was listed", err)
			}
			if name == "gone" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v is not fs.ErrNotExist", err)
			}
			if _, err := d.Read(ctx, 0, nil); err != nil {
				t.Errorf("the other file: %v", err)
			}
		})
	}
}

// The index depends on the data, not on where they are.
func TestFolderIdentityIsOfTheData(t *testing.T) {
	files := []string{"a/1.jpg", "b/2.jpg", "b/3.jpg"}
	one := open(t, sources.Folder{Path: tree(t, files...)}).Index()
	two := open(t, sources.Folder{Path: tree(t, files[2], files[0], files[1], "b/x.txt")}).Index()
	if sources.Identity(one) != sources.Identity(two) {
		t.Error("the same images elsewhere have another identity")
	}
}

func TestFolderCancelledWhileListing(t *testing.T) {
	files := make([]string, 3000)
	for i := range files {
		files[i] = fmt.Sprintf("c%d/%d.jpg", i%50, i)
	}
	dir := tree(t, files...)
	for delay := range 10 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(delay)*300*time.Microsecond)
		d, err := sources.Folder{Path: dir}.Open(ctx)
		if err == nil {
			d.Close()
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open: %v", err)
		}
		cancel()
	}
}

func BenchmarkFolderOpen(b *testing.B) {
	dir := b.TempDir()
	for i := range 20000 {
		folder := filepath.Join(dir, fmt.Sprint("class", i%100))
		if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, fmt.Sprint(i, ".jpg")), nil, 0o644)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := (sources.Folder{Path: dir}).Open(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20000*float64(b.N)/b.Elapsed().Seconds(), "files/s")
}
