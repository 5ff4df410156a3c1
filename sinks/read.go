package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/internal/arrowfile"
	"github.com/sluicedata/sluice/schema"
)

// ReadParts calls f with every batch of an Arrow IPC file, of a file or a pipe
// that holds an Arrow IPC stream, or of a materialized directory: scale by scale
// (Batch.Variant), part by part; of an unfinished directory, the finished parts. A
// batch is valid until f returns, unless f retains it. An error from f stops the
// reading and is returned unchanged.
//
// The bytes need not be trusted: damage is an error, whatever lengths the file
// claims, and a batch that f gets is safe to use.
func ReadParts(path string, f func(*schema.Batch) error) error {
	return ReadPartsContext(context.Background(), path, f)
}

// ReadPartsContext is ReadParts with a context, which ends it even while it waits for
// a pipe's writer.
func ReadPartsContext(ctx context.Context, path string, f func(*schema.Batch) error) error {
	return readParts(ctx, path, memory.DefaultAllocator, f)
}

// ReadStream calls f with every batch of an Arrow IPC stream, such as the
// standard input, as ReadParts does; name is for errors. It returns when the
// context ends, but a pending Read of in goes on until it has bytes.
func ReadStream(ctx context.Context, name string, in io.Reader, f func(*schema.Batch) error) error {
	open := func() (io.ReadCloser, error) { return io.NopCloser(in), nil }
	return readStream(ctx, name, open, memory.DefaultAllocator, f)
}

func readParts(ctx context.Context, path string, mem memory.Allocator, f func(*schema.Batch) error) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("sinks: %w", explain("read", "", path, err))
	case info.Mode().IsRegular():
		return readFile(ctx, path, mem, 0, f)
	case !info.IsDir():
		open := func() (io.ReadCloser, error) { return os.Open(path) }
		return readStream(ctx, path, open, mem, f)
	}
	variants, err := listParts(ctx, path)
	if err != nil {
		return fmt.Errorf("sinks: %w", err)
	}
	for v, files := range variants {
		for _, file := range files {
			if err := readFile(ctx, file, mem, v, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// listParts lists the files of a directory, per variant: those that exist and, in a
// finished one, the first that doesn't, which gives an error later.
func listParts(ctx context.Context, dir string) (variants [][]string, err error) {
	l, err := readLayout(ctx, filepath.Join(dir, planName), "arrow")
	if errors.Is(err, fs.ErrNotExist) && !isLink(filepath.Join(dir, planName)) {
		// No whole data set, but perhaps a copy of some parts, or one scale's folder.
		files, err := filepath.Glob(filepath.Join(dir, "*.arrow")) // sorted
		if err == nil && len(files) == 0 {
			err = fmt.Errorf("%s holds neither %s nor Arrow files", dir, planName)
		}
		return [][]string{files}, err
	}
	if err != nil {
		return nil, err
	}
	whole := isThere(filepath.Join(dir, manifestName))
	for v, variant := range l.Variants {
		there, err := names(filepath.Join(dir, variant.Folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		var files []string
		for part := range l.PartCount {
			file := filepath.Join(dir, filepath.FromSlash(l.file(part, v)))
			_, found := slices.BinarySearch(there, filepath.Base(file))
			if found || whole {
				files = append(files, file)
			}
			if !found && whole {
				break
			}
		}
		variants = append(variants, files)
	}
	return variants, nil
}

// isThere reports whether a name is taken, even if by a broken symlink.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// names are the entries of a folder, sorted.
func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, explain("read", "", dir, err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list, nil
}

func readFile(ctx context.Context, path string, mem memory.Allocator, variant int, f func(*schema.Batch) error) error {
	file, size, err := openRegular(path)
	if err != nil {
		return fmt.Errorf("sinks: %w", err)
	}
	defer file.Close()
	in := readerFunc(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return file.Read(b)
	})
	return read(path, in, file, size, mem, variant, f)
}

// openRegular opens a regular file only: opening a pipe would wait for its writer, and a
// device may have no end.
func openRegular(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && isLink(path) {
			return nil, 0, brokenLink(path)
		}
		return nil, 0, explain("read", "", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("cannot read %s: it is %s, not a file: remove it", path, kindOf(info.Mode()))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, explain("read", "", path, err)
	}
	return file, info.Size(), nil
}

// brokenLink is the path of a broken symlink.
type brokenLink string

func (path brokenLink) Error() string {
	return fmt.Sprintf("cannot read %s: it is a broken symlink: remove it, or restore its target", string(path))
}

func (brokenLink) Is(target error) bool { return target == fs.ErrNotExist }

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// readStream reads an input that cannot be read twice and may block.
func readStream(ctx context.Context, name string, open func() (io.ReadCloser, error), mem memory.Allocator, f func(*schema.Batch) error) error {
	chunks, done := make(chan chunk), make(chan struct{})
	defer close(done)
	go pump(open, chunks, done)
	var left chunk
	in := readerFunc(func(b []byte) (int, error) {
		for len(left.data) == 0 && left.err == nil {
			select {
			case left = <-chunks:
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		}
		n := copy(b, left.data)
		if left.data = left.data[n:]; n > 0 {
			return n, nil
		}
		return 0, left.err
	})
	return read(name, in, nil, 0, mem, 0, f)
}

type chunk struct {
	data []byte
	err  error
}

// pump reads ahead by one chunk, until done is closed.
func pump(open func() (io.ReadCloser, error), chunks chan<- chunk, done <-chan struct{}) {
	in, err := open()
	if err == nil {
		defer in.Close()
	}
	for err == nil {
		c := chunk{data: make([]byte, 1<<18)}
		var n int
		n, err = in.Read(c.data)
		c.data = c.data[:n]
		select {
		case chunks <- c:
		case <-done:
			return
		}
	}
	select {
	case chunks <- chunk{err: err}:
	case <-done:
	}
}

// read calls f with the batches of an input.
func read(name string, in io.Reader, file io.ReaderAt, size int64, mem memory.Allocator, variant int, f func(*schema.Batch) error) error {
	fail := func(err error) error { return fmt.Errorf("sinks: %s: %w", name, err) }
	if err := schema.Register(); err != nil {
		return err
	}
	var r *arrowfile.Reader
	err := arrowfile.Guard(func() (err error) {
		if r, err = arrowfile.NewReader(in, file, size, mem); err != nil {
			return err
		}
		if err := schema.CheckFormat(r.Schema()); err != nil {
			r.Close()
			return err
		}
		return nil
	})
	if err != nil {
		return fail(err)
	}
	defer r.Close()
	for {
		var batch *schema.Batch
		err := arrowfile.Guard(func() error {
			rec, err := r.Record()
			if err != nil {
				return err
			}
			if batch, err = schema.View(rec); err == nil {
				err = checkPictures(batch)
			}
			if err != nil {
				rec.Release()
			}
			return err
		})
		if err == io.EOF { //nolint:errorlint // a wrapped one is a codec's
			return nil
		}
		if err != nil {
			return fail(err)
		}
		batch.Variant = variant
		err = f(batch)
		batch.Release()
		if err != nil {
			return err
		}
	}
}

// checkPictures checks the sizes of pictures of varying size.
func checkPictures(b *schema.Batch) error {
	if b.Form != schema.FormVarying {
		return nil
	}
	for row := range b.Rows() {
		p := b.Picture(row)
		h, w, n := int64(p.Height), int64(p.Width), int64(len(p.U8))
		if h < 1 || w < 1 || h != n/(3*w) || n != 3*h*w {
			return fmt.Errorf("damaged: row %d (%s) is a picture of %d x %d, and has %d bytes", row, b.Key(row), w, h, n)
		}
	}
	return nil
}
