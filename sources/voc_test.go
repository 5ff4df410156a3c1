package sources_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// vocFolder makes a folder of images without pixels and their XML files.
func vocFolder(t *testing.T, images []string, xml map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range xml {
		name = filepath.Join(dir, "Annotations", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "JPEGImages"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range images {
		if err := os.WriteFile(filepath.Join(dir, "JPEGImages", name), []byte("image "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func vocObject(name, box string) string {
	v := strings.Fields(box)
	return "<object><name>" + name + "</name><difficult>0</difficult><bndbox><xmin>" + v[0] + "</xmin><ymin>" + v[1] + "</ymin><xmax>" + v[2] + "</xmax><ymax>" + v[3] + "</ymax></bndbox></object>"
}

func vocXML(filename string, objects ...string) string {
	return "<annotation><filename>" + filename + "</filename><size><width>100</width><height>80</height></size>" + strings.Join(objects, "") + "</annotation>"
}

// openTargets opens a source and reads all targets.
func openTargets(t *testing.T, source sources.Source) (schema.Index, []schema.Targets, []string) {
	t.Helper()
	d, err := sources.Open(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var all []schema.Targets
	spec := schema.TargetSpecOf(d.Index())
	for sample := range d.Index().Len() {
		var one schema.Targets
		if err := d.(sources.Targeter).Targets(t.Context(), sample, &one); err != nil {
			t.Fatal(err)
		}
		if err := spec.CheckTargets(&one); err != nil {
			t.Error(err)
		}
		labels := schema.ObjectLabelsOf(d.Index(), sample)
		if len(labels) != len(one.Objects) {
			t.Errorf("%s: %d labels in the index, %d objects", d.Index().Key(sample), len(labels), len(one.Objects))
			continue
		}
		for i, o := range one.Objects {
			if labels[i] != o.Label {
				t.Errorf("%s: object %d has label %d in the index and %d with the row", d.Index().Key(sample), i, labels[i], o.Label)
			}
		}
		all = append(all, one)
	}
	warnings := []string{}
	if w, ok := d.(sources.Warner); ok {
		warnings = w.Warnings()
	}
	return d.Index(), all, warnings
}

func TestVOC(t *testing.T) {
	dir := vocFolder(t, []string{"a.jpg", "b.png", "other.png", "unlisted.jpg"}, map[string]string{
		"b.xml": vocXML("other.jpg", vocObject("dog", "1 1 100 80"), strings.Replace(vocObject("cat", "11 21 30.5 40"), "<difficult>0", "<difficult>1", 1)),
		"a.xml": vocXML("a"), "gone.xml": vocXML("gone.jpg", vocObject("cat", "1 1 2 2")),
	})
	index, all, warnings := openTargets(t, sources.VOC{Path: dir})
	if index.Len() != 3 || index.Key(0) != "a.jpg" || index.Key(1) != "b.png" || index.Key(2) != "gone.jpg" || index.Size(2) != -1 {
		t.Fatalf("%d samples: %s %s", index.Len(), index.Key(0), index.Key(1))
	}
	spec := schema.TargetSpecOf(index)
	if strings.Join(spec.Classes, " ") != "cat dog" {
		t.Errorf("classes %q", spec.Classes)
	}
	if len(all[0].Objects) != 0 || all[0].Width != 100 || all[0].Height != 80 {
		t.Errorf("a has %+v", all[0])
	}
	o := all[1].Objects
	if len(o) != 2 || o[0].Box != [4]float32{0, 0, 100, 80} || o[0].Label != 1 || o[0].ID != 1 || o[0].Crowd ||
		o[1].Box != [4]float32{10, 20, 30.5, 40} || o[1].Label != 0 || o[1].ID != 2 || !o[1].Crowd {
		t.Errorf("b has %+v", o)
	}
	text := strings.Join(warnings, "\n")
	for _, want := range []string{"another name than its image's", `"other.jpg"`, "1 image with no file", `"gone.jpg"`, `2 images with no XML file, such as "other.png": left out: add the files`} {
		if !strings.Contains(text, want) {
			t.Errorf("warnings lack %q:\n%s", want, text)
		}
	}
	zero, one := 0, 1
	_, all, _ = openTargets(t, sources.VOC{Path: dir, Origin: &zero, Classes: sources.Classes{List: []string{"dog", "cat"}}})
	if b := all[1].Objects[0]; b.Box != [4]float32{1, 1, 100, 80} || b.Label != 0 {
		t.Errorf("from 0: %+v", b)
	}
	a, _, _ := openTargets(t, sources.VOC{Path: dir})
	b, _, _ := openTargets(t, sources.VOC{Path: dir, Origin: &one})
	c, _, _ := openTargets(t, sources.VOC{Path: dir, Origin: &zero})
	if sources.Identity(a) != sources.Identity(b) || sources.Identity(a) == sources.Identity(c) {
		t.Error("the identity doesn't follow the boxes")
	}
}

// Every fault of an object is a warning with the file, the number and a remedy.
func TestVOCFaults(t *testing.T) {
	for box, want := range map[string]string{
		"5 5 4 4":         "without width or height", // from 1: a box of no pixel
		"9 9 2 20":        "corners are exchanged",
		"101 1 120 20":    "outside of its image",
		"90 1 120 20":     "reaches out of its image",
		"NaN 1 120 20":    "finite",
		"-1e300 1 9 9":    "finite", // beyond float32
		"1 1 9 9":         "a class and box that were there before",
		"0 0 9 9":         "or its corners another origin",
		"50 40 50 40":     "a box of one pixel",
		"x 1 120 20":      "no bndbox of four numbers",
		"1e400 1 120 200": "no bndbox of four numbers",
	} {
		dir := vocFolder(t, []string{"a.jpg"}, map[string]string{"a.xml": vocXML("a.jpg", vocObject("cat", "1 1 9 9"), vocObject("cat", box))})
		_, all, warnings := openTargets(t, sources.VOC{Path: dir})
		if len(warnings) != 1 || !strings.Contains(warnings[0], want) || !strings.Contains(warnings[0], "number 2 of ") || !strings.Contains(warnings[0], "a.xml") {
			t.Errorf("%s: %q, want %q", box, warnings, want)
		}
		stays := box == "90 1 120 20" || box == "0 0 9 9" || box == "50 40 50 40"
		if n := len(all[0].Objects); (n == 2) != stays {
			t.Errorf("%s: %d objects stay", box, n)
		}
	}
	dir := vocFolder(t, []string{"a.jpg"}, map[string]string{"a.xml": vocXML("a.jpg", vocObject("", "1 1 9 9"), vocObject("dog", "1 1 9 9"), vocObject("Cat", "1 1 9 9"), vocObject("dog", "1 1 5 9"), vocObject("cat", "1 1 9 9"), "<object><name>cat</name></object>")})
	_, _, warnings := openTargets(t, sources.VOC{Path: dir, Classes: sources.Classes{List: []string{"cat"}}})
	text := strings.Join(warnings, "\n")
	for _, want := range []string{"no name", `3 objects with a class that isn't among classes, such as "dog" (2), "Cat" (1) ("cat" is, which differs only in letter case)`, "no bndbox"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// Classes of objects that differ in letter case alone are told.
func TestVOCAlike(t *testing.T) {
	dir := vocFolder(t, []string{"a.jpg", "b.jpg"}, map[string]string{
		"a.xml": vocXML("a.jpg", vocObject("WBC", "1 1 9 9"), vocObject("WBC", "1 1 9 8")), "b.xml": vocXML("b.jpg", vocObject("wbc", "1 1 9 9"), vocObject("RBC", "1 1 9 9"))})
	_, _, list := openTargets(t, sources.VOC{Path: dir})
	want := `the classes "WBC" (2 objects, such as "a.jpg") and "wbc" (1 object, such as "b.jpg") of objects differ only in letter case: spell them alike if they are one class`
	if len(list) != 1 || list[0] != want {
		t.Errorf("%q, want %q", list, want)
	}
	if _, _, list = openTargets(t, sources.VOC{Path: dir, Classes: sources.Classes{List: []string{"RBC", "WBC", "wbc"}}}); len(list) != 0 {
		t.Errorf("of classes that were listed: %q", list)
	}
}

// What is wrong with a set's names, or a file as a whole.
func TestVOCFileFaults(t *testing.T) {
	good := vocXML("a.jpg", vocObject("cat", "1 1 9 9"))
	unsized := strings.Replace(strings.Replace(good, ">100<", ">0<", 1), "a.jpg", "b.jpg", 1)
	dir := vocFolder(t, []string{"a.jpg", "b.jpg"}, map[string]string{"a.xml": good, "b.xml": unsized})
	write(t, dir, "set.txt", "a.jpg\nb\nnone.png\na\n")
	index, all, warnings := openTargets(t, sources.VOC{Path: dir, Set: "set.txt"})
	if index.Len() != 2 || len(all[0].Objects) != 1 || len(all[1].Objects) != 1 || all[0].Width != 100 || all[1].Height != 0 || all[1].Width != 0 {
		t.Errorf("%d samples: %+v", index.Len(), all)
	}
	if len(warnings) != 3 {
		t.Errorf("%d warnings: %q", len(warnings), warnings)
	}
	for _, want := range [][]string{
		{"1 file with no size", "b.xml", "can't be told"},
		{"1 name with no XML file", "none.xml", "remove them from the set"},
		{"1 line with a name that the set has before", `"a"`, "remove the others"},
	} {
		found := false
		for _, text := range warnings {
			if strings.Contains(text, want[0]) {
				found = true
				for _, part := range want[1:] {
					if !strings.Contains(text, part) {
						t.Errorf("%q lacks %q", text, part)
					}
				}
			}
		}
		if !found {
			t.Errorf("no %q in %q", want[0], warnings)
		}
	}
}

func TestVOCErrors(t *testing.T) {
	good := vocXML("a.jpg", vocObject("cat", "1 1 9 9"))
	for name, c := range map[string]struct {
		images []string
		xml    map[string]string
		set    string
		want   string
	}{
		"no xml":         {[]string{"a.jpg"}, map[string]string{"a.txt": ""}, "", "no .xml file"},
		"not xml":        {[]string{"a.jpg"}, map[string]string{"a.xml": "{}"}, "", "isn't XML"},
		"cut":            {[]string{"a.jpg"}, map[string]string{"a.xml": good[:len(good)-5]}, "", "isn't XML"},
		"empty":          {[]string{"a.jpg"}, map[string]string{"a.xml": ""}, "", "it is empty"},
		"encoding":       {[]string{"a.jpg"}, map[string]string{"a.xml": `<?xml version="1.0" encoding="EBCDIC"?>` + good}, "", `its encoding is "EBCDIC": write it in UTF-8`},
		"no image":       {nil, map[string]string{"a.xml": good}, "", "there is none of its images (1)"},
		"no class":       {[]string{"a.jpg"}, map[string]string{"a.xml": strings.Replace(good, "cat", "cats", 1)}, "", `no object is left of 1 object: 1 object with a class that isn't among classes, such as "cats" (1) (did you mean "cat"?)`},
		"set of nothing": {[]string{"a.jpg"}, map[string]string{"a.xml": good}, "set.txt", "no such file"},
	} {
		dir := vocFolder(t, c.images, c.xml)
		d, err := sources.Open(context.Background(), sources.VOC{Path: dir, Set: c.set, Classes: sources.Classes{List: []string{"cat", "dog"}}})
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "sources: voc: ") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Files of Western editors name their encoding.
func TestVOCEncodings(t *testing.T) {
	for encoding, name := range map[string]string{"utf-8": "gelée", "ISO-8859-1": "gel\xe9e", "latin1": "gel\xe9e", "Windows-1252": "gel\xe9e"} {
		xml := `<?xml version="1.0" encoding="` + encoding + `"?>` + vocXML("a.jpg", vocObject(name, "1 1 9 9"))
		d := open(t, sources.VOC{Path: vocFolder(t, []string{"a.jpg"}, map[string]string{"a.xml": xml})})
		if classes := schema.TargetSpecOf(d.Index()).Classes; len(classes) != 1 || classes[0] != "gelée" {
			t.Errorf("%s: %q", encoding, classes)
		}
	}
}

// The photos of blood cells: figures counted by other means, and faults that are in them.
func TestVOCOfCells(t *testing.T) {
	dir := "../../shared/data/cells"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no data/cells beside the project")
	}
	index, all, warnings := openTargets(t, sources.VOC{Path: dir})
	counts := map[string]int{}
	for _, one := range all {
		for _, o := range one.Objects {
			counts[schema.TargetSpecOf(index).Classes[o.Label]]++
		}
	}
	if index.Len() != 364 || counts["RBC"] != 4155 || counts["WBC"] != 372 || counts["Platelets"] != 361 {
		t.Errorf("%d images, %v", index.Len(), counts)
	}
	// Two boxes whose corners are the same pixel.
	if len(warnings) != 1 || !strings.Contains(warnings[0], "2 objects with a box of one pixel") || !strings.Contains(warnings[0], "number 13 of ") || !strings.Contains(warnings[0], "BloodImage_00338.xml") {
		t.Errorf("%q", warnings)
	}
	zero := 0 // from 0 they have no area
	_, _, warnings = openTargets(t, sources.VOC{Path: dir, Origin: &zero})
	if !strings.Contains(strings.Join(warnings, "\n"), "2 objects with a box without width or height") {
		t.Errorf("from 0: %q", warnings)
	}
	_, some, _ := openTargets(t, sources.VOC{Path: dir, Set: "ImageSets/val.txt"})
	if len(some) == 0 || len(some) >= 364 {
		t.Errorf("%d images in the set", len(some))
	}
}

func FuzzVOC(f *testing.F) {
	f.Add(vocXML("a.jpg", vocObject("cat", "1 1 9 9")))
	f.Add(vocXML("a.jpg", vocObject("cat", "9 9 1 1"), "<object/>"))
	f.Add(vocXML("a.jpg", vocObject("cat", "-1e300 1 9 9")))
	f.Fuzz(func(t *testing.T, text string) {
		dir := vocFolder(t, []string{"a.jpg"}, map[string]string{"a.xml": text})
		d, err := sources.Open(t.Context(), sources.VOC{Path: dir})
		if err != nil {
			return
		}
		defer d.Close()
		for sample := range d.Index().Len() {
			var one schema.Targets
			if err := d.(sources.Targeter).Targets(t.Context(), sample, &one); err != nil {
				t.Fatal(err)
			}
			if err := schema.TargetSpecOf(d.Index()).CheckTargets(&one); err != nil {
				t.Fatal(err)
			}
		}
	})
}
