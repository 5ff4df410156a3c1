package sinks

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/schema"
)

// ReadParts calls f with every batch of an Arrow IPC file, of a file that holds
// an Arrow IPC stream, or of a materialized directory: there part by part, and
// scale by scale (Batch.Variant), the finished parts of an unfinished one, too.
// A batch is valid until f returns, unless f retains it. An error of f ends the
// reading and is returned as it is.
func ReadParts(path string, f func(*schema.Batch) error) error {
	return readParts(path, memory.DefaultAllocator, f)
}

func readParts(path string, mem memory.Allocator, f func(*schema.Batch) error) error {
	if err := schema.Register(); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("sinks: %w", explain("read", "", path, err))
	}
	if !info.IsDir() {
		return readFile(path, mem, 0, f)
	}
	variants, err := listParts(path)
	if err != nil {
		return fmt.Errorf("sinks: %w", err)
	}
	for v, files := range variants {
		for _, file := range files {
			if err := readFile(file, mem, v, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// listParts are the files of a directory, per variant.
func listParts(dir string) (variants [][]string, err error) {
	data, err := os.ReadFile(filepath.Join(dir, planName))
	if errors.Is(err, fs.ErrNotExist) {
		// Not ours as a whole: a copy of some parts, or of one scale's folder.
		files, err := filepath.Glob(filepath.Join(dir, "*.arrow")) // sorted
		if err == nil && len(files) == 0 {
			err = fmt.Errorf("%s holds neither %s nor Arrow files", dir, planName)
		}
		return [][]string{files}, err
	}
	if err != nil {
		return nil, explain("read", planName, dir, err)
	}
	l, err := parseLayout(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, planName), err)
	}
	whole := false
	if _, err := os.Stat(filepath.Join(dir, manifestName)); err == nil {
		whole = true
	}
	for v := range l.Variants {
		var files []string
		for part := range l.PartCount {
			file := filepath.Join(dir, filepath.FromSlash(l.file(part, v)))
			if _, err := os.Stat(file); err == nil || whole { // a missing one of a whole is an error later
				files = append(files, file)
			}
		}
		variants = append(variants, files)
	}
	return variants, nil
}

// recordReader is what Arrow's file and stream readers have in common: Read
// gives io.EOF at the end, and a record that is valid until the next Read.
type recordReader interface{ Read() (arrow.Record, error) }

func readFile(path string, mem memory.Allocator, variant int, f func(*schema.Batch) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sinks: %w", explain("read", "", path, err))
	}
	defer file.Close()
	fail := func(err error) error { return fmt.Errorf("sinks: %s: %w", path, err) }
	info, err := file.Stat()
	if err != nil {
		return fail(err)
	}
	r, done, err := openReader(file, newLimited(mem, info.Size()))
	if err != nil {
		return fail(err)
	}
	defer done()
	for {
		var batch *schema.Batch
		err := guard(func() error {
			rec, err := r.Read()
			if err != nil {
				return err
			}
			batch, err = schema.View(rec)
			return err
		})
		if err == io.EOF { //nolint:errorlint // as it is: wrapped it is a file cut short
			if cut(r, file, info) {
				return fail(errors.New("the stream is cut off: it lacks its end mark"))
			}
			return nil
		}
		if err != nil {
			return fail(err)
		}
		batch.Variant = variant
		if err := f(batch); err != nil {
			return err
		}
	}
}

// openReader tells a file from a stream by its first bytes.
func openReader(file *os.File, mem memory.Allocator) (r recordReader, done func(), err error) {
	head := make([]byte, len(ipc.Magic))
	if _, err := io.ReadFull(file, head); err != nil {
		return nil, nil, fmt.Errorf("not an Arrow file or stream: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, nil, err
	}
	isFile := bytes.Equal(head, ipc.Magic)
	err = guard(func() error {
		if err := checkSchema(file, isFile); err != nil {
			return fmt.Errorf("not an Arrow file or stream: %w", err)
		}
		if isFile {
			fr, err := ipc.NewFileReader(file, ipc.WithAllocator(mem))
			if err == nil {
				r, done = fr, func() { fr.Close() }
			}
			return err
		}
		sr, err := ipc.NewReader(bufio.NewReaderSize(file, 1<<18), ipc.WithAllocator(mem))
		if err != nil {
			return fmt.Errorf("not an Arrow file or stream: %w", err)
		}
		r, done = sr, sr.Release
		return nil
	})
	return r, done, err
}

// cut reports whether a stream ends without its end mark, as after a full
// disk. Arrow's reader takes that for its end.
func cut(r recordReader, file *os.File, info fs.FileInfo) bool {
	if _, ok := r.(*ipc.FileReader); ok || !info.Mode().IsRegular() {
		return false
	}
	tail := make([]byte, 8)
	_, err := file.ReadAt(tail, info.Size()-8)
	return err == nil && !bytes.Equal(tail, []byte{0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0})
}

// limited refuses what only a damaged length can ask for: Go cannot recover
// from the system's refusal. What is in use at one time is bounded by the file's
// size and what may become of it: zstd makes 128 KiB of 4 bytes at most, and a
// record of ours holds 2 GiB of images.
type limited struct {
	memory.Allocator
	left *atomic.Int64
}

func newLimited(mem memory.Allocator, fileSize int64) limited {
	l := limited{mem, new(atomic.Int64)}
	const slack = 1 << 16 // alignment, and Arrow's own small buffers
	l.left.Store(slack + 2*fileSize + min(1<<32, fileSize<<15))
	return l
}

func (l limited) take(size int) {
	if l.left.Add(-int64(size)) < 0 {
		panic(fmt.Sprintf("it asks for a buffer of %d bytes", size))
	}
}

func (l limited) Allocate(size int) []byte {
	l.take(size)
	return l.Allocator.Allocate(size)
}

func (l limited) Reallocate(size int, b []byte) []byte {
	l.take(size - len(b))
	return l.Allocator.Reallocate(size, b)
}

func (l limited) Free(b []byte) {
	l.left.Add(int64(len(b)))
	l.Allocator.Free(b)
}

// guard makes an error of a panic: that is how Arrow's readers meet damaged data.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged: %v", p)
		}
	}()
	return f()
}
