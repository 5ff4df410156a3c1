package flow

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"runtime"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Rows allocate nothing: pixels go into the slot, and what lies between passes is
// kept.
func TestRowsAllocateNoPixels(t *testing.T) {
	if RaceEnabled {
		t.Skip("under the race detector, pools drop what they hold")
	}
	list := []stages.Stage{
		stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Crop{Size: 0.5}, stages.Flip{P: 0.5},
		stages.Resize{Height: 96, Width: 96}, stages.ToTensor{},
		stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd},
	}
	for _, fuse := range []Fuse{FuseFull, FuseExact} {
		settings := Settings{Fuse: fuse}
		settings.defaults()
		p := &Plan{Settings: settings, steps: place(list, 0)}
		for _, side := range []int{60, 1200} {
			source := schema.NewPicture(side, side)
			slot := &schema.Picture{Height: 96, Width: 96, Layout: schema.CHW, F32: make([]float32, 3*96*96)}
			row, mem, position, stage := new(Row), new(scratch), int64(0), ""
			one := func() {
				*row = Row{Source: source, slot: slot}
				row.Meta.Position = position
				if err := p.fused(&run{ctx: t.Context()}, mem, row, &stage); err != nil {
					t.Fatal(err)
				}
				if row.Picture != slot {
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
			t.Logf("%s, %dx%d: %v allocations, %d bytes a row", fuse, side, side, n, bytes)
			if n > 2 || bytes > 100_000 { // a quarter of the large picture is a megabyte; a collection may empty the pools
				t.Errorf("%s, %dx%d: %v allocations, %d bytes a row", fuse, side, side, n, bytes)
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
		fuse  Fuse
		exec  Executor
		least int64
		most  int64
	}{
		{"one pass", recipe, FuseFull, Fused, 0, 500_000},
		{"a small one before", recipe, FuseExact, Fused, 0, 800_000},
		{"three passes", several, FuseExact, Fused, 2 * 3_000_000, 7_000_000}, // the last into the batch
		{"reference", recipe, FuseFull, Reference, 3_000_000, 3_500_000},
		{"reference of several", several, FuseFull, Reference, 3 * 3_000_000, 12_500_000}, // the last needs one of its own
		{"a map between", []stages.Stage{stages.Decode{}, stages.Resize{Height: 1000, Width: 1000},
			stages.ColorJitter{Contrast: stages.Around(0.3)}, stages.Resize{Height: 8, Width: 8}}, FuseFull, Fused, 2 * 3_000_000, 7_000_000},
	} {
		settings := Settings{Fuse: c.fuse, Exec: c.exec}
		settings.defaults()
		p := &Plan{Settings: settings, steps: place(c.list, 0), decoder: stages.Decode{}}
		p.Form = schema.FormTensor
		for form, file := range map[string][]byte{"JPEG": jpg.Bytes(), "PNG": pn.Bytes()} {
			if n := p.workingBytes(new(scratch), &Row{Encoded: file}); n < c.least || n > c.most {
				t.Errorf("%s of a %s: %d bytes, want %d to %d", c.name, form, n, c.least, c.most)
			}
		}
	}
}
