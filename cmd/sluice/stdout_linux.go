package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// goesNowhere tells whether stdout was closed when the program began: then Go's runtime
// has opened /dev/null in its place, for reading and writing. So do some programs that
// throw away what their children print (Python's subprocess.DEVNULL); a shell's
// >/dev/null is open for writing alone.
func goesNowhere(f *os.File) bool {
	have, err := f.Stat()
	if err != nil {
		return true
	}
	null, err := os.Stat(os.DevNull)
	if err != nil || !os.SameFile(have, null) {
		return false
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
}
