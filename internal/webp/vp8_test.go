package webp

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"hash/crc32"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

var lossyCases = flag.String("lossy", "testdata/lossy.json", "the cases of testdata/lossy.py that TestLossyIsPillows reads")

// lossy is a case of testdata/lossy.json.
type lossy struct {
	Height, Width int
	Encoded       []byte
	Sum           uint32
}

func lossies(t testing.TB, name string) []lossy {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []lossy }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 100 {
		t.Fatalf("%s has %d cases; run testdata/lossy.py", name, len(file.Cases))
	}
	return file.Cases
}

// lossyChunk is the first chunk "VP8 " of a file; nil if there is none.
func lossyChunk(file []byte) []byte {
	for rest := file[min(12, len(file)):]; len(rest) >= 8; {
		n := int(binary.LittleEndian.Uint32(rest[4:]))
		if string(rest[:4]) == "VP8 " {
			return rest[8:min(8+n, len(rest))]
		}
		rest = rest[min(8+n+n%2, len(rest)):]
	}
	return nil
}

func (f *VP8) whole() image.Rectangle { return image.Rect(0, 0, f.Width, f.Height) }

// decodeLossy decodes a whole chunk.
func decodeLossy(d *VP8Decoder, chunk []byte) (f VP8, rgb []byte, err error) {
	if f, err = ParseVP8(chunk); err != nil {
		return f, nil, err
	}
	rgb = make([]byte, 3*f.Width*f.Height)
	return f, rgb, d.Decode(context.Background(), &f, f.whole(), rgb)
}

func TestLossyIsPillows(t *testing.T) {
	var d VP8Decoder
	for i, c := range lossies(t, *lossyCases) {
		f, rgb, err := decodeLossy(&d, lossyChunk(c.Encoded))
		if err != nil || f.Height != c.Height || f.Width != c.Width {
			t.Fatalf("%d: %dx%d instead of %dx%d: %v", i, f.Height, f.Width, c.Height, c.Width, err)
		}
		if crc32.ChecksumIEEE(rgb) != c.Sum {
			t.Errorf("%d: %dx%d: not Pillow's pixels", i, f.Height, f.Width)
		}
	}
}

// samples are the cases, and the real files where they are there.
func samples(t testing.TB) (chunks [][]byte) {
	for _, c := range lossies(t, "testdata/lossy.json") {
		chunks = append(chunks, lossyChunk(c.Encoded))
	}
	real, _ := filepath.Glob("../../../shared/data/images/formats/*.lossy*.webp")
	for _, name := range real {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, lossyChunk(data))
	}
	return chunks
}

// A part is that part of the whole, whatever the decoder decoded before.
func TestPartsOfLossy(t *testing.T) {
	var d, other VP8Decoder
	r := rand.New(rand.NewPCG(1, 2))
	for i, chunk := range samples(t) {
		f, whole, err := decodeLossy(&d, chunk)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			part := partOf(r, f.Width, f.Height)
			equalsPart(t, whole, f.whole().Max, part, i, func(rgb []byte) error { return other.Decode(t.Context(), &f, part, rgb) })
		}
	}
}

// Memory is what a new decoder takes, and a used one takes none.
func TestMemoryOfLossy(t *testing.T) {
	for i, chunk := range samples(t) {
		f, err := ParseVP8(chunk)
		if err != nil {
			t.Fatal(err)
		}
		rgb := make([]byte, 3*f.Width*f.Height)
		parts := []image.Rectangle{f.whole(), image.Rect(f.Width/3, f.Height/4, f.Width/3+1, f.Height/4+1)}
		for _, part := range parts {
			var d VP8Decoder
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := d.Decode(t.Context(), &f, part, rgb); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if n := int64(after.TotalAlloc - before.TotalAlloc); n > f.Memory(part) || f.Memory(part) > n+1<<16 {
				t.Errorf("file %d, %v of %dx%d: %d bytes, Memory says %d", i, part, f.Height, f.Width, n, f.Memory(part))
			}
			if int64(d.Kept()) > f.Memory(part) {
				t.Errorf("file %d: %d bytes are kept, Memory says %d", i, d.Kept(), f.Memory(part))
			}
			if n := testing.AllocsPerRun(2, func() { _ = d.Decode(t.Context(), &f, part, rgb) }); n > 0 {
				t.Errorf("file %d: %v allocations by a used decoder", i, n)
			}
		}
	}
}

// A file that is cut within its last partition ends in an error, as in libwebp; without its last byte or so
// nothing is missing. Whatever is damaged, there is no panic.
func TestDamagedLossy(t *testing.T) {
	var d VP8Decoder
	r := rand.New(rand.NewPCG(3, 4))
	for i, chunk := range samples(t) {
		_, whole, err := decodeLossy(&d, chunk)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			cut := r.IntN(len(chunk))
			_, rgb, err := decodeLossy(&d, chunk[:cut])
			if err == nil && (!bytes.Equal(rgb, whole) || cut < len(chunk)-4) {
				t.Fatalf("file %d: %d of %d bytes are enough", i, cut, len(chunk))
			}
			if err != nil && !errors.Is(err, ErrTruncated) {
				t.Fatalf("file %d, cut at %d: %v", i, cut, err)
			}
			damaged := bytes.Clone(chunk)
			for range 1 + r.IntN(4) {
				damaged[10+r.IntN(len(damaged)-10)] ^= 1 << r.IntN(8)
			}
			_, _, _ = decodeLossy(&d, damaged)
		}
	}
}
