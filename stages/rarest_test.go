package stages_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// severalClasses is an index of samples with several classes each, as objects or as a task
// tags of several labels; a few have none.
func severalClasses(random *rand.Rand, samples, classes int, objects bool) (*schema.Table, [][]int32) {
	x, of := &schema.Table{}, make([][]int32, samples)
	spec := &schema.TargetSpec{}
	var names []string
	for c := range classes {
		names = append(names, fmt.Sprint("c", c))
	}
	for i := range of {
		x.Keys = append(x.Keys, fmt.Sprint(i))
		of[i] = []int32{}
		for c := range classes {
			for random.Float64() < 0.7*math.Pow(0.5, float64(c)) && len(of[i]) < 20 {
				of[i] = append(of[i], int32(c)) // some twice
			}
		}
	}
	if objects {
		spec.Boxes, spec.Classes = true, names
		x.Targets = &schema.TargetTable{Spec: spec, First: []int64{0}}
		for _, list := range of {
			x.Targets.Labels = append(x.Targets.Labels, list...)
			x.Targets.First = append(x.Targets.First, int64(len(x.Targets.Labels)))
		}
		return x, of
	}
	spec.Multi = []schema.Task{{Name: "tags", Classes: names}}
	x.Targets = &schema.TargetTable{Spec: spec}
	x.ColumnList, x.Values = []schema.Column{{Name: "label.tags", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)}}, make([][]any, 1)
	for i, list := range of {
		value := any(list)
		if len(list) == 0 && i%2 == 0 {
			value = nil
		}
		x.Values[0] = append(x.Values[0], value)
	}
	return x, of
}

// rarestOf is each sample's rarest class, and how many samples have each class, by a
// definition that is slow and plain.
func rarestOf(of [][]int32, classes int) (rarest []int32, having []int) {
	having = make([]int, classes)
	for c := range having {
		for _, list := range of {
			if slices.Contains(list, int32(c)) {
				having[c]++
			}
		}
	}
	for _, list := range of {
		best := schema.Unknown
		for c := range int32(classes) {
			if slices.Contains(list, c) && (best == schema.Unknown || having[c] < having[best]) {
				best = c
			}
		}
		rarest = append(rarest, best)
	}
	return rarest, having
}

// TestRarestClasses: samples of several classes are drawn as LVIS's sampler draws them, the
// largest factor of their classes times, and after every epoch the draws of those with the
// same rarest class are less than one off, and each of them has been drawn equally often, or
// once more.
func TestRarestClasses(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 55))
	for trial := range 24 {
		const classes = 6
		x, of := severalClasses(random, 40+random.IntN(300), classes, trial%2 == 0)
		rarest, having := rarestOf(of, classes)
		threshold := random.Float64()
		n := func(c int32) float64 { return float64(having[c]) }
		for what, c := range map[string]struct {
			r    stages.Rebalance
			each func(c int32) float64
		}{
			"repeat factor":    {stages.Rebalance{Target: stages.RepeatFactor(threshold, 0)}, func(c int32) float64 { return max(1, math.Sqrt(threshold*float64(len(of))/n(c))) }},
			"effective number": {stages.Rebalance{Target: stages.EffectiveNumber(0.99), Multiple: 0.3}, func(c int32) float64 { return 0.01 / (1 - math.Pow(0.99, n(c))) }},
			"square root":      {stages.Rebalance{Target: stages.SquareRoot}, func(c int32) float64 { return 1 / math.Sqrt(n(c)) }},
			"power":            {stages.Rebalance{Target: stages.Power, Power: 0.3, Draws: 99}, func(c int32) float64 { return math.Pow(n(c), -0.7) }},
			"class balanced":   {stages.Rebalance{Target: stages.ClassBalanced}, func(c int32) float64 { return 1 / n(c) }},
			"instance":         {stages.Rebalance{Target: stages.Instance}, func(int32) float64 { return 1 }},
		} {
			none := 0
			for _, c := range rarest {
				if c == schema.Unknown {
					none++
				}
			}
			each, sum := make([]float64, len(of)), 0.0
			for i, list := range of {
				switch {
				case len(list) > 0: // the largest factor of its classes
					for _, class := range list {
						each[i] = max(each[i], c.each(class))
					}
				case what == "repeat factor":
					each[i] = 1
				default: // samples without a class are a class
					having[0], none = none, having[0]
					each[i] = c.each(0)
					having[0], none = none, having[0]
				}
				sum += each[i]
			}
			u := follow(t, c.r, &schema.Table{Keys: x.Keys, Labels: [][]int32{rarest}, Targets: x.Targets, ColumnList: x.ColumnList, Values: x.Values})
			if want := int64(math.Floor(sum + 0.5)); what == "repeat factor" && u.order.Len() != want {
				t.Fatalf("%d draws, want %d", u.order.Len(), want)
			}
			due, total := map[int32]float64{}, map[int32]int64{}
			for i, class := range rarest {
				due[class] += each[i] / sum * float64(u.order.Len())
			}
			most := 1.0
			if what != "repeat factor" && what != "effective number" {
				most = 2
			}
			for epoch := range 7 {
				u.epoch(t, epoch)
				for class, d := range due {
					total[class] += u.drawn[class]
					if off := float64(total[class]) - d*float64(epoch+1); math.Abs(off) >= most+1e-6 {
						t.Fatalf("%s: after epoch %d those of which %d is the rarest are off by %v", what, epoch, class, off)
					}
				}
			}
			groups, err := c.r.Divide(everySample(len(of)), x)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range each {
				if got := groups.Draws(0)[groups.Of(i)]; math.Abs(got-want/sum*float64(u.order.Len())) > 1e-9*(1+got) {
					t.Fatalf("%s: sample %d is drawn %v times an epoch, want %v", what, i, got, want/sum*float64(u.order.Len()))
				}
			}
		}
	}
}

func TestRarestClassesOfASelection(t *testing.T) {
	x, of := severalClasses(rand.New(rand.NewPCG(5, 56)), 90, 4, true)
	var in stages.Selection
	var left [][]int32
	for i, list := range of {
		if !slices.Contains(list, 0) { // the commonest class becomes the rarest: it has no sample
			in, left = append(in, i), append(left, list)
		}
	}
	rarest, having := rarestOf(left, 4)
	order, err := stages.Rebalance{Target: stages.RepeatFactor(0.9, 1), Task: stages.TaskNames{"boxes"}}.Sample(in, x, rebalanceKey)
	if err != nil || having[0] != 0 {
		t.Fatal(err, having)
	}
	sum := 0.0
	for _, c := range rarest {
		factor := 1.0
		if c != schema.Unknown {
			factor = max(1, 0.9*float64(len(in))/float64(having[c]))
		}
		sum += factor
	}
	if order.Len() != int64(math.Floor(sum+0.5)) {
		t.Errorf("%d draws, want %v", order.Len(), sum)
	}
}

func TestRarestClassErrors(t *testing.T) {
	x, _ := severalClasses(rand.New(rand.NewPCG(5, 57)), 50, 4, true)
	both := *x
	both.TaskList, both.Labels = []schema.Task{{Name: "scene", Classes: []string{"a"}}}, [][]int32{make([]int32, 50)}
	for what, c := range map[string]struct {
		index *schema.Table
		task  stages.TaskNames
		want  string
	}{
		"unnamed":  {x, nil, ""},
		"by name":  {&both, stages.TaskNames{"boxes"}, ""},
		"the task": {&both, nil, ""}, // the only one, as before there were others
		"joint":    {&both, stages.TaskNames{"scene", "boxes"}, "task: samples have several classes of boxes, so there are no combinations with other tasks: give it alone"},
		"objects":  {&both, stages.TaskNames{"objects"}, `task: unknown task "objects": did you mean "boxes"? (tasks: scene, boxes)`},
		"unknown":  {&both, stages.TaskNames{"box"}, `task: unknown task "box": did you mean "boxes"? (tasks: scene, boxes)`},
	} {
		_, err := stages.Rebalance{Target: stages.SquareRoot, Task: c.task}.Sample(everySample(50), c.index, rebalanceKey)
		wantError(t, what, err, c.want)
	}
	// Of two classes in the same samples, the first is the rarest of all of them.
	same := &schema.Table{Keys: []string{"a", "b"}, Targets: &schema.TargetTable{
		Spec:  &schema.TargetSpec{Boxes: true, Classes: []string{"c0", "c1", "c2"}},
		First: []int64{0, 3, 5}, Labels: []int32{0, 1, 1, 1, 0},
	}}
	_, err := stages.Rebalance{Target: stages.Shares(map[string]float64{"c0": 1, "c1": 2, "c2": 3})}.Sample(everySample(2), same, rebalanceKey)
	wantError(t, "shares", err, `target: shares: no sample counts as one of class "c1" of task boxes: those that have it (2) have another, too, that is rarer or as rare: give it 0, or leave it out
target: shares: class "c2" of task boxes has no samples to draw: give it 0, or leave it out`)
	for _, shares := range []map[string]float64{{"c0": 1}, {"c0": 1, "c1": 0, "c2": 0}} {
		_, err = stages.Rebalance{Target: stages.Shares(shares)}.Sample(everySample(2), same, rebalanceKey)
		wantError(t, fmt.Sprint(shares), err, "")
	}
	empty, _ := severalClasses(rand.New(rand.NewPCG(5, 58)), 50, 4, true)
	empty.Targets.First = slices.Repeat([]int64{0}, 51)
	wantWarnings(t, "no objects", stages.Rebalance{Target: stages.SquareRoot}.Warn(everySample(50), empty),
		"classes of task boxes without samples, which get no draws: c0, c1, c2, c3",
		"50 samples have no class of boxes: they count as a class of their own, with its share of the draws; leave them out if that isn't intended",
		"all samples are of one class of task boxes: it changes nothing that shuffle doesn't do")
}
