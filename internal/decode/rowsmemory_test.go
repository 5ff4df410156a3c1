package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"math/rand/v2"
	"runtime"
	"testing"
)

// large are bigger files of each format, by the way in which they are decoded.
func large(t testing.TB, height, width int) map[string][]byte {
	r := rand.New(rand.NewPCG(5, 6))
	palette := make(color.Palette, 256)
	for i := range palette {
		palette[i] = color.RGBA{uint8(i), uint8(3 * i), uint8(255 - i), 255}
	}
	m := image.NewPaletted(image.Rect(0, 0, width, height), palette)
	v := 0
	for i := range m.Pix {
		if r.IntN(3) > 0 {
			v += r.IntN(5) - 2
		}
		m.Pix[i] = uint8(v)
	}
	var g bytes.Buffer
	if err := gif.Encode(&g, m, nil); err != nil {
		t.Fatal(err)
	}
	rgb := make([]byte, 0, 3*len(m.Pix))
	for _, v := range m.Pix {
		rgb = append(rgb, v, v/2, 255-v)
	}
	files := map[string][]byte{
		"GIF":        g.Bytes(),
		"BMP":        bitmap(height, width, 24, rgb),
		"BMP fields": fields(height, width),
		"P5":         append(fmt.Appendf(nil, "P5 %d %d 255\n", width, height), m.Pix...),
		"P5 deep":    append(fmt.Appendf(nil, "P5 %d %d 999\n", width, height), bytes.Repeat([]byte{2, 7}, len(m.Pix))...),
	}
	for name, compression := range map[string]int{"TIFF": tiffNone, "TIFF LZW": tiffLZW, "TIFF deflate": tiffDeflate, "TIFF PackBits": tiffPackBits} {
		files[name] = writeTIFF(t, height, width, rgb, compression)
	}
	files["TIFF Group 4"] = sharedStrip(height, width, 0, tiffGroup4, false, true)
	return files
}

// The memory that Decode and Region allocate is no more than what the header says of it.
func TestRowsMemory(t *testing.T) {
	for _, size := range [][2]int{{700, 900}, {6, 20000}, {40, 30}} {
		files := large(t, size[0], size[1])
		for name, data := range files {
			p, err := Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			part := image.Rect(size[1]/9, size[0]/7, size[1]-1, size[0]-1)
			for what, do := range map[string]func() (int64, error){
				"Decode": func() (int64, error) {
					_, err := p.Decode(t.Context(), 0)
					return p.DecodeBytes, err
				},
				"Region": func() (int64, error) {
					_, err := p.Region(t.Context(), part, nil)
					return p.RegionBytes(part), err
				},
				"turned": func() (int64, error) {
					turned := p
					turned.Orientation = 3
					_, err := turned.Region(t.Context(), part, nil)
					return turned.RegionBytes(part), err
				},
			} {
				runtime.GC() // twice, to empty pools
				runtime.GC()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				most, err := do()
				runtime.ReadMemStats(&after)
				if n := int64(after.TotalAlloc - before.TotalAlloc); err != nil || n > most {
					t.Errorf("%s of %v: %s: %v, %d bytes were allocated, %d foreseen", name, size, what, err, n, most)
				}
			}
		}
	}
}

func TestRowsDontAllocate(t *testing.T) {
	for name, data := range large(t, 60, 80) {
		part := image.Rect(10, 5, 70, 50)
		into := make([]byte, 3*part.Dx()*part.Dy())
		region := func() {
			p, err := Parse(data)
			if err == nil {
				_, err = p.Region(t.Context(), part, into)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		region()
		// The parsed file, its functions and lists of its header.
		most := 8
		if name == "TIFF Group 4" { // x/image/ccitt can't begin anew: a reader and a row for each strip of a row
			most += 2 * part.Dy()
		}
		if n := testing.AllocsPerRun(20, region); n > float64(most) {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// after is a context that ends when it has been asked so many times.
type after struct {
	context.Context
	asked, ends int
}

func (a *after) Err() error {
	if a.asked++; a.asked > a.ends {
		return context.Canceled
	}
	return nil
}

func TestRowsCancel(t *testing.T) {
	for name, data := range large(t, 400, 100) {
		p, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		for ends := range 20 {
			ctx := &after{t.Context(), 0, ends}
			if _, err := p.Region(ctx, image.Rect(0, 0, 100, 400), nil); !errors.Is(err, context.Canceled) && err != nil {
				t.Errorf("%s: %v", name, err)
			} else if err == nil {
				t.Errorf("%s: decoded, though its context ended when asked %d times", name, ends)
			}
			if ctx.asked > ends+4 { // the loop, Region, and context.Cause of each
				t.Errorf("%s: it went on after its context ended", name)
			}
		}
	}
}

// FuzzRegions: where a file is read, every part of it is that part of the whole.
//
//	go test ./internal/decode -fuzz FuzzRegions -fuzztime 3m
func FuzzRegions(f *testing.F) {
	for i, g := range rowsGoldens(f) {
		if i%4 == 0 {
			f.Add(g.Encoded, uint64(i))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		p, err := Parse(data)
		if err != nil || !p.HasRegions() || p.CheckPixels(1<<16) != nil {
			return
		}
		whole, err := p.Decode(context.Background(), 0)
		r := rand.New(rand.NewPCG(seed, 1))
		for range 3 {
			part := somePart(r, p.Height, p.Width)
			rgb, partErr := p.Region(context.Background(), part, nil)
			if err == nil && (partErr != nil || !bytes.Equal(rgb, crop(whole.U8, p.Width, part))) {
				t.Errorf("%s: %v: %v, or not the picture's pixels", p.Format, part, partErr)
			}
		}
	})
}

// BenchmarkRows decodes a picture of 375x500 into memory that is there, whole and a quarter of it.
func BenchmarkRows(b *testing.B) {
	for name, data := range large(b, 375, 500) {
		for what, part := range map[string]image.Rectangle{"whole": image.Rect(0, 0, 500, 375), "quarter": image.Rect(120, 90, 370, 277)} {
			b.Run(name+"/"+what, func(b *testing.B) {
				into := make([]byte, 3*part.Dx()*part.Dy())
				b.SetBytes(int64(len(into)))
				b.ReportAllocs()
				for b.Loop() {
					p, err := Parse(data)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := p.Region(context.Background(), part, into); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// A wrong checksum of deflate is an error where the strip is read to its end, as in Pillow.
func TestTIFFChecksum(t *testing.T) {
	rgb := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, 700)
	data := writeTIFF(t, 70, 30, rgb, tiffDeflate)
	f := &tiffFile{}
	var err error
	if f.ifd, err = readIFD(data); err == nil {
		err = f.read()
	}
	first, followed, blockErr := f.blockData(0)
	if err != nil || blockErr != nil || !followed {
		t.Fatal(err, blockErr)
	}
	first[len(first)-1] ^= 1
	p, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for bottom, fails := range map[int]bool{49: false, 50: true, 60: true} {
		if _, err := p.Region(t.Context(), image.Rect(3, 2, 9, bottom), nil); (err != nil) != fails || err != nil && !bytes.Contains([]byte(err.Error()), []byte("Adler-32")) {
			t.Errorf("down to row %d: %v", bottom, err)
		}
	}
}
