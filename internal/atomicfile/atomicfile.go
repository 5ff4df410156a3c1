// Package atomicfile replaces files in one step, on every system: a reader finds the
// old file or the new one, whole, and never a part of it. It is the only package that
// renames; go test ./internal/layout sees to that.
//
// A file is written under a temporary name beside its target, .NAME and digits,
// synced, and renamed; then the directory is synced. A process that is killed leaves
// the temporary file: RemoveStale takes it away.
//
// On Windows the rename fails while another process has the target open, and a
// directory cannot be synced; after a loss of power the old file may be back.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// File is a file that isn't in its place yet. Close it by Commit or Discard.
type File struct {
	*os.File
	path string
}

// Create opens a temporary file beside path. It gets the permissions of the file
// that it will replace, otherwise 0644 less the umask.
func Create(path string) (*File, error) {
	mode := fs.FileMode(0o644)
	info, err := os.Stat(path)
	replaces := err == nil && info.Mode().IsRegular()
	if replaces {
		mode = info.Mode().Perm()
	}
	f, err := createTemp(path, mode)
	if err != nil {
		return nil, err
	}
	if replaces && runtime.GOOS != "windows" { // whatever the umask
		if err := f.Chmod(mode); err != nil {
			f.Discard()
			return nil, err
		}
	}
	return f, nil
}

func createTemp(path string, mode fs.FileMode) (*File, error) {
	dir, name := filepath.Split(path)
	const most = 10000 // left by killed processes that had this one's number
	var err error
	for i := range most {
		temp := fmt.Sprintf("%s.%s%d%04d", dir, name, os.Getpid(), i)
		var f *os.File
		f, err = os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err == nil {
			return &File{f, path}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return nil, err
}

// Commit syncs the file and puts it in its place. After an error the temporary file
// is gone, and the old file is there; the new one, if only the directory's sync failed.
func (f *File) Commit() error {
	err := f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return SyncDir(filepath.Dir(f.path))
}

// Discard closes and removes the temporary file. After Commit it does nothing.
func (f *File) Discard() {
	if f.Close() == nil {
		os.Remove(f.Name())
	}
}

// Write writes a whole file.
func Write(path string, data []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}

// RemoveStale removes the temporary files of killed processes that were writing the
// named files. Call it where no other process may be writing them.
func RemoveStale(dir string, names ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		stale := slices.ContainsFunc(names, func(name string) bool {
			digits, ok := strings.CutPrefix(e.Name(), "."+name)
			return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
		})
		if !stale {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Rename gives a file another name, in place of the file that has it. It is durable
// after SyncDir.
func Rename(from, to string) error { return os.Rename(from, to) }

// SyncDir makes the names in a directory durable, where the system can. A directory
// that may be written to but not read cannot be synced, and is no error.
func SyncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // this file system cannot
	}
	return errors.Join(err, f.Close())
}
