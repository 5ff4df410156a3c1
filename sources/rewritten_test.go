package sources_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/sources"
)

// A file whose bytes change while size and time do not (cp --preserve, touch -r) ends
// the run if it has been read before; one of which only the owner, the mode or the
// number of links changed does not.
func TestBytesChangeWithSizeAndTimeKept(t *testing.T) {
	dir := tree(t, "a/1.jpg", "a/2.jpg", "b/3.jpg")
	list := write(t, dir, "m.csv", "path,class\na/1.jpg,a\na/2.jpg,a\nb/3.jpg,b\n")
	packed := tarFile(t, pack(t, tar.FormatGNU, "a/1.jpg", "a/2.jpg", "b/3.jpg"))
	for name, c := range map[string]struct {
		source sources.Source
		file   string
	}{
		"folder": {sources.Folder{Path: dir}, filepath.Join(dir, "a/2.jpg")},
		"list":   {sources.Manifest{Path: list}, filepath.Join(dir, "a/2.jpg")},
		"tar":    {sources.Folder{Path: packed}, packed},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, c.source)
			const sample, key = 1, "a/2.jpg"
			before, err := os.ReadFile(c.file)
			must(t, err)
			info, err := os.Stat(c.file)
			must(t, err)
			read := func() error {
				b, err := d.Read(t.Context(), sample, nil)
				if err == nil && string(b) != key {
					t.Errorf("read %q of %q", b, key)
				}
				return err
			}
			must(t, read())
			must(t, os.Chmod(c.file, 0o600))
			must(t, os.Link(c.file, filepath.Join(t.TempDir(), "link")))
			must(t, read())
			after := bytes.Clone(before) // the sample's first byte; in the tar it stands behind its name
			after[bytes.LastIndex(after, []byte(key))] = 'X'
			rewrite := func(data []byte) {
				must(t, os.WriteFile(c.file, data, 0o600))
				must(t, os.Chtimes(c.file, info.ModTime(), info.ModTime()))
			}
			rewrite(after)
			err = read()
			if want := fmt.Sprintf("%q: %q has changed since it was listed: its bytes differ", key, c.file); err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), ": start again") {
				t.Errorf("have %v, want %q", err, want)
			}
			rewrite(before)
			must(t, read())
		})
	}
}
