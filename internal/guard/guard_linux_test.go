package guard

import (
	"runtime/debug"
	"testing"
	"unsafe"
)

// The last element can be used, the byte behind it can't.
func TestSliceEndsWithItsPage(t *testing.T) {
	for _, n := range []int{1, 7, 2048, 2049, 5000} {
		s := Slice[int16](t, n)
		s[0], s[n-1] = 1, 2
		if len(s) != n || cap(s) != n {
			t.Errorf("%d elements of %d", len(s), cap(s))
		}
		if !faults(unsafe.Add(unsafe.Pointer(&s[n-1]), 2)) {
			t.Errorf("%d elements: what follows can be read", n)
		}
	}
}

func faults(p unsafe.Pointer) (yes bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { yes = recover() != nil }()
	sink = *(*byte)(p)
	return false
}

var sink byte
