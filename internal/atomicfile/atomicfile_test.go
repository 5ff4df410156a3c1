package atomicfile

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
)

func TestAFileIsReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.json")
	for _, want := range []string{"first", "second, and longer", ""} {
		if err := Write(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if have := read(t, path); have != want {
			t.Errorf("the file holds %q, want %q", have, want)
		}
		wantNames(t, dir, "report.json")
	}
}

// A reader sees the old file until Commit; the temporary one lies beside it, whatever
// TMPDIR says, for the two may be on different disks.
func TestBeforeCommitTheOldFileStands(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir())
	path := filepath.Join(dir, "a")
	if err := Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	if have := read(t, path); have != "old" {
		t.Errorf("before Commit the file holds %q", have)
	}
	wantNames(t, dir, filepath.Base(f.Name()), "a")
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Discard()
	if have := read(t, path); have != "new" {
		t.Errorf("after Commit the file holds %q", have)
	}
	wantNames(t, dir, "a")

	g, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	g.Discard()
	if have := read(t, path); have != "new" {
		t.Errorf("after Discard the file holds %q", have)
	}
	wantNames(t, dir, "a")
}

func TestAFailedRenameLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("new")); err == nil {
		t.Error("a directory was replaced by a file")
	}
	wantNames(t, dir, "a")
	if err := Write(filepath.Join(dir, "none", "a"), nil); !os.IsNotExist(err) {
		t.Errorf("a directory that isn't there: error %v", err)
	}
}

func TestTwoWritersOfOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	first, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Discard()
	if err := Write(path, []byte("second")); err != nil {
		t.Fatal(err)
	}
	if _, err := first.WriteString("first"); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	if have := read(t, path); have != "first" {
		t.Errorf("the file holds %q", have)
	}
}

func TestPermissionsStay(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	path := filepath.Join(t.TempDir(), "a")
	for _, want := range []os.FileMode{0o600, 0o666} {
		if err := Write(path, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, want); err != nil {
			t.Fatal(err)
		}
		if err := Write(path, []byte("new")); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("permissions are %v, want %v", info.Mode().Perm(), want)
		}
	}
}

func TestADirectoryThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o300); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if _, err := os.ReadDir(dir); err == nil {
		t.Skip("this user, or system, reads it nevertheless")
	}
	if err := Write(filepath.Join(dir, "a"), []byte("new")); err != nil {
		t.Error(err)
	}
	if have := read(t, filepath.Join(dir, "a")); have != "new" {
		t.Errorf("the file holds %q", have)
	}
}

func TestRemoveStale(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close() // as a killed process does
	kept := []string{".log.jsonl", ".log.jsonl12a", ".other12", "log.jsonl12"}
	for _, name := range kept {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveStale(dir, "report.json", "log.jsonl"); err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir, kept...)
}

// A process may get the number of one that was killed here.
func TestAStaleFileIsNotInTheWay(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		f, err := Create(filepath.Join(dir, "a"))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if want := ".a" + strconv.Itoa(os.Getpid()) + "000" + strconv.Itoa(i); filepath.Base(f.Name()) != want {
			t.Errorf("temporary file %s, want %s", f.Name(), want)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if !slices.Equal(have, want) {
		t.Errorf("%s has %q, want %q", dir, have, want)
	}
}
