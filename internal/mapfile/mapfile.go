// Package mapfile maps files into memory to be read.
package mapfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime/debug"
)

// File is a regular file's bytes, as they were when it was opened; mapped where the system
// can, else read.
type File struct {
	data []byte
	info fs.FileInfo
}

// Open maps a file. Its bytes live until Close.
func Open(name string) (*File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	case info.Size() > math.MaxInt:
		return nil, &fs.PathError{Op: "map", Path: name, Err: errors.New("too large for a 32-bit system")}
	case info.Size() == 0:
		return &File{info: info}, nil
	}
	data, err := mapped(f, int(info.Size()))
	if err != nil {
		return nil, &fs.PathError{Op: "map", Path: name, Err: err}
	}
	return &File{data, info}, nil
}

// Bytes are the file's. A file that is truncated while it is mapped makes reading them a
// fault, which only Guard turns into an error.
func (f *File) Bytes() []byte { return f.data }

// Info is what the file was when it was opened.
func (f *File) Info() fs.FileInfo { return f.info }

// Close unmaps the file. Nothing may use its bytes afterwards.
func (f *File) Close() error {
	data := f.data
	f.data = nil
	if data == nil {
		return nil
	}
	return unmap(data)
}

// ErrFault says that a mapped file's bytes could not be read: it was truncated, or its disk
// failed.
var ErrFault = errors.New("its bytes can no longer be read: it was truncated, or its disk failed")

// Guard calls do, which reads mapped bytes; a fault becomes ErrFault.
func Guard(do func()) (err error) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if p := recover(); p != nil {
			fault, ok := p.(interface{ Addr() uintptr }) // what the runtime's memory errors have
			if !ok {
				panic(p)
			}
			err = fmt.Errorf("%w (at address %#x)", ErrFault, fault.Addr())
		}
	}()
	do()
	return nil
}
