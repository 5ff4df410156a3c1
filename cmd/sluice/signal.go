package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stoppedError is why a context ends: SIGINT (Ctrl-C), SIGTERM or SIGHUP.
type stoppedError struct{ syscall.Signal }

func (e stoppedError) Error() string { return "stopped by a signal (" + e.String() + ")" }

// Is makes it a cancellation.
func (stoppedError) Is(target error) bool { return target == context.Canceled }

// untilSignal ends the context at the first signal, so that a run takes away
// what isn't finished. The second one ends the process at once. A signal that whoever
// started the process has it ignore stays ignored: nohup's SIGHUP, and SIGINT of what a
// shell script has put into the background.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	go func() {
		defer close(ended)
		select {
		case s := <-signals:
			cancel(stoppedError{s.(syscall.Signal)})
		case <-ctx.Done():
		}
		signal.Stop(signals)
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
	}
}

// unlessStuck runs do, and leaves it behind where it doesn't end within the grace once
// the context has: in a read or a write that waits for somebody else, which only the
// process's end ends. why is asked then what may be the matter.
func unlessStuck(ctx context.Context, grace time.Duration, why func() string, do func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- do() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(grace):
		return fmt.Errorf("%w; %s", context.Cause(ctx), why())
	}
}
