package webp

import (
	"flag"
	"image"
	"os"
	"path/filepath"
	"testing"
)

var benched = flag.String("files", "../../../shared/data/images/formats/*large.normal-filter.lossy.webp", "the files that BenchmarkLossy decodes")

// BenchmarkLossy decodes files whole, and their upper left quarters. Bytes are those of the pixels.
//
//	go test ./internal/webp -run - -bench Lossy -files 'PHOTOS/*.webp'
func BenchmarkLossy(b *testing.B) {
	names, _ := filepath.Glob(*benched)
	if len(names) == 0 {
		b.Skipf("%s: no such files", *benched)
	}
	var chunks [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		chunks = append(chunks, lossyChunk(data))
	}
	for name, share := range map[string]int{"whole": 1, "quarter": 2} {
		b.Run(name, func(b *testing.B) {
			var d VP8Decoder
			var rgb []byte
			bytes := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				f, err := ParseVP8(chunks[i%len(chunks)])
				if err != nil {
					b.Fatal(err)
				}
				part := image.Rect(0, 0, (f.Width+share-1)/share, (f.Height+share-1)/share)
				n := 3 * part.Dx() * part.Dy()
				if cap(rgb) < n {
					rgb = make([]byte, n)
				}
				if err := d.Decode(b.Context(), &f, part, rgb[:n]); err != nil {
					b.Fatal(err)
				}
				bytes += n
			}
			b.SetBytes(int64(bytes / b.N))
		})
	}
}
