package decode

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/png"
)

// golden is a case of testdata/golden.json; golden.py says how they are made.
type golden struct {
	Name          string
	By            string // "pillow" or "opencv"
	Height, Width int
	Encoded, RGB  []byte
}

func goldens(t testing.TB) []golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []golden }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 100 {
		t.Fatalf("testdata/golden.json has %d cases; run testdata/golden.py", len(file.Cases))
	}
	return file.Cases
}

func TestGolden(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.Name, func(t *testing.T) {
			h, err := ReadHeader(g.Encoded)
			if err != nil {
				t.Fatal(err)
			}
			p := mustDecode(t, g.Encoded)
			if p.Height != g.Height || p.Width != g.Width || h.Height != g.Height || h.Width != g.Width {
				t.Fatalf("decoded %dx%d, header %dx%d, %s gives %dx%d",
					p.Height, p.Width, h.Height, h.Width, g.By, g.Height, g.Width)
			}
			if len(p.U8) != len(g.RGB) {
				t.Fatalf("%d bytes, want %d", len(p.U8), len(g.RGB))
			}
			for i, v := range p.U8 {
				if v != g.RGB[i] {
					t.Fatalf("row %d, column %d, channel %d is %d, %s gives %d",
						i/3/p.Width, i/3%p.Width, i%3, v, g.By, g.RGB[i])
				}
			}
		})
	}
}

// The plan hash promises bytes, and some decoders are libraries, which may change
// (Go 1.26 changed image/jpeg's), so the golden pictures' bytes are pinned.
func TestRevision(t *testing.T) {
	const revision, want = 4, "c7fcd6e23998b6d8d1438694ae2e4d05445170e11d3112097ad08175b56ea096"
	sum := sha256.New()
	for _, g := range goldens(t) {
		sum.Write(mustDecode(t, g.Encoded).U8)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want || Revision != revision {
		t.Errorf("the decoded bytes have the hash %s at revision %d, pinned are %s and %d: "+
			"if the change is wanted (or golden.json is new), raise Revision and pin both here",
			got, Revision, want, revision)
	}
}

// A file that lacks its end, be it one byte, is an error and never a panic. A PNG file
// may lack what is behind its last pixel, as Pillow 13 has it.
func TestCutAnywhere(t *testing.T) {
	for _, g := range goldens(t) {
		switch g.Name {
		case "exif/tiff-xmp-6": // its end is the note, and a broken note is none
			continue
		case "ppm/P1", "ppm/P2-maxval-30", "ppm/P3":
			// Text loses its line end, or a digit of the last number, unseen.
			g.Encoded = g.Encoded[:len(g.Encoded)-4]
		}
		for cut := range g.Encoded {
			p, err := Decode(t.Context(), g.Encoded[:cut], 0)
			if err == nil && png.Is(g.Encoded) && bytes.Equal(p.U8, g.RGB) {
				if behind := len(g.Encoded) - cut; behind > 23 { // the end of the block, Adler-32, CRC, IEND
					t.Errorf("%s: whole with %d bytes missing", g.Name, behind)
				}
				break
			}
			kind, _, _ := strings.Cut(g.Name, "/")
			if err == nil && (kind == "gif" || kind == "bmp" || strings.Contains(g.Name, "tiff")) && bytes.Equal(p.U8, g.RGB) {
				continue
			}
			if err == nil {
				t.Errorf("%s: %d of %d bytes give %dx%d pixels and no error", g.Name, cut, len(g.Encoded), p.Height, p.Width)
				break
			}
			if strings.Contains(err.Error(), "panicked") {
				t.Errorf("%s: %d of %d bytes: %v", g.Name, cut, len(g.Encoded), err)
			}
		}
	}
}

// What Stored says of a golden is its pixels; binary PPM has them, and no other form.
func TestStored(t *testing.T) {
	text, grey := []byte("P3 5 4 255\n"), []byte("P2 5 4 255\n")
	six, five := []byte("P6 5 4 255\n"), []byte("P5 5 4 255\n")
	for i := range 60 {
		v := uint8(i * 37)
		text, six = fmt.Appendf(text, "%d ", v), append(six, v)
		if i < 20 {
			grey, five = fmt.Appendf(grey, "%d ", v), append(five, v)
		}
	}
	files := [][]byte{text, append(six, "more"...), grey, five}
	for i, want := range []bool{false, true, false, false} {
		p, err := Parse(files[i])
		if err != nil {
			t.Fatal(err)
		}
		decoded := mustDecode(t, files[i])
		if !bytes.Equal(decoded.U8, mustDecode(t, files[i&^1]).U8) {
			t.Errorf("%.2s: other pixels than in text", files[i])
		}
		if got := p.Stored(files[i]); (got != nil) != want || got != nil && !bytes.Equal(got, decoded.U8) {
			t.Errorf("%.2s: %d bytes stored", files[i], len(got))
		}
	}
	for _, g := range goldens(t) {
		p, err := Parse(g.Encoded)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Stored(g.Encoded); got != nil && !bytes.Equal(got, g.RGB) {
			t.Errorf("%s: other pixels are stored", g.Name)
		}
	}
}

func TestReadHeaderFormat(t *testing.T) {
	names := map[string]string{"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "bmp": "BMP", "gif": "GIF", "ppm": "PPM", "tiff": "TIFF"}
	for _, g := range goldens(t) {
		h, err := ReadHeader(g.Encoded)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(g.Name, "/")
		if want, ok := names[kind]; ok && h.Format != want {
			t.Errorf("%s: format %q", g.Name, h.Format)
		}
		if kind == "exif" {
			want := int(g.Name[len(g.Name)-1] - '0')
			if h.Orientation != want {
				t.Errorf("%s: orientation %d", g.Name, h.Orientation)
			}
		}
	}
}
