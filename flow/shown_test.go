package flow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// TestSourceTargetsAreTurned: targets of the picture as stored are shown on the picture as
// decoded, where the engine's own way with no stage in between has them.
func TestSourceTargetsAreTurned(t *testing.T) {
	const width, height = 31, 20
	gray := image.NewGray(image.Rect(0, 0, width, height))
	for i := range gray.Pix {
		gray.Pix[i] = uint8(i % 3)
	}
	var mask bytes.Buffer
	if err := png.Encode(&mask, gray); err != nil {
		t.Fatal(err)
	}
	spec := &schema.TargetSpec{Boxes: true, Classes: []string{"a"}, Polygons: true, Keypoints: []string{"x"}, Mask: true}
	for orientation := byte(1); orientation <= 8; orientation++ {
		file := turned(encoded(photo(rand.New(rand.NewPCG(1, 2)), width, height), true), orientation)
		object := schema.Object{Box: [4]float32{3, 2, 14, 9}, Polygon: [][]float32{{3, 2, 14, 2, 9, 9}}, Keypoints: []float32{5, 6, 2}}
		targets := schema.Targets{Height: height, Width: width, Frame: schema.Stored, Objects: []schema.Object{object}, Mask: mask.Bytes()}
		source := annotate(spec, [][]byte{file}, []schema.Targets{targets})
		p, err := flow.New(source, stages.Decode{}, stages.Batch{Size: 1, Sizes: stages.KeepSizes}).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		row, err := p.Row(context.Background(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		shown, made := row.SourceTargets, row.Meta.Targets
		if shown.Height != row.Source.Height || shown.Width != row.Source.Width || len(shown.Objects) != 1 || len(made.Objects) != 1 {
			t.Fatalf("orientation %d: %+v, the engine has %+v", orientation, shown, made)
		}
		a, b := shown.Objects[0], made.Objects[0]
		if !near(a.Box[:], b.Box[:]) || !near(a.Keypoints, b.Keypoints) || !near(box(a.Polygon[0]), box(b.Polygon[0])) {
			t.Errorf("orientation %d: %+v, the engine has %+v", orientation, a, b)
		}
		if row.SourceMask == nil || row.SourceMask.Height != row.Mask.Height || !bytes.Equal(row.SourceMask.U8, row.Mask.U8) {
			t.Errorf("orientation %d: the mask is another", orientation)
		}
		if orientation > 1 && near(a.Keypoints, object.Keypoints) {
			t.Errorf("orientation %d: nothing is turned: %v", orientation, a.Keypoints)
		}
		if fmt.Sprint(row.Targets.Objects[0]) != fmt.Sprint(object) {
			t.Errorf("orientation %d: the source's own targets have changed: %v", orientation, row.Targets.Objects[0])
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) < 1e-4 })
}

// box is that of a ring.
func box(ring []float32) []float32 {
	out := []float32{ring[0], ring[1], ring[0], ring[1]}
	for i := 0; i < len(ring); i += 2 {
		out = []float32{min(out[0], ring[i]), min(out[1], ring[i+1]), max(out[2], ring[i]), max(out[3], ring[i+1])}
	}
	return out
}

// TestMaskTellsItsFrame: a mask without anything else that says so belongs to the picture whose
// size it has; where both have it, to the one that is shown.
func TestMaskTellsItsFrame(t *testing.T) {
	const width, height = 31, 20
	maskOf := func(width, height int) []byte {
		gray := image.NewGray(image.Rect(0, 0, width, height))
		for i := range gray.Pix {
			gray.Pix[i] = uint8(i % 3)
		}
		var out bytes.Buffer
		if err := png.Encode(&out, gray); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	made := func(file, mask []byte, frame schema.Frame) *flow.Row {
		source := annotate(&schema.TargetSpec{Mask: true}, [][]byte{file}, []schema.Targets{{Mask: mask, Frame: frame}})
		p, err := flow.New(source, stages.Decode{}, stages.Batch{Size: 1, Sizes: stages.KeepSizes}).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		row, err := p.Row(context.Background(), 0, 0)
		if err = errors.Join(err, p.Close()); err != nil {
			t.Fatal(err)
		}
		return row
	}
	for orientation := byte(1); orientation <= 8; orientation++ {
		file := turned(encoded(photo(rand.New(rand.NewPCG(1, 2)), width, height), true), orientation)
		asStored, asShown := maskOf(width, height), maskOf(width, height)
		frame := schema.Displayed
		if orientation >= 5 { // which exchanges the sides
			asShown, frame = maskOf(height, width), schema.Stored
		}
		for _, c := range []struct {
			mask  []byte
			frame schema.Frame
		}{{asStored, frame}, {asShown, schema.Displayed}} {
			have, want := made(file, c.mask, schema.BySize), made(file, c.mask, c.frame)
			if !bytes.Equal(have.Mask.U8, want.Mask.U8) || have.Mask.Height != want.Mask.Height {
				t.Errorf("orientation %d: a mask by its size is not the one of frame %d", orientation, c.frame)
			}
		}
	}
}
