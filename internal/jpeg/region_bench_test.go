package jpeg

import (
	"context"
	"image"
	"testing"
	"time"
)

// BenchmarkRegion decodes each photo by turns: all of it, parts, at scales, (skip) its
// last pixel, which is entropy decoding alone, and (again) the recipe's part with its
// points known; each job's fastest of b.N rounds:
//
//	GOMAXPROCS=1 go test ./internal/jpeg -run - -bench Region -benchtime 7x
func BenchmarkRegion(b *testing.B) {
	files := photos(b)
	var d Decoder
	names := []string{"whole", "middle", "recipe", "half", "quarter", "eighth", "skip", "again"}
	known := make([]SeekPoints, len(files))
	best := make([][]time.Duration, len(names))
	for i := range best {
		best[i] = make([]time.Duration, len(files))
	}
	for range max(b.N, 5) {
		for i, data := range files {
			h, err := ReadHeader(data)
			if err != nil {
				b.Fatal(err)
			}
			w, t := h.Width, h.Height
			for k, job := range []struct {
				r image.Rectangle
				s int
			}{
				{image.Rect(0, 0, w, t), 1}, {image.Rect(w/4, t/4, w*3/4, t*3/4), 1}, {image.Rect(w/16, t/16, w*11/16, t*11/16), 1},
				{image.Rect(0, 0, w, t), 2}, {image.Rect(0, 0, w, t), 4}, {image.Rect(0, 0, w, t), 8}, {image.Rect(w-1, t-1, w, t), 1},
				{image.Rect(w/16, t/16, w*11/16, t*11/16), 1},
			} {
				points := &known[i]
				if names[k] != "again" {
					points = nil
				}
				begin := time.Now()
				if _, err := d.DecodeRegion(context.Background(), data, job.r, job.s, points); err != nil {
					b.Fatal(err)
				}
				if e := time.Since(begin); best[k][i] == 0 || e < best[k][i] {
					best[k][i] = e
				}
			}
		}
	}
	whole := time.Duration(0)
	for k, name := range names {
		sum := time.Duration(0)
		for _, t := range best[k] {
			sum += t
		}
		if k == 0 {
			whole = sum
		}
		b.ReportMetric(sum.Seconds()*1e3/float64(len(files)), name+"-ms")
		b.ReportMetric(float64(sum)/float64(whole), name+"/whole")
	}
}
