package sinks_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/coco"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
	"github.com/sluicedata/sluice/sources"
)

func hasTargets(run *schema.Run) bool { return uint8s(run) && run.Targets != nil }

func TestCOCO(t *testing.T) {
	sinktest.FormatTaking(t, func() sinks.Format { return &sinks.COCO{Pictures: sinks.Pictures{PartRows: 11}} }, hasTargets)
}

func TestYOLO(t *testing.T) {
	sinktest.FormatTaking(t, func() sinks.Format { return &sinks.YOLO{Pictures: sinks.Pictures{PartRows: 11, Image: "png"}} }, hasTargets)
}

func TestMasks(t *testing.T) {
	sinktest.FormatTaking(t, func() sinks.Format { return &sinks.Masks{Pictures: sinks.Pictures{PartRows: 11}} }, hasTargets)
}

// targetRun is a run of one batch of files that no stage decoded.
func targetRun(spec *schema.TargetSpec, rows int) *schema.Run {
	run := sinktest.NewRun(schema.FormEncoded, schema.Tensor{})
	run.Targets = spec
	run.Epochs, run.RowsPerEpoch, run.BatchesPerEpoch, run.BatchSize = 1, int64(rows), 1, rows
	return run
}

// deliverTargets writes such a run: a row for each of targets, with a grey picture.
func deliverTargets(t *testing.T, run *schema.Run, sink sinks.Format, height, width int, targets ...*schema.Targets) map[string]string {
	t.Helper()
	dir := t.TempDir()
	if err := tryTargets(t, run, sink, dir, height, width, targets...); err != nil {
		t.Fatal(err)
	}
	v := sink.(sinks.Verifier)
	if report, err := v.Verify(t.Context(), dir, nil); err != nil || len(report.Problems) > 0 {
		t.Errorf("verify: %+v, %v", report.Problems, err)
	}
	return sinktest.Files(t, dir)
}

// tryTargets is deliverTargets of a run that may fail.
func tryTargets(t *testing.T, run *schema.Run, sink sinks.Format, dir string, height, width int, targets ...*schema.Targets) error {
	t.Helper()
	if err := sink.Into(sinks.Destination{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if err := sink.Open(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	err := func() error {
		builder, err := schema.NewBuilder(run, sinktest.Memory(t))
		if err != nil {
			return err
		}
		draft := builder.Draft(0, 0, len(targets))
		for row, of := range targets {
			draft.SetMeta(row, schema.Meta{Key: fmt.Sprintf("a/%d.pgm", row), Labels: []int32{0, 1}, Position: int64(row), Targets: of})
			draft.SetEncoded(row, append(fmt.Appendf(nil, "P5 %d %d 255\n", width, height), make([]byte, height*width)...))
			if run.Targets.HasMask() {
				draft.SetEncodedMask(row, of.Mask)
			}
		}
		batch, err := draft.Finish()
		if err != nil {
			return err
		}
		defer batch.Release()
		return sink.Write(t.Context(), batch)
	}()
	return errors.Join(err, sink.Close(err))
}

// instances is what a test reads of instances.json.
type instances struct {
	Images []struct {
		ID            int
		FileName      string `json:"file_name"`
		Height, Width int
		Key           string
	}
	Annotations []struct {
		ID           int
		Image        int             `json:"image_id"`
		Category     int64           `json:"category_id"`
		Source       int64           `json:"source_id"`
		Crowd        int             `json:"iscrowd"`
		Area         float64         `json:"area"`
		Box          json.RawMessage `json:"bbox"`
		Segmentation json.RawMessage
		Keypoints    json.RawMessage
		Visible      int `json:"num_keypoints"`
	}
	Categories json.RawMessage
}

func readInstances(t *testing.T, files map[string]string) (in instances) {
	t.Helper()
	if err := json.Unmarshal([]byte(files["instances.json"]), &in); err != nil {
		t.Fatal(err)
	}
	return in
}

// What a COCO file says of an object comes back as it was, number for number.
func TestCOCOKeepsNumbers(t *testing.T) {
	spec := sinktest.NewTargetSpec()
	spec.Mask = false
	add := func(a, b float64) float32 { return float32(a + b) }
	files := deliverTargets(t, targetRun(spec, 2), &sinks.COCO{Keypoints: "index"}, 400, 500,
		&schema.Targets{Objects: []schema.Object{
			{Box: [4]float32{473.07, 395.93, add(473.07, 38.65), add(395.93, 28.67)}, Label: 2, ID: 1768, Area: 702.1057, Polygon: [][]float32{{510.66, 423.01, 511.72, 420.03, 510.45, 416}}},
			{Box: [4]float32{1, 2, 4, 8}, Label: 0, ID: 7, Keypoints: []float32{2.5, 3.5, 2, 0.5, 0.5, 1, 0, 0, 0}},
		}},
		&schema.Targets{Objects: []schema.Object{{Box: [4]float32{1, 2, 4, 8}, Label: 0}, {Box: [4]float32{0.1, 0, 0.1, 5}, Label: 1, Polygon: [][]float32{{1, 1, 2, 2}}}}})
	in := readInstances(t, files)
	if string(in.Categories) != string(spec.Categories) {
		t.Errorf("categories %s", in.Categories)
	}
	if len(in.Images) != 2 || in.Images[1].ID != 2 || in.Images[1].FileName != "a_1-e0-p000001.pgm" || in.Images[1].Key != "a/1.pgm" || in.Images[1].Height != 400 || in.Images[1].Width != 500 {
		t.Errorf("images %+v", in.Images)
	}
	if files[filepath.Join("images", "a_1-e0-p000001.pgm")] != "P5 500 400 255\n"+strings.Repeat("\x00", 200000) {
		t.Error("a file that no stage decoded has other bytes")
	}
	want := []string{
		`1 1 10 1768 0 702.1057 [473.07,395.93,38.65,28.67] [[510.66,423.01,511.72,420.03,510.45,416]]  0`,
		`2 1 1 7 0 18 [1,2,3,6]  [2,3,2,0,0,1,0,0,0] 2`,
		`3 2 1 0 0 18 [1,2,3,6]  [0,0,0,0,0,0,0,0,0] 0`,
		`4 2 3 0 0 0 [0.1,0,0,5]   0`,
	}
	for i, a := range in.Annotations {
		have := fmt.Sprintf("%d %d %d %d %d %v %s %s %s %d", a.ID, a.Image, a.Category, a.Source, a.Crowd, a.Area, a.Box, a.Segmentation, a.Keypoints, a.Visible)
		if i >= len(want) || have != want[i] {
			t.Errorf("annotation %d: %s, want %s", i, have, want[min(i, len(want)-1)])
		}
	}
	if len(in.Annotations) != len(want) {
		t.Errorf("%d annotations", len(in.Annotations))
	}
}

// An object has the keypoints of its own category, in the order that they have there, and
// comes back with them.
func TestCOCOKeypointsOfCategories(t *testing.T) {
	spec := &schema.TargetSpec{
		Boxes: true, Classes: []string{"person", "car", "sign"}, CategoryIDs: []int64{1, 3, 10}, Keypoints: []string{"nose", "hand", "wheel"},
		Categories: json.RawMessage(`[{"id":1,"name":"person","keypoints":["hand","nose"]},{"id":3,"name":"car","keypoints":["wheel"]},{"id":10,"name":"sign"}]`),
	}
	box := [4]float32{1, 2, 4, 8}
	all := &schema.Targets{Objects: []schema.Object{
		{Box: box, Label: 0, Area: 18, Keypoints: []float32{2.5, 3.5, 2, 3.5, 4.5, 1, 0, 0, 0}},
		{Box: box, Label: 1, Area: 18, Keypoints: []float32{0, 0, 0, 0, 0, 0, 3.5, 6.5, 2}},
		{Box: box, Label: 1, Area: 18},
		{Box: box, Label: 2, Area: 18},
	}}
	dir := t.TempDir()
	files := deliverTargets(t, targetRun(spec, 1), &sinks.COCO{}, 10, 10, all)
	copyTo(t, dir, files)
	for i, a := range readInstances(t, files).Annotations {
		want := []string{"[3.5,4.5,1,2.5,3.5,2] 2", "[3.5,6.5,2] 1", "[0,0,0] 0", " 0"}
		if have := fmt.Sprintf("%s %d", a.Keypoints, a.Visible); have != want[i] {
			t.Errorf("object %d: %s, want %s", i, have, want[i])
		}
	}
	d, err := sources.Coco{File: filepath.Join(dir, "instances.json"), Images: filepath.Join(dir, "images")}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if w := d.(sources.Warner).Warnings(); len(w) > 0 {
		t.Errorf("warnings: %q", w)
	}
	var back schema.Targets
	if err := d.(sources.Targeter).Targets(t.Context(), 0, &back); err != nil {
		t.Fatal(err)
	}
	names := schema.TargetSpecOf(d.Index()).Keypoints
	points := func(names []string, o schema.Object) map[string][3]float32 {
		there := map[string][3]float32{}
		for k, name := range names {
			if o.Keypoints != nil && o.Keypoints[3*k+2] > 0 {
				there[name] = [3]float32(o.Keypoints[3*k:])
			}
		}
		return there
	}
	for i, o := range all.Objects {
		if have, want := points(names, back.Objects[i]), points(spec.Keypoints, o); !reflect.DeepEqual(have, want) {
			t.Errorf("object %d came back with %v, want %v", i, have, want)
		}
	}

	all.Objects[3].Keypoints = all.Objects[0].Keypoints
	err = tryTargets(t, targetRun(spec, 1), &sinks.COCO{}, t.TempDir(), 10, 10, all)
	wantError(t, err, "a/0.pgm", "object 3", `the keypoint "nose"`, `its category "sign"`, "objects.mirror")
}

// Boxes of any size come back as the same float32 corners.
func TestCOCOBoxes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := &schema.Targets{}
	for range 20000 {
		x, y := random.Float32()*640, random.Float32()*480
		scale := float32(math.Pow(10, random.Float64()*6-3))
		all.Objects = append(all.Objects, schema.Object{Box: [4]float32{x, y, x + random.Float32()*scale, y + random.Float32()*scale}})
	}
	spec := &schema.TargetSpec{Boxes: true, Classes: []string{"thing"}}
	in := readInstances(t, deliverTargets(t, targetRun(spec, 1), &sinks.COCO{}, 480, 640, all))
	for i, a := range in.Annotations {
		var b [4]float64
		if err := json.Unmarshal(a.Box, &b); err != nil {
			t.Fatal(err)
		}
		if have := [4]float32{float32(b[0]), float32(b[1]), float32(b[0] + b[2]), float32(b[1] + b[3])}; have != all.Objects[i].Box {
			t.Fatalf("box %v came back as %v: %s", all.Objects[i].Box, have, a.Box)
		}
	}
	if len(in.Annotations) != len(all.Objects) || string(in.Categories) != `[{"id":1,"name":"thing"}]` {
		t.Errorf("%d annotations, categories %s", len(in.Annotations), in.Categories)
	}
}

// The run lengths of a crowd, read as outlines, are written as they were.
func TestCOCOCrowds(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const height, width = 23, 31
	var want []coco.RLE
	all := &schema.Targets{}
	for range 300 {
		mask := make([]byte, height*width)
		for i := range mask {
			if random.IntN(3) > 0 {
				mask[i] = 1
			}
		}
		mask[random.IntN(len(mask))] = 1
		m, err := coco.Encode(mask, height, width)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, m)
		all.Objects = append(all.Objects, schema.Object{Box: [4]float32{0, 0, width, height}, Crowd: true, Polygon: m.Rings()})
	}
	spec := &schema.TargetSpec{Boxes: true, Polygons: true, Classes: []string{"thing"}}
	in := readInstances(t, deliverTargets(t, targetRun(spec, 1), &sinks.COCO{}, height, width, all))
	for i, a := range in.Annotations {
		var m struct {
			Size   [2]int
			Counts []uint32
		}
		if err := json.Unmarshal(a.Segmentation, &m); err != nil {
			t.Fatal(err)
		}
		if m.Size != [2]int{height, width} || !slices.Equal(m.Counts, want[i].Counts) || a.Area != float64(want[i].Area()) || a.Crowd != 1 {
			t.Fatalf("crowd %d: %v of %v, want %v", i, m, a.Area, want[i].Counts)
		}
	}
}

// The labels of YOLO, line by line.
func TestYOLOLines(t *testing.T) {
	objects := &schema.Targets{Objects: []schema.Object{
		{Box: [4]float32{10, 20, 30, 60}, Label: 2, Polygon: [][]float32{{10, 20, 30, 20, 30, 40}, {10, 60, 30, 60, 20, 50}}, Keypoints: []float32{20, 40, 2, 0, 0, 0, 25, 50, 1}},
		{Box: [4]float32{0, 0, 50, 100}, Label: 1, Crowd: true},
		{Box: [4]float32{-5, 0, 25, 50}, Label: 0},
	}}
	for kind, want := range map[sinks.YOLOKind]string{
		"boxes":     "2 0.4 0.4 0.4 0.4\n0 0.25 0.25 0.5 0.5\n",
		"auto":      "2 0.2 0.2 0.6 0.2 0.6 0.4 0.2 0.2 0.4 0.5 0.6 0.6 0.2 0.6 0.4 0.5\n0 0 0 0.5 0 0.5 0.5 0 0.5\n",
		"keypoints": "2 0.4 0.4 0.4 0.4 0.4 0.4 2 0 0 0 0.5 0.5 1\n0 0.25 0.25 0.5 0.5 0 0 0 0 0 0 0 0 0\n",
	} {
		spec := sinktest.NewTargetSpec()
		spec.Mask = false
		sink := &sinks.YOLO{Objects: kind}
		files := deliverTargets(t, targetRun(spec, 2), sink, 100, 50, objects, &schema.Targets{})
		if r := sink.Remarks(); len(r) != 1 || !strings.Contains(r[0], "yolo: 1 crowd left out") {
			t.Errorf("remarks: %q", r)
		}
		if have := files[filepath.Join("labels", "a_0-e0-p000000.txt")]; have != want {
			t.Errorf("%s:\n%swant\n%s", kind, have, want)
		}
		if have, ok := files[filepath.Join("labels", "a_1-e0-p000001.txt")]; !ok || have != "" {
			t.Errorf("%s: the picture without objects has %q, %v", kind, have, ok)
		}
		wantData := "train: images\nval: images\n"
		if kind == "keypoints" {
			wantData += "kpt_shape: [3, 3]\nflip_idx: [0,2,1]\nkpt_names: {\"0\":[\"nose\",\"left\",\"right\"]}\n"
		}
		wantData += "nc: 3\nnames:\n  0: \"person\"\n  1: \"car\"\n  2: \"traffic light\"\n"
		if files["data.yaml"] != wantData {
			t.Errorf("%s: data.yaml:\n%s", kind, files["data.yaml"])
		}
	}
}

// Without crowds there is nothing to remark.
func TestYOLOWithoutCrowds(t *testing.T) {
	sink := &sinks.YOLO{}
	deliverTargets(t, targetRun(&schema.TargetSpec{Boxes: true, Classes: []string{"thing"}}, 1), sink, 9, 9, &schema.Targets{Objects: []schema.Object{{Box: [4]float32{1, 1, 3, 3}}}})
	if r := sink.Remarks(); r != nil {
		t.Errorf("%q", r)
	}
}

// Masks are what the batch has, pixel for pixel, in files of one channel.
func TestMaskFiles(t *testing.T) {
	for _, name := range []string{"objects", "objects varying", "objects encoded"} {
		run, dir := sinktest.Runs()[name], t.TempDir()
		sink := &sinks.Masks{}
		if err := sink.Into(sinks.Destination{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		want := map[string][]byte{}
		d := sinktest.Delivery{Run: run, Before: func(b *schema.Batch) error {
			for row := range b.Rows() {
				values, height, width := b.Mask(row)
				if name == "objects encoded" {
					values = b.EncodedMask(row)
				} else if height*width != len(values) || values == nil {
					t.Fatalf("a mask of %d x %d has %d values", height, width, len(values))
				}
				want[fmt.Sprintf("e%d-p%06d.png", b.Epoch, b.Positions()[row])] = bytes.Clone(values)
			}
			return nil
		}}
		if err := d.To(t.Context(), sink); err != nil {
			t.Fatal(err)
		}
		there := 0
		for file, data := range sinktest.Files(t, dir) {
			if filepath.Dir(file) != "masks" {
				continue
			}
			there++
			values := []byte(data)
			if name != "objects encoded" {
				p, err := png.Decode(strings.NewReader(data))
				if err != nil {
					t.Fatal(err)
				}
				gray, ok := p.(*image.Gray)
				if !ok {
					t.Fatalf("%s is a %T", file, p)
				}
				values = gray.Pix
			}
			if key := file[strings.LastIndex(file, "-e")+1:]; !bytes.Equal(values, want[key]) {
				t.Errorf("%s: %s has other values", name, file)
			}
		}
		for key, values := range want {
			if values == nil {
				delete(want, key)
			}
		}
		if there != len(want) || there == 0 {
			t.Errorf("%s: %d masks, want %d", name, there, len(want))
		}
	}
}

// What a format cannot hold is said before anything is written.
func TestTargetFormatsRefuse(t *testing.T) {
	open := func(f sinks.Format, run *schema.Run) error {
		if err := f.Into(sinks.Destination{Dir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		return f.Open(t.Context(), run)
	}
	plain, boxes := sinktest.Runs()["uint8"], sinktest.Runs()["float32"]
	wantError(t, open(&sinks.COCO{}, plain), "coco: the samples have no boxes", "folder")
	wantError(t, open(&sinks.YOLO{}, plain), "yolo: the samples have no boxes", "folder")
	wantError(t, open(&sinks.Masks{}, plain), "masks: the samples have no masks", "folder or webdataset")
	boxes.Targets = &schema.TargetSpec{Boxes: true, Classes: []string{"thing"}}
	wantError(t, open(&sinks.COCO{}, boxes), "float32", "leave out to_tensor and normalize")
	wantError(t, (&sinks.YOLO{Objects: "circles", Pictures: sinks.Pictures{Image: "raw", PartRows: -1}}).Check(), `objects: unknown "circles"`, "image: raw", "part_rows: -1")
	wantError(t, (&sinks.COCO{Keypoints: "corner"}).Check(), `keypoints: unknown "corner"`)
	boxes = sinktest.Runs()["uint8"]
	boxes.Targets = &schema.TargetSpec{Boxes: true, Classes: []string{"thing"}}
	wantError(t, open(&sinks.YOLO{Objects: "polygons"}, boxes), "objects: polygons: the source has none")
	wantError(t, open(&sinks.YOLO{Objects: "keypoints"}, boxes), "objects: keypoints: the source has none")
	boxes.Targets.Mask = true
	if w := (&sinks.COCO{}).Warnings(boxes); len(w) != 1 || !strings.Contains(w[0], "masks") {
		t.Errorf("warnings of coco: %q", w)
	}
	if w := (&sinks.Folder{Flat: true}).Warnings(boxes); len(w) != 1 || !strings.Contains(w[0], "boxes and masks") {
		t.Errorf("warnings of folder: %q", w)
	}
}

// Arrow parts, compressed or not, read as a source, have the targets that were written.
func TestArrowTargetsComeBack(t *testing.T) {
	for _, name := range []string{"objects", "objects varying", "objects encoded"} {
		for _, codec := range []sinks.Codec{sinks.NoCompression, sinks.Zstd} {
			run, dir := sinktest.Runs()[name], t.TempDir()
			run.Epochs = 1
			objects, masks := map[int64][]schema.Object{}, map[int64][]byte{}
			d := sinktest.Delivery{Run: run, Before: func(b *schema.Batch) error {
				for row := range b.Rows() {
					list, err := b.Objects(row)
					if err != nil {
						return err
					}
					objects[b.Positions()[row]] = list
					values, _, _ := b.Mask(row)
					masks[b.Positions()[row]] = bytes.Clone(append(values, b.EncodedMask(row)...))
				}
				return nil
			}}
			if err := d.To(t.Context(), &sinks.ArrowParts{Dir: dir, PartRows: 11, Codec: codec}); err != nil {
				t.Fatal(err)
			}
			data, err := sources.Arrow{Path: dir}.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			index := data.Index()
			if !reflect.DeepEqual(schema.TargetSpecOf(index), run.Targets) {
				t.Errorf("%s: spec %+v", name, schema.TargetSpecOf(index))
			}
			if index.Len() != len(objects) {
				t.Errorf("%s: %d samples of %d rows", name, index.Len(), len(objects))
			}
			digests := map[[16]byte]bool{}
			for sample := range index.Len() {
				var position int64
				key := index.Key(sample)
				if _, err := fmt.Sscanf(key[strings.LastIndex(key, "/")+1:], "%d.", &position); err != nil {
					t.Fatal(err)
				}
				var have schema.Targets
				err := data.(sources.Targeter).Targets(t.Context(), sample, &have)
				if want := masks[position]; len(want) == 0 {
					if !errors.Is(err, sources.ErrTargets) {
						t.Errorf("%s: row %d without a mask: %v", name, position, err)
					}
				} else if err != nil {
					t.Fatal(err)
				} else if values := maskValues(t, have.Mask, name); !bytes.Equal(values, want) {
					t.Errorf("%s: the mask of row %d came back otherwise", name, position)
				}
				if want := objects[position]; have.Frame != schema.Displayed || len(want)+len(have.Objects) > 0 && !reflect.DeepEqual(have.Objects, want) {
					t.Errorf("%s: row %d: %+v, want %+v", name, position, have.Objects, want)
				}
				for i, label := range schema.ObjectLabelsOf(index, sample) {
					if label != objects[position][i].Label {
						t.Errorf("%s: row %d: label %d in the index", name, position, label)
					}
				}
				digests[schema.TargetDigestOf(index, sample)] = true
			}
			if len(digests) < index.Len()/2 {
				t.Errorf("%s: %d digests of %d samples", name, len(digests), index.Len())
			}
			if err := data.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A set of crowds alone says so, as the source did that it was made from.
func TestArrowCrowdsComeBack(t *testing.T) {
	spec := &schema.TargetSpec{Boxes: true, Classes: []string{"cat"}}
	for name, crowds := range map[string][]bool{"crowds": {true, true}, "both": {true, false}, "none": {}} {
		row := &schema.Targets{Frame: schema.Displayed}
		for i, crowd := range crowds {
			row.Objects = append(row.Objects, schema.Object{ID: int64(i), Box: [4]float32{1, 1, 5, 5}, Area: 16, Crowd: crowd})
		}
		dir := t.TempDir()
		if err := tryTargets(t, targetRun(spec, 1), &sinks.ArrowParts{}, dir, 8, 8, row); err != nil {
			t.Fatal(err)
		}
		data, err := sources.Arrow{Path: dir}.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if have := schema.TargetSpecOf(data.Index()).CrowdsAlone; have != (name == "crowds") {
			t.Errorf("%s: %t", name, have)
		}
		if err := data.Close(); err != nil {
			t.Error(err)
		}
	}
}

// maskValues are the pixels of a mask's file; the file itself of rows that no stage decoded.
func maskValues(t *testing.T, data []byte, name string) []byte {
	t.Helper()
	if name == "objects encoded" {
		return data
	}
	p, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return p.(*image.Gray).Pix
}

// Any byte of a file may be wrong: an error, or other values, but never a panic.
func TestArrowTargetsDamaged(t *testing.T) {
	run, dir := sinktest.Runs()["objects"], t.TempDir()
	run.Epochs, run.RowsPerEpoch, run.BatchesPerEpoch = 1, 7, 2
	if err := (sinktest.Delivery{Run: run}).To(t.Context(), &sinks.ArrowParts{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	whole := []byte(sinktest.Files(t, dir)["part-00000-of-00001.arrow"])
	file := filepath.Join(t.TempDir(), "a.arrow")
	random, refused := rand.New(rand.NewPCG(5, 6)), 0
	for range 400 {
		data := bytes.Clone(whole)
		for range 1 + random.IntN(3) {
			data[random.IntN(len(data))] ^= byte(1 << random.IntN(8))
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		set, err := sources.Arrow{Path: file}.Open(t.Context())
		if err != nil {
			refused++
			continue
		}
		if of, ok := set.(sources.Targeter); ok {
			for sample := range set.Index().Len() {
				var have schema.Targets
				_ = of.Targets(t.Context(), sample, &have)
			}
		}
		set.Close()
	}
	if refused == 0 || refused == 400 {
		t.Errorf("%d of 400 damaged files were refused", refused)
	}
}
