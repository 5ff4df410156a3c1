package picture

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// A file that holds RGB as such is sampled where it lies. Pictures are those of the same
// pixels in text, which are decoded; nothing that is made refers to the file, or changes it.
func TestStoredPixels(t *testing.T) {
	const h, w = 23, 31
	binary, text := fmt.Appendf(nil, "P6\n%d %d\n255\n", w, h), fmt.Appendf(nil, "P3\n%d %d\n255\n", w, h)
	for i := range 3 * h * w {
		v := uint8(i*i>>3 + 7*i)
		binary, text = append(binary, v), fmt.Appendf(text, "%d ", v)
	}
	tensor := []stages.Stage{stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}}
	for name, list := range map[string][]stages.Stage{
		"nothing":         {},
		"crop":            {stages.Crop{Size: 16}},
		"crop, flip":      append([]stages.Stage{stages.Crop{Size: 16}, stages.Flip{P: 0.5}}, tensor...),
		"normalize alone": tensor,
		"resized":         append([]stages.Stage{stages.RandomResizedCrop{Size: 12}, stages.Flip{P: 0.5}}, tensor...),
		"a map":           {stages.ColorJitter{Contrast: stages.Around(0.3), Saturation: stages.Around(0.2)}},
		"rotate":          {stages.Rotate{Degrees: stages.Range{-30, 30}}},
	} {
		for _, decoder := range []stages.Decode{{}, {Mode: "gray"}} {
			for _, reference := range []bool{false, true} {
				p := program(true, reference, append([]stages.Stage{decoder}, list...))
				for position := range int64(4) {
					make := func(file []byte, slot *schema.Picture, views *Views) *schema.Picture {
						d := new(Draw)
						d.Prepare(p, Of{Sample: -1, Position: position}, file)
						pic, _, err := new(Maker).Make(t.Context(), d, slot, views)
						if err != nil {
							t.Fatalf("%s: %v", name, err)
						}
						return pic
					}
					file := slices.Clone(binary)
					views, plain := new(Views), new(Views)
					want, have := make(text, nil, plain), make(file, nil, nil)
					slot := want.Tensor().NewPicture()
					placed, looked := make(file, slot, nil), make(file, nil, views)
					if !bytes.Equal(file, binary) {
						t.Fatalf("%s: the file was changed", name)
					}
					clear(file)
					if !reference && decoder.Mode == "" && name != "a map" && placed != slot {
						t.Errorf("%s: not in its slot", name)
					}
					for _, got := range [][2]*schema.Picture{{have, want}, {placed, want}, {looked, want}, {views.Source, plain.Source}, {views.Last, plain.Last}} {
						if got[0].Tensor() != got[1].Tensor() || !bytes.Equal(got[0].U8, got[1].U8) || !slices.Equal(got[0].F32, got[1].F32) {
							t.Errorf("%s, %+v, reference %v, position %d: other pixels", name, decoder, reference, position)
						}
					}
				}
			}
		}
	}
}

// What a stored picture is charged for is what is made of it: its own copy only where
// nothing else is.
func TestStoredPixelsAreCharged(t *testing.T) {
	file := append([]byte("P6 200 100 255\n"), make([]byte, 3*200*100)...)
	for name, c := range map[string]struct {
		list []stages.Stage
		want int64
	}{
		"into the batch": {[]stages.Stage{stages.Decode{}, stages.Crop{Size: 50}}, 0},
		"as it is":       {[]stages.Stage{stages.Decode{}}, 3 * 200 * 100},
		"grey":           {[]stages.Stage{stages.Decode{Mode: "gray"}, stages.Crop{Size: 50}}, 3 * 200 * 100},
	} {
		d := new(Draw)
		d.Prepare(program(true, false, c.list), Of{Sample: -1}, file)
		if d.Bytes != c.want {
			t.Errorf("%s: %d bytes, want %d", name, d.Bytes, c.want)
		}
	}
}
