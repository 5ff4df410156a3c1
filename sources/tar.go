package sources

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// tarFile is an opened tar: members are read in any order, at once, from where
// they lie in the file.
type tarFile struct {
	opened
	file     *os.File
	size     int64
	modified time.Time
	offsets  []int64 // of each sample's bytes
}

func (f Folder) openTar(ctx context.Context, tasks []string) (_ Dataset, err error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, f.errorf("cannot read: %w", cause(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, f.errorf("cannot read: %w", cause(err))
	}
	l := newListing("this tar")
	if err := listTar(ctx, file, info.Size(), l); err != nil {
		return nil, f.errorf("%w", err)
	}
	shared, err := f.index(l, tasks)
	if err != nil {
		return nil, err
	}
	t := &tarFile{opened: shared, file: file, size: info.Size(), modified: info.ModTime(), offsets: make([]int64, len(l.rows))}
	for i, r := range l.rows {
		t.offsets[i] = r.offset
	}
	return t, nil
}

func (t *tarFile) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := t.file.Stat()
	if err != nil {
		return nil, t.errorf(sample, "cannot read the tar: %w", cause(err))
	}
	if info.Size() != t.size || !info.ModTime().Equal(t.modified) {
		return nil, t.errorf(sample, "%q has been written to since it was listed: start again", t.file.Name())
	}
	size := int(t.index.Sizes[sample])
	buf = slices.Grow(buf[:0], size)[:size]
	if n, err := t.file.ReadAt(buf, t.offsets[sample]); n < size {
		return nil, t.errorf(sample, "cannot read %q at byte %d: %w", t.file.Name(), t.offsets[sample], cause(err))
	}
	return buf, nil
}

// Close closes the tar.
func (t *tarFile) Close() error { return t.file.Close() }

// member is what a name in a tar stands for.
type member struct {
	offset, size int64
	link         string // the member that it leads to, if it is a link
}

// members is the listing of a tar under way. Links are resolved at its end, for
// a symbolic link may stand before what it leads to.
type members struct {
	*listing
	size    int64 // of the tar
	byName  map[string]member
	folders map[string]bool
	again   []string // names that occurred before
	end     int64    // of the last member's data
}

// listTar adds the images of a tar to l. Errors that make the rest of the file
// unreadable are returned.
func listTar(ctx context.Context, file io.ReaderAt, size int64, l *listing) error {
	m := members{listing: l, size: size, byName: map[string]member{}, folders: map[string]bool{".": true}}
	// The reader takes whole blocks and seeks over data, so that after Next the
	// section stands where the member's data begins.
	section := io.NewSectionReader(file, 0, size)
	reader := tar.NewReader(section)
	for last := ""; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := reader.Next()
		at, _ := section.Seek(0, io.SeekCurrent) // never fails
		if err == io.EOF {
			if err := m.checkEnd(file, at); err != nil {
				return err
			}
			break
		} else if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // nothing is written anywhere
			return tarError(file, err, last, at)
		}
		if err := m.header(h, at); err != nil {
			return err
		}
		last = h.Name
	}
	m.images()
	return nil
}

// tarError says what is wrong with the file.
func tarError(file io.ReaderAt, err error, last string, at int64) error {
	where := fmt.Sprintf("at byte %d", at)
	if last != "" {
		where += fmt.Sprintf(", after the member %q", last)
	}
	magic := make([]byte, 6)
	n, _ := file.ReadAt(magic, 0)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && last == "" && at < 512:
		return errors.New("is not a tar, in spite of its name")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the tar is cut off %s: make or copy it again", where)
	case !errors.Is(err, tar.ErrHeader):
		return fmt.Errorf("cannot read the tar %s: %w", where, cause(err))
	case last != "":
		return fmt.Errorf("the tar is damaged %s: make or copy it again", where)
	}
	for kind, start := range map[string]string{"gzip": "\x1f\x8b", "zstd": "\x28\xb5\x2f\xfd", "xz": "\xfd7zXZ", "bzip2": "BZh", "zip": "PK"} {
		if strings.HasPrefix(string(magic[:n]), start) {
			return fmt.Errorf("is compressed by %s, and samples are read in any order: unpack it into a folder, or into a plain .tar", kind)
		}
	}
	return errors.New("is not a tar, in spite of its name")
}

// header takes one member, whose data begins at an offset.
func (m *members) header(h *tar.Header, at int64) error {
	name := cleanKey(h.Name)
	m.end = at
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		if _, sparse := h.PAXRecords["GNU.sparse.major"]; sparse || h.Typeflag == tar.TypeGNUSparse || h.PAXRecords["GNU.sparse.map"] != "" {
			if m.isImage(name) && dotPart(name) == "" {
				m.problems.addf("member %q is stored as a sparse file, with its zeros left out: make the tar without --sparse", name)
			}
			m.put(name, member{})
			return nil // where its data ends is the reader's business
		}
		if m.end = at + h.Size; m.end > m.size {
			return fmt.Errorf("the tar is cut off in the member %q: it needs %d bytes from byte %d, and there are %d: make or copy it again",
				h.Name, h.Size, at, m.size-at)
		}
		m.put(name, member{offset: at, size: h.Size})
	case tar.TypeLink:
		m.put(name, member{link: cleanKey(h.Linkname)})
	case tar.TypeSymlink:
		target := h.Linkname
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(name), target)
		}
		m.put(name, member{link: cleanKey(target)})
	case tar.TypeDir:
		m.folders[name] = true
	}
	return nil
}

func (m *members) put(name string, one member) {
	if _, again := m.byName[name]; again && m.isImage(name) {
		m.again = append(m.again, name)
	}
	m.byName[name] = one
	for dir := path.Dir(name); !m.folders[dir]; dir = path.Dir(dir) {
		m.folders[dir] = true
	}
}

// images adds the members that are images, and counts the others, by the rules
// that hold for a folder.
func (m *members) images() {
	dots := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(m.byName)) {
		one := m.byName[name]
		if dot := dotPart(name); dot != "" {
			if !dots[dot] {
				dots[dot] = true
				m.pass(path.Base(dot))
			}
			continue
		}
		target, ok := m.follow(one)
		switch {
		case m.folders[one.link] && (one.link == "." || strings.HasPrefix(name, one.link+"/")):
			m.pass(name)
			m.warnf("passed over the link %q: it leads to a folder in which it lies", name)
		case m.folders[one.link]:
			m.problems.addf("member %q is a link to the folder %q: make the tar with what links lead to (tar --dereference)", name, one.link)
		case !m.isImage(name):
			m.pass(name)
		case !ok:
			m.problems.addf("member %q is a link to %q, which is no file of the tar: make the tar with what links lead to (tar --dereference)", name, one.link)
		default:
			m.add(name, target.size, target.offset)
		}
	}
	if len(m.again) > 0 {
		m.warnf("there is a second member of the same name, later in the tar, which counts: %s", some(m.again))
	}
}

// follow finds the data that a link leads to.
func (m *members) follow(one member) (member, bool) {
	for range 40 {
		if one.link == "" {
			return one, true
		}
		next, ok := m.byName[one.link]
		if !ok {
			return one, false
		}
		one = next
	}
	return one, false // a circle
}

// checkEnd looks for signs that there was more: at is where reading ended.
func (m *members) checkEnd(file io.ReaderAt, at int64) error {
	if m.size%512 != 0 {
		return fmt.Errorf("the tar is cut off: its %d bytes are no whole number of 512-byte blocks: make or copy it again", m.size)
	}
	if at <= (m.end+511)/512*512 {
		m.warnf("the tar has no end mark: it may have been cut off between two members")
	}
	block := make([]byte, 1<<16)
	for at < m.size {
		n, err := file.ReadAt(block[:min(int64(len(block)), m.size-at)], at)
		if n == 0 {
			return fmt.Errorf("cannot read the tar at byte %d: %w", at, cause(err))
		}
		for i, b := range block[:n] {
			if b != 0 {
				return fmt.Errorf("the tar goes on behind its end mark, at byte %d, so what follows would be lost: join tars with tar --concatenate, not with cat", at+int64(i))
			}
		}
		at += int64(n)
	}
	return nil
}

// cleanKey is a member's path as a key: relative, without "./" and "../"; the
// top is ".".
func cleanKey(name string) string { return path.Clean(strings.TrimPrefix(path.Clean("/"+name), "/")) }

// dotPart is the path up to the first part that begins with a dot; empty if
// there is none.
func dotPart(name string) string {
	at := 0
	for part := range strings.SplitSeq(name, "/") {
		at += len(part)
		if isDot(part) {
			return name[:at]
		}
		at++
	}
	return ""
}
