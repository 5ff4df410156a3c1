package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	stdpng "image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pngOf is a picture as a PNG file.
func pngOf(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdpng.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestMaskErrors(t *testing.T) {
	deep := image.NewGray16(image.Rect(0, 0, 3, 2))
	deep.SetGray16(1, 1, color.Gray16{Y: 255})
	if values, _, _, err := Mask(pngOf(t, deep), nil); err != nil || values[4] != 255 {
		t.Errorf("16 bits up to 255: %v, %v", values, err)
	}
	deep.SetGray16(2, 1, color.Gray16{Y: 300})
	rgb := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	for i := range rgb.Pix {
		rgb.Pix[i] = 7
		if i%4 == 3 {
			rgb.Pix[i] = 255
		}
	}
	if values, h, w, err := Mask(pngOf(t, rgb), nil); err != nil || h != 2 || w != 3 || values[5] != 7 {
		t.Errorf("equal channels: %v, %v", values, err)
	}
	rgb.Pix[1] = 8
	alpha := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	alpha.Pix[3] = 9
	var lossy bytes.Buffer
	if err := jpeg.Encode(&lossy, rgb, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"deep", "row 1, column 2 is [300]: class numbers are at most 255", pngOf(t, deep)},
		{"colour", "it is RGB, and the pixel in row 0, column 0 is [7 8 7]", pngOf(t, rgb)},
		{"alpha", "[0 0 0 9]", pngOf(t, alpha)},
		{"JPEG", "it changes class numbers", lossy.Bytes()},
		{"text", "plain text", []byte("hello")},
		{"empty", "an empty file", nil},
		{"short", "truncated", pngOf(t, image.NewGray(image.Rect(0, 0, 30, 30)))[:45]},
	} {
		if _, _, _, err := Mask(c.data, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	big := pngOf(t, image.NewGray(image.Rect(0, 0, 1<<15, 1<<13+1)))
	if _, _, _, err := Mask(big, nil); !errors.Is(err, ErrTooLarge) || strings.Contains(err.Error(), "max_pixels") {
		t.Errorf("too large: %v", err)
	}
}

// Memory that fits is used again.
func TestMaskReuse(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range m.Pix {
		m.Pix[i] = uint8(i)
	}
	data := pngOf(t, m)
	into := make([]uint8, 0, 2000)
	values, _, _, err := Mask(data, into)
	if err != nil || !bytes.Equal(values, m.Pix) || &values[0] != &into[:1][0] {
		t.Errorf("%v, or in other memory", err)
	}
	if n := testing.AllocsPerRun(20, func() { _, _, _, _ = Mask(data, into) }); n > 12 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMask(b *testing.B) {
	files, _ := filepath.Glob("../../../shared/data/street/masks/*.png")
	if len(files) == 0 {
		b.Skip("no data")
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		b.Fatal(err)
	}
	var values []uint8
	for b.Loop() {
		if values, _, _, err = Mask(data, values); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(values)))
}

// What NumPy reads of Pillow's masks: testdata/masks.py.
func TestMaskGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/masks.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name            string
			Encoded, Values []byte
			Height, Width   int
		}
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.Cases) < 10 {
		t.Fatalf("%d cases: %v", len(file.Cases), err)
	}
	for _, c := range file.Cases {
		values, height, width, err := Mask(c.Encoded, nil)
		if err != nil || height != c.Height || width != c.Width || !bytes.Equal(values, c.Values) {
			t.Errorf("%s: %dx%d of %dx%d: %v", c.Name, height, width, c.Height, c.Width, err)
		}
	}
}
