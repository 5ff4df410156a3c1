package sources

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/indexfile"
)

// This file is about indexes that are kept from one start to the next.

// Sources that have fewer samples than this get no index unless one is asked for (sluice
// index): they are listed as fast. Of loose files that also notices those that were
// rewritten, which their folder doesn't show.
const (
	fewFiles   = 10_000
	fewMembers = 1000
)

// indexOptions are what a source's listing depends on.
type indexOptions struct {
	Source  any
	Classes string // with the contents of files
}

// classesText is all that the option classes says.
func classesText(c Classes) string {
	text, _ := json.Marshal(c) // lists and maps of text
	read := func(name string) {
		data, err := readSmall(name)
		if err == nil {
			text = append(append(text, 0), data...)
		}
	}
	if c.File != "" {
		read(c.File)
	}
	for _, one := range c.ByTask {
		if one.File != "" {
			read(one.File)
		}
	}
	return string(text)
}

// KeeperOf is for sources in folders of their own: the index of what a source of a kind lists
// under its options, in which paths are absolute.
func KeeperOf(ctx context.Context, kind string, source any, classes Classes) *indexfile.Keeper {
	return indexfile.Begin(ctx, kind, indexOptions{source, classesText(classes)})
}

// knownIndex is what datasets have in common, of an index that was kept.
func knownIndex(source string, known *indexfile.File, k *indexfile.Keeper) opened {
	d := newOpened(source, known, known.Warnings())
	d.keeper, d.known = k, true
	return d
}

// knownFiles is the dataset of files whose index was kept.
func knownFiles(source, folder string, known *indexfile.File, k *indexfile.Keeper) *files {
	d := &files{opened: knownIndex(source, known, k), folder: folder, written: known.Numbers()[0], changed: known.Numbers()[1]}
	if text := known.Extra()["found"]; text != "" {
		_ = json.Unmarshal([]byte(text), &d.found) // it is a map that was written from one
		for key, file := range d.found {
			d.found[key] = filepath.FromSlash(file)
		}
	}
	return d
}

// mostLooked is the most files that are looked at when an index is opened: each may have been
// rewritten in place, which its folder doesn't show. Of more, one that was is an error when
// it is read.
const mostLooked = 200_000

// rewritten looks for files that are no longer what an index says, has their folders listed
// again, and reports whether there is one. folder is what a file's unit is called.
func (d *files) rewritten(ctx context.Context, unit func(key string) string) bool {
	n := d.index.Len()
	if n > mostLooked {
		return false
	}
	var found atomic.Bool
	var all sync.WaitGroup
	workers := 2 * runtime.GOMAXPROCS(0)
	for w := range workers {
		all.Go(func() {
			for i := w; i < n && ctx.Err() == nil; i += workers {
				size, key := d.index.Size(i), d.index.Key(i)
				if size == missing {
					continue
				}
				info, err := os.Stat(d.file(key))
				if err != nil || info.Size() != size || blob.TimesOf(info) != d.times(i) {
					d.keeper.Relist(unit(key))
					found.Store(true)
				}
			}
		})
	}
	all.Wait()
	return found.Load()
}

// foundText is found for an index that is kept.
func (d *files) foundText() map[string]string {
	if len(d.found) == 0 {
		return nil
	}
	text, _ := json.Marshal(d.found) // a map of text
	return map[string]string{"found": string(text)}
}

// seen is what is known of files by their folders, so that only changed folders are looked
// into again. Methods of nil know and keep nothing.
type seen struct {
	keeper  *indexfile.Keeper
	folders map[string]*seenFolder
}

type seenFolder struct {
	stamp   string
	files   map[string]seenFile // as the index knows them
	entries []byte              // what was asked for in this listing
}

type seenFile struct {
	size  int64
	times blob.Times
}

func newSeen(k *indexfile.Keeper) *seen { return &seen{k, map[string]*seenFolder{}} }

// folder is that of a file. Its stamp is from before any of its files is looked at.
func (s *seen) folder(file string) *seenFolder {
	name := filepath.Dir(file)
	f := s.folders[name]
	if f == nil {
		f = &seenFolder{stamp: indexfile.StampOf(name)}
		s.folders[name] = f
		if entries, ok := s.keeper.Known(name, f.stamp); ok {
			f.files = map[string]seenFile{}
			list, _ := indexfile.Entries(entries)
			for _, e := range list {
				f.files[e.Name] = seenFile{e.Numbers[0], blob.Times{Written: e.Numbers[1], Changed: e.Numbers[2]}}
			}
		}
	}
	return f
}

// size is a file's size and times, if its folder is as it was.
func (s *seen) size(file string) (size int64, times blob.Times, ok bool) {
	if s == nil {
		return 0, times, false
	}
	known, ok := s.folder(file).files[filepath.Base(file)]
	if ok {
		s.add(file, known.size, known.times)
	}
	return known.size, known.times, ok
}

// add takes what was found out about a file.
func (s *seen) add(file string, size int64, times blob.Times) {
	if s != nil {
		f := s.folder(file)
		f.entries = indexfile.AppendEntry(f.entries, indexfile.Entry{Name: filepath.Base(file), Numbers: []int64{size, times.Written, times.Changed}})
	}
}

// distrust makes a file's folder one that is looked into at every start.
func (s *seen) distrust(file string) {
	if s != nil {
		s.folder(file).stamp = ""
	}
}

// keep hands all folders to the keeper.
func (s *seen) keep() {
	for name, f := range s.folders {
		s.keeper.Listed(name, f.stamp, f.entries)
	}
}

// keep keeps the index of a dataset, with numbers of its own, for the next start. A source of
// fewer samples than least gets none unless one is asked for.
func (d *opened) keep(k *indexfile.Keeper, least int, extra map[string]string, numbers ...[]int64) {
	d.keeper = k
	c := &indexfile.Contents{Index: d.index, Numbers: numbers, Warnings: d.warnings, Extra: extra}
	if k.Wants(d.index.Len(), least) {
		c.Identity = Identity(d.index)
	}
	if text := k.Save(c, least); text != "" {
		d.warnings = append(d.warnings, text)
	}
}

// forget drops the index: something in it is no longer so.
func (d *opened) forget() {
	if d.keeper != nil {
		d.keeper.Forget()
	}
}
