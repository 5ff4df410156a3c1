package sinks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/atomicfile"
)

// The ledger records each finished part, one JSON line per file, synced, so that a
// run that resumes after a crash knows which files to trust. The manifest replaces
// it in the end. Each shard has its own.
const ledgerPrefix = ".parts"

func ledgerName(shard, shards int) string {
	if shards > 1 {
		return ledgerPrefix + "-" + shardName(shard, shards) + ".jsonl"
	}
	return ledgerPrefix + ".jsonl"
}

// appendLedger records files in one durable write.
func appendLedger(d *disk, name string, parts []PartFile) error {
	var lines []byte
	for _, p := range parts {
		lines = append(append(lines, marshal(p)...), '\n')
	}
	return d.do("write", name, func(path string) error {
		_, statErr := os.Stat(path)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
		if err != nil {
			return err
		}
		_, err = f.Write(lines)
		err = errors.Join(err, f.Sync(), f.Close())
		if err == nil && statErr != nil {
			err = atomicfile.SyncDir(filepath.Dir(path))
		}
		return err
	})
}

// truncateLedger removes an incomplete last line.
func truncateLedger(d *disk, name string) error {
	if isLink(d.path(name)) {
		return fmt.Errorf("%s is a symlink: remove it", d.path(name))
	}
	data, err := readSmall(d.path(name))
	if errors.Is(err, fs.ErrNotExist) || err == nil && (len(data) == 0 || data[len(data)-1] == '\n') {
		return nil
	}
	if err != nil {
		return err
	}
	return d.do("truncate", name, func(path string) error {
		return os.Truncate(path, int64(bytes.LastIndexByte(data, '\n')+1))
	})
}

// records are all files that the ledgers and manifests in a directory list, of any
// shard, by name. A part that was rewritten may have several lines, one of which has
// its file's checksum. What cannot be read, or doesn't fit the layout, is ignored:
// those parts are written again.
func records(ctx context.Context, dir string, l *Layout) (map[string][]PartFile, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, explain("read", "", dir, err)
	}
	all := map[string][]PartFile{}
	note := func(p PartFile) {
		again := func(o PartFile) bool { return o.SHA256 == p.SHA256 && reflect.DeepEqual(o.Sources, p.Sources) }
		if fits(p, l) && !slices.ContainsFunc(all[p.Name], again) {
			all[p.Name] = append(all[p.Name], p)
		}
	}
	// Manifests first, as a ledger is newer.
	for _, e := range names {
		if isManifest(e.Name()) {
			if m, err := readManifest(ctx, filepath.Join(dir, e.Name())); err == nil {
				for _, p := range m.Parts {
					note(p)
				}
			}
		}
	}
	for _, e := range names {
		if !isLedger(e.Name()) {
			continue
		}
		data, err := readSmall(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) { // another shard has just finished; its parts are not this one's
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(data) {
			var p PartFile
			if json.Unmarshal(line, &p) == nil {
				note(p)
			}
		}
	}
	return all, nil
}

// readSmall reads a file that is no larger than a manifest can be.
func readSmall(path string) ([]byte, error) {
	file, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if size > largestManifest {
		return nil, fmt.Errorf("%s has %d bytes, more than any that sluice writes (%d): remove it", path, size, largestManifest)
	}
	data, err := io.ReadAll(io.LimitReader(file, largestManifest))
	return data, explain("read", "", path, err)
}

func isManifest(name string) bool {
	return strings.HasPrefix(name, "manifest") && strings.HasSuffix(name, ".json")
}

func isLedger(name string) bool {
	return strings.HasPrefix(name, ledgerPrefix) && strings.HasSuffix(name, ".jsonl")
}

// fits reports whether a run of this layout can have written the record.
func fits(p PartFile, l *Layout) bool {
	if len(p.Classes) != len(l.Tasks) || !p.Targets.fits(p.Rows, l.Targets) {
		return false
	}
	for _, t := range l.Tasks {
		if len(p.Classes[t.Name]) != len(t.Classes)+1 {
			return false
		}
	}
	if p.Epoch < 0 || p.Epoch >= l.Epochs || p.FirstBatch < 0 || p.FirstBatch >= l.BatchesPerEpoch {
		return false
	}
	part := l.part(p.Epoch, p.FirstBatch)
	_, first, n := l.span(part)
	if p.Sources != nil && (p.Name != l.file(part, 0) || p.Sources.Name != l.sourceListName(part)) {
		return false
	}
	return p.FirstBatch == first && p.Batches == n && slices.Contains(l.files(part), p.Name)
}
