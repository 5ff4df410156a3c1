package sinktest

import (
	"context"
	"errors"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// Delivery hands a run's batches to a sink, as the engine does.
type Delivery struct {
	Run  *schema.Run
	Mem  memory.Allocator                    // nil: Arrow's default
	Pick func(epoch int, number int64) []int // variants of a batch; nil: all
	// Before is called before each Write; its error ends the run, as that of a stage
	// would.
	Before func(b *schema.Batch) error
	After  func(b *schema.Batch)
	// Encoded is the file of the row at a position, in a run of encoded rows; nil: made up.
	Encoded func(position int64) []byte
}

// To opens the sink, writes what it doesn't have, and closes it.
func (d Delivery) To(ctx context.Context, sink sinks.Sink) error {
	if err := sink.Open(ctx, d.Run); err != nil {
		return err
	}
	cause := d.write(ctx, sink)
	return errors.Join(cause, sink.Close(cause))
}

func (d Delivery) write(ctx context.Context, sink sinks.Sink) error {
	skipper, _ := sink.(sinks.Skipper)
	for epoch := range d.Run.Epochs {
		for number := range d.Run.BatchesPerEpoch {
			if skipper != nil && skipper.Has(epoch, number) {
				continue
			}
			for _, variant := range d.pick(epoch, number) {
				if err := d.one(ctx, sink, epoch, number, variant); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (d Delivery) pick(epoch int, number int64) []int {
	if d.Pick != nil {
		return d.Pick(epoch, number)
	}
	var all []int
	for v := range d.Run.Variants {
		all = append(all, v)
	}
	return all
}

func (d Delivery) one(ctx context.Context, sink sinks.Sink, epoch int, number int64, variant int) error {
	batch, err := newBatch(d.Run, d.Mem, epoch, number, variant, d.Encoded)
	if err != nil {
		return err
	}
	defer batch.Release()
	if d.Before != nil {
		if err := d.Before(batch); err != nil {
			return err
		}
	}
	if err := sink.Write(ctx, batch); err != nil {
		return err
	}
	if d.After != nil {
		d.After(batch)
	}
	return nil
}
