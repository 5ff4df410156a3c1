package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disintegration/imaging"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/demodata"
	"github.com/sluicedata/sluice/internal/jpeg"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// gallery is what docs/augmentations.md shows.
var gallery = []struct {
	title, intro string
	rows         []exhibit
}{
	{"Place and shape", "", []exhibit{
		{stage: "rotate", options: "{degrees: [$, $]}", values: [3]string{"10", "45", "120"}, equals: "`cv2.warpAffine`, torchvision `RandomRotation`"},
		{stage: "affine", seed: 14, options: "{translate: [$, $]}", values: [3]string{"0.1", "0.3", "0.6"}, equals: "torchvision `RandomAffine`, albumentations `Affine`"},
		{stage: "affine", of: "scale", options: "{scale: [$, $]}", values: [3]string{"0.5", "1.3", "2"}, equals: "the same"},
		{stage: "affine", of: "shear", options: "{shear: [$, $]}", values: [3]string{"8", "20", "40"}, equals: "the same"},
		{stage: "perspective", seed: 6, options: "{distortion_scale: $}", values: [3]string{"0.2", "0.5", "0.9"}, equals: "torchvision `RandomPerspective`"},
		{stage: "flip", options: "{direction: $, p: 1}", values: [3]string{"horizontal", "vertical"}, equals: "torchvision `RandomHorizontalFlip`, `RandomVerticalFlip`"},
		{stage: "crop", seed: 5, options: "{size: $}", values: [3]string{"0.8", "0.6", "0.4"}, equals: "torchvision `RandomCrop`"},
		{stage: "center_crop", options: "{size: $}", values: [3]string{"0.875", "0.7", "0.5"}, equals: "torchvision `CenterCrop`"},
		{stage: "random_resized_crop", seed: 8, options: "{height: 96, width: 128, scale: [$, $]}", values: [3]string{"0.6", "0.3", "0.1"}, equals: "torchvision `RandomResizedCrop`"},
	}},
	{"Sizes and borders", "", []exhibit{
		{stage: "resize", options: "{size: $}", values: [3]string{"80", "48", "24"}, equals: "Pillow `resize`, torchvision `Resize`", page: "sizes.md"},
		{stage: "random_shortest_size", options: "{min: [$]}", values: [3]string{"80", "48", "24"}, equals: "torchvision `RandomShortestSize`", page: "sizes.md"},
		{stage: "scale_jitter", options: "{target: [96, 128], range: [$, $]}", values: [3]string{"0.9", "0.6", "0.3"}, equals: "torchvision `ScaleJitter`", page: "sizes.md"},
		{stage: "pad", options: "{padding: $, mode: reflect}", values: [3]string{"8", "24", "48"}, equals: "torchvision `Pad`, albumentations `PadIfNeeded`", page: "sizes.md"},
		{stage: "pad", of: "mode", options: "{padding: 24, mode: $}", values: [3]string{"constant", "edge", "reflect"}, equals: "the same", page: "sizes.md"},
		{stage: "letterbox", options: "{height: 96, width: $}", values: [3]string{"112", "80", "48"}, equals: "ultralytics `LetterBox`", page: "sizes.md"},
		{stage: "random_zoom_out", options: "{side_range: [$, $], p: 1}", values: [3]string{"1.2", "2", "4"}, equals: "torchvision `RandomZoomOut`", page: "sizes.md"},
	}},
	{"Objects", "The boxes are drawn over the pictures: these are the objects that stay.", []exhibit{
		{stage: "random_iou_crop", seed: 12, options: "{sampler_options: [$]}", values: [3]string{"0.9", "0.5", "0.1"}, equals: "torchvision `RandomIoUCrop`", page: "sizes.md", data: "objects"},
		{stage: "sanitize_boxes", options: "{min_size: $}", values: [3]string{"1", "20", "60"}, equals: "torchvision `SanitizeBoundingBoxes`", page: "sizes.md", data: "objects"},
	}},
	{"Colours", "", []exhibit{
		{stage: "color_jitter", options: "{brightness: [$, $]}", values: [3]string{"0.4", "1.3", "1.8"}, equals: "torchvision `ColorJitter`", page: "colours.md"},
		{stage: "color_jitter", of: "contrast", options: "{contrast: [$, $]}", values: [3]string{"0.3", "1.4", "2"}, equals: "the same", page: "colours.md"},
		{stage: "color_jitter", of: "saturation", options: "{saturation: [$, $]}", values: [3]string{"0.1", "1.5", "2.5"}, equals: "the same", page: "colours.md"},
		{stage: "color_jitter", of: "hue", options: "{hue: [$, $]}", values: [3]string{"0.05", "0.2", "0.5"}, equals: "the same", page: "colours.md"},
		{stage: "gamma", options: "{range: [$, $]}", values: [3]string{"0.4", "1.5", "2.5"}, equals: "torchvision `adjust_gamma`, albumentations `RandomGamma`", page: "colours.md"},
		{stage: "posterize", options: "{bits: $}", values: [3]string{"4", "2", "1"}, equals: "torchvision `RandomPosterize`", page: "colours.md"},
		{stage: "solarize", options: "{threshold: $}", values: [3]string{"220", "128", "40"}, equals: "torchvision `RandomSolarize`", page: "colours.md"},
		{stage: "grayscale", scenes: true, equals: "torchvision `RandomGrayscale`", page: "colours.md"},
		{stage: "invert", scenes: true, equals: "torchvision `RandomInvert`", page: "colours.md"},
		{stage: "autocontrast", scenes: true, equals: "torchvision `RandomAutocontrast`", page: "colours.md"},
		{stage: "equalize", scenes: true, equals: "torchvision `RandomEqualize`", page: "colours.md"},
	}},
	{"Sharpness, blur and noise", "", []exhibit{
		{stage: "sharpness", options: "{factor: [$, $]}", values: [3]string{"0.1", "4", "12"}, equals: "torchvision `RandomAdjustSharpness`", page: "colours.md"},
		{stage: "gaussian_blur", options: "{kernel_size: 23, sigma: [$, $]}", values: [3]string{"0.7", "1.5", "4"}, equals: "torchvision `GaussianBlur`", page: "colours.md"},
		{stage: "gaussian_noise", options: "{sigma: $}", values: [3]string{"0.05", "0.15", "0.4"}, equals: "torchvision `GaussianNoise`", page: "colours.md"},
	}},
	{"Holes", "", []exhibit{
		{stage: "coarse_dropout", options: "{num_holes_range: [$, $]}", values: [3]string{"1", "4", "12"}, equals: "albumentations `CoarseDropout`", page: "colours.md"},
		{stage: "random_erasing", seed: 5, options: "{scale: [$, $], value: [124, 116, 104], p: 1}", values: [3]string{"0.05", "0.15", "0.33"}, equals: "torchvision `RandomErasing`, timm `RandomErasing`", page: "colours.md"},
	}},
	{"Policies", "Where there is no v, these are three draws, from left to right as listed.", []exhibit{
		{stage: "rand_augment", seed: 6, options: "{magnitude: $}", values: [3]string{"3", "9", "30"}, equals: "torchvision `RandAugment`", page: "policies.md"},
		{stage: "rand_augment", of: "timm", seed: 4, options: "{timm: rand-m$-p1-inc1}", values: [3]string{"2", "5", "9"}, equals: "timm `rand_augment_transform`", page: "policies.md"},
		{stage: "trivial_augment_wide", draws: [3]uint64{49, 50, 21}, equals: "torchvision `TrivialAugmentWide`", page: "policies.md"},
		{stage: "one_of", options: "{stages: [rotate: {degrees: 30}, grayscale, gaussian_noise: {sigma: 0.2}]}", draws: [3]uint64{10, 11, 12}, equals: "torchvision `RandomChoice`, albumentations `OneOf`", page: "policies.md"},
		{stage: "some_of", options: "{n: 2, stages: [rotate: {degrees: 30}, grayscale, gaussian_noise: {sigma: 0.2}]}", draws: [3]uint64{4, 5, 6}, equals: "albumentations `SomeOf`", page: "policies.md"},
	}},
	{"Mixing", "Three draws, from left to right as listed; lambda is the share of the picture's own class in its label.", []exhibit{
		{stage: "mixup", draws: [3]uint64{3, 26, 6}, equals: "torchvision `MixUp`", page: "mixing.md"},
		{stage: "cutmix", draws: [3]uint64{27, 8, 33}, equals: "torchvision `CutMix`", page: "mixing.md"},
		{stage: "remix", draws: [3]uint64{3, 8, 18}, equals: "`mixup`, whose label leans to the rarer class", page: "mixing.md"},
		{stage: "cmo", options: "{p: 1}", draws: [3]uint64{42, 47, 21}, equals: "the authors' CMO", page: "mixing.md#foregrounds-of-rare-classes"},
		{stage: "mosaic", seed: 4, options: "{center: [$, $]}", values: [3]string{"0.3", "0.5", "0.7"}, equals: "ultralytics `Mosaic`, without its scaling", page: "mixing.md#mosaics-with-objects-and-masks", data: "objects"},
		{stage: "copy_paste", seed: 3, scene: 1, options: "{object_p: 1, scale: [$, $]}", values: [3]string{"0.4", "0.8", "1.4"}, equals: "Ghiasi et al.'s Simple Copy-Paste", page: "mixing.md#objects-pasted-into-other-pictures", data: "polygons"},
	}},
}

// notInGallery are the stages of the catalogue that augment no picture.
var notInGallery = []string{
	"filter", "take", "shuffle", "rebalance", "class_weights", // which samples, and how much they count
	"decode", "to_tensor", "normalize", "batch", "multiscale", // the form in which pictures come and leave
}

// An exhibit is a row of the page: one stage in up to three strengths.
type exhibit struct {
	stage   string
	of      string    // in the picture's name, where a stage has several rows
	options string    // as in a pipeline; v is each of the values
	values  [3]string // low, middle, high
	seed    uint64    // 0: 1
	draws   [3]uint64 // in place of values: seeds; what was drawn is told
	scenes  bool      // no strength: three pictures instead
	scene   int       // by number, without these
	equals  string    // whose function it is, given the draws
	page    string    // of docs, that has more on it; none: the stage's file
	data    string    // objects or polygons: pictures with boxes, or these, and no classes
}

func (e *exhibit) picture() string {
	if e.of != "" {
		return e.stage + "-" + e.of + ".jpg"
	}
	return e.stage + ".jpg"
}

// text is the stage as a pipeline has it, with a value or, on the page, v.
func (e *exhibit) text(value string) string {
	if e.options == "" {
		return e.stage
	}
	return e.stage + ": " + strings.ReplaceAll(e.options, "$", value)
}

// Pictures of the page, in pixels.
const (
	sceneWidth, sceneHeight = 128, 96
	sceneGap                = 8
)

// TestAugmentationsPage holds docs/augmentations.md and its pictures against what the stages do:
//
//	go test ./cmd/sluice -run TestAugmentationsPage -update
//
// draws them again. The test is also where the page is written: a new stage needs a row in gallery.
func TestAugmentationsPage(t *testing.T) {
	dir := t.TempDir()
	files := map[string][]byte{}
	scenes := writeScenes(t, dir)
	files["scenes.jpg"] = strip(t, scenes)
	var page strings.Builder
	page.WriteString(pageHead)
	shown := slices.Clone(notInGallery)
	for _, group := range gallery {
		fmt.Fprintf(&page, "\n## %s\n\n", group.title)
		if group.intro != "" {
			page.WriteString(group.intro + "\n\n")
		}
		page.WriteString("| stage | low, middle, high | equals |\n|---|---|---|\n")
		for _, e := range group.rows {
			shown = append(shown, e.stage)
			if files[e.picture()] != nil {
				t.Errorf("two rows have the picture %s: give one of them an `of`", e.picture())
			}
			pictures, captions := e.show(t, dir)
			files[e.picture()] = strip(t, pictures)
			fmt.Fprintln(&page, e.row(captions))
		}
	}
	for _, entry := range stages.Catalog {
		if name := entry.New().Name(); !slices.Contains(shown, name) {
			t.Errorf("docs/augmentations.md has no row for the stage %s: add one to gallery, or, if it augments no picture, to notInGallery, and run this with -update", name)
		}
	}
	holdFiles(t, "../../docs", map[string][]byte{"augmentations.md": []byte(page.String())})
	holdFiles(t, "../../docs/augmentations", files)
	have, err := os.ReadDir("../../docs/augmentations")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range have {
		if files[entry.Name()] == nil {
			t.Errorf("docs/augmentations/%s is on no page: remove it", entry.Name())
		}
	}
}

const pageHead = `# Augmentations in pictures

Every stage that changes pictures, at low, middle and high strength. The page is generated: ` + "`go test ./cmd/sluice -run TestAugmentationsPage -update`" + ` runs the pipelines of its rows.

- v stands for the values beside the pictures, from left to right. Ranges are narrowed to one value, so that the picture has just this strength: in a pipeline of
  your own write a range, such as ` + "`rotate: {degrees: 30}`" + `, which is uniform on -30 to 30.
- What stays random (where a window or a hole is, which way a picture moves) is drawn with one seed.
- Pictures are 128 x 96 pixels, as the stages made them; larger ones are scaled down to fit, smaller ones keep their size.
- The last column is the function whose result this is, given the same draws; [what equals what](../README.md#what-equals-what) has the differences.
- ` + "`strength`" + ` makes any of them act more on rare classes: [longtail.md](longtail.md). ` + "`sluice preview pipeline.yaml`" + ` shows a pipeline on your own data.

The pictures as they are:

![a balloon, a boat, a house at night, a wood in mist](augmentations/scenes.jpg)
`

// holdFiles compares files of a folder with what they should hold, or writes them.
func holdFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		name = filepath.Join(dir, name)
		have, err := os.ReadFile(name)
		switch {
		case err == nil && bytes.Equal(have, want):
		case *update:
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s isn't what the stages make: run go test ./cmd/sluice -run TestAugmentationsPage -update, and look at it (%v)", name, err)
		}
	}
}

// row is the exhibit's row of the table.
func (e *exhibit) row(captions []string) string {
	link := "../stages/" + e.stage + ".go"
	if e.page != "" {
		link = e.page
	}
	name := "[`" + e.stage + "`](" + link + ")"
	if e.options != "" {
		name += "<br>`" + strings.ReplaceAll(e.options, "$", "v") + "`"
	}
	if len(captions) > 0 {
		name += "<br>" + strings.Join(captions, "<br>")
	}
	alt := e.stage
	if e.of != "" {
		alt += ", " + e.of
	}
	return fmt.Sprintf("| %s | ![%s](augmentations/%s) | %s |", name, alt, e.picture(), e.equals)
}

// show makes the exhibit's pictures, and says what they are.
func (e *exhibit) show(t *testing.T, dir string) (pictures []*image.NRGBA, captions []string) {
	t.Helper()
	add := func(value string, seed uint64, row int) (params string) {
		picture, params := e.run(t, dir, value, seed, row)
		pictures = append(pictures, picture)
		return params
	}
	switch {
	case e.scenes:
		for _, row := range []int{0, 2, 3} {
			add("", 1, row)
		}
		return pictures, []string{"no strength: three pictures"}
	case e.values[0] != "":
		values := slices.DeleteFunc(e.values[:], func(v string) bool { return v == "" })
		for _, value := range values {
			add(value, max(1, e.seed), e.scene)
		}
		return pictures, []string{"v: " + strings.Join(values, ", ")}
	}
	for _, seed := range e.draws {
		captions = append(captions, e.told(t, add("", seed, 0)))
	}
	return pictures, captions
}

// run makes one picture by a pipeline, the row of the given number in the order of the scenes.
func (e *exhibit) run(t *testing.T, dir, value string, seed uint64, row int) (*image.NRGBA, string) {
	t.Helper()
	source := "folder: {path: scenes}"
	if e.data != "" {
		source = "coco: {file: " + e.data + ".json, images: scenes}"
	}
	list := []string{"decode", e.text(value), "batch: {size: 4, sizes: keep}"}
	if group := e.page; strings.HasPrefix(group, "mixing.md") {
		list = []string{"decode", "resize: {height: 96, width: 128}", "batch: {size: 4}", e.text(value)}
	}
	text := fmt.Sprintf("version: 1\nseed: %d\nsource: {%s}\nstages:\n- %s\n", seed, source, strings.Join(list, "\n- "))
	pipe, err := pipefile.Parse(e.picture(), []byte(text), dir, catalogs)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for batch, err := range pipe.Batches(t.Context(), flow.WithParams()) {
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		img := nrgba(batch.Picture(row))
		if e.data == "objects" && e.stage != "mosaic" {
			objects, err := batch.Objects(row)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects {
				outline(img, image.Rect(int(o.Box[0]), int(o.Box[1]), int(o.Box[2]+0.5), int(o.Box[3]+0.5)))
			}
		}
		return img, batch.Params(row)
	}
	t.Fatal("no batch")
	return nil, ""
}

// told says what a stage drew, from its params.
func (e *exhibit) told(t *testing.T, params string) string {
	t.Helper()
	var of map[string]json.RawMessage
	var drawn struct {
		Lambda *float64
		Ops    []stages.Operation
		Stages []struct{ Stage string }
	}
	err := json.Unmarshal([]byte(params), &of)
	if err == nil {
		err = json.Unmarshal(of[e.stage], &drawn)
	}
	if err != nil {
		t.Fatalf("%v in %s", err, params)
	}
	if drawn.Lambda != nil {
		return fmt.Sprintf("lambda %.2f", *drawn.Lambda)
	}
	var parts []string
	for _, op := range drawn.Ops {
		parts = append(parts, fmt.Sprintf("%s %.3g", op.Op, op.Magnitude))
	}
	for _, s := range drawn.Stages {
		parts = append(parts, s.Stage)
	}
	if len(parts) == 0 {
		t.Fatalf("%s: nothing is told in %s", e.stage, params)
	}
	return strings.Join(parts, ", ")
}

// writeScenes writes the scenes as a folder of classes, and a list of their objects.
func writeScenes(t *testing.T, dir string) (pictures []*image.NRGBA) {
	t.Helper()
	list := struct {
		Images      []map[string]any `json:"images"`
		Annotations []map[string]any `json:"annotations"`
		Categories  []map[string]any `json:"categories"`
	}{Categories: []map[string]any{{"id": 1, "name": "balloon"}}}
	var shapes [][]float64
	for i, name := range demodata.Scenes {
		img := demodata.Scene(name, sceneWidth, sceneHeight)
		file := fmt.Sprintf("%d-%s/%s.png", i, name, name)
		if err := os.MkdirAll(filepath.Join(dir, "scenes", filepath.Dir(file)), 0o755); err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := png.Encode(&buf, img); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "scenes", file), buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		pictures = append(pictures, imaging.Clone(img))
		list.Images = append(list.Images, map[string]any{"id": i, "file_name": file, "width": sceneWidth, "height": sceneHeight})
		if name == "balloon" {
			for _, b := range demodata.Balloons {
				for k := range b {
					b[k] *= sceneHeight
				}
				list.Annotations = append(list.Annotations, map[string]any{"id": len(list.Annotations) + 1, "image_id": i, "category_id": 1, "bbox": b, "area": b[2] * b[3], "iscrowd": 0})
				shapes = append(shapes, balloonIn(b))
			}
		}
	}
	write := func(name string) {
		data, err := json.Marshal(list)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("objects.json")
	for i, shape := range shapes {
		list.Annotations[i]["segmentation"] = [][]float64{shape}
	}
	write("polygons.json")
	return pictures
}

// balloonIn is the outline of a balloon with its basket in a box.
func balloonIn(b [4]float64) (ring []float64) {
	radius := b[2] / 2
	x, y := b[0]+radius, b[1]+radius
	for k := range 25 {
		sin, cos := math.Sincos(math.Pi * (0.7 + 1.6*float64(k)/24))
		ring = append(ring, math.Round(4*(x+radius*cos))/4, math.Round(4*(y+radius*sin))/4)
	}
	return append(ring, x+radius/5, b[1]+b[3], x-radius/5, b[1]+b[3])
}

func nrgba(p *schema.Picture) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Height * p.Width {
		copy(img.Pix[4*i:], []uint8{p.U8[3*i], p.U8[3*i+1], p.U8[3*i+2], 255})
	}
	return img
}

// outline draws the border of a box, one pixel wide.
func outline(img *image.NRGBA, box image.Rectangle) {
	pink := image.NewUniform(color.NRGBA{255, 0, 170, 255})
	for _, side := range []image.Rectangle{
		{box.Min, image.Pt(box.Max.X, box.Min.Y+1)}, {image.Pt(box.Min.X, box.Max.Y-1), box.Max},
		{box.Min, image.Pt(box.Min.X+1, box.Max.Y)}, {image.Pt(box.Max.X-1, box.Min.Y), box.Max},
	} {
		draw.Draw(img, side, pink, image.Point{}, draw.Src)
	}
}

// strip is pictures side by side as a JPEG file, each in the middle of a place of a scene's size.
func strip(t *testing.T, pictures []*image.NRGBA) []byte {
	t.Helper()
	width := len(pictures)*(sceneWidth+sceneGap) - sceneGap
	pix := bytes.Repeat([]byte{255}, 3*sceneHeight*width)
	for i, p := range pictures {
		if p.Rect.Dx() > sceneWidth || p.Rect.Dy() > sceneHeight {
			p = imaging.Fit(p, sceneWidth, sceneHeight, imaging.Box)
		}
		left := i*(sceneWidth+sceneGap) + (sceneWidth-p.Rect.Dx())/2
		top := (sceneHeight - p.Rect.Dy()) / 2
		for y := range p.Rect.Dy() {
			for x := range p.Rect.Dx() {
				copy(pix[3*((top+y)*width+left+x):][:3], p.Pix[y*p.Stride+4*x:])
			}
		}
	}
	encoder, err := jpeg.NewEncoder(jpeg.EncoderOptions{Quality: 85, Subsampling: jpeg.Chroma444})
	if err != nil {
		t.Fatal(err)
	}
	file, err := encoder.Encode(nil, pix, sceneHeight, width, 3)
	if err != nil {
		t.Fatal(err)
	}
	return file
}
