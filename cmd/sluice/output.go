package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// output is stdout, which keeps its first error: a command whose output doesn't arrive
// has failed, whichever line it was.
type output struct {
	File *os.File
	lost struct {
		sync.Mutex
		err error
	}
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.File.Write(p)
	if err != nil {
		o.lost.Lock()
		defer o.lost.Unlock()
		if o.lost.err == nil {
			o.lost.err = lostOutput(err)
		}
		return n, o.lost.err
	}
	return n, nil
}

// failed is the first error.
func (o *output) failed() error {
	o.lost.Lock()
	defer o.lost.Unlock()
	return o.lost.err
}

// lostOutput says in words what became of a write to stdout.
func lostOutput(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("stdout: its reader went away before the end (%w)", syscall.EPIPE)
	}
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("stdout: cannot be written: %w", err)
}
