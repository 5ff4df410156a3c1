package flow_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// motley is samples that have a class and a colour, both unknown of some, several tags and several
// objects, and a way to balance them.
type motley struct {
	source  *annotated
	tags    [][]int32
	balance stages.Rebalance
	epochs  int

	group map[string]string // of each key: samples of one are drawn alike
	due   map[string]float64
	off   float64 // draws of a group, over all epochs so far, are less than that off what is due
	some  string  // what was drawn, for errors
}

func newMotley(t *testing.T, r *rand.Rand) *motley {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 5, 4))); err != nil {
		t.Fatal(err)
	}
	m := &motley{epochs: 3 + r.IntN(3), group: map[string]string{}, due: map[string]float64{}}
	n := 12 + r.IntN(50)
	var files [][]byte
	var targets []schema.Targets
	several := func() (list []int32) {
		for c := range int32(4) {
			if r.Float64() < 0.7*math.Pow(0.4, float64(c)) {
				list = append(list, c)
			}
		}
		return list
	}
	for range n {
		var one schema.Targets
		for _, label := range several() {
			for range 1 + r.IntN(2) {
				one.Objects = append(one.Objects, schema.Object{Box: [4]float32{1, 1, 3, 3}, Label: label, ID: int64(len(one.Objects))})
			}
		}
		files, targets, m.tags = append(files, b.Bytes()), append(targets, one), append(m.tags, several())
	}
	m.source = annotate(&schema.TargetSpec{Boxes: true, Classes: []string{"car", "bus", "tram", "boat"},
		Multi: []schema.Task{{Name: "tags", Classes: []string{"day", "rain", "snow", "fog"}}}}, files, targets)
	index := m.source.index
	index.ColumnList = []schema.Column{{Name: schema.ColumnLabel + "tags", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)}}
	index.Values = [][]any{nil}
	for i := range n {
		class := int32(math.Floor(3 * math.Pow(r.Float64(), 2)))
		index.Labels[0][i], index.Labels[1][i] = class, int32(r.IntN(2))
		if r.IntN(12) == 0 {
			index.Labels[0][i] = schema.Unknown
		}
		if r.IntN(12) == 0 {
			index.Labels[1][i] = schema.Unknown
		}
		index.Values[0] = append(index.Values[0], m.tags[i])
	}
	m.choose(r)
	return m
}

// choose is a target, for what and for how long an epoch.
func (m *motley) choose(r *rand.Rand) {
	index := m.source.index
	tasks := [][]string{{"class"}, {"colour"}, {"class", "colour"}, {"colour", "class"}, {"boxes"}, {"tags"}}[r.IntN(6)]
	m.balance.Task = tasks
	// Groups, by a slow way of its own.
	counts, labels, having := map[string]int{}, map[string]int32{}, map[int32]int{}
	classesOf := func(i int) (list []int32) {
		switch tasks[0] {
		case "boxes":
			for _, o := range m.source.targets[i].Objects {
				if !slices.Contains(list, o.Label) {
					list = append(list, o.Label)
				}
			}
		case "tags":
			list = m.tags[i]
		}
		return list
	}
	mixed := tasks[0] == "boxes" || tasks[0] == "tags"
	for i := range index.Len() {
		for _, c := range classesOf(i) {
			having[c]++
		}
	}
	for i, key := range index.Keys {
		name := ""
		label := schema.Unknown
		if mixed {
			for _, c := range classesOf(i) {
				if label == schema.Unknown || having[c] < having[label] || having[c] == having[label] && c < label {
					label = c
				}
			}
			name = fmt.Sprint(label)
		} else {
			for _, task := range tasks {
				name += fmt.Sprint(index.Labels[map[string]int{"class": 0, "colour": 1}[task]][i], " ")
			}
			label = index.Labels[map[string]int{"class": 0, "colour": 1}[tasks[0]]][i]
		}
		m.group[key], labels[name] = name, label
		counts[name]++
	}
	n := float64(index.Len())
	x := func(name string) float64 { // samples that have the class
		if mixed && labels[name] != schema.Unknown {
			return float64(having[labels[name]])
		}
		return float64(counts[name])
	}
	threshold, power, beta := 0.05+0.9*r.Float64(), 0.1+0.9*r.Float64(), []float64{0.5, 0.9, 0.999}[r.IntN(3)]
	var each func(name string) float64 // draws of each of its samples, but for a factor
	total := 0.0
	m.off = 2
	switch kind := r.IntN(8); kind {
	case 0:
		m.balance.Target, each = stages.Instance, func(string) float64 { return 1 }
	case 1:
		m.balance.Target, each = stages.SquareRoot, func(name string) float64 { return 1 / math.Sqrt(x(name)) }
	case 2:
		m.balance.Target, m.balance.Power, each = stages.Power, power, func(name string) float64 { return math.Pow(x(name), power-1) }
	case 3:
		m.balance.Target, each = stages.ClassBalanced, func(name string) float64 { return 1 / x(name) }
	case 4:
		m.balance.Target, m.off = stages.EffectiveNumber(beta), 1
		each = func(name string) float64 { return (1 - beta) / (1 - math.Pow(beta, x(name))) }
	case 5:
		m.balance.Target, m.off = stages.RepeatFactor(threshold, power), 1
		each = func(name string) float64 {
			if labels[name] == schema.Unknown && (mixed || len(tasks) == 1) || strings.HasSuffix(name, "-1 ") {
				return 1
			}
			return max(1, math.Pow(threshold*n/x(name), power))
		}
		for name, many := range counts {
			total += float64(many) * each(name)
		}
	default:
		names := map[string][]string{"class": index.TaskList[0].Classes, "colour": index.TaskList[1].Classes, "boxes": index.Targets.Spec.Classes, "tags": index.Targets.Spec.Multi[0].Classes}[tasks[0]]
		share, whole, all, of := map[string]float64{}, map[string]int64{}, 0.0, map[int32]int{}
		for name, many := range counts {
			of[labels[name]] += many
		}
		for c, name := range names {
			share[name] = 0
			if of[int32(c)] > 0 {
				share[name] = float64(1 + r.IntN(9))
			}
			whole[name] = int64(share[name])
			all += share[name]
		}
		if m.balance.Target = stages.Shares(share); kind == 7 {
			m.balance.Target = stages.Counts(whole)
		}
		if len(tasks) > 1 {
			m.off = 4 // two levels: less than two in each
		}
		each = func(name string) float64 {
			if labels[name] == schema.Unknown {
				return 0
			}
			return share[names[labels[name]]] / float64(of[labels[name]])
		}
		if kind == 7 {
			total = all
		}
	}
	draws := n
	if total > 0 {
		draws = math.Floor(total + 0.5)
	}
	isCounts := strings.Contains(string(m.balance.Target), "counts")
	switch length := r.IntN(4); {
	case isCounts:
	case length == 0:
		m.balance.Draws = int64(1 + r.IntN(90))
		draws = float64(m.balance.Draws)
	case length == 1:
		m.balance.Multiple = 0.3 + 2*r.Float64()
		draws = math.Floor(m.balance.Multiple*n + 0.5)
	case length == 2 && len(tasks) == 1:
		m.balance.Cover, draws = stages.CoverLargest, 0
	}
	sum := 0.0
	for name, many := range counts {
		sum += float64(many) * each(name)
	}
	if m.balance.Cover != "" { // of the largest that is drawn, of several that which takes longer to go through
		largest := ""
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			if each(name) > 0 && (largest == "" || counts[name] > counts[largest]) {
				largest = name
			}
		}
		draws = math.NaN() // said by the plan; looked at below
		m.some = largest
	}
	for name, many := range counts {
		m.due[name] = float64(many) * each(name) / sum * draws
		if m.balance.Cover != "" {
			m.due[name] = float64(many) * each(name) / sum
		}
	}
}

// breakAllButOne breaks the pictures of the rarest group that has several, but for one.
func (m *motley) breakAllButOne() (group string, broken []string) {
	members := map[string][]int{}
	for i, key := range m.source.index.Keys {
		members[m.group[key]] = append(members[m.group[key]], i)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if n := len(members[name]); m.due[name] > 0 && n > 1 && n <= 17 && (group == "" || n < len(members[group])) {
			group = name
		}
	}
	if group == "" {
		return "", nil
	}
	for _, i := range members[group][1:] {
		m.source.files[i] = slices.Concat(m.source.files[i][:8], make([]byte, len(m.source.files[i])-8))
		broken = append(broken, m.source.index.Keys[i])
	}
	return group, broken
}

// TestExposure: whatever is balanced in whatever way, each group's draws are those that are due, its
// samples are drawn equally often, and a run delivers as many rows of it with all but one picture of
// a group broken, by any number of workers and ranks, and when it is broken off and resumed. The
// ledger is what can be counted in the rows.
func TestExposure(t *testing.T) {
	defer goleak.VerifyNone(t)
	seed, trials := uint64(1), 60
	if *caseSeed != 0 {
		seed, trials = *caseSeed, 1
	} else if testing.Short() || flow.RaceEnabled {
		trials = 12
	}
	for trial := range uint64(trials) {
		r := rand.New(rand.NewPCG(seed+trial, 77))
		m := newMotley(t, r)
		m.follow(t)
		m.deliver(t, r)
		if t.Failed() {
			t.Fatalf("replay: go test ./flow -run TestExposure -seed %d: %+v of %v", seed+trial, m.balance, m.due)
		}
	}
}

func (m *motley) stages() []stages.Stage {
	return []stages.Stage{
		m.balance, stages.Decode{},
		stages.When{Stage: stages.Rotate{Degrees: stages.Range{-30, 30}}, Strength: stages.Strength{By: stages.ByRepeat, From: 0, To: 1, Over: 3}},
		stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 5},
	}
}

// follow looks at the plan's draws.
func (m *motley) follow(t *testing.T) {
	plan := planOf(t, m.source, m.stages(), flow.Epochs(m.epochs))
	draws := plan.Info().RowsPerEpoch
	sum := 0.0
	for _, d := range m.due {
		sum += d
	}
	if m.balance.Cover != "" {
		for name := range m.due {
			m.due[name] *= float64(draws)
		}
		size := 0
		for _, group := range m.group {
			if group == m.some {
				size++
			}
		}
		if have := m.due[m.some]; have < float64(size)-1e-6 || have*float64(draws-1)/float64(draws) >= float64(size)+1e-6 {
			t.Errorf("%d draws, %v of the largest group, which has %d samples", draws, have, size)
		}
	} else if math.Abs(sum-float64(draws)) > 1e-6 {
		t.Errorf("%d draws, want %v", draws, sum)
	}
	uses, total := map[string]int{}, map[string]int{}
	for epoch := range m.epochs {
		for position := range draws {
			key := m.source.index.Keys[plan.Drawn(epoch, position)]
			uses[key]++
			total[m.group[key]]++
		}
		least, most := map[string]int{}, map[string]int{}
		for key, group := range m.group {
			if n, ok := least[group]; !ok || uses[key] < n {
				least[group] = uses[key]
			}
			most[group] = max(most[group], uses[key])
		}
		for group, due := range m.due {
			if off := float64(total[group]) - due*float64(epoch+1); math.Abs(off) >= m.off+1e-6 {
				t.Errorf("after epoch %d group %s is off by %v", epoch, group, off)
			}
			if most[group]-least[group] > 1 {
				t.Errorf("after epoch %d samples of group %s were drawn %d to %d times", epoch, group, least[group], most[group])
			}
		}
	}
}

// deliver runs it in several ways.
func (m *motley) deliver(t *testing.T, r *rand.Rand) {
	quota := map[string]int{}
	plan := planOf(t, m.source, m.stages(), flow.Epochs(m.epochs))
	for epoch := range m.epochs {
		for position := range plan.Info().RowsPerEpoch {
			quota[m.group[m.source.index.Keys[plan.Drawn(epoch, position)]]]++
		}
	}
	group, broken := m.breakAllButOne()
	pipe := func() *flow.Pipeline { return flow.New(m.source, m.stages()...) }
	on := []flow.Option{flow.OnError(flow.Failures{Policy: flow.Refill, Max: flow.Limit{Share: 1}}), flow.Epochs(m.epochs)}
	var states []flow.State
	whole, report := rowsOf(t, pipe(), append(on, flow.Workers(1), flow.Readers(1), flow.OnState(func(s flow.State) { states = append(states, s) }))...)
	have := map[string]int{}
	for _, row := range whole {
		key, _, _ := strings.Cut(row, " ")
		have[m.group[key]]++
		if slices.Contains(broken, key) {
			t.Errorf("%s is broken, and was delivered", key)
		}
	}
	if !maps.Equal(have, quota) || report.Failed != 0 {
		t.Errorf("with %d pictures of group %q broken: rows %v, %d failed; want %v", len(broken), group, have, report.Failed, quota)
	}
	m.count(t, report, whole)
	if rows, other := rowsOf(t, pipe(), append(on, flow.Workers(3), flow.Readers(2))...); !slices.Equal(rows, whole) || !sameLedger(report, other) {
		t.Error("three workers: other rows, or another ledger")
	}
	if len(states) > 1 {
		at := states[r.IntN(len(states)-1)]
		rest, other := rowsOf(t, pipe(), append(on, flow.Resume(at), flow.Workers(2))...)
		if !slices.Equal(rest, whole[at.Rows:]) {
			t.Errorf("resumed at epoch %d, batch %d: other rows", at.Epoch, at.Batch)
		}
		m.count(t, other, whole)
	}
	world := 2 + r.IntN(2)
	var together []string
	for rank := range world {
		rows, part := rowsOf(t, pipe(), append(on, flow.Rank(rank, world), flow.WithLastRound(flow.PadRound))...)
		m.count(t, part, rows)
		together = append(together, rows...)
	}
	slices.Sort(together) // a padded round has batches of the epoch's beginning again
	sorted := slices.Clone(whole)
	slices.Sort(sorted)
	if together = slices.Compact(together); !slices.Equal(together, slices.Compact(sorted)) {
		t.Errorf("%d ranks have %d rows together, one has %d", world, len(together), len(sorted))
	}
}

func sameLedger(a, b *flow.Report) bool {
	same := func(x, y map[string]map[string]flow.Exposure) bool {
		return maps.EqualFunc(x, y, nearly)
	}
	return same(a.Ledger, b.Ledger) && same(a.Images, b.Images)
}

// count compares a ledger with the rows of all the run.
func (m *motley) count(t *testing.T, report *flow.Report, rows []string) {
	t.Helper()
	index := m.source.index
	type counts struct{ delivered, distinct int64 }
	have := map[string]counts{}
	seen := map[string]bool{}
	for _, row := range rows {
		key, _, _ := strings.Cut(row, " ")
		i := slices.Index(index.Keys, key)
		names := []string{}
		for task := range 2 {
			class := ""
			if l := index.Labels[task][i]; l >= 0 {
				class = index.TaskList[task].Classes[l]
			}
			names = append(names, index.TaskList[task].Name+"/"+class)
		}
		for _, tag := range m.tags[i] {
			names = append(names, "tags/"+index.Targets.Spec.Multi[0].Classes[tag])
		}
		for c, class := range index.Targets.Spec.Classes {
			if slices.ContainsFunc(m.source.targets[i].Objects, func(o schema.Object) bool { return o.Label == int32(c) }) {
				names = append(names, "boxes/"+class)
			}
		}
		for _, name := range names {
			x := have[name]
			x.delivered++
			if !seen[key] {
				x.distinct++
			}
			have[name] = x
		}
		seen[key] = true
	}
	for task, classes := range report.Ledger { // every draw is of one class
		quota := int64(0)
		for _, x := range classes {
			quota += x.Quota
		}
		if quota != int64(len(rows)) {
			t.Errorf("%s: quotas of %d draws, and there were %d", task, quota, len(rows))
		}
	}
	for _, ledger := range []map[string]map[string]flow.Exposure{report.Ledger, report.Images} {
		for task, classes := range ledger {
			for class, x := range classes {
				want := have[task+"/"+class]
				resumed := report.State.Rows != report.Rows
				if x.Delivered != want.delivered || x.Distinct != want.distinct && !resumed || x.Distinct < want.distinct ||
					x.Repeats != x.Delivered-x.Distinct || x.Drawn < x.Delivered {
					t.Errorf("%s %q: %+v, want %+v", task, class, x, want)
				}
				if x.Delivered > 0 && (x.Strength["rotate"] < 0 || x.Strength["rotate"] > 1) {
					t.Errorf("%s %q: strength %v", task, class, x.Strength)
				}
			}
		}
	}
}
