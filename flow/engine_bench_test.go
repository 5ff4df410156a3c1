package flow_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// BenchmarkEngine is the engine's own cost per row: pictures of 4x4 that take
// next to nothing to decode.
func BenchmarkEngine(b *testing.B) {
	dir := b.TempDir()
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewRGBA(image.Rect(0, 0, 4, 4))); err != nil {
		b.Fatal(err)
	}
	for i := range 512 {
		write(b, filepath.Join(dir, "a", fmt.Sprintf("%03d.png", i)), buf.Bytes())
	}
	plan, err := flow.New(sources.Folder{Path: dir}, stages.Shuffle{}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 64}).Plan(b.Context(), flow.Epochs(10))
	if err != nil {
		b.Fatal(err)
	}
	defer plan.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rows := int64(0)
	for b.Loop() {
		report, err := plan.Deliver(b.Context(), &sink{})
		if err != nil {
			b.Fatal(err)
		}
		rows += report.Rows
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(rows), "us/row")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(rows), "allocs/row")
}
