package sinks_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// A real full disk: a small file system in memory.
func TestFullDisk(t *testing.T) {
	dir := mountTmpfs(t, "size=256k")
	out := filepath.Join(dir, "out")
	run := large()
	err := sinktest.Delivery{Run: run, Mem: sinktest.Memory(t)}.To(t.Context(), &sinks.ArrowParts{Dir: out})
	wantError(t, err, "sinks: arrow: cannot write "+out+"/.tmp-part-", "no space left on device", "free some space there", "finished parts are kept")
	if !errors.Is(err, syscall.ENOSPC) {
		t.Error("the cause cannot be recognized")
	}
	nothingFinal(t, out)
}

// The manifest doesn't fit any more, the parts do.
func TestDiskFullAtTheEnd(t *testing.T) {
	whole := t.TempDir()
	run := sinktest.Runs()["uint8"]
	deliver(t, run, arrowParts(whole))
	dir := mountTmpfs(t, "size=4m")
	out := filepath.Join(dir, "out")
	sink := arrowParts(out)
	sink.OnStep(func(step, name string) error {
		if step == "create" && strings.Contains(name, "manifest") {
			fill(t, filepath.Join(dir, "filler"))
		}
		return nil
	})
	err := sinktest.Delivery{Run: run}.To(t.Context(), sink)
	wantError(t, err, "manifest.json", "no space left on device")
	for name := range sinktest.Files(t, out) {
		if strings.Contains(name, "manifest") || strings.HasPrefix(name, ".tmp-") {
			t.Errorf("%s is left", name)
		}
	}
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
	deliver(t, run, arrowParts(out))
	sinktest.SameFiles(t, sinktest.Files(t, whole), sinktest.Files(t, out))
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 16, 1} {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
}

func TestUnwritable(t *testing.T) {
	run := sinktest.Runs()["uint8"]
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "x")
	err := arrowParts(filepath.Join(file, "out")).Open(t.Context(), run)
	wantError(t, err, "sinks: arrow: cannot", file, "not a directory", "choose another")

	readOnly := mountTmpfs(t, "ro")
	err = arrowParts(filepath.Join(readOnly, "out")).Open(t.Context(), run)
	wantError(t, err, "sinks: arrow: cannot make the folder "+filepath.Join(readOnly, "out"), "read-only file system", "choose another")
	err = arrowParts(readOnly).Open(t.Context(), run)
	wantError(t, err, readOnly, "read-only file system")
}

func TestNoPermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil { //nolint:gosec // a folder
		t.Fatal(err)
	}
	err := arrowParts(filepath.Join(dir, "out")).Open(t.Context(), sinktest.Runs()["uint8"])
	wantError(t, err, dir, "permission denied", "make the directory writable, or choose another")
}

// nothingFinal checks that no part and no manifest is there.
func nothingFinal(t *testing.T, dir string) {
	t.Helper()
	for name := range sinktest.Files(t, dir) {
		if name != "plan.json" && name != ".lock" {
			t.Errorf("%s is left", name)
		}
	}
}
