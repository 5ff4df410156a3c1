package sources_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	arrowmemory "github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// col is a column of an Arrow file; a nil value is null, []any a struct's parts.
type col struct {
	name   string
	typ    arrow.DataType
	values []any
}

// hfImage is Hugging Face's type of images.
var hfImage = arrow.StructOf(arrow.Field{Name: "bytes", Type: arrow.BinaryTypes.Binary, Nullable: true},
	arrow.Field{Name: "path", Type: arrow.BinaryTypes.String, Nullable: true})

var varying = arrow.StructOf(arrow.Field{Name: "height", Type: arrow.PrimitiveTypes.Int32}, arrow.Field{Name: "width", Type: arrow.PrimitiveTypes.Int32},
	arrow.Field{Name: "pixels", Type: arrow.BinaryTypes.LargeBinary})

// tensorField is what marks a column as one of tensors.
func tensorField(shape string) arrow.Metadata {
	return arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{"arrow.fixed_shape_tensor", shape})
}

// arrowBytes is an Arrow file, or a stream, in record batches of so many rows.
func arrowBytes(t testing.TB, stream bool, rows int, metadata map[string]string, fields map[string]arrow.Metadata, columns []col, options ...ipc.Option) []byte {
	t.Helper()
	var list []arrow.Field
	for _, c := range columns {
		list = append(list, arrow.Field{Name: c.name, Type: c.typ, Nullable: true, Metadata: fields[c.name]})
	}
	md := arrow.MetadataFrom(metadata)
	s := arrow.NewSchema(list, &md)
	var out seekable
	options = append(options, ipc.WithSchema(s))
	var w interface {
		Write(arrow.Record) error
		Close() error
	} = ipc.NewWriter(&out, options...)
	if !stream {
		out.Reset()
		var err error
		w, err = ipc.NewFileWriter(&out, options...)
		must(t, err)
	}
	b := array.NewRecordBuilder(arrowmemory.DefaultAllocator, s)
	defer b.Release()
	for from := 0; from < len(columns[0].values); from += rows {
		for i, c := range columns {
			for _, v := range c.values[from:min(from+rows, len(c.values))] {
				appendValue(t, b.Field(i), v)
			}
		}
		rec := b.NewRecord()
		must(t, w.Write(rec))
		rec.Release()
	}
	must(t, w.Close())
	return out.Bytes()
}

type seekable struct{ bytes.Buffer }

func (s *seekable) Seek(int64, int) (int64, error) { return int64(s.Len()), nil }

func appendValue(t testing.TB, b array.Builder, v any) {
	t.Helper()
	if v == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.BinaryBuilder:
		b.Append([]byte(v.(string)))
	case *array.Int32Builder:
		b.Append(int32(v.(int)))
	case *array.Int64Builder:
		b.Append(int64(v.(int)))
	case *array.Float32Builder:
		b.Append(float32(v.(float64)))
	case *array.Float64Builder:
		b.Append(v.(float64))
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.BinaryDictionaryBuilder:
		must(t, b.AppendString(v.(string)))
	case *array.ListBuilder:
		b.Append(true)
		for _, one := range v.([]any) {
			appendValue(t, b.ValueBuilder(), one)
		}
	case *array.FixedSizeListBuilder:
		b.Append(true)
		for _, one := range []byte(v.(string)) {
			switch e := b.ValueBuilder().(type) {
			case *array.Uint8Builder:
				e.Append(one)
			case *array.Float32Builder:
				e.Append(float32(one))
			}
		}
	case *array.StructBuilder:
		b.Append(true)
		for i, one := range v.([]any) {
			appendValue(t, b.FieldBuilder(i), one)
		}
	default:
		t.Fatalf("no value for %T", b)
	}
}

const twoTasks = `[{"name":"shape","classes":["square","circle"]},{"name":"color","classes":["red"]}]`

// oursColumns are those that sluice writes.
func oursColumns(image col) []col {
	n := len(image.values)
	c := []col{{"key", arrow.BinaryTypes.String, nil}, image, {"label.shape", arrow.PrimitiveTypes.Int32, nil}, {"label.color", arrow.PrimitiveTypes.Int32, nil},
		{"meta.camera", arrow.BinaryTypes.String, nil}, {"meta.iso", arrow.PrimitiveTypes.Int64, nil}, {"weight", arrow.PrimitiveTypes.Float32, nil},
		{"epoch", arrow.PrimitiveTypes.Int32, nil}, {"position", arrow.PrimitiveTypes.Int64, nil}, {"source_index", arrow.PrimitiveTypes.Int64, nil}}
	for i := range n {
		for k, v := range []any{fmt.Sprintf("%c.jpg", 'z'-i), nil, i % 2, nil, "old", 100 * i, 0.5 * float64(i+1), 0, i, i} {
			switch {
			case k == 1:
				continue
			case k == 3 && i == 0:
				v = 0
			}
			c[k].values = append(c[k].values, v)
		}
	}
	return c
}

var encodedImages = col{"image", arrow.BinaryTypes.LargeBinary, []any{"first", "2nd", "", "the fourth", "fifth"}}

func TestArrowEncoded(t *testing.T) {
	for _, stream := range []bool{false, true} {
		for name, options := range map[string][]ipc.Option{"none": nil, "lz4": {ipc.WithLZ4()}, "zstd": {ipc.WithZstd()}} {
			t.Run(fmt.Sprint(name, stream), func(t *testing.T) {
				path := write(t, t.TempDir(), "a.arrow", string(arrowBytes(t, stream, 2, map[string]string{schema.MetaTasks: twoTasks}, nil, oursColumns(encodedImages), options...)))
				sourcetest.Run(t, func() sources.Source { return sources.Arrow{Path: path} })
				d := open(t, sources.Arrow{Path: path})
				x := d.Index()
				if diff := cmp.Diff([]schema.Task{{Name: "shape", Classes: []string{"square", "circle"}}, {Name: "color", Classes: []string{"red"}}}, x.Tasks()); diff != "" {
					t.Error(diff)
				}
				// Keys are sorted, so rows come backwards.
				for i, want := range []string{"fifth", "the fourth", "", "2nd", "first"} {
					row := 4 - i
					got, err := d.Read(context.Background(), i, nil)
					must(t, err)
					color := schema.Unknown
					if row == 0 {
						color = 0
					}
					if string(got) != want || x.Key(i) != fmt.Sprintf("%c.jpg", 'z'-row) || x.Label(0, i) != int32(row%2) || x.Label(1, i) != color ||
						x.Weight(i) != 0.5*float32(row+1) || x.Value(0, i) != "old" || x.Value(1, i) != int64(100*row) {
						t.Errorf("sample %d: %q, %s, labels %d %d, weight %v, %v %v", i, got, x.Key(i), x.Label(0, i), x.Label(1, i), x.Weight(i), x.Value(0, i), x.Value(1, i))
					}
				}
				d = open(t, sources.Arrow{Path: path, Tasks: []string{"color"}, Meta: sources.Meta{{Name: "iso", Type: sources.MetaText}}})
				if x := d.Index(); len(x.Tasks()) != 1 || len(x.Columns()) != 1 || x.Value(0, 0) != "400" {
					t.Errorf("%v %v", x.Tasks(), x.Columns())
				}
			})
		}
	}
}

// Pixels are read as a PPM or PGM, and RGB ones that are mapped are lent.
func TestArrowPixels(t *testing.T) {
	rgb := []any{"abcdefghijkl", "ABCDEFGHIJKL", nil}
	list := func(n int32) arrow.DataType { return arrow.FixedSizeListOf(n, arrow.PrimitiveTypes.Uint8) }
	for _, c := range []struct {
		name  string
		shape string
		image col
		want  []string
		lent  bool
	}{
		{"hwc", `{"shape":[1,4,3]}`, col{"image", list(12), rgb}, []string{"P6\n4 1\n255\nabcdefghijkl", "P6\n4 1\n255\nABCDEFGHIJKL"}, true},
		{"chw", `{"shape":[3,2,2],"dim_names":["C","H","W"]}`, col{"image", list(12), rgb}, []string{"P6\n2 2\n255\naeibfjcgkdhl", "P6\n2 2\n255\nAEIBFJCGKDHL"}, false},
		{"grey", `{"shape":[3,4]}`, col{"image", list(12), rgb}, []string{"P5\n4 3\n255\nabcdefghijkl", "P5\n4 3\n255\nABCDEFGHIJKL"}, false},
		{"grey, 3 dimensions", `{"shape":[3,4,1]}`, col{"image", list(12), rgb}, []string{"P5\n4 3\n255\nabcdefghijkl", "P5\n4 3\n255\nABCDEFGHIJKL"}, false},
		{"varying", "", col{"image", varying, []any{[]any{1, 2, "abcdef"}, []any{2, 1, "ABCDEF"}, nil}}, []string{"P6\n2 1\n255\nabcdef", "P6\n1 2\n255\nABCDEF"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			fields := map[string]arrow.Metadata{}
			if c.shape != "" {
				fields["image"] = tensorField(c.shape)
			}
			path := write(t, t.TempDir(), "a.arrow", string(arrowBytes(t, false, 2, nil, fields, []col{c.image})))
			sourcetest.Run(t, func() sources.Source { return sources.Arrow{Path: path} })
			d := open(t, sources.Arrow{Path: path})
			if h, w, ok := sources.SizeOf(d); ok != (c.name != "varying") || ok && !strings.Contains(c.want[0], fmt.Sprintf("\n%d %d\n", w, h)) {
				t.Errorf("pictures of size %d x %d, %v", h, w, ok)
			}
			for i, want := range c.want {
				got, err := d.Read(context.Background(), i, nil)
				if err != nil || string(got) != want {
					t.Errorf("row %d: %q, %v: want %q", i, got, err, want)
				}
				lent, ok := d.(sources.Lender).Lend(context.Background(), i)
				if runtime.GOOS == "linux" && ok != (c.lent && runtime.GOARCH != "386") {
					t.Errorf("row %d: lent %v", i, ok)
				}
				if ok && (!strings.HasSuffix(want, string(lent.U8)) || lent.Layout != schema.HWC || 3*lent.Height*lent.Width != len(lent.U8)) {
					t.Errorf("row %d: lends %v", i, lent)
				}
			}
			if _, err := d.Read(context.Background(), 2, nil); !errors.Is(err, sources.ErrMissing) {
				t.Errorf("null: %v, want ErrMissing", err)
			}
			if _, ok := d.(sources.Lender).Lend(context.Background(), 2); ok {
				t.Error("null is lent")
			}
			if key := d.Index().Key(1); key != "a.arrow#1" {
				t.Errorf("key %q", key)
			}
		})
	}
}

// Files of others: tasks and meta name columns, of all types that can be labels.
func TestArrowOfOthers(t *testing.T) {
	dictionary := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	columns := []col{
		{"picture", hfImage, []any{[]any{"one", "1.jpg"}, []any{"two", nil}, []any{nil, nil}}},
		{"text", arrow.BinaryTypes.LargeString, []any{"dog", nil, "cat"}},
		{"word", dictionary, []any{"b", "a", nil}},
		{"number", arrow.PrimitiveTypes.Int64, []any{10, 9, nil}},
		{"yes", arrow.FixedWidthTypes.Boolean, []any{true, nil, false}},
		{"score", arrow.PrimitiveTypes.Float64, []any{0.25, nil, 1.0}},
		{"boxes", arrow.ListOf(arrow.PrimitiveTypes.Int64), []any{nil, nil, nil}},
	}
	columns[1].typ = arrow.BinaryTypes.String
	dir := t.TempDir()
	write(t, dir, "b.arrow", string(arrowBytes(t, false, 2, nil, nil, columns)))
	write(t, dir, "a.feather", string(arrowBytes(t, true, 3, nil, nil, columns)))
	write(t, dir, "notes.txt", "")
	source := sources.Arrow{Path: dir, Image: "picture", Tasks: []string{"text", "word", "number", "yes"}, Meta: sources.Meta{{Name: "score"}}}
	sourcetest.Run(t, func() sources.Source { return source })
	d := open(t, source)
	x := d.Index()
	var got []string
	for i := range x.Len() {
		text := x.Key(i)
		for task := range x.Tasks() {
			if label := x.Label(task, i); label >= 0 {
				text += " " + x.Tasks()[task].Classes[label]
			} else {
				text += " -"
			}
		}
		got = append(got, text+fmt.Sprint(" ", x.Value(0, i)))
	}
	want := []string{
		"a.feather#0 dog b 10 true 0.25", "a.feather#1 - a 9 - <nil>", "a.feather#2 cat - - false 1",
		"b.arrow#0 dog b 10 true 0.25", "b.arrow#1 - a 9 - <nil>", "b.arrow#2 cat - - false 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"9", "10"}, x.Tasks()[2].Classes); diff != "" {
		t.Error(diff)
	}
	fails(t, sources.Arrow{Path: dir, Image: "picture", Tasks: []string{"score"}, Meta: sources.Meta{{Name: "boxes"}}}, `"a.feather"`, `column "score" has the type float64`, `"boxes" has the type list<int64>`)
	fails(t, sources.Arrow{Path: dir}, `there is no column "image"`, `"picture", "text"`)
	fails(t, sources.Arrow{Path: dir, Image: "text"}, `column "text" has the type utf8`)
	fails(t, sources.Arrow{Path: dir, Epoch: new(int)}, "manifest.json")
	paths := []col{{"image", hfImage, []any{[]any{nil, "../secret"}}}}
	fails(t, sources.Arrow{Path: write(t, t.TempDir(), "p.arrow", string(arrowBytes(t, false, 1, nil, nil, paths)))}, `row 0`, `"../secret"`)
}

func TestArrowRefuses(t *testing.T) {
	floats := col{"image", arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Float32), []any{"abc"}}
	bytes := col{"image", arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Uint8), []any{"abc"}}
	file := func(metadata map[string]string, fields map[string]arrow.Metadata, columns ...col) sources.Source {
		return sources.Arrow{Path: write(t, t.TempDir(), "a.arrow", string(arrowBytes(t, false, 2, metadata, fields, columns)))}
	}
	shape := func(text string) map[string]arrow.Metadata {
		return map[string]arrow.Metadata{"image": tensorField(text)}
	}
	fails(t, file(nil, shape(`{"shape":[1,1,3]}`), floats), `"a.arrow"`, "float32 pixels", "materialize")
	fails(t, file(nil, nil, bytes), "says no shape")
	fails(t, file(nil, shape(`{"shape":[1,1,4]}`), bytes), "shape [1 1 4]")
	fails(t, file(nil, shape(`{"shape":[3,9223372036854775807,3]}`), bytes), "shape")
	fails(t, file(nil, shape(`{"shape":`), bytes), "damaged")
	fails(t, file(nil, nil, col{"image", arrow.BinaryTypes.Binary, []any{nil, nil}}), "all of its images (2) are missing")
	fails(t, file(nil, nil, col{"image", varying, []any{[]any{1, 2, "abcdef"}, []any{2, 2, "ABCDEF"}}}), "row 1", "a picture of 2 x 2 with 6 bytes")
	ours := func(tasks string) map[string]string { return map[string]string{schema.MetaTasks: tasks} }
	label := col{"label.a", arrow.PrimitiveTypes.Int32, []any{0, 3}}
	image := col{"image", arrow.BinaryTypes.Binary, []any{"x", "y"}}
	fails(t, file(ours(`[{"name":"a","classes":["b","c"]}]`), nil, image, label), `row 1: column "label.a": damaged: class 3 of 2`)
	fails(t, file(ours(`[{"name":"a","classes":["b","b"]}]`), nil, image, label), "damaged", `"b" repeats class 0`)
	fails(t, file(ours(`[{"name":"other","classes":["b"]}]`), nil, image, label), `there is no column "label.other"`)
	fails(t, file(ours(`{`), nil, image, label), "damaged: metadata sluice.tasks")
	classes := col{"label.a", arrow.PrimitiveTypes.Int32, []any{0, 1}}
	sharesOf := func(row ...any) col {
		return col{"label.a.shares", schema.SharesColumn("a").Type, []any{[]any{[]any{0, 1.0}}, row}}
	}
	for want, row := range map[string][]any{
		"class 2 of 2 with the share 0.5":  {[]any{0, 0.5}, []any{2, 0.5}},
		"class -1 of 2 with the share 1":   {[]any{-1, 1.0}},
		"class 0 of 2 with the share 0.5":  {[]any{0, 0.5}, []any{0, 0.5}},
		"class 1 of 2 with the share 0":    {[]any{0, 1.0}, []any{1, 0.0}},
		"class 0 of 2 with the share 1.5":  {[]any{0, 1.5}},
		"the shares add up to 0.5":         {[]any{0, 0.25}, []any{1, 0.25}},
		"the shares add up to 0, not to 1": {},
	} {
		fails(t, file(ours(`[{"name":"a","classes":["b","c"]}]`), nil, image, classes, sharesOf(row...)), `"a.arrow": row 1: column "label.a.shares": damaged`, want)
	}
	weights := col{"weight", arrow.PrimitiveTypes.Float32, []any{1.0, -1.0}}
	fails(t, file(ours(`[]`), nil, image, weights), `row 1: column "weight": -1 is not a weight`)
	fails(t, sources.Arrow{Path: filepath.Join(t.TempDir(), "none")}, "there is no such file or directory")
	fails(t, sources.Arrow{Path: t.TempDir()}, "no file ending in .arrow")
	fails(t, sources.Arrow{Path: write(t, t.TempDir(), "a.arrow", "")}, "not an Arrow file or stream")
	fails(t, sources.Arrow{Path: write(t, t.TempDir(), "a.arrow", "key,image\n1,2\n")}, "not an Arrow file or stream")
	fails(t, sources.Arrow{Scale: -1, Meta: sources.Meta{{Name: "image"}}}, "path: is missing", "scale", `"image" is already the column of the images`)
}

// materialized makes a directory as sluice materialize does, of 2 scales and 2 epochs.
func materialized(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var parts []string
	for _, scale := range []string{"0.5", "1"} {
		must(t, os.Mkdir(filepath.Join(dir, "scale-"+scale), 0o755))
		for epoch := range 2 {
			image := col{"image", arrow.BinaryTypes.LargeBinary, []any{fmt.Sprint("scale ", scale, " epoch ", epoch)}}
			data := arrowBytes(t, false, 2, map[string]string{schema.MetaTasks: twoTasks}, nil, oursColumns(image))
			name := fmt.Sprintf("scale-%s/part-%05d-of-00002.arrow", scale, epoch)
			write(t, dir, name, string(data))
			parts = append(parts, fmt.Sprintf(`{"name":%q,"rows":1,"bytes":%d,"epoch":%d}`, name, len(data), epoch))
		}
	}
	text := fmt.Sprintf(`{"version":2,"format":"arrow","variants":[{"folder":"scale-0.5","scale":0.5},{"folder":"scale-1","scale":1}],"epochs":2,"parts":[%s]}`, strings.Join(parts, ","))
	write(t, dir, "plan.json", text)
	write(t, dir, "manifest.json", text)
	return dir
}

func TestArrowDirectory(t *testing.T) {
	dir := materialized(t)
	one := 1
	sourcetest.Run(t, func() sources.Source { return sources.Arrow{Path: dir, Scale: 0.5, Epoch: &one} })
	d := open(t, sources.Arrow{Path: dir, Scale: 0.5, Epoch: &one})
	got, err := d.Read(context.Background(), 0, nil)
	if err != nil || string(got) != "scale 0.5 epoch 1" || d.Index().Len() != 1 {
		t.Errorf("%q, %v", got, err)
	}
	fails(t, sources.Arrow{Path: dir}, "scale: it holds the scales 0.5, 1: say which")
	fails(t, sources.Arrow{Path: dir, Scale: 2}, "scale: it holds no scale 2, but 0.5, 1")
	fails(t, sources.Arrow{Path: dir, Scale: 1}, "epoch: it holds the epochs 0 to 1: say which")
	two := 2
	fails(t, sources.Arrow{Path: dir, Scale: 1, Epoch: &two}, "epoch: it holds the epochs 0 to 1")

	part := filepath.Join(dir, "scale-0.5", "part-00001-of-00002.arrow")
	data, err := os.ReadFile(part)
	must(t, err)
	must(t, os.WriteFile(part, data[:len(data)-1], 0o600))
	fails(t, sources.Arrow{Path: dir, Scale: 0.5, Epoch: &one}, "its manifest.json says", "sluice verify")
	must(t, os.Remove(part))
	fails(t, sources.Arrow{Path: dir, Scale: 0.5, Epoch: &one}, `lacks the part "scale-0.5/part-00001-of-00002.arrow"`)
	manifest := filepath.Join(dir, "manifest.json")
	text, err := os.ReadFile(manifest)
	must(t, err)
	must(t, os.WriteFile(manifest, text[:len(text)/2], 0o600))
	fails(t, sources.Arrow{Path: dir}, "manifest.json: damaged")
	must(t, os.WriteFile(manifest, []byte(strings.ReplaceAll(string(text), "scale-1", "..")), 0o600))
	fails(t, sources.Arrow{Path: dir, Scale: 1, Epoch: &one}, "damaged: a part has the name")
	must(t, os.Remove(manifest))
	fails(t, sources.Arrow{Path: dir}, "it isn't finished")
}

// A file that changes after it was listed gives an error that says so.
func TestArrowChanged(t *testing.T) {
	path := write(t, t.TempDir(), "a.arrow", string(arrowBytes(t, false, 2, nil, nil, []col{encodedImages})))
	for _, change := range []func(){
		func() { must(t, os.Truncate(path, 100)) },
		func() {
			must(t, os.WriteFile(path, arrowBytes(t, false, 2, nil, nil, []col{{"image", arrow.BinaryTypes.Binary, []any{"x"}}}), 0o600))
		},
		func() { must(t, os.Remove(path)) },
	} {
		must(t, os.WriteFile(path, arrowBytes(t, false, 2, nil, nil, []col{encodedImages}), 0o600))
		d := open(t, sources.Arrow{Path: path})
		change()
		if got, err := d.Read(context.Background(), 0, nil); err == nil || errors.Is(err, sources.ErrMissing) || !strings.Contains(err.Error(), "start again") {
			t.Errorf("read %q, %v", got, err)
		}
		if strconv.IntSize < 64 {
			continue // files aren't mapped, and nothing is lent
		}
		if err := d.(sources.Lender).Unchanged(context.Background(), 0); err == nil {
			t.Error("Unchanged says nothing")
		}
	}
}
