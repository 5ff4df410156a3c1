package schema

import (
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// A batch holds the objects and masks that its draft was given, and a derived one those of
// the other size.
func TestTargetsGoThroughABatch(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	tensor := Tensor{DType: Uint8, Layout: HWC, Height: 4, Width: 6}
	half := tensor
	half.Height, half.Width = 2, 3
	run := &Run{
		Form: FormTensor, Scales: true, Variants: []Variant{{1, tensor}, {0.5, half}},
		Targets: &TargetSpec{Boxes: true, Classes: []string{"a", "b"}, Polygons: true, Keypoints: []string{"l", "r"}, Mirrored: []int{1, 0}, Mask: true},
	}
	b, err := NewBuilder(run, mem)
	if err != nil {
		t.Fatal(err)
	}
	want := []Object{
		{Box: [4]float32{1, 2, 3, 4}, Label: 1, ID: 7, Crowd: true, Area: 4, Polygon: [][]float32{{1, 2, 3, 2, 3, 4}, {1, 2, 1, 4, 3, 4}}, Keypoints: []float32{1, 2, 2, 3, 4, 1}},
		{Box: [4]float32{0, 0, 6, 4}, Area: 24, Keypoints: make([]float32, 6)},
	}
	d := b.Draft(0, 0, 3)
	for row := range 3 {
		d.SetMeta(row, Meta{Key: "k", Targets: &Targets{Objects: want[:row:row]}})
		for i := range d.Mask(row) {
			d.Mask(row)[i] = uint8(100*row + i)
		}
	}
	d.Drop(0)
	batch, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	same := func(a, b Object) bool {
		return a.Box == b.Box && a.Label == b.Label && a.ID == b.ID && a.Crowd == b.Crowd && a.Area == b.Area &&
			slices.EqualFunc(a.Polygon, b.Polygon, slices.Equal[[]float32]) && slices.Equal(a.Keypoints, b.Keypoints)
	}
	for row, n := range []int{1, 2} {
		got, err := batch.Objects(row)
		if err != nil || !slices.EqualFunc(got, want[:n], same) {
			t.Errorf("row %d: %v, %v, want %v", row, got, err, want[:n])
		}
		if mask, h, w := batch.Mask(row); h != 4 || w != 6 || mask[5] != uint8(100*n+5) {
			t.Errorf("row %d: mask of %dx%d: %v", row, w, h, mask)
		}
	}
	small, err := b.Derive(batch, 1).Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer small.Release()
	got, err := small.Objects(0)
	scaled := Object{Box: [4]float32{0.5, 1, 1.5, 2}, Label: 1, ID: 7, Crowd: true, Area: 1, Polygon: [][]float32{{0.5, 1, 1.5, 1, 1.5, 2}, {0.5, 1, 0.5, 2, 1.5, 2}}, Keypoints: []float32{0.5, 1, 2, 1.5, 2, 1}}
	if err != nil || len(got) != 1 || !same(got[0], scaled) {
		t.Errorf("derived: %v, %v, want %v", got, err, scaled)
	}
	if mask, _, _ := small.Mask(0); !slices.Equal(mask, []uint8{100, 102, 104, 112, 114, 116}) {
		t.Errorf("derived mask: %v", mask)
	}
	if read, err := ReadRun(batch.Record.Schema()); err == nil || read != nil { // no plan hash here
		t.Errorf("ReadRun: %v, %v", read, err)
	}
}
