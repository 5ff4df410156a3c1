package sources

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// files is an opened source whose samples are files, found by their keys in a
// folder. Nothing stays open between reads.
type files struct {
	opened
	folder string
	found  map[string]string // by key: files whose name is in another Unicode normal form
}

// file is where a sample lies. Absolute keys, which manifests may have, stay.
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
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.index.Sizes[sample] == missing {
		return nil, d.errorf(sample, "there is no such file: %w", ErrMissing)
	}
	name := d.file(d.index.Keys[sample])
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, d.errorf(sample, "%q has vanished since it was listed: put it back, or start again: %w", name, cause(err))
	} else if err != nil {
		return nil, d.errorf(sample, "cannot read %q: %w", name, cause(err))
	}
	defer f.Close()
	size := d.index.Sizes[sample]
	buf = slices.Grow(buf[:0], int(size)+1)[:size+1] // one more, to see that the file ends
	n, err := io.ReadFull(f, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, d.errorf(sample, "cannot read %q: %w", name, cause(err))
	}
	if int64(n) != size {
		if info, err := f.Stat(); err == nil {
			n = int(info.Size())
		}
		return nil, d.errorf(sample, "%q has changed since it was listed: it had %d bytes and has %d: start again", name, size, n)
	}
	return buf[:size], nil
}

// Close does nothing: no file is open.
func (d *files) Close() error { return nil }
