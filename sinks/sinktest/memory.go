package sinktest

import (
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Memory is an allocator that fails the test if memory isn't freed. Memory that was
// not written yet, or was freed, holds 0xAA, so that reading it shows.
func Memory(t testing.TB) memory.Allocator {
	mem := memory.NewCheckedAllocator(dirty{memory.NewGoAllocator()})
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

type dirty struct{ memory.Allocator }

func soil(b []byte) []byte {
	for i := range b[:cap(b)] {
		b[:cap(b)][i] = 0xAA
	}
	return b
}

func (d dirty) Allocate(size int) []byte { return soil(d.Allocator.Allocate(size)) }

func (d dirty) Reallocate(size int, b []byte) []byte {
	out := d.Allocate(size)
	copy(out, b)
	d.Free(b)
	return out
}

func (d dirty) Free(b []byte) { d.Allocator.Free(soil(b)) }
