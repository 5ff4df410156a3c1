package sources_test

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/sources"
)

// A file may be in a list once, however its path is spelled.
func TestAFileInTwoSpellingsIsOneSample(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "lists"), 0o777))
	for _, name := range []string{"a.jpg", "lists/b.jpg", "..c.jpg"} {
		write(t, dir, name, "x")
	}
	absolute := func(name string) string { return filepath.ToSlash(filepath.Join(dir, name)) }
	for _, pair := range [][2]string{
		{"../a.jpg", absolute("a.jpg")}, {absolute("a.jpg"), "../a.jpg"}, {"b.jpg", absolute("lists/b.jpg")}, {absolute("lists/b.jpg"), "b.jpg"},
		{"b.jpg", "../lists/b.jpg"}, {absolute("lists/../a.jpg"), absolute("a.jpg")},
	} {
		list := write(t, dir, "lists/m.csv", "path\n"+pair[0]+"\n"+pair[1]+"\n")
		_, err := sources.Manifest{Path: list}.Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), "is already in line 2") {
			t.Errorf("%q: %v", pair, err)
		}
	}
	list := write(t, dir, "lists/m.csv", "path\nb.jpg\n../a.jpg\n../..c.jpg\n")
	d, err := sources.Manifest{Path: list}.Open(t.Context())
	must(t, err)
	if n := d.Index().Len(); n != 3 {
		t.Errorf("%d samples, want 3", n)
	}
	must(t, d.Close())
}

func TestTooFewAndTooManyCells(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.jpg", "x")
	for row, want := range map[string]string{"a.jpg,cat": "add the missing ones", "a.jpg,cat,1,2": `put a cell that holds a ',' in quotes`} {
		_, err := sources.Manifest{Path: write(t, dir, "m.csv", "path,class,weight\n"+row+"\n")}.Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", row, err, want)
		}
	}
}

// Ignored files are counted the same in a folder and in a tar, whether made of its
// contents or of the folder itself.
func TestIgnoredAlike(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "A")
	files := []string{"a/1.jpg", "a/note.txt", "a/@eaDir/1.jpg/thumb.jpg", "a/@eaDir/2.jpg/thumb.jpg", ".hidden/x/y.jpg", ".hidden/z.txt", ".dot", "b/.dot/c/d.jpg", "b/2.jpg"}
	for _, name := range files {
		must(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o777))
		write(t, root, name, "x")
	}
	members := func(top string) (list []string) { // as tar has them: folders first
		seen := map[string]bool{}
		folder := func(name string) {
			if !seen[name] {
				seen[name] = true
				list = append(list, top+name)
			}
		}
		folder("")
		for _, name := range files {
			for i, r := range name {
				if r == '/' {
					folder(name[:i+1])
				}
			}
			list = append(list, top+name+": x")
		}
		return list
	}
	inFolder, err := sources.Folder{Path: root}.Open(t.Context())
	must(t, err)
	defer inFolder.Close()
	want := inFolder.Index().Ignored()
	if want != 5 { // note.txt, @eaDir, .hidden, .dot, b/.dot
		t.Errorf("%d ignored in the folder, want 5", want)
	}
	for _, top := range []string{"./", "A/"} {
		name := write(t, dir, "x.tar", string(pack(t, tar.FormatPAX, members(top)...)))
		d, err := sources.Folder{Path: name}.Open(t.Context())
		must(t, err)
		if have := d.Index().Ignored(); have != want {
			t.Errorf("%s: %d ignored in the tar, %d in the folder", top, have, want)
		}
		warnings := strings.Join(d.(sources.Warner).Warnings(), "\n")
		if !strings.Contains(warnings, `ignored 1 folder of thumbnails, trash and the like: "@eaDir"`) {
			t.Errorf("%s: %s", top, warnings)
		}
		must(t, d.Close())
	}
}
