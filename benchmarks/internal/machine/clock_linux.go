package machine

import "golang.org/x/sys/unix"

// clock is the processor time that a running process has used in all its threads, to the nanosecond: /proc
// tells hundredths of a second. ok is false where it has ended.
func clock(pid int) (seconds float64, ok bool) {
	var t unix.Timespec
	if unix.ClockGettime(int32(^pid<<3|2), &t) != nil { // CPUCLOCK_SCHED of a process, as clock_getcpuclockid makes it
		return 0, false
	}
	return float64(t.Sec) + float64(t.Nsec)/1e9, true
}
