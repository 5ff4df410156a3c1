package flow_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// traffic is 40 pictures of cars; every fourth has a bus too, and three have a tram, one of
// them with a bus. The pictures of the numbers broken can't be decoded.
func traffic(t *testing.T, broken ...int) *annotated {
	t.Helper()
	var files [][]byte
	var targets []schema.Targets
	for i := range 40 {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
			t.Fatal(err)
		}
		file := b.Bytes()
		if slices.Contains(broken, i) {
			file = file[:len(file)/2]
		}
		var one schema.Targets
		add := func(label int32) {
			one.Objects = append(one.Objects, schema.Object{Box: [4]float32{1, 1, 5, 6}, Label: label, ID: int64(len(one.Objects))})
		}
		add(0)
		add(0)
		if i%4 == 0 {
			add(1)
		}
		if i == 4 || i == 17 || i == 31 {
			add(2)
		}
		files, targets = append(files, file), append(targets, one)
	}
	return annotate(&schema.TargetSpec{Boxes: true, Classes: []string{"car", "bus", "tram"}}, files, targets)
}

var balanceBoxes = []stages.Stage{
	stages.Rebalance{Target: stages.RepeatFactor(0.5, 0.5), Task: stages.TaskNames{"boxes"}},
	stages.Decode{}, stages.Batch{Size: 7, Sizes: stages.KeepSizes},
}

// TestRefillsOfTheRarestClass: a broken picture of the rarest class is replaced by another of
// those of which that is the rarest class, so their quota stays whole, with any number of
// workers.
func TestRefillsOfTheRarestClass(t *testing.T) {
	defer goleak.VerifyNone(t)
	on := flow.OnError(flow.Failures{Policy: flow.Refill, Max: flow.Limit{Share: 1}})
	tram := func(rows []string) (n, four int) {
		for _, row := range rows {
			for _, key := range []string{"0004", "0017", "0031"} {
				if strings.Contains(row, key) {
					n++
				}
			}
			if strings.Contains(row, "0004") {
				four++
			}
		}
		return n, four
	}
	whole, _ := rowsOf(t, flow.New(traffic(t), balanceBoxes...), flow.Epochs(3))
	want, _ := tram(whole)
	var first []string
	for workers := 1; workers <= 4; workers++ {
		rows, report := rowsOf(t, flow.New(traffic(t, 4), balanceBoxes...), on, flow.Epochs(3), flow.Workers(workers))
		if n, four := tram(rows); n != want || four != 0 || report.Failed != 0 || report.Refilled == 0 {
			t.Fatalf("%d rows with a tram, %d of the broken one, %d failed; want %d", n, four, report.Failed, want)
		}
		if first == nil {
			first = rows
		}
		if !slices.Equal(rows, first) {
			t.Fatalf("%d workers: other rows", workers)
		}
		x := report.Images["boxes"]
		if got := x["tram"]; got.Quota != int64(want) || got.Delivered != got.Quota || got.Refilled == 0 || got.Distinct != 2 || got.Repeats != got.Delivered-2 {
			t.Errorf("trams: %+v, want %d", got, want)
		}
		if s := report.State.Ledger; len(s.Several) != 1 || s.Several[0].Name != "boxes" || s.Several[0].Classes[2] != "tram" || s.Tasks["boxes"][2][0] != float64(want) {
			t.Errorf("the state's ledger is %+v", s)
		}
		if got := x["car"]; got.Quota != report.Drawn || got.Delivered != report.Rows {
			t.Errorf("cars are in all pictures: %+v of %d", got, report.Rows)
		}
	}
}

// TestRanksOfTheRarestClass: the ranks share the draws of one, whatever their number, and a
// run that resumes goes on with them.
func TestRanksOfTheRarestClass(t *testing.T) {
	pipe := func() *flow.Pipeline { return flow.New(traffic(t), balanceBoxes...) }
	whole, _ := rowsOf(t, pipe(), flow.Epochs(2))
	for _, world := range []int{2, 3} {
		var together []string
		for rank := range world {
			rows, _ := rowsOf(t, pipe(), flow.Epochs(2), flow.Rank(rank, world), flow.WithLastRound(flow.PadRound))
			together = append(together, rows...)
		}
		slices.Sort(together)
		sorted := slices.Clone(whole)
		slices.Sort(sorted)
		if together = slices.Compact(together); !slices.Equal(together, slices.Compact(sorted)) {
			t.Errorf("%d ranks have %d rows together, one has %d", world, len(together), len(sorted))
		}
	}
	plan := planOf(t, traffic(t), balanceBoxes)
	rest, _ := rowsOf(t, pipe(), flow.Epochs(2), flow.Resume(flow.State{PlanHash: plan.Info().PlanHash, Epoch: 0, Batch: 3}))
	if !slices.Equal(rest, whole[21:]) {
		t.Errorf("resumed after 3 batches: %d rows, want %d", len(rest), len(whole)-21)
	}
}

// TestClassDraws: what the plan says of the draws of each class, against a count of them and
// LVIS's formula.
func TestClassDraws(t *testing.T) {
	plan := planOf(t, traffic(t), balanceBoxes)
	list := plan.Outline().Several["boxes"]
	bus, tram := math.Sqrt(0.5*40/10), math.Sqrt(0.5*40/3) // factors
	draws := plan.Info().RowsPerEpoch
	sum := 9*bus + 3*tram + 28
	if draws != int64(math.Floor(sum+0.5)) {
		t.Fatalf("%d draws, want %v", draws, sum)
	}
	scale := float64(draws) / sum
	variance := func(factor float64) float64 { f := factor*scale - math.Floor(factor*scale); return f * (1 - f) }
	want := []flow.ClassDraws{
		{Class: "car", Samples: 40, Expected: sum * scale, Random: 28*variance(1) + 9*variance(bus) + 3*variance(tram)},
		{Class: "bus", Samples: 10, Expected: (9*bus + tram) * scale, Random: 9*variance(bus) + variance(tram)},
		{Class: "tram", Samples: 3, Expected: 3 * tram * scale, Random: 3 * variance(tram)},
	}
	for c := range want {
		for position := range draws {
			for _, label := range plan.Index().(schema.Targeted).ObjectLabels(plan.Drawn(0, position)) {
				if label == int32(c) {
					want[c].Drawn++
					break
				}
			}
		}
		have := list[c]
		if have.Class != want[c].Class || have.Samples != want[c].Samples || have.Drawn != want[c].Drawn || math.Abs(have.Expected-want[c].Expected) > 1e-9 || math.Abs(have.Random-math.Sqrt(want[c].Random)) > 1e-9 {
			t.Errorf("%+v, want %+v (variance %v)", have, want[c], want[c].Random)
		}
	}
	if have, want := plan.Outline().Objects, (map[string]int64{"car": 80, "bus": 10, "tram": 3}); !maps.Equal(have, want) {
		t.Errorf("objects %v, want %v", have, want)
	}
	if text := plan.String(); !strings.Contains(text, fmt.Sprintf("pictures with them: car 40→%d, bus 10→%d, tram 3→%d", list[0].Drawn, list[1].Drawn, list[2].Drawn)) ||
		!strings.Contains(text, "rounded at random, as in detectron2: ") {
		t.Error(text)
	}
	even := append([]stages.Stage{stages.Rebalance{Target: stages.Instance, Task: stages.TaskNames{"boxes"}}}, balanceBoxes[1:]...)
	if text := planOf(t, traffic(t), even).String(); !strings.Contains(text, "pictures with them: car 40") || strings.Contains(text, "off what their rarest") {
		t.Error(text)
	}
	if plan := planOf(t, traffic(t), []stages.Stage{stages.Shuffle{}, stages.Decode{}, stages.Batch{Size: 7, Sizes: stages.KeepSizes}}); plan.Outline().Several != nil {
		t.Error("a shuffle asks for nothing")
	}
}

// TestScheduleHasEpochs: the number of epochs is part of the plan where a schedule uses it,
// and of no other.
func TestScheduleHasEpochs(t *testing.T) {
	scheduled := []stages.Stage{
		stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"boxes"}, Schedule: stages.Schedule{After: 0.5}},
		stages.Decode{}, stages.Batch{Size: 7, Sizes: stages.KeepSizes},
	}
	hash := func(list []stages.Stage, epochs int) string {
		return planOf(t, traffic(t), list, flow.Epochs(epochs)).Info().PlanHash
	}
	if hash(balanceBoxes, 4) != hash(balanceBoxes, 6) {
		t.Error("the number of epochs is in a hash without a schedule")
	}
	if hash(scheduled, 4) == hash(scheduled, 6) {
		t.Error("the number of epochs isn't in the hash with a schedule")
	}
	plan := planOf(t, traffic(t), scheduled, flow.Epochs(4))
	trams := func(p *flow.Plan, epoch int) (n int) {
		for position := range p.Info().RowsPerEpoch {
			if i := p.Drawn(epoch, position); i == 4 || i == 17 || i == 31 {
				n++
			}
		}
		return n
	}
	if early, late := trams(plan, 1), trams(plan, 2); early != 3 || late < 5 {
		t.Errorf("%d draws of trams before the target, %d with it", early, late)
	}
	longer, err := plan.With(flow.Epochs(20))
	if err != nil || trams(longer, 2) != trams(plan, 2) || longer.Info().PlanHash != plan.Info().PlanHash {
		t.Errorf("a longer run of the plan has another schedule (%v)", err)
	}
	_, err = flow.New(traffic(t), scheduled...).Plan(t.Context(), flow.Epochs(flow.Endless))
	if err == nil || !strings.Contains(err.Error(), "stages: rebalance: schedule: it needs the number of epochs, and the run has no end: give epochs") {
		t.Errorf("an endless schedule: %v", err)
	}
}

// TestWeightsOfWhatIsBalanced: the plan has weight x draws of each class, and the report what
// they came to.
func TestWeightsOfWhatIsBalanced(t *testing.T) {
	list := []stages.Stage{
		stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"class"}, Multiple: 2},
		stages.ClassWeights{Task: "class", Weights: stages.Weights{Named: map[string]float64{"common": 1, "middle": 2, "rare": 5}}},
		stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 3},
	}
	source := labelled(0, 0, 0, 0, 0, 0, 1, 1, 2)
	plan := planOf(t, source, list)
	want := []flow.ClassWeight{
		{Class: "common", Weight: 0.125, Draws: 1, Product: 0.125, Share: 0.125},
		{Class: "middle", Weight: 0.25, Draws: 3, Product: 0.75, Share: 0.25},
		{Class: "rare", Weight: 0.625, Draws: 6, Product: 3.75, Share: 0.625},
	}
	if have := plan.Outline().Weighted["class"]; !slices.Equal(have, want) {
		t.Errorf("%+v, want %+v", have, want)
	}
	line := "weight x draws of each sample in an epoch, and the share of all weight: common 0.125 x 1 = 0.125 (12 %), middle 0.25 x 3 = 0.75 (25 %), rare 0.625 x 6 = 3.75 (62 %)"
	if !strings.Contains(plan.String(), line) {
		t.Errorf("no %q in\n%s", line, plan)
	}
	_, report := rowsOf(t, flow.New(source, list...))
	for _, c := range want {
		if x := report.Ledger["class"][c.Class]; x.Weight != c.Weight || x.WeightShare != c.Share {
			t.Errorf("%s: weight %v, share %v; want %v, %v", c.Class, x.Weight, x.WeightShare, c.Weight, c.Share)
		}
	}
	for _, alone := range [][]stages.Stage{list[1:], append([]stages.Stage{list[0]}, list[2:]...)} {
		if have := planOf(t, source, alone).Outline().Weighted; have != nil {
			t.Errorf("one of both alone: %+v", have)
		}
	}
}

// TestScheduleInWords: the plan says what the last epoch draws, where a schedule makes that
// other than the first.
func TestScheduleInWords(t *testing.T) {
	balance := stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"class"}, Schedule: stages.Schedule{After: 0.5}}
	tell := func(r stages.Rebalance, epochs int) string {
		return planOf(t, labelled(0, 0, 0, 0, 0, 0, 1, 1, 2), []stages.Stage{r, stages.Decode{}, stages.Batch{Size: 3, Sizes: stages.KeepSizes}}, flow.Epochs(epochs)).String()
	}
	if text := tell(balance, 2); !strings.Contains(text, "in the last epoch: common 6→3, middle 2→3, rare 1→3") {
		t.Error(text)
	}
	for _, text := range []string{tell(balance, 1), tell(stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"class"}}, 2)} {
		if strings.Contains(text, "in the last epoch") {
			t.Error(text)
		}
	}
}
