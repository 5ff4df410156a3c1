package indexfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"

	"github.com/sluicedata/sluice/schema"
)

// contents has everything that an index file can hold.
func contents() *Contents {
	return &Contents{
		Index: &schema.Table{
			TaskList: []schema.Task{{Name: "kind", Classes: []string{"a", "b"}}, {Name: "none", Classes: []string{}}},
			Keys:     []string{"a", "ab/c.jpg", "é"}, Sizes: []int64{5, -1, 1 << 40},
			Labels: [][]int32{{1, schema.Unknown, 0}, {-1, -1, -1}}, Weights: []float32{1, 0, 2.5}, Origin: []int64{3, 4, 9},
			ColumnList: []schema.Column{{Name: "meta.s", Type: arrow.BinaryTypes.String}, {Name: "meta.i", Type: arrow.PrimitiveTypes.Int64}, {Name: "meta.f", Type: arrow.PrimitiveTypes.Float64}},
			Values:     [][]any{{"x", nil, ""}, {nil, int64(-7), int64(0)}, {1.5, nil, nil}}, IgnoredFiles: 4,
		},
		Numbers: [][]int64{{10, 20, 30}, {-1, 0, 1}}, Warnings: []string{"careful"}, Extra: map[string]string{"k": "v"}, Identity: "id",
		Units: []Unit{{"u1", "stamp", AppendEntry(nil, Entry{"e", []int64{1, -2}, []string{"t", ""}})}, {"u2", "", nil}},
	}
}

func written(t testing.TB, c *Contents) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.idx")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(f, c); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func opened(t testing.TB, data []byte) (*File, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.idx")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(name)
}

// said is all that an index says.
func said(x schema.Index) (list []string) {
	list = append(list, fmt.Sprintf("%q %d", x.Tasks(), x.Ignored()))
	for _, c := range x.Columns() {
		list = append(list, c.Name+" "+schema.TypeText(c.Type))
	}
	for s := range x.Len() {
		text := fmt.Sprintf("%q %d %v %d", x.Key(s), x.Size(s), x.Weight(s), x.SourceIndex(s))
		for t := range x.Tasks() {
			text += fmt.Sprint(" ", x.Label(t, s))
		}
		for c := range x.Columns() {
			text += fmt.Sprintf(" %#v", x.Value(c, s))
		}
		found, ok := x.Find(x.Key(s))
		list = append(list, fmt.Sprint(text, " ", found, ok))
	}
	for _, key := range []string{"", "a!", "zz"} {
		_, ok := x.Find(key)
		list = append(list, fmt.Sprint(key, ok))
	}
	return list
}

func TestFile(t *testing.T) {
	c := contents()
	f, err := opened(t, written(t, c))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Check(f); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(said(c.Index), said(f)); diff != "" {
		t.Errorf("(-table +file):\n%s", diff)
	}
	if !slices.EqualFunc(f.Numbers(), c.Numbers, slices.Equal[[]int64]) || !slices.Equal(f.Warnings(), c.Warnings) || f.Extra()["k"] != "v" || f.Identity() != "id" {
		t.Errorf("numbers %v, warnings %q, extra %v, identity %q", f.Numbers(), f.Warnings(), f.Extra(), f.Identity())
	}
	entries, err := f.Entries(0)
	if err != nil {
		t.Fatal(err)
	}
	list, ok := Entries(entries)
	if !ok || !cmp.Equal(list, []Entry{{"e", []int64{1, -2}, []string{"t", ""}}}) {
		t.Errorf("entries %+v (%v)", list, ok)
	}
	empty, err := opened(t, written(t, &Contents{Index: &schema.Table{}}))
	if err != nil || empty.Len() != 0 {
		t.Errorf("an empty index: %v", err)
	}
}

// FuzzOpen: whatever a file holds, even with the right print, it is an error or an index
// that is safe to use.
func FuzzOpen(f *testing.F) {
	whole := written(f, contents())
	f.Add(whole[bodyAt:], uint16(len(whole)-bodyAt))
	f.Add([]byte("{}      "), uint16(8))
	f.Fuzz(func(t *testing.T, body []byte, hashed uint16) {
		head := bytes.Clone(whole[:bodyAt])
		copy(head[len(magic)+16:], []byte{byte(hashed), byte(hashed >> 8), 0, 0, 0, 0, 0, 0})
		print := xxh3.Hash128(body[:min(int(hashed), len(body))]).Bytes()
		copy(head[headerAt:], print[:])
		x := &File{}
		if x.load(append(head, body...)) != nil {
			return
		}
		said(x)
		for u := range x.Units() {
			if data, err := x.Entries(u); err == nil {
				Entries(data)
			}
		}
	})
}
