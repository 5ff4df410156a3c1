package flow_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/stages"
)

// What is remembered of a file's data makes no difference: a run that goes on at an
// epoch, and remembers nothing, gives the records of one that began at the first, also
// where files are damaged and their damage shows in some draws only.
func TestRememberedFilesChangeNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := rand.New(rand.NewPCG(3, 4))
	var list []sample
	for i := range 14 {
		data := encoded(photo(r, 200+r.IntN(300), 130+r.IntN(150)), true)
		if i%3 == 2 {
			data[len(data)/3+r.IntN(len(data)/2)] ^= 1 << r.IntN(8)
		}
		list = append(list, sample{fmt.Sprintf("%02d.jpg", i), data, [2]int32{int32(i % 3), 0}})
	}
	pipe := flow.New(hold(list), stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"class"}, Draws: 40}, stages.Decode{},
		stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}},
		stages.Resize{Height: 24, Width: 24}, stages.Batch{Size: 8})
	for _, fuse := range []flow.Fuse{flow.FuseFull, flow.FuseExact} {
		run := func(opts ...flow.Option) ([]record, *flow.Report) {
			s := &collector{}
			opts = append(opts, flow.Epochs(4), flow.WithFuse(fuse), flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Share: 1}}))
			report, err := pipe.Run(t.Context(), s, opts...)
			if err != nil {
				t.Fatal(err)
			}
			return s.records, report
		}
		whole, report := run(flow.Workers(3))
		if report.Failed == 0 || report.Rows < 80 {
			t.Fatalf("%d failed of %d", report.Failed, report.Drawn)
		}
		for epoch := 1; epoch < 4; epoch++ {
			state := flow.State{PlanHash: report.PlanHash, Epoch: epoch}
			rest, _ := run(flow.Resume(state), flow.Workers(epoch))
			if err := sameRecords(rest, whole[epoch*5:]); err != nil {
				t.Errorf("%s: from epoch %d on: %v", fuse, epoch, err)
			}
		}
	}
}
