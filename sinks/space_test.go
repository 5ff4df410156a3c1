//go:build linux || darwin || freebsd

package sinks_test

import (
	"errors"
	"testing"

	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// What no disk holds isn't begun, unless it is asked for all the same or nobody
// can know. What is there already doesn't count.
func TestSpace(t *testing.T) {
	run := sinktest.Runs()["uint8"]
	run.RowBytes = 1 << 57
	dir := t.TempDir()
	wantError(t, arrowParts(dir).Open(t.Context(), run), dir+": the missing parts will take about ", "(58 rows of 1.311e+05 TiB)", "free: free some space there", "--any-space")
	for _, sink := range []*sinks.ArrowParts{{Dir: dir, PartRows: 11, AnySpace: true}, {Dir: t.TempDir(), PartRows: 11, Codec: sinks.Zstd}} {
		if err := sink.Open(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		if err := sink.Close(errors.New("stop")); err != nil {
			t.Fatal(err)
		}
	}
	run.RowBytes = 0
	deliver(t, run, arrowParts(dir))
	run.RowBytes = 1 << 57
	deliver(t, run, arrowParts(dir))
}
