// Package outfile writes files that the user names, and replaces only those that are
// of the kind to be written:
//
//   - Where nothing stands, or an empty file, or an earlier file of the kind, the new one
//     takes its place whole: no reader sees half of it.
//   - Any other regular file, and a folder, is refused.
//   - A character device, such as /dev/null, and a named pipe are written to and stay. A
//     pipe waits for its reader.
//   - Block devices and sockets are refused.
//   - A symbolic link stays, and all this holds for what it leads to.
package outfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluicedata/sluice/internal/atomicfile"
)

// Kind is a sort of file.
type Kind struct {
	Name string                 // such as "a preview"
	Is   func(data []byte) bool // of a whole file that isn't empty
	Most int64                  // bytes of the largest; 0: Is is asked of any
}

// File is a place to write to.
type File struct {
	Path    string // links resolved
	InPlace bool   // a device or a pipe
}

// At looks at what stands under a name, and refuses what mustn't be replaced. A File
// is valid for as long as nobody puts something else there: call At before each Write.
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
			return f, fmt.Errorf("%s stands there and cannot be read: %w: move it away, or name another file", name, cause(err))
		}
		own = k.Is(data)
	}
	if !own {
		return f, fmt.Errorf("%s stands there and isn't %s: it would be replaced; move it away, or name another file", name, k.Name)
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

// Append opens a file that is there, to write behind its end.
func (f File) Append() (*os.File, error) {
	out, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_APPEND, 0)
	return out, cause(err)
}

// resolve follows links; info is nil where nothing stands.
func resolve(name string) (f File, info fs.FileInfo, err error) {
	const most = 40 // links, as in Linux
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
	return f, nil, fmt.Errorf("%s: too many links", name)
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
	return File{}, nil, fmt.Errorf("%s is a device or a socket that files aren't written to: name a file", name)
}

// cause leaves out the path, which may be of a temporary file that nobody has named.
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
