package webp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"hash/crc32"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/vp8l"
)

var losslessCases = flag.String("lossless", "testdata/lossless.json", "the cases of testdata/lossless.py that TestLosslessIsPillows reads")

func decodeFile(d *Decoder, data []byte) (f *File, rgb []byte, err error) {
	if f, err = Parse(data); err != nil {
		return f, nil, err
	}
	rgb = make([]byte, 3*f.Width*f.Height)
	return f, rgb, d.Decode(context.Background(), f, image.Rect(0, 0, f.Width, f.Height), rgb)
}

func TestLosslessIsPillows(t *testing.T) {
	var d Decoder
	for i, c := range lossies(t, *losslessCases) {
		f, rgb, err := decodeFile(&d, c.Encoded)
		if err != nil || f.Height != c.Height || f.Width != c.Width || f.Lossless == nil {
			t.Fatalf("%d: %+v instead of %dx%d: %v", i, f, c.Height, c.Width, err)
		}
		if crc32.ChecksumIEEE(rgb) != c.Sum {
			t.Errorf("%d: %dx%d: not Pillow's pixels", i, f.Height, f.Width)
		}
	}
}

// losslessFiles are the cases, and the real files where they are there.
func losslessFiles(t testing.TB) (files [][]byte) {
	for _, c := range lossies(t, "testdata/lossless.json") {
		files = append(files, c.Encoded)
	}
	real, _ := filepath.Glob("../../../shared/data/images/formats/*.lossless.webp")
	for _, name := range real {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	return files
}

// encoded are those that libwebp wrote. Of the streams that no encoder writes x/image reads some otherwise.
func encoded(t testing.TB) (files [][]byte) {
	cases := len(lossies(t, "testdata/lossless.json"))
	for i, data := range losslessFiles(t) {
		if i%2 == 0 || i >= cases {
			files = append(files, data)
		}
	}
	return files
}

// standard is what golang.org/x/image reads; false: nothing.
func standard(chunk []byte) ([]byte, bool) {
	img, err := vp8l.Decode(bytes.NewReader(chunk))
	if err != nil {
		return nil, false
	}
	m := img.(*image.NRGBA)
	rgb := make([]byte, 0, len(m.Pix)/4*3)
	for i := 0; i < len(m.Pix); i += 4 {
		rgb = append(rgb, m.Pix[i:i+3]...)
	}
	return rgb, true
}

func TestLosslessIsXImages(t *testing.T) {
	var d Decoder
	read := 0
	for i, data := range encoded(t) {
		want, ok := standard(data[20:])
		if !ok {
			continue
		}
		read++
		if _, rgb, err := decodeFile(&d, data); err != nil || !bytes.Equal(rgb, want) {
			t.Errorf("file %d: %v, or other pixels", i, err)
		}
	}
	if read < 70 {
		t.Errorf("x/image reads %d files only", read)
	}
}

// A part is that part of the whole, whatever the decoder decoded before.
func TestPartsOfLossless(t *testing.T) {
	var d, other Decoder
	r := rand.New(rand.NewPCG(1, 2))
	for i, data := range losslessFiles(t) {
		f, whole, err := decodeFile(&d, data)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			checkPart(t, &other, f, whole, randomPart(r, f), i)
		}
	}
}

func randomPart(r *rand.Rand, f *File) image.Rectangle { return partOf(r, f.Width, f.Height) }

func partOf(r *rand.Rand, width, height int) image.Rectangle {
	x, y := r.IntN(width), r.IntN(height)
	return image.Rect(x, y, x+1+r.IntN(width-x), y+1+r.IntN(height-y))
}

func checkPart(t *testing.T, d *Decoder, f *File, whole []byte, part image.Rectangle, file int) {
	t.Helper()
	equalsPart(t, whole, image.Pt(f.Width, f.Height), part, file, func(rgb []byte) error { return d.Decode(t.Context(), f, part, rgb) })
}

// equalsPart checks that decode gives a part of the whole picture of that size.
func equalsPart(t *testing.T, whole []byte, size image.Point, part image.Rectangle, file int, decode func(rgb []byte) error) {
	t.Helper()
	n := 3 * part.Dx()
	rgb := bytes.Repeat([]byte{77}, n*part.Dy())
	if err := decode(rgb); err != nil {
		t.Fatal(err)
	}
	for y := range part.Dy() {
		if !bytes.Equal(rgb[y*n:][:n], whole[3*((part.Min.Y+y)*size.X+part.Min.X):][:n]) {
			t.Fatalf("file %d, %dx%d: row %d of %v isn't the whole's", file, size.Y, size.X, y, part)
		}
	}
}

// Memory is what a new decoder takes, and a used one takes none.
func TestMemoryOfLossless(t *testing.T) {
	for i, data := range losslessFiles(t) {
		f, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		rgb, whole := make([]byte, 3*f.Width*f.Height), image.Rect(0, 0, f.Width, f.Height)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d := new(Decoder)
		if err := d.Decode(t.Context(), f, whole, rgb); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if n := int64(after.TotalAlloc - before.TotalAlloc); n > f.Memory(whole) || f.Memory(whole) > 3*n+1<<19 {
			t.Errorf("file %d, %dx%d: %d bytes, Memory says %d", i, f.Height, f.Width, n, f.Memory(whole))
		}
		if int64(d.Kept()) > f.Memory(whole) {
			t.Errorf("file %d: %d bytes are kept, Memory says %d", i, d.Kept(), f.Memory(whole))
		}
		if n := testing.AllocsPerRun(2, func() { _ = d.Decode(t.Context(), f, whole, rgb) }); n > 0 {
			t.Errorf("file %d: %v allocations by a used decoder", i, n)
		}
	}
}

// losslessFile is a file of a chunk.
func losslessFile(chunk []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(12+len(chunk)+len(chunk)%2))
	b = binary.LittleEndian.AppendUint32(append(b, "WEBPVP8L"...), uint32(len(chunk)))
	b = append(b, chunk...)
	return append(b, make([]byte, len(chunk)%2)...)
}

// Pixel data that end early are ErrTruncated, or another error where what is left can't be a beginning; never a
// picture. Two bytes less can't all be padding.
func TestCutLossless(t *testing.T) {
	var d Decoder
	truncated, files := 0, 0
	for i, data := range losslessFiles(t) {
		chunk := data[20 : 20+binary.LittleEndian.Uint32(data[16:])]
		for cut := 6; cut < len(chunk)-2; cut += 1 + len(chunk)/9 {
			if chunk = chunk[:len(chunk)-cut]; len(chunk) < 12 {
				break
			}
			_, _, err := decodeFile(&d, losslessFile(chunk))
			if files++; err == nil {
				t.Errorf("file %d: %d bytes are a picture", i, len(chunk))
			} else if errors.Is(err, ErrTruncated) {
				truncated++
			}
		}
	}
	if truncated < files*9/10 {
		t.Errorf("%d of %d cut files are ErrTruncated", truncated, files)
	}
}

// A decoder that refused damaged data decodes the next file right.
func TestDamagedLossless(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var d Decoder
	refused := 0
	for i, data := range losslessFiles(t) {
		if len(data) > 1<<13 {
			continue
		}
		_, want, err := decodeFile(new(Decoder), data)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			damaged := bytes.Clone(data)
			for range 1 + r.IntN(3) {
				damaged[25+r.IntN(len(data)-25)] ^= 1 << r.IntN(8)
			}
			if _, _, err := decodeFile(&d, damaged); err != nil {
				refused++
			}
			_, rgb, err := decodeFile(&d, data)
			if err != nil || !bytes.Equal(rgb, want) {
				t.Fatalf("file %d: after damaged data: %v, or other pixels", i, err)
			}
		}
	}
	if refused < 100 {
		t.Errorf("%d refused", refused)
	}
}

// Tables that there is no room for are built again when they are needed.
func TestTablesAreRebuilt(t *testing.T) {
	var d VP8LDecoder
	generations := uint32(0)
	for i, data := range losslessFiles(t) {
		f, want, err := decodeFile(new(Decoder), data)
		if err != nil {
			t.Fatal(err)
		}
		rgb := make([]byte, len(want))
		d.bits.reset(f.Lossless)
		d.codes.reset(groupEntries)
		if err := d.readHeader(t.Context(), f.Lossless); err != nil {
			t.Fatal(err)
		}
		if err := d.rows(t.Context(), f.Lossless, f.Frame, rgb); err != nil || !bytes.Equal(rgb, want) {
			t.Errorf("file %d: %v, or other pixels", i, err)
		}
		generations = max(generations, d.codes.generation)
		if cap(d.codes.tables) > 2*groupEntries {
			t.Errorf("file %d: %d entries", i, cap(d.codes.tables))
		}
	}
	if generations < 10 {
		t.Errorf("tables were dropped %d times", generations-1)
	}
}

// wide is a picture with more pixels than are kept: noise, then copies from as far back as can be.
func wide(t *testing.T, width, height int) []byte {
	t.Helper()
	var w bitWriter
	w.put(0x2f, 8)
	w.put(uint64(width-1), 14)
	w.put(uint64(height-1), 14)
	w.put(0, 4+1+1+1) // no alpha, version 0; no transform, no cache, no groups
	// Green: 255 words of 8 bits, and of the last two of 9 one for copies of 4096 pixels.
	w.put(0, 1)
	w.put(12-4+1, 4) // 13 lengths
	for _, n := range []uint64{0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2} {
		w.put(n, 3) // of 0: 2 bits; of 8: one; of 9: 2
	}
	w.put(0, 1)
	for i := range cached {
		switch {
		case i < 255:
			w.put(0, 1)
		case i == 255 || i == literals+23:
			w.put(3, 2)
		default:
			w.put(1, 2)
		}
	}
	for range 3 {
		w.put(1, 4) // one symbol, 0
	}
	w.put(1, 1) // one symbol, 39
	w.put(2, 2)
	w.put(39, 8)
	r := rand.New(rand.NewPCG(1, 1))
	for at := 0; at < width*height; {
		if at < 1<<20 || width*height-at < 4096 || r.IntN(40) > 0 {
			w.put(uint64(reversed(r.IntN(255))), 8)
			at++
			continue
		}
		w.put(0xff, 8)
		w.put(1, 1)
		w.put(1<<10-1, 10)
		w.put(uint64(1<<18-1-r.IntN(3)), 18)
		at += 4096
	}
	w.put(0, 64)
	return losslessFile(w.bytes)
}

func reversed(v int) (out int) {
	for range 8 {
		out, v = out<<1|v&1, v>>1
	}
	return out
}

// bitWriter writes bits, the lowest of a byte first.
type bitWriter struct {
	bytes []byte
	count int
}

func (w *bitWriter) put(v uint64, n int) {
	for ; n > 0; n-- {
		if w.count%8 == 0 {
			w.bytes = append(w.bytes, 0)
		}
		w.bytes[len(w.bytes)-1] |= byte(v&1) << (w.count % 8)
		v >>= 1
		w.count++
	}
}

// Of a large picture not all pixels are kept.
func TestWindow(t *testing.T) {
	for _, size := range []image.Point{{1500, 2600}, {16000, 250}, {3, 16000}} {
		data := wide(t, size.X, size.Y)
		var d Decoder
		f, rgb, err := decodeFile(&d, data)
		if err != nil {
			t.Fatal(err)
		}
		want, ok := standard(data[20:])
		if !ok || !bytes.Equal(rgb, want) {
			t.Errorf("%v: x/image reads it: %v, or other pixels", size, ok)
		}
		if n := 4 * maxPixels(f.Width); size.X*size.Y > maxPixels(f.Width) && cap(d.lossless.pixels)*4 > n {
			t.Errorf("%v: %d bytes of pixels, at most %d", size, cap(d.lossless.pixels)*4, n)
		}
	}
}

func TestLosslessHeader(t *testing.T) {
	for name, c := range map[string]struct {
		chunk []byte
		part  string
	}{
		"empty":     {nil, "truncated"},
		"short":     {[]byte{0x2f, 0, 0, 0}, "truncated"},
		"signature": {[]byte{0x2e, 0, 0, 0, 0, 0}, "signature"},
		"version":   {[]byte{0x2f, 0, 0, 0, 0x20, 0}, "version 1"},
	} {
		if _, err := ParseVP8L(c.chunk); err == nil || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCancelLossless(t *testing.T) {
	f, err := Parse(wide(t, 1500, 100))
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if err := new(Decoder).Decode(ctx, f, f.Frame, make([]byte, 3*1500*100)); !errors.Is(err, cause) {
		t.Error(err)
	}
}

func BenchmarkLossless(b *testing.B) {
	for _, name := range []string{"blue-purple-pink-large", "yellow_rose", "gopher-doc.8bpp", "gopher-doc.1bpp", "tux"} {
		data, err := os.ReadFile("../../../shared/data/images/formats/" + name + ".lossless.webp")
		if err != nil {
			b.Skip("the shared images aren't there")
		}
		f, err := Parse(data)
		if err != nil {
			b.Fatal(err)
		}
		rgb := make([]byte, 3*f.Width*f.Height)
		b.Run(name, func(b *testing.B) {
			var d Decoder
			b.ReportAllocs()
			b.SetBytes(int64(len(rgb)))
			for b.Loop() {
				if err := d.Decode(b.Context(), f, f.Frame, rgb); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
