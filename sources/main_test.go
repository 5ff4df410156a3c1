package sources_test

import (
	"fmt"
	"os"
	"testing"
)

// TestMain gives the tests a cache directory of their own.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sluice-cache-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} { // by system
		os.Setenv(name, dir)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
