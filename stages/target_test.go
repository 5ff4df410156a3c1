package stages_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestExplicitTargets(t *testing.T) {
	for name, r := range map[string]stages.Rebalance{
		"shares":   {Target: stages.Shares(map[string]float64{"a": 2, "b": 0.5, "c": 1}), Task: stages.TaskNames{"type"}},
		"counts":   {Target: stages.Counts(map[string]int64{"a": 7, "b": 1, "c": 3, "z": 0}), Task: stages.TaskNames{"type"}},
		"per task": {Target: stages.PerTask(stages.ClassBalanced, stages.SquareRoot), Task: stages.TaskNames{"shape", "type"}, Draws: 500},
	} {
		t.Run(name, func(t *testing.T) { stagetest.Sampler(t, r) })
	}
}

// twoSources is an index with the task source (ours, web) and a class task, with n[s][c]
// samples of each, in a shuffled order.
func twoSources(n ...[]int) *schema.Table {
	x := &schema.Table{TaskList: []schema.Task{{Name: "class"}, {Name: "source", Classes: []string{"ours", "web", "third"}[:len(n)]}}, Labels: make([][]int32, 2)}
	var pairs [][2]int32
	for s, counts := range n {
		for c, many := range counts {
			for len(x.TaskList[0].Classes) <= c {
				x.TaskList[0].Classes = append(x.TaskList[0].Classes, fmt.Sprint("c", len(x.TaskList[0].Classes)))
			}
			pairs = append(pairs, slices.Repeat([][2]int32{{int32(c), int32(s)}}, many)...)
		}
	}
	random := rand.New(rand.NewPCG(2, 3))
	random.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	for i, p := range pairs {
		x.Keys = append(x.Keys, fmt.Sprint(i))
		x.Labels[0], x.Labels[1] = append(x.Labels[0], p[0]), append(x.Labels[1], p[1])
	}
	return x
}

// drawnPairs counts what an epoch draws, by class and source.
func drawnPairs(t *testing.T, r stages.Rebalance, x *schema.Table, epoch int) map[[2]int32]int {
	t.Helper()
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	order, err := r.Sample(everySample(x.Len()), x, rebalanceKey)
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[[2]int32]int{}
	for _, s := range drawEpoch(order, epoch) {
		drawn[[2]int32{x.Labels[0][s], x.Labels[1][s]}]++
	}
	return drawn
}

func bySource(drawn map[[2]int32]int, source int32) (n int) {
	for pair, many := range drawn {
		if pair[1] == source {
			n += many
		}
	}
	return n
}

// TestSharesAreExact: the draws of each class are N s_c/S, exactly where that is whole,
// and always within one over the first epoch.
func TestSharesAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for range 60 {
		counts, shares, sum := make([]int, 1+random.IntN(7)), map[string]float64{}, 0.0
		for c := range counts {
			counts[c] = 1 + random.IntN(30)
			share := float64(random.IntN(40)) / 10
			if c == 0 {
				share = 1.3
			}
			shares[fmt.Sprint("c", c)] = share
			sum += share
		}
		draws := 1 + random.Int64N(400)
		u := follow(t, stages.Rebalance{Target: stages.Shares(shares), Draws: draws}, longTail(random.IntN(3), counts...))
		total := map[int32]int64{}
		for epoch := range 5 {
			u.epoch(t, epoch)
			for c, n := range u.drawn {
				total[c] += n
			}
			for c := range counts {
				due := float64(epoch+1) * float64(draws) * shares[fmt.Sprint("c", c)] / sum
				if diff := math.Abs(float64(total[int32(c)]) - due); diff >= 2 || epoch == 0 && diff > 1-1e-9 {
					t.Fatalf("shares %v, N = %d: after epoch %d class %d has %d draws, due are %.3f", shares, draws, epoch, c, total[int32(c)], due)
				}
			}
			if total[schema.Unknown] != 0 {
				t.Fatal("a sample without a label was drawn")
			}
		}
	}
}

func TestCounts(t *testing.T) {
	r := stages.Rebalance{Target: stages.Counts(map[string]int64{"c0": 100, "c1": 0, "c2": 50})}
	for range 2 { // without draws, and with the same number
		u := follow(t, r, longTail(4, 7, 900, 60))
		if u.order.Len() != 150 {
			t.Errorf("an epoch has %d draws", u.order.Len())
		}
		for epoch := range 3 {
			u.epoch(t, epoch)
			if u.drawn[0] != 100 || u.drawn[1] != 0 || u.drawn[2] != 50 || len(u.drawn) != 2 {
				t.Errorf("epoch %d draws %v", epoch, u.drawn)
			}
		}
		r.Draws = 150
	}
}

// TestMixesSources: two sources are mixed 2 to 1, and the classes of each balanced.
func TestMixesSources(t *testing.T) {
	x := twoSources([]int{60, 6}, []int{30, 100, 5})
	mix := stages.Shares(map[string]float64{"web": 2, "ours": 1})
	r := stages.Rebalance{Target: mix, Task: stages.TaskNames{"source"}, Draws: 600}
	for epoch := range 3 {
		if drawn := drawnPairs(t, r, x, epoch); bySource(drawn, 0) != 200 || bySource(drawn, 1) != 400 {
			t.Errorf("alone, epoch %d draws %v", epoch, drawn)
		}
	}
	r.Task = stages.TaskNames{"source", "class"} // classes keep their proportions
	if drawn := drawnPairs(t, r, x, 1); bySource(drawn, 0) != 200 || drawn[[2]int32{1, 1}] < 296 || drawn[[2]int32{1, 1}] > 297 {
		t.Errorf("with the classes as they are: %v", drawn)
	}
	r.Target = stages.PerTask(mix, stages.ClassBalanced)
	drawn := drawnPairs(t, r, x, 2)
	for pair, n := range drawn {
		if pair[1] == 0 && n != 100 || pair[1] == 1 && (n < 133 || n > 134) {
			t.Errorf("balanced within: %v drawn %d times", pair, n)
		}
	}
	if len(drawn) != 5 || bySource(drawn, 1) != 400 {
		t.Errorf("balanced within: %v", drawn)
	}
	r.Target, r.Draws = stages.PerTask(stages.Counts(map[string]int64{"web": 40, "ours": 80}), stages.Shares(map[string]float64{"c0": 3, "c1": 1, "c2": 0})), 0
	want := map[[2]int32]int{{0, 0}: 60, {1, 0}: 20, {0, 1}: 30, {1, 1}: 10}
	if drawn := drawnPairs(t, r, x, 5); fmt.Sprint(drawn) != fmt.Sprint(want) {
		t.Errorf("shares within counts: %v, want %v", drawn, want)
	}
}

func TestTargetErrors(t *testing.T) {
	shares := func(text string) stages.Rebalance { return stages.Rebalance{Target: stages.Target(text)} }
	for what, c := range map[string]struct {
		r    stages.Rebalance
		want string
	}{
		"NaN":          {stages.Rebalance{Target: stages.Shares(map[string]float64{"a": math.NaN(), "b": math.Inf(1)})}, "target: shares: class \"a\": want a number of at least 0, have the text \"NaN\"\ntarget: shares: class \"b\": want a number of at least 0, have the text \"+Inf\""},
		"negative":     {stages.Rebalance{Target: stages.Shares(map[string]float64{"a": -1, "b": 2})}, `target: shares: class "a": -1 is negative: want at least 0, which leaves the class out`},
		"zeros":        {stages.Rebalance{Target: stages.Shares(map[string]float64{"a": 0})}, "target: shares: all are 0: no class would be drawn"},
		"empty":        {stages.Rebalance{Target: stages.Shares(nil)}, "target: shares: want a map of numbers by class, such as {cat: 2, dog: 1}"},
		"halves":       {shares(`{"counts":{"a":1.5}}`), `target: counts: class "a": 1.5 is not a whole number of draws: give shares if proportions are meant`},
		"huge counts":  {stages.Rebalance{Target: stages.Counts(map[string]int64{"a": 1 << 40, "b": 1})}, "target: counts: their sum 1099511627777 is more than 2^40 draws"},
		"huge number":  {shares(`{"shares":{"a":1e999}}`), `target: shares: class "a": 1e999 is too large`},
		"draws":        {stages.Rebalance{Target: stages.Counts(map[string]int64{"a": 100, "b": 50}), Draws: 140}, "draws: 140 differs from the sum of the counts, 150: leave it out, or give shares"},
		"key":          {shares(`{"share":{"a":1}}`), `target: unknown key "share": did you mean "shares"? (keys: repeat_factor, effective_number, shares, counts)`},
		"both":         {shares(`{"counts":{"a":1},"shares":{"a":1}}`), "target: give one of repeat_factor, effective_number, shares, counts"},
		"no JSON":      {shares(`{a`), `target: "{a" is not JSON: make it with RepeatFactor, EffectiveNumber, Shares, Counts or PerTask`},
		"too few":      {stages.Rebalance{Target: stages.PerTask(stages.Instance, stages.ClassBalanced), Task: stages.TaskNames{"a"}}, "target: 2 targets in a list for 1 task: give one for each, in the same order"},
		"inner counts": {stages.Rebalance{Target: stages.PerTask(stages.Instance, stages.Counts(map[string]int64{"a": 1})), Task: stages.TaskNames{"a", "b"}}, "target: item 2: counts are draws per epoch, which only the first task's target can give: give shares"},
		"inner rule":   {stages.Rebalance{Target: stages.PerTask(stages.Instance, "sqrt"), Task: stages.TaskNames{"a", "b"}}, `target: item 2: "sqrt" is none of instance, square_root, power, class_balanced`},
		"no power":     {stages.Rebalance{Target: stages.PerTask(stages.Instance, stages.Power), Task: stages.TaskNames{"a", "b"}}, "power: missing: give a number between 0 and 1"},
		"power":        {stages.Rebalance{Target: stages.Counts(map[string]int64{"a": 1}), Power: 0.5}, "power: only target power needs it"},
	} {
		wantError(t, what, c.r.Check(), c.want)
	}
	x := twoSources([]int{5, 0, 2}, []int{0, 3, 4})
	for what, c := range map[string]struct {
		r    stages.Rebalance
		want string
	}{
		"unknown and missing": {stages.Rebalance{Target: stages.Shares(map[string]float64{"webb": 1, "ours": 1}), Task: stages.TaskNames{"source"}},
			"target: shares: unknown class \"webb\" of task source: did you mean \"web\"? (classes: ours, web)\n" +
				"target: shares: none for web of task source: give every class that has samples a number; 0 leaves it out of the draws"},
		"nothing within": {stages.Rebalance{Target: stages.PerTask(stages.Instance, stages.Shares(map[string]float64{"c0": 1, "c1": 0, "c2": 0})), Task: stages.TaskNames{"source", "class"}},
			`target: shares: no sample of task class within class "web" of task source has a class with a share above 0`},
		"too small": {stages.Rebalance{Target: stages.Shares(map[string]float64{"web": 1e-30, "ours": 1e30}), Task: stages.TaskNames{"source"}},
			`target: shares: that of class "web" is too small beside the others: it would never be drawn`},
	} {
		_, err := c.r.Sample(everySample(x.Len()), x, rebalanceKey)
		wantError(t, what, err, c.want)
	}
	_, err := stages.Rebalance{Target: stages.Shares(map[string]float64{"c0": 1, "c1": 1, "c2": 0})}.Sample(everySample(3), longTail(0, 3, 0, 0), rebalanceKey)
	wantError(t, "without samples", err, `target: shares: class "c1" of task class has no samples to draw: give it 0, or leave it out`)
}

func TestTargetWarns(t *testing.T) {
	x := longTail(2, 8, 4, 5)
	r := stages.Rebalance{Target: stages.Shares(map[string]float64{"c0": 2, "c1": 1, "c2": 0})}
	wantWarnings(t, "left out", r.Warn(everySample(x.Len()), x), "shares of 0 leave classes of task class out: c2 (5 samples)",
		"2 samples without a label of task class: explicit shares name classes, so they get no draws")
	r.Target = stages.Shares(map[string]float64{"c0": 0.2, "c1": 0.1})
	wantWarnings(t, "as they are", r.Warn(everySample(12), longTail(0, 8, 4)), "the target draws the classes of task class in the proportions that they have: it changes nothing that shuffle doesn't do")
	within := stages.Rebalance{Target: stages.PerTask(stages.Instance, stages.Shares(map[string]float64{"c0": 1, "c1": 1})), Task: stages.TaskNames{"source", "class"}}
	wantWarnings(t, "within", within.Warn(everySample(9), twoSources([]int{3, 2}, []int{4})),
		"classes of task class without samples within one of task source, whose other classes get their shares of the draws: c1 in web")
}

// TestTargetFileForm: what a file gives is what Go declares, and is written again as it was.
func TestTargetFileForm(t *testing.T) {
	for _, c := range []struct {
		given any
		want  stages.Target
		text  string
		err   string
	}{
		{"square_root", stages.SquareRoot, `"square_root"`, ""},
		{map[string]any{"shares": map[string]any{"web": int64(2), "a<b": 0.5}}, stages.Shares(map[string]float64{"web": 2, "a<b": 0.5}), `{"shares":{"a<b":0.5,"web":2}}`, ""},
		{map[string]any{"counts": map[string]any{"cat": int64(100), "7": 50.0}}, stages.Counts(map[string]int64{"cat": 100, "7": 50}), `{"counts":{"7":50,"cat":100}}`, ""},
		{[]any{map[string]any{"shares": map[string]any{"web": int64(2)}}, "power"}, stages.PerTask(stages.Shares(map[string]float64{"web": 2}), stages.Power), `[{"shares":{"web":2}},"power"]`, ""},
		{"squareroot", "", "", `target: unknown value "squareroot": did you mean "square_root"? (values: instance, square_root, power, class_balanced, {repeat_factor: {threshold: share}}, {effective_number: {beta: number}}, {shares: {class: number}}, {counts: {class: number}}, or a list with one for each task)`},
		{int64(3), "", "", "target: want one of instance, square_root, power, class_balanced, {repeat_factor: {threshold: share}}, {effective_number: {beta: number}}, {shares: {class: number}}, {counts: {class: number}}, have 3"},
		{map[string]any{"repeat_factor": map[string]any{"threshold": 0.001}}, stages.RepeatFactor(0.001, 0), `{"repeat_factor":{"power":0.5,"threshold":0.001}}`, ""},
		{map[string]any{"repeat_factor": map[string]any{"threshold": int64(1), "power": 0.3}}, stages.RepeatFactor(1, 0.3), `{"repeat_factor":{"power":0.3,"threshold":1}}`, ""},
		{map[string]any{"effective_number": map[string]any{}}, stages.EffectiveNumber(0), `{"effective_number":{"beta":0.9999}}`, ""},
		{[]any{"instance", map[string]any{"effective_number": map[string]any{}}}, stages.PerTask(stages.Instance, stages.EffectiveNumber(0)), `["instance",{"effective_number":{"beta":0.9999}}]`, ""},
		{"effective_number", "", "", "target: effective_number is written with its number: {effective_number: {beta: 0.9999}}"},
		{map[string]any{"repeat_factor": map[string]any{"thresh": 0.1, "power": 2.5}}, "", "", "target: repeat_factor: power: 2.5 is not above 0 and at most 1\ntarget: repeat_factor: unknown key \"thresh\": did you mean \"threshold\"? (keys: threshold, power)"},
		{map[string]any{"repeat_factor": map[string]any{"power": 1.0}}, "", "", "target: repeat_factor: threshold is missing"},
		{map[string]any{"repeat_factor": 0.1}, "", "", "target: repeat_factor: want {threshold: number}, have 0.1"},
		{map[string]any{"effective_number": map[string]any{"beta": "x"}}, "", "", `target: effective_number: beta: want a number, have the text "x"`},
		{map[string]any{"effective_number": map[string]any{"beta": int64(1)}}, "", "", "target: effective_number: beta: 1 is not above 0 and below 1: for 0 take instance, for 1 class_balanced"},
		{[]any{"instance"}, "", "", "target: a list has one target for each of several tasks: give one without the list"},
		{map[string]any{"shares": map[string]any{"a": "b"}}, "", "", `target: shares: class "a": want a number of at least 0, have the text "b"`},
	} {
		var r stages.Rebalance
		wantError(t, fmt.Sprint(c.given), options.Set(&r, "target", c.given), c.err)
		if r.Target != c.want {
			t.Errorf("%v is read as %s, want %s", c.given, r.Target, c.want)
		}
		if c.err != "" {
			continue
		}
		var again stages.Target
		if text, err := json.Marshal(c.given); err != nil || again.UnmarshalJSON(text) != nil || again != c.want {
			t.Errorf("%s is read from JSON as %s, want %s (%v)", text, again, c.want, err)
		}
		canonical, err := options.Canonical(r)
		if err != nil || !strings.Contains(string(canonical), `"target":`+c.text+`,`) || !json.Valid(canonical) {
			t.Errorf("%v is written as %s (%v), want %s", c.given, canonical, err, c.text)
		}
	}
}
