//go:build unix

package sinks_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// Where a file should be and something else is, nothing waits, nothing outside
// changes, and what is said names it.
func TestOddFiles(t *testing.T) {
	const part = "scale-1/part-00003-of-00008.arrow"
	nothing := func(*schema.Batch) error { return nil }
	kinds := map[string]func(path, outside string) error{
		"pipe":       func(path, _ string) error { return syscall.Mkfifo(path, 0o666) },
		"directory":  func(path, _ string) error { return os.Mkdir(path, 0o777) },
		"full":       func(path, _ string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o777) },
		"broken":     func(path, _ string) error { return os.Symlink("nowhere", path) },
		"loop":       func(path, _ string) error { return os.Symlink(filepath.Base(path), path) },
		"device":     func(path, _ string) error { return os.Symlink("/dev/zero", path) },
		"to another": func(path, outside string) error { return os.Symlink(outside, path) },
	}
	run, whole := sinktest.Runs()["scales"], t.TempDir()
	deliver(t, run, arrowParts(whole))
	for _, name := range []string{"manifest.json", "plan.json", part, ".parts.jsonl", ".lock", ".tmp-plan.json", ".tmp-manifest.json", "scale-1/.tmp-part-00003-of-00008.arrow"} {
		for kind, make := range kinds {
			t.Run(name+" "+kind, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
				write(t, outside, "mine")
				if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(filepath.Base(name), ".tmp") || name == ".parts.jsonl" { // such a run was broken off
					for _, gone := range []string{"manifest.json", part} {
						if err := os.Remove(filepath.Join(dir, gone)); err != nil {
							t.Fatal(err)
						}
					}
				}
				path := filepath.Join(dir, name)
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				if err := make(path, outside); err != nil {
					t.Fatal(err)
				}

				report, err := sinks.Verify(ctx, dir)
				if found := err != nil || len(report.Problems) > 0; !found && name != ".lock" {
					t.Error("verify found nothing")
				}
				if err := sinks.ReadPartsContext(ctx, dir, nothing); (name == part || name == "plan.json") && err == nil {
					t.Error("no error in reading")
				} else if err != nil && !strings.Contains(err.Error(), filepath.Base(name)) && name != part {
					t.Errorf("%v", err)
				}
				err = (sinktest.Delivery{Run: run}).To(ctx, arrowParts(dir))
				if err == nil {
					if report, err := sinks.Verify(ctx, dir); err != nil || len(report.Problems) > 0 {
						t.Errorf("materialized, and then: %+v, %v", report.Problems, err)
					}
				} else if !strings.Contains(err.Error(), strings.TrimPrefix(filepath.Base(name), ".tmp-")) {
					t.Errorf("materialize doesn't name it: %v", err)
				}
				if ctx.Err() != nil {
					t.Error("it took a minute")
				}
				if data, err := os.ReadFile(outside); err != nil || string(data) != "mine" {
					t.Errorf("the file outside is %q, %v", data, err)
				}
			})
		}
	}
}

// Links to whole files are followed: a warning says that they are links.
func TestLinkedParts(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	deliver(t, sinktest.Runs()["uint8"], arrowParts(dir))
	name := "part-00003-of-00008.arrow"
	if err := os.Rename(filepath.Join(dir, name), filepath.Join(other, name)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(other, name), filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	report, err := sinks.Verify(t.Context(), dir)
	if err != nil || len(report.Problems) > 0 || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "1 of its files and folders are symlinks to places outside it, the first "+name) {
		t.Errorf("%+v, %v", report, err)
	}
}

// Waiting for a pipe's writer, or for its bytes, ends with the context.
func TestReadPipeStops(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, begun := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(path, 0o666); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		done := make(chan error)
		go func() { done <- sinks.ReadPartsContext(ctx, path, func(*schema.Batch) error { return nil }) }()
		var w *os.File
		if begun {
			var err error
			if w, err = os.OpenFile(path, os.O_WRONLY, 0); err != nil { // waits for the reader
				t.Fatal(err)
			}
			if _, err := w.WriteString("\xff\xff\xff\xff"); err != nil {
				t.Fatal(err)
			}
		}
		cancel(stopped)
		if err := <-done; !errors.Is(err, stopped) {
			t.Errorf("%v", err)
		}
		// Lets the reader that waits in the system go on.
		if w == nil {
			w, _ = os.OpenFile(path, os.O_WRONLY, 0)
		}
		w.Close()
	}
}

// What lies under a name that sluice keeps for itself and isn't a file is refused by
// name, whether or not there is anything to be made.
func TestOddOwnNames(t *testing.T) {
	d := remembering(smallRun("uint8"), newTexts(9))
	whole := t.TempDir()
	if err := d.To(t.Context(), arrowParts(whole)); err != nil {
		t.Fatal(err)
	}
	for name, shards := range map[string]int{
		".lock": 1, ".lock-0-of-2": 2, ".parts.jsonl": 1, ".lock-stamps.jsonl": 1, ".lock-stamps-0-of-2.jsonl": 2,
		".update-manifest.json": 1, ".update-.parts.jsonl": 1, "sources": 1,
	} {
		for _, begun := range []bool{true, false} {
			dir := t.TempDir()
			if begun {
				if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, name)
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(path, 0o666); err != nil {
				t.Fatal(err)
			}
			err := d.To(t.Context(), makeAll(dir, shards)[0])
			wantError(t, err, filepath.Base(path))
			if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
				t.Errorf("%s isn't the pipe any more: %v", name, err)
			}
		}
	}
}
