package jpeg

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// dataDir holds real files that are shared between people, not in the repository.
const dataDir = "../../../shared/data"

func photos(t testing.TB) [][]byte {
	t.Helper()
	names, _ := filepath.Glob(dataDir + "/photos/*.JPEG")
	var files [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	if len(files) == 0 {
		t.Skipf("%s/photos is absent: this needs the shared data folder", dataDir)
	}
	return files
}

// BenchmarkAgainstStdlib decodes the photos by turns with image/jpeg and with this
// package, file by file, each file's fastest of b.N rounds (at least 5):
//
//	go test ./internal/jpeg -run - -bench AgainstStdlib -benchtime 9x
func BenchmarkAgainstStdlib(b *testing.B) {
	files := photos(b)
	var decoder Decoder
	std, own := make([]time.Duration, len(files)), make([]time.Duration, len(files))
	timed := func(best *time.Duration, decode func()) {
		begin := time.Now()
		decode()
		if d := time.Since(begin); *best == 0 || d < *best {
			*best = d
		}
	}
	for range max(b.N, 5) {
		for i, data := range files {
			timed(&std[i], func() {
				if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			})
			timed(&own[i], func() {
				if _, err := decoder.Decode(context.Background(), data); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
	var sumStd, sumOwn time.Duration
	ratios := make([]float64, len(files))
	for i := range files {
		sumStd, sumOwn = sumStd+std[i], sumOwn+own[i]
		ratios[i] = float64(own[i]) / float64(std[i])
	}
	slices.Sort(ratios)
	n := float64(len(files))
	b.ReportMetric(sumStd.Seconds()*1e3/n, "stdlib-ms/file")
	b.ReportMetric(sumOwn.Seconds()*1e3/n, "own-ms/file")
	b.ReportMetric(float64(sumOwn)/float64(sumStd), "own/stdlib")
	b.ReportMetric(ratios[len(ratios)-1], "worst-own/stdlib")
}

func BenchmarkDecodePhotos(b *testing.B) {
	files := photos(b)
	b.ReportAllocs()
	var d Decoder
	for i := 0; b.Loop(); i++ {
		if _, err := d.Decode(context.Background(), files[i%len(files)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKinds decodes a photo as baseline and progressive files hold it, whole and at 1/8; bytes are those of the samples.
//
//	go test ./internal/jpeg -run - -bench Kinds
func BenchmarkKinds(b *testing.B) {
	files := map[string][]byte{"baseline": photos(b)[0]}
	for name, data := range progressiveFiles(b) {
		files[name] = data
	}
	for _, name := range []string{"baseline", "progressive-420.jpg", "progressive-444.jpg"} {
		h, err := ReadHeader(files[name])
		if err != nil {
			b.Fatal(err)
		}
		all := image.Rect(0, 0, h.Width, h.Height)
		for _, denominator := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/1-%d", name, denominator), func(b *testing.B) {
				n := int64(0)
				for i := range h.Components() {
					width, height := h.PlaneSize(i, denominator)
					n += int64(width) * int64(height)
				}
				b.SetBytes(n)
				b.ReportAllocs()
				var d Decoder
				for b.Loop() {
					if _, err := d.DecodeRegion(context.Background(), files[name], all, denominator, nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
