// Package unpacked keeps compressed tars unpacked in a cache directory, so that they are
// read in any order as plain ones are. Each is unpacked once, by one process, under a
// temporary name, and stays until the directory becomes too large: then those that were
// opened longest ago go first. One that is open isn't removed, by any process.
//
// An archive has three files, named by the hash of its path, size and times: .tar with a
// footer behind the tar's bytes, which says how many these are; .part while it is made; and
// .lock, which is held by everybody who reads (shared) or makes and removes the others
// (exclusive), and whose time tells when the archive was last opened.
package unpacked

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/sluicedata/sluice/internal/atomicfile"
	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/cachedir"
	"github.com/sluicedata/sluice/internal/fingerprint"
)

// Extensions are those of names that Is reports.
var Extensions = []string{".tar.gz", ".tgz", ".tar.zst", ".tzst"}

// Is reports the name of a tar that is compressed as this package can read it.
func Is(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(Extensions, func(ext string) bool { return strings.HasSuffix(name, ext) })
}

// folder is that of unpacked archives in a cache directory.
const folder = "unpacked"

const (
	tarName, partName, lockName = ".tar", ".part", ".lock"
	footerText                  = "\nsluice: end of unpacked\n" // 25 bytes
	footerSize                  = len(footerText) + 8
	step                        = 16 << 20 // how many bytes are written between looks at the limit
	poll                        = 20 * time.Millisecond
)

// Open opens the tar in a compressed archive, unpacking it if that wasn't done. The object
// has the name and the stamp of the archive. check looks at the first block of what is
// unpacked (fewer bytes where there are no more): what isn't a tar needn't be unpacked as
// a whole.
func Open(ctx context.Context, cache cachedir.Cache, name string, check func(block []byte) error) (blob.Object, error) {
	archive, err := blob.Files{}.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	whole, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	dir, err := cache.Folder(folder)
	switch {
	case errors.Is(err, cachedir.ErrNone):
		return nil, fmt.Errorf("is compressed, and is unpacked into the cache: %w", err)
	case err != nil:
		return nil, err
	}
	hash := fingerprint.Of(fmt.Appendf(nil, "unpacked 1\n%s\n%s", whole, archive.Stamp()))
	e := entry{archive: archive, dir: dir, base: filepath.Join(dir, hex.EncodeToString(hash[:])), most: cache.Max, check: check}
	const tries = 20 // others may remove what was made before it is opened
	for range tries {
		o, err := e.open(ctx)
		if o != nil || err != nil {
			return o, err
		}
		if err := e.make(ctx); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("other processes remove what is unpacked from the cache %s as soon as it is there: raise its limit (--max-cache-size), or choose another (--cache DIR)", dir)
}

// entry is an archive, and its place in the cache.
type entry struct {
	archive   blob.Object
	dir, base string
	most      int64 // bytes of the directory
	check     func(block []byte) error
}

// open opens what is unpacked; nil if there is nothing, or what there is isn't whole.
func (e *entry) open(ctx context.Context) (blob.Object, error) {
	lock := flock.New(e.base + lockName)
	if err := e.locked(ctx, lock.TryRLockContext); err != nil {
		return nil, err
	}
	tar, size := e.whole(ctx)
	if tar == nil {
		return nil, lock.Close()
	}
	_ = os.WriteFile(e.base+lockName, []byte("\n"), 0o600) // for its time; without that it may go earlier
	return &object{tar, lock, e.archive.Name(), e.archive.Stamp(), size}, nil
}

// locked waits for a lock.
func (e *entry) locked(ctx context.Context, try func(context.Context, time.Duration) (bool, error)) error {
	_, err := try(ctx, poll)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("cannot lock its place in the cache %s: %w: make it writable, or choose another (--cache DIR)", e.dir, cause(err))
	}
	return nil
}

// whole opens the tar and reads its footer; nil if there is none.
func (e *entry) whole(ctx context.Context) (tar blob.Object, size int64) {
	tar, err := blob.Files{}.Open(ctx, e.base+tarName)
	if err != nil {
		return nil, 0
	}
	footer := make([]byte, footerSize)
	size = tar.Size() - int64(footerSize)
	if size < 0 || tar.ReadRange(ctx, footer, size) != nil || !bytes.HasPrefix(footer, []byte(footerText)) ||
		binary.LittleEndian.Uint64(footer[len(footerText):]) != uint64(size) {
		_ = tar.Close() // read only
		return nil, 0
	}
	return tar, size
}

// object is an unpacked tar.
type object struct {
	blob.Object
	lock        *flock.Flock
	name, stamp string
	size        int64
}

func (o *object) Name() string  { return o.name }
func (o *object) Stamp() string { return o.stamp }
func (o *object) Size() int64   { return o.size }
func (o *object) Close() error  { return errors.Join(o.Object.Close(), o.lock.Close()) }

// make unpacks the archive, unless another process has done so meanwhile.
func (e *entry) make(ctx context.Context) (err error) {
	lock := flock.New(e.base + lockName)
	if err := e.locked(ctx, lock.TryLockContext); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if tar, _ := e.whole(ctx); tar != nil {
		return tar.Close()
	}
	if err := remove(e.base + tarName); err != nil { // it is broken
		return err
	}
	part, err := os.OpenFile(e.base+partName, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return e.failed(err)
	}
	err = e.unpack(ctx, part)
	if err == nil {
		err = e.failed(part.Sync())
	}
	if closed := part.Close(); err == nil {
		err = e.failed(closed)
	}
	if err == nil {
		err = e.failed(atomicfile.Rename(e.base+partName, e.base+tarName))
	}
	if err != nil {
		return errors.Join(err, remove(e.base+partName))
	}
	return nil
}

// failed is the error of writing into the cache.
func (e *entry) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, errQuota):
		return fmt.Errorf("cannot be unpacked: the disk of the cache %s is full: make room, or choose a directory on another disk (--cache DIR)", e.dir)
	}
	return fmt.Errorf("cannot be unpacked into the cache %s: %w: choose another directory (--cache DIR)", e.dir, cause(err))
}

// cause is an error without its path.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// counted counts what was read of an archive.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// unpack writes the tar and its footer.
func (e *entry) unpack(ctx context.Context, to io.Writer) error {
	in := &counted{Reader: io.NewSectionReader(blob.ReaderAt(ctx, e.archive), 0, e.archive.Size())}
	tar, release, err := decompressor(in)
	if err != nil {
		return err
	}
	defer release()
	buf := make([]byte, 1<<20)
	var size, room int64
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(tar, buf)
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && tar.ended
		if err != nil && !ended {
			return e.broken(ctx, err, in.n)
		}
		if size == 0 {
			if err := e.check(buf[:min(n, 512)]); err != nil {
				return err
			}
		}
		if room < int64(n) {
			if err := e.makeRoom(min(step, max(1, e.most/4))); err != nil {
				return err
			}
			room = min(step, max(1, e.most/4))
		}
		room -= int64(n)
		size += int64(n)
		if _, err := to.Write(buf[:n]); err != nil {
			return e.failed(err)
		}
		if ended {
			break
		}
	}
	_, err = to.Write(binary.LittleEndian.AppendUint64([]byte(footerText), uint64(size)))
	return e.failed(err)
}

// broken says what is wrong with an archive.
func (e *entry) broken(ctx context.Context, err error, at int64) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, blob.ErrChanged):
		return fmt.Errorf("%w: start again", err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("is truncated at byte %d: create or copy it again", at)
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return errors.New("needs more memory than 128 MiB to unpack: compress it without --long and --ultra")
	}
	return fmt.Errorf("is damaged before byte %d: %w: create or copy it again", at, err)
}

// stream is what an archive holds; it tells its end from that of a reader that is cut off.
type stream struct {
	io.Reader
	ended bool
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.ended = err == io.EOF
	return n, err
}

// decompressor begins to read an archive, of which the first bytes say what it is.
func decompressor(in *counted) (_ *stream, release func(), _ error) {
	magic := make([]byte, 4)
	n, err := io.ReadFull(in, magic)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	rest := io.MultiReader(bytes.NewReader(magic[:n]), in)
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		r, err := gzip.NewReader(rest)
		if err != nil {
			return nil, nil, fmt.Errorf("is damaged at its beginning: %w: create or copy it again", err)
		}
		return &stream{Reader: r}, func() { _ = r.Close() }, nil
	case string(magic) == "\x28\xb5\x2f\xfd" || magic[0]&0xf0 == 0x50 && string(magic[1:]) == "\x2a\x4d\x18":
		const window = 128 << 20 // as that of the command zstd
		r, err := zstd.NewReader(rest, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
		if err != nil {
			return nil, nil, fmt.Errorf("is damaged at its beginning: %w: create or copy it again", err)
		}
		return &stream{Reader: r}, r.Close, nil
	}
	return nil, nil, errors.New("is compressed neither by gzip nor by zstd, despite its name")
}

// rooms is held while room is made, so that several archives that are unpacked at once
// don't each take the same.
var rooms sync.Mutex

// makeRoom removes what was opened longest ago until there is room for more bytes.
func (e *entry) makeRoom(more int64) error {
	rooms.Lock()
	defer rooms.Unlock()
	list, err := os.ReadDir(e.dir)
	if err != nil {
		return e.failed(err)
	}
	type kept struct {
		base   string
		size   int64
		opened time.Time
	}
	var all []kept
	used := int64(0)
	for _, one := range list {
		name := filepath.Join(e.dir, one.Name())
		ext := filepath.Ext(name)
		info, err := one.Info()
		if err != nil || !info.Mode().IsRegular() || ext != tarName && ext != partName {
			continue // removed meanwhile, or not ours
		}
		used += info.Size()
		k := kept{base: strings.TrimSuffix(name, ext), size: info.Size()}
		if lock, err := os.Stat(k.base + lockName); err == nil {
			k.opened = lock.ModTime()
		}
		if k.base != e.base {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b kept) int {
		return cmp.Or(a.opened.Compare(b.opened), strings.Compare(a.base, b.base))
	})
	for _, k := range all {
		if used+more <= e.most {
			break
		}
		if evict(k.base) {
			used -= k.size
		}
	}
	if used+more > e.most {
		return fmt.Errorf("cannot be unpacked: the cache %s would hold more than its limit of %d bytes, and all that is in it is in use: raise the limit (--max-cache-size), or unpack the archive by hand", e.dir, e.most)
	}
	return nil
}

// evict removes what is unpacked of an archive, unless it is in use.
func evict(base string) bool {
	lock := flock.New(base + lockName)
	if ok, err := lock.TryLock(); err != nil || !ok {
		return false
	}
	err := errors.Join(remove(base+tarName), remove(base+partName))
	return errors.Join(err, lock.Close()) == nil
}
