package decode

import (
	"context"
	"runtime"
	"strings"
	"testing"
)

// FuzzDecode: whatever the bytes, no panic (not even a recovered one), no
// picture against its header, and no more memory than the limit on pixels
// and the size of the file account for.
//
//	go test ./internal/decode -fuzz FuzzDecode -fuzztime 3m
func FuzzDecode(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
	for _, g := range goldens(f) {
		f.Add(g.Encoded)
	}
	const maxPixels = 1 << 16
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h, headerErr := ReadHeader(data)
		p, err := Decode(context.Background(), data, maxPixels)
		runtime.ReadMemStats(&after)
		// A JPEG of one row is stored in rows of 8x8 blocks and, if progressive, as
		// 2-byte coefficients; a lossless WebP brings its own tables.
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20+uint64(64*len(data)) {
			t.Errorf("%d bytes were allocated for %d bytes of data", n, len(data))
		}
		switch {
		case err != nil && strings.Contains(err.Error(), "panicked"):
			t.Error(err)
		case err != nil:
		case headerErr != nil:
			t.Errorf("a picture, but no header: %v", headerErr)
		case p.Height != h.Height || p.Width != h.Width || len(p.U8) != 3*p.Height*p.Width:
			t.Errorf("a picture of %dx%d with %d bytes, header %dx%d", p.Height, p.Width, len(p.U8), h.Height, h.Width)
		case h.Pixels() > maxPixels:
			t.Errorf("%d pixels", h.Pixels())
		}
	})
}
