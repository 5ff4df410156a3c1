package sources_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluicedata/sluice/internal/coco"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// cocoFile writes an annotation file into a folder of images a.jpg and b.jpg of 40 x 30.
func cocoFile(t *testing.T, annotations string) sources.Coco {
	t.Helper()
	return cocoText(t, `{"images": [{"id": 1, "file_name": "a.jpg", "height": 30, "width": 40}, {"id": 2, "file_name": "b.jpg", "height": 30, "width": 40}],
		"annotations": [`+annotations+`], "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}]}`)
}

func cocoText(t *testing.T, text string) sources.Coco {
	t.Helper()
	dir := tree(t, "a.jpg", "b.jpg")
	return sources.Coco{File: write(t, dir, "coco.json", text)}
}

// objectsOf are the targets of a sample, and those of the index agree.
func objectsOf(t *testing.T, d sources.Dataset, sample int) schema.Targets {
	t.Helper()
	var targets schema.Targets
	must(t, d.(sources.Targeter).Targets(context.Background(), sample, &targets))
	labels := schema.ObjectLabelsOf(d.Index(), sample)
	if len(labels) != len(targets.Objects) {
		t.Fatalf("sample %d has %d objects, and %d labels", sample, len(targets.Objects), len(labels))
	}
	for i, o := range targets.Objects {
		if o.Label != labels[i] {
			t.Fatalf("object %d of sample %d has the label %d, in the index %d", i, sample, o.Label, labels[i])
		}
	}
	return targets
}

func TestCocoAsPycocotools(t *testing.T) {
	text, err := os.ReadFile("testdata/coco/instances.json")
	must(t, err)
	dir := tree(t, "a.jpg", "b.jpg", "sub/c.jpg", "d.jpg")
	source := sources.Coco{File: write(t, dir, "instances.json", string(text))}
	sourcetest.Run(t, func() sources.Source { return source })
	d := open(t, source)
	x := d.Index()
	if w := d.(sources.Warner).Warnings(); len(w) > 0 {
		t.Errorf("warnings: %q", w)
	}
	var golden struct {
		Images []struct {
			Key           string
			ID            int64
			Height, Width int
			Objects       []struct {
				ID        int64
				Label     int32
				Box       [4]float64
				Crowd     bool
				Area      float64
				Keypoints []float32
				RLE       string
				Pixels    int64
			}
		}
	}
	text, err = os.ReadFile("testdata/coco/golden.json")
	must(t, err)
	must(t, json.Unmarshal(text, &golden))
	if len(golden.Images) != 4 || x.Len() != 4 {
		t.Fatalf("%d images, want %d", x.Len(), len(golden.Images))
	}
	for i, image := range golden.Images {
		if x.Key(i) != image.Key || x.Value(0, i) != image.ID {
			t.Errorf("sample %d is %q, image %v, want %q, %d", i, x.Key(i), x.Value(0, i), image.Key, image.ID)
		}
		targets := objectsOf(t, d, i)
		if targets.Height != image.Height || targets.Width != image.Width || len(targets.Objects) != len(image.Objects) || targets.Frame != schema.BySize {
			t.Fatalf("%q: %d objects in %d x %d, want %d in %d x %d", image.Key, len(targets.Objects), targets.Height, targets.Width, len(image.Objects), image.Height, image.Width)
		}
		for n, want := range image.Objects {
			o := targets.Objects[n]
			b := want.Box
			if o.ID != want.ID || o.Label != want.Label || o.Crowd != want.Crowd || o.Area != float32(want.Area) || !slices.Equal(o.Keypoints, want.Keypoints) ||
				o.Box != [4]float32{float32(b[0]), float32(b[1]), float32(b[0] + b[2]), float32(b[1] + b[3])} {
				t.Errorf("%q: object %d is %+v, want %+v", image.Key, n, o, want)
			}
			checkShape(t, o, image.Height, image.Width, want.RLE, want.Pixels)
		}
	}
	spec := schema.TargetSpecOf(x)
	must(t, spec.Check())
	want := schema.TargetSpec{Boxes: true, Polygons: true, Classes: []string{"zero", "person", "toothbrush"}, CategoryIDs: []int64{0, 17, 90},
		Keypoints: []string{"nose", "left_eye", "right_eye"}, Mirrored: []int{0, 2, 1}, Categories: spec.Categories}
	if !reflect.DeepEqual(*spec, want) || !json.Valid(spec.Categories) || !strings.Contains(string(spec.Categories), "skeleton") {
		t.Errorf("the spec is %+v, want %+v", *spec, want)
	}
}

// checkShape draws an object's polygon as pycocotools draws polygons. Outlines of RLEs are along
// the edges of pixels, where pycocotools' rounding is of no consequence only to areas.
func checkShape(t *testing.T, o schema.Object, height, width int, rle string, pixels int64) {
	t.Helper()
	if o.Crowd { // of an RLE
		sum := 0.0
		for _, ring := range o.Polygon {
			sum += schema.PolygonArea(ring)
		}
		if sum != float64(pixels) {
			t.Errorf("object %d: rings of area %v, pycocotools has %d", o.ID, sum, pixels)
		}
		return
	}
	var parts []coco.RLE
	for _, ring := range o.Polygon {
		var points []float64
		for _, v := range ring {
			points = append(points, float64(float32(v)))
		}
		r, err := coco.FromPolygon(points, height, width)
		must(t, err)
		parts = append(parts, r)
	}
	r, err := coco.Union(parts...)
	must(t, err)
	if text := string(r.AppendEncoded(nil)); text != rle {
		t.Errorf("object %d: its polygon is drawn as %q, pycocotools has %q", o.ID, text, rle)
	}
}

func TestCocoFaults(t *testing.T) {
	good := `{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20]}`
	box := [4]float32{1, 2, 11, 22}
	for _, c := range []struct {
		name, annotation string
		want             []schema.Object // besides good
		warning          string
	}{
		{"no area", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 0, 20]}`, nil,
			`1 of 2 annotations with a box without width or height, such as id 2 of "a.jpg": its box is [1 2 0 20]: left out`},
		{"reversed", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [11, 22, -10, -20]}`, nil, "negative width or height, such as id 2"},
		{"outside", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [41, 2, 10, 20]}`, nil, "outside of its image, such as id 2"},
		{"partly outside", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [35, 2, 10, 20]}`, []schema.Object{{ID: 2, Label: 1, Box: [4]float32{35, 2, 45, 22}}}, "reaches out of its image"},
		{"half a pixel outside", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [30, 2, 10.5, 20]}`, []schema.Object{{ID: 2, Label: 1, Box: [4]float32{30, 2, 40.5, 22}}}, ""},
		{"shares", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [0.25, 0.5, 0.5, 0.25]}`, []schema.Object{{ID: 2, Label: 1, Box: [4]float32{0.25, 0.5, 0.75, 0.75}}},
			`1 box with all of its numbers from 0 to 1, such as id 2 of "a.jpg": its box is [0.25 0.5 0.5 0.25]: taken as pixels`},
		{"not finite", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [NaN, 2, 10, 20]}`, nil, "isn't four finite numbers, such as id 2"},
		{"infinite", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 1e999, 20]}`, nil, "isn't four finite numbers"},
		{"three numbers", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10]}`, nil, "isn't four finite numbers"},
		{"no box", `{"id": 2, "image_id": 1, "category_id": 3}`, nil, "neither a box nor a segmentation"},
		{"box of its polygon", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [], "segmentation": [[1, 2, 11, 2, 11, 22]]}`,
			[]schema.Object{{ID: 2, Label: 1, Box: box, Polygon: [][]float32{{1, 2, 11, 2, 11, 22}}}}, "no box and a segmentation"},
		{"unknown category", `{"id": 2, "image_id": 1, "category_id": 2, "bbox": [1, 2, 10, 20]}`, nil, `isn't in the list categories, such as id 2 of "a.jpg": category 2`},
		{"no category", `{"id": 2, "image_id": 1, "category_id": null, "bbox": [1, 2, 10, 20]}`, nil, "with no category_id"},
		{"no such image", `{"id": 2, "image_id": 9, "category_id": 3, "bbox": [1, 2, 10, 20]}`, nil, `isn't in the list images, such as id 2 (of image 9)`},
		{"doubled id", `{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 20]}`, []schema.Object{{ID: 1, Label: 0, Box: box}}, "an id that another has, such as id 1"},
		{"no id", `{"image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 20], "iscrowd": true, "area": 5}`, []schema.Object{{Label: 0, Box: box, Crowd: true, Area: 5}}, "with no id"},
		{"two points", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": [[1, 2, 3, 4], [1, 2, 11, 2, 11, 22]]}`,
			[]schema.Object{{ID: 2, Label: 1, Box: box, Polygon: [][]float32{{1, 2, 11, 2, 11, 22}}}}, "1 polygon with fewer than three points"},
		{"odd", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": [[1, 2, 3, 4, 5, 6, 7]]}`,
			[]schema.Object{{ID: 2, Label: 1, Box: box}}, "an odd number of numbers"},
		{"a polygon of NaN", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": [[1, 2, NaN, 4, 5, 6]]}`,
			[]schema.Object{{ID: 2, Label: 1, Box: box}}, "isn't finite"},
		{"one polygon", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": [1, 2, 11, 2, 11, 22]}`,
			[]schema.Object{{ID: 2, Label: 1, Box: box, Polygon: [][]float32{{1, 2, 11, 2, 11, 22}}}}, "a polygon that isn't in a list"},
		{"crossing itself", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": [[1, 2, 11, 22, 11, 2, 1, 22]]}`,
			[]schema.Object{{ID: 2, Label: 1, Box: box, Polygon: [][]float32{{1, 2, 11, 22, 11, 2, 1, 22}}}}, ""},
		{"no points", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": []}`, []schema.Object{{ID: 2, Label: 1, Box: box}}, ""},
		{"RLE of the wrong length", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": {"counts": [1, 2], "size": [30, 40]}}`,
			[]schema.Object{{ID: 2, Label: 1, Box: box}}, "the runs of an RLE have 3 pixels"},
		{"RLE of another size", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": {"counts": [1200], "size": [40, 30]}}`,
			[]schema.Object{{ID: 2, Label: 1, Box: box}}, "it is of 40 x 30 pixels (height x width), and its image of 30 x 40"},
		{"RLE of nonsense", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": {"counts": "~~", "size": [30, 40]}}`,
			[]schema.Object{{ID: 2, Label: 1, Box: box}}, "an RLE that can't be read"},
		{"RLE of negative lengths", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": {"counts": [-1, 1201], "size": [30, 40]}}`,
			[]schema.Object{{ID: 2, Label: 1, Box: box}}, "isn't a length"},
		{"negative area", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "area": -3}`, []schema.Object{{ID: 2, Label: 1, Box: box}}, "its area is -3"},
		{"keypoints without names", `{"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "keypoints": [1, 2, 2]}`,
			[]schema.Object{{ID: 2, Label: 1, Box: box}}, "has names for 0 keypoints"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, cocoFile(t, good+","+c.annotation))
			must(t, schema.Check(d.Index()))
			warnings := d.(sources.Warner).Warnings()
			if c.warning == "" && len(warnings) > 0 || c.warning != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], c.warning)) {
				t.Errorf("warnings %q, want one with %q", warnings, c.warning)
			}
			objects := objectsOf(t, d, 0).Objects
			want := append([]schema.Object{{ID: 1, Label: 1, Box: box}}, c.want...)
			if !reflect.DeepEqual(objects, want) {
				t.Errorf("objects %+v, want %+v", objects, want)
			}
			if n := len(objectsOf(t, d, 1).Objects); n != 0 {
				t.Errorf("the other image has %d objects", n)
			}
		})
	}
}

// That all objects are crowds is told of the source, and of a concat if all of its sources say so.
func TestCrowdsAlone(t *testing.T) {
	const object = `{"id": %d, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "iscrowd": %d}`
	crowd, plain := fmt.Sprintf(object, 1, 1), fmt.Sprintf(object, 2, 0)
	concat := func(a, b string) sources.Source {
		return sources.Concat{Sources: map[string]sources.Source{"a": cocoFile(t, a), "b": cocoFile(t, b)}}
	}
	voc := func(difficult ...string) sources.Source {
		var objects []string
		for i, d := range difficult {
			objects = append(objects, strings.Replace(vocObject("dog", fmt.Sprintf("1 1 %d 80", 90+i)), "<difficult>0", "<difficult>"+d, 1))
		}
		return sources.VOC{Path: vocFolder(t, []string{"a.jpg"}, map[string]string{"a.xml": vocXML("a.jpg", objects...)})}
	}
	for name, c := range map[string]struct {
		source sources.Source
		want   bool
	}{
		"difficult": {voc("1", "1"), true}, "some difficult": {voc("1", "0"), false}, "no objects": {voc(), false},
		"crowds": {cocoFile(t, crowd), true}, "both": {cocoFile(t, crowd+","+plain), false}, "none": {cocoFile(t, plain), false}, "empty": {cocoFile(t, ""), false},
		"two of crowds": {concat(crowd, crowd), true}, "one of two": {concat(crowd, plain), false},
	} {
		if have := schema.TargetSpecOf(open(t, c.source).Index()).CrowdsAlone; have != c.want {
			t.Errorf("%s: %t", name, have)
		}
	}
}

// Boxes that reach out of their images, and fit as corners, are told with what to do.
func TestCocoCorners(t *testing.T) {
	text := warnings(open(t, cocoFile(t, `{"id": 1, "image_id": 1, "category_id": 3, "bbox": [20, 12, 30, 22]}, {"id": 2, "image_id": 1, "category_id": 3, "bbox": [25, 2, 39, 30]}`)))
	for _, want := range []string{"2 of 2 annotations with a box that reaches out", `2 boxes with a right or lower edge out of its image, such as id 1 of "a.jpg"`, "would fit as left, top, right and bottom"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

func TestCocoErrors(t *testing.T) {
	images := `"images": [{"id": 1, "file_name": "a.jpg"}]`
	for text, want := range map[string]string{
		``: "the file is empty",
		`{` + images + `, "categories": [{"id": 1, "name": "cat"}], "annotations": [{"id": 7, "image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4]}]}`: "no object is left of 1 annotation: 1 annotation with a category that isn't in the list categories, such as id 7",
		`[{"image_id": 1}]`:                                                                "it is a list, as detection results are",
		`{"annotations": [], "categories": []}`:                                            "it has no list images",
		`{"images": [`:                                                                     "ends in the middle of its JSON",
		`{"images": []}`:                                                                   "lists no image",
		`{"images": [{"id": 1}]}`:                                                          "lists no image",
		`{"images": [{"file_name": "a.jpg"}]}`:                                             "images[0]: at byte 34: an image without id",
		`{"images": [{"id": "x", "file_name": "a.jpg"}]}`:                                  `want a whole number, have the text "x"`,
		`{"images": [{"id": 1.5, "file_name": "a.jpg"}]}`:                                  "want a whole number, have 1.5",
		`{"images": [{"id": 1, "file_name": 7}]}`:                                          "file_name: want a text",
		`{"images": [{"id": 1, "file_name": "none.jpg"}]}`:                                 `there is none of its images (1), such as`,
		`{"images": {}}`:                                                                   `want '[', have '{'`,
		`{` + images + `, "images": []}`:                                                   "a second list images",
		`{` + images + `} x`:                                                               "behind the end",
		`{` + images + `, "annotations": [{"image_id": 1}]}`:                               "has annotations and no categories",
		`{` + images + `, "annotations": [{"image_id": 1, "bbox": ["a"]}]}`:                "annotations[0]: bbox: at byte",
		`{` + images + `, "annotations": [{}, {"image_id": 1 "bbox"]}]}`:                   "annotations[1]: at byte",
		`{"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]}`:   `the images "a.jpg" and "b.jpg" have the same id, 1`,
		`{` + images + `, "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}`: `the categories "a" and "b" have the same id, 1`,
		`{` + images + `, "categories": [{"name": "a"}]}`:                                  "categories[0]: at byte",
	} {
		t.Run(text, func(t *testing.T) { fails(t, cocoText(t, text), "sources: coco: ", "coco.json", want) })
	}
	fails(t, sources.Coco{}, "file: is missing")
	fails(t, sources.Coco{File: "none.json"}, "there is no such file")
	fails(t, sources.Coco{File: "https://host/a.json", Images: "s3://b"}, "file: ", "images: ", "is a URL")
	fails(t, sources.Coco{File: "a.json", Annotations: "turned", Keypoints: sources.Keypoints{Convention: "c"}}, "neither stored nor displayed", "neither continuous nor index")
	c := cocoFile(t, "")
	c.Images = filepath.Join(filepath.Dir(c.File), "none")
	fails(t, c, "images: there is no folder")
}

func TestCocoImages(t *testing.T) {
	dir := tree(t, "a.jpg", "sub/b.jpg")
	d := open(t, sources.Coco{File: write(t, dir, "coco.json", `{"categories": [{"id": 5, "name": "x"}, {"id": 4, "name": "x"}, {"id": 6}],
		"annotations": [{"id": 1, "image_id": 12, "category_id": 5, "bbox": [0, 0, 1, 1]}, {"id": 2, "image_id": 10, "category_id": 6, "bbox": [0, 0, 1, 2]}],
		"images": [{"id": 11, "file_name": "gone.jpg", "height": 3, "width": 4}, {"id": 10, "file_name": "./a.jpg", "height": 3, "width": 4},
			{"id": 10, "file_name": "a.jpg"}, {"id": 12, "file_name": "a.jpg"}, {"id": 13}, {"id": 14, "file_name": "sub/b.jpg"}]}`)})
	x := d.Index()
	if x.Len() != 3 || x.Key(0) != "a.jpg" || x.Key(1) != "gone.jpg" || x.Key(2) != "sub/b.jpg" || x.Size(1) != -1 || x.Size(2) != int64(len("sub/b.jpg")) {
		t.Fatalf("%d samples", x.Len())
	}
	if spec := schema.TargetSpecOf(x); !slices.Equal(spec.Classes, []string{"x", "x (5)", "6"}) {
		t.Errorf("classes %q", spec.Classes)
	}
	// Objects of both entries of one file are the sample's, in the order of the file.
	if o := objectsOf(t, d, 0).Objects; len(o) != 2 || o[0].ID != 1 || o[1].ID != 2 || o[0].Label != 1 || o[1].Label != 2 {
		t.Errorf("objects %+v", o)
	}
	if _, err := d.Read(context.Background(), 1, nil); !errors.Is(err, sources.ErrMissing) {
		t.Errorf("reading a missing file: %v", err)
	}
	text := strings.Join(d.(sources.Warner).Warnings(), "\n")
	for _, want := range []string{"a name that another has, such as", "1 category with no name", "1 of 3 images with an id that was there before", "1 of 3 images with a file that was there before",
		"neither a file_name nor a coco_url, such as id 13", `gone.jpg" (id 11)`, "no height and width"} {
		if !strings.Contains(text, want) {
			t.Errorf("no warning %q in:\n%s", want, text)
		}
	}
}

func TestCocoLVIS(t *testing.T) {
	text := `{"images": [{"id": 2, "coco_url": "http://images.cocodataset.org/train2017/2.jpg", "neg_category_ids": [3, 1], "not_exhaustive_category_ids": []},
		{"id": 1, "coco_url": "http://images.cocodataset.org/val2017/1.jpg"}],
		"annotations": [{"id": 1, "image_id": 2, "category_id": 1, "bbox": [0, 0, 1, 1]}], "categories": [{"id": 1, "name": "a", "frequency": "r"}]}`
	for _, files := range [][]string{{"train2017/2.jpg", "val2017/1.jpg"}, {"2.jpg", "1.jpg"}} {
		dir := tree(t, files...)
		d := open(t, sources.Coco{File: write(t, dir, "lvis.json", text)})
		x := d.Index()
		if x.Len() != 2 || x.Key(0) != "train2017/2.jpg" || x.Key(1) != "val2017/1.jpg" {
			t.Fatalf("keys %q, %q", x.Key(0), x.Key(1))
		}
		for s := range 2 {
			data, err := d.Read(context.Background(), s, nil)
			if err != nil || string(data) != files[s] {
				t.Errorf("read %q, %v, want %q", data, err, files[s])
			}
		}
		must(t, schema.Check(x))
		if c := x.Columns(); len(c) != 3 || c[1].Name != "meta.neg_category_ids" || c[2].Name != "meta.not_exhaustive_category_ids" ||
			!reflect.DeepEqual(x.Value(1, 0), []int64{3, 1}) || x.Value(1, 1) != nil || x.Value(2, 1) != nil {
			t.Errorf("columns %v, %v, %v", c, x.Value(1, 0), x.Value(2, 0))
		}
	}
}

func TestCocoKeypoints(t *testing.T) {
	text := `{"images": [{"id": 1, "file_name": "a.jpg", "height": 30, "width": 40}],
		"categories": [{"id": 1, "name": "p", "keypoints": ["nose", "left_eye", "right_eye"]}, {"id": 2, "name": "q", "keypoints": ["tail", "nose"]}],
		"annotations": [{"id": 1, "image_id": 1, "category_id": 2, "bbox": [0, 0, 9, 9], "keypoints": [3, 4, 2, 5, 6, 1]},
			{"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "keypoints": [1, 2, 0, 3, NaN, 2, 5, 6, 2]},
			{"id": 3, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "keypoints": [1, 2, 2]},
			{"id": 4, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9]}]}`
	for _, convention := range []sources.Convention{"", sources.PixelIndex} {
		c := cocoText(t, text)
		c.Keypoints.Convention = convention
		half := float32(0)
		if convention == sources.PixelIndex {
			half = 0.5
		}
		d := open(t, c)
		if spec := schema.TargetSpecOf(d.Index()); !slices.Equal(spec.Keypoints, []string{"nose", "left_eye", "right_eye", "tail"}) || !slices.Equal(spec.Mirrored, []int{0, 2, 1, 3}) {
			t.Errorf("keypoints %q, mirrored %v", spec.Keypoints, spec.Mirrored)
		}
		var have [][]float32
		for _, o := range objectsOf(t, d, 0).Objects {
			have = append(have, o.Keypoints)
		}
		want := [][]float32{{5 + half, 6 + half, 1, 0, 0, 0, 0, 0, 0, 3 + half, 4 + half, 2}, {0, 0, 0, 0, 0, 0, 5 + half, 6 + half, 2, 0, 0, 0}, nil, nil}
		if !reflect.DeepEqual(have, want) {
			t.Errorf("keypoints %v, want %v", have, want)
		}
		text := strings.Join(d.(sources.Warner).Warnings(), "\n")
		if !strings.Contains(text, "1 keypoint with a number that isn't finite") || !strings.Contains(text, `id 3 of "a.jpg": it has 3 numbers, and category "p" has names for 3 keypoints`) {
			t.Errorf("warnings:\n%s", text)
		}
	}
}

// TestCocoDigest: the digest is of what the annotations say, and of all of that.
func TestCocoDigest(t *testing.T) {
	digest := func(annotation string, change func(*sources.Coco)) [16]byte {
		c := cocoFile(t, annotation)
		if change != nil {
			change(&c)
		}
		d := open(t, c)
		_ = objectsOf(t, d, 0) // which computes it again
		return schema.TargetDigestOf(d.Index(), 0)
	}
	base := `{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": [[1, 2, 11, 2, 11, 22]]}`
	want := digest(base, nil)
	if digest(`{"segmentation":[[1.0,2,1.1e1,2,11,22]],"x":0,"category_id":3,"image_id":1,"bbox":[1,2,10,2e1],"id":1}`, nil) != want {
		t.Error("the digest depends on how numbers are written, or on the order of keys")
	}
	for _, other := range []string{
		strings.Replace(base, `"id": 1`, `"id": 2`, 1), strings.Replace(base, `"category_id": 3`, `"category_id": 1`, 1), strings.Replace(base, "10, 20", "10, 21", 1),
		strings.Replace(base, "11, 22]]", "11, 23]]", 1), strings.Replace(base, `}`, `, "iscrowd": 1}`, 1), strings.Replace(base, `}`, `, "area": 1}`, 1), base + "," + base, "",
	} {
		if digest(other, nil) == want {
			t.Errorf("the digest doesn't tell %s from %s", other, base)
		}
	}
	if digest(base, func(c *sources.Coco) { c.Annotations = sources.FrameStored }) == want || digest(base, func(c *sources.Coco) { c.Keypoints.Convention = sources.PixelIndex }) == want {
		t.Error("the digest doesn't tell options apart")
	}
}

// TestCocoChanged: a file that is written again while it is open is an error that ends the run.
func TestCocoChanged(t *testing.T) {
	for _, to := range []string{`[9, 2, 10, 20]`, `[9, 2, 10,,20]`, `[NaN,2, 10,20]`} {
		c := cocoFile(t, `{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20]}`)
		d := open(t, c)
		text, err := os.ReadFile(c.File)
		must(t, err)
		f, err := os.OpenFile(c.File, os.O_WRONLY, 0)
		must(t, err)
		if _, err := f.WriteAt([]byte(strings.Replace(string(text), "[1, 2, 10, 20]", to, 1)), 0); err != nil {
			t.Fatal(err)
		}
		must(t, f.Close())
		var targets schema.Targets
		err = d.(sources.Targeter).Targets(context.Background(), 0, &targets)
		if err == nil || errors.Is(err, sources.ErrTargets) || !strings.Contains(err.Error(), "start again") || !strings.Contains(err.Error(), `"a.jpg"`) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// TestCocoOrders: the order of the lists in the file, of keys and of images changes nothing.
func TestCocoOrders(t *testing.T) {
	images := []string{`{"id": 1, "file_name": "a.jpg", "height": 30, "width": 40}`, `{"file_name": "b.jpg", "height": 30, "width": 40, "id": 2}`}
	lists := func() []string {
		return []string{`"images": [` + strings.Join(images, ", ") + `]`, `"info": {"a": [[], {}, "\u00e9\\\"", -1.5e-3, true, null]}`,
			`"annotations": [{"id": 1, "image_id": 2, "category_id": 3, "bbox": [1, 2, 10, 20]}, {"bbox": [1, 2, 3, 4], "category_id": 1, "image_id": 1, "id": 5}]`,
			`"categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}]`}
	}
	var first string
	random := rand.New(rand.NewPCG(1, 5))
	for range 24 {
		random.Shuffle(2, func(i, j int) { images[i], images[j] = images[j], images[i] })
		list := lists()
		random.Shuffle(4, func(i, j int) { list[i], list[j] = list[j], list[i] })
		d := open(t, cocoText(t, "\ufeff{"+strings.Join(list, ",\n")+"}\n"))
		x := d.Index()
		text := fmt.Sprint(x.Key(0), x.Key(1), schema.TargetSpecOf(x).Classes, schema.TargetDigestOf(x, 0), schema.TargetDigestOf(x, 1), objectsOf(t, d, 0), objectsOf(t, d, 1))
		if first == "" {
			first = text
		}
		if text != first {
			t.Fatalf("%v gives\n%s\nwant\n%s", list, text, first)
		}
	}
}

// TestCocoLong: a polygon of a million points, read by several at once.
func TestCocoLong(t *testing.T) {
	var ring strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&ring, "%d.5,%d,", i%40, i/40%30)
	}
	d := open(t, cocoFile(t, `{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": [[`+strings.TrimSuffix(ring.String(), ",")+`]]},
		{"id": 2, "image_id": 2, "category_id": 3, "bbox": [1, 2, 10, 20], "segmentation": {"size": [30, 40], "counts": [45, 10, 1145]}}`))
	if w := d.(sources.Warner).Warnings(); len(w) > 0 {
		t.Errorf("warnings: %q", w)
	}
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			var targets schema.Targets
			for i := range 6 {
				targets.Reset()
				sample := (i + worker) % 2
				if err := d.(sources.Targeter).Targets(context.Background(), sample, &targets); err != nil {
					t.Error(err)
					return
				}
				points := targets.Objects[0].Polygon[0]
				if n, want := len(points), []int{2_000_000, 8}[sample]; n != want || targets.Objects[0].ID != int64(sample+1) {
					t.Errorf("sample %d: object %d of %d numbers, want %d", sample, targets.Objects[0].ID, n, want)
				}
			}
		})
	}
	all.Wait()
	if n := d.(sources.Targeter).TargetBytes(0); n < 8_000_000 {
		t.Errorf("a million points take %d bytes", n)
	}
}
