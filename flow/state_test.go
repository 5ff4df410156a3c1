package flow_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/ipc"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// record is a delivered record: its place, its bytes, the state after it.
type record struct {
	at    string
	bytes [32]byte
	after flow.State
}

func recordsOf(t testing.TB, pipe *flow.Pipeline, opts ...flow.Option) (list []record) {
	t.Helper()
	plan, err := pipe.Plan(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	for batch, err := range plan.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, record{fmt.Sprintf("%d/%d/%d", batch.Epoch, batch.Number, batch.Variant), sum(t, batch), plan.StateAfter(batch)})
	}
	return list
}

func sum(t testing.TB, batch *schema.Batch) (out [32]byte) {
	h := sha256.New()
	w := ipc.NewWriter(h, ipc.WithSchema(batch.Record.Schema()))
	if err := w.Write(batch.Record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h.Sum(out[:0])
	return out
}

func equalRecords(a, b []record) bool {
	return slices.EqualFunc(a, b, func(a, b record) bool { return a.at == b.at && a.bytes == b.bytes })
}

// A run that goes on from the state after any batch delivers the rest.
func TestResumeAtEveryBatch(t *testing.T) {
	defer goleak.VerifyNone(t)
	pipe := recipe(pictures(t))
	opts := []flow.Option{flow.Seed(3), flow.Epochs(2), flow.WithParams()}
	whole := recordsOf(t, pipe, opts...)
	for i := 2; i < len(whole); i += 3 { // the last variant of each batch
		b, err := json.Marshal(whole[i].after) // as a file would have it
		if err != nil {
			t.Fatal(err)
		}
		var state flow.State
		if err := json.Unmarshal(b, &state); err != nil {
			t.Fatal(err)
		}
		rest := recordsOf(t, pipe, append(opts, flow.Resume(state), flow.Workers(1+i%5))...)
		if !equalRecords(rest, whole[i+1:]) {
			t.Fatalf("resumed after %s: %d records, want the last %d", whole[i].at, len(rest), len(whole)-i-1)
		}
	}
}

func TestOnStateMovesWithWholeBatches(t *testing.T) {
	var states []string
	dir := pictures(t)
	report, err := recipe(dir).Run(t.Context(), &sink{}, flow.Epochs(2), flow.OnState(func(s flow.State) {
		states = append(states, fmt.Sprintf("%d/%d:%d", s.Epoch, s.Batch, s.Rows))
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(states, " "); got != "0/1:8 0/2:16 0/3:24 0/4:32 1/0:35 1/1:43 1/2:51 1/3:59 1/4:67 2/0:70" {
		t.Errorf("states %s", got)
	}
	if s := report.State; s.Epoch != 2 || s.Batch != 0 || s.Rows != 70 || s.PlanHash != report.PlanHash {
		t.Errorf("state %+v", s)
	}
	again, err := recipe(dir).Run(t.Context(), &sink{}, flow.Epochs(2), flow.Resume(report.State))
	if err != nil || again.Batches != 0 || again.State.Rows != 70 {
		t.Errorf("after the end: %v, %+v", err, again)
	}
	// The second of a batch's three records fails: the batch is to be made again.
	report, err = recipe(dir).Run(t.Context(), &sink{failAt: 5})
	if err == nil || report.State.Batch != 1 {
		t.Errorf("%v, state %+v", err, report.State)
	}
}

func TestStateOfAnotherPlan(t *testing.T) {
	dir := pictures(t)
	records := recordsOf(t, recipe(dir), flow.Seed(1))
	state := records[len(records)-1].after
	other := recipe(dir)
	other.Stages[2] = stages.Rotate{Degrees: stages.Range{-15, 15}}
	_, err := other.Plan(t.Context(), flow.Seed(2), flow.Resume(state))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"the state is of another pipeline", "seed 1 -> 2", "stage rotate: degrees 30 -> 15"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	for _, s := range []flow.State{{Epoch: 1}, {Batch: 5}, {Epoch: -1}, {Epoch: 1, Batch: 1}} {
		_, err := recipe(dir).Plan(t.Context(), flow.Resume(s))
		if end := s.Epoch == 1 && s.Batch == 0; end != (err == nil) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// Whatever the number of ranks, together they deliver the records of one.
func TestRanks(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := pictures(t)
	pipe := flow.New(sources.Folder{Path: dir}, stages.Rebalance{Target: stages.SquareRoot}, stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}},
		stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 3}) // 12 batches
	opts := []flow.Option{flow.Epochs(2)}
	whole := recordsOf(t, pipe, opts...)
	byPlace := map[string]record{}
	for _, r := range whole {
		byPlace[r.at] = r
	}
	for world := 1; world <= 5; world++ {
		for _, last := range []flow.LastRound{flow.DropRound, flow.PadRound} {
			seen, most := map[string]int{}, 0
			for rank := range world {
				list := recordsOf(t, pipe, append(opts, flow.Rank(rank, world), flow.WithLastRound(last))...)
				if rank == 0 {
					most = len(list)
				}
				if len(list) != most {
					t.Fatalf("rank %d of %d has %d batches, rank 0 has %d", rank, world, len(list), most)
				}
				for i, r := range list {
					var epoch, number, variant int
					fmt.Sscanf(r.at, "%d/%d/%d", &epoch, &number, &variant)
					at := fmt.Sprintf("%d/%d/%d", epoch, number%12, variant)
					seen[at]++
					if number%world != rank || byPlace[at].bytes != r.bytes {
						t.Errorf("rank %d of %d: %s is another record", rank, world, r.at)
					}
					if rounds := most / 2; r.after.Epoch != (i+1)/rounds || r.after.Batch != int64((i+1)%rounds*world) {
						t.Errorf("rank %d of %d: the state after %s is %d/%d", rank, world, r.at, r.after.Epoch, r.after.Batch)
					}
				}
			}
			want := len(whole)
			if last == flow.DropRound {
				want = 2 * (12 / world * world)
			}
			if len(seen) != want {
				t.Errorf("%d ranks, %s: %d batches, want %d", world, last, len(seen), want)
			}
		}
	}
	if _, err := pipe.Plan(t.Context(), flow.Rank(0, 13)); err == nil || !strings.Contains(err.Error(), "12 batches, fewer than the 13 ranks") {
		t.Errorf("error %v", err)
	}
	if _, err := pipe.Plan(t.Context(), flow.Rank(2, 2)); err == nil {
		t.Error("rank 2 of 2 is accepted")
	}
}

// A resumed run may have another number of ranks, with as many batches for each.
func TestResumeWithOtherRanks(t *testing.T) {
	pipe := flow.New(sources.Folder{Path: pictures(t)}, stages.Shuffle{}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 3})
	opts := []flow.Option{flow.Epochs(2), flow.WithLastRound(flow.PadRound)}
	whole := recordsOf(t, pipe, opts...)
	for before := 1; before <= 4; before++ {
		first := recordsOf(t, pipe, append(opts, flow.Rank(0, before))...)
		state := first[1].after // after two rounds
		for after := 1; after <= 4; after++ {
			seen := map[string]bool{}
			for rank := range after {
				for _, r := range recordsOf(t, pipe, append(opts, flow.Rank(rank, after), flow.Resume(state))...) {
					seen[r.at] = true
				}
			}
			for _, r := range whole[2*before:] {
				if !seen[r.at] {
					t.Errorf("from %d ranks to %d: %s is missing", before, after, r.at)
				}
			}
		}
	}
}
