package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Pictures made of the part of a PNG file that they show are those made of the whole.
func TestPartsOfPNG(t *testing.T) {
	rnd := rand.New(rand.NewPCG(31, 7))
	const h, w = 83, 131
	size := image.Rect(0, 0, w, h)
	colours := make(color.Palette, 11) // four bits a pixel
	for i := range colours {
		colours[i] = color.NRGBA{uint8(rnd.Uint32()), uint8(rnd.Uint32()), uint8(rnd.Uint32()), 255}
	}
	rgb, deep, few := image.NewNRGBA(size), image.NewNRGBA64(size), image.NewPaletted(size, colours)
	for y := range h {
		for x := range w {
			c := color.NRGBA{uint8(x + rnd.IntN(9)), uint8(2 * y), uint8(x + y), 255}
			rgb.SetNRGBA(x, y, c)
			deep.Set(x, y, c)
			few.SetColorIndex(x, y, uint8(rnd.IntN(len(colours))))
		}
	}
	files := map[string][]byte{}
	for name, m := range map[string]image.Image{"8 bits": rgb, "16 bits": deep, "palette": few} {
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		files[name] = b.Bytes()
	}
	turn := binary.BigEndian.AppendUint32(nil, 26) // orientation 6
	turn = append(turn, "eXIfMM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"...)
	turn = binary.BigEndian.AppendUint32(turn, crc32.ChecksumIEEE(turn[4:]))
	files["turned"] = slices.Concat(files["8 bits"][:33], turn, files["8 bits"][33:])
	if header, err := decode.ReadHeader(files["turned"]); err != nil || header.Orientation != 6 {
		t.Fatalf("orientation %d: %v", header.Orientation, err)
	}
	for name, list := range map[string][]stages.Stage{
		"crop":    {stages.Crop{Size: 16, Offset: stages.Range{0, 0.4}}},
		"resized": {stages.RandomResizedCrop{Size: 12}, stages.Flip{P: 0.5}},
		"rotate":  {stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Crop{Size: 0.4}},
		"padded":  {stages.Pad{Size: [2]int{200, 200}}, stages.CenterCrop{Height: 190, Width: 190}},
		"nothing": {},
	} {
		for kind, file := range files {
			whole, err := decode.Decode(t.Context(), file, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, full := range []bool{true, false} {
				p := program(full, false, append([]stages.Stage{stages.Decode{}}, list...))
				m := new(Maker)
				for position := range int64(12) {
					make := func(prepare func(d *Draw, of Of)) *schema.Picture {
						d := new(Draw)
						prepare(d, Of{Sample: -1, Position: position})
						pic, _, err := m.Make(t.Context(), d, nil, nil)
						if err != nil {
							t.Fatalf("%s, %s: %v", kind, name, err)
						}
						return pic
					}
					have := make(func(d *Draw, of Of) {
						d.Prepare(p, of, file)
						if d.partial() != (name != "nothing") {
							t.Errorf("%s, %s: by parts: %v", kind, name, d.partial())
						}
					})
					want := make(func(d *Draw, of Of) { d.PrepareSource(p, of, whole) })
					if have.Tensor() != want.Tensor() || !bytes.Equal(have.U8, want.U8) {
						t.Fatalf("%s, %s, full %v, position %d: other pixels", kind, name, full, position)
					}
				}
			}
		}
	}
	cut := files["8 bits"][:len(files["8 bits"])*9/10]
	d := new(Draw)
	d.Prepare(program(true, false, []stages.Stage{stages.Decode{}, stages.Crop{Size: 8}}), Of{Sample: -1}, cut)
	_, _, err := new(Maker).Make(t.Context(), d, nil, nil)
	if !errors.Is(err, decode.ErrTruncated) {
		t.Errorf("a cut file: %v", err)
	}
}
