// Package sinks holds the places that batches go to. This file is the contract;
// every other file holds one sink, or a piece of one.
//
// The engine calls Open once, Write for every batch in the order of (epoch,
// number), the variants of a batch one after the other, and Close once, never two
// of these at the same time. A slow Sink makes the pipeline wait (backpressure);
// nothing is ever dropped. A sink may be opened again after Close, for another run.
package sinks

import (
	"context"

	"github.com/sluicedata/sluice/schema"
)

// Sink takes batches.
type Sink interface {
	// Open prepares for the batches of a run. If it fails, it must release whatever
	// it acquired: Close is not called then.
	Open(ctx context.Context, run *schema.Run) error
	// Write takes one batch, which may have no rows (if all of them failed). The
	// engine releases the batch when Write returns; a sink that keeps it calls
	// Retain and, later, Release. A sink never changes a batch.
	Write(ctx context.Context, batch *schema.Batch) error
	// Close ends the run, even after a failed Write. cause is nil if every batch was
	// written: then everything must be durable once Close returns nil. Otherwise the
	// sink leaves nothing half-written under a final name, and returns only the errors
	// of its own cleanup.
	Close(cause error) error
}

// Chooser is a Sink that takes only some variants. The others are not made, nor are
// batches that come in none of the variants it takes.
type Chooser interface {
	Sink
	// Wants reports whether the sink takes a variant. It may be called between Open and
	// Close, and always gives the same answer.
	Wants(variant int) bool
}

// ReadTracker is a Sink that records which samples its batches were made of: it needs
// their Reads.
type ReadTracker interface {
	Sink
	// TracksReads is called once, after Open.
	TracksReads() bool
}

// Skipper is a Sink that may already hold some batches of a run, from an earlier
// run of the same plan. These are not made again.
type Skipper interface {
	Sink
	// Has reports whether the sink holds a batch (a number within its epoch), in every
	// variant. It may be called between Open and Close, also while Write runs, and
	// always gives the same answer. If such a batch is written anyway, it is ignored.
	Has(epoch int, batch int64) bool
}
