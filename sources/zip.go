package sources

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/internal/inflate"
)

// zipped is an opened zip. Its members are read in any order, concurrently, from where they
// lie in the file; those that are deflated are inflated at each read.
type zipped struct {
	opened
	object  blob.Object
	files   []*zip.File // of each sample, as the directory has it; nil where an index was kept
	known   [][]int64   // of such an index: where the data begin, how many bytes they are, sum and method
	buffers sync.Pool   // of *inflating
}

// zipMember is where a member is, and how.
type zipMember struct {
	at, packed int64
	sum        uint32
	method     uint16
}

// inflating is what it takes to inflate a member.
type inflating struct {
	inflate.Reader
	in []byte
}

func (f Folder) openZip(ctx context.Context, tasks []string) (_ Dataset, err error) {
	file, err := blob.Files{}.Open(ctx, f.Path)
	if err != nil {
		return nil, f.errorf("cannot read: %w%s", cause(err), advice(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	k := f.keeper(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	kept := !f.Masks.given() && !f.columns()
	if known := unchangedIf(kept, k, func(string) string { return blob.Settled(file) }); known != nil {
		return &zipped{opened: knownIndex("sources: folder", known, k), object: file, known: known.Numbers()}, nil
	}
	// The members read their headers long after this call.
	directory, err := zip.NewReader(blob.ReaderAt(context.WithoutCancel(ctx), file), file.Size())
	switch {
	case errors.Is(err, zip.ErrInsecurePath): // nothing is written anywhere
	case errors.Is(err, zip.ErrFormat):
		return nil, f.errorf("is not a zip, or is truncated: there is no whole directory at its end: create or copy it again")
	case err != nil:
		return nil, f.errorf("cannot read the directory of the zip: %w%s", cause(err), advice(err))
	}
	l := f.newListing("this zip")
	if err := listZip(ctx, directory.File, file.Size(), l); err != nil {
		return nil, f.errorf("%w", err)
	}
	shared, err := f.index(ctx, l, tasks, func(name string) (io.ReadCloser, error) {
		member := directory.File[l.metadata[name].at]
		if err := zipProblem(member, file.Size()); err != nil {
			return nil, err
		}
		return member.Open()
	})
	if err != nil {
		return nil, err
	}
	z := &zipped{opened: shared, object: file, files: make([]*zip.File, len(l.offsets))}
	for i, n := range l.offsets {
		if shared.index.Size(i) != missing {
			z.files[i] = directory.File[n]
		}
	}
	t, list, err := f.targets(l, func(finder *maskFinder, t *sampleTargets) ([]string, error) {
		places, list, err := finder.listed(z.index, t)
		if err == nil {
			t.masks.read = func(ctx context.Context, sample int, size int64) ([]byte, error) {
				f := directory.File[places[sample].at]
				at, err := f.DataOffset()
				if err != nil {
					return nil, err
				}
				return z.member(ctx, zipMember{at, int64(f.CompressedSize64), f.CRC32, f.Method}, size, nil)
			}
		}
		return list, err
	})
	if err != nil {
		return nil, err
	}
	z.warnings = slices.Concat(z.warnings, list)
	z.setTargets(t)
	if !kept {
		return z, nil
	}
	return z, z.keepIndex(ctx, k, path.Base(f.Path))
}

// keepIndex keeps the index, with the places of the members: each has a header, which says
// how long it is itself.
func (z *zipped) keepIndex(ctx context.Context, k *indexfile.Keeper, name string) error {
	if !k.Wants(len(z.files), fewMembers) {
		return nil
	}
	numbers := make([][]int64, 4)
	for sample := range z.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		var m zipMember
		if z.index.Size(sample) != missing {
			var err error
			if m, err = z.place(sample); err != nil {
				return nil //nolint:nilerr // reading the member reports it
			}
		}
		for i, n := range []int64{m.at, m.packed, int64(m.sum), int64(m.method)} {
			numbers[i] = append(numbers[i], n)
		}
	}
	k.Listed(name, blob.Settled(z.object), nil)
	z.keep(k, fewMembers, nil, numbers...)
	return nil
}

// place is where a sample's member is.
func (z *zipped) place(sample int) (zipMember, error) {
	if z.files == nil {
		return zipMember{z.known[0][sample], z.known[1][sample], uint32(z.known[2][sample]), uint16(z.known[3][sample])}, nil
	}
	f := z.files[sample]
	at, err := f.DataOffset()
	return zipMember{at, int64(f.CompressedSize64), f.CRC32, f.Method}, err
}

// listZip adds the images of a zip to l, by the rules for tars.
func listZip(ctx context.Context, files []*zip.File, size int64, l *listing) error {
	m := newMembers(l, math.MaxInt64)
	m.pass = func(take func(h tarHeader, at int64) error) (int64, error) {
		for i, f := range files {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			h, err := zipHeader(f)
			if err != nil {
				return 0, err
			}
			if err := take(h, int64(i)); err != nil {
				return 0, err
			}
		}
		return 0, nil
	}
	if _, err := m.pass(m.header); err != nil {
		return err
	}
	if err := m.finish(); err != nil {
		return err
	}
	for i, at := range l.offsets {
		if l.sizes[i] == missing {
			continue
		}
		if err := zipProblem(files[at], size); err != nil {
			l.problems.addf("member %q %w", l.keys[i], err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.maskAt)) {
		if p := l.maskAt[name]; p.size != missing {
			if err := zipProblem(files[p.at], size); err != nil {
				l.problems.addf("member %q %w", name, err)
			}
		}
	}
	return nil
}

// zipHeader is a member of a zip as one of a tar.
func zipHeader(f *zip.File) (tarHeader, error) {
	name := f.Name
	const fat = 0
	if f.CreatorVersion>>8 == fat && !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, `\`, "/") // as old programs for Windows wrote
	}
	h := tarHeader{name: name, kind: tar.TypeReg, size: int64(min(f.UncompressedSize64, math.MaxInt64))}
	switch mode := f.Mode(); {
	case strings.HasSuffix(name, "/"):
		h.kind = tar.TypeDir
	case mode&fs.ModeSymlink != 0:
		h.kind = tar.TypeSymlink
		target, err := zipLink(f)
		if err != nil {
			return h, errorf("cannot read where the link %q leads: %w", f.Name, err)
		}
		h.link = target
	case !mode.IsRegular():
		h.kind = tar.TypeFifo // or a device
	}
	return h, nil
}

func zipLink(f *zip.File) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, longestKey+1))
	if err == nil && len(text) > longestKey {
		err = fmt.Errorf("it has more than %d bytes", longestKey)
	}
	return string(text), err
}

// mostInflated bounds an image in a zip, and mostRatio what deflate can make of a byte.
const (
	mostInflated = 1 << 30
	mostRatio    = 1032
)

// zipProblem is why an image cannot be read.
func zipProblem(f *zip.File, size int64) error {
	packed, whole := f.CompressedSize64, f.UncompressedSize64
	switch {
	case f.Flags&1 != 0:
		return errors.New("is encrypted: create the zip without a password")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return fmt.Errorf("is compressed by method %d: create the zip with deflate, or without compression", f.Method)
	case packed > uint64(size):
		return fmt.Errorf("claims to have %d bytes in the zip, which has %d: create or copy it again", packed, size)
	case f.Method == zip.Store && packed != whole:
		return fmt.Errorf("claims to have %d bytes, stored in %d: create or copy the zip again", whole, packed)
	case whole > mostInflated:
		return fmt.Errorf("claims to have %d bytes; at most %d are inflated", whole, mostInflated)
	case f.Method == zip.Deflate && whole > (packed+1)*mostRatio:
		return fmt.Errorf("claims to have %d bytes, deflated to %d, which cannot be: create or copy the zip again", whole, packed)
	}
	return nil
}

func (z *zipped) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if z.index.Size(sample) == missing {
		return nil, z.absent(sample)
	}
	m, err := z.place(sample)
	if err == nil {
		buf, err = z.member(ctx, m, z.index.Size(sample), buf)
	}
	switch {
	case err == nil:
		return buf, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, blob.ErrChanged):
		return nil, z.errorf(sample, "%q %w: start again", z.object.Name(), err)
	case errors.Is(err, zip.ErrFormat), errors.Is(err, inflate.ErrDamaged), errors.Is(err, errDamagedZip):
		return nil, z.errorf(sample, "the zip %q is damaged at byte %d: %w: create or copy it again", z.object.Name(), m.at, err)
	}
	return nil, z.errorf(sample, "cannot read the zip %q at byte %d: %w%s", z.object.Name(), m.at, cause(err), advice(err))
}

var errDamagedZip = errors.New("it is not what the directory says")

// member reads a member of a size.
func (z *zipped) member(ctx context.Context, m zipMember, size int64, buf []byte) ([]byte, error) {
	buf = slices.Grow(buf[:0], int(size))[:size]
	if m.method == zip.Store {
		if err := z.object.ReadRange(ctx, buf, m.at); err != nil {
			return nil, err
		}
	} else if err := z.inflate(ctx, m, buf); err != nil {
		return nil, err
	}
	if sum := crc32.ChecksumIEEE(buf); sum != m.sum {
		return nil, fmt.Errorf("%w: the checksum is %08x, not %08x", errDamagedZip, sum, m.sum)
	}
	return buf, nil
}

func (z *zipped) inflate(ctx context.Context, m zipMember, out []byte) error {
	b, _ := z.buffers.Get().(*inflating)
	if b == nil {
		b = &inflating{}
	}
	defer z.buffers.Put(b)
	b.in = slices.Grow(b.in[:0], int(m.packed))[:m.packed]
	if err := z.object.ReadRange(ctx, b.in, m.at); err != nil {
		return err
	}
	b.Reset(b.in)
	defer b.Release()
	n, err := io.ReadFull(b, out)
	var more [1]byte
	if err == nil {
		n, err = b.Read(more[:])
		n += len(out)
	}
	switch {
	case errors.Is(err, inflate.ErrDamaged):
		return err
	case n != len(out) || !errors.Is(err, io.EOF) && len(out) > 0:
		return fmt.Errorf("%w: it has not the %d bytes that it claims", errDamagedZip, len(out))
	}
	return nil
}

// Stamp is of the whole zip.
func (z *zipped) Stamp(int) string { return z.object.Stamp() }

// Close closes the zip.
func (z *zipped) Close() error { return z.object.Close() }
