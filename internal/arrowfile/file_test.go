package arrowfile

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/internal/mapfile"
)

var (
	testFields = []arrow.Field{
		{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "large", Type: arrow.BinaryTypes.LargeBinary, Nullable: true},
		{Name: "i8", Type: arrow.PrimitiveTypes.Int8, Nullable: true},
		{Name: "u16", Type: arrow.PrimitiveTypes.Uint16, Nullable: true},
		{Name: "i64", Type: arrow.PrimitiveTypes.Int64},
		{Name: "f32", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
		{Name: "f64", Type: arrow.PrimitiveTypes.Float64},
		{Name: "bool", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "time", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "words", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, Nullable: true},
		{Name: "image", Type: arrow.StructOf(
			arrow.Field{Name: "bytes", Type: arrow.BinaryTypes.Binary, Nullable: true},
			arrow.Field{Name: "path", Type: arrow.BinaryTypes.String, Nullable: true}), Nullable: true},
		{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Uint8), Nullable: true},
		{Name: "tensor", Type: arrow.FixedSizeListOf(6, arrow.PrimitiveTypes.Uint8)},
		{Name: "fixed", Type: &arrow.FixedSizeBinaryType{ByteWidth: 3}, Nullable: true},
		{Name: "none", Type: arrow.Null, Nullable: true},
	}
	testMetadata = arrow.NewMetadata([]string{"a", "b"}, []string{"1", "2"})
)

// seekable is a bytes.Buffer that the writer of files takes; it only asks where it is.
type seekable struct{ bytes.Buffer }

func (s *seekable) Seek(int64, int) (int64, error) { return int64(s.Len()), nil }

const (
	testRows    = 7
	testBatches = 3
)

// is reports whether a value of the test's columns is null.
func isNull(column, row int) bool { return (column+row)%3 == 0 }

func textAt(column, row int) string { return strings.Repeat(fmt.Sprint(column, row), row%4) }

// write makes a file or stream of every type.
func write(t testing.TB, asFile bool, options ...ipc.Option) []byte {
	t.Helper()
	s := arrow.NewSchema(testFields, &testMetadata)
	var out seekable
	options = append(options, ipc.WithSchema(s))
	var w interface {
		Write(arrow.Record) error
		Close() error
	} = ipc.NewWriter(&out, options...)
	if asFile {
		var err error
		if w, err = ipc.NewFileWriter(&out, options...); err != nil {
			t.Fatal(err)
		}
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	words := b.Field(9).(*array.BinaryDictionaryBuilder)
	for _, word := range []string{"cat", "dog", "eel"} { // all in the first batch: files have no deltas
		if err := words.AppendString(word); err != nil {
			t.Fatal(err)
		}
	}
	b.Field(9).NewArray().Release()
	for n := range testBatches {
		for i := range testRows {
			row := n*testRows + i
			for c := range testFields {
				appendTo(t, b.Field(c), c, row)
			}
		}
		rec := b.NewRecord()
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func appendTo(t testing.TB, b array.Builder, c, row int) {
	if testFields[c].Nullable && isNull(c, row) || testFields[c].Name == "none" {
		b.AppendNull()
		return
	}
	text := textAt(c, row)
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(text)
	case *array.BinaryBuilder:
		b.Append([]byte(text))
	case *array.Int8Builder:
		b.Append(int8(-row))
	case *array.Uint16Builder:
		b.Append(uint16(60000 + row))
	case *array.Int64Builder:
		b.Append(math.MinInt64 + int64(row))
	case *array.Float32Builder:
		b.Append(float32(row) / 4)
	case *array.Float64Builder:
		b.Append(-float64(row) / 3)
	case *array.BooleanBuilder:
		b.Append(row%2 == 0)
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(row))
	case *array.BinaryDictionaryBuilder:
		if err := b.AppendString([]string{"cat", "dog", "eel"}[row%3]); err != nil {
			t.Fatal(err)
		}
	case *array.StructBuilder:
		b.Append(true)
		if row%2 == 0 {
			b.FieldBuilder(0).AppendNull()
		} else {
			b.FieldBuilder(0).(*array.BinaryBuilder).Append([]byte(text))
		}
		b.FieldBuilder(1).(*array.StringBuilder).Append(text + ".jpg")
	case *array.ListBuilder:
		b.Append(true)
		b.ValueBuilder().(*array.Uint8Builder).AppendValues([]byte(text), nil)
	case *array.FixedSizeListBuilder:
		b.Append(true)
		b.ValueBuilder().(*array.Uint8Builder).AppendValues([]byte{1, 2, 3, 4, 5, byte(row)}, nil)
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte{7, 8, byte(row)})
	default:
		t.Fatalf("no value for %T", b)
	}
}

// check compares every cell of a file that write made.
func check(t *testing.T, f *File) {
	t.Helper()
	if f.Rows() != testRows*testBatches || f.Batches() != testBatches || f.Schema.Metadata["b"] != "2" {
		t.Fatalf("%d rows in %d batches, metadata %v", f.Rows(), f.Batches(), f.Schema.Metadata)
	}
	all := make([]int, len(testFields))
	for i := range all {
		all[i] = i
	}
	for row := range int(f.Rows()) {
		n := f.Batch(int64(row))
		first, _ := f.Span(n)
		if n != row/testRows || first != int64(n*testRows) {
			t.Fatalf("row %d is in batch %d, which begins at %d", row, n, first)
		}
		columns, err := f.Columns(n, all...)
		if err != nil {
			t.Fatal(err)
		}
		for c, column := range columns {
			got, err := cell(column, int64(row)-first)
			if want := wanted(c, row); err != nil || got != want {
				t.Errorf("column %q, row %d: %q, %v: want %q", testFields[c].Name, row, got, err, want)
			}
		}
	}
}

// wanted is what cell gives for the value that appendTo writes.
func wanted(c, row int) string {
	f := testFields[c]
	if f.Nullable && isNull(c, row) || f.Name == "none" {
		return "null"
	}
	text := textAt(c, row)
	switch f.Name {
	case "i8":
		return fmt.Sprint(-row)
	case "u16":
		return fmt.Sprint(60000 + row)
	case "i64":
		return fmt.Sprint(math.MinInt64 + int64(row))
	case "f32":
		return fmt.Sprint(float64(row) / 4)
	case "f64":
		return fmt.Sprint(-float64(row) / 3)
	case "bool":
		return fmt.Sprint(1 - row%2)
	case "time":
		return "other"
	case "words":
		return []string{"cat", "dog", "eel"}[row%3]
	case "image":
		if row%2 == 0 {
			return "null " + text + ".jpg"
		}
		return text + " " + text + ".jpg"
	case "tensor":
		return string([]byte{1, 2, 3, 4, 5, byte(row)})
	case "fixed":
		return string([]byte{7, 8, byte(row)})
	}
	return text
}

// cell is a value as text.
func cell(c *Column, row int64) (string, error) {
	if null, err := c.Null(row); null || err != nil {
		return "null", err
	}
	switch c.Type.Kind {
	case Other:
		return "other", nil
	case Struct:
		var parts []string
		for _, p := range c.Parts {
			text, err := cell(p, row)
			if err != nil {
				return "", err
			}
			parts = append(parts, text)
		}
		return strings.Join(parts, " "), nil
	case Text:
		text, _, err := c.Text(row)
		return text, err
	case Binary, FixedBinary, List, FixedList:
		r, err := c.Range(row)
		if err != nil {
			return "", err
		}
		b := make([]byte, r.Len())
		if err := r.Copy(b); err != nil {
			return "", err
		}
		same, err := r.Bytes()
		if err != nil || !bytes.Equal(b, same) {
			return "", fmt.Errorf("Bytes gives %q (%w), Copy %q", same, err, b)
		}
		return string(b), nil
	}
	bits, _, err := c.Number(row)
	switch c.Type.Kind {
	case Int:
		return fmt.Sprint(int64(bits)), err
	case Float:
		return fmt.Sprint(math.Float64frombits(bits)), err
	}
	return fmt.Sprint(bits), err
}

// opened opens bytes without a map, and with one where that is possible.
func opened(t *testing.T, data []byte, do func(t *testing.T, f *File)) {
	t.Helper()
	cache := NewCache(1 << 20)
	t.Run("read", func(t *testing.T) {
		f, err := Open(bytes.NewReader(data), int64(len(data)), cache)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		do(t, f)
	})
	if !Mappable(int64(len(data))) {
		return
	}
	t.Run("mapped", func(t *testing.T) {
		f, err := mapped(t, data, cache)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		do(t, f)
	})
}

func mapped(t *testing.T, data []byte, cache *Cache) (*File, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.arrow")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := mapfile.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return Map(m, cache)
}

func TestEveryType(t *testing.T) {
	for name, options := range map[string][]ipc.Option{"plain": nil, "lz4": {ipc.WithLZ4()}, "zstd": {ipc.WithZstd()}} {
		for _, asFile := range []bool{true, false} {
			data := write(t, asFile, options...)
			t.Run(fmt.Sprint(name, asFile), func(t *testing.T) { opened(t, data, check) })
		}
	}
}

// look reads every value of every column, whatever is wrong with the file.
func look(data []byte, cache *Cache) error {
	f, err := Open(bytes.NewReader(data), int64(len(data)), cache)
	if err != nil {
		return err
	}
	defer f.Close()
	return Protect(func() error {
		var errs []error
		for n := range f.Batches() {
			first, end := f.Span(n)
			for i := range f.Schema.Fields {
				list, err := f.Columns(n, i)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				for row := range min(end-first, 100) {
					if _, err := cell(list[0], row); err != nil {
						errs = append(errs, err)
					}
				}
			}
		}
		return errors.Join(errs...)
	})
}

// An error that Protect made of a panic is one that a check should have found.
func unforeseen(err error) bool { return err != nil && strings.Contains(err.Error(), "runtime error") }

func TestTruncated(t *testing.T) {
	for _, asFile := range []bool{true, false} {
		data := write(t, asFile, ipc.WithLZ4())
		for n := range len(data) {
			if err := look(data[:n], NewCache(1<<20)); err == nil {
				t.Fatalf("file %v: the first %d of %d bytes are read without an error", asFile, n, len(data))
			}
		}
		if err := look(append(bytes.Clone(data), 0), NewCache(1<<20)); err == nil {
			t.Errorf("file %v: a byte behind the end is no error", asFile)
		}
	}
}

// Flipped bits give errors or other values, never a crash, nor more memory than the file has a
// claim to.
func TestFlippedBits(t *testing.T) {
	var before, after runtime.MemStats
	for _, asFile := range []bool{true, false} {
		for _, options := range [][]ipc.Option{nil, {ipc.WithZstd()}} {
			data := write(t, asFile, options...)
			step := 3 // prime to the sizes of words, tables and buffers
			if testing.Short() {
				step = 31
			}
			runtime.ReadMemStats(&before)
			most := uint64(0)
			for at := 0; at < len(data); at += step {
				for _, mask := range []byte{1, 0x80} {
					bad := bytes.Clone(data)
					bad[at] ^= mask
					_ = look(bad, NewCache(1<<20))
				}
				if at%100 == 0 {
					runtime.ReadMemStats(&after)
					most = max(most, after.HeapAlloc)
				}
			}
			if most > before.HeapAlloc+256<<20 {
				t.Errorf("%d MiB are in use", most>>20)
			}
		}
	}
}

// A file that is truncated while it is mapped gives an error to whoever reads it, in any goroutine.
func TestTruncatedWhileMapped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere the kind of fault differs")
	}
	name := filepath.Join(t.TempDir(), "file.arrow")
	s := arrow.NewSchema([]arrow.Field{{Name: "image", Type: arrow.BinaryTypes.LargeBinary}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	const size = 100_000
	for range 10 {
		b.Field(0).(*array.BinaryBuilder).Append(make([]byte, size))
	}
	var out seekable
	w, err := ipc.NewFileWriter(&out, ipc.WithSchema(s))
	if err != nil {
		t.Fatal(err)
	}
	rec := b.NewRecord()
	defer rec.Release()
	if err := errors.Join(w.Write(rec), w.Close(), os.WriteFile(name, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	m, err := mapfile.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Map(m, NewCache(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func(row int64) error {
		return Protect(func() error {
			c, err := f.Kept(0, 0)
			if err != nil {
				return err
			}
			r, err := c.Range(row)
			if err != nil {
				return err
			}
			return r.Copy(make([]byte, size))
		})
	}
	if err := read(9); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 4096); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for row := range int64(10) {
		all.Go(func() {
			if err := read(row); !errors.Is(err, mapfile.ErrFault) {
				t.Errorf("row %d: %v, want ErrFault", row, err)
			}
		})
	}
	all.Wait()
}

// A compressed buffer is decompressed once while the cache has room, and the cache keeps to
// its limit.
func TestCache(t *testing.T) {
	c := NewCache(100)
	made := 0
	get := func(at, size int64) {
		t.Helper()
		b, err := c.get(span{at: at, size: size}, func() ([]byte, error) { made++; return make([]byte, size), nil })
		if err != nil || int64(len(b)) != size {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	}
	for range 3 {
		get(1, 40)
		get(2, 40)
	}
	if made != 2 {
		t.Errorf("2 buffers were made %d times", made)
	}
	get(3, 40) // 1 goes
	get(2, 40)
	get(1, 40)
	if made != 4 || c.mu.bytes > 100 {
		t.Errorf("made %d times, %d bytes are kept", made, c.mu.bytes)
	}
	get(4, 1000) // too large to keep
	if c.mu.bytes > 100 || c.mu.recent.Len() != len(c.mu.entries) {
		t.Errorf("%d bytes are kept", c.mu.bytes)
	}
	failed := errors.New("failed")
	for range 2 {
		if _, err := c.get(span{at: 9, size: 1}, func() ([]byte, error) { made++; return nil, failed }); !errors.Is(err, failed) {
			t.Error(err)
		}
	}
	if made != 7 {
		t.Errorf("made %d times: an error must not be kept", made)
	}
}

func FuzzFile(f *testing.F) {
	for _, asFile := range []bool{true, false} {
		f.Add(write(f, asFile))
		f.Add(write(f, asFile, ipc.WithZstd()))
		f.Add(write(f, asFile, ipc.WithLZ4()))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := look(data, NewCache(1<<20)); unforeseen(err) {
			t.Logf("not foreseen: %v", err)
		}
	})
}
