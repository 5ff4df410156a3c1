// Package sinktest is the conformance suite of sinks: every sink's test calls
// Test in one line. It also has what other tests of sinks need: runs of every
// form, their batches, and a Delivery that behaves as the engine does.
package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// Subject is a sink to be tested.
type Subject struct {
	// New makes a sink whose files, if it writes any, go to dir.
	New func(t *testing.T, dir string) sinks.Sink
	// Takes reports whether the sink can take a run; nil: any.
	Takes func(run *schema.Run) bool
	// Read gives back the batches that a complete run has written; nil if they can't
	// be read.
	Read func(dir string, f func(*schema.Batch) error) error
}

// Test checks the contract of sinks.Sink, and that of sinks.Skipper if the sink is
// one.
func Test(t *testing.T, s Subject) {
	runs := Runs()
	for _, name := range names(runs) {
		run := runs[name]
		if s.Takes != nil && !s.Takes(run) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Run("complete", func(t *testing.T) { complete(t, s, run) })
			t.Run("again", func(t *testing.T) { again(t, s, run) })
			t.Run("broken off", func(t *testing.T) { brokenOff(t, s, run) })
			t.Run("cancelled", func(t *testing.T) { cancelled(t, s, run) })
		})
	}
}

// complete: all batches arrive unchanged, and none is retained.
func complete(t *testing.T, s Subject, run *schema.Run) {
	noLeaks(t)
	dir, mem := t.TempDir(), Memory(t)
	var before [][]byte
	writes := 0
	d := Delivery{
		Run: run, Mem: mem,
		Before: func(b *schema.Batch) error {
			writes++
			before = snapshot(b)
			return nil
		},
		After: func(b *schema.Batch) {
			for i, column := range snapshot(b) {
				if !bytes.Equal(column, before[i]) {
					t.Errorf("Write changed column %d of batch %d", i, b.Number)
				}
			}
		},
	}
	if err := d.To(t.Context(), s.New(t, dir)); err != nil {
		t.Fatal(err)
	}
	nothingUnfinished(t, dir)
	if s.Read == nil {
		return
	}
	read := 0
	err := s.Read(dir, func(b *schema.Batch) error {
		read++
		if b.Rows() == 0 {
			return nil // nothing says which one it was
		}
		return compareBatch(run, b)
	})
	if err != nil {
		t.Fatal(err)
	}
	if read != writes {
		t.Errorf("%d batches came back of %d", read, writes)
	}
}

// compareBatch compares what came back with what was written.
func compareBatch(run *schema.Run, b *schema.Batch) error {
	number := b.Positions()[0] / int64(run.BatchSize)
	want, err := NewBatch(run, nil, b.Epoch, number, b.Variant)
	if err != nil {
		return err
	}
	defer want.Release()
	if !array.RecordEqual(b.Record, want.Record) {
		return fmt.Errorf("batch %d of epoch %d, variant %d, came back different", number, b.Epoch, b.Variant)
	}
	return nil
}

// again: the same run gives the same bytes, with the same sink value and with a
// new one, in a new place and over the first.
func again(t *testing.T, s Subject, run *schema.Run) {
	noLeaks(t)
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		if err := (Delivery{Run: run}).To(t.Context(), s.New(t, dir)); err != nil {
			t.Fatal(err)
		}
	}
	want := Files(t, first)
	SameFiles(t, want, Files(t, second))

	sink := s.New(t, second)
	if err := sink.Open(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if skipper, ok := sink.(sinks.Skipper); ok {
		for epoch := range run.Epochs {
			for number := range run.BatchesPerEpoch {
				if !skipper.Has(epoch, number) {
					t.Errorf("after a complete run it hasn't batch %d of epoch %d", number, epoch)
				}
			}
		}
		// It may be written anyway.
		if err := (Delivery{Run: run}).write(t.Context(), sink); err != nil {
			t.Fatal(err)
		}
		if err := sink.Close(nil); err != nil {
			t.Fatal(err)
		}
		if err := (Delivery{Run: run}).To(t.Context(), sink); err != nil { // the same value
			t.Fatal(err)
		}
		SameFiles(t, want, Files(t, second))
	} else if err := sink.Close(errors.New("no more")); err != nil {
		t.Fatal(err)
	}
}

// brokenOff: whenever a run fails, nothing unfinished is left, and a Skipper
// goes on to the same result.
func brokenOff(t *testing.T, s Subject, run *schema.Run) {
	noLeaks(t)
	mem := Memory(t)
	whole := t.TempDir()
	if err := (Delivery{Run: run}).To(t.Context(), s.New(t, whole)); err != nil {
		t.Fatal(err)
	}
	want := Files(t, whole)
	total := len(run.Variants) * run.Epochs * int(run.BatchesPerEpoch)
	for stop := 0; stop < total; stop += 1 + total/7 {
		dir, cause, writes := t.TempDir(), errors.New("a stage failed"), 0
		d := Delivery{Run: run, Mem: mem, Before: func(*schema.Batch) error {
			if writes++; writes > stop {
				return cause
			}
			return nil
		}}
		sink := s.New(t, dir)
		if err := d.To(t.Context(), sink); err == nil || err.Error() != cause.Error() {
			t.Fatalf("broken off before write %d: %v", stop, err)
		}
		nothingUnfinished(t, dir)
		if _, ok := sink.(sinks.Skipper); ok {
			if err := (Delivery{Run: run}).To(t.Context(), s.New(t, dir)); err != nil {
				t.Fatal(err)
			}
			SameFiles(t, want, Files(t, dir))
		}
	}
}

// cancelled: Write returns the context's cause.
func cancelled(t *testing.T, s Subject, run *schema.Run) {
	if run.BatchesPerEpoch == 0 {
		t.Skip("no batches")
	}
	noLeaks(t)
	dir, cause := t.TempDir(), errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	d := Delivery{Run: run, Mem: Memory(t), Before: func(*schema.Batch) error {
		cancel(cause)
		return nil
	}}
	if err := d.To(ctx, s.New(t, dir)); !errors.Is(err, cause) {
		t.Errorf("cancelled: %v", err)
	}
	nothingUnfinished(t, dir)
}

// snapshot copies all bytes of a batch.
func snapshot(b *schema.Batch) [][]byte {
	var out [][]byte
	for _, column := range b.Record.Columns() {
		var all []byte
		for _, buffer := range column.Data().Buffers() {
			if buffer != nil {
				all = append(all, buffer.Bytes()...)
			}
		}
		out = append(out, all)
	}
	return append(out, append([]byte{}, b.Uint8()...))
}

func noLeaks(t *testing.T) {
	option := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, option) })
}

func nothingUnfinished(t *testing.T, dir string) {
	t.Helper()
	for name := range Files(t, dir) {
		if strings.HasPrefix(filepath.Base(name), ".tmp-") {
			t.Errorf("%s is left", name)
		}
	}
}

// Files are all files below a directory, with their bytes.
func Files(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir+string(filepath.Separator))] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// SameFiles compares two directories, as Files gives them.
func SameFiles(t testing.TB, want, have map[string]string) {
	t.Helper()
	for name, data := range want {
		if got, ok := have[name]; !ok {
			t.Errorf("%s is missing", name)
		} else if got != data {
			t.Errorf("%s has other bytes", name)
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			t.Errorf("%s must not be there", name)
		}
	}
}
