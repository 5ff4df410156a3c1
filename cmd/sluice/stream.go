package main

import (
	"context"
	"errors"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sinks"
)

type streamCmd struct {
	runFlags
	Scale float64 `help:"Which scale of a multi-scale pipeline."`
}

func (cmd *streamCmd) Run(ctx context.Context, c console) error {
	pipe, err := cmd.load()
	if err != nil {
		return err
	}
	update, done := progressLine(c.err, "stream")
	report, err := pipe.Run(ctx, &sinks.IPCStream{W: c.out, Scale: cmd.Scale}, flow.OnProgress(update))
	done()
	if errors.Is(err, sinks.ErrClosedPipe) {
		return nil // the reader has seen enough, as in: sluice stream FILE | head
	}
	if err != nil {
		return err
	}
	c.warn(report.Warnings)
	if cmd.JSON {
		return printJSON(c.err, report)
	}
	return nil
}
