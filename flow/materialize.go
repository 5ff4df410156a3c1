package flow

import (
	"context"
	"fmt"
	"slices"

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
// are those of an unbroken run. One of several shards has a quarantine file of
// its own: bad-0-of-4.jsonl for bad.jsonl.
func MaterializeShard(ctx context.Context, shard Shard) (*Report, error) {
	own := func(s *Settings) {
		if n := shard.Parts.Shards; n > 1 {
			s.Failures.Quarantine = numbered(s.Failures.Quarantine, shard.Parts.Shard, n)
		}
	}
	report, err := shard.Pipeline.Run(ctx, &shard.Parts, append(slices.Clip(shard.Options), own)...)
	if err != nil && shard.Parts.Update {
		if what := sinks.AfterFailedUpdate(shard.Parts.Dir); what != "" {
			err = fmt.Errorf("%w\n%s", err, what)
		}
	}
	return report, err
}
