package flow_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/reugn/go-streams/extension"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// rareSamples gives samples of the classes common, middle and rare, with their bytes; the keys say
// which class and number.
func rareSamples(counts ...int) (list []any) {
	data := first(album())[0].data
	for class, n := range counts {
		for i := range n {
			list = append(list, flow.Sample{Key: fmt.Sprintf("%d/%d", class, i), Data: data, Labels: []int32{int32(class), 0}})
		}
	}
	rand.New(rand.NewPCG(8, 9)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// throughRepeater is the keys of the rows that leave, in their order.
func throughRepeater(t *testing.T, declared flow.Repeats, list []any, opts ...flow.Option) ([]string, flow.RepeatState) {
	t.Helper()
	plan := planOf(t, labelled(0, 1, 2), []stages.Stage{stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 8}}, opts...)
	s, err := plan.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	repeater, err := s.Repeat(declared)
	if err != nil {
		t.Fatal(err)
	}
	in := make(chan any, len(list))
	for _, element := range list {
		in <- element
	}
	close(in)
	var keys []string
	extension.NewChanSource(in).Via(repeater).Via(s.Flow()).To(newForeignSink(func(b *schema.Batch) {
		for i := range b.Positions() {
			keys = append(keys, b.Key(i))
		}
	}))
	if _, err := s.Wait(); err != nil {
		t.Fatal(err)
	}
	return keys, repeater.State()
}

// uses counts keys, by class and by sample.
func usesOf(keys []string) (classes map[string]int, samples map[string]int) {
	classes, samples = map[string]int{}, map[string]int{}
	for _, key := range keys {
		class, _, _ := strings.Cut(key, "/")
		classes[class]++
		samples[key]++
	}
	return classes, samples
}

// TestRepeatsOfDeclaredCounts: each sample once, and those of rare classes as often as LVIS's
// factors say, to less than one, evenly; the same with any number of workers.
func TestRepeatsOfDeclaredCounts(t *testing.T) {
	defer goleak.VerifyNone(t)
	list := rareSamples(200, 40, 6)
	declared := flow.Repeats{Task: "class", Threshold: 0.5, Counts: map[string]int64{"common": 200, "middle": 40, "rare": 6}}
	var want []string
	for workers := 1; workers <= 3; workers++ {
		keys, state := throughRepeater(t, declared, list, flow.Workers(workers))
		if want == nil {
			want = keys
		}
		if !slices.Equal(keys, want) {
			t.Fatalf("%d workers: other rows", workers)
		}
		classes, samples := usesOf(keys)
		for class, n := range map[string]float64{"0": 200, "1": 40, "2": 6} {
			due := n * max(1, math.Sqrt(0.5*246/n))
			if have := float64(classes[class]); have > due+1e-6 || have < due-1-1e-6 {
				t.Errorf("class %s came %v times, due are %v", class, have, due)
			}
			least, most := math.MaxInt, 0
			for key, uses := range samples {
				if strings.HasPrefix(key, class) {
					least, most = min(least, uses), max(most, uses)
				}
			}
			if class == "2" && (least < 3 || most > 6) || class == "0" && most != 1 {
				t.Errorf("samples of class %s came %d to %d times", class, least, most)
			}
		}
		if len(samples) != 246 || state.Seen != 246 || state.Counts[2] != 6 || int(state.Paid[2]) != classes["2"]-6 {
			t.Errorf("%d samples came, state %+v", len(samples), state)
		}
	}
	behind := 0 // repeats that come at the very end
	for _, key := range slices.Backward(want) {
		if strings.HasPrefix(key, "0/") {
			break
		}
		behind++
	}
	if behind > 20 {
		t.Errorf("the last %d of %d rows are repeats: they aren't spread", behind, len(want))
	}
}

// TestRepeatsOfLearntCounts: what a stream doesn't say is learnt, all samples come, and the
// rare class more often; in two parts, with the state between, as many as in one.
func TestRepeatsOfLearntCounts(t *testing.T) {
	list := rareSamples(300, 60, 8)
	declared := flow.Repeats{Task: "class", Threshold: 0.4, Power: 1}
	whole, end := throughRepeater(t, declared, list)
	classes, samples := usesOf(whole)
	if len(samples) != 368 || classes["2"] < 80 || classes["2"] > 300 || classes["1"] < 110 || classes["0"] != 300 {
		t.Errorf("%d samples, of the classes %v", len(samples), classes)
	}
	head, state := throughRepeater(t, declared, list[:180])
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	declared.State = new(flow.RepeatState)
	if err := json.Unmarshal(text, declared.State); err != nil {
		t.Fatal(err)
	}
	tail, after := throughRepeater(t, declared, list[180:])
	if !slices.Equal(after.Counts, end.Counts) || after.Seen != end.Seen || after.Due != end.Due || !slices.Equal(after.Paid, end.Paid) {
		t.Errorf("in two parts %+v, in one %+v", after, end)
	}
	if len(head)+len(tail) != len(whole) {
		t.Errorf("%d and %d rows, in one part %d", len(head), len(tail), len(whole))
	}
}

// TestRepeatsKeepLittle: with room for one sample only, debts are still paid, and the sample
// is one of the class.
func TestRepeatsKeepLittle(t *testing.T) {
	list := rareSamples(100, 20, 5)
	declared := flow.Repeats{Task: "class", Threshold: 0.8, Power: 1, Counts: map[string]int64{"common": 100, "middle": 20, "rare": 5}}
	declared.KeepBytes = int64(len(list[0].(flow.Sample).Data)) + 100
	keys, state := throughRepeater(t, declared, list)
	classes, samples := usesOf(keys)
	if len(samples) != 125 || classes["2"] <= 5 || int(state.Paid[1]+state.Paid[2])+125 != len(keys) {
		t.Errorf("%d samples, of the classes %v, state %+v", len(samples), classes, state)
	}
	declared.KeepBytes = 1
	if keys, _ := throughRepeater(t, declared, list); len(keys) != 125 {
		t.Errorf("with room for none %d rows, want 125", len(keys))
	}
}

// TestRepeatsOfObjects: samples of several classes are repeated by the rarest of them; keys of
// the plan's own samples have their classes from the index.
func TestRepeatsOfObjects(t *testing.T) {
	plan := planOf(t, traffic(t), []stages.Stage{stages.Decode{}, stages.Batch{Size: 7, Sizes: stages.KeepSizes}})
	s, err := plan.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	repeater, err := s.Repeat(flow.Repeats{Task: "boxes", Threshold: 0.5, Counts: map[string]int64{"car": 40, "bus": 10, "tram": 3}, Samples: 40})
	if err != nil {
		t.Fatal(err)
	}
	in := make(chan any, 40)
	for i := range 40 {
		in <- fmt.Sprintf("%04d.png", i)
	}
	close(in)
	uses := map[string]int{}
	extension.NewChanSource(in).Via(repeater).Via(s.Flow()).To(newForeignSink(func(b *schema.Batch) {
		for i := range b.Positions() {
			uses[b.Key(i)]++
		}
	}))
	if _, err := s.Wait(); err != nil {
		t.Fatal(err)
	}
	tram, bus := 0, 0
	for i := range 40 {
		n := uses[fmt.Sprintf("%04d.png", i)]
		switch {
		case i == 4 || i == 17 || i == 31:
			tram += n
		case i%4 == 0:
			bus += n
		case n != 1:
			t.Errorf("picture %d, of cars alone, came %d times", i, n)
		}
	}
	if wantTram, wantBus := 3*math.Sqrt(20/3.0), 9*math.Sqrt(2.0); tram != int(wantTram) || bus != int(wantBus) {
		t.Errorf("%d pictures with a tram, %d with a bus; want %v, %v", tram, bus, wantTram, wantBus)
	}
}

func TestRepeatsCheck(t *testing.T) {
	plan := planOf(t, labelled(0, 1, 2), []stages.Stage{stages.Batch{Size: 2}})
	for want, declared := range map[string]flow.Repeats{
		"threshold: 0 is not a share":                   {Task: "class"},
		"power: 2 is not above 0":                       {Task: "class", Threshold: 0.1, Power: 2},
		"negative numbers: KeepBytes -1":                {Task: "class", Threshold: 0.1, KeepBytes: -1},
		`unknown class "rar" of task class: did you`:    {Task: "class", Threshold: 0.1, Counts: map[string]int64{"rar": 1}},
		`class "rare" has 0 samples: want at least 1`:   {Task: "class", Threshold: 0.1, Counts: map[string]int64{"rare": 0}},
		`samples: 10 in all, and class "rare" has 11`:   {Task: "class", Threshold: 0.1, Counts: map[string]int64{"rare": 11}, Samples: 10},
		`task: want one of class, colour, have ""`:      {Threshold: 0.1},
		"and there are 3: it is of another stream":      {Task: "class", Threshold: 0.1, State: &flow.RepeatState{}},
		`task: want one of class, colour, have "boxes"`: {Task: "boxes", Threshold: 0.1},
	} {
		s, err := plan.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Repeat(declared); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		s.Cancel(nil)
		_, _ = s.Wait()
	}
}
