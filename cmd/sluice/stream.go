package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

type streamCmd struct {
	runFlags
	Scale     float64 `placeholder:"S" help:"Which scale of a multi-scale pipeline."`
	Rank      int     `placeholder:"R" help:"Stream every W-th batch only, beginning with number R, from 0; see --world."`
	World     int     `placeholder:"W" help:"Number of ranks; the records are the same for any."`
	LastRound string  `enum:"drop,pad" default:"drop" help:"An epoch's batches that are too few for every rank: drop them, or pad with the epoch's first."`
	State     string  `placeholder:"FILE" help:"Keep in this file where a later stream would go on: once a second, and at the end."`
	Resume    string  `placeholder:"FILE|E/B" help:"Go on where the state in this file says, or at batch B of epoch E, both from 0. A missing file: from the start."`
}

func (cmd *streamCmd) Run(ctx context.Context, c console) error {
	if f, ok := c.out.(*os.File); ok && isTerminal(f) {
		return usageError{errors.New("stream: stdout is a terminal, and the stream is binary: send it to a file or a program, as in: sluice stream FILE > batches.arrows")}
	}
	pipe, err := cmd.load()
	if err != nil {
		return err
	}
	s := &pipe.Settings
	s.Rank, s.World, s.LastRound = cmd.Rank, cmd.World, flow.LastRound(cmd.LastRound)
	if s.Resume, err = readState(cmd.Resume); err != nil {
		return err
	}
	keeper := stateKeeper{file: cmd.State}
	s.OnState = keeper.note
	// A reader that goes away is an error of Write then, not the end of the process.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	update, done := progressLine(c.err, "stream")
	report, err := pipe.Run(ctx, withRows{&sinks.IPCStream{W: c.out, Scale: cmd.Scale}}, flow.OnProgress(update), c.warnings())
	done()
	if errors.Is(err, sinks.ErrClosedPipe) {
		err = nil // the reader has seen enough, as in: sluice stream FILE | head
	}
	if report != nil {
		err = errors.Join(err, keeper.write(report.State))
	}
	if err != nil {
		return err
	}
	if cmd.JSON {
		return printJSON(c.err, report)
	}
	c.failures(report)
	return nil
}

// withRows keeps batches of which every row failed from readers that don't
// expect them.
type withRows struct{ sinks.Sink }

func (s withRows) Write(ctx context.Context, b *schema.Batch) error {
	if b.Rows() == 0 {
		return nil
	}
	return s.Sink.Write(ctx, b)
}

// stateKeeper writes the state of a run to a file. What it says is streamed, a
// reader may still have it before itself: one that keeps its own place, from
// the columns epoch and position, resumes by that.
type stateKeeper struct {
	file    string // "": none
	written time.Time
	err     error
}

func (k *stateKeeper) note(s flow.State) {
	if time.Since(k.written) > time.Second {
		k.written = time.Now()
		k.err = errors.Join(k.err, k.write(s))
	}
}

func (k *stateKeeper) write(s flow.State) error {
	if k.file == "" || k.err != nil {
		return k.err
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = renameio.WriteFile(k.file, append(b, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("stream: cannot write the state: %w", err)
	}
	return nil
}

// readState reads the flag --resume; nil: from the start.
func readState(text string) (*flow.State, error) {
	if text == "" {
		return nil, nil
	}
	data, err := os.ReadFile(text)
	if err == nil {
		s := &flow.State{}
		if err := json.Unmarshal(data, s); err != nil || s.PlanHash == "" {
			return nil, usageError{fmt.Errorf("--resume: %s is no state that stream --state has written", text)}
		}
		return s, nil
	}
	epoch, batch, _ := strings.Cut(text, "/")
	e, err1 := strconv.Atoi(epoch)
	b, err2 := strconv.ParseInt(batch, 10, 64)
	switch {
	case err1 == nil && err2 == nil:
		return &flow.State{Epoch: e, Batch: b}, nil
	case errors.Is(err, os.ErrNotExist):
		return nil, nil // nothing to go on with: so one command serves the first time, too
	}
	return nil, usageError{fmt.Errorf("--resume: cannot read the state: %w", err)}
}
