package stages_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

var rebalanceKey = rng.NewKey(42, "rebalance", "0")

func TestRebalance(t *testing.T) {
	for _, r := range []stages.Rebalance{
		{Target: stages.Instance, Task: stages.TaskNames{"shape"}},
		{Target: stages.SquareRoot, Task: stages.TaskNames{"shape"}},
		{Target: stages.Power, Power: 0.2, Task: stages.TaskNames{"type"}, Draws: 33},
		{Target: stages.ClassBalanced, Task: stages.TaskNames{"shape", "type"}, Draws: 500},
		{Target: stages.RepeatFactor(0.3, 0), Task: stages.TaskNames{"shape"}},
		{Target: stages.EffectiveNumber(0.97), Task: stages.TaskNames{"shape"}, Multiple: 1.5},
		{Target: stages.SquareRoot, Task: stages.TaskNames{"type"}, Cover: stages.CoverLargest},
	} {
		t.Run(string(r.Target), func(t *testing.T) { stagetest.Sampler(t, r) })
	}
}

// longTail is an index of one task with that many samples of each class, of
// which the first have unknown labels.
func longTail(unknown int, counts ...int) *schema.Table {
	index := &schema.Table{TaskList: []schema.Task{{Name: "class"}}}
	labels := slices.Repeat([]int32{schema.Unknown}, unknown)
	for c, n := range counts {
		index.TaskList[0].Classes = append(index.TaskList[0].Classes, fmt.Sprint("c", c))
		labels = append(labels, slices.Repeat([]int32{int32(c)}, n)...)
	}
	random := rand.New(rand.NewPCG(1, 1))
	random.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
	for i := range labels {
		index.Keys = append(index.Keys, fmt.Sprint(i, ".jpg"))
	}
	index.Labels = [][]int32{labels}
	return index
}

// uses follows, over epochs, how often each sample was drawn.
type uses struct {
	order  stages.Order
	labels []int32
	total  []int64
	drawn  map[int32]int64 // per class, in the last epoch
}

func (u *uses) epoch(t *testing.T, epoch int) {
	t.Helper()
	u.drawn = map[int32]int64{}
	for _, s := range drawEpoch(u.order, epoch) {
		u.total[s]++
		u.drawn[u.labels[s]]++
	}
	low, high := map[int32]int64{}, map[int32]int64{}
	for s, label := range u.labels {
		if _, ok := low[label]; !ok {
			low[label] = math.MaxInt64
		}
		low[label], high[label] = min(low[label], u.total[s]), max(high[label], u.total[s])
	}
	for label := range low {
		if high[label]-low[label] > 1 {
			t.Fatalf("after epoch %d the samples of class %d were used %d to %d times", epoch, label, low[label], high[label])
		}
	}
}

func follow(t *testing.T, r stages.Rebalance, index *schema.Table) *uses {
	t.Helper()
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	order, err := r.Sample(everySample(index.Len()), index, rebalanceKey)
	if err != nil {
		t.Fatal(err)
	}
	return &uses{order: order, labels: index.Labels[0], total: make([]int64, index.Len())}
}

// TestRebalanceQuotas compares the classes drawn with longtail.Quotas, which is
// checked against exact fractions, for random counts.
func TestRebalanceQuotas(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 40 {
		counts := make([]int, 1+random.IntN(9))
		for c := range counts {
			counts[c] = int(math.Exp(random.Float64() * 5.5))
		}
		index := longTail(random.IntN(5), counts...)
		sizes := schema.Counts(index, 0) // the unknown ones last
		for _, r := range []stages.Rebalance{
			{Target: stages.Instance}, {Target: stages.SquareRoot}, {Target: stages.Power, Power: 0.8}, {Target: stages.ClassBalanced},
			{Target: stages.SquareRoot, Draws: 1}, {Target: stages.ClassBalanced, Draws: 7}, {Target: stages.Instance, Draws: 701},
		} {
			shares := map[stages.Target][]int64{
				stages.Instance: longtail.Instance(sizes), stages.SquareRoot: longtail.SquareRoot(sizes),
				stages.Power: longtail.Power(sizes, 0.8), stages.ClassBalanced: longtail.ClassBalanced(sizes),
			}[r.Target]
			u := follow(t, r, index)
			quotas := longtail.NewQuotas(shares, u.order.Len())
			for epoch := range 6 {
				u.epoch(t, epoch)
				for c := range sizes {
					label := int32(c)
					if c == len(counts) {
						label = schema.Unknown
					}
					if want := quotas.Epoch(epoch).Quota(c); u.drawn[label] != want {
						t.Fatalf("%+v of %v: epoch %d draws class %d %d times, want %d", r, sizes, epoch, label, u.drawn[label], want)
					}
				}
			}
		}
	}
}

// TestRebalanceStarvesNone: 1,000 classes with 500 draws an epoch over 50
// epochs starve no class, and use counts differ by at most one after each epoch.
func TestRebalanceStarvesNone(t *testing.T) {
	counts := make([]int, 1000)
	for c := range counts {
		counts[c] = max(1, int(100*math.Pow(0.01, float64(c)/999)))
	}
	index := longTail(0, counts...)
	for _, target := range []stages.Target{stages.ClassBalanced, stages.SquareRoot} {
		u := follow(t, stages.Rebalance{Target: target, Draws: 500}, index)
		perClass := map[int32]int64{}
		for epoch := range 50 {
			u.epoch(t, epoch)
			for c, n := range u.drawn {
				perClass[c] += n
			}
			if epoch == 1 && target == stages.ClassBalanced && len(perClass) != 1000 {
				t.Errorf("two epochs of 500 draw %d classes of 1,000", len(perClass))
			}
		}
		for c := range counts {
			if n := perClass[int32(c)]; n == 0 || target == stages.ClassBalanced && n != 25 {
				t.Errorf("%s: class %d was drawn %d times in 50 epochs", target, c, n)
			}
		}
	}
}

// TestRebalancePinned pins draws: changing them would change the bytes of every
// rebalanced dataset, and needs another Version.
func TestRebalancePinned(t *testing.T) {
	index := longTail(3, 900, 80, 7)
	for _, c := range []struct {
		r    stages.Rebalance
		want []int
	}{
		{stages.Rebalance{Target: stages.SquareRoot}, []int{59, 38, 94, 18, 531, 442, 508, 759}},
		{stages.Rebalance{Target: stages.Power, Power: 0.3}, []int{72, 917, 600, 978, 356, 561, 693, 426}},
		{stages.Rebalance{Target: stages.ClassBalanced, Draws: 50}, []int{329, 171, 308, 60, 248, 171, 115, 524}},
	} {
		if got := drawEpoch(follow(t, c.r, index).order, 9)[:8]; !slices.Equal(got, c.want) {
			t.Errorf("%+v: epoch 9 begins %v, want %v", c.r, got, c.want)
		}
	}
}

// TestRebalanceMixes: classes are spread over the epoch, not drawn in blocks.
func TestRebalanceMixes(t *testing.T) {
	index := longTail(0, 5000, 500, 50)
	u := follow(t, stages.Rebalance{Target: stages.ClassBalanced, Draws: 9000}, index)
	var firstHalf [3]int
	repeats := 0
	for epoch := range 2 {
		before := -1
		for i, s := range drawEpoch(u.order, epoch) {
			if i < 4500 {
				firstHalf[u.labels[s]]++
			}
			if u.labels[s] == int32(before) {
				repeats++
			}
			before = int(u.labels[s])
		}
	}
	for c, n := range firstHalf { // 3000 are expected, with a standard deviation of about 32
		if n < 2800 || n > 3200 {
			t.Errorf("class %d has %d of its 6000 draws in the first halves", c, n)
		}
	}
	if repeats < 5700 || repeats > 6300 { // a third of 18,000
		t.Errorf("%d draws of the class of the draw before", repeats)
	}
}

func TestRebalanceJointLabel(t *testing.T) {
	index := stagetest.Samples(90, 25, 6)
	in := everySample(index.Len())
	pairs := map[[2]int32]int{}
	for s := range in {
		pairs[[2]int32{index.Labels[0][s], index.Labels[1][s]}]++
	}
	r := stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"shape", "type"}, Draws: int64(20 * len(pairs))}
	order, err := r.Sample(in, index, rebalanceKey)
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[[2]int32]int{}
	for _, s := range drawEpoch(order, 3) {
		drawn[[2]int32{index.Labels[0][s], index.Labels[1][s]}]++
	}
	for pair := range pairs {
		if drawn[pair] != 20 {
			t.Errorf("labels %v are drawn %d times, want 20", pair, drawn[pair])
		}
	}
	if len(pairs) != 12 { // three shapes and unknown, by three types
		t.Errorf("%d label pairs", len(pairs))
	}
}

// TestRebalanceManyTuples: 1,200 x 1,200 possible label pairs, of which few occur, are
// numbered in the same order as by sorting them.
func TestRebalanceManyTuples(t *testing.T) {
	const classes, samples = 1200, 5000
	random := rand.New(rand.NewPCG(3, 4))
	joint := &schema.Table{TaskList: []schema.Task{{Name: "a", Classes: make([]string, classes)}, {Name: "b", Classes: make([]string, classes)}}, Labels: make([][]int32, 2)}
	var pairs [][2]int
	for i := range samples {
		a, b := int32(random.IntN(40)*30)-1, int32(random.IntN(3)*599)-1
		joint.Keys = append(joint.Keys, fmt.Sprint(i))
		joint.Labels[0], joint.Labels[1] = append(joint.Labels[0], a), append(joint.Labels[1], b)
		pairs = append(pairs, [2]int{(int(a) + classes + 1) % (classes + 1), (int(b) + classes + 1) % (classes + 1)}) // unknown ones last
	}
	sorted := slices.Clone(pairs)
	slices.SortFunc(sorted, func(a, b [2]int) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
	sorted = slices.Compact(sorted)
	single := &schema.Table{TaskList: []schema.Task{{Name: "pair", Classes: make([]string, len(sorted))}}, Keys: joint.Keys, Labels: make([][]int32, 1)}
	for _, pair := range pairs {
		single.Labels[0] = append(single.Labels[0], int32(slices.Index(sorted, pair)))
	}
	var draws [2][]int
	for i, index := range []*schema.Table{joint, single} {
		r := stages.Rebalance{Target: stages.SquareRoot, Draws: 3000}
		for _, task := range index.TaskList {
			r.Task = append(r.Task, task.Name)
		}
		order, err := r.Sample(everySample(samples), index, rebalanceKey)
		if err != nil {
			t.Fatal(err)
		}
		draws[i] = drawEpoch(order, 2)
	}
	if !slices.Equal(draws[0], draws[1]) {
		t.Error("the pairs of labels are drawn unlike classes in their order")
	}
}

// TestRebalanceSampleAll compares SampleAll with Sample of a list of all samples.
func TestRebalanceSampleAll(t *testing.T) {
	for _, index := range []*schema.Table{longTail(2, 300, 40, 0, 5), longTail(0, 6, 6), longTail(0)} {
		for _, r := range []stages.Rebalance{{Target: stages.ClassBalanced}, {Target: stages.Power, Power: 0.2, Draws: 77}, {Target: stages.Instance, Task: stages.TaskNames{"x"}}} {
			all := everySample(index.Len())
			want, wantErr := r.Sample(all, index, rebalanceKey)
			got, err := r.SampleAll(index, rebalanceKey)
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("%+v: %v, want %v", r, err, wantErr)
			}
			if err == nil && !slices.Equal(drawEpoch(got, 4), drawEpoch(want, 4)) {
				t.Errorf("%+v: SampleAll draws other samples", r)
			}
		}
	}
}

func TestRebalanceCheck(t *testing.T) {
	targets := "instance, square_root, power, class_balanced"
	for what, c := range map[string]struct {
		r    stages.Rebalance
		want string
	}{
		"zero":          {stages.Rebalance{}, "target: missing: give one of " + targets + ", {repeat_factor: {threshold: share}}, {effective_number: {beta: number}}, {shares: {class: number}}, {counts: {class: number}}"},
		"threshold":     {stages.Rebalance{Target: "repeat_factor"}, "target: repeat_factor needs a threshold, a share of the samples: {repeat_factor: {threshold: 0.001}}"},
		"no power":      {stages.Rebalance{Target: stages.Power}, "power: missing: give a number between 0 and 1"},
		"power alone":   {stages.Rebalance{Target: stages.SquareRoot, Power: 0.3}, "power: only target power needs it"},
		"power 2":       {stages.Rebalance{Target: stages.Power, Power: 2}, "power: 2 is not between 0 (as class_balanced) and 1 (as instance)"},
		"power NaN":     {stages.Rebalance{Target: stages.Power, Power: math.NaN()}, "power: NaN is not between 0 (as class_balanced) and 1 (as instance)"},
		"several":       {stages.Rebalance{Target: "x", Draws: -1}, `target: "x" is none of ` + targets + "\ndraws: -1 is not in 1..2^40"},
		"twice":         {stages.Rebalance{Target: stages.Instance, Task: stages.TaskNames{"a", "b", "a"}}, `task: "a" is named twice`},
		"power 1 is OK": {stages.Rebalance{Target: stages.Power, Power: 1}, ""},
	} {
		wantError(t, what, c.r.Check(), c.want)
	}
	index := stagetest.Samples(9, 9, 9)
	for what, c := range map[string]struct {
		task stages.TaskNames
		want string
	}{
		"which task":    {nil, "task: missing: the samples have several, give one of shape, type"},
		"unknown tasks": {stages.TaskNames{"shap", "zzz"}, "task: unknown task \"shap\": did you mean \"shape\"? (tasks: shape, type)\ntask: unknown task \"zzz\" (tasks: shape, type)"},
	} {
		_, err := stages.Rebalance{Target: stages.Instance, Task: c.task}.Sample(everySample(27), index, rebalanceKey)
		wantError(t, what, err, c.want)
	}
}

func TestRebalanceWarns(t *testing.T) {
	warn := func(r stages.Rebalance, index *schema.Table) []string {
		return r.Warn(everySample(index.Len()), index)
	}
	tail, even := longTail(0, 20, 0, 5), longTail(5, 5, 5)
	empty := "classes of task class without samples, which get no draws: c1"
	wantWarnings(t, "tail", warn(stages.Rebalance{Target: stages.SquareRoot}, tail), empty)
	wantWarnings(t, "instance", warn(stages.Rebalance{Target: stages.Instance}, tail), empty)
	wantWarnings(t, "as instance", warn(stages.Rebalance{Target: stages.Power, Power: 1}, tail), empty,
		"target power with power 1 draws the classes in the proportions that they have: it changes nothing that shuffle doesn't do")
	wantWarnings(t, "instance, fewer draws", warn(stages.Rebalance{Target: stages.Instance, Draws: 3}, tail), empty)
	wantWarnings(t, "even", warn(stages.Rebalance{Target: stages.SquareRoot}, even),
		"5 samples have no label of task class: they count as a class of their own, with its share of the draws; leave them out with filter if that isn't intended",
		"the classes of task class are balanced already: it changes nothing that shuffle doesn't do")
	wantWarnings(t, "one class", warn(stages.Rebalance{Target: stages.ClassBalanced}, longTail(0, 7)),
		"all samples are of one class of task class: it changes nothing that shuffle doesn't do")
}

func TestTaskNames(t *testing.T) {
	for _, c := range []struct {
		value any
		want  stages.TaskNames
		err   string
	}{
		{"shape", stages.TaskNames{"shape"}, ""},
		{[]any{"shape", "type"}, stages.TaskNames{"shape", "type"}, ""},
		{[]any{}, nil, "the list is empty: give a task's name, or leave it out"},
		{int64(3), nil, "want a task's name or a list of them, have 3"},
		{[]any{"a", ""}, nil, `want a task's name or a list of them, have [a, ""]`},
	} {
		var n stages.TaskNames
		wantError(t, fmt.Sprint(c.value), n.SetOption(c.value), c.err)
		if !slices.Equal(n, c.want) {
			t.Errorf("%v is read as %v", c.value, n)
		}
	}
}

var drawn int

// BenchmarkDraw is the cost of one draw: two permutations and a binary search.
func BenchmarkDraw(b *testing.B) {
	for _, c := range []struct {
		classes, samples int
		draws            int64
	}{{10, 12_406, 0}, {1000, 1_000_000, 0}, {1000, 1_000_000, 1e9}} {
		counts := make([]int, c.classes)
		for i := range counts {
			counts[i] = max(1, int(float64(c.samples)*5/float64(c.classes)*math.Pow(0.01, float64(i)/float64(c.classes-1))))
		}
		index := longTail(0, counts...)
		r := stages.Rebalance{Target: stages.SquareRoot, Draws: c.draws}
		order, err := r.Sample(everySample(index.Len()), index, rebalanceKey)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("classes=%d/samples=%d/N=%d", c.classes, index.Len(), order.Len()), func(b *testing.B) {
			b.ReportAllocs()
			n := order.Len()
			for position := int64(0); b.Loop(); position++ {
				drawn += order.At(1, position*7919%n)
			}
		})
	}
}

// BenchmarkSample is the time until the first draw can be computed.
func BenchmarkSample(b *testing.B) {
	counts := make([]int, 1000)
	for i := range counts {
		counts[i] = 1 + int(5000*math.Pow(0.01, float64(i)/999))
	}
	index := longTail(0, counts...)
	in := everySample(index.Len())
	b.Run(fmt.Sprintf("samples=%d", len(in)), func(b *testing.B) {
		for b.Loop() {
			if _, err := (stages.Rebalance{Target: stages.SquareRoot}).Sample(in, index, rebalanceKey); err != nil {
				b.Fatal(err)
			}
		}
	})
}
