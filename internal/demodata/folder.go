package demodata

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluicedata/sluice/internal/atomicfile"
)

const (
	manifestName = "demodata.json"
	temporary    = ".tmp-" // begins the names of files that aren't whole yet
)

// manifest is demodata.json. It is there from the start of the first run; the
// checksum, as a sign of completion, from its end.
type manifest struct {
	About    string   `json:"about"`
	Spec     identity `json:"spec"`
	Files    int      `json:"files"`
	Checksum string   `json:"checksum,omitempty"`
}

func newManifest(id identity, items []item, checksum string) manifest {
	return manifest{"drawn by sluice demo: may be deleted at any time, and is drawn again", id, len(items), checksum}
}

// claim prepares dir for the items, and returns the manifest found or written.
func claim(dir string, id identity, items []item) (manifest, error) {
	found, err := readManifest(dir)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case fresh:
		if err := checkEmpty(dir); err != nil {
			return manifest{}, err
		}
	case err != nil:
		return manifest{}, err
	case found.Spec != id:
		return manifest{}, fmt.Errorf("%s holds other demo data (%s), not %s: delete that folder, or choose another one", dir, found.Spec, id)
	}
	if err := checkFiles(dir, items); err != nil {
		return manifest{}, err
	}
	if fresh { // before anything else, or a run killed here would be refused as foreign
		found = newManifest(id, items, "")
		if err := errors.Join(os.MkdirAll(dir, 0o777), writeManifest(dir, found)); err != nil {
			return manifest{}, err
		}
	}
	for _, it := range items {
		if it.number == 1 {
			if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(it.folder())), 0o777); err != nil {
				return manifest{}, err
			}
		}
	}
	return found, nil
}

// finish records that the items are complete.
func finish(dir string, id identity, items []item) error {
	return writeManifest(dir, newManifest(id, items, checksum(dir, items)))
}

func (id identity) String() string {
	return fmt.Sprintf("revision %d, seed %d, about %d and %d files, imbalance factor %v", id.Revision, id.Seed, id.Train, id.Val, id.ImbalanceFactor)
}

// checkEmpty allows for what a first run leaves that was killed very early.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), temporary) {
			return fmt.Errorf("%s isn't empty, and isn't demo data (it has %s, but no %s): choose a new or an empty folder", dir, e.Name(), manifestName)
		}
	}
	return nil
}

// checkFiles removes what an interrupted run left half-written, and refuses files
// that aren't the demo's: they would be trained on. Hidden ones would not.
func checkFiles(dir string, items []item) error {
	ours, stale := map[string]bool{}, []string{}
	for _, it := range items {
		ours[it.path()] = true
	}
	for _, split := range []string{"train", "val"} {
		err := filepath.WalkDir(filepath.Join(dir, split), func(name string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || e.IsDir() {
				return err
			}
			if strings.HasPrefix(e.Name(), temporary) {
				stale = append(stale, name)
				return nil
			}
			relative, err := filepath.Rel(dir, name)
			if err == nil && !ours[filepath.ToSlash(relative)] && !strings.HasPrefix(e.Name(), ".") {
				return fmt.Errorf("%s isn't one of the demo's files: move it away, or choose another folder", name)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, name := range stale { // last, as a refused folder is left as it is
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// checksum is over all files in order; no complete folder has the one of a folder
// in which a file can't be read.
func checksum(dir string, items []item) string {
	sum, size := uint32(0), 0
	for _, it := range items {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(it.path())))
		if err != nil {
			return "incomplete"
		}
		// The name separates the files: no byte can move from one to the next.
		sum = crc32.Update(sum, castagnoli, []byte(it.path()))
		sum = crc32.Update(sum, castagnoli, data)
		size += len(data)
	}
	return fmt.Sprintf("crc32c:%08x, %d bytes", sum, size)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func readManifest(dir string) (manifest, error) {
	name := filepath.Join(dir, manifestName)
	data, err := os.ReadFile(name)
	if err != nil {
		return manifest{}, err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return manifest{}, fmt.Errorf("%s is broken (%w): delete the folder, or choose another one", name, err)
	}
	return m, nil
}

func writeManifest(dir string, m manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, manifestName), append(data, '\n'))
}

// replace writes a file under another name and renames it, so that it is never half there.
func replace(name string, data []byte) error {
	half := filepath.Join(filepath.Dir(name), temporary+filepath.Base(name))
	if err := os.WriteFile(half, data, 0o666); err != nil {
		return err
	}
	if err := atomicfile.Rename(half, name); err != nil {
		os.Remove(half)
		return err
	}
	return nil
}
