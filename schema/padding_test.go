package schema

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// counting counts the bytes that it gave.
type counting struct {
	memory.Allocator
	given int
}

func (c *counting) Allocate(n int) []byte { c.given += n; return c.Allocator.Allocate(n) }
func (c *counting) Reallocate(n int, b []byte) []byte {
	c.given += max(0, n-len(b))
	return c.Allocator.Reallocate(n, b)
}

// paddedDraft has a picture with a mask of the largest size, and others of a pixel or two.
func paddedDraft(t *testing.T, mem memory.Allocator, rows, side int) *Draft {
	t.Helper()
	run := testRun(FormVarying, Tensor{DType: Uint8, Layout: HWC})
	run.Padded, run.Targets = true, &TargetSpec{Mask: true}
	b, err := NewBuilder(run, mem)
	if err != nil {
		t.Fatal(err)
	}
	d := b.Draft(0, 0, rows)
	for row := range rows {
		h, w := 1+row%2, 1+row%3
		if row == 1 {
			h, w = side, side
		}
		d.SetMeta(row, testMeta(row))
		p := NewPicture(h, w)
		for i := range p.U8 {
			p.U8[i] = uint8(1 + i%200)
		}
		if err := d.SetPicture(row, p); err != nil {
			t.Fatal(err)
		}
		d.SetMask(row, &Picture{Height: h, Width: w, U8: bytes.Repeat([]byte{7}, h*w)})
	}
	return d
}

// What padding takes is asked of the allocator, which charges it, and nothing beside it.
func TestPaddingIsAllocated(t *testing.T) {
	const rows, side = 16, 512
	mem := &counting{Allocator: memory.NewGoAllocator()}
	d := paddedDraft(t, mem, rows, side)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	runtime.ReadMemStats(&after)
	beside := int(after.TotalAlloc-before.TotalAlloc) - mem.given
	if want := 4 * rows * side * side; mem.given < want || beside > 1<<20 {
		t.Errorf("the allocator gave %d bytes, and %d came from elsewhere; the canvases have %d", mem.given, beside, want)
	}
}

// What memory held before doesn't show between a picture and the canvas' edges.
func TestPaddingIsClean(t *testing.T) {
	const rows, side = 5, 9
	mem := &dirtyAllocator{Allocator: memory.NewGoAllocator(), pattern: 0xA5}
	b, err := paddedDraft(t, mem, rows, side).Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	for row := range rows {
		p := b.Picture(row)
		mask, h, w := b.Mask(row)
		if p.Height != side || p.Width != side || h != side || w != side {
			t.Fatalf("row %d: %dx%d, a mask of %dx%d", row, p.Width, p.Height, w, h)
		}
		for y := range side {
			for x := range side {
				in := row == 1 || y < 1+row%2 && x < 1+row%3
				if (mask[y*side+x] == 7) != in || !in && mask[y*side+x] != MaskIgnore || (p.U8[3*(y*side+x)] > 0) != in {
					t.Fatalf("row %d: %d %d has %d and %d", row, x, y, p.U8[3*(y*side+x)], mask[y*side+x])
				}
			}
		}
	}
}
