package descriptors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// failing fails with each of the errors in turn, then succeeds.
func failing(errs ...error) (do func() error, calls *int) {
	calls = new(int)
	return func() error {
		if *calls++; *calls <= len(errs) {
			return &fs.PathError{Op: "open", Path: "1.jpg", Err: errs[*calls-1]}
		}
		return nil
	}, calls
}

func TestRetry(t *testing.T) {
	for _, c := range []struct {
		name  string
		errs  []error
		want  error
		calls int
	}{
		{"nothing", nil, nil, 1},
		{"no descriptor for a while", slices.Repeat([]error{syscall.EMFILE}, 9), nil, 10},
		{"none in the system", []error{syscall.ENFILE, syscall.EMFILE}, nil, 3},
		{"interrupted", []error{syscall.EINTR, syscall.EAGAIN}, nil, 3},
		{"another error", []error{syscall.EACCES}, syscall.EACCES, 1},
		{"another error, later", []error{syscall.EMFILE, syscall.EIO, syscall.EMFILE}, syscall.EIO, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			do, calls := failing(c.errs...)
			if err := Retry(t.Context(), do); !errors.Is(err, c.want) || *calls != c.calls {
				t.Errorf("%s: %v after %d calls, want %v after %d", c.name, err, *calls, c.want, c.calls)
			}
		})
	}
}

// Patience ends: a lack that stays is an error, and only then.
func TestRetryGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := Retry(t.Context(), func() error { return syscall.EMFILE })
		if waited := time.Since(start); !Lacking(err) || waited < patience || waited > patience+patience/10 {
			t.Errorf("%v after %v", err, waited)
		}
		// A descriptor that comes at the last moment counts.
		start = time.Now()
		err = Retry(t.Context(), func() error {
			if time.Since(start) < patience*9/10 {
				return syscall.EMFILE
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		calls := 0
		err := Retry(ctx, func() error {
			if calls++; calls == 3 {
				cancel(cause)
			}
			return syscall.EMFILE
		})
		if !errors.Is(err, cause) || calls != 3 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

func TestLacking(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.EMFILE: true, syscall.ENFILE: true, syscall.EACCES: false, fs.ErrNotExist: false,
		os.NewSyscallError("socket", syscall.EMFILE): true,
	} {
		if Lacking(err) != want || Lacking(fmt.Errorf("read: %w", err)) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
	if Lacking(nil) {
		t.Error("nothing is no lack")
	}
}

// Places are all given away, no more, and one given back is free again.
func TestHold(t *testing.T) {
	var held []func()
	for range Places() {
		release, err := Hold(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, release)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := Hold(ctx); !errors.Is(err, cause) {
		t.Errorf("one more than there are: %v", err)
	}
	got := make(chan error)
	go func() {
		release, err := Hold(t.Context())
		if err == nil {
			release()
		}
		got <- err
	}()
	held[0]()
	if err := <-got; err != nil {
		t.Error(err)
	}
	for _, release := range held[1:] {
		release()
	}
}
