package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// A run that a signal stops takes away what isn't finished, and says which it was.
func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals there")
	}
	program := filepath.Join(t.TempDir(), "sluice")
	mustRun(t, exec.Command("go", "build", "-o", program, "."))
	dir := recipeFolder(t, 1)
	for _, c := range []struct {
		signal  syscall.Signal
		status  int
		ignored bool
	}{{syscall.SIGTERM, 143, false}, {syscall.SIGHUP, 129, false}, {syscall.SIGINT, 130, false}, {syscall.SIGHUP, 143, true}} {
		out := filepath.Join(dir, "out-"+c.signal.String())
		if c.ignored { // as nohup does, whose command continues
			signal.Ignore(c.signal)
		}
		cmd := command(dir, program, "materialize", "p.yaml", "-o", out, "--epochs=1000", "--part-rows=64")
		var said strings.Builder
		cmd.Stderr = &said
		err := cmd.Start()
		signal.Reset(c.signal)
		if err != nil {
			t.Fatal(err)
		}
		waitForPart(t, out)
		if err := cmd.Process.Signal(c.signal); err != nil {
			t.Fatal(err)
		}
		if c.ignored {
			time.Sleep(100 * time.Millisecond)
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
		err = cmd.Wait()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != c.status {
			t.Errorf("%v: %v, want status %d: %s", c.signal, err, c.status, said.String())
		}
		for name := range mustReadTree(t, out) {
			if base := filepath.Base(name); base != ".parts.jsonl" && strings.HasPrefix(base, ".") || strings.Contains(base, "tmp") {
				t.Errorf("%v leaves %s", c.signal, name)
			}
		}
		if !strings.Contains(said.String(), "stopped by a signal") {
			t.Errorf("%v: %s", c.signal, said.String())
		}
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
	}
}

// waitForPart waits until a run has begun to write.
func waitForPart(t *testing.T, dir string) {
	t.Helper()
	for range 2000 {
		found, _ := filepath.Glob(filepath.Join(dir, "*"))
		if len(found) > 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nothing was written")
}

// What waits for somebody else is left behind.
func TestUnlessStuck(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	release := make(chan struct{})
	defer close(release)
	cancel(stoppedError{syscall.SIGTERM})
	err := unlessStuck(ctx, time.Millisecond, func() string { return "its reader had stalled" }, func() error { <-release; return nil })
	if err == nil || status(err) != 143 || !strings.Contains(err.Error(), "its reader had stalled") {
		t.Errorf("%v", err)
	}
	if err := unlessStuck(t.Context(), time.Millisecond, nil, func() error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

// A reader is said to have stalled only where a write waits for it.
func TestStuckStream(t *testing.T) {
	in, out := io.Pipe()
	s := withRows{&sinks.IPCStream{W: out}, new(atomic.Bool)}
	if text := s.stuck(); strings.Contains(text, "reader") {
		t.Error(text)
	}
	pipe := flow.New(sources.Folder{Path: filepath.Join(recipeFolder(t, 1), "data")}, stages.Batch{Size: 1})
	ended := make(chan error)
	go func() {
		_, err := pipe.Run(t.Context(), s)
		ended <- err
	}()
	if _, err := io.ReadFull(in, make([]byte, 1)); err != nil { // and the rest of that write waits
		t.Fatal(err)
	}
	if text := s.stuck(); !strings.Contains(text, "its reader had stalled") {
		t.Error(text)
	}
	go func() { _, _ = io.Copy(io.Discard, in) }()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	out.Close()
	if text := s.stuck(); strings.Contains(text, "reader") {
		t.Error(text)
	}
}
