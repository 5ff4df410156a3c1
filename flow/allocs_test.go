package flow_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/stages"
)

// A run allocates for its batches, most of it in Arrow, and nothing for their rows.
// The difference of a long and a short run leaves out what a run takes to begin; that
// of large and small batches is what their rows take.
func TestRunsAllocateForBatchesAlone(t *testing.T) {
	if flow.RaceEnabled {
		t.Skip("under the race detector, pools drop what they hold")
	}
	r := rand.New(rand.NewPCG(3, 4))
	var list []sample
	for i := range 256 {
		file := turned(encoded(photo(r, 40+r.IntN(40), 40+r.IntN(40)), true), byte(1+i%8))
		list = append(list, sample{fmt.Sprintf("%03d.jpg", i), file, [2]int32{0, 1}})
	}
	tail := []stages.Stage{stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}}
	for name, warps := range map[string][]stages.Stage{
		"recipe": {stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}},
			stages.Flip{P: 0.5}, stages.Resize{Height: 32, Width: 32}},
		"random_resized_crop": {stages.RandomResizedCrop{Height: 32, Width: 32}, stages.Flip{P: 0.5}},
		"evaluation":          {stages.Resize{Size: 36}, stages.CenterCrop{Height: 32, Width: 32}},
	} {
		for _, fuse := range []flow.Fuse{flow.FuseFull, flow.FuseExact} {
			run := func(size, batches int) float64 {
				all := slices.Concat([]stages.Stage{stages.Shuffle{}, stages.Decode{}}, warps, tail, []stages.Stage{stages.Batch{Size: size}})
				epochs := batches * size / len(list)
				plan, err := flow.New(hold(list), all...).Plan(t.Context(), flow.Epochs(epochs), flow.WithFuse(fuse), flow.Workers(2))
				if err != nil {
					t.Fatal(err)
				}
				defer plan.Close()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if _, err := plan.Deliver(t.Context(), &sink{}); err != nil {
					t.Fatal(err)
				}
				runtime.ReadMemStats(&after)
				return float64(after.Mallocs - before.Mallocs)
			}
			perBatch := func(size int) float64 { return (run(size, 40) - run(size, 10)) / 30 }
			run(64, 10)
			small, large := perBatch(64), perBatch(256)
			perRow := (large - small) / (256 - 64)
			t.Logf("%s, %s: %.2f allocations a row, %.0f a batch of 64", name, fuse, perRow, small)
			if perRow > 0.2 || small > 150 {
				t.Errorf("%s, %s: %.2f allocations a row, %.0f a batch of 64", name, fuse, perRow, small)
			}
		}
	}
}
