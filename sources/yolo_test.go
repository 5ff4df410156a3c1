package sources_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// yoloFolder makes files; images have no pixels.
func yoloFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestYOLO(t *testing.T) {
	dir := yoloFolder(t, map[string]string{
		"data.yaml":              "path: set\ntrain: images/train\nval: [images/val, extra.txt]\nnames: {0: cat, 1: dog}\nnc: 2\ndownload: exit 1\n",
		"set/images/train/a.jpg": "1", "set/labels/train/a.txt": "0 0.5 0.5 0.2 0.4\n\n1.0 0.1 0.1 0.9 0.1 0.9 0.8\n",
		"set/images/train/in/b.png": "2", "set/labels/train/in/b.txt": "",
		"set/images/train/c.png": "3",
		"set/images/train/x.txt": "no image",
		"set/images/val/d.jpg":   "4", "set/labels/val/d.txt": "1 .5 .5 1 1",
		"set/extra.txt": "./images/train/a.jpg\n",
	})
	index, all, warnings := openTargets(t, sources.YOLO{Data: filepath.Join(dir, "data.yaml")})
	if index.Len() != 3 || index.Key(0) != "a.jpg" || index.Key(1) != "c.png" || index.Key(2) != "in/b.png" {
		t.Fatalf("%d samples, the first %q", index.Len(), index.Key(0))
	}
	spec := schema.TargetSpecOf(index)
	if strings.Join(spec.Classes, " ") != "cat dog" || !spec.Polygons || spec.Keypoints != nil {
		t.Errorf("%+v", spec)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "1 image with no text file") || !strings.Contains(warnings[0], "c.txt") {
		t.Errorf("%q", warnings)
	}
	o := all[0].Objects
	if len(o) != 2 || !all[0].Normalized || all[0].Frame != schema.Displayed || o[0].Box != [4]float32{0.4, 0.3, 0.6, 0.7} || o[0].ID != 1 || o[0].Polygon != nil ||
		o[1].Box != [4]float32{0.1, 0.1, 0.9, 0.8} || o[1].Label != 1 || o[1].ID != 3 || !slices.Equal(o[1].Polygon[0], []float32{0.1, 0.1, 0.9, 0.1, 0.9, 0.8}) {
		t.Errorf("%+v", o)
	}
	all[0].Scale(100, 50)
	if o := all[0].Objects; !close4(o[0].Box, [4]float32{40, 15, 60, 35}) || !slices.Equal(o[1].Polygon[0], []float32{10, 5, 90, 5, 90, 40}) || all[0].Normalized {
		t.Errorf("scaled: %+v", o)
	}
	if len(all[1].Objects)+len(all[2].Objects) != 0 {
		t.Error("images without lines have objects")
	}
	index, _, _ = openTargets(t, sources.YOLO{Data: filepath.Join(dir, "data.yaml"), Split: "val"})
	if index.Len() != 2 || index.Key(1) != "images/val/d.jpg" {
		t.Errorf("val has %d images", index.Len())
	}
	if err := os.Symlink(filepath.Join(dir, "set/images"), filepath.Join(dir, "link")); err == nil {
		index, _, _ = openTargets(t, sources.YOLO{Images: filepath.Join(dir, "link"), Labels: filepath.Join(dir, "set/labels"), Classes: sources.Classes{List: []string{"cat", "dog"}}})
		if index.Len() != 4 {
			t.Errorf("by a link: %d images", index.Len())
		}
	}
	index, _, _ = openTargets(t, sources.YOLO{Images: filepath.Join(dir, "set/images"), Classes: sources.Classes{List: []string{"cat", "dog"}}})
	if index.Len() != 4 || index.Key(3) != "val/d.jpg" {
		t.Errorf("without data.yaml: %d images", index.Len())
	}
}

// Paths may be relative, as where the data.yaml or the images are in the current directory.
func TestYOLORelative(t *testing.T) {
	t.Chdir(yoloFolder(t, map[string]string{
		"data.yaml":    "train: images\nval: list.txt\nnames: [cat]\n",
		"list.txt":     "images/a.jpg\n",
		"images/a.jpg": "1", "labels/a.txt": "0 0.5 0.5 0.2 0.4\n",
		"my_images/b.jpg": "2", "my_images/b.txt": "0 0.5 0.5 0.2 0.4\n",
		"sub/here": "",
	}))
	cat := sources.Classes{List: []string{"cat"}}
	check := func(y sources.YOLO) {
		t.Helper()
		if _, all, warnings := openTargets(t, y); len(all) != 1 || len(all[0].Objects) != 1 || len(warnings) != 0 {
			t.Errorf("%+v, %q", all, warnings)
		}
	}
	check(sources.YOLO{Data: "data.yaml"})
	check(sources.YOLO{Data: "data.yaml", Split: "val"})
	check(sources.YOLO{Images: "images", Classes: cat})
	check(sources.YOLO{Images: "./images", Classes: cat})
	check(sources.YOLO{Images: "my_images", Classes: cat}) // not named images: beside them
	t.Chdir("sub")
	check(sources.YOLO{Images: "../images", Classes: cat})
}

// close4 reports boxes that are equal but for float32.
func close4(a, b [4]float32) bool {
	for i := range a {
		if d := a[i] - b[i]; d > 1e-4 || d < -1e-4 {
			return false
		}
	}
	return true
}

func TestYOLOKeypoints(t *testing.T) {
	dir := yoloFolder(t, map[string]string{
		"data.yaml":    "train: images\nnames: [person]\nkpt_shape: [2, 3]\nflip_idx: [1, 0]\n",
		"images/a.jpg": "1", "labels/a.txt": "0 0.5 0.5 1 1 0.25 0.5 2 0 0 0\n0 .5 .5 1 1 .1 .1 2\n",
	})
	index, all, warnings := openTargets(t, sources.YOLO{Data: filepath.Join(dir, "data.yaml")})
	if spec := schema.TargetSpecOf(index); len(spec.Keypoints) != 2 || !slices.Equal(spec.Mirrored, []int{1, 0}) {
		t.Errorf("%+v", spec)
	}
	if o := all[0].Objects; len(o) != 1 || !slices.Equal(o[0].Keypoints, []float32{0.25, 0.5, 2, 0, 0, 0}) {
		t.Errorf("%+v", o)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "line 2 of") {
		t.Errorf("%q", warnings)
	}
}

// Every fault of a line is a warning with the file, the line and a remedy.
func TestYOLOFaults(t *testing.T) {
	for line, want := range map[string]string{
		"cat 0.5 0.5 1 1":        "class number at its beginning",
		"-1 0.5 0.5 1 1":         "class number at its beginning",
		"7 0.5 0.5 1 1":          "beyond the names",
		"0 nan 0.5 1 1":          "no finite number",
		"0 -1e300 .1 .5 .5 .2 1": "no finite number", // beyond float32
		"0 0.5 0.5 1":            "neither a box of four numbers",
		"0 .1 .1 .5 .5 .5 .5 .5": "neither a box of four numbers",
		"0 0.5 0.5 0 1":          "without width or height",
		"0 0.5 0.5 -1 1":         "1 line with a box of negative width or height",
		"0 1.4 0.5 0.2 1":        "outside of its image",
		"0 0.9 0.5 0.4 1":        "reaches out of its image",
		"0 200 150 40 20":        "aren't shares",
		"0 0.2 0.2 0.1 0.1":      "there before",
	} {
		dir := yoloFolder(t, map[string]string{"images/a.jpg": "1", "labels/a.txt": "0 0.2 0.2 0.1 0.1\n" + line})
		_, all, warnings := openTargets(t, sources.YOLO{Images: filepath.Join(dir, "images"), Classes: sources.Classes{List: []string{"cat"}}})
		if len(warnings) != 1 || !strings.Contains(warnings[0], want) || !strings.Contains(warnings[0], "line 2 of ") || !strings.Contains(warnings[0], "a.txt") {
			t.Errorf("%s: %q, want %q", line, warnings, want)
		}
		if n := len(all[0].Objects); n != 1 && want != "reaches out of its image" {
			t.Errorf("%s: %d objects stay", line, n)
		}
	}
}

// What ultralytics' VOC.yaml runs for a download is text, whatever it looks like.
func TestYOLODownloadIsText(t *testing.T) {
	dir := yoloFolder(t, map[string]string{"images/a.jpg": "1", "labels/a.txt": "0 0.2 0.2 0.1 0.1\n", "data.yaml": `
path: .
train: # 1 image
  - images
names:
  0: "*aeroplane"
  1: 'bicycle: *bb'
flip_idx: [1, 0] # of keypoints, of which there are none
# Download script/URL (optional)
download: |
  import xml.etree.ElementTree as ET
  def convert_label(path, lb_path, year, image_id):
      names = list(yaml["names"].values())
      for obj in root.iter("object"):
          if cls in names and int(obj.find("difficult").text) != 1:
              bb = convert_box((w, h), [float(xmlbox.find(x).text) for x in ("xmin", "xmax", "ymin", "ymax")])
              cls_id = names.index(cls)
              out_file.write(" ".join(str(a) for a in (cls_id, *bb)) + "\\n")
  download([f"{url}VOC.zip"], [*urls, *more])
`})
	index, all, _ := openTargets(t, sources.YOLO{Data: filepath.Join(dir, "data.yaml")})
	if classes := schema.TargetSpecOf(index).Classes; !slices.Equal(classes, []string{"*aeroplane", "bicycle: *bb"}) || len(all[0].Objects) != 1 {
		t.Errorf("%q, %+v", classes, all[0])
	}
}

func TestYOLOErrors(t *testing.T) {
	dir := yoloFolder(t, map[string]string{"images/a.jpg": "1", "labels/a.txt": "0 200 150 40 20\n0 100 50 40 20"})
	fails(t, sources.YOLO{Images: filepath.Join(dir, "images"), Classes: sources.Classes{List: []string{"cat"}}},
		"no object is left of 2 lines: 2 lines with numbers that aren't shares of width and height, such as line 1 of ")
	for text, want := range map[string]string{
		"train: images\n":                                                  "names: are missing",
		"train: images\nnames: [a, a]\n":                                   "twice",
		"train: images\nnames: [a, [b]]\n":                                 "class 1 has no text as its name",
		"train: images\nnames: {0: }\n":                                    "class 0 has no text as its name",
		"train: images\nnames: ['']\n":                                     "class 0 has no text as its name",
		"train: images\nnames: {1: a}\n":                                   "no class 0",
		"train: images\nnames: [a]\nnc: 3\n":                               "nc is 3",
		"names: [a]\n":                                                     "train: it isn't there",
		"train: nowhere\nnames: [a]\ndownload: x.zip\n":                    "A download in the file is never run",
		"train: https://host/x\nnames: [a]\n":                              "never fetched",
		"path: https://host/x\ntrain: images\nnames: [a]\n":                "never fetched",
		"a: &é [x]\ntrain: [*é, *é]\nnames: [a]\n":                         "without aliases",
		"a: &a [x]\ntrain: [*a, *a]\nnames: [a]\n":                         "without aliases",
		"train: [1]\nnames: [a]\n":                                         "is no path",
		"train: images\nnames: [a]\nkpt_shape: [3]\n":                      "kpt_shape",
		"train: images\nnames: [a]\nkpt_shape: [2, 3]\nflip_idx: [1, 1]\n": "flip_idx",
		"train: {\n":                    "isn't YAML",
		"train: empty\nnames: [a]\n":    "there is no image",
		"train: images\nnames: [a]\n":   "no image (1) has a text file",
		"train: gone.txt\nnames: [a]\n": "there is none of the images",
	} {
		dir := yoloFolder(t, map[string]string{"data.yaml": text, "images/a.jpg": "1", "empty/x.txt": "", "gone.txt": "images/none.jpg\n"})
		d, err := sources.Open(t.Context(), sources.YOLO{Data: filepath.Join(dir, "data.yaml")})
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "sources: yolo: ") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// A text file that changes while the source is open ends the run.
func TestYOLOChanged(t *testing.T) {
	dir := yoloFolder(t, map[string]string{"images/a.jpg": "1", "labels/a.txt": "0 0.2 0.2 0.1 0.1\n"})
	d, err := sources.Open(t.Context(), sources.YOLO{Images: filepath.Join(dir, "images"), Classes: sources.Classes{List: []string{"cat"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.WriteFile(filepath.Join(dir, "labels/a.txt"), []byte("0 0.2 0.2 0.1 0.2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var one schema.Targets
	if err := d.(sources.Targeter).Targets(t.Context(), 0, &one); err == nil || !strings.Contains(err.Error(), "have changed") {
		t.Error(err)
	}
}

func FuzzYOLO(f *testing.F) {
	f.Add("0 0.5 0.5 1 1\n1 0.1 0.1 0.9 0.1 0.9 0.8\n", false)
	f.Add("0 0.5 0.5 1 1 .1 .1 2 0 0 0", true)
	f.Add("0 0.5 0.5 1 1 1e300 .1 2 0 0 0", true)
	f.Add("0 -1e300 0.1 0.5 0.5 0.2 0.9", false)
	f.Fuzz(func(t *testing.T, text string, keypoints bool) {
		data := "train: images\nnames: [a, b]\n"
		if keypoints {
			data += "kpt_shape: [2, 3]\n"
		}
		dir := yoloFolder(t, map[string]string{"data.yaml": data, "images/a.jpg": "1", "labels/a.txt": text})
		d, err := sources.Open(t.Context(), sources.YOLO{Data: filepath.Join(dir, "data.yaml")})
		if err != nil {
			if !strings.Contains(err.Error(), "no object is left of ") {
				t.Fatal(err)
			}
			return
		}
		defer d.Close()
		var one schema.Targets
		if err := d.(sources.Targeter).Targets(t.Context(), 0, &one); err != nil {
			t.Fatal(err)
		}
		if err := schema.TargetSpecOf(d.Index()).CheckTargets(&one); err != nil {
			t.Fatal(err)
		}
		if len(one.Objects) != len(schema.ObjectLabelsOf(d.Index(), 0)) {
			t.Fatal("labels and objects differ")
		}
	})
}

// What is charged for a polygon of a million points is about what reading it allocates.
func TestYOLOLargePolygon(t *testing.T) {
	var line strings.Builder
	line.WriteString("0")
	const points = 1_000_000
	for i := range points {
		fmt.Fprintf(&line, " 0.%06d 0.%06d", i%999_983, (7*i)%999_979)
	}
	dir := yoloFolder(t, map[string]string{"images/a.jpg": "1", "labels/a.txt": line.String(), "images/b.jpg": "2", "labels/b.txt": "0 .5 .5 .1 .1"})
	d := open(t, sources.YOLO{Images: filepath.Join(dir, "images"), Classes: sources.Classes{List: []string{"cat"}}}).(sources.Targeter)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	have := targets(t, d, 0)
	have.Scale(640, 480)
	runtime.ReadMemStats(&after)
	if n := len(have.Objects[0].Polygon[0]); n != 2*points {
		t.Fatalf("%d numbers", n)
	}
	took := int64(after.TotalAlloc - before.TotalAlloc)
	if n := d.TargetBytes(0); n < took/2 || n > 2*took {
		t.Errorf("charged %d bytes, and reading allocates %d", n, took)
	}
	if n := d.TargetBytes(1); n < 96 || n > 1000 {
		t.Errorf("a box is charged %d bytes", n)
	}
}
