package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/feed"
)

// feedCmd serves the Python package over a socket that it has made.
type feedCmd struct {
	FD int `name:"fd" required:"" help:"Number of the descriptor of a connected Unix socket."`
}

func (cmd *feedCmd) Run(ctx context.Context, c console) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP) // they reach all of a terminal's processes: Python decides
	file := os.NewFile(uintptr(cmd.FD), "the socket")
	if file == nil {
		return usageError{fmt.Errorf("--fd %d: want the number of a descriptor", cmd.FD)}
	}
	conn, err := net.FileConn(file)
	_ = file.Close()
	if err != nil {
		return usageError{fmt.Errorf("--fd %d: want a connected Unix socket, as the Python package sluicedata makes one: %w", cmd.FD, err)}
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return usageError{fmt.Errorf("--fd %d: want a Unix socket, and this is one of %s", cmd.FD, conn.LocalAddr().Network())}
	}
	ctx, cancel := feed.UntilOrphaned(ctx)
	defer cancel()
	err = feed.Server{Version: shortVersion(), Load: loadFed, Report: func(p *flow.Plan) any { return reportOf(p) }, Explain: explainFed, Planned: limitMemory}.Serve(ctx, socket)
	if errors.Is(err, feed.ErrOrphaned) {
		return nil
	}
	return err
}

// loadFed reads a pipeline as the other commands do, with its settings as flags.
func loadFed(ask *feed.Open) (*flow.Pipeline, error) {
	f := runFlags{
		File: ask.Pipeline.File, editFlags: editFlags{Set: ask.Set, Without: ask.Without, Use: ask.Use}, Seed: ask.Seed,
		Exec: ask.Exec, Fuse: ask.Fuse, Params: ask.Params, OnError: ask.OnError, MaxBad: ask.MaxBad, BadTo: ask.BadTo, Budget: size(ask.Budget),
	}
	if f.File == "" {
		f.File, f.text, f.StdinName, f.StdinFolder = "-", []byte(ask.Pipeline.Text), ask.Pipeline.Name, ask.Pipeline.Folder
	}
	if ask.Workers != 0 {
		f.Workers = &ask.Workers
		if ask.Workers > 0 {
			runtime.GOMAXPROCS(max(ask.Workers, 1))
		}
	}
	if ask.Epochs != 0 {
		f.Epochs = &ask.Epochs
	}
	if ask.Readers != 0 {
		f.Readers = &ask.Readers
	}
	load := f.load
	if ask.StagesOnly {
		load = f.loadStages
	}
	pipe, err := load()
	if err != nil {
		return nil, err
	}
	pipe.Settings.Rank, pipe.Settings.World, pipe.Settings.LastRound = ask.Rank, ask.World, flow.LastRound(ask.LastRound)
	return pipe, nil
}

// explainFed is an error as the commands print it.
func explainFed(err error) (text string, list []feed.Mistake) {
	list = listed(err)
	var usage usageError
	if len(list) == 0 && errors.As(err, &usage) {
		list = []feed.Mistake{{Message: err.Error()}}
	}
	return explained(err), list
}
