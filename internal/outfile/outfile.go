// Package outfile writes the files that a user names, and overwrites only files of the
// same kind:
//
//   - If the name is free, or belongs to an empty file or an earlier file of this kind,
//     the new file replaces it in one step: no reader sees half of it.
//   - Any other regular file and any directory is refused.
//   - Character devices, such as /dev/null, and named pipes are written to in place. A
//     pipe waits for its reader.
//   - Block devices and sockets are refused.
//   - A symbolic link stays, and the rules apply to its target.
package outfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluicedata/sluice/internal/atomicfile"
)

// Kind is a kind of file.
type Kind struct {
	Name string                 // such as "a preview"
	Is   func(data []byte) bool // given the whole file, which isn't empty
	Most int64                  // bytes of the largest file of this kind; 0: no limit
}

// File is a place to write to.
type File struct {
	Path    string // symbolic links resolved
	InPlace bool   // a device or a pipe
}

// At checks what has a name already, and refuses what must not be replaced. The File
// is valid until something else takes the name: call At before each Write.
func (k Kind) At(name string) (File, error) {
	if name == "" {
		return File{}, errors.New("the name is empty: give one")
	}
	f, info, err := resolve(name)
	if err != nil || info == nil || f.InPlace || info.Size() == 0 {
		return f, err
	}
	own := k.Most == 0 || info.Size() <= k.Most
	if own {
		data, err := os.ReadFile(f.Path)
		if err != nil {
			return f, fmt.Errorf("%s exists and cannot be read: %w: move it away, or name another file", name, cause(err))
		}
		own = k.Is(data)
	}
	if !own {
		return f, fmt.Errorf("%s exists and isn't %s: it would be overwritten; move it away, or name another file", name, k.Name)
	}
	return f, nil
}

// Write writes a whole file.
func (k Kind) Write(name string, data []byte) error {
	f, err := k.At(name)
	if err != nil {
		return err
	}
	if !f.InPlace {
		return cause(atomicfile.Write(f.Path, data))
	}
	out, err := f.Append()
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	return errors.Join(cause(err), out.Close())
}

// Append opens an existing file for appending.
func (f File) Append() (*os.File, error) {
	out, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_APPEND, 0)
	return out, cause(err)
}

// resolve follows symbolic links; info is nil if there is no such file.
func resolve(name string) (f File, info fs.FileInfo, err error) {
	const most = 40 // links, as Linux allows
	for range most {
		info, err = os.Stat(name)
		if err == nil {
			return place(name, info)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return f, nil, fmt.Errorf("%s: %w", name, cause(err))
		}
		target, err := os.Readlink(name)
		if err != nil {
			return File{Path: name}, nil, nil
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(name), target)
		}
		name = target
	}
	return f, nil, fmt.Errorf("%s: too many symbolic links", name)
}

func place(name string, info fs.FileInfo) (File, fs.FileInfo, error) {
	mode := info.Mode()
	switch {
	case mode.IsRegular():
		path, err := filepath.EvalSymlinks(name)
		return File{Path: path}, info, cause(err)
	case mode.IsDir():
		return File{}, nil, fmt.Errorf("%s is a directory: name a file in it", name)
	case mode&(fs.ModeCharDevice|fs.ModeNamedPipe) != 0:
		return File{Path: name, InPlace: true}, info, nil
	}
	return File{}, nil, fmt.Errorf("%s is a block device or a socket: name a file", name)
}

// cause drops the path, which may be that of a temporary file.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
