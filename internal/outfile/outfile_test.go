package outfile

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var note = Kind{Name: "a note", Is: func(data []byte) bool { return bytes.HasPrefix(data, []byte("note: ")) }, Most: 100}

func TestOnlyItsOwnKindIsReplaced(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		name, before, refused string
	}{
		{"new", "-", ""},
		{"empty", "", ""},
		{"old", "note: 1", ""},
		{"other", "version: 1", "isn't a note: it would be overwritten; move it away"},
		{"large", "note: " + strings.Repeat("x", 100), "isn't a note"},
	} {
		if c.before != "-" {
			write(t, at(c.name), c.before)
		}
		err := note.Write(at(c.name), []byte("note: 2"))
		want := "note: 2"
		if c.refused != "" {
			want = c.before
			if err == nil || !strings.Contains(err.Error(), c.refused) || !strings.Contains(err.Error(), at(c.name)) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.refused)
			}
		} else if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if have, _ := os.ReadFile(at(c.name)); string(have) != want {
			t.Errorf("%s holds %q, want %q", c.name, have, want)
		}
	}
	for name, want := range map[string]string{"": "empty", dir: "is a directory", at("none/a"): "no such file", at("old/a"): "not a directory"} {
		if err := note.Write(name, []byte("note: 2")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", name, err, want)
		}
	}
}

func TestLinksStay(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("other"), "version: 1")
	write(t, at("old"), "note: 1")
	if err := os.Mkdir(at("sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"toOther": "other", "toOld": "old", "toNew": "sub/new", "toLink": "toNew", "circle": "circle"} {
		if err := os.Symlink(target, at(name)); err != nil {
			t.Skip("no symbolic links: ", err)
		}
	}
	for name, end := range map[string]string{"toOld": "old", "toNew": "sub/new", "toLink": "sub/new"} {
		if err := note.Write(at(name), []byte("note: "+name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if have, _ := os.ReadFile(at(end)); string(have) != "note: "+name {
			t.Errorf("%s: %s holds %q", name, end, have)
		}
		if info, err := os.Lstat(at(name)); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v", name, err)
		}
	}
	for _, name := range []string{"toOther", "circle"} {
		if err := note.Write(at(name), []byte("note: 2")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// write puts a file there.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// read returns what comes out of a pipe.
func read(name string) <-chan string {
	out := make(chan string, 1)
	go func() {
		f, err := os.Open(name)
		if err != nil {
			out <- err.Error()
			return
		}
		defer f.Close()
		data, err := io.ReadAll(f)
		if err != nil {
			out <- err.Error()
			return
		}
		out <- string(data)
	}()
	return out
}
