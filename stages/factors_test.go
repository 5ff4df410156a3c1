package stages_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// TestTimelyTargets: after every epoch each class's draws, over all epochs, are less than one
// off what is due, and an epoch is as long as the samples' factors say.
func TestTimelyTargets(t *testing.T) {
	random := rand.New(rand.NewPCG(17, 18))
	for range 60 {
		counts := make([]int, 1+random.IntN(12))
		for c := range counts {
			counts[c] = int(math.Exp(random.Float64() * 5.5))
		}
		index := longTail(random.IntN(3), counts...)
		threshold, power, beta := random.Float64()*0.4+0.01, random.Float64()*0.9+0.1, 1-math.Exp(-random.Float64()*9)
		effective := func(n float64) float64 { return (1 - math.Pow(beta, n)) / (1 - beta) }
		all := float64(index.Len())
		sum := 0.0
		for name, c := range map[string]struct {
			r    stages.Rebalance
			each func(n float64, known bool) float64
		}{
			"repeat factor": {stages.Rebalance{Target: stages.RepeatFactor(threshold, power)}, func(n float64, known bool) float64 {
				if !known {
					return 1
				}
				return math.Max(1, math.Pow(threshold*all/n, power))
			}},
			"effective number": {stages.Rebalance{Target: stages.EffectiveNumber(beta)}, func(n float64, _ bool) float64 { return 1 / effective(n) }},
			"few draws":        {stages.Rebalance{Target: stages.EffectiveNumber(beta), Draws: 3}, func(n float64, _ bool) float64 { return 1 / effective(n) }},
		} {
			u := follow(t, c.r, index)
			due := map[int32]float64{}
			sum = 0
			for class, n := range schema.Counts(index, 0) {
				label := int32(class)
				if class == len(counts) {
					label = schema.Unknown
				}
				if n > 0 {
					due[label] = float64(n) * c.each(float64(n), label != schema.Unknown)
					sum += due[label]
				}
			}
			want := int64(index.Len())
			switch name {
			case "repeat factor":
				want = int64(math.Floor(sum + 0.5))
			case "few draws":
				want = 3
			}
			if u.order.Len() != want {
				t.Fatalf("%s of %v: %d draws, want %d", name, counts, u.order.Len(), want)
			}
			total := map[int32]int64{}
			for epoch := range 12 {
				u.epoch(t, epoch)
				for label, d := range due {
					total[label] += u.drawn[label]
					if off := float64(total[label]) - d/sum*float64(want)*float64(epoch+1); math.Abs(off) >= 1+1e-6 {
						t.Fatalf("%s of %v: after epoch %d class %d is off by %v", name, counts, epoch, label, off)
					}
				}
			}
		}
	}
}

func TestEpochLengths(t *testing.T) {
	index := longTail(0, 100, 30, 7)
	for _, c := range []struct {
		r    stages.Rebalance
		want int64
	}{
		{stages.Rebalance{Target: stages.ClassBalanced}, 137},
		{stages.Rebalance{Target: stages.ClassBalanced, Multiple: 2.5}, 343}, // 342.5
		{stages.Rebalance{Target: stages.ClassBalanced, Multiple: 1e-9}, 1},
		{stages.Rebalance{Target: stages.ClassBalanced, Cover: stages.CoverLargest}, 300},
		{stages.Rebalance{Target: stages.Instance, Cover: stages.CoverLargest}, 137},
		{stages.Rebalance{Target: stages.SquareRoot, Cover: stages.CoverLargest}, 182}, // 100 + 10(sqrt 30 + sqrt 7) = 181.2
		{stages.Rebalance{Target: stages.Shares(map[string]float64{"c0": 0, "c1": 2, "c2": 1}), Cover: stages.CoverLargest}, 45},
		{stages.Rebalance{Target: stages.RepeatFactor(0.5, 0.5)}, 100 + 45 + 22}, // 30 sqrt(68.5/30) + 7 sqrt(68.5/7) = 45.33 + 21.90
		{stages.Rebalance{Target: stages.RepeatFactor(0.5, 0.5), Multiple: 1}, 137},
	} {
		u := follow(t, c.r, index)
		if u.order.Len() != c.want {
			t.Errorf("%+v has %d draws, want %d", c.r, u.order.Len(), c.want)
		}
		u.epoch(t, 0)
		if c.r.Cover == stages.CoverLargest && c.r.Target != stages.Shares(map[string]float64{"c0": 0, "c1": 2, "c2": 1}) && u.drawn[0] < 100 {
			t.Errorf("%+v draws %d of the 100 samples of the largest class", c.r, u.drawn[0])
		}
	}
	for what, c := range map[string]struct {
		r    stages.Rebalance
		want string
	}{
		"two":      {stages.Rebalance{Target: stages.Instance, Draws: 3, Multiple: 2}, "multiple: draws and multiple give the length of an epoch: leave all but one out"},
		"counts":   {stages.Rebalance{Target: stages.Counts(map[string]int64{"a": 3}), Cover: stages.CoverLargest}, "cover: cover and the counts give the length of an epoch: leave all but one out"},
		"negative": {stages.Rebalance{Target: stages.Instance, Multiple: -1}, "multiple: -1 is not a positive number, at most 2^40"},
		"NaN":      {stages.Rebalance{Target: stages.Instance, Multiple: math.NaN()}, "multiple: NaN is not a positive number, at most 2^40"},
		"word":     {stages.Rebalance{Target: stages.Instance, Cover: "all"}, `cover: "all" is none of largest`},
		"list":     {stages.Rebalance{Target: stages.PerTask(stages.Instance, stages.Instance), Task: stages.TaskNames{"a", "b"}, Cover: stages.CoverLargest}, "cover: with a target for each of several tasks it isn't said which class is meant: give draws"},
	} {
		wantError(t, what, c.r.Check(), c.want)
	}
	_, err := stages.Rebalance{Target: stages.Instance, Multiple: 1e10}.Sample(everySample(137), index, rebalanceKey)
	wantError(t, "long", err, "multiple: an epoch would have 1.37e+12 draws, which is more than 2^40: give fewer")
	_, err = stages.Rebalance{Target: stages.Shares(map[string]float64{"c0": 1e-15, "c1": 1, "c2": 1}), Cover: stages.CoverLargest}.Sample(everySample(137), index, rebalanceKey)
	wantError(t, "covering", err, "cover: an epoch would have 200000000000000100 draws, which is more than 2^40: give draws")
}

func TestRepeatFactorWarns(t *testing.T) {
	index := longTail(0, 100, 30, 7)
	warn := func(threshold float64) []string {
		return stages.Rebalance{Target: stages.RepeatFactor(threshold, 0)}.Warn(everySample(index.Len()), index)
	}
	wantWarnings(t, "nothing repeated", warn(0.05), "the threshold 0.05 is at most the share of every class of task class, the smallest of which is 0.051, so none is repeated: it changes nothing that shuffle doesn't do")
	wantWarnings(t, "something repeated", warn(0.06))
	if order, err := (stages.Rebalance{Target: stages.RepeatFactor(0.05, 0)}).Sample(everySample(index.Len()), index, rebalanceKey); err != nil || fmt.Sprint(order.Len()) != "137" {
		t.Errorf("%v draws (%v)", order.Len(), err)
	}
}

// TestClassesInARow: where the samples of each class follow each other, the order has no list
// of them, and draws what it draws of the same samples by their positions.
func TestClassesInARow(t *testing.T) {
	mixed := longTail(4, 60, 9, 0, 31)
	var sorted stages.Selection // the samples of class 3, then 0, then those without, then 1
	for _, class := range []int32{3, 0, schema.Unknown, 1} {
		for s, label := range mixed.Labels[0] {
			if label == class {
				sorted = append(sorted, s)
			}
		}
	}
	index := &schema.Table{TaskList: mixed.TaskList, Labels: [][]int32{nil}}
	for i, s := range sorted {
		index.Keys = append(index.Keys, fmt.Sprint(i))
		index.Labels[0] = append(index.Labels[0], mixed.Labels[0][s])
	}
	for _, target := range []stages.Target{stages.ClassBalanced, stages.RepeatFactor(0.2, 0)} {
		r := stages.Rebalance{Target: target, Draws: 300}
		selected, err := r.Sample(sorted, mixed, rebalanceKey)
		if err != nil {
			t.Fatal(err)
		}
		all, err := r.SampleAll(index, rebalanceKey)
		if err != nil {
			t.Fatal(err)
		}
		swapped := append(stages.Selection(nil), sorted...)
		swapped[0], swapped[len(swapped)-1] = swapped[len(swapped)-1], swapped[0] // a list is needed
		listed, err := r.Sample(swapped, mixed, rebalanceKey)
		if err != nil {
			t.Fatal(err)
		}
		same, where := 0, map[int]int{}
		for i, s := range sorted {
			where[s] = i
		}
		for position := range int64(300) {
			s := selected.At(2, position)
			if all.At(2, position) != where[s] {
				t.Fatalf("position %d: sample %d, which is number %d, and %d of all", position, s, where[s], all.At(2, position))
			}
			if mixed.Labels[0][s] != mixed.Labels[0][listed.At(2, position)] {
				t.Fatalf("position %d is of another class from a list", position)
			}
			if listed.At(2, position) == s {
				same++
			}
		}
		if same < 150 { // of most classes the members are in the same order
			t.Errorf("%d of 300 draws are those from a list", same)
		}
	}
}
