package sinks_test

import (
	"strings"
	"syscall"
	"testing"
)

// mountTmpfs mounts a file system in memory for one test, or skips it.
func mountTmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	var flags uintptr
	if strings.Contains(options, "ro") {
		flags, options = syscall.MS_RDONLY, ""
	}
	if err := syscall.Mount("sluice-test", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("mounting needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("%s stays mounted: %v", dir, err)
		}
	})
	return dir
}
