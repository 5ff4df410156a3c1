package warp

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/schema"
)

// BenchmarkPlanes is the recipe on photos in memory, to 224x224 float32 CHW: each
// photo's fastest of b.N rounds (at least 5), decoding and sampling apart.
//
//	GOMAXPROCS=1 go test ./internal/warp -run xxx -bench Planes -benchtime 9x
func BenchmarkPlanes(b *testing.B) {
	files, _ := filepath.Glob("../../../shared/data/photos/*.JPEG")
	if len(files) == 0 {
		b.Skip("no photos")
	}
	names := []string{"header", "fuse", "decode", "sample"}
	best := make([][4]time.Duration, len(files))
	var data [][]byte
	for _, file := range files {
		d, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		data = append(data, d)
	}
	dst := &schema.Picture{Height: 224, Width: 224, Layout: schema.CHW, F32: make([]float32, 3*224*224)}
	table := bytesToFloats()
	for range max(b.N, 5) {
		r := rand.New(rand.NewPCG(1, 2))
		for i := range data {
			at := [5]time.Time{time.Now()}
			f, err := decode.OpenJPEG(data[i], 0)
			if err != nil {
				b.Fatal(err)
			}
			at[1] = time.Now()
			pass := Fuse(f.Height, f.Width, drawnRecipe(r, f.Height, f.Width, 224, true), true)[0]
			at[2] = time.Now()
			planes, err := f.YCC(context.Background(), pass.YCCRegion(f.Shifts()), pass.YCCScale())
			if err != nil {
				b.Fatal(err)
			}
			at[3] = time.Now()
			pass.RunYCC(dst, &planes, Pixel{F32: table})
			at[4] = time.Now()
			f.Close()
			for k := range names {
				if d := at[k+1].Sub(at[k]); best[i][k] == 0 || d < best[i][k] {
					best[i][k] = d
				}
			}
		}
	}
	for k, name := range names {
		sum := time.Duration(0)
		for i := range best {
			sum += best[i][k]
		}
		b.ReportMetric(sum.Seconds()*1e3/float64(len(best)), name+"-ms")
	}
	b.ReportMetric(0, "ns/op")
}
