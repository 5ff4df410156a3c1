// Package descriptors keeps the files that are open at once within what the
// process may open, and waits where a descriptor is lacking: it is the machine's
// lack for a moment, and must not decide what is read.
package descriptors

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"
)

// patience is how long Retry waits for a descriptor in all.
const patience = 10 * time.Second

// places are as many as files may be read at once: half of what the limit leaves
// beside the standard streams, the runtime's own and those being written. (The
// soft limit is the hard one: Go raises it when a program starts.)
var places = sync.OnceValue(func() chan struct{} {
	const others, most = 24, 1 << 12
	return make(chan struct{}, max(1, min((limit()-others)/2, most)))
})

// Places is the number of files that Hold lets be read at once.
func Places() int { return cap(places()) }

// Hold waits for a place among the files read at once; release gives it back.
func Hold(ctx context.Context) (release func(), err error) {
	p := places()
	select {
	case p <- struct{}{}:
		return func() { <-p }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Retry does something again while it fails for a lack that passes: no free
// descriptor in the process or the system, a call that was interrupted or would
// have to wait. After ten seconds it returns that error.
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

// Lacking reports whether an error is of a lack of descriptors.
func Lacking(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
