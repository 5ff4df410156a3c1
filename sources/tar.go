package sources

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/cachedir"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/internal/unpacked"
)

func (f Folder) openTar(ctx context.Context, tasks []string) (_ Dataset, err error) {
	file, err := openTarObject(ctx, f.Path)
	if err != nil {
		return nil, f.errorf("%w", err)
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
		return &ranges{opened: knownIndex("sources: folder", known, k), kind: "tar", archives: []blob.Object{file}, offsets: known.Numbers()[0]}, nil
	}
	l := f.newListing("this tar")
	if err := listTar(ctx, blob.ReaderAt(ctx, file), file.Size(), l); err != nil {
		return nil, f.errorf("%w", err)
	}
	shared, err := f.index(ctx, l, tasks, func(name string) (io.ReadCloser, error) {
		p := l.metadata[name]
		return io.NopCloser(io.NewSectionReader(blob.ReaderAt(ctx, file), p.at, p.size)), nil
	})
	if err != nil {
		return nil, err
	}
	d := &ranges{opened: shared, kind: "tar", archives: []blob.Object{file}, offsets: l.offsets}
	k.Listed(path.Base(f.Path), blob.Settled(file), nil)
	if kept {
		d.keep(k, fewMembers, nil, d.offsets)
	}
	t, list, err := f.targets(l, func(finder *maskFinder, t *sampleTargets) ([]string, error) {
		places, list, err := finder.listed(d.index, t)
		if err == nil {
			t.masks.read = func(ctx context.Context, sample int, size int64) ([]byte, error) {
				data := make([]byte, size)
				return data, file.ReadRange(ctx, data, places[sample].at)
			}
		}
		return list, err
	})
	if err != nil {
		return nil, err
	}
	d.warnings = slices.Concat(d.warnings, list)
	d.setTargets(t)
	return d, nil
}

// unchangedIf is Unchanged where an index is kept.
func unchangedIf(kept bool, k *indexfile.Keeper, stamp func(string) string) *indexfile.File {
	if !kept {
		return nil
	}
	return k.Unchanged(stamp)
}

// openTarObject opens a tar. One that is compressed by gzip or zstd is unpacked into the
// cache first, once, and read there.
func openTarObject(ctx context.Context, name string) (o blob.Object, err error) {
	if unpacked.Is(name) {
		o, err = unpacked.Open(ctx, cachedir.Of(ctx), name, beginsTar)
	} else {
		o, err = blob.Files{}.Open(ctx, name)
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return nil, fmt.Errorf("cannot read: %w%s", cause(err), advice(err))
	}
	return o, err
}

// beginsTar reports a first block that no tar has.
func beginsTar(block []byte) error {
	if len(block) == tarBlock {
		if bytes.Equal(block, make([]byte, tarBlock)) { // an empty one
			return nil
		}
		sum, ok := octal(block[148:156])
		signed := checksum(block)
		for i, b := range block {
			if b >= 0x80 && (i < 148 || i >= 156) {
				signed -= 256 // as old programs added
			}
		}
		if ok && (sum == checksum(block) || sum == signed) {
			return nil
		}
	}
	return errors.New("what is compressed in it is not a tar, despite its name")
}

// member is a file of a tar.
type member struct {
	name         string
	offset, size int64
}

// members is a tar being listed. Links are resolved at the end, since a symbolic link
// may come before its target. Nothing is kept of files that aren't images: a tar may
// have millions.
type members struct {
	*listing
	// pass hands each member to take, and returns where reading ended.
	pass    func(take func(h tarHeader, at int64) error) (int64, error)
	size    int64 // of the tar
	files   []member
	sparse  map[string]bool   // images that are stored without runs of zeros
	links   map[string]string // name to name
	folders map[string]bool
	skipped map[string]bool // files and folders ignored as hidden or a system's
	end     int64           // of the last member's data
}

// cancelled is a file that can be read until a context ends.
type cancelled struct {
	ctx context.Context
	*io.SectionReader
}

func (c cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.SectionReader.Read(p)
}

func newMembers(l *listing, size int64) *members {
	return &members{listing: l, size: size, sparse: map[string]bool{}, links: map[string]string{}, folders: map[string]bool{".": true}, skipped: map[string]bool{}}
}

// listTar adds the images of a tar to l. Errors that make the rest of the file
// unreadable are returned.
func listTar(ctx context.Context, file io.ReaderAt, size int64, l *listing) error {
	m := newMembers(l, size)
	m.pass = func(take func(h tarHeader, at int64) error) (int64, error) { return headers(ctx, file, size, take) }
	at, err := m.pass(m.header)
	if err != nil {
		return err
	}
	if err := m.checkEnd(ctx, file, at); err != nil {
		return err
	}
	if err := m.finish(); err != nil {
		return err
	}
	return ctx.Err()
}

// finish makes the table of what header took.
func (m *members) finish() error {
	m.order()
	targets, err := m.targets()
	if err != nil {
		return err
	}
	m.gather(targets)
	return nil
}

// tarError says what is wrong with the file.
func tarError(file io.ReaderAt, err error, last string, at int64) error {
	where := fmt.Sprintf("at byte %d", at)
	if last != "" {
		where += sprintf(", after the member %q", last)
	}
	magic := make([]byte, 6)
	n, _ := file.ReadAt(magic, 0)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && last == "" && at < 512:
		return errors.New("is not a tar, despite its name")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the tar is truncated %s: create or copy it again", where)
	case !errors.Is(err, tar.ErrHeader):
		return fmt.Errorf("cannot read the tar %s: %w", where, cause(err))
	case last != "":
		return fmt.Errorf("the tar is damaged %s: create or copy it again", where)
	}
	for kind, start := range map[string]string{"gzip": "\x1f\x8b", "zstd": "\x28\xb5\x2f\xfd", "xz": "\xfd7zXZ", "bzip2": "BZh", "zip": "PK"} {
		if strings.HasPrefix(string(magic[:n]), start) {
			return fmt.Errorf("is compressed by %s, and samples are read in any order: unpack it into a folder, or into a plain .tar, or name it .tar.gz or .tar.zst if it is of gzip or zstd", kind)
		}
	}
	return errors.New("is not a tar, despite its name")
}

// header takes one member, whose data begins at an offset.
func (m *members) header(h tarHeader, at int64) error {
	name := cleanKey(h.name)
	m.end = at
	switch h.kind {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		if h.sparse {
			m.put(name, at, 0)
			if m.isImage(name) {
				m.sparse[name] = true
			}
			return nil // only the reader knows where its data ends
		}
		if h.size > m.size-at {
			return errorf("the tar is truncated in the member %q: it needs %d bytes from byte %d, and there are %d: create or copy it again",
				h.name, h.size, at, m.size-at)
		}
		m.end = at + h.size
		m.put(name, at, h.size)
		delete(m.sparse, name)
	case tar.TypeLink, tar.TypeSymlink:
		if m.ignores(name) {
			break
		}
		m.links[name] = linkTarget(name, h)
		m.parents(name)
	case tar.TypeDir:
		if !m.ignores(name) && len(name) <= longestKey {
			m.folders[name] = true
			m.parents(name)
		}
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		delete(m.links, name)
		if !m.ignores(name) {
			m.parents(name)
			m.ignore(name)
		}
	}
	return nil
}

// linkTarget is the member that a link refers to.
func linkTarget(name string, h tarHeader) string {
	if h.kind == tar.TypeSymlink && !path.IsAbs(h.link) {
		return cleanKey(path.Join(path.Dir(name), h.link))
	}
	return cleanKey(h.link)
}

// put takes a file, or counts it if it is not an image.
func (m *members) put(name string, offset, size int64) {
	delete(m.links, name)
	if m.ignores(name) {
		return
	}
	m.parents(name)
	if m.isMetadata(name) {
		m.metadata[name] = place{offset, size}
		return
	}
	if !m.isImage(name) {
		m.ignore(name)
		return
	}
	m.files = append(m.files, member{name, offset, size})
}

// ignores reports, and counts, a name that is hidden or in a system's folder; each folder
// counts once.
func (m *members) ignores(name string) bool {
	part := ignoredPart(name)
	if part == "" {
		return false
	}
	if !m.skipped[part] {
		m.ignore(part)
		m.skipped[part] = true
	}
	m.parents(part)
	return true
}

// parents records the folders that contain a member.
func (m *members) parents(name string) {
	if len(name) > longestKey {
		return // it will be a problem, if it is an image
	}
	for dir := path.Dir(name); !m.folders[dir]; dir = path.Dir(dir) {
		m.folders[dir] = true
	}
}

// order sorts the images and keeps the last of each name.
func (m *members) order() {
	slices.SortStableFunc(m.files, func(a, b member) int { return strings.Compare(a.name, b.name) })
	var again []string
	n := 0
	for i, one := range m.files {
		if i+1 < len(m.files) && m.files[i+1].name == one.name {
			if n == 0 || m.files[n-1].name != one.name {
				again = append(again, one.name)
			}
			continue
		}
		m.files[n] = one
		n++
	}
	m.files = m.files[:n]
	again = slices.Compact(again)
	if len(again) > 0 {
		m.warnf("several members have the same name, and the last one counts: %s", some(again))
	}
}

// file finds an image.
func (m *members) file(name string) (member, bool) {
	i, ok := slices.BinarySearchFunc(m.files, name, func(one member, name string) int { return strings.Compare(one.name, name) })
	if !ok {
		return member{}, false
	}
	return m.files[i], true
}

// targets finds files that aren't images by name, but to which links with an image's
// name refer. That takes another pass over the headers.
func (m *members) targets() (map[string]member, error) {
	found := map[string]member{}
	wanted := map[string]bool{}
	for name := range m.links {
		if end := m.follow(name); m.isImage(name) && end != "" && !m.isImage(end) && !m.folders[end] {
			wanted[end] = true
		}
	}
	if len(wanted) == 0 {
		return found, nil
	}
	_, err := m.pass(func(h tarHeader, at int64) error {
		name := cleanKey(h.name)
		if !wanted[name] {
			return nil
		}
		switch h.kind {
		case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
			found[name] = member{name, at, h.size}
			m.sparse[name] = h.sparse
		}
		return nil
	})
	return found, err
}

// follow is the name at the end of a chain of links; empty if it is a cycle.
// Afterwards each link of the chain refers to the end directly: chains may be long.
func (m *members) follow(name string) string {
	var way []string
	for {
		next, ok := m.links[name]
		if !ok {
			break
		}
		if way = append(way, name); len(way) > len(m.links) {
			next = ""
		}
		if name = next; name == "" {
			break
		}
	}
	for _, link := range way {
		m.links[link] = name
	}
	return name
}

// gather makes the table of images, links included, by the same rules as for a
// folder.
func (m *members) gather(targets map[string]member) {
	for name := range m.folders {
		if name != "." {
			m.listing.folders = append(m.listing.folders, name)
		}
	}
	m.keys, m.sizes, m.offsets = make([]string, 0, len(m.files)), make([]int64, 0, len(m.files)), make([]int64, 0, len(m.files))
	for _, one := range m.files {
		if _, later := m.links[one.name]; later {
			continue
		}
		if m.sparse[one.name] {
			m.problems.addf("member %q is stored as a sparse file, with its zeros left out: create the tar without --sparse", one.name)
		}
		m.take(one.name, one)
	}
	for _, name := range slices.Sorted(maps.Keys(m.links)) {
		m.link(name, targets)
	}
}

func (m *members) take(name string, data member) {
	if !m.takesMask(name, maskPlace{size: data.size, at: data.offset}) && m.image(name, data.size) {
		m.offsets = append(m.offsets, data.offset)
	}
}

func (m *members) link(name string, targets map[string]member) {
	end := m.follow(name)
	if m.folders[end] && (end == "." || strings.HasPrefix(name, end+"/")) {
		m.ignore(name)
		m.warnf("ignored the link %q: it points to a folder that contains it", name)
		return
	}
	if m.folders[end] {
		m.problems.addf("member %q is a link to the folder %q: create the tar with the links' targets (tar --dereference)", name, end)
		return
	}
	if !m.isImage(name) {
		m.ignore(name)
		return
	}
	data, ok := m.file(end)
	if !ok {
		data, ok = targets[end]
	}
	switch {
	case !ok:
		m.take(name, member{size: missing})
	case m.sparse[end]:
		m.problems.addf("member %q is a link to %q, which is stored as a sparse file, with its zeros left out: create the tar without --sparse", name, end)
	default:
		m.take(name, data)
	}
}

// checkEnd looks for signs that there was more; at is where reading ended.
func (m *members) checkEnd(ctx context.Context, file io.ReaderAt, at int64) error {
	if m.size%512 != 0 {
		return fmt.Errorf("the tar is truncated: its %d bytes are not a whole number of 512-byte blocks: create or copy it again", m.size)
	}
	if at <= (m.end+511)/512*512 {
		m.warnf("the tar has no end marker: it may have been truncated between two members")
	}
	block := make([]byte, 1<<16)
	for at < m.size {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := file.ReadAt(block[:min(int64(len(block)), m.size-at)], at)
		if n == 0 {
			return fmt.Errorf("cannot read the tar at byte %d: %w", at, cause(err))
		}
		for i, b := range block[:n] {
			if b != 0 {
				return fmt.Errorf("the tar continues after its end marker, at byte %d, so what follows would be lost: join tars with tar --concatenate, not with cat", at+int64(i))
			}
		}
		at += int64(n)
	}
	return nil
}

// cleanKey is a member's path as a key: relative, without "./" and "../"; the
// top is ".".
func cleanKey(name string) string {
	if isClean(name) {
		return name
	}
	return path.Clean(strings.TrimPrefix(path.Clean("/"+name), "/"))
}

// isClean reports a name that is a key as it is, as nearly all are.
func isClean(name string) bool {
	begin := 0 // of a part
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		if part := name[begin:i]; part == "" || part == "." || part == ".." {
			return false
		}
		begin = i + 1
	}
	return true
}
