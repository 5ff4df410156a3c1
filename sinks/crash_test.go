package sinks_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// killed is the panic that stands for kill -9.
type killed struct{ step, name string }

// runUntil runs until the change number n of the directory, and dies before it.
// It returns how many changes there were, and whether it died.
func runUntil(t fataler, run *schema.Run, sink mortal, n int) (steps int, died *killed) {
	sink.OnStep(func(step, name string) error {
		if steps++; steps == n {
			panic(killed{step, name})
		}
		return nil
	})
	defer func() {
		switch p := recover().(type) {
		case nil:
		case killed:
			died = &p
			sink.Die()
		default:
			panic(p)
		}
	}()
	if err := (sinktest.Delivery{Run: run}).To(context.Background(), sink); err != nil {
		t.Fatal(err)
	}
	return steps, nil
}

type fataler interface{ Fatal(...any) }

// mortal is a sink that can be killed.
type mortal interface {
	sinks.Sink
	OnStep(f func(step, name string) error)
	Die()
}

// smallRun has 4 parts, or with scales 2 in each: every step takes a run or two.
func smallRun(name string) *schema.Run {
	run := sinktest.Runs()[name]
	run.Epochs = 1
	if run.Scales {
		run.RowsPerEpoch, run.BatchesPerEpoch = 14, 4
	}
	return run
}

// shards of one run, one after the other.
func makeAll(dir string, shards int) []*sinks.ArrowParts {
	var list []*sinks.ArrowParts
	for i := range shards {
		list = append(list, &sinks.ArrowParts{Dir: dir, PartRows: 11, Shard: i, Shards: shards})
	}
	return list
}

// Wherever a run is killed, the next one completes the directory, to the same
// bytes as an unbroken run.
func TestKilledAtEveryStep(t *testing.T) {
	for _, name := range []string{"uint8", "scales", "nothing"} {
		for _, shards := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, %d shards", name, shards), func(t *testing.T) {
				run, whole := smallRun(name), t.TempDir()
				total := 0
				for _, sink := range makeAll(whole, shards) {
					steps, _ := runUntil(t, run, sink, 0)
					total = max(total, steps)
				}
				want := sinktest.Files(t, whole)
				for n := 1; n <= total; n++ {
					dir := filepath.Join(t.TempDir(), "a", "b")
					var died *killed
					for _, sink := range makeAll(dir, shards) {
						if _, died = runUntil(t, run, sink, n); died != nil {
							break
						}
					}
					checkFinalNames(t, dir, want)
					if died != nil && died.step == "write" && died.name == ".parts.jsonl" {
						tear(t, filepath.Join(dir, died.name))
					}
					for _, sink := range makeAll(dir, shards) {
						deliver(t, run, sink)
					}
					sinktest.SameFiles(t, want, sinktest.Files(t, dir))
					if t.Failed() {
						t.Fatalf("killed at step %d: %+v", n, died)
					}
				}
				t.Logf("%d steps", total)
			})
		}
	}
}

// checkFinalNames checks that what has a final name is whole.
func checkFinalNames(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if _, err := os.Stat(dir); err != nil {
		return
	}
	for name, data := range sinktest.Files(t, dir) {
		if base := filepath.Base(name); !strings.HasPrefix(base, ".") && data != want[name] {
			t.Errorf("%s is not as it is in a whole run", name)
		}
	}
}

// tear appends the first half of a line.
func tear(t *testing.T, path string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"name":"part-00001-of-00008.arrow","rows":8,"byt`); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// Killed again and again, with damage in between.
func TestKilledRepeatedly(t *testing.T) {
	runs := map[string]*schema.Run{"uint8": smallRun("uint8"), "scales": smallRun("scales")}
	wants := map[string]map[string]string{}
	for _, name := range []string{"uint8", "scales"} {
		dir := t.TempDir()
		deliver(t, runs[name], arrowParts(dir))
		wants[name] = sinktest.Files(t, dir)
	}
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			rt.Fatal(err)
		}
		name := rapid.SampledFrom([]string{"uint8", "scales"}).Draw(rt, "run")
		for range rapid.IntRange(1, 4).Draw(rt, "kills") {
			runUntil(rt, runs[name], arrowParts(dir), rapid.IntRange(1, 60).Draw(rt, "step"))
			damage(rt, dir)
		}
		runUntil(rt, runs[name], arrowParts(dir), 0)
		have := sinktest.Files(t, dir)
		for file, data := range wants[name] {
			if have[file] != data {
				rt.Fatalf("%s differs", file)
			}
		}
		if len(have) != len(wants[name]) {
			rt.Fatalf("%d files, want %d", len(have), len(wants[name]))
		}
	})
}

// damage does to some file what a failing disk or a power cut may do.
func damage(t *rapid.T, dir string) {
	var files []string
	for _, pattern := range []string{"*.arrow", "scale-*/*.arrow", ".parts.jsonl", "manifest.json"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return
	}
	file := rapid.SampledFrom(files).Draw(t, "file")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := rapid.IntRange(0, len(data)).Draw(t, "at")
	switch rapid.SampledFrom([]string{"nothing", "flip", "cut", "zero", "remove"}).Draw(t, "damage") {
	case "flip":
		// A flipped digit of a JSON file would go unnoticed: they are trusted.
		if at < len(data) && filepath.Ext(file) == ".arrow" {
			data[at] ^= 1 << (at % 8)
		}
	case "cut":
		data = data[:at]
	case "zero":
		clear(data[at:])
	case "remove":
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whatever change fails, the error says what to do, nothing unfinished is left
// (as far as removing works), and the next run completes the directory.
func TestEveryStepFails(t *testing.T) {
	for _, name := range []string{"uint8", "scales"} {
		run, whole := smallRun(name), t.TempDir()
		total, _ := runUntil(t, run, arrowParts(whole), 0)
		want := sinktest.Files(t, whole)
		for n := 1; n <= total; n++ {
			dir := t.TempDir()
			sink, steps, at := arrowParts(dir), 0, ""
			sink.OnStep(func(step, name string) error {
				if steps++; steps == n {
					at = step + " " + name
					return &os.PathError{Op: "x", Path: "y", Err: syscall.ENOSPC}
				}
				return nil
			})
			err := sinktest.Delivery{Run: run}.To(context.Background(), sink)
			wantError(t, err, "sinks: arrow: cannot", dir, "no space left on device: free some space there")
			for file := range sinktest.Files(t, dir) {
				if strings.HasPrefix(filepath.Base(file), ".tmp-") {
					t.Errorf("%s is left", file)
				}
			}
			checkFinalNames(t, dir, want)
			deliver(t, run, arrowParts(dir))
			sinktest.SameFiles(t, want, sinktest.Files(t, dir))
			if t.Failed() {
				t.Fatalf("failed at step %d: %s: %v", n, at, err)
			}
		}
	}
}

// A failed removal while cleaning up is told beside the first error.
func TestFailsTwice(t *testing.T) {
	sink, first := arrowParts(t.TempDir()), errors.New("the first")
	sink.OnStep(func(step, name string) error {
		switch {
		case step == "write" && strings.Contains(name, "part-00001"):
			return first
		case step == "remove" && strings.Contains(name, ".tmp-"):
			return syscall.EACCES
		}
		return nil
	})
	err := sinktest.Delivery{Run: sinktest.Runs()["uint8"]}.To(context.Background(), sink)
	wantError(t, err, "the first", "cannot remove", "make the directory writable")
	if !errors.Is(err, first) {
		t.Error("the first error cannot be recognized")
	}
}
