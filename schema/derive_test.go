package schema

import (
	"slices"
	"testing"
)

// A derived batch has its base's other columns, and the pictures that are filled in; the
// base stays as it is.
func TestDeriveOfABatch(t *testing.T) {
	for name, run := range forms {
		t.Run(name, func(t *testing.T) {
			mem := checked(t)
			base := newBatch(t, run, mem, 6)
			d := Derive(base, mem)
			for row := range 6 { // the pictures of the rows, in reverse
				switch other := 5 - row; run.Form {
				case FormTensor:
					fillSlot(d.Slot(row), other)
				case FormVarying:
					if err := d.SetPicture(row, testPicture(other)); err != nil {
						t.Fatal(err)
					}
				case FormEncoded:
					d.SetEncoded(row, testFile(other))
				}
			}
			batch, err := d.Finish()
			if err != nil {
				t.Fatal(err)
			}
			defer batch.Release()
			checkRows(t, base, 0, 6)
			if batch.Epoch != base.Epoch || batch.Number != base.Number || batch.Tensor != base.Tensor || !batch.Record.Schema().Equal(base.Record.Schema()) {
				t.Errorf("%+v of %+v", batch, base)
			}
			for row := range 6 {
				if batch.Key(row) != base.Key(row) || batch.Positions()[row] != base.Positions()[row] {
					t.Errorf("row %d is %s", row, batch.Key(row))
				}
				same := string(batch.Encoded(row)) == string(base.Encoded(5-row))
				if run.Form != FormEncoded {
					have, want := batch.Picture(row), base.Picture(5-row)
					same = slices.Equal(have.U8, want.U8) && slices.Equal(have.F32, want.F32)
				}
				if !same {
					t.Errorf("row %d hasn't the picture of row %d", row, 5-row)
				}
			}
		})
	}
}

// The variant is the base's.
func TestDeriveOfAVariant(t *testing.T) {
	mem := checked(t)
	builder, err := NewBuilder(scaled(), mem)
	if err != nil {
		t.Fatal(err)
	}
	base := newBatch(t, testRun(FormTensor, Tensor{Uint8, CHW, 4, 6, 0}), mem, 3)
	d := builder.Derive(base, 2)
	for row := range 3 {
		clear(d.Slot(row).U8)
	}
	large, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer large.Release()
	d = Derive(large, mem)
	for row := range 3 {
		fillSlot(d.Slot(row), row)
	}
	batch, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	if batch.Variant != 2 || batch.Tensor != large.Tensor {
		t.Errorf("variant %d, %s", batch.Variant, batch.Tensor)
	}
	checkRows(t, batch, 0, 3)
	Derive(large, nil).Discard()
}
