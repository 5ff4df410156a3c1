package schema

import (
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// A batch of grey holds one of three equal channels, says so in its metadata, and gives
// pictures of three back.
func TestGray(t *testing.T) {
	for _, tensor := range []Tensor{
		{Uint8, HWC, 3, 4, 1}, {Uint8, CHW, 3, 4, 1}, {Float32, HWC, 1, 3, 1}, {Float32, CHW, 3, 1, 1}, {Uint8, HWC, 3, 3, 1},
	} {
		typ := NewTensorType(tensor)
		back, err := (&TensorType{}).Deserialize(typ.Storage, typ.Serialize())
		if err != nil || back.(*TensorType).Tensor != tensor {
			t.Fatalf("%s comes back as %v: %v", tensor, back, err)
		}
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		b, err := NewBuilder(testRun(FormTensor, tensor), mem)
		if err != nil {
			t.Fatal(err)
		}
		p := &Picture{Height: tensor.Height, Width: tensor.Width, Layout: tensor.Layout}
		n := tensor.Height * tensor.Width
		for i := range 3 * n {
			v := i / 3
			if tensor.Layout == CHW {
				v = i % n
			}
			if tensor.DType == Uint8 {
				p.U8 = append(p.U8, uint8(v))
			} else {
				p.F32 = append(p.F32, float32(v))
			}
		}
		d := b.Draft(0, 0, 2)
		for row := range 2 {
			d.SetMeta(row, Meta{Labels: make([]int32, len(testRun(FormTensor, tensor).Tasks))})
			if err := d.SetPicture(row, p); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.SetPicture(0, &Picture{Height: p.Height, Width: p.Width, Layout: p.Layout, U8: p.U8[:len(p.U8)/3], F32: p.F32[:len(p.F32)/3]}); err == nil {
			t.Errorf("%s: a picture of one channel is taken", tensor)
		}
		batch, err := d.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Uint8())+len(batch.Float32()) != 2*n {
			t.Errorf("%s: %d values", tensor, len(batch.Uint8())+len(batch.Float32()))
		}
		if q := batch.Picture(1); !slices.Equal(q.U8, p.U8) || !slices.Equal(q.F32, p.F32) {
			t.Errorf("%s: %v %v", tensor, q.U8, q.F32)
		}
		batch.Release()
		mem.AssertSize(t, 0)
	}
}
