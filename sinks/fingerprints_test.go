package sinks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// texts are samples in memory, with stamps.
type texts struct {
	index *schema.Table
	data  []string
	stamp []string
	reads atomic.Int64
}

func newTexts(n int) *texts {
	s := &texts{index: &schema.Table{}}
	for i := range n {
		s.index.Keys = append(s.index.Keys, fmt.Sprintf("%03d\\a\nb.jpg", i))
		s.index.Sizes = append(s.index.Sizes, 3)
		s.data = append(s.data, fmt.Sprintf("%03d", i))
		s.stamp = append(s.stamp, "1")
	}
	return s
}

func (s *texts) Index() schema.Index     { return s.index }
func (s *texts) Stamp(sample int) string { return s.stamp[sample] }

func (s *texts) Read(_ context.Context, sample int, _ []byte) ([]byte, error) {
	s.reads.Add(1)
	return []byte(s.data[sample]), nil
}

// remembering is a delivery of a run whose batches are made of samples: of those
// whose number is a position's, modulo their count; the last one is missing.
func remembering(run *schema.Run, s *texts) sinktest.Delivery {
	own := *run
	own.Samples = s
	n := len(s.data)
	s.index.Sizes[n-1] = -1
	return sinktest.Delivery{Run: &own, Before: func(b *schema.Batch) error {
		b.Reads = []schema.Read{}
		for _, position := range b.Positions() {
			sample := int(position) % n
			b.Reads = append(b.Reads, schema.Read{Sample: sample, Print: fingerprint.Of([]byte(s.data[sample])), Missing: sample == n-1})
		}
		return nil
	}}
}

// Wherever a run that remembers its source is killed, the next one completes the
// directory, lists of samples too.
func TestRememberingKilledAtEveryStep(t *testing.T) {
	for shards, name := range map[int]string{1: "scales", 2: "uint8"} {
		run, whole := smallRun(name), t.TempDir()
		total := 0
		for _, sink := range makeAll(whole, shards) {
			sink.OnStep(func(string, string) error { total++; return nil })
			if err := remembering(run, newTexts(9)).To(t.Context(), sink); err != nil {
				t.Fatal(err)
			}
		}
		want := sinktest.Files(t, whole)
		if !slices.ContainsFunc(keysOf(want), func(name string) bool { return strings.HasSuffix(name, ".xxh128") }) {
			t.Fatalf("no list among %q", keysOf(want))
		}
		for n := 1; n <= total; n++ {
			dir := t.TempDir()
			dead := false
			for _, sink := range makeAll(dir, shards) {
				if dead = dieAt(t, remembering(run, newTexts(9)), sink, n); dead {
					break
				}
			}
			for _, sink := range makeAll(dir, shards) {
				if err := remembering(run, newTexts(9)).To(t.Context(), sink); err != nil {
					t.Fatal(err)
				}
			}
			sinktest.SameFiles(t, want, sinktest.Files(t, dir))
			if r, err := sinks.VerifySource(t.Context(), dir, newMissing(9)); err != nil || len(r.Problems) > 0 {
				t.Errorf("%+v, %v", r, err)
			}
			if t.Failed() {
				t.Fatalf("%s, %d shards, killed at step %d", name, shards, n)
			}
		}
	}
}

func newMissing(n int) *texts {
	s := newTexts(n)
	s.index.Sizes[n-1] = -1
	return s
}

func keysOf(files map[string]string) (names []string) {
	for name := range files {
		names = append(names, name)
	}
	return names
}

func dieAt(t *testing.T, d sinktest.Delivery, sink *sinks.ArrowParts, n int) (died bool) {
	t.Helper()
	steps := 0
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
			died = true
			sink.Die()
		default:
			panic(p)
		}
	}()
	if err := d.To(context.Background(), sink); err != nil {
		t.Fatal(err)
	}
	return false
}

// What has the same stamp isn't read; what has another is, and compared.
func TestComparing(t *testing.T) {
	run, dir := smallRun("uint8"), t.TempDir()
	s := newTexts(9)
	deliverTo := func(s *texts, update bool) error {
		sink := arrowParts(dir)
		sink.Update = update
		return remembering(run, s).To(t.Context(), sink)
	}
	if err := deliverTo(s, false); err != nil {
		t.Fatal(err)
	}
	want := sinktest.Files(t, dir)
	if err := deliverTo(s, false); err != nil || s.reads.Load() != 0 {
		t.Errorf("%v, %d reads of samples that are as they were", err, s.reads.Load())
	}
	s.stamp[2] = "2"
	if err := deliverTo(s, false); err != nil || s.reads.Load() != 1 {
		t.Errorf("%v, %d reads where one file was touched", err, s.reads.Load())
	}
	s.data[2], s.stamp[2] = "xyz", "3"
	err := deliverTo(s, false)
	var changed *sinks.SourceChanged
	if !errors.As(err, &changed) || !slices.Equal(changed.Samples, []string{s.index.Keys[2]}) || len(changed.Parts) == 0 {
		t.Fatal(err)
	}
	if err := deliverTo(s, true); err != nil {
		t.Fatal(err)
	}
	if r, err := sinks.VerifySource(t.Context(), dir, s); err != nil || len(r.Problems) > 0 || r.Samples == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	s.data[2], s.stamp[2] = "002", "1"
	if err := deliverTo(s, true); err != nil {
		t.Fatal(err)
	}
	have := sinktest.Files(t, dir)
	sinktest.SameFiles(t, want, have)

	// Two readings of a sample in one run must be the same.
	err = changing(run, newTexts(2)).To(t.Context(), arrowParts(t.TempDir()))
	wantError(t, err, "has changed since this directory was begun")
}

// changing is a source that is written to while it is read.
func changing(run *schema.Run, s *texts) sinktest.Delivery {
	own := *run
	own.Samples = s
	n := 0
	return sinktest.Delivery{Run: &own, Before: func(b *schema.Batch) error {
		n++
		b.Reads = []schema.Read{{Sample: 0, Print: fingerprint.Of([]byte{byte(n)})}}
		return nil
	}}
}
