// Package descriptors keeps the number of open files below the process's limit, and
// waits when no descriptor is free: that is a passing state of the machine, and must
// not decide what is read.
package descriptors

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"
)

// patience is how long Retry waits in total.
const patience = 10 * time.Second

// places has a slot for each file that may be read at once: half of what the limit
// leaves after the standard streams, the runtime's own files and those being written.
// (The soft limit equals the hard one: Go raises it when a program starts.)
var places = sync.OnceValue(func() chan struct{} {
	const others, most = 24, 1 << 12
	return make(chan struct{}, max(1, min((limit()-others)/2, most)))
})

// Places is the number of files that may be read at once.
func Places() int { return cap(places()) }

// Hold waits until a file may be read; call release once it is closed.
func Hold(ctx context.Context) (release func(), err error) {
	p := places()
	select {
	case p <- struct{}{}:
		return func() { <-p }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Retry repeats do while it fails for a reason that passes: no free descriptor in the
// process or the system, a call that was interrupted or would block. After ten seconds
// it returns the error.
func Retry(ctx context.Context, do func() error) error {
	waited := time.Duration(0)
	for wait := time.Millisecond; ; wait = min(2*wait, patience/20) {
		err := do()
		if err == nil || !Lacking(err) && !errors.Is(err, syscall.EINTR) && !errors.Is(err, syscall.EAGAIN) || waited >= patience {
			return err
		}
		waited += wait
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Lacking reports whether an error means that no descriptor was free.
func Lacking(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
