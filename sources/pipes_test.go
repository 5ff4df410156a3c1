//go:build unix

package sources_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sluicedata/sluice/sources"
)

// A pipe or device with an image's name must not be opened: reading would hang.
func TestFolderPassesOverPipes(t *testing.T) {
	dir := tree(t, "a/1.jpg")
	must(t, syscall.Mkfifo(filepath.Join(dir, "a", "2.jpg"), 0o600))
	if x := open(t, sources.Folder{Path: dir}).Index(); x.Len() != 1 || x.Ignored() != 1 {
		t.Errorf("%d samples, %d ignored", x.Len(), x.Ignored())
	}
}

func TestFolderIsNoPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.tar")
	must(t, syscall.Mkfifo(pipe, 0o600))
	fails(t, sources.Folder{Path: pipe}, "neither a folder nor a file")
}

// Opening a pipe would block until something writes to it.
func TestListIsNoPipe(t *testing.T) {
	dir := tree(t, "a/1.jpg")
	for _, name := range []string{"m.csv", "m.tsv", "m.jsonl", "classes.txt"} {
		must(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
	}
	for _, name := range []string{"m.csv", "m.tsv", "m.jsonl"} {
		fails(t, sources.Manifest{Path: filepath.Join(dir, name)}, "is a pipe or a device")
	}
	fails(t, sources.Folder{Path: dir, Classes: sources.Classes{File: filepath.Join(dir, "classes.txt")}}, "is a pipe or a device")
}
