package sinktest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

var word = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Format checks the contract of sinks.Format, with Test, and those of the optional
// interfaces that the format has. newFormat returns a new one each time, with the options
// to be tested.
func Format(t *testing.T, newFormat func() sinks.Format) {
	t.Helper()
	FormatTaking(t, newFormat, nil)
}

// FormatTaking is Format for one that cannot hold every run: its Open must refuse those
// that takes, unless nil, denies. It must hold uint8 tensors, or those with
// objects and masks.
func FormatTaking(t *testing.T, newFormat func() sinks.Format, takes func(run *schema.Run) bool) {
	t.Helper()
	t.Run("options", func(t *testing.T) { formatOptions(t, newFormat) })
	s := Subject{Takes: takes, New: func(t *testing.T, dir string) sinks.Sink {
		f := newFormat()
		if err := f.Into(sinks.Destination{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		return f
	}}
	if _, ok := newFormat().(sinks.Reader); ok {
		s.Read = func(dir string, f func(*schema.Batch) error) error {
			return newFormat().(sinks.Reader).ReadBatches(context.Background(), dir, f)
		}
	}
	Test(t, s)
	for name, run := range Runs() {
		if takes != nil && !takes(run) {
			t.Run(name+" refused", func(t *testing.T) { refused(t, s, run) })
		}
	}
	t.Run("data set", func(t *testing.T) { dataSet(t, newFormat, s) })
}

// refused: a run that the sink cannot take is an error of Open, which leaves nothing.
func refused(t *testing.T, s Subject, run *schema.Run) {
	noLeaks(t)
	dir := t.TempDir()
	sink := s.New(t, dir)
	if err := sink.Open(t.Context(), run); err == nil {
		t.Errorf("Open takes a run that Takes denies (Close: %v)", sink.Close(errors.New("not taken")))
	}
	nothingUnfinished(t, dir)
}

func formatOptions(t *testing.T, newFormat func() sinks.Format) {
	f := newFormat()
	if !word.MatchString(f.Name()) {
		t.Errorf("name %q: want lower_case", f.Name())
	}
	if newFormat() == f {
		t.Errorf("%s: the same one twice: make a new one each time", f.Name())
	}
	for _, o := range options.Fields(f) {
		if !word.MatchString(o.Name) || o.Doc == "" {
			t.Errorf("%s: option %q: want a lower_case name and a line of doc", f.Name(), o.Name)
		}
	}
	if _, err := options.Canonical(f); err != nil {
		t.Errorf("%s: %v", f.Name(), err)
	}
	if err := f.Check(); err != nil {
		t.Errorf("%s: the format under test fails its Check: %v", f.Name(), err)
	}
	if err := f.Into(sinks.Destination{}); err == nil {
		t.Errorf("%s: a destination without a directory passes", f.Name())
	}
	for _, to := range []sinks.Destination{{Dir: "d", Shard: 2, Shards: 2}, {Dir: "d", Shard: -1, Shards: 2}, {Dir: "d", Shards: -1}} {
		if err := newFormat().Into(to); err == nil {
			t.Errorf("%s: shard %d of %d passes", f.Name(), to.Shard, to.Shards)
		}
	}
	_, updates := f.(sinks.Updater)
	if err := newFormat().Into(sinks.Destination{Dir: "d", Update: true}); (err == nil) != updates {
		t.Errorf("%s: an update: %v, and being a sinks.Updater is %v", f.Name(), err, updates)
	}
}

// dataSet: a finished directory is recognized and verified, and a flipped bit is found.
func dataSet(t *testing.T, newFormat func() sinks.Format, s Subject) {
	run := Runs()["uint8"]
	if s.Takes != nil && !s.Takes(run) {
		run = Runs()["objects"]
	}
	dir, empty, foreign := t.TempDir(), t.TempDir(), t.TempDir()
	if err := (Delivery{Run: run}).To(t.Context(), s.New(t, dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(foreign, "notes.txt"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, ok := newFormat().(sinks.Recognizer); ok {
		for path, want := range map[string]bool{dir: true, empty: false, foreign: false, filepath.Join(dir, "nowhere"): false, filepath.Join(foreign, "notes.txt"): false} {
			if have := r.Recognizes(path); have != want {
				t.Errorf("%s recognized: %v, want %v", path, have, want)
			}
		}
	}
	if r, ok := newFormat().(sinks.Reader); ok {
		if err := r.Unfinished(dir); err != nil {
			t.Errorf("a finished data set is unfinished: %v", err)
		}
	}
	v, ok := newFormat().(sinks.Verifier)
	if !ok {
		return
	}
	report, err := v.Verify(t.Context(), dir, nil)
	if err != nil || len(report.Problems) > 0 || report.Rows == 0 {
		t.Fatalf("a new data set: %+v, %v", report, err)
	}
	largest := ""
	for name, data := range Files(t, dir) {
		if name == "manifest.json" { // which has numbers that nothing else tells
			continue
		}
		if largest == "" || len(data) > len(Files(t, dir)[largest]) {
			largest = name
		}
	}
	data := []byte(Files(t, dir)[largest])
	data[len(data)/2] ^= 1
	if err := os.WriteFile(filepath.Join(dir, largest), data, 0o644); err != nil {
		t.Fatal(err)
	}
	report, err = v.Verify(t.Context(), dir, nil)
	if err != nil || len(report.Problems) == 0 || !strings.Contains(filepath.ToSlash(largest), report.Problems[0].Name) {
		t.Errorf("with a bit flipped in %s: %+v, %v", largest, report.Problems, err)
	}
}
