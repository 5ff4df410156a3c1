package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// maskFile is a PNG file of numbers, height rows of width: grey or a palette (colour type 0 or 3) of 1 to 16 bits.
func maskFile(numbers []uint8, height, width, depth int, colour byte, interlaced bool) []byte {
	var rows bytes.Buffer
	packed := zlib.NewWriter(&rows)
	pass := func(x0, y0, dx, dy int) {
		for y := y0; y < height && x0 < width; y += dy {
			row, bits := []byte{0}, 0 // no filter
			for x := x0; x < width; x += dx {
				if bits%8 == 0 {
					row = append(row, make([]byte, max(depth/8, 1))...)
				}
				at := len(row) - 1
				row[at] |= numbers[y*width+x] << max(8-depth-bits%8, 0)
				bits += depth
			}
			_, _ = packed.Write(row)
		}
	}
	header := binary.BigEndian.AppendUint32(nil, uint32(width))
	header = append(binary.BigEndian.AppendUint32(header, uint32(height)), byte(depth), colour, 0, 0, 0)
	if interlaced {
		header[12] = 1
		for _, p := range [][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
			pass(p[0], p[1], p[2], p[3])
		}
	} else {
		pass(0, 0, 1, 1)
	}
	_ = packed.Close()
	file := []byte("\x89PNG\r\n\x1a\n")
	add := func(kind string, body []byte) {
		file = binary.BigEndian.AppendUint32(file, uint32(len(body)))
		at := len(file)
		file = append(append(file, kind...), body...)
		file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(file[at:]))
	}
	add("IHDR", header)
	if colour == 3 {
		add("PLTE", make([]byte, 3<<depth))
	}
	add("IDAT", rows.Bytes())
	add("IEND", nil)
	return file
}

// Masks by region are that part of the whole: the picture's red and green say where each of its pixels
// comes from.
func TestMasksOfPartsAreCrops(t *testing.T) {
	rnd := rand.New(rand.NewPCG(31, 8))
	const h, w = 83, 131
	where := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			where.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(y), 0, 255})
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, where); err != nil {
		t.Fatal(err)
	}
	p := program(true, false, []stages.Stage{stages.Decode{}, stages.Crop{Size: 0.4, Offset: stages.Range{0, 0.3}}, stages.Flip{P: 0.5}})
	for depth := 1; depth <= 16; depth *= 2 {
		for _, colour := range []byte{0, 3} {
			if colour == 3 && depth == 16 {
				continue
			}
			numbers := make([]uint8, h*w)
			for i := range numbers {
				numbers[i] = uint8(rnd.Uint32()) & (1<<min(depth, 8) - 1)
			}
			for i := range 8 {
				mask := maskFile(numbers, h, w, depth, colour, i%2 == 1)
				d, m := new(Draw), new(Maker)
				d.Prepare(p, Of{Sample: -1, Position: int64(i), Targets: &schema.Targets{Mask: mask}}, file.Bytes())
				pic, _, err := m.Make(t.Context(), d, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				have := make([]uint8, pic.Height*pic.Width)
				if err := m.Mask(d, &schema.TargetSpec{Mask: true}, have); err != nil {
					t.Fatalf("colour type %d, %d bits: %v", colour, depth, err)
				}
				for k, number := range have {
					if x, y := pic.U8[3*k], pic.U8[3*k+1]; number != numbers[int(y)*w+int(x)] {
						t.Fatalf("colour type %d, %d bits, interlaced %v: %d where row %d, column %d of the file has %d",
							colour, depth, i%2 == 1, number, y, x, numbers[int(y)*w+int(x)])
					}
				}
			}
		}
	}
}
