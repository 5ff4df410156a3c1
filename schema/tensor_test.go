package schema

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
)

func TestTensorThroughStreamAndFile(t *testing.T) {
	for name, run := range forms {
		for codec, option := range map[string][]ipc.Option{"none": nil, "lz4": {ipc.WithLZ4()}, "zstd": {ipc.WithZstd()}} {
			t.Run(name+" "+codec, func(t *testing.T) {
				mem := checked(t)
				batch := newBatch(t, run, mem, 11)
				options := append([]ipc.Option{ipc.WithSchema(batch.Record.Schema())}, option...)

				var stream bytes.Buffer
				w := ipc.NewWriter(&stream, options...)
				if err := w.Write(batch.Record); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				r, err := ipc.NewReader(&stream, ipc.WithAllocator(mem))
				if err != nil {
					t.Fatal(err)
				}
				defer r.Release()
				if !r.Next() {
					t.Fatal(r.Err())
				}
				checkRead(t, r.Record(), run)

				var file fileBuffer
				f, err := ipc.NewFileWriter(&file, options...)
				if err != nil {
					t.Fatal(err)
				}
				if err := f.Write(batch.Record); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				fr, err := ipc.NewFileReader(bytes.NewReader(file.Bytes()), ipc.WithAllocator(mem))
				if err != nil {
					t.Fatal(err)
				}
				defer fr.Close()
				rec, err := fr.Record(0)
				if err != nil {
					t.Fatal(err)
				}
				checkRead(t, rec, run)
			})
		}
	}
}

// fileBuffer is a file that is only ever appended to.
type fileBuffer struct{ bytes.Buffer }

func (b *fileBuffer) Seek(int64, int) (int64, error) { return int64(b.Len()), nil }

func checkRead(t *testing.T, rec arrow.Record, run *Run) {
	t.Helper()
	b, err := View(rec)
	if err != nil {
		t.Fatal(err)
	}
	if b.Form != run.Form || b.Form == FormTensor && b.Tensor != run.Variants[0].Tensor {
		t.Errorf("read as %s %s", b.Form, b.Tensor)
	}
	checkRows(t, b, 0, 11)
	got, err := ReadRun(rec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	checkRun(t, got, run)
}

func TestTensorTypeMetadata(t *testing.T) {
	for _, c := range []struct {
		tensor Tensor
		want   string
	}{
		{Tensor{Float32, CHW, 224, 200, 0}, `{"shape":[3,224,200],"dim_names":["C","H","W"]}`},
		{Tensor{Uint8, HWC, 224, 200, 0}, `{"shape":[224,200,3],"dim_names":["H","W","C"]}`},
		{Tensor{Uint8, HWC, 3, 5, 0}, `{"shape":[3,5,3],"dim_names":["H","W","C"]}`},
		{Tensor{Uint8, CHW, 5, 3, 0}, `{"shape":[3,5,3],"dim_names":["C","H","W"]}`},
	} {
		typ := NewTensorType(c.tensor)
		if typ.ExtensionName() != "arrow.fixed_shape_tensor" || typ.Serialize() != c.want {
			t.Errorf("%s %s, want %s", typ.ExtensionName(), typ.Serialize(), c.want)
		}
		back, err := typ.Deserialize(typ.StorageType(), typ.Serialize())
		if err != nil {
			t.Fatal(err)
		}
		if !arrow.TypeEqual(typ, back) {
			t.Errorf("%s came back as %s", typ, back)
		}
	}
	a, b := NewTensorType(Tensor{Uint8, HWC, 3, 5, 0}), NewTensorType(Tensor{Uint8, CHW, 5, 3, 0})
	if arrow.TypeEqual(a, b) {
		t.Errorf("%s equals %s", a, b)
	}
}

func TestDeserializeRefuses(t *testing.T) {
	list := func(n int32, elem arrow.DataType) arrow.DataType { return arrow.FixedSizeListOf(n, elem) }
	u8 := arrow.PrimitiveTypes.Uint8
	for _, c := range []struct {
		storage arrow.DataType
		data    string
		want    string
	}{
		{list(60, u8), ``, "metadata"},
		{list(60, u8), `{"shape":"4,5,3"}`, "metadata"},
		{list(60, u8), `[4,5,3]`, "metadata"},
		{list(60, u8), `{}`, "not that of RGB or grey pictures"},
		{list(60, arrow.PrimitiveTypes.Float32), `{"shape":[20,3]}`, "not that of RGB or grey pictures"},
		{list(80, u8), `{"shape":[4,5,4]}`, "not that of RGB or grey pictures"},
		{list(60, u8), `{"shape":[4,5,3,1]}`, "not that of RGB or grey pictures"},
		{list(61, u8), `{"shape":[4,5,3]}`, "lists of 61"},
		{list(60, u8), `{"shape":[-4,-5,3]}`, "lists of 60"},
		{list(60, arrow.PrimitiveTypes.Float64), `{"shape":[4,5,3]}`, "float64"},
		{arrow.ListOf(u8), `{"shape":[4,5,3]}`, "not a fixed_size_list"},
	} {
		_, err := (&TensorType{}).Deserialize(c.storage, c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %s: %v, want %q", c.storage, c.data, err, c.want)
		}
	}
}

// Others may leave dim_names out, name them otherwise, or let elements be null.
func TestDeserializeForeign(t *testing.T) {
	for data, want := range map[string]Tensor{
		`{"shape":[4,5,3]}`: {Uint8, HWC, 4, 5, 0},
		`{"shape":[3,4,5]}`: {Uint8, CHW, 4, 5, 0},
		`{"shape":[3,5,4],"dim_names":["channel","row","column"],"permutation":[0,1,2]}`: {Uint8, CHW, 5, 4, 0},
	} {
		typ, err := (&TensorType{}).Deserialize(arrow.FixedSizeListOf(60, arrow.PrimitiveTypes.Uint8), data)
		if err != nil {
			t.Errorf("%s: %v", data, err)
		} else if got := typ.(*TensorType).Tensor; got != want {
			t.Errorf("%s: %s, want %s", data, got, want)
		}
	}
}

func TestRegisterTwice(t *testing.T) {
	for range 3 {
		if err := Register(); err != nil {
			t.Fatal(err)
		}
	}
	if arrow.GetExtensionType(tensorName) == nil {
		t.Fatal("not registered")
	}
}

func TestTensorString(t *testing.T) {
	for want, tensor := range map[string]Tensor{
		"uint8[h,w,3]":      {Uint8, HWC, 0, 0, 0},
		"float32[3,224,w]":  {Float32, CHW, 224, 0, 0},
		"float32[3,10,20]":  {Float32, CHW, 10, 20, 0},
		"uint8[1080,600,3]": {Uint8, HWC, 1080, 600, 0},
		"uint8[1080,600,1]": {Uint8, HWC, 1080, 600, 1},
		"float32[1,10,w]":   {Float32, CHW, 10, 0, 1},
	} {
		if tensor.String() != want {
			t.Errorf("%s, want %s", tensor, want)
		}
	}
}

func FuzzDeserialize(f *testing.F) {
	f.Add(`{"shape":[3,4,5],"dim_names":["C","H","W"]}`, int32(60))
	f.Add(`{"shape":[4611686018427387905,4,3]}`, int32(12)) // 3*h*w overflows to 12
	f.Fuzz(func(t *testing.T, data string, n int32) {
		if n < 0 {
			return
		}
		typ, err := (&TensorType{}).Deserialize(arrow.FixedSizeListOf(max(n, 1), arrow.PrimitiveTypes.Uint8), data)
		if err != nil {
			return
		}
		tensor := typ.(*TensorType).Tensor
		if tensor.Elements() != int(n) || tensor.Height > int(n) || tensor.Width > int(n) {
			t.Errorf("%s with lists of %d became %s", data, n, tensor)
		}
	})
}
