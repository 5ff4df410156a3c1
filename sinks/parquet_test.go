package sinks_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/internal/parquet"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

func TestParquet(t *testing.T) {
	sinktest.FormatTaking(t, func() sinks.Format { return &sinks.Parquet{PartRows: 11, ClassNames: true} }, uint8s)
}

func TestParquetRaw(t *testing.T) {
	sinktest.FormatTaking(t, func() sinks.Format {
		return &sinks.Parquet{Images: sinks.Images{Image: sinks.Raw}, Codec: "zstd", GroupRows: 3}
	}, func(run *schema.Run) bool { return run.Form != schema.FormVarying })
}

// table is a Parquet file: by column the values of all rows, nil for null.
type table struct {
	*parquet.File
	columns map[string][]any
}

func readTable(t *testing.T, data string) table {
	t.Helper()
	r := strings.NewReader(data)
	f, err := parquet.Open(r, int64(len(data)), "huggingface", "sluice.shape", "sluice.dtype", schema.MetaTasks)
	if err != nil {
		t.Fatal(err)
	}
	out := table{f, map[string][]any{}}
	for i := range f.Leaves {
		l := &f.Leaves[i]
		for g := range f.Groups {
			err := f.Values(r, g, i, func(v *parquet.Value) error {
				var value any
				switch {
				case v.Level < l.MaxLevel:
				case l.Type == parquet.ByteArray || l.Type == parquet.FixedLenByteArray:
					value = string(v.Bytes)
				case l.Type == parquet.Float || l.Type == parquet.Double:
					value = v.Float
				default:
					value = v.Int
				}
				out.columns[l.Name()] = append(out.columns[l.Name()], value)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// parquetOf runs into a directory and calls compare with every batch and its file, whose first
// row is row first of the file.
func parquetOf(t *testing.T, run *schema.Run, sink *sinks.Parquet, compare func(b *schema.Batch, f table, first int)) []table {
	t.Helper()
	dir := t.TempDir()
	if err := sink.Into(sinks.Destination{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if err := (sinktest.Delivery{Run: run}).To(t.Context(), sink); err != nil {
		t.Fatal(err)
	}
	var tables []table
	files := sinktest.Files(t, dir)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range files {
			if filepath.Ext(name) == ".parquet" && !yield(name) {
				return
			}
		}
	}) {
		tables = append(tables, readTable(t, files[name]))
	}
	at, rows := 0, 0
	err := (sinktest.Delivery{Run: run, Before: func(b *schema.Batch) error {
		for rows == int(tables[at].Rows) && b.Rows() > 0 {
			at, rows = at+1, 0
		}
		compare(b, tables[at], rows)
		rows += b.Rows()
		return nil
	}}).To(t.Context(), &sinks.Discard{})
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// Every column has the batches' values, the picture their pixels, and the metadata say what
// datasets needs to know.
func TestParquetRows(t *testing.T) {
	run := sinktest.Runs()["params"]
	tables := parquetOf(t, run, &sinks.Parquet{Images: sinks.Images{Image: sinks.PNG}, PartRows: 8, GroupRows: 5, ClassNames: true}, func(b *schema.Batch, f table, first int) {
		for row := range b.Rows() {
			at := first + row
			for name, want := range map[string]any{
				"key": b.Key(row), "weight": float64(b.Weights()[row]), "epoch": int64(b.Epoch), "position": b.Positions()[row],
				"source_index": b.SourceIndexes()[row], "params": b.Params(row),
				"image.path": strings.TrimSuffix(filepath.Base(b.Key(row)), ".jpg") + ".png",
			} {
				if have := f.columns[name][at]; have != want {
					t.Errorf("%s: row %d has %v, want %v", name, at, have, want)
				}
			}
			for task, of := range run.Tasks {
				var label, class any
				if n := b.Labels(task)[row]; n != schema.Unknown {
					label, class = int64(n), of.Classes[n]
				}
				if f.columns["label."+of.Name][at] != label || f.columns["class."+of.Name][at] != class {
					t.Errorf("row %d: %v, %v; want %v, %v", at, f.columns["label."+of.Name][at], f.columns["class."+of.Name][at], label, class)
				}
			}
			img, err := png.Decode(strings.NewReader(f.columns["image.bytes"][at].(string)))
			if err != nil {
				t.Fatal(err)
			}
			n := b.Tensor.Elements()
			for i, want := range b.Uint8()[row*n : (row+1)*n] {
				r, g, b, _ := img.At(i/3%img.Bounds().Dx(), i/3/img.Bounds().Dx()).RGBA()
				if have := []uint32{r, g, b}[i%3] >> 8; have != uint32(want) {
					t.Fatalf("row %d: value %d is %d, want %d", at, i, have, want)
				}
			}
		}
	})
	if len(tables) != 8 || len(tables[0].Groups) != 2 || tables[0].Groups[0].Rows != 5 {
		t.Errorf("%d files, the first of %d row groups", len(tables), len(tables[0].Groups))
	}
	want := `{"info":{"features":{"image":{"_type":"Image"},"label.shape":{"_type":"ClassLabel","names":["circle","star"]},"label.type":{"_type":"ClassLabel","names":["a","b","c"]}}}}`
	if have := tables[0].Meta["huggingface"]; have != want {
		t.Errorf("%s", have)
	}
	var tasks []schema.Task
	if err := json.Unmarshal([]byte(tables[0].Meta[schema.MetaTasks]), &tasks); err != nil || len(tasks) != 2 {
		t.Errorf("%v, %v", tasks, err)
	}
}

// Files that no stage decoded keep their bytes and names; raw pixels are as the batch has them.
func TestParquetImages(t *testing.T) {
	parquetOf(t, sinktest.Runs()["encoded"], &sinks.Parquet{GroupSize: 100}, func(b *schema.Batch, f table, first int) {
		for row := range b.Rows() {
			if f.columns["image.bytes"][first+row] != string(b.Encoded(row)) || f.columns["image.path"][first+row] != filepath.Base(b.Key(row)) {
				t.Errorf("row %d: %q", first+row, f.columns["image.path"][first+row])
			}
		}
	})
	for name, shape := range map[string]string{"uint8": "[5,3,3]", "float32": "[3,4,6]"} {
		run := sinktest.Runs()[name]
		tables := parquetOf(t, run, &sinks.Parquet{Images: sinks.Images{Image: sinks.Raw}, Codec: "snappy"}, func(b *schema.Batch, f table, first int) {
			n := b.Tensor.Elements()
			for row := range b.Rows() {
				have := []byte(f.columns["image"][first+row].(string))
				want := []byte{}
				if name == "uint8" {
					want = b.Uint8()[row*n : (row+1)*n]
				} else {
					for _, v := range b.Float32()[row*n : (row+1)*n] {
						want = binary.LittleEndian.AppendUint32(want, math.Float32bits(v))
					}
				}
				if !bytes.Equal(have, want) {
					t.Errorf("%s: row %d has other pixels", name, first+row)
				}
			}
		})
		if m := tables[0].Meta; m["sluice.shape"] != shape || m["sluice.dtype"] != name || strings.Contains(m["huggingface"], "Image") {
			t.Errorf("%v", m)
		}
	}
}

// Columns of the source are written in their types.
func TestParquetMeta(t *testing.T) {
	run := sinktest.NewRun(schema.FormEncoded, schema.Tensor{})
	run.Epochs, run.RowsPerEpoch, run.BatchesPerEpoch, run.Tasks, run.Counts = 1, 2, 1, nil, nil
	var row []any
	for name, c := range map[string]struct {
		t     arrow.DataType
		value any
		want  any
	}{
		"text": {arrow.BinaryTypes.String, "a", "a"}, "large": {arrow.BinaryTypes.LargeString, "b", "b"},
		"bytes": {arrow.BinaryTypes.Binary, []byte{1}, "\x01"}, "lbytes": {arrow.BinaryTypes.LargeBinary, []byte{2}, "\x02"},
		"bool": {arrow.FixedWidthTypes.Boolean, true, int64(1)}, "i8": {arrow.PrimitiveTypes.Int8, int8(-3), int64(-3)},
		"i16": {arrow.PrimitiveTypes.Int16, int16(-4), int64(-4)}, "i32": {arrow.PrimitiveTypes.Int32, int32(-5), int64(-5)},
		"i64": {arrow.PrimitiveTypes.Int64, int64(-6), int64(-6)}, "u8": {arrow.PrimitiveTypes.Uint8, uint8(200), int64(200)},
		"u16": {arrow.PrimitiveTypes.Uint16, uint16(60000), int64(60000)}, "f32": {arrow.PrimitiveTypes.Float32, float32(0.5), 0.5},
		"f64": {arrow.PrimitiveTypes.Float64, 0.1, 0.1},
	} {
		run.Columns = []schema.Column{{Name: "meta." + name, Type: c.t}}
		row = []any{c.value}
		builder, err := schema.NewBuilder(run, nil)
		if err != nil {
			t.Fatal(err)
		}
		draft := builder.Draft(0, 0, 2)
		for i, values := range [][]any{row, {nil}} {
			draft.SetMeta(i, schema.Meta{Key: fmt.Sprint(i), Position: int64(i), Values: values})
			draft.SetEncoded(i, []byte{1})
		}
		b, err := draft.Finish()
		if err != nil {
			t.Fatal(err)
		}
		sink, dir := &sinks.Parquet{}, t.TempDir()
		if err := sink.Into(sinks.Destination{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		if err := sink.Open(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		if err := sink.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		b.Release()
		if err := sink.Close(nil); err != nil {
			t.Fatal(err)
		}
		have := readTable(t, sinktest.Files(t, dir)["part-00000-of-00001.parquet"]).columns["meta."+name]
		if len(have) != 2 || have[0] != c.want || have[1] != nil {
			t.Errorf("%s: %v, want %v and nil", name, have, c.want)
		}
	}
}

func TestParquetRefuses(t *testing.T) {
	open := func(sink *sinks.Parquet, run *schema.Run) error {
		if err := sink.Into(sinks.Destination{Dir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		return sink.Open(t.Context(), run)
	}
	runs := sinktest.Runs()
	wantError(t, open(&sinks.Parquet{}, runs["float32"]), "sinks: parquet:", "float32[3,4,6]", "image: raw")
	wantError(t, open(&sinks.Parquet{Images: sinks.Images{Image: sinks.Raw}}, runs["varying"]), "different sizes", "jpg or png")
	boxes := runs["encoded"]
	boxes.Columns = []schema.Column{{Name: "meta.boxes", Type: arrow.ListOf(arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Float32}))}}
	wantError(t, open(&sinks.Parquet{}, boxes), `column "meta.boxes"`, "struct", "the format arrow")
	wantError(t, (&sinks.Parquet{Images: sinks.Images{Quality: 101}, Codec: "gzip", PartRows: -1, GroupRows: 1 << 30, GroupSize: -2}).Check(),
		"quality: 101", `codec: unknown codec "gzip"`, "part_rows: -1", "group_rows: 1073741824", "group_size: -2")
}

// A file that was tampered with is a problem that names it, not a crash.
func TestParquetCount(t *testing.T) {
	run := sinktest.Runs()["uint8"]
	for _, c := range []struct {
		column parquet.Column
		label  int64
		want   string
	}{
		{parquet.Column{Path: []string{"label.shape"}, Type: parquet.Int64, Kind: parquet.NoKind}, 1, ""},
		{parquet.Column{Path: []string{"label.shape"}, Type: parquet.Int64, Kind: parquet.NoKind}, -2, "-2 is no class number"},
		{parquet.Column{Path: []string{"label.shape"}, Type: parquet.Int64, Kind: parquet.NoKind}, 1 << 40, "no class number"},
		{parquet.Column{Path: []string{"label.shape"}, Type: parquet.Int32, Kind: parquet.NoKind}, 1, `no column "label.shape"`},
		{parquet.Column{Path: []string{"label"}, Type: parquet.Int64, Kind: parquet.NoKind}, 1, `no column "label.shape"`},
	} {
		var out bytes.Buffer
		w, err := parquet.NewWriter(&out, []parquet.Column{c.column}, parquet.Uncompressed, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Int(0, c.label)
		if err := w.Close("x"); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "a.parquet")
		if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		rows := int64(0)
		err = (&sinks.Parquet{}).Count(t.Context(), file, &sinks.Layout{Tasks: run.Tasks[:1]}, func(n int64, _ [][]int32) error { rows += n; return nil })
		if c.want == "" && (err != nil || rows != 1) {
			t.Errorf("%+v: %d rows, %v", c, rows, err)
		} else if c.want != "" {
			wantError(t, err, c.want, "a.parquet")
		}
	}
}

// Killed before any change to the directory, a run goes on to the same bytes.
func TestParquetKilledAtEveryStep(t *testing.T) {
	for name, options := range map[string]sinks.Parquet{
		"uint8":  {Images: sinks.Images{Image: sinks.Raw}, PartRows: 16, GroupRows: 4},
		"scales": {PartRows: 16, ClassNames: true},
	} {
		run := sinktest.Runs()[name]
		run.Epochs = 1
		sink := func(dir string) *sinks.Parquet {
			s := options
			if err := s.Into(sinks.Destination{Dir: dir}); err != nil {
				t.Fatal(err)
			}
			return &s
		}
		whole := t.TempDir()
		total, _ := runUntil(t, run, sink(whole), 0)
		want := sinktest.Files(t, whole)
		if total < 10 {
			t.Fatalf("%s: %d steps", name, total)
		}
		for n := 1; n <= total; n++ {
			dir := t.TempDir()
			if _, died := runUntil(t, run, sink(dir), n); died == nil {
				t.Fatalf("%s: step %d of %d didn't come", name, n, total)
			}
			runUntil(t, run, sink(dir), 0)
			sinktest.SameFiles(t, want, sinktest.Files(t, dir))
		}
	}
}
