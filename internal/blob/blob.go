// Package blob is the layer between sources and storage: an object is a file that is read
// by ranges, and a store has objects. Sources built on shards know nothing else of where
// these are, so that another store than the file system takes a new Store and no change
// of theirs.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluicedata/sluice/internal/descriptors"
)

// ErrChanged is wrapped by the errors of objects that are no longer what was opened.
var ErrChanged = errors.New("has changed since it was listed")

// Store has objects by their names.
type Store interface {
	// Open opens an object. A missing one is fs.ErrNotExist.
	Open(ctx context.Context, name string) (Object, error)
	// List is the names of the objects that match a pattern of path.Match, sorted bytewise.
	List(ctx context.Context, pattern string) ([]string, error)
}

// Object is a stored file, as it was when it was opened. Its methods are safe for
// concurrent use.
type Object interface {
	Name() string
	Size() int64
	// Stamp changes whenever the object is written again; "" where that isn't known. It
	// depends on the machine.
	Stamp() string
	// ReadRange fills p with the bytes from an offset on. It tries again where that makes
	// sense, and fails with ErrChanged if the object isn't what was opened.
	ReadRange(ctx context.Context, p []byte, offset int64) error
	// Close releases it. No ReadRange may be in progress, or follow.
	Close() error
}

// Files is the file system's objects; names are paths.
type Files struct{}

// kept counts the files that stay open.
var kept atomic.Int64

// Open opens a regular file, which stays open until Close; but once that is half of the files
// that may be read at once, later ones are opened for each read.
func (Files) Open(ctx context.Context, name string) (Object, error) {
	info, err := os.Stat(name) // before opening: a pipe would block
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	var f *os.File
	err = descriptors.Retry(ctx, func() (err error) {
		f, err = os.Open(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	o := &file{name: name, times: TimesOf(info), size: info.Size()}
	if kept.Add(1) > int64(max(1, descriptors.Places()/2)) {
		kept.Add(-1)
		return o, f.Close()
	}
	o.file = f
	return o, nil
}

// List is filepath.Glob, sorted.
func (Files) List(_ context.Context, pattern string) ([]string, error) {
	names, err := filepath.Glob(pattern)
	slices.Sort(names)
	return names, err
}

// Times are when a file's bytes were last written, and when anything about it last changed
// (0 where the system doesn't say), in nanoseconds since 1970. The second shows where the
// first was set by hand. But a new link or owner changes it as well, so it is a reason to
// read the file again, not an error.
type Times struct{ Written, Changed int64 }

// TimesOf are a file's times.
func TimesOf(info fs.FileInfo) Times { return Times{info.ModTime().UnixNano(), changed(info)} }

func (t Times) String() string { return time.Unix(0, t.Written).UTC().Format(time.RFC3339Nano) }

// Stamp is a file's stamp, from its size and times.
func Stamp(size int64, t Times) string {
	return fmt.Sprintf("%d %d %d", size, t.Written, t.Changed)
}

// Settled is an object's stamp, or "" while it is so young that another change might not
// show in it.
func Settled(o Object) string {
	if f, ok := o.(*file); ok && f.times.young() {
		return ""
	}
	return o.Stamp()
}

// young is the age below which times prove nothing: a change so soon after another may leave
// them as they are.
const young = 2 * time.Second

func (t Times) young() bool { return time.Since(time.Unix(0, max(t.Written, t.Changed))) < young }

// SettledStamp is Settled of a file or a directory.
func SettledStamp(info fs.FileInfo) string {
	t := TimesOf(info)
	if t.young() {
		return ""
	}
	return Stamp(info.Size(), t)
}

type file struct {
	name  string
	file  *os.File // nil: it is opened for each read
	times Times
	size  int64
}

func (f *file) Name() string  { return f.name }
func (f *file) Size() int64   { return f.size }
func (f *file) Stamp() string { return Stamp(f.size, f.times) }

// Close closes the file, if it is open.
func (f *file) Close() error {
	if f.file == nil {
		return nil
	}
	kept.Add(-1)
	return f.file.Close()
}

func (f *file) ReadRange(ctx context.Context, p []byte, offset int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.file != nil {
		return f.read(ctx, f.file, p, offset)
	}
	release, err := descriptors.Hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	var opened *os.File
	err = descriptors.Retry(ctx, func() (err error) {
		opened, err = os.Open(f.name)
		return err
	})
	if err != nil {
		return err
	}
	defer opened.Close()
	return f.read(ctx, opened, p, offset)
}

func (f *file) read(ctx context.Context, from *os.File, p []byte, offset int64) error {
	err := descriptors.Retry(ctx, func() error {
		n, err := from.ReadAt(p, offset)
		if n == len(p) {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	})
	// What was read is worthless if the file is no longer what was opened.
	info, statErr := from.Stat()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case statErr != nil:
		return statErr
	case info.Size() != f.size || info.ModTime().UnixNano() != f.times.Written:
		return Rewritten(f.size, f.times, info)
	}
	return err
}

// Rewritten is the error of a file whose size or time isn't what it was.
func Rewritten(size int64, listed Times, info fs.FileInfo) error {
	if info.Size() != size {
		return fmt.Errorf("%w: it had %d bytes and now has %d", ErrChanged, size, info.Size())
	}
	return fmt.Errorf("%w: it was written at %s, and again at %s", ErrChanged, listed, TimesOf(info))
}

// ReaderAt reads an object until a context ends, for readers of formats.
func ReaderAt(ctx context.Context, o Object) io.ReaderAt { return readerAt{ctx, o} }

type readerAt struct {
	ctx    context.Context
	object Object
}

func (r readerAt) ReadAt(p []byte, offset int64) (int, error) {
	rest := r.object.Size() - offset
	if rest <= 0 || offset < 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), rest)
	if err := r.object.ReadRange(r.ctx, p[:n], offset); err != nil {
		return 0, err
	}
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}
