package sinks

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sluicedata/sluice/internal/fingerprint"
)

// The files that belong to a part (see Lister) are written under temporary names in the
// folder of the part's own file: .tmp-part-00003-of-00016-000017 is its 18th. When the part
// is finished they get their names first, and the part's file, which lists them, after
// them. An update keeps them as .update-part-00003-of-00016-000017 until it is committed.

// place is the name, before a prefix, that a part's file number i has until then.
func place(part string, i int) string {
	return fmt.Sprintf("%s-%06d", strings.TrimSuffix(part, path.Ext(part)), i)
}

// writersAtOnce is how many files wait for the disk at the same time.
const writersAtOnce = 16

// NewFile is a file that Part.Create makes.
type NewFile struct {
	Name string // relative to the folder of the part's file, slash-separated
	Data []byte
}

// Create makes files that belong to the part, whose Encoding must be a Lister. They are
// durable when it returns, and have their names once the part is finished.
func (p *Part) Create(files []NewFile) error {
	at := len(p.members)
	for _, f := range files {
		if !memberName(f.Name) {
			return fmt.Errorf("a file of a part cannot have the name %q", shorten(f.Name))
		}
		p.members = append(p.members, f.Name)
		if p.disk.step == nil {
			continue
		}
		name := p.disk.temp(place(p.record.Name, len(p.members)-1))
		if err := p.disk.step("write", name); err != nil {
			return explain("write", name, p.disk.dir, err)
		}
	}
	errs := make([]error, len(files))
	next := make(chan int)
	var wait sync.WaitGroup
	for range min(len(files), writersAtOnce) {
		wait.Go(func() {
			for i := range next {
				name := p.disk.temp(place(p.record.Name, at+i))
				errs[i] = explain("write", name, p.disk.dir, writeFile(p.disk.path(name), files[i].Data))
			}
		})
	}
	for i := range files {
		next <- i
	}
	close(next)
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a file durably, in place of whatever is there.
func writeFile(path string, data []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// memberName reports whether a file of a part may have this name: one below the part's
// folder that no other file of a data set has.
func memberName(name string) bool {
	if name != path.Clean(name) || !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsAny(name, "\\\x00") {
		return false
	}
	folder, _, ok := strings.Cut(name, "/")
	return ok && !strings.HasPrefix(folder, ".") && !strings.Contains(name, "/.")
}

// publishMembers gives the files of the part their final names, or those that an update
// gives them. It returns the folders that must be synced.
func (p *Part) publishMembers(staging bool) (folders []string, err error) {
	folder := path.Dir(p.record.Name)
	seen := map[string]bool{}
	for i, name := range p.members {
		from, to := p.disk.temp(place(p.record.Name, i)), staged(place(p.record.Name, i))
		if !staging {
			to = join(folder, name)
			if parent := path.Dir(to); !seen[parent] {
				seen[parent] = true
				folders = append(folders, parent)
				if err := p.disk.mkdir(parent); err != nil {
					return nil, err
				}
			}
		}
		if err := p.disk.rename(from, to); err != nil {
			return nil, err
		}
	}
	return folders, nil
}

// membersOf are the files that a part's file lists; none unless the format is a Lister.
func membersOf(e Encoding, file string) ([]Member, error) {
	l, ok := e.(Lister)
	if !ok {
		return nil, nil
	}
	list, err := l.Members(file)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if !memberName(f.Name) {
			return nil, fmt.Errorf("%s: damaged: it lists a file by the name %q", file, shorten(f.Name))
		}
	}
	return list, nil
}

// checkMembers finds the first problem of the files that a part's file lists.
func checkMembers(ctx context.Context, e Encoding, dir string, p PartFile, named naming) *Problem {
	list, err := membersOf(e, filepath.Join(dir, filepath.FromSlash(named(p.Name))))
	if err != nil {
		return &Problem{p.Name, Unreadable, fmt.Sprintf("%v: %s", err, repair)}
	}
	var buf []byte
	for i, f := range list {
		if ctx.Err() != nil {
			return &Problem{p.Name, Unreadable, context.Cause(ctx).Error()}
		}
		name := join(path.Dir(p.Name), f.Name)
		at := name
		if named(p.Name) != p.Name {
			at = staged(place(p.Name, i))
		}
		var size int64
		buf, size, err = readMember(filepath.Join(dir, filepath.FromSlash(at)), f.Bytes, buf)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return &Problem{name, Missing, "it is missing: " + repair}
		case err != nil:
			return &Problem{name, Unreadable, fmt.Sprintf("%v: %s", err, repair)}
		case size != f.Bytes:
			return &Problem{name, WrongChecksum, fmt.Sprintf("it has %d bytes instead of %d: %s", size, f.Bytes, repair)}
		case fingerprint.Of(buf) != f.Print:
			return &Problem{name, WrongChecksum, fmt.Sprintf("its XXH3-128 is %s instead of %s: %s", fingerprint.Of(buf), f.Print, repair)}
		}
	}
	return nil
}

// readMember reads a file of n bytes; of one of another size only the size.
func readMember(path string, n int64, buf []byte) ([]byte, int64, error) {
	f, size, err := openRegular(path)
	if err != nil || size != n {
		if err == nil {
			err = f.Close()
		}
		return buf, size, err
	}
	defer f.Close()
	buf = slices.Grow(buf[:0], int(n))[:n]
	_, err = io.ReadFull(f, buf)
	return buf, size, err
}

// removeMembers removes the files that an update wrote of parts.
func (d *disk) removeMembers(parts []string) error {
	for _, part := range parts {
		folder := path.Dir(part)
		entries, err := os.ReadDir(d.path(folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explain("read", "", d.path(folder), err)
		}
		prefix := updatePrefix + strings.TrimSuffix(path.Base(part), path.Ext(part)) + "-"
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), prefix) && !e.IsDir() {
				if err := d.remove(join(folder, e.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// unstageMembers gives the files of a committed update's part their final names, but for
// those that have them already.
func (d *disk) unstageMembers(part string) error {
	if !isThere(d.path(staged(part))) {
		return nil
	}
	list, err := membersOf(d.format, d.path(staged(part)))
	if err != nil {
		return err
	}
	for i, f := range list {
		from, to := staged(place(part, i)), join(path.Dir(part), f.Name)
		if !isThere(d.path(from)) {
			continue
		}
		if err := d.mkdir(path.Dir(to)); err != nil {
			return err
		}
		if err := d.rename(from, to); err != nil {
			return err
		}
	}
	return nil
}

// dropMembers removes the files of parts that an update is about to replace, or all parts
// that it doesn't have, except those that it has, too. It returns the folders of the new ones.
func dropMembers(d *disk, m *Manifest, whole bool) (folders []string, err error) {
	if !m.Members {
		return nil, nil
	}
	listed, own := map[string]bool{}, map[string]bool{}
	seen := map[string]bool{}
	var replaced []string
	for _, p := range m.Parts {
		own[p.Name] = true
		file := p.Name
		if isThere(d.path(staged(p.Name))) {
			file = staged(p.Name)
			replaced = append(replaced, p.Name)
		}
		list, err := membersOf(d.format, d.path(file))
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			name := join(path.Dir(p.Name), f.Name)
			listed[name] = true
			if parent := path.Dir(name); !seen[parent] {
				seen[parent] = true
				folders = append(folders, parent)
			}
		}
	}
	for _, folder := range m.folders() {
		found, err := filepath.Glob(filepath.Join(d.path(folder), "part-*"+m.ext()))
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			if name := join(folder, filepath.Base(file)); whole && !own[name] {
				replaced = append(replaced, name)
			}
		}
	}
	for _, part := range replaced {
		list, err := membersOf(d.format, d.path(part))
		if err != nil {
			continue // whoever damaged it: its files are told of by verify
		}
		for _, f := range list {
			name := join(path.Dir(part), f.Name)
			if listed[name] || !isThere(d.path(name)) {
				continue
			}
			if err := d.remove(name); err != nil {
				return nil, err
			}
			if parent := path.Dir(name); !seen[parent] {
				_ = os.Remove(d.path(parent)) // if it is empty
			}
		}
	}
	// A folder that is new isn't there yet: it is made durable when it is made.
	return folders, d.mkdirAll(folders)
}

func (d *disk) mkdirAll(folders []string) error {
	for _, folder := range folders {
		if err := d.mkdir(folder); err != nil {
			return err
		}
	}
	return nil
}

// writeSummary writes the file about all parts of a variant.
func writeSummary(s summarizer, dir string, l *Layout, variant int, w io.Writer) error {
	var files []string
	for part := range l.PartCount {
		files = append(files, filepath.Join(dir, filepath.FromSlash(l.file(part, variant))))
	}
	return s.summarize(w, l, files)
}

// summaries calls f for each file about all parts.
func summaries(e Encoding, l *Layout, f func(s summarizer, variant int, name string) error) error {
	s, ok := e.(summarizer)
	if !ok || s.summaryName(l) == "" {
		return nil
	}
	for v := range l.Variants {
		if err := f(s, v, join(l.Variants[v].Folder, s.summaryName(l))); err != nil {
			return err
		}
	}
	return nil
}

// summarize writes the files about all parts, but for those that have these bytes already.
func summarize(d *disk, l *Layout) error {
	return summaries(d.format, l, func(s summarizer, v int, name string) error {
		hash := sha256.New()
		if err := writeSummary(s, d.dir, l, v, hash); err != nil {
			return err
		}
		if have, _, err := checksum(context.Background(), d.path(name)); err == nil && have == hex.EncodeToString(hash.Sum(nil)) {
			return nil
		}
		temp := d.temp(name)
		f, err := d.create(temp)
		if err != nil {
			return err
		}
		out := bufio.NewWriterSize(&stepWriter{d, temp, f}, 1<<18)
		err = writeSummary(s, d.dir, l, v, out)
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			return errors.Join(err, f.Close(), d.remove(temp))
		}
		if err := d.sync(temp, f); err != nil {
			return errors.Join(err, d.remove(temp))
		}
		if err := d.publish(name); err != nil {
			return errors.Join(err, d.remove(temp))
		}
		return d.syncFolder(path.Dir(name))
	})
}

// checkSummary compares the files about all parts with these.
func checkSummary(ctx context.Context, e Encoding, dir string, l *Layout) (problem *Problem, err error) {
	err = summaries(e, l, func(s summarizer, v int, name string) error {
		hash := sha256.New()
		if writeSummary(s, dir, l, v, hash) != nil {
			return nil // a part is damaged, which is told of
		}
		switch have, _, err := checksum(ctx, filepath.Join(dir, filepath.FromSlash(name))); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist):
			problem = &Problem{name, Missing, "it is missing: " + repair}
		case err != nil:
			problem = &Problem{name, Unreadable, fmt.Sprintf("%v: %s", err, repair)}
		case have != hex.EncodeToString(hash.Sum(nil)):
			problem = &Problem{name, WrongChecksum, "it isn't what the parts say: " + repair}
		}
		return nil
	})
	return problem, err
}
