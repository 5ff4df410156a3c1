// Package sinks says where batches go. This file is the contract; every other
// file holds one sink, or a part of one.
//
// The engine calls Open once, Write for every batch in the order of (epoch,
// number), the variants of a batch one after the other, and Close once, all
// from one goroutine at a time. A Sink that is slow makes the pipeline wait
// (backpressure); nothing is ever dropped. A sink may be opened again after
// Close, for another run.
package sinks

import (
	"context"

	"github.com/sluicedata/sluice/schema"
)

// Sink takes batches.
type Sink interface {
	// Open prepares for the batches of a run. When it fails, it has given back
	// whatever it took, and Close is not called.
	Open(ctx context.Context, run *schema.Run) error
	// Write takes one batch, which may have no rows (all of them failed). The
	// engine releases the batch when Write returns; a sink that keeps it calls
	// Retain and, later, Release. It never changes a batch.
	Write(ctx context.Context, batch *schema.Batch) error
	// Close ends the run, after a Write that failed, too. cause is nil when every
	// batch was written: then all of it must be durable when Close returns nil.
	// Otherwise the sink leaves nothing half-written under a final name, and
	// returns only what went wrong in doing that.
	Close(cause error) error
}

// Chooser is a Sink that takes some variants only; the others aren't made, and
// batches that leave in none of these aren't either.
type Chooser interface {
	Sink
	// Wants reports whether a variant is to be written. It may be called from
	// Open's return until Close, and always answers the same.
	Wants(variant int) bool
}

// Rememberer is a Sink that remembers what its batches were made of: it wants
// their Reads.
type Rememberer interface {
	Sink
	// Remembers is asked once, after Open.
	Remembers() bool
}

// Skipper is a Sink that already holds some batches of a run, from an earlier
// run of the same plan: those need not be made again.
type Skipper interface {
	Sink
	// Has reports whether a batch (a number within its epoch) needs no making,
	// in any variant. It may be called from Open's return until Close, while
	// Write runs, too, and always answers the same. A batch written all the same
	// is passed over.
	Has(epoch int, batch int64) bool
}
