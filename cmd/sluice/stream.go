package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sinks"
)

type streamCmd struct {
	runFlags
	Scale float64 `placeholder:"S" help:"Which scale of a multi-scale pipeline."`
}

func (cmd *streamCmd) Run(ctx context.Context, c console) error {
	if f, ok := c.out.(*os.File); ok && isTerminal(f) {
		return usageError{errors.New("stream: stdout is a terminal, and the stream is binary: send it to a file or a program, as in: sluice stream FILE > batches.arrows")}
	}
	pipe, err := cmd.load()
	if err != nil {
		return err
	}
	// A reader that goes away is an error of Write then, not the end of the process.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	update, done := progressLine(c.err, "stream")
	report, err := pipe.Run(ctx, &sinks.IPCStream{W: c.out, Scale: cmd.Scale}, flow.OnProgress(update), c.warnings())
	done()
	if errors.Is(err, sinks.ErrClosedPipe) {
		err = nil // the reader has seen enough, as in: sluice stream FILE | head
	}
	if err != nil {
		return err
	}
	if cmd.JSON {
		return printJSON(c.err, report)
	}
	return nil
}
