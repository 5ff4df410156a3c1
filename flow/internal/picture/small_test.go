package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// smallFiles are pictures of 32 x 32 pixels, as JPEG (4:2:0) and as PNG files.
func smallFiles(tb testing.TB) (jpegs, pngs [][]byte) {
	tb.Helper()
	for i := range 50 {
		m := image.NewRGBA(image.Rect(0, 0, 32, 32))
		for y := range 32 {
			for x := range 32 {
				m.Set(x, y, color.RGBA{uint8(8*x + i), uint8(x*y/4 + 5*i), uint8(7 * (y ^ x) % (30 + i)), 255})
			}
		}
		var j, p bytes.Buffer
		if err := jpeg.Encode(&j, m, &jpeg.Options{Quality: 75}); err != nil {
			tb.Fatal(err)
		}
		if err := png.Encode(&p, m); err != nil {
			tb.Fatal(err)
		}
		jpegs, pngs = append(jpegs, j.Bytes()), append(pngs, p.Bytes())
	}
	return jpegs, pngs
}

var smallRecipes = []struct {
	name string
	side int
	list []stages.Stage
}{
	{"32", 32, []stages.Stage{stages.CenterCrop{Size: 32}}},
	{"64", 64, []stages.Stage{stages.Resize{Height: 64, Width: 64}}},
	{"224", 224, []stages.Stage{stages.Resize{Height: 224, Width: 224}}},
	{"cifar", 32, []stages.Stage{stages.Pad{Padding: stages.Padding{4, 4, 4, 4}}, stages.Crop{Size: 32}, stages.Flip{P: 0.5}}},
}

var smallFloats = []stages.Stage{stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}}

// BenchmarkSmall is pictures of 32 x 32 pixels in memory to rows of a batch, one after the other.
//
//	go test ./flow/internal/picture -run xxx -bench Small -benchmem
func BenchmarkSmall(b *testing.B) {
	jpegs, pngs := smallFiles(b)
	for _, c := range smallRecipes {
		for format, files := range map[string][][]byte{"JPEG": jpegs, "PNG": pngs} {
			for _, floats := range []bool{false, true} {
				name, slot := c.name+"/"+format+"/uint8", &schema.Picture{Height: c.side, Width: c.side, Layout: schema.HWC, U8: make([]uint8, 3*c.side*c.side)}
				list := slices.Concat([]stages.Stage{stages.Decode{}}, c.list)
				if floats {
					name, slot = c.name+"/"+format+"/float32", &schema.Picture{Height: c.side, Width: c.side, Layout: schema.CHW, F32: make([]float32, 3*c.side*c.side)}
					list = append(list, smallFloats...)
				}
				b.Run(name, func(b *testing.B) {
					p := program(true, false, list)
					d, m := new(Draw), new(Maker)
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						d.Prepare(p, Of{Sample: -1, Position: int64(i)}, files[i%len(files)])
						if _, _, err := m.Make(b.Context(), d, slot, nil); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// After the first ones, small JPEG files become rows without allocating.
func TestSmallPicturesAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop at random under the race detector")
	}
	jpegs, _ := smallFiles(t)
	for _, c := range smallRecipes {
		list := slices.Concat([]stages.Stage{stages.Decode{}}, c.list, smallFloats)
		p := program(true, false, list)
		slot := &schema.Picture{Height: c.side, Width: c.side, Layout: schema.CHW, F32: make([]float32, 3*c.side*c.side)}
		d, m, i := new(Draw), new(Maker), 0
		row := func() {
			d.Prepare(p, Of{Sample: -1, Position: int64(i)}, jpegs[i%len(jpegs)])
			if _, _, err := m.Make(t.Context(), d, slot, nil); err != nil {
				t.Fatal(err)
			}
			i++
		}
		for range 2 * len(jpegs) {
			row()
		}
		if n := testing.AllocsPerRun(500, row); n >= 1 {
			t.Errorf("%s: %v allocations a picture", c.name, n)
		}
	}
}
