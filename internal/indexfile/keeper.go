package indexfile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluicedata/sluice/internal/atomicfile"
	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/cachedir"
)

// Keeper is the listing of one source: it knows what was listed before, and keeps what is
// listed now. Its methods are safe for concurrent use.
//
//	k := indexfile.Begin(ctx, "webdataset", options)
//	if f := k.Unchanged(stamp); f != nil { ... }         // all is as it was: the index, mapped
//	entries, err := k.Unit(shard, stamp, list)           // else each unit: as it was, or listed
//	warning := k.Save(&indexfile.Contents{...}, 0)
type Keeper struct {
	source string
	name   string // of the index file; "": none is kept
	cache  cachedir.Cache
	old    *File // nil: none

	mu    sync.Mutex
	known map[string]int // units of old, by name
	units map[string]Unit
	read  int
}

// revision is that of what sources list; a new one makes all indexes anew.
const revision = 1

// Begin looks for the index of a source: of a kind, with options that decide what is
// listed. Paths in the options are absolute.
func Begin(ctx context.Context, kind string, options any) *Keeper {
	k := &Keeper{source: kind, cache: cachedir.Of(ctx), known: map[string]int{}, units: map[string]Unit{}}
	folder, err := k.cache.Folder("index")
	if err != nil {
		return k
	}
	text, err := json.Marshal(options)
	if err != nil {
		return k
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "sluice index %d %d %s %s", version, revision, kind, text))
	k.name = filepath.Join(folder, kind+"-"+hex.EncodeToString(sum[:12])+".idx")
	if k.old, err = Open(k.name); err != nil {
		k.old = nil
		return k
	}
	for i, u := range k.old.head.Units {
		k.known[u.Name] = i
	}
	return k
}

// Units is the number of units of the index as it was.
func (k *Keeper) Units() int { return len(k.known) }

// Unchanged is the index if every unit still has its stamp, which is asked for by the
// unit's name, and none of the checks finds a change; nil otherwise.
func (k *Keeper) Unchanged(stamp func(unit string) string, checks ...func(*File) bool) *File {
	if k.old == nil {
		return nil
	}
	for _, u := range k.old.head.Units {
		if u.Stamp == "" || stamp(u.Name) != u.Stamp {
			return nil
		}
	}
	for _, same := range checks {
		if !same(k.old) {
			return nil
		}
	}
	now := time.Now()
	if info, err := os.Stat(k.name); err == nil && now.Sub(info.ModTime()) > 24*time.Hour {
		_ = os.Chtimes(k.name, now, now) // it is in use: see sweep
	}
	k.tell(k.old.FileSize(), k.old.Len(), len(k.old.head.Units), 0)
	return k.old
}

// Unit gives a unit's entries: those that the index has under this stamp, or else those of
// list. A stamp of "" is always listed, and will be again.
func (k *Keeper) Unit(name, stamp string, list func() ([]byte, error)) ([]byte, error) {
	entries, known := k.Known(name, stamp)
	if !known {
		var err error
		if entries, err = list(); err != nil {
			return nil, err
		}
	}
	k.keep(Unit{name, stamp, entries}, known)
	return entries, nil
}

// Listed takes a unit with its entries, for sources that list units together.
func (k *Keeper) Listed(name, stamp string, entries []byte) {
	_, known := k.Known(name, stamp)
	k.keep(Unit{name, stamp, entries}, known)
}

func (k *Keeper) keep(u Unit, known bool) {
	if k.name == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !known {
		k.read++
	}
	k.units[u.Name] = u
}

// Known is a unit's entries, if the index has them under this stamp. They don't become part
// of what is kept: see Unit.
func (k *Keeper) Known(name, stamp string) (entries []byte, known bool) {
	k.mu.Lock()
	number, known := k.known[name]
	k.mu.Unlock()
	if !known || stamp == "" || k.old.head.Units[number].Stamp != stamp {
		return nil, false
	}
	entries, err := k.old.Entries(number)
	return entries, err == nil
}

// Relist makes Unit list a unit, whatever its stamp.
func (k *Keeper) Relist(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, name)
}

// Distrust makes a unit one that is listed at every start: it has something whose changes
// don't show in its stamp.
func (k *Keeper) Distrust(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if u, ok := k.units[name]; ok {
		u.Stamp = ""
		k.units[name] = u
	}
}

// Wants reports whether Save would keep an index of as many samples.
func (k *Keeper) Wants(samples, least int) bool {
	return k.name != "" && (samples >= least || k.cache.Always)
}

// Save keeps what was listed, unless it is fewer samples than least, which are listed as fast
// as an index is opened. It returns a warning where that fails.
func (k *Keeper) Save(c *Contents, least int) (warning string) {
	if !k.Wants(c.Index.Len(), least) {
		return ""
	}
	for _, u := range k.units {
		c.Units = append(c.Units, u)
	}
	slices.SortFunc(c.Units, func(a, b Unit) int { return strings.Compare(a.Name, b.Name) })
	size, err := k.write(c)
	switch {
	case errors.Is(err, ErrUnfit):
		return ""
	case err != nil:
		return fmt.Sprintf("cannot keep the index %s: %v: everything is listed again next time (--cache DIR names another directory)", k.name, err)
	}
	sweep(filepath.Dir(k.name))
	k.tell(size, c.Index.Len(), len(c.Units), k.read)
	return ""
}

func (k *Keeper) write(c *Contents) (size int64, err error) {
	f, err := atomicfile.Create(k.name)
	if err != nil {
		return 0, err
	}
	defer f.Discard()
	if err := Write(f, c); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), f.Commit()
}

// Forget removes the index: something in it turned out to be wrong, which is listed again at
// the next start.
func (k *Keeper) Forget() {
	if k.name != "" {
		_ = os.Remove(k.name) // it may be gone already
	}
}

func (k *Keeper) tell(bytes int64, samples, units, read int) {
	if k.cache.Told != nil {
		k.cache.Told(cachedir.Listing{Source: k.source, File: k.name, Bytes: bytes, Samples: samples, Units: units, Read: read})
	}
}

// sweep removes indexes that nobody has used for a month, and what crashes left.
func sweep(folder string) {
	list, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range list {
		info, err := e.Info()
		age := 30 * 24 * time.Hour
		if strings.HasPrefix(e.Name(), ".") {
			age = 24 * time.Hour
		}
		if err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > age {
			_ = os.Remove(filepath.Join(folder, e.Name()))
		}
	}
}

// StampOf is the stamp of a path; "" where it cannot be told.
func StampOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return blob.SettledStamp(info)
}
