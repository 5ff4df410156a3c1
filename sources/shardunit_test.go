package sources_test

import (
	"archive/tar"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/sources"
)

// What is kept of shards is what listing them gives, and only those that changed are
// listed again.
func TestKnownShards(t *testing.T) {
	t.Parallel()
	dir, cache := t.TempDir(), t.TempDir()
	past := time.Now().Add(-time.Hour)
	shard := func(n int, more ...string) {
		t.Helper()
		members := more
		for i := range 20 {
			members = append(members, fmt.Sprintf("%02d.jpg: %d/%d", i, n, i), fmt.Sprintf("%02d.cls: %d", i, (n+i)%3), fmt.Sprintf(`%02d.json: {"a": %d, "b": "%d"}`, i, i, n), fmt.Sprintf("%02d.pyd", i))
		}
		path := write(t, dir, fmt.Sprintf("s-%d.tar", n), string(pack(t, tar.FormatPAX, members...)))
		must(t, os.Chtimes(path, past, past))
	}
	for n := range 3 {
		shard(n)
	}
	source := sources.WebDataset{Shards: sources.Shards{filepath.Join(dir, "s-*.tar")}, Meta: map[string]string{"a": "json:a", "b": "json:b"}}
	settle()
	check := func(what string, wantRead int) {
		t.Helper()
		d, listings := told(t, cache, source)
		if len(listings) != 1 || listings[0].Read != wantRead {
			t.Errorf("%s: told %+v, want one listing that reads %d shards", what, listings, wantRead)
		}
		fresh, _ := told(t, t.TempDir(), source)
		if diff := cmp.Diff(all(t, fresh), all(t, d)); diff != "" {
			t.Errorf("%s: (-fresh +known)\n%s", what, diff)
		}
	}
	check("at first", 3)
	check("again", 0)
	shard(1, "x.jpg: new", "y.jpg: newer", "y.cls: 9")
	settle()
	check("a shard that changed", 1)
	check("again", 0)
	shard(3)
	settle()
	check("a shard more", 1)
	must(t, os.Remove(filepath.Join(dir, "s-0.tar")))
	check("a shard less", 0)
	check("again", 0)
	shard(2, "only.cls: 7")
	write(t, dir, "s-2.idx", indexText(t, filepath.Join(dir, "s-2.tar")))
	settle()
	check("a shard with an index file", 1)
	check("again", 0)
}

func TestKnownArchives(t *testing.T) {
	members := []string{"a/1.jpg", "a/2.jpg: " + strings.Repeat("long ", 50), "b/3.png", "b/4.jpg -> ../a/1.jpg", "b/5.jpg -> gone", "notes.txt"}
	packed := pack(t, tar.FormatPAX, members...)
	archives := map[string][]byte{"a.zip": packZip(t, members...), "a.tar.gz": gzipped(t, packed), "a.tar.zst": zstandard(t, packed)}
	dir, past := t.TempDir(), time.Now().Add(-time.Hour)
	for name, data := range archives {
		must(t, os.Chtimes(write(t, dir, name, string(data)), past, past))
	}
	settle()
	for name := range archives {
		path, cache := filepath.Join(dir, name), t.TempDir()
		fresh, listings := told(t, cache, sources.Folder{Path: path})
		if len(listings) != 1 || listings[0].Read != 1 {
			t.Errorf("%s: told %+v", name, listings)
		}
		known, listings := told(t, cache, sources.Folder{Path: path})
		if len(listings) != 1 || listings[0].Read != 0 {
			t.Errorf("%s, again: told %+v", name, listings)
		}
		if diff := cmp.Diff(all(t, fresh), all(t, known)); diff != "" {
			t.Errorf("%s: (-fresh +known)\n%s", name, diff)
		}
	}
}
