package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/descriptors"
)

// files is an opened source whose samples are files, found by their keys in a
// folder. Nothing stays open between reads.
type files struct {
	opened
	folder string
	found  map[string]string // by key: files whose name is in another Unicode normal form
	// When each sample was written and changed, as listed; see blob.Times.
	written, changed []int64

	open func(name string) (handle, error) // of tests; nil: the system's
}

func newFiles(shared opened, folder string, listed []blob.Times, found map[string]string) *files {
	d := &files{opened: shared, folder: folder, found: found}
	d.written, d.changed = make([]int64, len(listed)), make([]int64, len(listed))
	for i, t := range listed {
		d.written[i], d.changed[i] = t.Written, t.Changed
	}
	return d
}

// earlier says that a listing may be older than this run.
func (d *files) earlier() string {
	if d.known {
		return " for its index, at an earlier start"
	}
	return ""
}

// times are a sample's, as listed.
func (d *files) times(sample int) blob.Times {
	return blob.Times{Written: d.written[sample], Changed: d.changed[sample]}
}

// handle is a file being read.
type handle interface {
	io.ReadCloser
	Stat() (fs.FileInfo, error)
}

// file is the path of a sample's file. Absolute keys, which manifests may have, stay.
func (d *files) file(key string) string {
	if file, ok := d.found[key]; ok {
		return file
	}
	key = filepath.FromSlash(key)
	if filepath.IsAbs(key) {
		return key
	}
	return filepath.Join(d.folder, key)
}

func (d *files) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	name, size := d.file(d.index.Key(sample)), d.index.Size(sample)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if size == missing {
		return nil, d.absent(sample)
	}
	release, err := descriptors.Hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	err = descriptors.Retry(ctx, func() error {
		buf, err = d.readOnce(name, size, d.times(sample), buf)
		return err
	})
	if err == nil {
		err = d.sameBytes(sample, buf)
	}
	switch {
	case err == nil:
		return buf, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, blob.ErrChanged):
		d.forget()
		return nil, d.errorf(sample, "%q %w%s: start again", name, err, d.earlier())
	case errors.Is(err, fs.ErrNotExist):
		d.forget()
		return nil, d.errorf(sample, "%q has disappeared since it was listed: restore it, or start again: %w", name, cause(err))
	}
	return nil, d.errorf(sample, "cannot read %q: %w%s", name, cause(err), advice(err))
}

// readOnce reads a whole file, which must still be what was listed: its size and time
// are looked at after its bytes have been read.
func (d *files) readOnce(name string, size int64, listed blob.Times, buf []byte) ([]byte, error) {
	open := d.open
	if open == nil {
		open = openFile
	}
	f, err := open(name)
	if errors.Is(err, syscall.ESTALE) {
		f, err = open(name) // look the name up again
	}
	if err != nil {
		return buf, err
	}
	defer f.Close()
	buf = slices.Grow(buf[:0], int(size)+1)[:size+1] // one more, to see that the file ends
	n, err := io.ReadFull(f, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return buf, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return buf, err
	case !info.Mode().IsRegular():
		return buf, fmt.Errorf("%w: it is no longer a regular file", blob.ErrChanged)
	case info.Size() != size || blob.TimesOf(info).Written != listed.Written:
		return buf, blob.Rewritten(size, listed, info)
	case int64(n) != size:
		return buf, io.ErrUnexpectedEOF
	}
	return buf[:size], nil
}

// openFile doesn't wait where a pipe has taken the file's place.
func openFile(name string) (handle, error) { return os.OpenFile(name, os.O_RDONLY|nonblock, 0) }

// Stamp is of the sample's file, and of its mask's.
func (d *files) Stamp(sample int) string {
	if d.index.Size(sample) == missing {
		return ""
	}
	t := d.times(sample)
	if d.known { // and not listed just now
		info, err := os.Stat(d.file(d.index.Key(sample)))
		if err != nil {
			return ""
		}
		t = blob.TimesOf(info)
	}
	stamp := fmt.Sprintf("%d %d", t.Written, t.Changed)
	if d.targets != nil && d.targets.masks != nil {
		m := d.targets.masks.times(sample)
		stamp += fmt.Sprintf(" %d %d", m.Written, m.Changed)
	}
	return stamp
}

// absent is the error of a sample whose size is -1.
func (d *opened) absent(sample int) error {
	return d.errorf(sample, "%w: add the file, or remove the sample", ErrMissing)
}

// advice says what can be done about a failure of the machine.
func advice(err error) string {
	switch {
	case descriptors.Lacking(err):
		return ": raise the limit on open files (ulimit -n), and start again"
	case errors.Is(err, fs.ErrPermission):
		return ": make it readable, or remove it from the data, and start again"
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, io.ErrUnexpectedEOF):
		return ": check the disk or the network file system that it is on, and start again"
	}
	return ": start again once it can be read, or remove it from the data"
}

// Close does nothing: no file is open.
func (d *files) Close() error { return nil }
