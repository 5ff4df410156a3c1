// Command sluice runs pipelines: plan, preview, materialize, inspect, verify,
// stream, demo. It holds flags and wiring only; it is the one place that knows
// every component.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/feed"
	"github.com/sluicedata/sluice/trainer/learning"
)

// Exit status; of a run that a signal stopped 128 + its number, as shells have it.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // bad usage or a bad pipeline
)

// commands is the whole command line; kong derives help from it.
type commands struct {
	Version  versionFlag  `help:"Print the version and exit."`
	Licenses licensesFlag `help:"Print the licences of sluice and its dependencies, and exit."`
	cacheFlags
	AsChild bool `hidden:"" help:"The program that started this one reads the report: it also has the text, and this process doesn't outlive that one."`

	Demo        demoCmd        `cmd:"" help:"Make a small long-tailed data set, train on it in six ways and show the results."`
	Plan        planCmd        `cmd:"" help:"Check a pipeline and show what it will do. Decodes no images, unless normalize measures the data set."`
	Preview     previewCmd     `cmd:"" help:"Write an HTML page with augmented samples of each class: before, after, and what was drawn."`
	Materialize materializeCmd `cmd:"" help:"Write the pipeline's batches as a data set, Arrow files by default. Run again, it resumes after a crash."`
	Index       indexCmd       `cmd:"" help:"List a pipeline's source now, and keep what it holds in an index, so that every start opens at once."`
	Verify      verifyCmd      `cmd:"" help:"Check a materialized data set against its manifest."`
	Inspect     inspectCmd     `cmd:"" help:"Show columns, counts and classes of a data set, a file or a stream."`
	Ledger      ledgerCmd      `cmd:"" help:"Write an HTML page of what each class gets: quota, rows, distinct samples, weight and strength, by epoch."`
	Stream      streamCmd      `cmd:"" help:"Write the batches of one shape to stdout as an Arrow IPC stream."`
	Train       trainCmd       `cmd:"" help:"Train a model on the batches as they come; evaluate, save, resume."`
	Bench       benchCmd       `cmd:"" help:"Run a pipeline several times and discard the batches: images per second, time per operator, memory."`
	Feed        feedCmd        `cmd:"" hidden:"" help:"Serve the Python package sluicedata over a socket."`
	Stages      stagesCmd      `cmd:"" help:"List stages, sources and sinks with their options, or print the JSON schema of pipeline files."`
}

// streams are the process's own, or a test's.
type console struct {
	out, err io.Writer
	asChild  bool
}

func main() { os.Exit(run(os.Args[1:])) }

// stuckAfter is how long a command may take to clean up once it was stopped.
const stuckAfter = 5 * time.Second

// run is main without the exit.
func run(args []string) int {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away is an error of Write then, not a silent end
	out := &output{File: os.Stdout}
	c := console{out: out, err: os.Stderr}
	line := commands{}
	parser, err := kong.New(&line, kong.Name("sluice"), kong.UsageOnError(),
		kong.Description("A streaming image-augmentation engine for long-tailed vision data."),
		kong.Writers(c.out, c.err), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(c))
	if err != nil {
		panic(err) // the struct above is malformed
	}
	if len(args) == 0 {
		parser.Stdout, parser.Exit = c.err, func(int) {}
		_, _ = parser.Parse([]string{"--help"})
		return exitUsage
	}
	parser.Exit = func(code int) { // behind --help and --version
		if lost := out.failed(); lost != nil {
			code = c.fail(ctx, lost, false, false)
		}
		os.Exit(code)
	}
	args = joinNumbers(args)
	command, err := parser.Parse(args)
	if lost := out.failed(); lost != nil { // the help
		return c.fail(ctx, lost, false, false)
	}
	if err != nil {
		err = inWords(err)
		return c.fail(ctx, usageError{fmt.Errorf("%w\n(sluice --help shows the commands)", err)}, slices.Contains(args, "--json"), args[0] == "stream")
	}
	ctx = line.context(ctx)
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(&line.cacheFlags)
	if line.AsChild {
		var end context.CancelFunc
		ctx, end = feed.UntilOrphaned(ctx)
		defer end()
		c.asChild = true
		command.BindTo(ctx, (*context.Context)(nil))
		command.Bind(c)
	}
	node := command.Selected()
	asJSON := slices.ContainsFunc(node.Flags, func(f *kong.Flag) bool { return f.Name == "json" && f.Target.Bool() })
	err = unlessStuck(ctx, stuckAfter, func() string {
		return fmt.Sprintf("%s did not end within %v, and is left as it is: a file or a pipe may have stalled", node.Name, stuckAfter)
	}, func() error { return command.Run() })
	if lost := out.failed(); lost != nil && !errors.Is(err, lost) && ctx.Err() == nil {
		err = errors.Join(err, lost)
	}
	if err != nil {
		return c.fail(ctx, err, asJSON, node.Name == "stream")
	}
	return exitDone
}

// usageError is a command line that parses and yet makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// status tells a bad pipeline from a failed run.
func status(err error) int {
	var file pipefile.Errors
	var pipeline *flow.PipelineError
	var usage usageError
	var training *learning.SetupError
	var stopped stoppedError
	switch {
	case errors.As(err, &file), errors.As(err, &pipeline), errors.As(err, &training), errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &stopped):
		return 128 + int(stopped.Signal)
	}
	return exitFailed
}
