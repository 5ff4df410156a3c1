//go:build linux

package feed

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/schema"
)

// Masks of one size follow the columns as raw bytes, and all other targets are columns.
func TestTargetsInAMessage(t *testing.T) {
	pipe, err := load(&Open{Pipeline: Pipeline{Text: pipeline(pictures(t, 2), stagesOf["uint8"]...), Name: "p.yaml"}, World: 1})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pipe.Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	spec := &schema.TargetSpec{Boxes: true, Classes: []string{"a"}, Polygons: true, Keypoints: []string{"nose"}, Mask: true}
	for _, form := range []schema.Form{schema.FormTensor, schema.FormVarying, schema.FormEncoded} {
		t.Run(string(form), func(t *testing.T) {
			tensor := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: 2, Width: 3}
			run := &schema.Run{Form: form, Variants: []schema.Variant{{Scale: 1, Tensor: tensor}}, Targets: spec}
			b := batchOfTargets(t, run, mem)
			defer b.Release()
			r := &running{opened: &opened{ask: &Open{}, info: run, variants: 1, slots: newSlots(nil, 0, 0)}, plan: plan}
			head, body, err := r.pack(b)
			if err != nil {
				t.Fatal(err)
			}
			in, err := ipc.NewReader(bytes.NewReader(body[0]))
			if err != nil {
				t.Fatal(err)
			}
			defer in.Release()
			if !in.Next() {
				t.Fatal(in.Err())
			}
			var names []string
			for _, f := range in.Record().Schema().Fields() {
				names = append(names, f.Name)
			}
			want := []string{"boxes", "boxes.label", "boxes.id", "boxes.crowd", "boxes.area", "boxes.polygon", "keypoints"}
			if form != schema.FormTensor {
				want = append(append([]string{"image"}, want...), "mask")
			}
			if got := names[1 : 1+len(want)]; !slices.Equal(got, want) {
				t.Errorf("columns %v, want %v", got, want)
			}
			masks := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
			switch {
			case form != schema.FormTensor:
				if head.Mask != nil || len(body) != 1 {
					t.Errorf("masks %v in %d parts", head.Mask, len(body))
				}
			case !slices.Equal(head.Mask, []int{2, 2, 3}) || len(body) != 3 || !bytes.Equal(body[2], masks):
				t.Errorf("masks %v: %v", head.Mask, body)
			}
		})
	}
}

// batchOfTargets has two rows, the first without objects, and masks of the numbers from 1.
func batchOfTargets(t *testing.T, run *schema.Run, mem memory.Allocator) *schema.Batch {
	t.Helper()
	b, err := schema.NewBuilder(run, mem)
	if err != nil {
		t.Fatal(err)
	}
	d := b.Draft(0, 0, 2)
	object := schema.Object{Box: [4]float32{0, 0, 2, 1}, ID: 5, Area: 2, Polygon: [][]float32{{0, 0, 2, 0, 2, 1}}, Keypoints: []float32{1, 1, 2}}
	for row, targets := range []*schema.Targets{{}, {Objects: []schema.Object{object}}} {
		d.SetMeta(row, schema.Meta{Key: "k", Targets: targets})
		mask := []uint8{1, 2, 3, 4, 5, 6}
		for i := range mask {
			mask[i] += uint8(6 * row)
		}
		switch run.Form {
		case schema.FormTensor:
			copy(d.Mask(row), mask)
		case schema.FormVarying:
			if err := d.SetPicture(row, schema.NewPicture(1, 2)); err != nil {
				t.Fatal(err)
			}
			d.SetMask(row, &schema.Picture{Height: 1, Width: 6, U8: mask})
		case schema.FormEncoded:
			d.SetEncoded(row, []byte("picture"))
			d.SetEncodedMask(row, []byte("mask"))
		}
	}
	batch, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}
