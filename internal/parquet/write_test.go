package parquet

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// written is one value of a test's column: nil, int64, float64 or string.
type written any

// write makes a file of columns with values, in row groups of size rows.
func write(t *testing.T, columns []Column, values [][]written, size int, codec Codec) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, columns, codec, []Pair{{"a", "1"}, {"b", "2"}})
	if err != nil {
		t.Fatal(err)
	}
	for row := range values[0] {
		if row > 0 && row%size == 0 {
			if err := w.EndGroup(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range columns {
			switch v := values[i][row].(type) {
			case nil:
				w.Null(i)
			case int64:
				w.Int(i, v)
			case float64:
				w.Float(i, v)
			case string:
				if err := w.Bytes(i, []byte(v)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := w.Close("test"); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWrittenFilesAreRead(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	entries := []string{"circle", "", "klaſſe"}
	columns := []Column{
		{Path: []string{"key"}, Type: ByteArray, Kind: UTF8},
		{Path: []string{"image", "bytes"}, Type: ByteArray, Kind: NoKind},
		{Path: []string{"image", "path"}, Type: ByteArray, Kind: UTF8},
		{Path: []string{"pixels"}, Type: FixedLenByteArray, Length: 12, Kind: NoKind},
		{Path: []string{"label"}, Type: Int64, Optional: true, Kind: NoKind},
		{Path: []string{"small"}, Type: Int32, Kind: Int8},
		{Path: []string{"yes"}, Type: Boolean, Optional: true, Kind: NoKind},
		{Path: []string{"weight"}, Type: Float, Kind: NoKind},
		{Path: []string{"double"}, Type: Double, Optional: true, Kind: NoKind},
		{Path: []string{"name"}, Type: ByteArray, Kind: UTF8, Optional: true, Entries: entries},
	}
	for _, codec := range []Codec{Uncompressed, Snappy, Zstd} {
		for _, rows := range []int{0, 1, 7, 8, 9, 1000} {
			for _, size := range []int{1, 8, 300, 5000} {
				if rows == 1000 && size == 1 {
					continue
				}
				values := make([][]written, len(columns))
				for i, c := range columns {
					for range rows {
						var v written
						switch {
						case c.Optional && r.IntN(3) == 0, i == 2 && r.IntN(4) == 0:
						case c.Entries != nil:
							v = int64(r.IntN(len(entries)))
						case c.Type == Boolean:
							v = int64(r.IntN(2))
						case c.Type == Int32:
							v = int64(r.IntN(256) - 128)
						case c.Type == Int64:
							v = r.Int64() - r.Int64()
						case c.Type == Float || c.Type == Double:
							v = float64(r.Float32())
						case c.Type == FixedLenByteArray:
							v = fmt.Sprintf("%012d", r.IntN(1e9))
						default:
							n := r.IntN(30)
							if i == 1 && r.IntN(50) == 0 {
								n = 3 << 18 // several pages
							}
							v = string(bytes.Repeat([]byte{byte(r.IntN(256))}, n))
						}
						values[i] = append(values[i], v)
					}
				}
				data := write(t, columns, values, size, codec)
				readBack(t, fmt.Sprintf("%v, %d rows in groups of %d", codec, rows, size), data, columns, values, size)
			}
		}
	}
}

func readBack(t *testing.T, name string, data []byte, columns []Column, values [][]written, size int) {
	t.Helper()
	file, err := Open(bytes.NewReader(data), int64(len(data)), "b")
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	rows := len(values[0])
	if int(file.Rows) != rows || len(file.Groups) != (rows+size-1)/size || file.CreatedBy != "test" || file.Meta["b"] != "2" || len(file.Leaves) != len(columns) {
		t.Fatalf("%s: %d rows in %d groups, by %q, %v", name, file.Rows, len(file.Groups), file.CreatedBy, file.Meta)
	}
	for i, c := range columns {
		row := 0
		for g := range file.Groups {
			err := file.Values(bytes.NewReader(data), g, i, func(v *Value) error {
				var have written
				switch {
				case v.Level < file.Leaves[i].MaxLevel:
				case c.Type == ByteArray || c.Type == FixedLenByteArray:
					have = string(v.Bytes)
				case c.Type == Float || c.Type == Double:
					have = v.Float
				default:
					have = v.Int
				}
				want := values[i][row]
				if n, ok := want.(int64); ok && c.Entries != nil {
					want = c.Entries[n]
				}
				if have != want {
					return fmt.Errorf("row %d has %.50q, want %.50q", row, fmt.Sprint(have), fmt.Sprint(want))
				}
				row++
				return nil
			})
			if err != nil {
				t.Fatalf("%s: column %v: %v", name, c.Path, err)
			}
		}
		if row != rows {
			t.Fatalf("%s: column %v has %d values, want %d", name, c.Path, row, rows)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	var out bytes.Buffer
	if _, err := NewWriter(&out, nil, Gzip, nil); err == nil {
		t.Error("gzip is written")
	}
	w, err := NewWriter(&out, []Column{{Path: []string{"a"}, Type: Int64, Kind: NoKind}, {Path: []string{"b"}, Type: FixedLenByteArray, Length: 3, Kind: NoKind}}, Uncompressed, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Int(0, math.MinInt64)
	if err := w.EndGroup(); err == nil {
		t.Error("a row group with a value missing is written")
	}
	if err := w.Bytes(1, []byte("four")); err == nil {
		t.Error("four bytes are written to a column of three")
	}
}

// Lists within lists come back level by level, null and empty ones too, across pages and
// row groups.
func TestWrittenListsAreRead(t *testing.T) {
	type put struct {
		in, depth int // depth of an empty list; -1: a value
		null      bool
		v         int64
	}
	for lists := 1; lists <= 3; lists++ {
		for _, optional := range []bool{false, true} {
			r := rand.New(rand.NewPCG(uint64(lists), 9))
			var puts []put
			var fill func(in, depth int)
			fill = func(in, depth int) {
				if depth == lists {
					puts = append(puts, put{in: in, depth: -1, v: r.Int64()})
					return
				}
				n := r.IntN(4)
				if r.IntN(300) == 0 {
					n = 4000 // several pages' worth
				}
				if n == 0 {
					puts = append(puts, put{in: in, depth: depth})
				}
				for i := range n {
					if i > 0 {
						in = depth + 1
					}
					fill(in, depth+1)
				}
			}
			var out bytes.Buffer
			w, err := NewWriter(&out, []Column{{Path: []string{"n"}, Type: Int64, Kind: NoKind}, {Path: []string{"x"}, Type: Int64, Kind: NoKind, Lists: lists, Optional: optional}}, Zstd, nil)
			if err != nil {
				t.Fatal(err)
			}
			const rows, group = 900, 250
			for row := range rows {
				if row > 0 && row%group == 0 {
					if err := w.EndGroup(); err != nil {
						t.Fatal(err)
					}
				}
				w.Int(0, int64(row))
				at := len(puts)
				if optional && r.IntN(5) == 0 {
					puts = append(puts, put{null: true})
					w.Null(1)
					continue
				}
				fill(0, 0)
				for _, p := range puts[at:] {
					w.In(1, p.in)
					if p.depth >= 0 {
						w.Empty(1, p.depth)
					} else {
						w.Int(1, p.v)
					}
				}
			}
			if err := w.Close("test"); err != nil {
				t.Fatal(err)
			}
			file, err := Open(bytes.NewReader(out.Bytes()), int64(out.Len()), "")
			if err != nil {
				t.Fatal(err)
			}
			leaf := file.Leaves[1]
			if len(leaf.Lists) != lists || int(file.Rows) != rows || fmt.Sprint(leaf.Path) != fmt.Sprint(append([]string{"x"}, listPath(lists)...)) {
				t.Fatalf("leaf %+v of %d rows", leaf, file.Rows)
			}
			base := leaf.MaxLevel - lists
			next := 0
			for g := range file.Groups {
				err := file.Nested(bytes.NewReader(out.Bytes()), g, 1, func(v *Value) error {
					p := puts[next]
					next++
					level := leaf.MaxLevel
					switch {
					case p.null:
						level = 0
					case p.depth >= 0:
						level = base + p.depth
					}
					if v.Level != level || v.Repeat != p.in || level == leaf.MaxLevel && v.Int != p.v {
						return fmt.Errorf("value %d: %+v, want %+v at level %d", next-1, *v, p, level)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if next != len(puts) {
				t.Errorf("%d values of %d", next, len(puts))
			}
		}
	}
}

// listPath is the rest of a list's path.
func listPath(lists int) (path []string) {
	for range lists {
		path = append(path, "list", "element")
	}
	return path
}
