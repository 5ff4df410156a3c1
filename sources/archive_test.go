package sources_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// packZip makes a zip of members, which are named as those of pack are. Every second one is
// deflated.
func packZip(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, name := range names {
		text := name
		h := &zip.FileHeader{Name: name, Method: []uint16{zip.Store, zip.Deflate}[i%2]}
		h.SetMode(0o644)
		if n, content, ok := strings.Cut(name, ": "); ok {
			h.Name, text = n, content
		} else if n, target, ok := strings.Cut(name, " -> "); ok {
			h.Name, text = n, target
			h.SetMode(0o777 | fs.ModeSymlink)
		} else if strings.HasSuffix(name, "/") {
			h.Method, text = zip.Store, ""
		}
		to, err := w.CreateHeader(h)
		must(t, err)
		_, err = to.Write([]byte(text))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func zipFile(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.zip")
	must(t, os.WriteFile(path, data, 0o644))
	return path
}

// ownCache gives a test a cache directory of its own.
func ownCache(t *testing.T) {
	t.Helper()
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, t.TempDir())
	}
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func zstandard(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	must(t, err)
	defer w.Close()
	return w.EncodeAll(data, nil)
}

func TestArchivesConform(t *testing.T) {
	ownCache(t)
	members := []string{"./", "./cat/", "./cat/1.jpg", "./cat/2.png: " + strings.Repeat("long ", 100), "./dog/1.jpg", "readme.txt", "dog/2.jpg -> gone"}
	packed := pack(t, tar.FormatPAX, members...)
	for name, data := range map[string][]byte{"a.zip": packZip(t, members...), "a.tar.gz": gzipped(t, packed), "a.tgz": gzipped(t, packed), "a.tar.zst": zstandard(t, packed)} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), name, string(data))
			sourcetest.Run(t, func() sources.Source { return sources.Folder{Path: path} })
		})
	}
	shard := pack(t, tar.FormatPAX, "1.jpg", "1.cls: 3", "2.jpg", "2.cls: 4")
	dir := t.TempDir()
	write(t, dir, "a-0.tar.gz", string(gzipped(t, shard)))
	write(t, dir, "a-1.tar.zst", string(zstandard(t, shard)))
	write(t, dir, "a-2.tar", string(shard))
	sourcetest.Run(t, func() sources.Source {
		return sources.WebDataset{Shards: sources.Shards{filepath.Join(dir, "a-{0.tar.gz,1.tar.zst,2.tar}")}}
	})
}

// A folder and every archive of it have the same index and the same bytes.
func TestArchivesEqualFolder(t *testing.T) {
	ownCache(t)
	files := []string{
		"top/a/1.jpg", "top/a/2.JPG", "top/b/3.png", "top/b/.4.png", "top/.git/x/5.png", "top/.git/6.png", "top/b/notes.txt",
		"top/b/7.jpg -> ../a/1.jpg", "top/b/8.jpg -> 7.jpg", "top/a/up -> ..", "top/b/x.txt -> gone", "top/b/empty/", "top/b/9.jpg -> notes.txt",
	}
	folder := open(t, sources.Folder{Path: tree(t, files...)})
	packed := pack(t, tar.FormatPAX, files...)
	for name, data := range map[string][]byte{"a.zip": packZip(t, files...), "a.tar.gz": gzipped(t, packed), "a.tar.zst": zstandard(t, packed)} {
		d := open(t, sources.Folder{Path: write(t, t.TempDir(), name, string(data))})
		if diff := cmp.Diff(folder.Index(), d.Index()); diff != "" {
			t.Errorf("%s (-folder +archive)\n%s", name, diff)
			continue
		}
		for s := range d.Index().Len() {
			want, err := folder.Read(t.Context(), s, nil)
			must(t, err)
			have, err := d.Read(t.Context(), s, nil)
			must(t, err)
			if !bytes.Equal(want, have) {
				t.Errorf("%s: %q: %q, want %q", name, d.Index().Key(s), have, want)
			}
		}
	}
}

// rawZip makes a zip of one deflated or stored member, of which the directory says what it
// is told.
func rawZip(t *testing.T, data []byte, h zip.FileHeader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	to, err := w.CreateRaw(&h)
	must(t, err)
	_, err = to.Write(data)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func TestZipErrors(t *testing.T) {
	whole := packZip(t, "a/1.jpg", "a/2.jpg")
	text := []byte("a text")
	sum := crc32.ChecksumIEEE(text)
	for _, c := range []struct {
		name string
		data []byte
		want []string
	}{
		{"empty file", nil, []string{"not a zip, or is truncated"}},
		{"truncated", whole[:len(whole)-30], []string{"not a zip, or is truncated"}},
		{"a tar", pack(t, tar.FormatGNU, "a/1.jpg"), []string{"not a zip"}},
		{"no image", packZip(t, "a/x.txt"), []string{"no image in this zip", "1 .txt"}},
		{"a link to a folder", packZip(t, "a/1.jpg", "b -> a"), []string{`"b"`, `folder "a"`}},
		{"links in a circle", packZip(t, "a/1.jpg -> 2.jpg", "a/2.jpg -> 1.jpg"), []string{`(2)`, `"a/1.jpg"`}},
		{"not UTF-8", packZip(t, "a/caf\xe9.jpg"), []string{`"a/caf\xe9.jpg"`, "UTF-8"}},
		{"encrypted", rawZip(t, text, zip.FileHeader{Name: "a/1.jpg", Flags: 1, CRC32: sum, CompressedSize64: 6, UncompressedSize64: 6}), []string{`"a/1.jpg"`, "encrypted"}},
		{"LZMA", rawZip(t, text, zip.FileHeader{Name: "a/1.jpg", Method: 14, CRC32: sum, CompressedSize64: 6, UncompressedSize64: 6}), []string{`"a/1.jpg"`, "method 14"}},
		{"more than the zip has", rawZip(t, text, zip.FileHeader{Name: "a/1.jpg", CRC32: sum, CompressedSize64: 1 << 40, UncompressedSize64: 1 << 40}), []string{`"a/1.jpg"`, "1099511627776 bytes"}},
		{"two sizes", rawZip(t, text, zip.FileHeader{Name: "a/1.jpg", CRC32: sum, CompressedSize64: 6, UncompressedSize64: 5}), []string{"5 bytes, stored in 6"}},
		{"a bomb", rawZip(t, text, zip.FileHeader{Name: "a/1.jpg", Method: zip.Deflate, CRC32: sum, CompressedSize64: 6, UncompressedSize64: 1 << 29}), []string{"which cannot be"}},
		{"a larger bomb", rawZip(t, text, zip.FileHeader{Name: "a/1.jpg", Method: zip.Deflate, CRC32: sum, CompressedSize64: 6, UncompressedSize64: 1 << 40}), []string{"1099511627776 bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fails(t, sources.Folder{Path: zipFile(t, c.data)}, append(c.want, "sources: folder: ", "data.zip")...)
		})
	}
}

func TestZipReadErrors(t *testing.T) {
	long := strings.Repeat("some text ", 50)
	whole := packZip(t, "a/1.jpg: "+long, "a/2.jpg: "+long)
	for name, c := range map[string]struct {
		spoil func(b []byte) []byte
		want  string
	}{
		"a flipped bit of a stored member":   {func(b []byte) []byte { b[bytes.Index(b, []byte("some text"))+3] ^= 1; return b }, "the checksum is"},
		"a flipped bit of a deflated member": {func(b []byte) []byte { b[bytes.Index(b, []byte("a/2.jpg"))+9] ^= 8; return b }, "is damaged at byte"},
		"no header":                          {func(b []byte) []byte { b[0] = 'x'; return b }, "not a valid zip file"},
	} {
		d := open(t, sources.Folder{Path: zipFile(t, c.spoil(bytes.Clone(whole)))})
		var text string
		for s := range d.Index().Len() {
			if _, err := d.Read(t.Context(), s, nil); err != nil {
				text += err.Error()
			}
		}
		if !strings.Contains(text, c.want) || !strings.Contains(text, "copy it again") {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
	}
	path := zipFile(t, whole)
	d := open(t, sources.Folder{Path: path})
	must(t, os.Truncate(path, int64(len(whole)-5)))
	if _, err := d.Read(t.Context(), 0, nil); err == nil || !strings.Contains(err.Error(), "start again") {
		t.Errorf("%v", err)
	}
}

func TestZipMembers(t *testing.T) {
	d := open(t, sources.Folder{Path: zipFile(t, packZip(t, "../a/1.jpg: x", "/a/2.jpg: y", "a/3.jpg: old", "./a/3.jpg: new"))})
	var have []string
	for s, key := range keys(d.Index()) {
		b, err := d.Read(t.Context(), s, nil)
		must(t, err)
		have = append(have, key+"="+string(b))
	}
	if diff := cmp.Diff("a/1.jpg=x a/2.jpg=y a/3.jpg=new", strings.Join(have, " ")); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if text := warnings(d); !strings.Contains(text, "the last one counts") {
		t.Errorf("warnings %q", text)
	}
}

func TestCompressedTarErrors(t *testing.T) {
	ctx := sources.WithCache(t.Context(), sources.Cache{Dir: t.TempDir(), Max: 64 << 20})
	whole := gzipped(t, pack(t, tar.FormatPAX, "a/1.jpg"))
	for _, c := range []struct{ name, data, want string }{
		{"a.tar.gz", string(whole[:len(whole)-9]), "is truncated at byte"},
		{"a.tar.gz", string(gzipped(t, []byte("text"))), "is not a tar"},
		{"a.tar.gz", string(gzipped(t, bytes.Repeat([]byte("a bomb"), 20<<20))), "is not a tar"},
		{"a.tar.gz", string(gzipped(t, make([]byte, 80<<20))), "--max-cache-size"},
		{"a.tar.zst", string(zstandard(t, []byte("text"))), "is not a tar"},
		{"a.tar.bz2", "BZh", "unpack it"},
	} {
		path := write(t, t.TempDir(), c.name, c.data)
		for _, s := range []sources.Source{sources.Folder{Path: path}, sources.WebDataset{Shards: sources.Shards{path}}} {
			if c.name == "a.tar.bz2" && s.Name() == "webdataset" {
				continue
			}
			_, err := s.Open(ctx)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", path)) {
				t.Errorf("%s: %v, want %q", s.Name(), err, c.want)
			}
		}
	}
	_, err := sources.Folder{Path: write(t, t.TempDir(), "a.tgz", string(whole))}.Open(sources.WithCache(context.Background(), sources.Cache{Dir: "none"}))
	if err == nil || !strings.Contains(err.Error(), "--cache DIR") {
		t.Errorf("without a cache: %v", err)
	}
}

func FuzzZip(f *testing.F) {
	f.Add(packZip(f, "a/1.jpg: x", "b/2.jpg -> ../a/1.jpg", "c/", "d -> c", "@eaDir/a/1.jpg", "a/4.jpg -> blob", "blob: y", "a/5.jpg: "+strings.Repeat("long ", 20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := zipFile(t, data)
		d, err := sources.Open(t.Context(), sources.Folder{Path: path})
		if err != nil {
			brief(t, err.Error(), 12)
			return
		}
		defer d.Close()
		for s := range d.Index().Len() {
			b, err := d.Read(t.Context(), s, nil)
			if err == nil && int64(len(b)) != d.Index().Size(s) {
				t.Errorf("%d bytes of %d", len(b), d.Index().Size(s))
			}
		}
	})
}
