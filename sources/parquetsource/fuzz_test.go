package parquetsource

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// FuzzFile opens any file and reads its images: an error, or a valid index and images of
// the sizes that it says; no panic, and no more memory than the file's size justifies.
func FuzzFile(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(seeds) == 0 {
		f.Fatal(err)
	}
	for _, name := range seeds {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) { anyFile(t, text) })
}

func anyFile(t *testing.T, text []byte) {
	name := filepath.Join(t.TempDir(), "x.parquet")
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range []Parquet{{Files: Files{name}}, {Files: Files{name}, Image: "image", Tasks: []string{"label"}, Meta: sources.Meta{{Name: "number"}}}} {
		d, err := p.Open(t.Context())
		if err != nil {
			if !strings.HasPrefix(err.Error(), "sources: parquet: ") || !strings.Contains(err.Error(), name) {
				t.Fatalf("the error names neither source nor file: %v", err)
			}
			continue
		}
		x := d.Index()
		if err := schema.Check(x); err != nil {
			t.Fatal(err)
		}
		for i := range min(x.Len(), 100) {
			got, err := d.Read(t.Context(), i, nil)
			if err == nil && int64(len(got)) != x.Size(i) {
				t.Fatalf("%d bytes, want %d", len(got), x.Size(i))
			}
		}
		d.Close()
	}
}

// TestDamaged cuts every small file everywhere, and flips bits in it.
func TestDamaged(t *testing.T) {
	for _, name := range []string{"datasets", "nulls-dictionary-2", "nulls-delta-1", "codec-snappy-1", "codec-zstd-2", "codec-gzip-1", "codec-brotli-1", "codec-lz4-1", "pixels"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".parquet"))
		if err != nil {
			t.Fatal(err)
		}
		step := 97
		if testing.Short() {
			step = 997
		}
		for n := 0; n < len(text); n += step {
			file := filepath.Join(t.TempDir(), "x.parquet")
			if err := os.WriteFile(file, text[:n], 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := (Parquet{Files: Files{file}, Tasks: []string{}}).Open(t.Context())
			wants(t, err, file)
		}
		for n := 0; n < len(text); n += step / 7 {
			flipped := append([]byte(nil), text...)
			flipped[n] ^= 1 << (n % 8)
			anyFile(t, flipped)
		}
	}
}

// TestChecksums: a flipped bit in a page with a checksum is seen.
func TestChecksums(t *testing.T) {
	text, err := os.ReadFile("testdata/checksums.parquet")
	if err != nil {
		t.Fatal(err)
	}
	text[100] ^= 4 // in the first page
	name := filepath.Join(t.TempDir(), "x.parquet")
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = (Parquet{Files: Files{name}, Tasks: []string{}}).Open(t.Context())
	wants(t, err, "its checksum is wrong")
}
