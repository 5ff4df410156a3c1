package sources

import (
	"io/fs"
	"syscall"
)

// changed is when the file system noted the last change of a file, its bytes or
// what is known of it: nobody can set that.
func changed(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ctim.Nano()
	}
	return 0
}
