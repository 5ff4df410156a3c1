package feed

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ring is an unnamed file in memory, mapped by both processes; the system takes it back
// with the last of them, however they end. Its size is sealed: no process can make the
// other's mapping fault.
type ring struct {
	file   *os.File
	memory []byte
}

func newRing(size int) (*ring, error) {
	fd, err := unix.MemfdCreate("sluice-feed", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("feed: no memory file: %w", err)
	}
	r := &ring{file: os.NewFile(uintptr(fd), "memfd:sluice-feed")}
	if err := r.file.Truncate(int64(size)); err != nil {
		return nil, fmt.Errorf("feed: a memory file of %d bytes: %w", size, r.close(err))
	}
	if _, err := unix.FcntlInt(r.file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return nil, fmt.Errorf("feed: sealing a memory file: %w", r.close(err))
	}
	if r.memory, err = unix.Mmap(int(r.file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("feed: mapping a memory file of %d bytes: %w", size, r.close(err))
	}
	return r, nil
}

// close gives the file up where making it failed with cause.
func (r *ring) close(cause error) error {
	_ = r.file.Close()
	return cause
}

// free gives this process's part of the ring back, once nothing is written to it.
func (r *ring) free() {
	if r != nil {
		_ = unix.Munmap(r.memory)
		_ = r.file.Close()
	}
}

// rights pass the file to the other process.
func (r *ring) rights() []byte { return unix.UnixRights(int(r.file.Fd())) }

// hasRing says that newRing can make one here.
const hasRing = true
