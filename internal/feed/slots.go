package feed

import (
	"sync"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// slots are the ring: blocks of one size in memory that Python has mapped too. As an
// allocator it gives a slot where one is free, and where it isn't, or the block is larger,
// memory of the heap: it never waits. Safe for concurrent use.
type slots struct {
	ring *ring // nil: none
	n    int
	size int
	heap memory.Allocator
	mu   sync.Mutex
	free []int // the one that was given back last is taken first: its pages are warm
}

func newSlots(r *ring, n, size int) *slots {
	s := &slots{ring: r, n: n, size: size, heap: memory.NewGoAllocator()}
	for i := range n {
		s.free = append(s.free, n-1-i)
	}
	return s
}

// Allocate gives a block of memory.
func (s *slots) Allocate(size int) []byte {
	if size > 0 && size <= s.size {
		if i := s.take(); i >= 0 {
			at := i * s.size
			return s.ring.memory[at : at+size : at+size]
		}
	}
	return s.heap.Allocate(size)
}

func (s *slots) take() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.free) - 1
	if last < 0 {
		return -1
	}
	i := s.free[last]
	s.free = s.free[:last]
	return i
}

// Reallocate keeps the block where it is large enough.
func (s *slots) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	block := s.Allocate(size)
	copy(block, b)
	s.Free(b)
	return block
}

// Free takes a block back.
func (s *slots) Free(b []byte) {
	i := s.of(b)
	if i < 0 {
		s.heap.Free(b)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, i)
}

// of is the number of the slot that a block begins; -1: it is of the heap.
func (s *slots) of(b []byte) int {
	if s.ring == nil || cap(b) == 0 {
		return -1
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(s.ring.memory)))
	if at >= uintptr(len(s.ring.memory)) || at%uintptr(s.size) != 0 {
		return -1
	}
	return int(at) / s.size
}

// add copies data into a slot, behind what it has; not where it has no room, or there is no
// slot (-1).
func (s *slots) add(slot, behind int, data []byte) bool {
	if slot < 0 || behind+len(data) > s.size {
		return false
	}
	copy(s.ring.memory[slot*s.size+behind:], data)
	return true
}
