package sinks

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriting has the system begin to write bytes of a file to the disk. It is a hint: what
// fails now, sync will find.
func startWriting(f *os.File, from, n int64) {
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SyncFileRange(int(fd), from, n, unix.SYNC_FILE_RANGE_WRITE)
		})
	}
}
