package sources

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicedata/sluice/internal/descriptors"
)

// faults are what a test's file system does at each open and read, in turn.
type faults struct {
	handle
	open, read []error
}

func (f *faults) Read(b []byte) (int, error) {
	if len(f.read) > 0 {
		err := f.read[0]
		f.read = f.read[1:]
		return 0, err
	}
	return f.handle.Read(b)
}

func (f *faults) opener(name string) (handle, error) {
	if len(f.open) > 0 {
		err := f.open[0]
		f.open = f.open[1:]
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	var err error
	f.handle, err = openFile(name)
	return f, err
}

// Temporary faults are waited out; others are errors that say what to do, and never
// that the sample is missing.
func TestErrorsOfTheMachine(t *testing.T) {
	many := slices.Repeat([]error{syscall.EMFILE}, 6)
	for name, c := range map[string]struct {
		faults
		want error
		says string
	}{
		"no descriptor for a while":   {faults{open: many}, nil, ""},
		"none in the system":          {faults{open: []error{syscall.ENFILE}}, nil, ""},
		"interrupted":                 {faults{open: []error{syscall.EINTR}, read: []error{syscall.EAGAIN}}, nil, ""},
		"stale":                       {faults{open: []error{syscall.ESTALE}}, nil, ""},
		"stale for good":              {faults{open: []error{syscall.ESTALE, syscall.ESTALE}}, syscall.ESTALE, "network file system"},
		"unreadable":                  {faults{open: []error{syscall.EACCES}}, syscall.EACCES, "make it readable"},
		"an error of the disk":        {faults{open: []error{syscall.EIO}}, syscall.EIO, "check the disk"},
		"an error of the disk, later": {faults{read: []error{syscall.EIO}}, syscall.EIO, "check the disk"},
		"too many links":              {faults{open: []error{syscall.ELOOP}}, syscall.ELOOP, "cannot read"},
		"no memory":                   {faults{read: []error{syscall.ENOMEM}}, syscall.ENOMEM, "cannot read"},
		"disappeared":                 {faults{open: []error{syscall.ENOENT}}, fs.ErrNotExist, "disappeared"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "1.jpg"), []byte("picture"), 0o644); err != nil {
			t.Fatal(err)
		}
		opened, err := Folder{Path: dir}.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		d := opened.(*files)
		d.open = c.opener
		b, err := d.Read(context.Background(), 0, nil)
		switch {
		case c.want == nil && (err != nil || string(b) != "picture"):
			t.Errorf("%s: %q, %v", name, b, err)
		case c.want != nil && (!errors.Is(err, c.want) || errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), `"1.jpg"`)):
			t.Errorf("%s: %v", name, err)
		}
		// Whatever happened, the place is given back.
		var all []func()
		for range descriptors.Places() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			release, err := descriptors.Hold(ctx)
			if cancel(); err != nil {
				t.Fatalf("%s: the place is lost", name)
			}
			all = append(all, release)
		}
		for _, release := range all {
			release()
		}
	}
}

// A reader that waits for a descriptor ends with its context.
func TestWaitingForADescriptorEnds(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "1.jpg"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	opened, err := Folder{Path: dir}.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := opened.(*files)
	d.open = func(name string) (handle, error) {
		cancel()
		return nil, syscall.EMFILE
	}
	if _, err := d.Read(ctx, 0, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
