package picture

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// BenchmarkPhotos is photos in memory to rows of a batch, one after the other: each
// photo's fastest of b.N rounds (at least 5), with the same draw each time; "again" knows
// seek points of each file, as from the second epoch on.
//
//	GOMAXPROCS=1 go test ./flow/internal/picture -run xxx -bench Photos -benchtime 9x
func BenchmarkPhotos(b *testing.B) {
	files, _ := filepath.Glob("../../../../shared/data/photos/*.JPEG")
	if len(files) == 0 {
		b.Skip("no photos")
	}
	var photos [][]byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		photos = append(photos, data)
	}
	tail := []stages.Stage{stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}}
	for _, c := range []struct {
		name string
		list []stages.Stage
		last []stages.Stage // of floats
	}{
		{"recipe", []stages.Stage{stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}},
			stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}}, stages.Flip{P: 0.5}, stages.Resize{Height: 224, Width: 224}}, nil},
		{"random_resized_crop", []stages.Stage{stages.Decode{}, stages.RandomResizedCrop{Height: 224, Width: 224}, stages.Flip{P: 0.5}}, nil},
		{"evaluation", []stages.Stage{stages.Decode{}, stages.Resize{Size: 256}, stages.CenterCrop{Height: 224, Width: 224}}, nil},
		{"trivial_augment", []stages.Stage{stages.Decode{}, stages.RandomResizedCrop{Size: 224}, stages.Flip{P: 0.5}, stages.TrivialAugmentWide{}},
			[]stages.Stage{stages.RandomErasing{P: 0.1}}},
		{"rand_augment", []stages.Stage{stages.Decode{}, stages.RandomResizedCrop{Size: 224}, stages.Flip{P: 0.5}, stages.RandAugment{Timm: "rand-m9-mstd0.5-inc1"}},
			[]stages.Stage{stages.RandomErasing{P: 0.25, Value: stages.ErasedByNoise}}},
		{"simclr", []stages.Stage{stages.Decode{}, stages.RandomResizedCrop{Size: 224}, stages.Flip{P: 0.5},
			stages.ColorJitter{Brightness: stages.Around(0.8), Contrast: stages.Around(0.8), Saturation: stages.Around(0.8), Hue: stages.Range{-0.2, 0.2}, P: 0.8},
			stages.Grayscale{P: 0.2}, stages.GaussianBlur{KernelSize: 23, P: 0.5}}, nil},
		{"small", []stages.Stage{stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Resize{Height: 64, Width: 64}}, nil},
	} {
		for _, variant := range []string{"full", "full/again", "exact", "exact/again"} {
			b.Run(c.name+"/"+variant, func(b *testing.B) {
				fuse, again := strings.CutSuffix(variant, "/again")
				p := program(fuse == "full", false, slices.Concat(c.list, tail, c.last))
				if again {
					p.Seek = NewSeekPoints(len(photos))
				}
				slot := &schema.Picture{Height: 224, Width: 224, Layout: schema.CHW, F32: make([]float32, 3*224*224)}
				if c.name == "small" {
					slot = &schema.Picture{Height: 64, Width: 64, Layout: schema.CHW, F32: make([]float32, 3*64*64)}
				}
				d, m := new(Draw), new(Maker)
				best := make([]time.Duration, len(photos))
				var before, after runtime.MemStats
				rounds := max(b.N, 5)
				for round := range rounds {
					if round == 1 {
						runtime.ReadMemStats(&before)
					}
					for i, data := range photos {
						begin := time.Now()
						d.Prepare(p, Of{Sample: i, Position: int64(i)}, data)
						if _, _, err := m.Make(b.Context(), d, slot, nil); err != nil {
							b.Fatal(err)
						}
						if took := time.Since(begin); round == 0 || took < best[i] {
							best[i] = took
						}
					}
				}
				runtime.ReadMemStats(&after)
				sum := time.Duration(0)
				for _, d := range best {
					sum += d
				}
				n := float64((rounds - 1) * len(photos))
				b.ReportMetric(sum.Seconds()*1e3/float64(len(photos)), "ms/photo")
				b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/photo")
				b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/n, "B/photo")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
