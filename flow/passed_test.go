package flow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

const passedWidth, passedHeight = 31, 20

// asStored is a source of one file of each orientation, annotated as it is stored.
func asStored(t *testing.T, numbers *[256]uint8) *annotated {
	t.Helper()
	gray := image.NewGray(image.Rect(0, 0, passedWidth, passedHeight))
	for i := range gray.Pix {
		gray.Pix[i] = uint8(i % 3)
	}
	var mask bytes.Buffer
	if err := png.Encode(&mask, gray); err != nil {
		t.Fatal(err)
	}
	spec := &schema.TargetSpec{Boxes: true, Classes: []string{"a"}, Polygons: true, Keypoints: []string{"left", "right"}, Mirrored: []int{1, 0}, Mask: true, MaskClasses: []string{"x", "y", "z"}}
	var files [][]byte
	var targets []schema.Targets
	for orientation := byte(1); orientation <= 8; orientation++ {
		files = append(files, turned(encoded(photo(rand.New(rand.NewPCG(1, 2)), passedWidth, passedHeight), true), orientation))
		targets = append(targets, schema.Targets{
			Height: passedHeight, Width: passedWidth, Frame: schema.Stored, Mask: mask.Bytes(), MaskMap: numbers,
			Objects: []schema.Object{{Box: [4]float32{3, 2, 14, 9}, Area: 77, Polygon: [][]float32{{3, 2, 14, 2, 14, 9, 3, 9}}, Keypoints: []float32{5, 6, 2, 0, 0, 0}}},
		})
	}
	return annotate(spec, files, targets)
}

// TestPassedTargets: what a file that no stage decodes has on it is where it is on the picture
// as it is shown, as decoding has it.
func TestPassedTargets(t *testing.T) {
	swapped := &[256]uint8{1, 0, schema.MaskIgnore}
	for _, numbers := range []*[256]uint8{nil, swapped} {
		source := asStored(t, numbers)
		passed, err := flow.New(source, stages.Batch{Size: 1}).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer passed.Close()
		decoded, err := flow.New(source, stages.Decode{}, stages.Batch{Size: 1, Sizes: stages.KeepSizes}).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer decoded.Close()
		for i := range source.targets {
			have, err := passed.Row(t.Context(), 0, int64(i))
			if err != nil {
				t.Fatal(err)
			}
			want, err := decoded.Row(t.Context(), 0, int64(i))
			if err != nil {
				t.Fatal(err)
			}
			if a, b := fmt.Sprint(have.Meta.Targets.Objects), fmt.Sprint(want.Meta.Targets.Objects); a != b {
				// A polygon may begin at another corner.
				x, y := have.Meta.Targets.Objects[0], want.Meta.Targets.Objects[0]
				if x.Box != y.Box || fmt.Sprint(x.Keypoints) != fmt.Sprint(y.Keypoints) || !near(box(x.Polygon[0]), box(y.Polygon[0])) || x.Area != y.Area {
					t.Errorf("orientation %d: %s, decoded %s", i+1, a, b)
				}
			}
			values, height, width, err := decode.Mask(have.Meta.Targets.Mask, nil)
			if err != nil || height != want.Mask.Height || width != want.Mask.Width || !bytes.Equal(values, want.Mask.U8) {
				t.Errorf("orientation %d: the mask is another: %v", i+1, err)
			}
			if i == 0 && numbers == nil && !bytes.Equal(have.Meta.Targets.Mask, source.targets[0].Mask) {
				t.Error("a mask that nothing changes has another file")
			}
		}
	}
}

// TestReportTurns: a report counts pictures that are shown turned by what the size of their
// annotations says: those of the picture as stored, and those of which no size tells.
func TestReportTurns(t *testing.T) {
	sizes := func(t *schema.Targets) { t.Frame = schema.BySize }
	for name, c := range map[string]struct {
		change         func(t *schema.Targets)
		turned, untold int64
		first          string
	}{
		"by size":      {sizes, 4, 3, "0001.png"},
		"by the mask":  {func(t *schema.Targets) { sizes(t); t.Height, t.Width = 0, 0 }, 4, 3, "0001.png"},
		"no size":      {func(t *schema.Targets) { *t = schema.Targets{Objects: t.Objects} }, 0, 7, "0001.png"},
		"no objects":   {func(t *schema.Targets) { *t = schema.Targets{} }, 0, 0, ""},
		"stored":       {func(*schema.Targets) {}, 0, 0, ""},
		"as displayed": {func(t *schema.Targets) { *t = schema.Targets{Frame: schema.Displayed, Objects: t.Objects} }, 0, 0, ""},
	} {
		source := asStored(t, nil)
		for i := range source.targets {
			c.change(&source.targets[i])
		}
		for way, pipe := range map[string]*flow.Pipeline{
			"passed":  flow.New(source, stages.Batch{Size: 3}),
			"decoded": flow.New(source, stages.Decode{}, stages.Batch{Size: 3, Sizes: stages.KeepSizes}),
		} {
			report, err := pipe.Run(t.Context(), &sinks.Discard{}, flow.Epochs(1))
			if err != nil {
				t.Fatal(err)
			}
			if report.Turned != c.turned || report.Untold != c.untold || report.FirstUntold != c.first {
				t.Errorf("%s, %s: %d turned, %d untold, the first %q; want %d, %d, %q", name, way, report.Turned, report.Untold, report.FirstUntold, c.turned, c.untold, c.first)
			}
		}
	}
}

// TestPassedWrongSize: annotations of another picture's size fail the row, as in a pipeline
// that decodes.
func TestPassedWrongSize(t *testing.T) {
	source := asStored(t, nil)
	source.targets[3].Width++
	plan, err := flow.New(source, stages.Batch{Size: 1}).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	_, err = plan.Row(t.Context(), 0, 3)
	if err == nil || !strings.Contains(err.Error(), `"0003.png"`) || !strings.Contains(err.Error(), "32x20") {
		t.Errorf("%v", err)
	}
}

// TestPassedInEachFormat: every format has the targets of the picture as it is shown.
func TestPassedInEachFormat(t *testing.T) {
	swapped := &[256]uint8{1, 0, schema.MaskIgnore}
	source := asStored(t, swapped)
	decoded, err := flow.New(source, stages.Decode{}, stages.Batch{Size: 1, Sizes: stages.KeepSizes}).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer decoded.Close()
	var want []*flow.Row
	for i := range source.targets {
		row, err := decoded.Row(t.Context(), 0, int64(i))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, row)
	}
	write := func(sink sinks.Format) string {
		dir := t.TempDir()
		if err := sink.Into(sinks.Destination{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		if _, err := flow.New(source, stages.Batch{Size: 4}).Run(t.Context(), sink, flow.Epochs(1)); err != nil {
			t.Fatalf("%s: %v", sink.Name(), err)
		}
		return dir
	}
	check := func(format string, s sources.Source) {
		d, err := s.Open(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		defer d.Close()
		plan, err := flow.New(s, stages.Decode{}, stages.Batch{Size: 1, Sizes: stages.KeepSizes}).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer plan.Close()
		for i := range want {
			row, err := plan.Row(t.Context(), 0, int64(i))
			if err != nil {
				t.Fatalf("%s: orientation %d: %v", format, i+1, err)
			}
			have := row.Meta.Targets
			if want := want[i].Meta.Targets.Objects; schema.TargetSpecOf(d.Index()).Objects() && (len(have.Objects) != 1 || !near(have.Objects[0].Box[:], want[0].Box[:])) {
				t.Errorf("%s: orientation %d: %v, want %v", format, i+1, have.Objects, want)
			}
			if row.Mask != nil && !bytes.Equal(row.Mask.U8, want[i].Mask.U8) {
				t.Errorf("%s: orientation %d: the mask is another", format, i+1)
			}
		}
	}
	check("arrow", sources.Arrow{Path: write(&sinks.ArrowParts{})})
	dir := write(&sinks.COCO{})
	check("coco", sources.Coco{File: filepath.Join(dir, "instances.json"), Images: filepath.Join(dir, "images")})
	dir = write(&sinks.YOLO{})
	check("yolo", sources.YOLO{Data: filepath.Join(dir, "data.yaml")})
	dir = write(&sinks.Masks{})
	check("masks", sources.Folder{Path: filepath.Join(dir, "images"), Masks: sources.Masks{Path: "../masks/{stem}.png", MaskNumbers: sources.MaskNumbers{
		Classes: sources.ClassList{File: filepath.Join(dir, "classes.json")}}}})

	dir = write(&sinks.COCO{})
	data, err := os.ReadFile(filepath.Join(dir, "instances.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Images []struct{ Height, Width int } }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for i, image := range file.Images {
		if image.Height != want[i].Source.Height || image.Width != want[i].Source.Width {
			t.Errorf("coco: orientation %d: a picture of %d x %d", i+1, image.Width, image.Height)
		}
	}
}

// TestClippedBeyondRounding: a box that reaches out of its picture by the digits of a text file
// isn't clipped, one that reaches out by a pixel is.
func TestClippedBeyondRounding(t *testing.T) {
	file := encoded(checks(64, 48), false)
	for right, want := range map[float32]int64{64: 0, 64.0005: 0, 65: 1} {
		spec := &schema.TargetSpec{Boxes: true, Classes: []string{"a"}}
		source := annotate(spec, [][]byte{file}, []schema.Targets{{Objects: []schema.Object{{Box: [4]float32{10, 10, right, 40}}}}})
		report, err := flow.New(source, stages.Decode{}, stages.Batch{Size: 1, Sizes: stages.KeepSizes}).Run(t.Context(), &sinks.Discard{}, flow.Epochs(1))
		if err != nil {
			t.Fatal(err)
		}
		if have := report.Objects["a"].Clipped; have != want {
			t.Errorf("an edge at %v of 64: %d clipped, want %d", right, have, want)
		}
	}
}
