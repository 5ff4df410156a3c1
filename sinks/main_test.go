package sinks

import (
	"fmt"
	"os"
	"testing"
)

// TestMain gives the tests a file system in memory, where there is one with room: most of
// their time would be waiting for the disk, since each file of a data set is synced.
func TestMain(m *testing.M) {
	const memory, room = "/dev/shm", 1 << 30
	if free, known := freeBytes(memory); !known || free < room {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp(memory, "sluice-sinks-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("TMPDIR", dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
