// Package guard gives tests memory that ends where the process's does: a loop that reads or
// writes one byte too many crashes. It is how assembly, which no bounds are checked for, is
// tested to stay inside.
package guard

import (
	"syscall"
	"testing"
	"unsafe"
)

// Slice is n zero elements with an unreadable page right after them, until the test ends. On
// systems other than Linux it is an ordinary slice.
func Slice[T uint8 | int16 | uint32 | float32](t testing.TB, n int) []T {
	t.Helper()
	page := syscall.Getpagesize()
	bytes := n * int(unsafe.Sizeof(T(0)))
	size := (bytes + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	if err := syscall.Mprotect(m[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&m[size-bytes])), n)
}
