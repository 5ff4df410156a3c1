package flow

import (
	"context"

	"github.com/sluicedata/sluice/sinks"
)

// Shard is one machine's part of a materialization: everything that a cluster
// has to tell a worker.
type Shard struct {
	Pipeline *Pipeline
	Parts    sinks.ArrowParts // directory, codec, rows per part, shard i of n
	Options  []Option
}

// MaterializeShard makes the parts of one shard that are not there yet. Run
// again after a crash, it keeps what was finished and makes the rest; the bytes
// are those of an unbroken run.
func MaterializeShard(ctx context.Context, shard Shard) (*Report, error) {
	return shard.Pipeline.Run(ctx, &shard.Parts, shard.Options...)
}
