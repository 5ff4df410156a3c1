package picture

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"runtime"
	"strconv"
	"testing"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Rows allocate nothing: pixels go into the slot, and what lies between passes is
// kept.
func TestRowsAllocateNoPixels(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector, pools drop what they hold")
	}
	list := []stages.Stage{
		stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Crop{Size: 0.5}, stages.Flip{P: 0.5},
		stages.Resize{Height: 96, Width: 96}, stages.ToTensor{},
		stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd},
	}
	for _, full := range []bool{true, false} {
		p := program(full, false, list)
		for _, side := range []int{60, 1200} {
			source := schema.NewPicture(side, side)
			slot := &schema.Picture{Height: 96, Width: 96, Layout: schema.CHW, F32: make([]float32, 3*96*96)}
			d, m, position := new(Draw), new(Maker), int64(0)
			d.program = p
			one := func() { // all but the decoder's part
				d.of.Position = position
				if d.drawFor(side, side); d.err != nil {
					t.Fatal(d.err)
				}
				pic, err := m.fused(t.Context(), d, input{pic: source}, slot, nil)
				if err != nil {
					t.Fatal(err)
				}
				if pic != slot {
					t.Fatal("not sampled into its slot")
				}
				position++
			}
			var before, after runtime.MemStats
			one()
			runtime.ReadMemStats(&before)
			n := testing.AllocsPerRun(100, one)
			runtime.ReadMemStats(&after)
			bytes := (after.TotalAlloc - before.TotalAlloc) / 100
			t.Logf("full %v, %dx%d: %v allocations, %d bytes a row", full, side, side, n, bytes)
			if n > 2 || bytes > 100_000 { // a quarter of the large picture is a megabyte; a collection may empty the pools
				t.Errorf("full %v, %dx%d: %v allocations, %d bytes a row", full, side, side, n, bytes)
			}
		}
	}
}

// Canvases that stages make of a small file are charged to the budget too.
func TestCanvasesAreCharged(t *testing.T) {
	var jpg, pn bytes.Buffer
	if err := jpeg.Encode(&jpg, image.NewRGBA(image.Rect(0, 0, 40, 30)), nil); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&pn, image.NewRGBA(image.Rect(0, 0, 40, 30))); err != nil {
		t.Fatal(err)
	}
	recipe := []stages.Stage{stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Resize{Height: 1000, Width: 1000}}
	several := []stages.Stage{stages.Decode{}, stages.Resize{Height: 1000, Width: 1000}, stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Resize{Height: 1000, Width: 999}}
	for _, c := range []struct {
		name  string
		list  []stages.Stage
		full  bool
		ref   bool
		least int64
		most  int64
	}{
		{"one pass", recipe, true, false, 0, 500_000},
		{"a small one before", recipe, false, false, 0, 800_000},
		{"three passes", several, false, false, 2 * 3_000_000, 7_000_000}, // the last into the batch
		{"reference", recipe, true, true, 3_000_000, 3_500_000},
		{"reference of several", several, true, true, 3 * 3_000_000, 12_500_000}, // the last needs one of its own
		{"a map between", []stages.Stage{stages.Decode{}, stages.Resize{Height: 1000, Width: 1000},
			mapped{stages.ColorJitter{Contrast: stages.Around(0.3)}}, stages.Resize{Height: 8, Width: 8}}, true, false, 2 * 3_000_000, 7_000_000},
		{"an edit between", []stages.Stage{stages.Decode{}, stages.Resize{Height: 1000, Width: 1000},
			stages.ColorJitter{Contrast: stages.Around(0.3)}, stages.Resize{Height: 8, Width: 8}}, true, false, 3_000_000, 3_600_000},
		{"a blur, of whose rows 255 are kept", []stages.Stage{stages.Decode{}, stages.Resize{Height: 1000, Width: 1000},
			stages.GaussianBlur{KernelSize: 255, Sigma: stages.Range{90, 90}}, stages.Resize{Height: 8, Width: 8}}, true, false, 4_500_000, 4_900_000},
	} {
		p := program(c.full, c.ref, c.list)
		for form, file := range map[string][]byte{"JPEG": jpg.Bytes(), "PNG": pn.Bytes()} {
			d := new(Draw)
			d.Prepare(p, Of{Sample: -1}, file)
			if n := d.Bytes; n < c.least || n > c.most {
				t.Errorf("%s of a %s: %d bytes, want %d to %d", c.name, form, n, c.least, c.most)
			}
		}
	}
}

// mapped is a Mapper that isn't an Editor.
type mapped struct{ stages.Mapper }

// program is stages behind a decoder.
func program(full, reference bool, list []stages.Stage) *Program {
	p := &Program{Full: full, Reference: reference, Placed: true}
	for i, s := range list {
		switch stage := s.(type) {
		case stages.Decoder:
			p.Decoder = stage
		case stages.PictureStage:
			p.Stages = append(p.Stages, Stage{Stage: stage, Name: s.Name(), Key: rng.NewKey(1, s.Name(), strconv.Itoa(i))})
		}
	}
	return p
}
