package decode

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/sluicedata/sluice/schema"
)

// meanDifference is the mean absolute difference of two pictures of one size.
func meanDifference(t *testing.T, a, b *schema.Picture) float64 {
	t.Helper()
	if a.Height != b.Height || a.Width != b.Width {
		t.Fatalf("%dx%d against %dx%d", a.Height, a.Width, b.Height, b.Width)
	}
	sum := 0
	for i, v := range a.U8 {
		d := int(v) - int(b.U8[i])
		sum += max(d, -d)
	}
	return float64(sum) / float64(len(a.U8))
}

// The same picture stored losslessly in another format has the same bytes.
func TestLosslessTwins(t *testing.T) {
	for _, c := range [][2]string{
		{"bmp_1bpp.bmp", "bmp_1bpp.png"},
		{"bmp_4bpp.bmp", "bmp_4bpp.png"},
		{"bmp_8bpp.bmp", "bmp_8bpp.png"},
		{"colormap.bmp", "colormap.png"},
		{"colormap-0.bmp", "colormap-0.png"},
		{"colormap-251.bmp", "colormap-251.png"},
		{"video-001.bmp", "video-001.png"},
		{"yellow_rose-small.bmp", "yellow_rose-small.png"},
		{"yellow_rose-small-v5.bmp", "yellow_rose-small-v5.png"},
		{"blue-purple-pink-large.lossless.webp", "blue-purple-pink-large.png"},
		{"blue-purple-pink.lossless.webp", "blue-purple-pink.png"},
		{"gopher-doc.1bpp.lossless.webp", "gopher-doc.1bpp.png"},
		{"gopher-doc.2bpp.lossless.webp", "gopher-doc.2bpp.png"},
		{"gopher-doc.4bpp.lossless.webp", "gopher-doc.4bpp.png"},
		{"gopher-doc.8bpp.lossless.webp", "gopher-doc.8bpp.png"},
		{"tux.lossless.webp", "tux.png"},
		{"yellow_rose.lossless.webp", "yellow_rose.png"},
	} {
		a := mustDecode(t, readReal(t, "images/formats/"+c[0]))
		b := mustDecode(t, readReal(t, "images/formats/"+c[1]))
		if !bytes.Equal(a.U8, b.U8) {
			t.Errorf("%s and %s differ by %.3f on average", c[0], c[1], meanDifference(t, a, b))
		}
	}
}

// A lossy WebP read in the wrong range would be off by about 8 levels.
func TestLossyTwins(t *testing.T) {
	for _, c := range [][2]string{
		{"blue-purple-pink.lossy.webp", "blue-purple-pink.png"},
		{"blue-purple-pink-large.normal-filter.lossy.webp", "blue-purple-pink-large.png"},
		{"blue-purple-pink-large.simple-filter.lossy.webp", "blue-purple-pink-large.png"},
		{"blue-purple-pink-large.no-filter.lossy.webp", "blue-purple-pink-large.png"},
		{"video-001.lossy.webp", "video-001.png"},
	} {
		a := mustDecode(t, readReal(t, "images/formats/"+c[0]))
		b := mustDecode(t, readReal(t, "images/formats/"+c[1]))
		if d := meanDifference(t, a, b); d > 5 {
			t.Errorf("%s and %s differ by %.2f on average", c[0], c[1], d)
		}
	}
}

// The nine files of each series show one picture, each stored another way round.
func TestOrientationSeries(t *testing.T) {
	for _, series := range []string{"Landscape", "Portrait"} {
		upright := mustDecode(t, readReal(t, fmt.Sprintf("images/orientation/%s_1.jpg", series)))
		if (series == "Portrait") != (upright.Height > upright.Width) {
			t.Errorf("%s is %dx%d", series, upright.Height, upright.Width)
		}
		for i := range 9 {
			data := readReal(t, fmt.Sprintf("images/orientation/%s_%d.jpg", series, i))
			h, err := ReadHeader(data)
			if err != nil || h.Orientation != max(i, 1) {
				t.Errorf("%s_%d: orientation %d (%v)", series, i, h.Orientation, err)
			}
			if d := meanDifference(t, mustDecode(t, data), upright); d > 5 {
				t.Errorf("%s_%d differs from %s_1 by %.2f on average", series, i, series, d)
			}
		}
	}
}

func TestUnsupportedJPEGs(t *testing.T) {
	for name, want := range map[string]string{
		"testimgari.jpg": "decode: JPEG: arithmetic coding (SOF9) is not supported: convert it to Huffman coding",
		"monkey12.jpg":   "decode: JPEG: 12 bits per sample (SOF1) is not supported: convert it to 8 bits per sample",
	} {
		_, err := Decode(t.Context(), readReal(t, "images/jpeg-variants/"+name), 0)
		if !errors.Is(err, ErrUnsupported) || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	original := mustDecode(t, readReal(t, "images/jpeg-variants/testorig.ppm"))
	if d := meanDifference(t, mustDecode(t, readReal(t, "images/jpeg-variants/testorig.jpg")), original); d > 10 {
		t.Errorf("testorig.jpg differs from its original by %.2f on average", d)
	}
}
