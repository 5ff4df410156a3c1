package sinks_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// Every batch is in one part; a part holds consecutive batches of one epoch, at
// most PartRows rows or a single batch.
func TestLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := sinktest.NewRun(schema.FormEncoded, schema.Tensor{})
		run.Epochs = rapid.IntRange(0, 4).Draw(t, "epochs")
		run.BatchSize = rapid.IntRange(1, 70).Draw(t, "batch size")
		run.BatchesPerEpoch = rapid.Int64Range(0, 50).Draw(t, "batches")
		partRows := rapid.IntRange(1, 300).Draw(t, "part rows")
		l, err := sinks.NewLayout(run, sinks.LZ4, partRows)
		if err != nil {
			t.Fatal(err)
		}
		next, names := 0, map[string]bool{}
		for epoch := range run.Epochs {
			for number := int64(0); number < run.BatchesPerEpoch; next++ {
				e, first, n := l.Span(next)
				if e != epoch || first != number || n < 1 || n > 1 && n*int64(run.BatchSize) > int64(partRows) {
					t.Fatalf("part %d: epoch %d, batches %d and %d more; want epoch %d, %d", next, e, first, n, epoch, number)
				}
				for ; number < first+n; number++ {
					if l.PartOf(epoch, number) != next {
						t.Fatalf("batch %d of epoch %d is in part %d, want %d", number, epoch, l.PartOf(epoch, number), next)
					}
				}
				names[l.FileOf(next, 0)] = true
			}
		}
		if next != l.PartCount || len(names) != next {
			t.Fatalf("%d parts, %d names; PartCount is %d", next, len(names), l.PartCount)
		}
	})
}

func TestNamesSortAsNumbers(t *testing.T) {
	run := sinktest.NewRun(schema.FormEncoded, schema.Tensor{})
	run.Epochs, run.BatchesPerEpoch = 200, 1000
	l, err := sinks.NewLayout(run, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := l.FileOf(99999, 0), l.FileOf(100000, 0); a != "part-099999-of-200000.arrow" || a > b {
		t.Errorf("%s, %s", a, b)
	}
}

// endsAt is a context that is cancelled when it is asked for the n-th time.
type endsAt struct {
	context.Context
	asked, n int
}

func (c *endsAt) Err() error {
	if c.asked++; c.asked >= c.n {
		return context.Canceled
	}
	return nil
}

// A reading that is broken off isn't a damaged file, whatever it was at.
func TestReadLayoutCancelled(t *testing.T) {
	path := filepath.Join("testdata", "layout1", "plan.json")
	whole := &endsAt{Context: t.Context(), n: 1 << 30}
	if _, err := sinks.ReadLayout(whole, path); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= whole.asked; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := sinks.ReadLayout(&endsAt{Context: ctx, n: n}, path); !errors.Is(err, context.Canceled) {
			t.Errorf("broken off at question %d: %v", n, err)
		}
	}
}
