package sinks_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// A change of the source, and what an update has to do about it.
type change struct {
	run    string
	shards int
	replan bool // the plan hash is another: every part is made again
	fewer  bool // of the rows: there are fewer parts, too
}

func (c change) String() string {
	return fmt.Sprintf("%s, %d shards, another plan: %t, fewer rows: %t", c.run, c.shards, c.replan, c.fewer)
}

// deliveries are a run over the source as it was, and as it is.
func (c change) deliveries() (before, after sinktest.Delivery) {
	s := newTexts(30)
	s.data[2], s.stamp[2] = "xyz", "2"
	run, other := smallRun(c.run), smallRun(c.run)
	if c.replan {
		run.Pipeline, other.Pipeline = `{"source":"a"}`, `{"source":"b"}`
		other.PlanHash = "another"
	}
	if c.fewer {
		other.RowsPerEpoch, other.BatchesPerEpoch = 7, 2
	}
	return remembering(run, newTexts(30)), remembering(other, s)
}

func (c change) sinks(dir string) []*sinks.ArrowParts {
	list := makeAll(dir, c.shards)
	for _, sink := range list {
		sink.Update = true
	}
	return list
}

func (c change) deliver(t *testing.T, d sinktest.Delivery, list []*sinks.ArrowParts) {
	t.Helper()
	for _, sink := range list {
		if err := d.To(t.Context(), sink); err != nil {
			t.Fatal(err)
		}
	}
}

// changes with the files of before and after.
func changes(t *testing.T, f func(t *testing.T, c change, before, after sinktest.Delivery, was, want map[string]string)) {
	for _, c := range []change{
		{run: "uint8", shards: 1}, {run: "uint8", shards: 2}, {run: "scales", shards: 1},
		{run: "uint8", shards: 1, replan: true}, {run: "scales", shards: 1, replan: true, fewer: true},
	} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			before, after := c.deliveries()
			old, fresh := t.TempDir(), t.TempDir()
			c.deliver(t, before, makeAll(old, c.shards))
			c.deliver(t, after, makeAll(fresh, c.shards))
			was, want := visible(t, old), visible(t, fresh)
			if parts := differing(was, want, ".xxh128"); !c.replan && (parts == 0 || parts == 4) {
				t.Fatalf("%d lists differ: want some, and not all", parts)
			}
			f(t, c, before, after, was, want)
		})
	}
}

func differing(a, b map[string]string, suffix string) (n int) {
	for name := range a {
		if strings.HasSuffix(name, suffix) && a[name] != b[name] {
			n++
		}
	}
	return n
}

// visible are the files that readers see.
func visible(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := sinktest.Files(t, dir)
	for name := range files {
		if strings.HasPrefix(filepath.Base(name), ".") {
			delete(files, name)
		}
	}
	return files
}

func same(a, b map[string]string) bool {
	return len(a) == len(b) && differing(a, b, "") == 0
}

// copyTo gives a directory these files.
func copyTo(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, path, data)
	}
}

// checkUpdating checks a directory whose update was broken off: it is the data set of
// before, that of after, or one that says what it is; and each part of before is there,
// or the one that takes its place.
func checkUpdating(t *testing.T, dir string, shards int, was, want map[string]string) {
	t.Helper()
	have := sinktest.Files(t, dir)
	for name, data := range was {
		if filepath.Ext(name) != ".arrow" && filepath.Ext(name) != ".xxh128" {
			continue
		}
		if have[name] != data && have[name] != want[name] {
			t.Errorf("%s is neither the old one nor the new one", name)
		}
	}
	report, err := sinks.Verify(t.Context(), dir)
	switch {
	case err != nil:
		wantError(t, err, "run the same materialize command again")
		if shards == 1 {
			wantError(t, err, "an update of it was interrupted while its files were being renamed")
		}
	case len(report.Problems) > 0:
		t.Errorf("a manifest vouches for what isn't there: %+v", report.Problems)
	case shards == 1 && !same(visible(t, dir), was) && !same(visible(t, dir), want):
		t.Error("verified, and neither the old data set nor the new one")
	}
}

// Wherever an update is killed, nothing is lost, nothing is vouched for that isn't so,
// and the next one ends it, to the bytes of a run from nothing.
func TestUpdateKilledAtEveryStep(t *testing.T) {
	changes(t, func(t *testing.T, c change, before, after sinktest.Delivery, was, want map[string]string) {
		for n := 1; ; n++ {
			dir := t.TempDir()
			copyTo(t, dir, was)
			died := false
			for _, sink := range c.sinks(dir) {
				if died = dieAt(t, after, sink, n); died {
					break
				}
			}
			if !died {
				t.Logf("%d steps", n-1)
				if n < 20 {
					t.Errorf("only %d steps", n)
				}
				return
			}
			checkUpdating(t, dir, c.shards, was, want)
			// Killed once more, somewhere in what is left.
			if n%3 == 0 {
				for _, sink := range c.sinks(dir) {
					if dieAt(t, after, sink, n/2+1) {
						break
					}
				}
				checkUpdating(t, dir, c.shards, was, want)
			}
			c.deliver(t, after, c.sinks(dir))
			if c.shards == 2 { // the first may have ended before the other's update
				c.deliver(t, after, c.sinks(dir))
			}
			sinktest.SameFiles(t, want, visible(t, dir))
			checkHidden(t, dir)
			if report, err := sinks.Verify(t.Context(), dir); err != nil || len(report.Problems)+len(report.Warnings) > 0 {
				t.Errorf("%+v, %v", report, err)
			}
			if t.Failed() {
				t.Fatalf("killed at step %d", n)
			}
		}
	})
}

// checkHidden checks that nothing of an update is left.
func checkHidden(t *testing.T, dir string) {
	t.Helper()
	for name := range sinktest.Files(t, dir) {
		if base := filepath.Base(name); strings.HasPrefix(base, ".update-") || strings.HasPrefix(base, ".tmp-") {
			t.Errorf("%s is left", name)
		}
	}
}

// An update that fails at any of its rows, or at any step before it is decided, leaves
// the old data set whole; once the source is what it was, a run drops what was made.
func TestUpdateFails(t *testing.T) {
	changes(t, func(t *testing.T, c change, before, after sinktest.Delivery, was, want map[string]string) {
		bad := errors.New("a bad picture")
		for at := 1; ; at++ {
			dir := t.TempDir()
			copyTo(t, dir, was)
			failing, batches := after, 0
			failing.Before = func(b *schema.Batch) error {
				if batches++; batches == at {
					return bad
				}
				return after.Before(b)
			}
			err := failing.To(t.Context(), c.sinks(dir)[0])
			if batches < at {
				if at < 3 {
					t.Errorf("%d batches", batches)
				}
				return
			}
			if !errors.Is(err, bad) {
				t.Fatal(err)
			}
			if have := visible(t, dir); !same(have, was) {
				t.Errorf("failed at batch %d: the old data set isn't whole: %d files differ", at, differing(was, have, ""))
			}
			report, err := sinks.Verify(t.Context(), dir)
			if err != nil || len(report.Problems) > 0 || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "was started and isn't finished") {
				t.Errorf("%+v, %v", report, err)
			}
			if text := sinks.AfterFailedUpdate(dir); !strings.Contains(text, "the old parts are still there") {
				t.Error(text)
			}
			c.deliver(t, before, makeAll(dir, c.shards))
			sinktest.SameFiles(t, was, visible(t, dir))
			checkHidden(t, dir)
		}
	})
}

// What an update has made before it was broken off isn't made again, unless the
// source has changed once more.
func TestUpdateGoesOn(t *testing.T) {
	c := change{run: "uint8", shards: 1, replan: true}
	before, after := c.deliveries()
	dir := t.TempDir()
	c.deliver(t, before, makeAll(dir, 1))
	failing, batches := after, 0
	failing.Before = func(b *schema.Batch) error {
		if batches++; b.Number == 3 {
			return errors.New("bad")
		}
		return after.Before(b)
	}
	if err := failing.To(t.Context(), c.sinks(dir)[0]); err == nil {
		t.Fatal("no error")
	}
	made := staging(t, dir)
	if len(made) == 0 {
		t.Fatal("nothing was made")
	}
	sink := c.sinks(dir)[0]
	var written []string
	sink.OnStep(func(step, name string) error {
		if step == "create" {
			written = append(written, strings.TrimPrefix(filepath.Base(name), ".tmp-"))
		}
		return nil
	})
	c.deliver(t, after, []*sinks.ArrowParts{sink})
	for _, name := range made {
		if slices.Contains(written, strings.TrimPrefix(filepath.Base(name), ".update-")) {
			t.Errorf("%s was made twice", name)
		}
	}
	fresh := t.TempDir()
	c.deliver(t, after, makeAll(fresh, 1))
	sinktest.SameFiles(t, visible(t, fresh), visible(t, dir))
}

func staging(t *testing.T, dir string) (names []string) {
	t.Helper()
	for name := range sinktest.Files(t, dir) {
		if strings.HasPrefix(filepath.Base(name), ".update-part") {
			names = append(names, name)
		}
	}
	return names
}

// A manifest of an update that comes from elsewhere renames nothing outside.
func TestHostileUpdate(t *testing.T) {
	run, dir := smallRun("uint8"), t.TempDir()
	deliver(t, run, arrowParts(dir))
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".update-manifest.json"), strings.Replace(string(manifest), "part-00001", "../part-00001", 1))
	err = (sinktest.Delivery{Run: run}).To(t.Context(), arrowParts(dir))
	wantError(t, err, ".update-manifest.json", "damaged")
}
