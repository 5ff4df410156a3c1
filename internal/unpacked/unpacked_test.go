package unpacked

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/cachedir"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// archive writes compressed data and returns its path.
func archive(t testing.TB, name string, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	if strings.HasSuffix(name, "gz") {
		w := gzip.NewWriter(&b)
		_, err := w.Write(data)
		must(t, err)
		must(t, w.Close())
	} else {
		w, err := zstd.NewWriter(&b)
		must(t, err)
		_, err = w.Write(data)
		must(t, err)
		must(t, w.Close())
	}
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, b.Bytes(), 0o644))
	return path
}

func anything([]byte) error { return nil }

func random(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.Uint32() >> 26)
	}
	return data
}

// content reads all of an object.
func content(t *testing.T, o blob.Object) []byte {
	t.Helper()
	data := make([]byte, o.Size())
	must(t, o.ReadRange(t.Context(), data, 0))
	return data
}

func files(t *testing.T, c cachedir.Cache, ext string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(c.Dir, folder, "*"+ext))
	must(t, err)
	return list
}

func cache(t *testing.T, most int64) cachedir.Cache {
	t.Helper()
	return cachedir.Cache{Dir: t.TempDir(), Max: most}
}

func TestOpen(t *testing.T) {
	for _, name := range []string{"a.tar.gz", "a.tgz", "a.tar.zst", "A.TAR.ZST"} {
		for _, size := range []int{0, 1, 600, 3<<20 + 5} {
			if size == 0 && !strings.HasSuffix(name, "gz") {
				continue // zstd of nothing is an empty file
			}
			c, data := cache(t, 1<<30), random(size)
			path := archive(t, name, data)
			if !Is(path) || Is(path+".bz2") {
				t.Errorf("%q is none", path)
			}
			o, err := Open(t.Context(), c, path, anything)
			must(t, err)
			if !bytes.Equal(content(t, o), data) || o.Name() != path {
				t.Errorf("%s: %d bytes of %d differ, or its name %q", name, o.Size(), size, o.Name())
			}
			before, err := os.Stat(files(t, c, tarName)[0])
			must(t, err)
			again, err := Open(t.Context(), c, path, func([]byte) error { return errors.New("unpacked again") })
			must(t, err)
			after, err := os.Stat(files(t, c, tarName)[0])
			must(t, err)
			if !os.SameFile(before, after) || again.Stamp() != o.Stamp() {
				t.Errorf("%s: it was made again", name)
			}
			must(t, again.Close())
			must(t, o.Close())
			if list := files(t, c, partName); len(list) > 0 {
				t.Errorf("%v are left", list)
			}
		}
	}
}

// A footer that lacks, or is another's, is that of a broken file.
func TestBrokenIsMadeAgain(t *testing.T) {
	c, data := cache(t, 1<<30), random(5000)
	path := archive(t, "a.tar.gz", data)
	for _, spoil := range []func(name string) error{
		func(name string) error { return os.Truncate(name, 4000) },
		func(name string) error { return os.Truncate(name, 5000+int64(footerSize)-1) },
		func(name string) error { return os.Truncate(name, 0) },
		func(name string) error { return os.WriteFile(name, random(5000+footerSize), 0o600) },
		os.Remove,
	} {
		o, err := Open(t.Context(), c, path, anything)
		must(t, err)
		must(t, o.Close())
		must(t, spoil(files(t, c, tarName)[0]))
		o, err = Open(t.Context(), c, path, anything)
		must(t, err)
		if !bytes.Equal(content(t, o), data) {
			t.Error("it differs")
		}
		must(t, o.Close())
	}
	// A part that a killed process left.
	must(t, os.Remove(files(t, c, tarName)[0]))
	must(t, os.WriteFile(strings.TrimSuffix(files(t, c, lockName)[0], lockName)+partName, random(9000), 0o600))
	o, err := Open(t.Context(), c, path, anything)
	must(t, err)
	if !bytes.Equal(content(t, o), data) {
		t.Error("it differs")
	}
	must(t, o.Close())
	// An archive that was written again is another.
	must(t, os.Rename(archive(t, "a.tar.gz", data[:4000]), path))
	o, err = Open(t.Context(), c, path, anything)
	must(t, err)
	if o.Size() != 4000 {
		t.Errorf("%d bytes", o.Size())
	}
	must(t, o.Close())
}

func TestErrors(t *testing.T) {
	data := random(100_000)
	spoiled := func(name string, how func([]byte) []byte) string {
		path := archive(t, name, data)
		text, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, how(text), 0o644))
		return path
	}
	half := func(b []byte) []byte { return b[:len(b)/2] }
	flipped := func(b []byte) []byte { b[len(b)/2] ^= 8; return b }
	small := cache(t, 20<<20)
	for _, c := range []struct {
		name  string
		path  string
		cache cachedir.Cache
		want  string
	}{
		{"half a gzip", spoiled("a.tar.gz", half), cache(t, 1<<30), "is truncated at byte"},
		{"half a zstd", spoiled("a.tar.zst", half), cache(t, 1<<30), "is truncated at byte"},
		{"a flipped bit in gzip", spoiled("a.tar.gz", flipped), cache(t, 1<<30), "is damaged before byte"},
		{"a flipped bit in zstd", spoiled("a.tar.zst", flipped), cache(t, 1<<30), "is damaged before byte"},
		{"neither", spoiled("a.tar.zst", func([]byte) []byte { return []byte("BZh9") }), cache(t, 1<<30), "neither by gzip nor by zstd"},
		{"nothing", spoiled("a.tar.gz", func([]byte) []byte { return nil }), cache(t, 1<<30), "neither by gzip nor by zstd"},
		{"no cache", archive(t, "a.tar.gz", data), cachedir.Cache{Dir: "none"}, "--cache DIR"},
		{"a bomb", archive(t, "a.tar.gz", make([]byte, 64<<20)), small, "limit of 20971520 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := Open(t.Context(), c.cache, c.path, anything)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v; want %q", o, err, c.want)
			}
			if c.cache.Dir != "none" {
				if list := append(files(t, c.cache, partName), files(t, c.cache, tarName)...); len(list) > 0 {
					t.Errorf("%v are left", list)
				}
			}
		})
	}
	if _, err := Open(t.Context(), small, archive(t, "b.tar.gz", data), func(block []byte) error {
		if !bytes.Equal(block, data[:512]) {
			t.Error("check sees another block")
		}
		return errors.New("is no tar")
	}); err == nil || err.Error() != "is no tar" {
		t.Errorf("%v", err)
	}
}

// What was opened longest ago goes first; what is open stays.
func TestLimit(t *testing.T) {
	size := 15 << 20
	c := cache(t, 3*int64(size))
	var paths []string
	for i := range 4 {
		data := make([]byte, size)
		data[0] = byte(i)
		paths = append(paths, archive(t, "a.tar.gz", data))
	}
	openOne := func(i int) blob.Object {
		o, err := Open(t.Context(), c, paths[i], anything)
		must(t, err)
		return o
	}
	there := func(i int) bool {
		o, err := Open(t.Context(), c, paths[i], func([]byte) error { return io.ErrClosedPipe })
		if err == nil {
			must(t, o.Close())
		}
		return err == nil
	}
	held := openOne(0)
	must(t, openOne(1).Close())
	// The files' times tell their order, whatever the resolution of the clock is.
	for _, name := range files(t, c, lockName) {
		past := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(name, past, past))
	}
	must(t, openOne(2).Close())
	if got := []bool{there(0), there(1), there(2)}; !got[0] || got[1] || !got[2] {
		t.Errorf("of the open one, the one not opened for an hour and the last: %v are there", got)
	}
	if content(t, held)[0] != 0 {
		t.Error("what is open has changed")
	}
	also := openOne(3)
	if _, err := Open(t.Context(), c, paths[1], anything); err == nil || !strings.Contains(err.Error(), "--max-cache-size") {
		t.Errorf("two of three are open, and there is no room for a third: %v", err)
	}
	must(t, held.Close())
	must(t, openOne(1).Close())
	must(t, also.Close())
}

func TestCancelled(t *testing.T) {
	c := cache(t, 1<<30)
	path := archive(t, "a.tar.gz", random(4<<20))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Open(ctx, c, path, func([]byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if list := append(files(t, c, partName), files(t, c, tarName)...); len(list) > 0 {
		t.Errorf("%v are left", list)
	}
}

// Several at once unpack it once.
func TestAtOnce(t *testing.T) {
	c, data := cache(t, 1<<30), random(1<<20)
	path := archive(t, "a.tar.zst", data)
	var mu sync.Mutex
	var all sync.WaitGroup
	made := 0
	for range 8 {
		all.Go(func() {
			o, err := Open(t.Context(), c, path, func([]byte) error { mu.Lock(); made++; mu.Unlock(); return nil })
			if err != nil {
				t.Error(err)
				return
			}
			defer o.Close()
			got := make([]byte, o.Size())
			if err := o.ReadRange(t.Context(), got, 0); err != nil || !bytes.Equal(got, data) {
				t.Errorf("it differs, or %v", err)
			}
		})
	}
	all.Wait()
	if made != 1 {
		t.Errorf("unpacked %d times", made)
	}
}
