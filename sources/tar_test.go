package sources_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// pack makes a tar of members that hold their own names. A name that ends in a
// slash is a folder, "a -> b" a symbolic link, "a => b" a hard one; after "a: "
// follows the content of a.
func pack(t testing.TB, format tar.Format, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		text := name
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Format: format}
		if n, content, ok := strings.Cut(name, ": "); ok {
			h.Name, text = n, content
		} else if n, target, ok := strings.Cut(name, " -> "); ok {
			h.Typeflag, h.Name, h.Linkname, text = tar.TypeSymlink, n, target, ""
		} else if n, target, ok := strings.Cut(name, " => "); ok {
			h.Typeflag, h.Name, h.Linkname, text = tar.TypeLink, n, target, ""
		} else if strings.HasSuffix(name, "/") {
			h.Typeflag, text = tar.TypeDir, ""
		}
		h.Size = int64(len(text))
		must(t, w.WriteHeader(h))
		_, err := w.Write([]byte(text))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func tarFile(t *testing.T, data []byte) string {
	t.Helper()
	return write(t, t.TempDir(), "data.tar", string(data))
}

func TestTarConforms(t *testing.T) {
	path := tarFile(t, pack(t, tar.FormatPAX, "./", "./cat/", "./cat/1.jpg", "./cat/2.png", "./dog/1.jpg", "readme.txt"))
	sourcetest.Run(t, func() sources.Source { return sources.Folder{Path: path} })
}

func TestTarSigns(t *testing.T) {
	signs := sources.Folder{Path: shared(t, "signs/signs.tar"), Tasks: []string{"shape", "type"}}
	sourcetest.Run(t, func() sources.Source { return signs })
	x := open(t, signs).Index()
	if x.Len() != 3699 || x.Ignored() != 4 || len(x.Tasks()[0].Classes) != 5 || len(x.Tasks()[1].Classes) != 16 {
		t.Errorf("%d samples, %d ignored, tasks %v", x.Len(), x.Ignored(), x.Tasks())
	}
	if x.Key(0) != "signs/diamond/rightofway/00032_00000.png" || x.Size(0) != 754 {
		t.Errorf("first is %q, %d bytes", x.Key(0), x.Size(0))
	}
}

func TestTarCIFAR(t *testing.T) {
	cifar := sources.Folder{Path: shared(t, "cifar10-lt/train.tar")}
	sourcetest.Run(t, func() sources.Source { return cifar })
	d := open(t, cifar)
	x := d.Index()
	if counts := schema.Counts(x, 0); x.Len() != 12406 || len(counts) != 11 || counts[0] != 5000 || counts[9] != 50 || counts[10] != 0 {
		t.Errorf("%d samples, counts %v", x.Len(), counts)
	}
	for s := range x.Len() {
		b, err := d.Read(context.Background(), s, nil)
		if err != nil || !bytes.HasPrefix(b, []byte{0xff, 0xd8, 0xff}) || !bytes.HasSuffix(b, []byte{0xff, 0xd9}) {
			t.Fatalf("%q is no JPEG (error: %v)", x.Key(s), err)
		}
	}
}

// A tar and the folder that it unpacks to have the same index.
func TestTarEqualsFolder(t *testing.T) {
	files := []string{
		"top/a/1.jpg", "top/a/2.JPG", "top/b/3.png", "top/b/.4.png", "top/.git/x/5.png", "top/.git/6.png", "top/b/notes.txt",
		"top/b/7.jpg -> ../a/1.jpg", "top/b/8.jpg -> 7.jpg", "top/a/up -> ..", "top/b/x.txt -> gone", "top/b/empty/",
	}
	folder := open(t, sources.Folder{Path: tree(t, files...)})
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatGNU, tar.FormatPAX} {
		packed := open(t, sources.Folder{Path: tarFile(t, pack(t, format, files...))})
		if diff := cmp.Diff(folder.Index(), packed.Index()); diff != "" {
			t.Errorf("%v (-folder +tar)\n%s", format, diff)
		}
	}
}

func TestTarMembers(t *testing.T) {
	long := strings.Repeat("long/", 60) + strings.Repeat("n", 120) + ".jpg"
	for _, c := range []struct {
		name    string
		format  tar.Format
		members []string
		want    string // key=content lines
	}{
		{"leading dots and slashes", tar.FormatPAX, []string{"./a/1.jpg", "/b/2.jpg", "a/../c/3.jpg"}, "a/1.jpg=./a/1.jpg b/2.jpg=/b/2.jpg c/3.jpg=a/../c/3.jpg"},
		{"PAX long name", tar.FormatPAX, []string{long + ": x"}, long + "=x"},
		{"GNU long name", tar.FormatGNU, []string{long + ": x"}, long + "=x"},
		{"PAX UTF-8", tar.FormatPAX, []string{"é/日本.jpg: x"}, "é/日本.jpg=x"},
		{"hard link", tar.FormatGNU, []string{"a/1.jpg: x", "b/2.jpg => a/1.jpg"}, "a/1.jpg=x b/2.jpg=x"},
		{"symbolic links, also before what they lead to", tar.FormatGNU, []string{"b/2.jpg -> ../a/1.jpg", "a/1.jpg: x", "c/3.jpg -> ../b/2.jpg"}, "a/1.jpg=x b/2.jpg=x c/3.jpg=x"},
		{"the last of a name", tar.FormatGNU, []string{"a/1.jpg: old", "a/2.jpg: y", "./a/1.jpg: newer"}, "a/1.jpg=newer a/2.jpg=y"},
		{"sizes around a block", tar.FormatGNU, []string{
			"a/0.jpg: " + strings.Repeat("x", 511), "a/1.jpg: " + strings.Repeat("y", 512), "a/2.jpg: " + strings.Repeat("z", 513)},
			"a/0.jpg=" + strings.Repeat("x", 511) + " a/1.jpg=" + strings.Repeat("y", 512) + " a/2.jpg=" + strings.Repeat("z", 513)},
		{"an empty file", tar.FormatGNU, []string{"a/1.jpg: ", "a/2.jpg: x"}, "a/1.jpg= a/2.jpg=x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, sources.Folder{Path: tarFile(t, pack(t, c.format, c.members...))})
			var have []string
			for s, key := range keys(d.Index()) {
				b, err := d.Read(context.Background(), s, nil)
				must(t, err)
				have = append(have, key+"="+string(b))
			}
			if diff := cmp.Diff(c.want, strings.Join(have, " ")); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestTarErrors(t *testing.T) {
	whole := pack(t, tar.FormatGNU, "a/1.jpg: "+strings.Repeat("x", 2000), "a/2.jpg: "+strings.Repeat("y", 2000))
	damaged := bytes.Clone(whole)
	damaged[2560+10] ^= 1
	for _, c := range []struct {
		name string
		data []byte
		want []string
	}{
		{"empty file", nil, []string{"no image in this tar"}},
		{"no image", pack(t, tar.FormatGNU, "a/x.txt"), []string{"no image in this tar", "1 .txt"}},
		{"truncated in a header", whole[:2560+100], []string{"truncated", `"a/1.jpg"`, "create or copy it again"}},
		{"truncated in data", whole[:1000], []string{"truncated in the member", `"a/1.jpg"`, "2000 bytes"}},
		{"truncated in the last data", whole[:2560+512+1999], []string{"truncated in the member", `"a/2.jpg"`}},
		{"damaged header", damaged, []string{"damaged", `after the member "a/1.jpg"`}},
		{"two tars, one after the other", append(bytes.Clone(whole), whole...), []string{"continues after its end marker", "--concatenate"}},
		{"gzip", append([]byte("\x1f\x8b\x08"), make([]byte, 600)...), []string{"compressed by gzip", "plain .tar"}},
		{"text", []byte(strings.Repeat("no tar ", 200)), []string{"is not a tar"}},
		{"above the labels", pack(t, tar.FormatGNU, "1.jpg", "a/2.jpg"), []string{`"1.jpg"`, "above the label folders"}},
		{"nothing but links to nothing", pack(t, tar.FormatGNU, "a/2.jpg -> /data/2.jpg"), []string{`"a/2.jpg"`, "broken link", "--dereference"}},
		{"a link to a folder", pack(t, tar.FormatGNU, "a/1.jpg", "b -> a"), []string{`"b"`, `folder "a"`, "--dereference"}},
		{"links in a circle", pack(t, tar.FormatGNU, "a/1.jpg -> 2.jpg", "a/2.jpg -> 1.jpg"), []string{`(2)`, `"a/1.jpg"`}},
		{"not UTF-8", pack(t, tar.FormatGNU, "a/caf\xe9.jpg"), []string{`"a/caf\xe9.jpg"`, "UTF-8"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fails(t, sources.Folder{Path: tarFile(t, c.data)}, append(c.want, "sources: folder: ", "data.tar")...)
		})
	}
}

func TestTarWarnings(t *testing.T) {
	whole := pack(t, tar.FormatGNU, "a/1.jpg: x", "a/1.jpg: y", "a/2.tga: z")
	have := warnings(open(t, sources.Folder{Path: tarFile(t, whole)}))
	for _, want := range []string{`several members have the same name`, `"a/1.jpg"`, "1 .tga"} {
		if !strings.Contains(have, want) {
			t.Errorf("warnings lack %q: %s", want, have)
		}
	}
	if strings.Contains(have, "end mark") {
		t.Errorf("warned of a whole tar: %s", have)
	}
	cut := open(t, sources.Folder{Path: tarFile(t, whole[:3*1024])})
	if have := warnings(cut); !strings.Contains(have, "no end mark") {
		t.Errorf("no warning of a tar without an end: %q", have)
	}
}

// Sparse members have fewer bytes in the tar than their size.
func TestTarSparse(t *testing.T) {
	// A header as GNU tar writes it for a file of 1 MiB with 512 bytes of data.
	h := make([]byte, 512)
	copy(h, "a/1.jpg")
	copy(h[100:], "0000644\x000000000\x000000000\x0000000001000\x0000000000000\x00")
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	copy(h[386:], "00000000000\x0000000001000\x00")
	copy(h[483:], "00004000000\x00")
	copy(h[148:], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	data := slices.Concat(h, bytes.Repeat([]byte("x"), 512))
	data = append(data, pack(t, tar.FormatGNU, "a/2.jpg")...)
	fails(t, sources.Folder{Path: tarFile(t, data)}, `"a/1.jpg"`, "--sparse")
}

func TestTarChangedAfterOpen(t *testing.T) {
	ctx := context.Background()
	data := pack(t, tar.FormatGNU, "a/1.jpg", "a/2.jpg")
	path := tarFile(t, data)
	d := open(t, sources.Folder{Path: path})
	// Another file under the old name is not the one that is open.
	must(t, os.WriteFile(path+"2", data, 0o644))
	must(t, os.Rename(path+"2", path))
	if b, err := d.Read(ctx, 1, nil); err != nil || string(b) != "a/2.jpg" {
		t.Errorf("%q, %v", b, err)
	}
	d = open(t, sources.Folder{Path: path})
	must(t, os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)))
	_, err := d.Read(ctx, 1, nil)
	if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf(`sources: folder: "a/2.jpg": %q has changed since it was listed: it was written at `, path)) || strings.Count(err.Error(), "since") != 1 {
		t.Errorf("Read: %v", err)
	}
	d = open(t, sources.Folder{Path: path})
	must(t, os.Truncate(path, int64(len(data)-512)))
	if _, err := d.Read(ctx, 1, nil); err == nil || !strings.HasSuffix(err.Error(), fmt.Sprintf("it had %d bytes and now has %d: start again", len(data), len(data)-512)) {
		t.Errorf("Read: %v", err)
	}
}

func TestTarAndFolderNames(t *testing.T) {
	// A folder may be called x.tar, and a tar X.TAR.
	dir := tree(t, "x.tar/a/1.jpg")
	if n := open(t, sources.Folder{Path: filepath.Join(dir, "x.tar")}).Index().Len(); n != 1 {
		t.Errorf("%d samples", n)
	}
	path := write(t, dir, "X.TAR", string(pack(t, tar.FormatGNU, "a/1.jpg")))
	if n := open(t, sources.Folder{Path: path}).Index().Len(); n != 1 {
		t.Errorf("%d samples", n)
	}
}
