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
	Format   sinks.Format      // with its options; nil: sinks.ArrowParts
	To       sinks.Destination // directory, shard i of n
	Options  []Option
}

// MaterializeShard makes one shard of a data set. Of Arrow parts, and whatever format is a
// sinks.Skipper, it makes those that are not there yet: run again after a crash, it keeps what
// was finished and makes the rest; the bytes are those of an unbroken run. One of several
// shards has a quarantine file of its own: bad-0-of-4.jsonl for bad.jsonl.
func MaterializeShard(ctx context.Context, shard Shard) (*Report, error) {
	format, to := shard.Format, shard.To
	if format == nil {
		format = &sinks.ArrowParts{}
	}
	if err := format.Into(to); err != nil {
		return nil, err
	}
	own := func(s *Settings) {
		if to.Shards > 1 {
			s.Failures.Quarantine = numbered(s.Failures.Quarantine, to.Shard, to.Shards)
		}
	}
	report, err := shard.Pipeline.Run(ctx, format, append(slices.Clip(shard.Options), own)...)
	if updater, ok := format.(sinks.Updater); ok && err != nil && to.Update {
		if what := updater.AfterFailedUpdate(); what != "" {
			err = fmt.Errorf("%w\n%s", err, what)
		}
	}
	if r, ok := format.(sinks.Remarker); ok && report != nil {
		report.Warnings = append(report.Warnings, r.Remarks()...)
	}
	return report, err
}
