package sources_test

import (
	"archive/tar"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// openAny opens what may be malformed: it must fail or read, never panic, and its
// messages must be short.
func openAny(t *testing.T, s sources.Source) schema.Index {
	d, err := sources.Open(context.Background(), s)
	if err != nil {
		brief(t, err.Error(), 12)
		if strings.Contains(err.Error(), ": the index: ") {
			t.Errorf("a listing that is none: %v", err)
		}
		return nil
	}
	defer d.Close()
	for _, text := range d.(sources.Warner).Warnings() {
		brief(t, text, 1)
	}
	sources.Identity(d.Index())
	for sample := range d.Index().Len() {
		b, err := d.Read(context.Background(), sample, nil)
		size := d.Index().Size(sample)
		if missing := size == -1; missing != errors.Is(err, sources.ErrMissing) || !missing && (err != nil || int64(len(b)) != size) {
			t.Errorf("%q: %d bytes of %d, %v", d.Index().Key(sample), len(b), size, err)
		}
	}
	return d.Index()
}

// brief limits the number and the length of a message's lines.
func brief(t *testing.T, text string, lines int) {
	t.Helper()
	if n := strings.Count(text, "\n") + 1; n > lines || len(text) > n*3000 {
		t.Errorf("%d lines, %d bytes: %.500q", n, len(text), text)
	}
	if !utf8.ValidString(text) {
		t.Errorf("not UTF-8: %.500q", text)
	}
}

func FuzzManifest(f *testing.F) {
	f.Add("path,class,weight\na.jpg,cat,1\n\"b.jpg\",\"d\"\"og\",\n", true)
	f.Add("path,class\na.jpg,1.0\n b.jpg,+1\nc.jpg,007\ngone.jpg,nan\n", true)
	f.Add("path,class\ra.jpg,x\r", true)
	f.Add(`{"path": "a.jpg", "class": 1.0, "weight": null, "box": [{}]}`+"\n{}\n", false)
	f.Add(`{"path": "https://host/a.jpg", "class": NaN}`+"\r"+`{"path": "e\u0301.jpg"}`, false)
	f.Fuzz(func(t *testing.T, text string, csv bool) {
		name := "m.jsonl"
		if csv {
			name = "m.csv"
		}
		path := listed(t, name, text)
		openAny(t, sources.Manifest{Path: path, MaxLine: 4096, MaxCell: 256, MaxColumns: 40})
		openAny(t, sources.Manifest{Path: path, Tasks: []string{"class"}})
		openAny(t, sources.Manifest{Path: path, Tasks: []string{}, Meta: sources.Meta{{Name: "class"}}})
		openAny(t, sources.Manifest{Path: path, Meta: sources.Meta{{Name: "class", Type: sources.MetaText}, {Name: "weight", Type: sources.MetaFloat}}})
	})
}

func FuzzTar(f *testing.F) {
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatGNU, tar.FormatPAX} {
		f.Add(pack(f, format, "a/1.jpg: x", "b/2.jpg -> ../a/1.jpg", "b/3.jpg => a/1.jpg", "c/", "d -> c", "@eaDir/a/1.jpg", "a/4.jpg -> blob", "blob: y"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.tar")
		must(t, os.WriteFile(path, data, 0o644))
		for _, label := range []sources.Label{"", sources.Innermost, sources.Outermost} {
			openAny(t, sources.Folder{Path: path, Label: label})
		}
	})
}

// FuzzListing lists files of any names, as a folder and as a tar, which must agree.
func FuzzListing(f *testing.F) {
	f.Add("cat/1.png\ncat/day1/2.png\ndog/\n@eaDir/1.png", uint8(0))
	f.Add("a/b/1.jpg\na/c/2.jpg\nb/\nc/d/\n.x/1.jpg", uint8(9))
	f.Add("caf\u00e9/1.png\ncafe\u0301/2.png\nCAF\u00c9/3.png\n01/1.png\n1/1.png", uint8(2))
	f.Add("0.jpg\n0.cls\n0.json", uint8(0))
	f.Add("1/a.jpg\n10/a.jpg\n2/a.jpg -> ../nowhere", uint8(4))
	f.Fuzz(func(t *testing.T, text string, how uint8) {
		var names []string
		dir := t.TempDir()
		for name := range strings.SplitSeq(text, "\n") {
			file, target, isLink := strings.Cut(name, " -> ")
			// A name too long would leave the folders above it, which the tar lacks.
			tooLong := len(file) > 2000 || slices.ContainsFunc(strings.Split(file, "/"), func(part string) bool { return len(part) > 255 })
			if tooLong || len(names) == 50 || file == "" || file == "." || strings.Trim(file, "/") == "" || filepath.Clean(file) != strings.TrimSuffix(file, "/") || !filepath.IsLocal(file) ||
				strings.ContainsAny(file, ":\x00") || strings.Contains(file, "=>") || strings.Contains(target, "\x00") || isLink && (target == "" || !filepath.IsLocal(filepath.Join(filepath.Dir(file), target)) || filepath.IsAbs(target)) {
				continue
			}
			path := filepath.Join(dir, file)
			err := os.MkdirAll(filepath.Dir(path), 0o755)
			switch {
			case err != nil:
			case isLink && !strings.HasSuffix(file, "/"):
				err = os.Symlink(target, path)
			case strings.HasSuffix(file, "/"):
				if _, there := os.Lstat(path); there == nil {
					continue
				}
				err = os.Mkdir(path, 0o755)
			default:
				if _, there := os.Lstat(path); there == nil {
					continue
				}
				err = os.WriteFile(path, []byte(file), 0o644)
			}
			if err == nil {
				names = append(names, name)
			}
		}
		source := sources.Folder{Path: dir, Label: []sources.Label{"", sources.Innermost, sources.Outermost}[how%4%3], ClassOrder: []sources.ClassOrder{sources.TextOrder, sources.NaturalOrder}[how>>2&1]}
		if how>>3&1 == 1 {
			source.Tasks = []string{"shape", "type"}
		}
		folder := openAny(t, source)
		if strings.Contains(text, " -> ") || !utf8.ValidString(text) {
			return // a tar refuses links to folders, and its headers are text
		}
		source.Path = filepath.Join(t.TempDir(), "x.tar")
		must(t, os.WriteFile(source.Path, pack(t, tar.FormatPAX, names...), 0o644))
		packed := openAny(t, source)
		if (folder == nil) != (packed == nil) {
			t.Fatalf("one of folder and tar fails: %v, %v of %q", folder, packed, names)
		}
		if folder != nil {
			a, b := folder.(*schema.Table), packed.(*schema.Table)
			a.IgnoredFiles, b.IgnoredFiles = 0, 0 // a folder that is a file's name is counted otherwise
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("%q (-folder +tar)\n%s", names, diff)
			}
		}
	})
}
