package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// stoppedError is why a context ends: SIGINT (Ctrl-C) or SIGTERM.
type stoppedError struct{ syscall.Signal }

func (e stoppedError) Error() string { return "stopped by a signal (" + e.String() + ")" }

// Is makes it a cancellation.
func (stoppedError) Is(target error) bool { return target == context.Canceled }

// untilSignal ends the context at the first signal, so that a run takes away
// what isn't finished. The second one ends the process at once.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
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
