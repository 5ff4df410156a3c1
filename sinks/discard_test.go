package sinks_test

import (
	"testing"

	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

func TestDiscard(t *testing.T) {
	sinktest.Test(t, sinktest.Subject{New: func(*testing.T, string) sinks.Sink { return &sinks.Discard{} }})

	d := &sinks.Discard{}
	deliver(t, sinktest.Runs()["uint8"], d)
	if d.Batches != 16 || d.Rows != 48 {
		t.Errorf("%d batches, %d rows", d.Batches, d.Rows)
	}
}
