package trainer

import (
	"bytes"
	"os"
	"strconv"
)

// PeakBytes is the process's largest resident memory so far, for Stats; 0 where
// /proc/self/status doesn't tell.
func PeakBytes() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == "VmHWM:" {
			kib, _ := strconv.ParseUint(string(fields[1]), 10, 64)
			return kib << 10
		}
	}
	return 0
}
