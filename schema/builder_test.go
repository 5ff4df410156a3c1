package schema

import (
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

func TestDraftRowsInParallel(t *testing.T) {
	for name, run := range forms {
		t.Run(name, func(t *testing.T) {
			b, err := NewBuilder(run, checked(t))
			if err != nil {
				t.Fatal(err)
			}
			const rows = 64
			d := b.Draft(0, 0, rows)
			var wait sync.WaitGroup
			for row := range rows {
				wait.Go(func() {
					d.SetMeta(row, testMeta(row))
					var err error
					switch run.Form {
					case FormEncoded:
						d.SetEncoded(row, testFile(row))
					case FormVarying:
						p := testPicture(row)
						err = d.SetPicture(row, p)
					case FormTensor:
						slot := d.Slot(row)
						p := &Picture{Height: slot.Height, Width: slot.Width, Layout: slot.Layout}
						if slot.F32 != nil {
							p.F32 = make([]float32, len(slot.F32))
						} else {
							p.U8 = make([]uint8, len(slot.U8))
						}
						fillSlot(p, row)
						err = d.SetPicture(row, p)
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			batch, err := d.Finish()
			if err != nil {
				t.Fatal(err)
			}
			defer batch.Release()
			checkRows(t, batch, 0, rows)
		})
	}
}

func TestDiscardGivesAllBack(t *testing.T) {
	for name, run := range forms {
		t.Run(name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			b, err := NewBuilder(run, mem)
			if err != nil {
				t.Fatal(err)
			}
			d := b.Draft(0, 0, 8)
			d.Discard()
			d.Discard()
			mem.AssertSize(t, 0)
			d = b.Draft(0, 0, 8)
			fillDraft(t, d, 8)
			d.Discard()
			mem.AssertSize(t, 0)
		})
	}
}

// scaled has three variants of its pictures.
func scaled() *Run {
	r := testRun(FormTensor, Tensor{Uint8, CHW, 4, 6, 0})
	r.Scales = true
	r.Variants = []Variant{{0.5, Tensor{Uint8, CHW, 2, 3, 0}}, {1, Tensor{Uint8, CHW, 4, 6, 0}}, {1.5, Tensor{Uint8, CHW, 6, 9, 0}}}
	return r
}

func TestDerive(t *testing.T) {
	run := scaled()
	mem := checked(t)
	b, err := NewBuilder(run, mem)
	if err != nil {
		t.Fatal(err)
	}
	const rows = 9
	base := newBatch(t, testRun(FormTensor, Tensor{Uint8, CHW, 4, 6, 0}), mem, rows)
	for v := range run.Variants {
		d := b.Derive(base, v)
		for row := range rows {
			fillSlot(d.Slot(row), row)
		}
		batch, err := d.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if batch.Epoch != 3 || batch.Number != 5 || batch.Variant != v || batch.Tensor != run.Variants[v].Tensor {
			t.Errorf("variant %d: %+v", v, batch)
		}
		checkRows(t, batch, 0, rows)
		md := batch.Record.Schema().Metadata()
		if got := md.Values()[md.FindKey(MetaScale)]; got != FormatScale(run.Variants[v].Scale) {
			t.Errorf("metadata scale %q", got)
		}
		batch.Release()
	}
	b.Derive(base, 2).Discard()
}

func TestDerivedBatchOutlivesItsBase(t *testing.T) {
	mem := memory.NewCheckedAllocator(newDirty(0xAA))
	base := testRun(FormTensor, Tensor{Uint8, CHW, 4, 6, 0})
	first, err := NewBuilder(base, mem)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBuilder(scaled(), mem)
	if err != nil {
		t.Fatal(err)
	}
	d := first.Draft(0, 0, 5)
	fillDraft(t, d, 5)
	batch, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	derived := b.Derive(batch, 0)
	batch.Release()
	for row := range 5 {
		fillSlot(derived.Slot(row), row)
	}
	out, err := derived.Finish()
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, out, 0, 5)
	out.Release()
	mem.AssertSize(t, 0)
}

func TestSetPictureRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		run     *Run
		picture *Picture
		want    string
	}{
		"another size":     {forms["uint8 hwc"], NewPicture(4, 4), "uint8[4,4,3] in a batch of uint8[4,5,3]"},
		"another layout":   {forms["uint8 chw"], NewPicture(4, 5), "uint8[4,5,3] in a batch of uint8[3,4,5]"},
		"another type":     {forms["float hwc"], NewPicture(4, 5), "in a batch of float32[4,5,3]"},
		"varying float":    {forms["varying"], &Picture{Height: 1, Width: 1, Layout: HWC, F32: make([]float32, 3)}, "uint8 HWC"},
		"varying, planes":  {forms["varying"], &Picture{Height: 1, Width: 1, Layout: CHW, U8: make([]uint8, 3)}, "uint8 HWC"},
		"varying, nothing": {forms["varying"], &Picture{Layout: HWC}, "uint8 HWC"},
	} {
		b, err := NewBuilder(c.run, checked(t))
		if err != nil {
			t.Fatal(err)
		}
		d := b.Draft(0, 0, 1)
		if err := d.SetPicture(0, c.picture); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		d.Discard()
	}
}

// What the allocator's memory holds must not reach a file.
func TestBytesDoNotDependOnTheAllocator(t *testing.T) {
	for name, run := range forms {
		for _, rows := range []int{0, 1, 2, 3, 7, 8, 33, 64, 65, 600} {
			clean := writeStream(t, newBatch(t, run, memory.NewGoAllocator(), rows).Record)
			for _, pattern := range []byte{0xAA, 0xFF} {
				if got := writeStream(t, newBatch(t, run, newDirty(pattern), rows).Record); string(got) != string(clean) {
					t.Errorf("%s, %d rows: other bytes when memory is filled with %#x", name, rows, pattern)
				}
			}
		}
	}
}

func TestSlotsDoNotOverlap(t *testing.T) {
	b, err := NewBuilder(forms["float chw"], nil)
	if err != nil {
		t.Fatal(err)
	}
	d := b.Draft(0, 0, 3)
	defer d.Discard()
	for row := range 3 {
		p := d.Slot(row)
		if len(p.F32) != 60 || cap(p.F32) != 60 || p.U8 != nil {
			t.Fatalf("slot %d: %d values, capacity %d", row, len(p.F32), cap(p.F32))
		}
	}
}
