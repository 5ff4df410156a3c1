package sources_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// shared is the project's test data, outside the repository.
func shared(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "data", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs the shared test data: %v", err)
	}
	return path
}

// tree makes a folder of files, each holding its own name; a name that ends in
// a slash is a folder, "a -> b" a symbolic link.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		name, target, isLink := strings.Cut(name, " -> ")
		path := filepath.Join(dir, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		switch {
		case isLink:
			must(t, os.Symlink(filepath.FromSlash(target), path))
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(path, 0o755))
		default:
			must(t, os.WriteFile(path, []byte(name), 0o644))
		}
	}
	return dir
}

// write makes one file in a folder and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a source until the test ends.
func open(t *testing.T, s sources.Source) sources.Dataset {
	t.Helper()
	d, err := s.Open(context.Background())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// fails opens a source that must fail, with all these texts in the error.
func fails(t *testing.T, s sources.Source, texts ...string) {
	t.Helper()
	d, err := s.Open(context.Background())
	if err == nil {
		d.Close()
		t.Fatalf("Open succeeded; want an error with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error lacks %q:\n%v", text, err)
		}
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, "sources: ") {
			t.Errorf("a line of the error doesn't begin with the package: %q", line)
		}
	}
	if t.Failed() || testing.Verbose() {
		t.Log(err)
	}
}

// keys are the column that an index gives one by one, as sizes and labels are.
func keys(x schema.Index) []string { return column(x, x.Key) }

func sizes(x schema.Index) []int64 { return column(x, x.Size) }

func labels(x schema.Index, task int) []int32 {
	return column(x, func(s int) int32 { return x.Label(task, s) })
}

func column[T any](x schema.Index, value func(sample int) T) (list []T) {
	for s := range x.Len() {
		list = append(list, value(s))
	}
	return list
}

// table writes an index as "key class1 class2" lines, for comparison.
func table(x schema.Index) string {
	var b strings.Builder
	for s, key := range keys(x) {
		b.WriteString(key)
		for t, task := range x.Tasks() {
			label := "?"
			if n := x.Label(t, s); n != schema.Unknown {
				label = task.Classes[n]
			}
			b.WriteString(" " + label)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// lines is the table that table writes.
func lines(rows ...string) string { return strings.Join(rows, "\n") + "\n" }

func warnings(d sources.Dataset) string {
	return strings.Join(d.(sources.Warner).Warnings(), "\n")
}
