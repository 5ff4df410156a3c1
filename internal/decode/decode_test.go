package decode

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"runtime"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"golang.org/x/image/bmp"
)

// formula is a picture of integer formulas, for encoders of the standard library.
func formula(height, width int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetNRGBA(x, y, color.NRGBA{uint8(13*x + 7*y), uint8(5*x*y + 40), uint8(255 - 11*x + 17*y), 255})
		}
	}
	return m
}

func encodeJPEG(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodePNG(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// seeds are small valid files of every format, made here.
func seeds(t testing.TB) [][]byte {
	m := formula(9, 13)
	paletted := image.NewPaletted(m.Rect, color.Palette{color.Black, color.White, color.RGBA{200, 30, 9, 255}})
	for i := range paletted.Pix {
		paletted.Pix[i] = uint8(i % 3)
	}
	var g, b bytes.Buffer
	if err := gif.Encode(&g, paletted, nil); err != nil {
		t.Fatal(err)
	}
	if err := bmp.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return [][]byte{
		encodeJPEG(t, m), encodePNG(t, m), encodePNG(t, paletted), g.Bytes(), b.Bytes(),
		append([]byte("P5 3 2 65535\n"), make([]byte, 12)...),
		[]byte("P3 2 1 9\n1 2 3 4 5 6\n"),
	}
}

func TestErrors(t *testing.T) {
	frame := func(marker byte, precision byte) []byte {
		return []byte{0xff, 0xd8, 0xff, marker, 0, 11, precision, 0, 8, 0, 8, 1, 1, 0x11, 0, 0xff, 0xd9}
	}
	sampled := encodeJPEG(t, formula(9, 13))
	sampled[bytes.Index(sampled, []byte{0xff, 0xc0})+11] = 0x31 // 3x1 beside 2x1: libjpeg refuses it
	sampled[bytes.Index(sampled, []byte{0xff, 0xc0})+14] = 0x21 // at upsampling, and so do we
	for _, c := range []struct {
		name string
		data []byte
		is   error
		says string
	}{
		{"empty", nil, ErrUnsupported, "empty file"},
		{"tiff", []byte("II*\x00\x08\x00\x00\x00"), ErrTruncated, "directory lies beyond its end"},
		{"avif", []byte("\x00\x00\x00\x20ftypavif\x00\x00\x00\x00"), ErrUnsupported, "an AVIF image is not supported: convert it to PNG"},
		{"avif of a phone", []byte("\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf"), ErrUnsupported, "AVIF"},
		{"heic", []byte("\x00\x00\x00\x20ftypheic\x00\x00\x00\x00"), ErrUnsupported, "HEIC"},
		{"heif", []byte("\x00\x00\x00\x10ftypmif1\x00\x00\x00\x00"), ErrUnsupported, "HEIC/HEIF"},
		{"mp4", []byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"), ErrUnsupported, "MP4 or like it) is not supported: extract its frames"},
		{"webm", []byte("\x1a\x45\xdf\xa3\x01\x00"), ErrUnsupported, "WebM"},
		{"jpeg 2000", []byte("\x00\x00\x00\x0cjP  \r\n\x87\n"), ErrUnsupported, "JPEG 2000"},
		{"jpeg xl", []byte("\xff\x0a\x00\x00"), ErrUnsupported, "JPEG XL"},
		{"psd", []byte("8BPS\x00\x01"), ErrUnsupported, "PSD"},
		{"ico", []byte("\x00\x00\x01\x00\x01\x00"), ErrUnsupported, "ICO"},
		{"exr", []byte("v/1\x01\x02"), ErrUnsupported, "OpenEXR"},
		{"qoi", []byte("qoif\x00\x00"), ErrUnsupported, "QOI"},
		{"tga", append([]byte{0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 3, 0, 24, 0}, make([]byte, 36)...), ErrUnsupported, "a TGA image is not supported: convert it"},
		{"tga by its footer", []byte("....TRUEVISION-XFILE.\x00"), ErrUnsupported, "TGA"},
		{"blp", []byte("BLP2\x01\x00\x00\x00"), ErrUnsupported, "texture (BLP) is not supported: convert it"},
		{"im", []byte("Image type: Greyscale image\r\nImage size (x*y): 21*13\r\n"), ErrUnsupported, "IFUNC image (IM) is not supported: convert it"},
		{"msp", []byte("DanM\x15\x00\r\x00"), ErrUnsupported, "(MSP) is not supported: convert it"},
		{"msp 2", []byte("LinS\x15\x00\r\x00"), ErrUnsupported, "(MSP)"},
		{"xbm", []byte("#define im_width 21\n#define im_height 13\nstatic char im_bits[] = {"), ErrUnsupported, "(XBM) is not supported: convert it"},
		{"xbm behind a comment", []byte("/* made\n by hand */\n#define width 21\n"), ErrUnsupported, "(XBM)"},
		{"xpm", []byte("/* XPM */\nstatic char *x[] = {"), ErrUnsupported, "(XPM)"},
		{"c source", []byte("#define LIMIT 21\n"), ErrUnsupported, "plain text"},
		{"dib", []byte("\x28\x00\x00\x00\x15\x00\x00\x00\x0d\x00\x00\x00\x01\x00\x18\x00"), ErrUnsupported, "(DIB) is not supported: convert it"},
		{"dib of OS/2", []byte("\x0c\x00\x00\x00\x15\x00\x0d\x00\x01\x00\x08\x00\xff\xff\xff\x00"), ErrUnsupported, "(DIB)"},
		{"no dib", []byte("\x28\x00\x00\x00\x15\x00\x00\x00\x0d\x00\x00\x00\x01\x00\x19\x00"), ErrUnsupported, "unknown format"},
		{"svg", []byte("<?xml version='1.0'?>\n<svg>"), ErrUnsupported, "an SVG drawing is not supported: render it"},
		{"pdf", []byte("%PDF-1.7"), ErrUnsupported, "PDF document is not supported: render it"},
		{"gzip", []byte("\x1f\x8b\x08"), ErrUnsupported, "gzip data is not supported: unpack it"},
		{"tar", append(make([]byte, 257), "ustar"...), ErrUnsupported, "tar archive"},
		{"raw photo", []byte("FUJIFILMCCD-RAW 0201"), ErrUnsupported, "RAF) is not supported: develop it"},
		{"html", []byte("  <!DOCTYPE html><html>"), ErrUnsupported, "HTML page"},
		{"text", []byte("404: caf\xc3\xa9 not found\n"), ErrUnsupported, "plain text"},
		{"json", []byte(`{"error": 404}`), ErrUnsupported, "JSON"},
		{"zeros", make([]byte, 99), ErrUnsupported, "zero bytes"},
		{"unknown", []byte{0xde, 0xad, 0xbe, 0xef}, ErrUnsupported, "de ad be ef"},
		{"arithmetic", frame(0xc9, 8), ErrUnsupported,
			"arithmetic coding (SOF9) is not supported: convert it to Huffman coding"},
		{"arithmetic progressive", frame(0xca, 8), ErrUnsupported, "arithmetic coding (SOF10)"},
		{"lossless", frame(0xc3, 8), ErrUnsupported, "lossless coding (SOF3)"},
		{"hierarchical", frame(0xc5, 8), ErrUnsupported, "hierarchical coding (SOF5)"},
		{"12 bits", frame(0xc1, 12), ErrUnsupported, "12 bits per sample"},
		{"jpeg-ls", frame(0xf7, 8), ErrUnsupported, "JPEG-LS"},
		{"no scan", frame(0xc0, 8), ErrTruncated, "no scan of component 1"},
		{"sampling", sampled, ErrUnsupported, "3x1,2x1,1x1"},
		{"no frame", []byte("\xff\xd8\xff\xd9"), ErrTruncated, "before the frame header"},
		{"bitmap with JPEG", append([]byte("BM"), []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00"+
			"\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x08\x00\x04\x00\x00\x00"+strings.Repeat("\x00", 24))...),
			ErrUnsupported, "holds a JPEG file is not supported: extract"},
		{"gif ends in its first frame", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02"),
			ErrTruncated, "before the first frame's pixels"},
		{"gif without pixels", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x00\x3b"),
			ErrTruncated, "0 bytes cannot hold"},
		{"gif with a code too large", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x7c\x01\x00\x3b"),
			nil, "stands for nothing"},
	} {
		p, err := Decode(t.Context(), c.data, 0)
		switch {
		case err == nil:
			t.Errorf("%s: %dx%d and no error", c.name, p.Height, p.Width)
		case c.is != nil && !errors.Is(err, c.is):
			t.Errorf("%s: %v is not %v", c.name, err, c.is)
		case !strings.Contains(err.Error(), c.says):
			t.Errorf("%s: %v doesn't say %q", c.name, err, c.says)
		}
	}
}

// fault is what the runtime panics with where memory can't be read.
type fault struct{}

func (fault) Addr() uintptr { return 0 }

// A panic is called what it is, a bug of the decoder and not a damaged file; a fault is left to the caller.
func TestPanicIsABug(t *testing.T) {
	decode := func(with any) error {
		p := Parsed{Header: Header{Format: "GIF", Height: 1, Width: 1}, pixels: func(context.Context) (*schema.Picture, error) { panic(with) }}
		_, err := p.Decode(t.Context(), 0)
		return err
	}
	err := decode("at the disco")
	if err == nil || !strings.Contains(err.Error(), "decode: GIF: the decoder panicked, which is a bug in sluice") || !strings.Contains(err.Error(), "at the disco") {
		t.Error(err)
	}
	defer func() {
		if r := recover(); r != (fault{}) {
			t.Errorf("panicked with %v", r)
		}
	}()
	t.Error(decode(fault{}))
}

// A JPEG that was truncated, and its end replaced by an end-of-image marker, as some
// repair tools do, still lacks pixels.
func TestTruncatedScan(t *testing.T) {
	data := encodeJPEG(t, formula(64, 64))
	cut := append(bytes.Clone(data[:len(data)-len(data)/4]), 0xff, 0xd9)
	if _, err := Decode(t.Context(), cut, 0); !errors.Is(err, ErrTruncated) {
		t.Errorf("error %v, want %v", err, ErrTruncated)
	}
}

// A header that promises a huge picture is refused before memory is taken.
func TestMaxPixels(t *testing.T) {
	m := formula(9, 13)
	for _, data := range seeds(t)[:5] {
		if _, err := Decode(t.Context(), data, 9*13); err != nil {
			t.Error(err)
		}
		if _, err := Decode(t.Context(), data, 9*13-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("error %v, want %v", err, ErrTooLarge)
		}
	}
	huge := encodePNG(t, m)
	binary.BigEndian.PutUint32(huge[16:], 1<<31-1)
	binary.BigEndian.PutUint32(huge[20:], 1<<31-1)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	wide := encodeJPEG(t, m)
	sof := bytes.Index(wide, []byte{0xff, 0xc0})
	copy(wide[sof+5:], "\xff\xff\xff\xff")
	for _, data := range [][]byte{huge, wide, []byte("P5 999999999 999999999 255\n..")} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Decode(t.Context(), data, 0); err == nil {
			t.Error("no error")
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%d bytes were allocated for %d bytes of data", n, len(data))
		}
	}
}

func TestBrokenEXIF(t *testing.T) {
	good := "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
	if o := exifOrientation([]byte("Exif\x00\x00" + good)); o != 6 {
		t.Errorf("orientation %d, want 6", o)
	}
	for i := range len(good) {
		broken := []byte(good)
		broken[i] ^= 0xff
		if o := exifOrientation(broken); o < 0 || o > 8 {
			t.Errorf("byte %d inverted: orientation %d", i, o)
		}
		if o := exifOrientation([]byte(good)[:i]); o != 0 && o != 6 {
			t.Errorf("%d bytes: orientation %d", i, o)
		}
	}
	// Every value other than 1..8 is taken for upright.
	for _, v := range []byte{0, 9, 255} {
		block := []byte(good)
		block[18] = v
		if o := exifOrientation(block); o != 1 {
			t.Errorf("value %d: orientation %d", v, o)
		}
	}
}

func TestExtensions(t *testing.T) {
	for _, e := range Extensions() {
		if e[0] != '.' || e != strings.ToLower(e) {
			t.Errorf("extension %q", e)
		}
	}
}

func BenchmarkDecodeJPEG(b *testing.B) {
	data := encodeJPEG(b, formula(375, 500))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(context.Background(), data, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// Notes about orientation that Pillow passes over, damaged ones, and many of them.
func TestNotes(t *testing.T) {
	exif := "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
	hexed := func(name, s string) string { return fmt.Sprintf("\n%s\n%8d\n%x\n", name, len(s), s) }
	deflated := func(s string) string {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		w.Write([]byte(s))
		w.Close()
		return b.String()
	}
	for _, c := range []struct {
		kind, body string
		want       int
	}{
		{"tEXt", "Raw profile type APP1\x00" + hexed("APP1", "Exif\x00\x00"+exif), 6},
		{"tEXt", "Raw profile type APP1\x00" + hexed("APP1", `x tiff:Orientation="8"`), 8},
		{"zTXt", "Raw profile type xmp\x00\x00" + deflated(hexed("xmp", "<tiff:Orientation>3")), 3},
		{"iTXt", xmpKey + "\x00\x00\x00\x00\x00tiff:Orientation = '6'", 6},
		{"iTXt", xmpKey + "\x00\x01\x00en\x00\x00" + deflated(`tiff:Orientation="6"`), 6},
		{"iTXt", xmpKey + "\x00\x01\x00en\x00\x00" + deflated(`tiff:Orientation="6"`)[:12], 1},
		{"zTXt", xmpKey + "\x00\x00" + deflated(strings.Repeat(" ", maxText)+`tiff:Orientation="6"`), 1},
		{"iTXt", xmpKey + "\x00\x00", 1},
		{"iTXt", xmpKey + "\x00\x00\x00\x00\x00tiff:Orientation tiff:Orientation=6 tiff:Orientation=\"", 1},
		{"tEXt", "Raw profile type exif\x00\nexif\n", 1},
		{"tEXt", "Raw profile type exif\x00\nexif\n 9\nnot hexadecimal", 1},
		{"tEXt", "Orientation\x006", 1},
	} {
		var n notes
		n.pngChunk(c.kind, []byte(c.body))
		if o := n.orientation(); o != c.want {
			t.Errorf("%s %.40q: orientation %d, want %d", c.kind, c.body, o, c.want)
		}
	}
}

// An error names the format once, also where what isn't supported is called by it.
func TestErrorsNameTheFormatOnce(t *testing.T) {
	tiff := []byte("II*\x00\x08\x00\x00\x00\x05\x00")
	for _, e := range [][2]uint16{{256, 4}, {257, 4}, {258, 32}, {277, 1}, {339, 3}} { // width, height, bits, samples, their format
		tiff = binary.LittleEndian.AppendUint16(tiff, e[0])
		tiff = append(tiff, 3, 0, 1, 0, 0, 0) // one short
		tiff = binary.LittleEndian.AppendUint16(tiff, e[1])
		tiff = append(tiff, 0, 0)
	}
	tiff = append(tiff, 0, 0, 0, 0)
	png := encodePNG(t, formula(9, 13))
	for want, data := range map[string][]byte{
		"decode: TIFF with floating-point samples is not supported: scale them to 8 or 16 bits": tiff,
		"decode: PNG: truncated: it ends before the pixel data":                                 png[:40],
	} {
		if _, err := Decode(t.Context(), data, 0); err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
