package flow_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/stages"
)

// scaled is two scales of batches of five, over the album with broken files.
func scaled() *flow.Pipeline {
	list, broken := album()
	return flow.New(hold(slices.Concat(list[:13], broken)), stages.Rebalance{Target: stages.SquareRoot, Task: stages.TaskNames{"class"}}, stages.Decode{},
		stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Resize{Height: 8, Width: 8}, stages.ToTensor{}, stages.Batch{Size: 5},
		stages.MultiScale{Scales: []float64{0.5, 1}})
}

// Wherever a run is broken off, the one that goes on from its state gives the
// rest of the records, of the quarantine file and of the counters.
func TestResumeAtEveryStep(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, policy := range []flow.Policy{flow.Skip, flow.Refill} {
		file := filepath.Join(t.TempDir(), "bad.jsonl")
		run := func(s *collector, opts ...flow.Option) *flow.Report {
			t.Helper()
			opts = append(opts, flow.Epochs(2), flow.WithParams(), flow.OnError(flow.Failures{Policy: policy, Max: flow.Limit{Share: 1}, Quarantine: file}))
			report, err := scaled().Run(t.Context(), s, opts...)
			if err != nil && !errors.Is(err, errPlug) {
				t.Fatal(err)
			}
			return report
		}
		whole := &collector{}
		want := run(whole)
		lines, err := os.ReadFile(file)
		if err != nil || want.Failed+want.Refilled < 4 || len(whole.records) != 16 {
			t.Fatalf("%v, %d records, %+v", err, len(whole.records), want)
		}
		for n := range whole.records {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			first := &collector{last: n + 1, err: errPlug} // record n is not taken
			state := run(first, flow.Workers(1+n%5)).State
			if at := n / 2; state.Epoch != at/4 || state.Batch != int64(at%4) {
				t.Errorf("%s: broken off at record %d, the state is %d/%d", policy, n, state.Epoch, state.Batch)
			}
			second := &collector{}
			report := run(second, flow.Resume(state), flow.Workers(1+n%3))
			if err := sameRecords(slices.Concat(first.records[:n/2*2], second.records), whole.records); err != nil {
				t.Errorf("%s: broken off at record %d: %v", policy, n, err)
			}
			if have, err := os.ReadFile(file); err != nil || string(have) != string(lines) {
				t.Errorf("%s: broken off at record %d: %v, quarantine\n%swant\n%s", policy, n, err, have, lines)
			}
			if !sameState(report.State, want.State) || state.Rows+report.Rows != want.Rows ||
				state.Failed+report.Failed != want.Failed || state.Refilled+report.Refilled != want.Refilled {
				t.Errorf("%s: broken off at record %d: counters %+v, then %+v; want %+v", policy, n, state, report, want)
			}
		}
	}
}

// sameState compares states, but for the numbers of distinct samples, which are bounds after a
// resume where draws fail, and the last digits of sums.
func sameState(a, b flow.State) bool {
	return reflect.DeepEqual(comparable(a), comparable(b))
}

func comparable(s flow.State) flow.State {
	if s.Ledger == nil {
		return s
	}
	of := *s.Ledger
	of.Tasks = map[string][][]float64{}
	for task, classes := range s.Ledger.Tasks {
		for _, c := range classes {
			c = slices.Clone(c)
			for i, column := range of.Columns {
				if c[i] = math.Round(c[i]*1e6) / 1e6; column == "distinct" {
					c[i] = 0
				}
			}
			of.Tasks[task] = append(of.Tasks[task], c)
		}
	}
	of.Weight = math.Round(of.Weight*1e6) / 1e6
	s.Ledger = &of
	return s
}

// What the sink has taken counts, also where the run ends while it does.
func TestCancelledWriteCounts(t *testing.T) {
	defer goleak.VerifyNone(t)
	for n := 1; n <= 4; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		states := 0
		s := &collector{last: n, cancel: cancel}
		report, err := recipe(pictures(t)).Run(ctx, s, flow.OnState(func(flow.State) { states++ }))
		cancel()
		if err == nil || len(s.records) != n || report.State.Batch != int64(n/3) || states != n/3 || report.Rows != int64(8*(n/3)) {
			t.Errorf("cancelled in write %d: %v, %d records, %d states, state %+v", n, err, len(s.records), states, report.State)
		}
	}
}

// The batch in whose body a loop is left doesn't count, the ones before do.
func TestStateOfALoopThatIsLeft(t *testing.T) {
	defer goleak.VerifyNone(t)
	pipe := flow.New(hold(first(album())), stages.Take{Count: 20}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 4})
	for last := 1; last <= 5; last++ {
		var state flow.State
		n := 0
		for _, err := range pipe.Batches(t.Context(), flow.OnState(func(s flow.State) { state = s })) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == last {
				break
			}
		}
		if state.Batch != int64(last-1) {
			t.Errorf("left in batch %d, the state says %d", last-1, state.Batch)
		}
	}
}

func first[A, B any](a A, _ B) A { return a }

// Ranks that pad write each line of their quarantine files once, however often
// they are run, and may fail as often as they draw.
func TestQuarantineOfRanksThatPad(t *testing.T) {
	list, broken := album()
	pipe := flow.New(hold(append(list[:6:6], broken...)), stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 2}) // 5 batches
	dir := t.TempDir()
	for rank := range 3 {
		file := filepath.Join(dir, fmt.Sprintf("bad-%d-of-3.jsonl", rank))
		opts := []flow.Option{flow.Epochs(2), flow.Rank(rank, 3), flow.WithLastRound(flow.PadRound),
			flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Share: 1}, Quarantine: filepath.Join(dir, "bad.jsonl")})}
		var want string
		for range 2 {
			if _, err := pipe.Run(t.Context(), &sink{}, opts...); err != nil {
				t.Fatal(err)
			}
			have, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if want == "" {
				want = string(have)
			}
			if string(have) != want {
				t.Errorf("rank %d, run again:\n%swant\n%s", rank, have, want)
			}
		}
	}
	all := flow.New(hold(append(list[:1:1], broken[:3]...)), stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 1})
	share := flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Share: 1}})
	for rank := range 2 {
		_, err := all.Run(t.Context(), &sink{}, share, flow.Epochs(3), flow.Rank(rank, 2), flow.WithLastRound(flow.PadRound))
		var nothing *flow.NothingDelivered
		switch {
		case rank == 1 && err != nil:
			t.Errorf("a share of 100%%: %v", err)
		case rank == 0 && (!errors.As(err, &nothing) || nothing.Draws != 6): // both of its draws, in each epoch
			t.Errorf("a rank all of whose draws fail: %v", err)
		}
	}
}
