//go:build linux || darwin || freebsd

package sinks

import "syscall"

// freeBytes is the free space that this user has on a directory's file system.
func freeBytes(dir string) (n int64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || s.Blocks == 0 || s.Bsize <= 0 {
		return 0, false // some network file systems don't say
	}
	return int64(s.Bavail) * int64(s.Bsize), true //nolint:unconvert // of other types on other systems
}
