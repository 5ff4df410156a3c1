package sinks

import (
	"context"

	"github.com/sluicedata/sluice/schema"
)

// Discard counts batches and drops them, to measure everything upstream of it.
type Discard struct {
	Batches, Rows int64 // in all variants, since Open
}

var _ Sink = (*Discard)(nil)

// Open resets the counts.
func (d *Discard) Open(context.Context, *schema.Run) error {
	*d = Discard{}
	return nil
}

// Write counts a batch.
func (d *Discard) Write(ctx context.Context, b *schema.Batch) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.Batches++
	d.Rows += int64(b.Rows())
	return nil
}

// Close does nothing.
func (*Discard) Close(error) error { return nil }
