package parquetsource

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/internal/cachedir"
	"github.com/sluicedata/sluice/sources"
)

// everything is all that a dataset says, and the bytes of its samples.
func everything(t *testing.T, d sources.Dataset) (list []string) {
	t.Helper()
	x := d.Index()
	list = append(list, fmt.Sprint(x.Tasks(), x.Columns(), sources.Identity(x)))
	list = append(list, d.(sources.Warner).Warnings()...)
	for s := range x.Len() {
		text := fmt.Sprint(x.Key(s), " ", x.Size(s), " ", x.Weight(s))
		for task := range x.Tasks() {
			text += fmt.Sprint(" ", x.Label(task, s))
		}
		for c := range x.Columns() {
			text += fmt.Sprintf(" %#v", x.Value(c, s))
		}
		data, err := d.Read(t.Context(), s, nil)
		list = append(list, fmt.Sprintf("%s %x %v", text, data, err))
	}
	return list
}

// TestIndex: what the index has is what is listed, and only changed files are listed again.
func TestIndex(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	copyTo := func(from, name string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("testdata", from+".parquet"))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p := Parquet{Files: Files{filepath.Join(dir, "*.parquet")}, Tasks: []string{"label"}, Meta: sources.Meta{{Name: "number"}}}
	told := func(cache string) (sources.Dataset, []cachedir.Listing) {
		t.Helper()
		var list []cachedir.Listing
		ctx := sources.WithCache(context.Background(), sources.Cache{Dir: cache, Always: true, Told: func(l cachedir.Listing) { list = append(list, l) }})
		d, err := sources.Open(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d, list
	}
	same := func(read int) {
		t.Helper()
		fresh, _ := told("none")
		kept, list := told(cache)
		if diff := cmp.Diff(everything(t, fresh), everything(t, kept)); diff != "" {
			t.Errorf("with an index (-listed, +kept):\n%s", diff)
		}
		if len(list) != 1 || list[0].Read != read {
			t.Errorf("%v: want %d files to be read", list, read)
		}
	}
	copyTo("nulls-dictionary-1", "a.parquet")
	copyTo("codec-snappy-1", "b.parquet")
	copyTo("nulls-delta-2", "c.parquet")
	time.Sleep(2100 * time.Millisecond) // until times tell later changes from earlier ones
	same(3)
	same(0)
	same(0)
	copyTo("nulls-plain-1", "b.parquet")
	time.Sleep(2100 * time.Millisecond)
	same(1)
	copyTo("codec-gzip-2", "d.parquet")
	if err := os.Remove(filepath.Join(dir, "a.parquet")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond)
	same(1)
	same(0)

	// A sample that has changed is an error, and the index forgets.
	d, _ := told(cache)
	later := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "d.parquet"), later, later); err != nil {
		t.Fatal(err)
	}
	_, err := d.Read(t.Context(), d.Index().Len()-1, nil)
	wants(t, err, "has changed since it was listed")
	if indexes, _ := filepath.Glob(filepath.Join(cache, "index", "*.idx")); len(indexes) > 0 {
		t.Errorf("%q is still there", indexes)
	}
}
