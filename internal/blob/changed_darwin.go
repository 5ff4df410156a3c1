package blob

import (
	"io/fs"
	"syscall"
)

// changed is when the file system recorded the last change of a file's bytes or
// attributes. It cannot be set by hand.
func changed(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ctimespec.Nano()
	}
	return 0
}
