package sinks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/sluicedata/sluice/internal/atomicfile"
)

// tempPrefix starts the name of every unfinished file. pyarrow's datasets, DuckDB's
// globs and this package ignore such names.
const tempPrefix = ".tmp-"

// disk makes all changes to a materialized directory, so that tests can make each of
// them fail, or stop there.
type disk struct {
	dir    string                        // all names are relative to it, slash-separated
	prefix string                        // of unfinished files: .tmp- or .tmp-0-of-4-
	step   func(step, name string) error // before each change; nil outside tests
	format Encoding                      // of the parts
}

func (d *disk) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

// temp is the temporary name of a file, in the same folder.
func (d *disk) temp(name string) string {
	i := strings.LastIndexByte(name, '/') + 1
	return name[:i] + d.prefix + name[i:]
}

// do makes one change. explain replaces what os says about the path in errors.
func (d *disk) do(step, name string, change func(path string) error) error {
	if d.step != nil {
		if err := d.step(step, name); err != nil {
			return explain(step, name, d.dir, err)
		}
	}
	return explain(step, name, d.dir, change(d.path(name)))
}

// create opens a new file for writing, in place of whatever is there: it neither follows
// symlinks nor waits for pipes.
func (d *disk) create(name string) (f *os.File, err error) {
	err = d.do("create", name, func(path string) error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		return err
	})
	return f, err
}

// mkdir makes a folder with its parents, durably.
func (d *disk) mkdir(name string) error {
	return d.do("make the folder", name, func(path string) error {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return nil
		}
		if err := os.MkdirAll(path, 0o777); err != nil {
			return err
		}
		return atomicfile.SyncDir(filepath.Dir(path))
	})
}

// sync makes a file's bytes durable. It always closes the file.
func (d *disk) sync(name string, f *os.File) error {
	err := d.do("sync", name, func(string) error { return f.Sync() })
	return errors.Join(err, explain("close", name, d.dir, f.Close()))
}

// publish gives a file its final name. Durable after syncFolder.
func (d *disk) publish(name string) error { return d.rename(d.temp(name), name) }

// rename gives a file another name, replacing whatever has it. Durable after syncFolder.
func (d *disk) rename(from, name string) error {
	return d.do("rename", name, func(path string) error { return atomicfile.Rename(d.path(from), path) })
}

// publishNew gives a file its final name, or returns fs.ErrExist if that is taken.
func (d *disk) publishNew(name string) error {
	temp := d.path(d.temp(name))
	return d.do("rename", name, func(path string) error {
		err := os.Link(temp, path)
		if err == nil {
			return os.Remove(temp)
		}
		if _, there := os.Lstat(path); there == nil {
			return errors.Join(fs.ErrExist, os.Remove(temp))
		}
		return atomicfile.Rename(temp, path) // a file system without hard links
	})
}

// syncFolder makes the names in a folder durable.
func (d *disk) syncFolder(name string) error {
	return d.do("sync the folder", name, atomicfile.SyncDir)
}

// replace writes a whole file under its final name, durably. If the file has these
// bytes already it does nothing.
func (d *disk) replace(name string, data []byte) error {
	if old, err := readSmall(d.path(name)); err == nil && string(old) == string(data) {
		return nil
	}
	if err := d.writeTemp(name, data); err != nil {
		return err
	}
	if err := d.publish(name); err != nil {
		return errors.Join(err, d.remove(d.temp(name)))
	}
	return d.syncFolder(".")
}

// writeTemp writes a whole file under its temporary name, or leaves none.
func (d *disk) writeTemp(name string, data []byte) error {
	temp := d.temp(name)
	f, err := d.create(temp)
	if err != nil {
		return err
	}
	if _, err := (&stepWriter{d, temp, f}).Write(data); err != nil {
		return errors.Join(err, f.Close(), d.remove(temp))
	}
	if err := d.sync(temp, f); err != nil {
		return errors.Join(err, d.remove(temp))
	}
	return nil
}

// remove removes a file; a missing one is no error.
func (d *disk) remove(name string) error {
	return d.do("remove", name, func(path string) error {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// removeTemps removes what an interrupted run left in a folder.
func (d *disk) removeTemps(folder string) error {
	names, err := os.ReadDir(d.path(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return explain("read", folder, d.dir, err)
	}
	for _, e := range names {
		if strings.HasPrefix(e.Name(), d.prefix) && !e.IsDir() {
			if err := d.remove(join(folder, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeFiles removes files of the directory itself, not of its folders.
func (d *disk) removeFiles(which func(name string) bool) error {
	names, err := names(d.dir)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !which(name) })
	for _, name := range names {
		if err := d.remove(name); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return nil
	}
	return d.syncFolder(".")
}

func join(folder, name string) string {
	if folder == "" || folder == "." {
		return name
	}
	return folder + "/" + name
}

// stepWriter makes each Write a change of the disk.
type stepWriter struct {
	disk *disk
	name string
	w    io.Writer
}

func (w *stepWriter) Write(p []byte) (n int, err error) {
	err = w.disk.do("write", w.name, func(string) error {
		n, err = w.w.Write(p)
		return err
	})
	return n, err
}

// explain says what failed, where, and what to do about it.
func explain(what, name, dir string, err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		err = link.Err
	}
	place := dir
	if name != "." && name != "" {
		place = filepath.Join(dir, filepath.FromSlash(name))
	}
	return fmt.Errorf("cannot %s %s: %w%s", what, place, err, advice(err))
}

func advice(err error) string {
	const again = "then run the same command again: finished parts are kept"
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ": free some space there, " + again
	case errors.Is(err, syscall.EFBIG):
		return ": raise the limit on the size of a file (ulimit -f), or make smaller parts (--part-rows) in another directory"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return ": make the directory writable, or choose another"
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTEMPTY):
		return ": a directory is in the way of the file; remove it, or choose another directory"
	case errors.Is(err, syscall.ELOOP):
		return ": a symlink is in the way of the file; remove it"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return ": a file is in the way of the directory: choose another one"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return ": raise the limit on open files (ulimit -n), " + again
	case errors.Is(err, syscall.EIO):
		return ": check the disk, " + again
	}
	return ""
}
