package decode

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"hash/crc32"
	"image"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// rowsGolden is a case of testdata/rows.json.gz; rows.py says how they are made.
type rowsGolden struct {
	Name          string
	Height, Width int
	Encoded       []byte
	CRC           uint32
}

func rowsGoldens(t testing.TB) []rowsGolden {
	t.Helper()
	f, err := os.Open("testdata/rows.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []rowsGolden }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 300 {
		t.Fatalf("testdata/rows.json.gz has %d cases; run testdata/rows.py", len(file.Cases))
	}
	return file.Cases
}

// The pixels are Pillow's, and parts of pictures are those parts, with assembly and without.
func TestRows(t *testing.T) {
	defer func(was bool) { useAssembly = was }(useAssembly)
	r := rand.New(rand.NewPCG(1, 2))
	for _, useAssembly = range []bool{false, haveAssembly()} {
		for _, g := range rowsGoldens(t) {
			p := mustDecode(t, g.Encoded)
			if p.Height != g.Height || p.Width != g.Width || crc32.ChecksumIEEE(p.U8) != g.CRC {
				t.Errorf("%s: %dx%d, Pillow %dx%d, or other pixels", g.Name, p.Height, p.Width, g.Height, g.Width)
				continue
			}
			parsed, err := Parse(g.Encoded)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Stored(g.Encoded) != nil {
				continue
			}
			for range 10 {
				part := somePart(r, g.Height, g.Width)
				rgb, err := parsed.Region(t.Context(), part, bytes.Repeat([]byte{0x5a}, 3*part.Dx()*part.Dy()))
				if err != nil || !bytes.Equal(rgb, crop(p.U8, g.Width, part)) {
					t.Errorf("%s: %v: %v, or not the picture's pixels", g.Name, part, err)
				}
			}
		}
	}
}

func somePart(r *rand.Rand, height, width int) image.Rectangle {
	x, y := r.IntN(width), r.IntN(height)
	return image.Rect(x, y, x+1+r.IntN(width-x), y+1+r.IntN(height-y))
}

// A file that is cut anywhere is an error for every part of it, unless all of its pixels are there.
func TestRowsCut(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, g := range rowsGoldens(t) {
		step := 1
		if len(g.Encoded) > 600 || testing.Short() {
			step = 1 + len(g.Encoded)/60
		}
		whole := mustDecode(t, g.Encoded)
		for cut := r.IntN(step); cut < len(g.Encoded); cut += step {
			data := g.Encoded[:cut]
			p, err := Decode(t.Context(), data, 0)
			if err == nil && !bytes.Equal(p.U8, whole.U8) && !lastNumber(g.Name, p.U8, whole.U8) || err != nil && strings.Contains(err.Error(), "panicked") {
				t.Errorf("%s: %d of %d bytes: %v", g.Name, cut, len(g.Encoded), err)
			}
			parsed, parseErr := Parse(data)
			if parseErr != nil || !parsed.HasRegions() {
				continue
			}
			part := somePart(r, g.Height, g.Width)
			_, partErr := parsed.Region(t.Context(), part, nil)
			if (partErr == nil) != (err == nil) || errors.Is(partErr, ErrTruncated) != errors.Is(err, ErrTruncated) {
				t.Errorf("%s: %d of %d bytes: whole %v, %v %v", g.Name, cut, len(g.Encoded), err, part, partErr)
			}
		}
	}
}

// lastNumber reports whether only the last pixel differs, and may: a text's last number may lack digits.
func lastNumber(name string, rgb, want []uint8) bool {
	n := len(want) - 3
	return (strings.HasPrefix(name, "ppm/P2") || strings.HasPrefix(name, "ppm/P3")) && bytes.Equal(rgb[:n], want[:n])
}
