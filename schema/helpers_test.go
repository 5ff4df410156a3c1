package schema

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// dirtyAllocator fills the memory that it hands out, and the memory that it
// gets back, with a pattern: what is not written, or read too late, shows.
type dirtyAllocator struct {
	memory.Allocator
	pattern byte
}

func newDirty(pattern byte) *dirtyAllocator {
	return &dirtyAllocator{memory.NewGoAllocator(), pattern}
}

func (a *dirtyAllocator) fill(b []byte) {
	b = b[:cap(b)]
	for i := range b {
		b[i] = a.pattern
	}
}

func (a *dirtyAllocator) Allocate(size int) []byte {
	b := a.Allocator.Allocate(size)
	a.fill(b)
	return b
}

func (a *dirtyAllocator) Reallocate(size int, b []byte) []byte {
	out := a.Allocate(size)
	copy(out, b)
	a.Free(b)
	return out
}

func (a *dirtyAllocator) Free(b []byte) {
	a.fill(b)
	a.Allocator.Free(b)
}

// testRun is a run of one variant, with two tasks.
func testRun(form Form, tensor Tensor) *Run {
	return &Run{
		PlanHash: "0123abcd",
		Pipeline: `{"version":1}`,
		Seed:     1<<64 - 1,
		Tasks: []Task{
			{Name: "shape", Classes: []string{"circle", "quader & <würfel>"}},
			{Name: "type", Classes: []string{"a", "b", "c"}},
		},
		Counts:          [][]int64{{5, 1, 0}, {2, 2, 1, 1}},
		Form:            form,
		Variants:        []Variant{{Scale: 1, Tensor: tensor}},
		Epochs:          1,
		RowsPerEpoch:    1,
		BatchesPerEpoch: 1,
		BatchSize:       1,
	}
}

// fillDraft fills rows that any test can check again with wantRow's rules.
func fillDraft(t testing.TB, d *Draft, rows int) {
	t.Helper()
	for row := range rows {
		d.SetMeta(row, testMeta(row))
		switch d.builder.run.Form {
		case FormTensor:
			fillSlot(d.Slot(row), row)
		case FormVarying:
			p := testPicture(row)
			if err := d.SetPicture(row, p); err != nil {
				t.Fatal(err)
			}
		case FormEncoded:
			d.SetEncoded(row, testFile(row))
		}
	}
}

func testMeta(row int) Meta {
	return Meta{
		Key:         fmt.Sprintf("ünter/%d.jpg", row),
		Labels:      []int32{[]int32{0, Unknown, 1}[row%3], int32(row % 3)},
		Weight:      1 + float32(row)/4,
		Position:    int64(row) + 1<<40,
		SourceIndex: int64(7 * row),
		Params:      fmt.Sprintf(`{"rotate":{"degrees":%d}}`, row),
	}
}

func testFile(row int) []byte { return bytes.Repeat([]byte{0xFF, byte(row)}, row%20) }

// testPicture is a row where pictures vary in size.
func testPicture(row int) *Picture {
	p := NewPicture(row%12+1, row%7+1)
	fillSlot(p, row)
	return p
}

// testValue is element i of a row.
func testValue(row, i int) int { return (31*row + 7*i) % 256 }

func fillSlot(p *Picture, row int) {
	for i := range p.U8 {
		p.U8[i] = uint8(testValue(row, i))
	}
	for i := range p.F32 {
		p.F32[i] = float32(testValue(row, i)) / 256
	}
}

// newBatch makes a batch of testRun's rows; released when the test ends.
func newBatch(t testing.TB, run *Run, mem memory.Allocator, rows int) *Batch {
	t.Helper()
	b, err := NewBuilder(run, mem)
	if err != nil {
		t.Fatal(err)
	}
	d := b.Draft(3, 5, rows)
	fillDraft(t, d, rows)
	batch, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(batch.Release)
	return batch
}

// checked is an allocator that fails the test for what isn't given back.
func checked(t testing.TB) memory.Allocator {
	mem := memory.NewCheckedAllocator(newDirty(0xAA))
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

// writeStream is the IPC stream of some records.
func writeStream(t testing.TB, records ...arrow.Record) []byte {
	t.Helper()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(records[0].Schema()))
	for _, rec := range records {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// forms are all image columns that a run can have.
var forms = map[string]*Run{
	"encoded":    testRun(FormEncoded, Tensor{}),
	"varying":    testRun(FormVarying, Tensor{DType: Uint8, Layout: HWC}),
	"uint8 hwc":  testRun(FormTensor, Tensor{Uint8, HWC, 4, 5, 0}),
	"uint8 chw":  testRun(FormTensor, Tensor{Uint8, CHW, 4, 5, 0}),
	"float hwc":  testRun(FormTensor, Tensor{Float32, HWC, 4, 5, 0}),
	"float chw":  testRun(FormTensor, Tensor{Float32, CHW, 4, 5, 0}),
	"3x3 chw":    testRun(FormTensor, Tensor{Uint8, CHW, 3, 3, 0}),
	"3x3 hwc":    testRun(FormTensor, Tensor{Uint8, HWC, 3, 3, 0}),
	"with param": withParams(testRun(FormTensor, Tensor{Uint8, HWC, 4, 5, 0})),
}

func withParams(r *Run) *Run {
	r.Params = true
	return r
}
