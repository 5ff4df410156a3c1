package sources_test

import (
	"archive/tar"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluicedata/sluice/sources"
)

// openAny opens what may be malformed: it must fail or read, never panic.
func openAny(t *testing.T, s sources.Source) {
	d, err := s.Open(context.Background())
	if err != nil {
		return
	}
	defer d.Close()
	sources.Identity(d.Index())
	for sample := range d.Index().Len() {
		b, err := d.Read(context.Background(), sample, nil)
		if err != nil || int64(len(b)) != d.Index().Sizes[sample] {
			t.Errorf("%q: %d bytes, %v", d.Index().Keys[sample], len(b), err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add("path,class,weight\na.jpg,cat,1\n\"b.jpg\",\"d\"\"og\",\n", true)
	f.Add(`{"path": "a.jpg", "class": 1.0, "weight": null, "box": [{}]}`+"\n{}\n", false)
	f.Fuzz(func(t *testing.T, text string, csv bool) {
		name := "m.jsonl"
		if csv {
			name = "m.csv"
		}
		openAny(t, sources.Manifest{Path: listed(t, name, text)})
	})
}

func FuzzTar(f *testing.F) {
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatGNU, tar.FormatPAX} {
		f.Add(pack(f, format, "a/1.jpg: x", "b/2.jpg -> ../a/1.jpg", "b/3.jpg => a/1.jpg", "c/", "d -> c"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.tar")
		must(t, os.WriteFile(path, data, 0o644))
		openAny(t, sources.Folder{Path: path})
	})
}
