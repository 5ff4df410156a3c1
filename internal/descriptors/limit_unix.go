//go:build unix

package descriptors

import (
	"math"
	"syscall"
)

// limit is the number of descriptors that the process may have.
func limit() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 64
	}
	return int(min(uint64(l.Cur), math.MaxInt32)) //nolint:unconvert // an int64 on some systems
}
