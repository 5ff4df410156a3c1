package sources_test

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/sources"
)

// both opens the same files as a folder and as a tar, which must agree.
func both(t *testing.T, f sources.Folder, files ...string) sources.Dataset {
	t.Helper()
	f.Path = tree(t, files...)
	folder := open(t, f)
	f.Path = tarFile(t, pack(t, tar.FormatPAX, files...))
	packed := open(t, f)
	if diff := cmp.Diff(folder.Index(), packed.Index()); diff != "" {
		t.Errorf("(-folder +tar)\n%s", diff)
	}
	return folder
}

// warned fails unless there is a warning with all these texts.
func warned(t *testing.T, d sources.Dataset, texts ...string) {
	t.Helper()
	for _, line := range d.(sources.Warner).Warnings() {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			return
		}
	}
	t.Errorf("no warning has %q:\n%s", texts, warnings(d))
}

// quiet fails if there is any warning.
func quiet(t *testing.T, d sources.Dataset) {
	t.Helper()
	if have := warnings(d); have != "" {
		t.Errorf("warnings: %s", have)
	}
}

func classes(d sources.Dataset) string {
	var texts []string
	for _, task := range d.Index().Tasks() {
		texts = append(texts, strings.Join(task.Classes, ","))
	}
	return strings.Join(texts, "; ")
}

func TestDepths(t *testing.T) {
	mixed := []string{"cat/1.png", "cat/day1/2.png", "dog/3.png", "dog/day1/4.png"}
	for _, path := range []string{tree(t, mixed...), tarFile(t, pack(t, tar.FormatGNU, mixed...))} {
		fails(t, sources.Folder{Path: path}, "different depths", `2 in 1 folder, such as "cat/1.png"`, `2 in 2 folders, such as "cat/day1/2.png"`,
			`label: outermost makes the classes "cat", "dog"`, `label: innermost "cat", "day1", "dog"`)
	}
	for label, want := range map[sources.Label]string{sources.Outermost: "cat,dog", sources.Innermost: "cat,day1,dog"} {
		d := both(t, sources.Folder{Label: label}, mixed...)
		if have := classes(d); have != want {
			t.Errorf("label: %s: classes %s, want %s", label, have, want)
		}
		quiet(t, d)
	}
	deeper := both(t, sources.Folder{}, "cat/day1/1.png", "dog/day1/2.png")
	if have := classes(deeper); have != "day1" {
		t.Errorf("classes %s", have)
	}
	warned(t, deeper, "2 folders", `its classes are "day1"`, `label: outermost would make "cat", "dog"`)
	quiet(t, both(t, sources.Folder{Label: sources.Innermost}, "cat/day1/1.png", "dog/day1/2.png"))
	// A tar's one top folder is no other reading.
	quiet(t, both(t, sources.Folder{}, "train/cat/1.png", "train/dog/2.png"))
	two := both(t, sources.Folder{Tasks: []string{"shape", "type"}, Label: sources.Outermost}, "a/x/day1/1.png", "b/y/2.png")
	if have := classes(two); have != "a,b; x,y" {
		t.Errorf("classes %s", have)
	}
	fails(t, sources.Folder{Path: tree(t, "a/1.png"), Label: "middle", ClassOrder: "none"}, `label: "middle"`, `class_order: "none"`)
}

func TestEmptyClassFolders(t *testing.T) {
	for _, c := range []struct {
		name   string
		source sources.Folder
		files  []string
		want   string
		warned string // "": no warning
	}{
		{"one", sources.Folder{}, []string{"a/1.png", "b/", "c/2.png"}, "a,b,c", `"b" has no images`},
		{"several", sources.Folder{}, []string{"a/1.png", "b/", "c/", "d/e/"}, "a,b,c,d", `3 folders have no images: "b", "c", "d"`},
		{"with other files alone", sources.Folder{}, []string{"a/1.png", "b/notes.txt"}, "a,b", `"b" has no images`},
		{"with thumbnails alone", sources.Folder{}, []string{"a/1.png", "b/@eaDir/1.png"}, "a,b", `"b" has no images`},
		{"a system's folder is none", sources.Folder{}, []string{"a/1.png", "lost+found/", ".git/"}, "a", "ignored 1 folder of thumbnails"},
		{"below a class", sources.Folder{}, []string{"a/1.png", "a/old/"}, "a", ""},
		{"above the labels", sources.Folder{Label: sources.Innermost}, []string{"s1/a/1.png", "s2/b/1.png", "s3/"}, "a,b", ""},
		{"below a folder above the labels", sources.Folder{Label: sources.Innermost}, []string{"s1/a/1.png", "s2/b/1.png", "s3/c/"}, "a,b,c", `"s3/c" has no images`},
		{"a class elsewhere", sources.Folder{Label: sources.Innermost}, []string{"s1/a/1.png", "s1/b/1.png", "s2/a/1.png", "s2/b/"}, "a,b", ""},
		{"two tasks", sources.Folder{Tasks: []string{"shape", "type"}}, []string{"a/x/1.png", "a/y/", "b/"}, "a,b; x,y", `2 folders have no images: "a/y", "b"`},
		{"outermost", sources.Folder{Label: sources.Outermost}, []string{"a/x/1.png", "b/", "a/y/", "c/x/2.png"}, "a,b,c", `"b" has no images`},
		{"different depths, innermost", sources.Folder{Label: sources.Innermost}, []string{"a/1.png", "a/x/2.png", "b/y/", "c/"}, "a,c,x,y", `2 folders have no images: "b/y", "c"`},
		{"of given classes", sources.Folder{Classes: sources.Classes{List: []string{"c", "a"}}}, []string{"a/1.png", "b/", "c/"}, "c,a", ""},
		{"without tasks", sources.Folder{Tasks: []string{}}, []string{"a/1.png", "b/"}, "", ""},
		{"flat", sources.Folder{}, []string{"1.png", "b/"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := both(t, c.source, c.files...)
			if have := classes(d); have != c.want {
				t.Errorf("classes %s, want %s", have, c.want)
			}
			if c.warned == "" {
				quiet(t, d)
			} else {
				warned(t, d, c.warned)
			}
		})
	}
}

func TestSystemFolders(t *testing.T) {
	files := []string{"a/1.png", "b/2.png"}
	for _, folder := range []string{"@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "$Recycle.Bin", "lost+found", "__MACOSX", "System Volume Information"} {
		files = append(files, folder+"/1.png", folder+"/deep/2.png", "a/"+folder+"/3.png")
	}
	for _, folder := range []string{".ipynb_checkpoints", ".thumbnails", ".AppleDouble", ".Trash-1000"} {
		files = append(files, folder+"/1.png", "a/"+folder+"/3.png")
	}
	files = append(files, "a/Thumbs.db", "b/._2.png", "b/.DS_Store")
	d := both(t, sources.Folder{}, files...)
	if diff := cmp.Diff(lines("a/1.png a", "b/2.png b"), table(d.Index())); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if have := d.Index().Ignored(); have != 8*2+4*2+3 {
		t.Errorf("%d ignored", have)
	}
	warned(t, d, "ignored 16 folders of thumbnails, trash and the like", `"@eaDir"`)
}

func TestNamesThatLookAlike(t *testing.T) {
	nfc, nfd := "caf\u00e9", "cafe\u0301"
	for _, c := range []struct{ a, b, want string }{
		{nfc, nfd, "differ only in Unicode normal form"},
		{"Cat", "cat", "differ only in letter case"},
		{"STRASSE", "stra\u00dfe", "differ only in letter case"},
		{"cat", "cat ", "differ only in spaces at the ends"},
		{"1", "01", "differ only in leading zeros"},
		{"class_1", "class_001", "differ only in leading zeros"},
		{"1", "1.0", "differ only in how it is written"},
		{"\uff21bc", "abc", "differ only in how it is written"},
		{"cat", "c\u200bat", "differ only in how it is written"},
	} {
		t.Run(c.want, func(t *testing.T) {
			d := both(t, sources.Folder{}, c.a+"/1.png", c.b+"/2.png", "tea/3.png")
			if n := len(d.Index().Tasks()[0].Classes); n != 3 {
				t.Errorf("%d classes: %s", n, classes(d))
			}
			warned(t, d, c.want, fmt.Sprintf("%+q", c.a), fmt.Sprintf("%+q", c.b), "1 sample, such as", "spell them alike")
		})
	}
	quiet(t, both(t, sources.Folder{}, "1.5/1.png", "1.05/2.png", "a1/3.png", "a10/4.png"))
	// A class that is given in another form: the error says so.
	fails(t, sources.Folder{Path: tree(t, nfd+"/1.png"), Classes: sources.Classes{List: []string{nfc}}}, `"caf\u00e9" is, which differs only in Unicode normal form`)
}

func TestClassOrder(t *testing.T) {
	var files []string
	for i := range 12 {
		files = append(files, fmt.Sprintf("%d/a.png", i))
	}
	d := both(t, sources.Folder{}, files...)
	if have := classes(d); have != "0,1,10,11,2,3,4,5,6,7,8,9" {
		t.Errorf("classes %s", have)
	}
	warned(t, d, "all classes of task", `"2" is class 4, after "11"`, "class_order: natural")
	d = both(t, sources.Folder{ClassOrder: sources.NaturalOrder}, files...)
	if have := classes(d); have != "0,1,2,3,4,5,6,7,8,9,10,11" {
		t.Errorf("classes %s", have)
	}
	quiet(t, d)
	quiet(t, both(t, sources.Folder{}, files[:10]...))
	d = both(t, sources.Folder{ClassOrder: sources.NaturalOrder}, "n10/1.png", "n9/1.png", "n9b2/1.png", "n9b10/1.png", "m/1.png")
	if have := classes(d); have != "m,n9,n9b2,n9b10,n10" {
		t.Errorf("classes %s", have)
	}
	d = both(t, sources.Folder{ClassOrder: sources.NaturalOrder}, "-1/1.png", "-2/1.png", "10/1.png", "9/1.png", "123456789012345678901234567890/1.png")
	if have := classes(d); have != "-2,-1,9,10,123456789012345678901234567890" {
		t.Errorf("classes %s", have)
	}
}

func TestBrokenLinks(t *testing.T) {
	d := both(t, sources.Folder{}, "a/1.png", "b/2.png -> gone.png", "b/3.png -> ../a/1.png", "c/4.png -> 4.png")
	x := d.Index()
	if diff := cmp.Diff(lines("a/1.png a", "b/2.png b", "b/3.png b", "c/4.png c"), table(x)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if diff := cmp.Diff([]int64{7, -1, 7, -1}, sizes(x)); diff != "" {
		t.Errorf("sizes (-want +have)\n%s", diff)
	}
	warned(t, d, "2 of 4 images are broken links", `such as "b/2.png"`, "on_error")
	if _, err := d.Read(context.Background(), 1, nil); !errors.Is(err, sources.ErrMissing) {
		t.Errorf("Read: %v", err)
	}
	whole := open(t, sources.Folder{Path: tree(t, "a/1.png", "b/2.png", "b/3.png", "c/4.png")})
	if sources.Identity(x) == sources.Identity(whole.Index()) {
		t.Error("a missing file isn't in the identity")
	}
}

func TestLabelsBesideImages(t *testing.T) {
	webdataset := []string{"0.jpg", "0.cls", "0.json", "1.jpg", "1.cls", "1.json"}
	d := both(t, sources.Folder{}, webdataset...)
	warned(t, d, "files with the same names as images are not read", "2 .cls, 2 .json", "no labels", "WebDataset", "manifest")
	inOne := make([]string, len(webdataset))
	for i, name := range webdataset {
		inOne[i] = "shard0/" + name
	}
	warned(t, both(t, sources.Folder{}, inOne...), "same names as images", "the folders' names alone")
	warned(t, both(t, sources.Folder{}, "1.jpg", "1.txt"), "1 .txt")
	quiet(t, both(t, sources.Folder{}, "a/1.jpg", "a/1.json", "b/2.jpg", "readme.txt"))
	quiet(t, both(t, sources.Folder{}, "1.jpg", "labels.json"))
}
