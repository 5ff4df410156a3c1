package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/outfile"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

type streamCmd struct {
	runFlags
	Scale      *float64 `placeholder:"S" help:"Which scale of a multi-scale pipeline to write."`
	Rank       int      `placeholder:"R" help:"Stream only every W-th batch, starting with number R, from 0; see --world."`
	World      *int     `placeholder:"W" help:"Number of ranks; the records are the same for any number."`
	ClassNames bool     `help:"Also write the names of classes, as columns class.<task> of texts with a dictionary."`
	LastRound  string   `enum:"drop,pad" default:"drop" help:"What to do with an epoch's last batches if there isn't one for every rank: drop them, or pad with the epoch's first."`
	State      string   `placeholder:"FILE" help:"Save in this file where a later stream can resume: once a second, and at the end."`
	Resume     string   `placeholder:"FILE|E/B" help:"Resume from the state in this file, or at batch B of epoch E, both from 0. If the file is missing, start from the beginning."`
}

func (cmd *streamCmd) Run(ctx context.Context, c console) error {
	stdout := c.out
	if o, ok := stdout.(*output); ok { // the stream's own errors are more precise
		stdout = o.File
	}
	if f, ok := stdout.(*os.File); ok && isTerminal(f) {
		return usageError{errors.New("stream: stdout is a terminal, and the stream is binary: send it to a file or a program, as in: sluice stream FILE > batches.arrows")}
	}
	pipe, err := cmd.load()
	if err != nil {
		return err
	}
	s := &pipe.Settings
	world, scale := 1, 0.0
	if cmd.World != nil {
		world = *cmd.World
	}
	if err := atLeastOne("world", cmd.World); err != nil {
		return usageError{err}
	}
	if cmd.Rank < 0 || cmd.Rank >= world {
		return usageError{pipefile.Error{File: fmt.Sprintf("--rank %d", cmd.Rank), Msg: fmt.Sprintf("want 0 to %d, in a --world of %d", world-1, world)}}
	}
	if cmd.Scale != nil {
		if scale = *cmd.Scale; !(scale > 0) {
			return usageError{pipefile.Error{File: fmt.Sprintf("--scale %v", scale), Msg: "want one of the pipeline's scales, above 0"}}
		}
	}
	s.Rank, s.World, s.LastRound = cmd.Rank, world, flow.LastRound(cmd.LastRound)
	if s.Resume, err = readState(cmd.Resume); err != nil {
		return err
	}
	if cmd.State != "" {
		if _, err := stateFile.At(cmd.State); err != nil {
			return fmt.Errorf("stream: --state: %w", err)
		}
	}
	keeper := stateKeeper{file: cmd.State}
	s.OnState = keeper.note
	line, told := newProgressLine(c.err, "stream"), c
	if cmd.JSON { // stderr holds the report, which has the warnings
		told.err = io.Discard
	}
	made := make(chan *flow.Report, 1)
	out := withRows{&sinks.IPCStream{W: stdout, Scale: scale, ClassNames: cmd.ClassNames}, new(atomic.Bool)}
	err = unlessStuck(ctx, grace, out.stuck, func() error {
		r, err := pipe.Run(ctx, out, flow.OnProgress(line.update), told.warnings(line))
		made <- r
		return err
	})
	line.done()
	var report *flow.Report // nil if the run was abandoned
	select {
	case report = <-made:
	default:
	}
	if err == nil && report.Batches == 0 && s.Resume == nil {
		err = fmt.Errorf("stream: no batch comes in scale %s: choose another scale, or run more epochs", schema.FormatScale(scale))
	}
	if errors.Is(err, sinks.ErrClosedPipe) {
		err = nil // the reader has everything but the end-of-stream marker
		if report.State.Epoch < report.Epochs {
			err = fmt.Errorf("stream: the reader closed it before the last batch, after %s", phrase.Count(report.Batches, "batch"))
		}
	}
	if report != nil {
		keeper.last = &report.State
	}
	err = errors.Join(err, keeper.end())
	if err != nil {
		return err
	}
	if cmd.JSON {
		return printJSON(c.err, report)
	}
	c.failures(report, lists(s.Failures))
	return nil
}

// grace is how long a run may take to end after it was stopped.
const grace = time.Second

// withRows leaves out batches without rows, which readers don't expect, and knows
// whether a write to the stream is in progress.
type withRows struct {
	*sinks.IPCStream
	writing *atomic.Bool
}

func (s withRows) Write(ctx context.Context, b *schema.Batch) error {
	if b.Rows() == 0 {
		return nil
	}
	s.writing.Store(true)
	defer s.writing.Store(false)
	return s.IPCStream.Write(ctx, b)
}

func (s withRows) Close(cause error) error {
	s.writing.Store(true)
	defer s.writing.Store(false)
	return s.IPCStream.Close(cause)
}

// stuck says what blocks a run that doesn't end.
func (s withRows) stuck() string {
	if s.writing.Load() {
		return "its reader had stalled"
	}
	return fmt.Sprintf("work in progress did not end within %v, and was abandoned", grace)
}

// stateKeeper writes the state of a run to a file. What the state counts as streamed
// may not have been read yet: a reader that tracks its own position, by the columns
// epoch and position, should resume by that.
type stateKeeper struct {
	file string // "": none

	mu      sync.Mutex // an abandoned run may still call note
	last    *flow.State
	written time.Time
	err     error
}

func (k *stateKeeper) note(s flow.State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last = &s; time.Since(k.written) > time.Second {
		k.written = time.Now()
		k.write()
	}
}

// end writes the last state.
func (k *stateKeeper) end() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.write()
	return k.err
}

func (k *stateKeeper) write() {
	if k.file == "" || k.last == nil || k.err != nil {
		return
	}
	b, err := json.MarshalIndent(k.last, "", "  ")
	if err == nil {
		err = stateFile.Write(k.file, append(b, '\n'))
	}
	if err != nil {
		k.err = fmt.Errorf("stream: cannot write the state: %w", err)
	}
}

// stateFile is what --state writes, including damaged ones and those of later versions.
var stateFile = outfile.Kind{Name: "a state written by stream --state", Most: 1 << 24, Is: func(data []byte) bool {
	var s struct {
		PlanHash     *string `json:"plan_hash"`
		Epoch, Batch *int64
	}
	return json.Unmarshal(data, &s) == nil && s.PlanHash != nil && s.Epoch != nil && s.Batch != nil
}}

// readState reads the flag --resume; nil means from the beginning.
func readState(text string) (*flow.State, error) {
	if text == "" {
		return nil, nil
	}
	data, err := os.ReadFile(text)
	if err == nil {
		s := &flow.State{}
		err := json.Unmarshal(data, s)
		switch {
		case !stateFile.Is(data):
			return nil, usageError{fmt.Errorf("--resume: %s is not a state written by stream --state", text)}
		case err != nil:
			return nil, usageError{fmt.Errorf("--resume: %s: %w", text, err)}
		case s.PlanHash == "":
			return nil, usageError{fmt.Errorf("--resume: %s is not a state written by stream --state: its plan_hash is empty", text)}
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
		return nil, nil // nothing to resume: so the same command works the first time, too
	}
	return nil, usageError{fmt.Errorf("--resume: cannot read the state: %w", err)}
}
