package flow_test

import (
	"context"
	"math"
	"reflect"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// The ledger is what can be counted in the rows: in all, and in each epoch.
func TestLedgerByEpoch(t *testing.T) {
	dir := pictures(t)
	const epochs = 5
	pipe := func() *flow.Pipeline {
		return turning(dir, stages.Rebalance{Target: stages.SquareRoot, Draws: 31},
			stages.When{Stage: stages.Rotate{Degrees: stages.Range{-30, 30}}, Strength: stages.Strength{By: stages.ByRepeat, From: 0.5, To: 2, Over: 4}, Epochs: stages.EpochSpan{1, 0}})
	}
	weights := stages.ClassWeights{Weights: stages.Weights{List: []float64{1, 2, 5}}}
	weighted := func() *flow.Pipeline {
		p := pipe()
		p.Stages = append([]stages.Stage{weights}, p.Stages...)
		return p
	}
	names := []string{"common", "middle", "rare"}
	counts := func(rows []madeRow) map[string]flow.Exposure {
		all := 0.0
		for _, r := range rows {
			all += float64(r.weight)
		}
		out, seen := map[string]flow.Exposure{}, map[string]bool{}
		for c, name := range names {
			x := flow.Exposure{Samples: []int64{23, 9, 3}[c]}
			weight, strength := 0.0, 0.0
			for _, r := range rows {
				if r.class != c {
					continue
				}
				x.Quota++
				weight, strength = weight+float64(r.weight), strength+r.strength["rotate"]
				if !seen[r.key] {
					seen[r.key] = true
					x.Distinct++
				}
			}
			x.Drawn, x.Delivered, x.Repeats = x.Quota, x.Quota, x.Quota-x.Distinct
			if n := float64(x.Delivered); n > 0 {
				x.Weight, x.WeightShare, x.Strength = weight/n, weight/all, map[string]float64{"rotate": strength / n}
			}
			out[name] = x
		}
		return out
	}
	rows := madeRows(t, weighted(), flow.Epochs(epochs))
	report, err := weighted().Run(t.Context(), &sink{}, flow.Epochs(epochs))
	if err != nil {
		t.Fatal(err)
	}
	if have, want := report.Ledger["class"], counts(rows); !nearly(have, want) {
		t.Errorf("in all %+v\nwant %+v", have, want)
	}
	if len(report.ByEpoch) != epochs {
		t.Fatalf("%d epochs", len(report.ByEpoch))
	}
	for e, have := range report.ByEpoch {
		var of []madeRow
		for _, r := range rows {
			if r.epoch == e {
				of = append(of, r)
			}
		}
		if want := counts(of); have.Epochs != [2]int{e, e + 1} || !nearly(have.Ledger["class"], want) {
			t.Errorf("epoch %d: %+v\nwant %+v", e, have, want)
		}
	}
	// The plan foresees all of it.
	plan, err := weighted().Plan(t.Context(), flow.Epochs(epochs))
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	foreseen, n, err := flow.Foresee(t.Context(), plan)
	if err != nil || n != epochs || !reflect.DeepEqual(foreseen.Ledger, report.Ledger) || !reflect.DeepEqual(foreseen.ByEpoch, report.ByEpoch) {
		t.Errorf("%v: foreseen in %d epochs: %+v\nwant %+v", err, n, foreseen, report.Ledger)
	}
	// Broken off anywhere, and resumed: the same, distinct samples too, as all are used equally often.
	for _, at := range []int{1, 3, 4, 9, 13, 18} {
		var states []flow.State
		if _, err := weighted().Run(t.Context(), &sink{}, flow.Epochs(epochs), flow.OnState(func(s flow.State) { states = append(states, s) })); err != nil {
			t.Fatal(err)
		}
		rest, err := weighted().Run(t.Context(), &sink{}, flow.Epochs(epochs), flow.Resume(states[at]))
		if err != nil {
			t.Fatal(err)
		}
		if !nearly(rest.Ledger["class"], report.Ledger["class"]) || !sameState(rest.State, report.State) {
			t.Errorf("resumed after batch %d: %+v\nwant %+v", at, rest.Ledger, report.Ledger)
		}
		if first := rest.ByEpoch[0].Epochs[0]; first != states[at].Epoch {
			t.Errorf("resumed after batch %d: the first epoch of the rest is %d", at, first)
		}
	}
	// A state without a ledger, as an earlier sluice wrote it: counted from there.
	rest, err := weighted().Run(t.Context(), &sink{}, flow.Epochs(epochs), flow.Resume(flow.State{Epoch: 4}))
	if err != nil || !nearly(rest.Ledger["class"], report.ByEpoch[4].Ledger["class"]) {
		t.Errorf("%v: %+v", err, rest.Ledger)
	}
}

// nearly compares ledgers, but for the last digits of means.
func nearly(a, b map[string]flow.Exposure) bool {
	round := func(m map[string]flow.Exposure) map[string]flow.Exposure {
		out := map[string]flow.Exposure{}
		for name, x := range m {
			x.Weight, x.WeightShare = math.Round(x.Weight*1e9)/1e9, math.Round(x.WeightShare*1e9)/1e9
			strengths := map[string]float64{}
			for stage, f := range x.Strength {
				strengths[stage] = math.Round(f*1e9) / 1e9
			}
			if x.Delivered > 0 {
				x.Strength = strengths
			}
			out[name] = x
		}
		return out
	}
	return reflect.DeepEqual(round(a), round(b))
}

// With many epochs, or without an end, several epochs are one span; their sums are the whole.
func TestLedgerOfManyEpochs(t *testing.T) {
	list, _ := album()
	source := hold(list[:9])
	for i := range 1200 {
		source.index.TaskList[0].Classes = append(source.index.TaskList[0].Classes, string(rune('a'+i/26%26))+string(rune('a'+i%26))+string(rune('0'+i/676)))
	}
	for name, epochs := range map[string]int{"known": 40, "without an end": flow.Endless} {
		ctx := t.Context()
		pipe := flow.New(source, stages.Shuffle{}, stages.Batch{Size: 9})
		plan, err := pipe.Plan(ctx, flow.Epochs(epochs))
		if err != nil {
			t.Fatal(err)
		}
		stop := &collector{last: 41, err: errPlug}
		report, _ := plan.Deliver(ctx, stop)
		plan.Close()
		if len(stop.records) != 40 {
			t.Fatalf("%s: %d records", name, len(stop.records))
		}
		past, delivered, width := 0, int64(0), 0
		for _, e := range report.ByEpoch {
			if e.Epochs[0] != past {
				t.Errorf("%s: epochs %v behind %d", name, e.Epochs, past)
			}
			past, width = e.Epochs[1], e.Epochs[1]-e.Epochs[0]
			for class, x := range e.Ledger["class"] {
				delivered += x.Delivered
				if x.Distinct > x.Samples || x.Delivered > 0 && x.Distinct == 0 || class != "" && x.Quota%max(x.Samples, 1) != 0 {
					t.Errorf("%s: %v %s: %+v", name, e.Epochs, class, x)
				}
			}
		}
		if past < 40 || delivered != 40*9 || width < 2 || len(report.ByEpoch) > 16 {
			t.Errorf("%s: %d spans, the last of %d epochs, up to %d, %d rows", name, len(report.ByEpoch), width, past, delivered)
		}
	}
}

// follower is a sink that asks for the ledger of the batches that its reader has taken, which is up to
// some behind.
type follower struct {
	sink
	late  *flow.LateLedger
	ahead int
	sent  [][2]int64
	have  []*flow.StateLedger
}

func (f *follower) Follow(l *flow.LateLedger) { f.late = l }

func (f *follower) Write(ctx context.Context, b *schema.Batch) error {
	if n := len(f.sent) - f.ahead; n >= 0 && (len(f.sent) == 0 || f.sent[len(f.sent)-1] != [2]int64{int64(b.Epoch), b.Number}) {
		if n > 0 && n%3 == 1 { // another way to go on
			f.late.Pass(int(f.sent[n-1][0]), f.sent[n-1][1])
		}
		if n > 0 {
			f.have = append(f.have, f.late.State(ctx, int(f.sent[n-1][0]), f.sent[n-1][1]))
		}
	}
	if len(f.sent) == 0 || f.sent[len(f.sent)-1] != [2]int64{int64(b.Epoch), b.Number} {
		f.sent = append(f.sent, [2]int64{int64(b.Epoch), b.Number})
	}
	return f.sink.Write(ctx, b)
}

// TestLateLedger: a ledger that is behind is that of the state after its batch, also in a run that
// was resumed, with objects, several scales and failures.
func TestLateLedger(t *testing.T) {
	pipes := map[string]*flow.Pipeline{
		"objects": flow.New(traffic(t, 4, 6, 7), append([]stages.Stage{
			balanceBoxes[0], stages.Decode{}, stages.When{Stage: stages.Rotate{Degrees: stages.Range{-9, 9}}, Strength: stages.Strength{By: stages.ByRepeat, From: 0.1, To: 0.9, Over: 3}},
		}, stages.Batch{Size: 7, Sizes: stages.KeepSizes})...),
		"scales": turning(brokenPictures(t), stages.Rebalance{Target: stages.SquareRoot, Draws: 31}, nil),
	}
	pipes["scales"].Stages = append(pipes["scales"].Stages, stages.MultiScale{Scales: []float64{0.5, 1}})
	for name, pipe := range pipes {
		for _, ahead := range []int{0, 1, 3} {
			opts := []flow.Option{flow.Epochs(4), flow.OnError(flow.Failures{Policy: flow.Refill, Max: flow.Limit{Share: 1}})}
			for _, from := range []int{-1, 3} {
				var states []flow.State
				note := flow.OnState(func(s flow.State) { states = append(states, s) })
				if _, err := pipe.Run(t.Context(), &sink{}, append(opts, note)...); err != nil {
					t.Fatal(err)
				}
				if from >= 0 {
					opts, states = append(opts, flow.Resume(states[from])), nil
					if _, err := pipe.Run(t.Context(), &sink{}, append(opts, note)...); err != nil {
						t.Fatal(err)
					}
				}
				f := &follower{ahead: ahead}
				if _, err := pipe.Run(t.Context(), f, opts...); err != nil {
					t.Fatal(err)
				}
				if len(f.have) < 8 {
					t.Fatalf("%s: %d ledgers", name, len(f.have))
				}
				for i, have := range f.have {
					if want := states[i].Ledger; !reflect.DeepEqual(have, want) {
						t.Fatalf("%s: %d behind, from %d, after batch %d: %+v\nwant %+v", name, ahead, from, i, have, want)
					}
				}
				end := f.sent[len(f.sent)-1]
				if have, want := f.late.State(t.Context(), int(end[0]), end[1]), states[len(states)-1].Ledger; !reflect.DeepEqual(have, want) {
					t.Fatalf("%s: at the end %+v\nwant %+v", name, have, want)
				}
			}
		}
	}
}
