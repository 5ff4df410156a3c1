package arrowfile

import (
	"fmt"
	"runtime/debug"

	"github.com/sluicedata/sluice/internal/mapfile"
)

// Protect calls f, which looks at a File. A file that is truncated while it is mapped, or
// whose disk fails, ends a process that touches its memory; here that becomes
// mapfile.ErrFault, and any other panic an error, too. It holds for f's goroutine only.
func Protect(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // the runtime's errors of memory
			err = mapfile.ErrFault
		default:
			err = fmt.Errorf("damaged: %v", p)
		}
	}()
	return f()
}
