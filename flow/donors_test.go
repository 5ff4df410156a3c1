package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/reugn/go-streams/extension"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// given is what the params column has of a row with a donor.
type given struct {
	mix
	Donor string
	Drawn struct {
		Flip struct{ Flipped bool }
	}
}

func givenOf(t *testing.T, row *looked) (g given, ok bool) {
	t.Helper()
	text, ok := row.params["cmo"]
	if ok {
		if err := json.Unmarshal(text, &g); err != nil {
			t.Fatal(err)
		}
	}
	return g, ok
}

// A row has, within its box, the picture of its donor as that stage draws it for itself; classes
// of donors are as often as each other; epochs outside of the span have none.
func TestDonors(t *testing.T) {
	source := sources.Folder{Path: pictures(t)} // 23 common, 9 middle, 3 rare
	list := []stages.Stage{stages.Shuffle{}, stages.Decode{}, stages.Flip{P: 0.5}, stages.Resize{Height: 6, Width: 5}, stages.Batch{Size: 8}}
	cmo := stages.When{Stage: stages.CMO{P: 0.7, Per: stages.PerRow}, Epochs: stages.EpochSpan{1, 0}}
	opts := []flow.Option{flow.Seed(5), flow.Epochs(31)}
	plain, _ := lookAt(t, flow.New(source, list...), opts...)
	have, tensor := lookAt(t, flow.New(source, append(slices.Clone(list), cmo)...), opts...)
	type look struct {
		key     string
		flipped bool
	}
	pictures, labels := map[look]looked{}, map[string]int32{} // of each sample, turned or not
	for _, row := range plain {
		var flip struct{ Flipped bool }
		if err := json.Unmarshal(row.params["flip"], &flip); err != nil {
			t.Fatal(err)
		}
		pictures[look{row.key, flip.Flipped}], labels[row.key] = row, row.label
	}
	mixed, turned, classes := 0, 0, map[int32]int{}
	for at, row := range have {
		own := plain[at]
		g, ok := givenOf(t, &row)
		if !ok {
			g.Lambda = 1
			checkMixed(t, at, mix{Lambda: 1}, tensor, &own, &own, &row)
			continue
		}
		donor, there := pictures[look{g.Donor, g.Drawn.Flip.Flipped}]
		if !there || at[0] == 0 {
			t.Fatalf("row %v has the donor %q, which no epoch has shown so", at, g.Donor)
		}
		checkMixed(t, at, g.mix, tensor, &own, &donor, &row)
		mixed++
		classes[labels[g.Donor]]++
		if _, same := pictures[look{own.key, g.Drawn.Flip.Flipped}]; same && string(row.params["flip"]) != string(donor.params["flip"]) {
			turned++
		}
	}
	if len(have) != 31*35 || mixed < 600 || mixed > 850 {
		t.Errorf("%d of %d rows have donors", mixed, len(have))
	}
	for class := range int32(3) {
		if n := classes[class]; n < mixed/3-60 || n > mixed/3+60 {
			t.Errorf("of %d donors %d have class %d", mixed, n, class)
		}
	}
	if turned < mixed/3 || turned > 2*mixed/3 {
		t.Errorf("%d of %d donors are turned otherwise than their rows: they draw for themselves", turned, mixed)
	}
}

// Donors that fail are rows that fail: they end the run, are substituted, or their rows stay as
// they are; and they are counted.
func TestDonorsThatFail(t *testing.T) {
	list, broken := album()
	samples := slices.Clone(list[:20])
	for i := range samples {
		samples[i].labels = [2]int32{int32(i % 2), 0}
	}
	bad := broken[0]
	bad.labels = [2]int32{2, 0} // the only one of its class, so it is a third of the donors
	other := list[20]
	other.labels = [2]int32{2, 0}
	pipe := func(more ...sample) *flow.Pipeline {
		return flow.New(hold(append(slices.Clone(samples), more...)), stages.Filter{Task: "class", Keep: []string{"common", "middle", "rare"}},
			stages.Shuffle{}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 8}, stages.CMO{P: 1, Task: "class"})
	}
	tolerant := func(policy flow.Policy) flow.Option {
		return flow.OnError(flow.Failures{Policy: policy, Max: flow.Limit{Share: 1}})
	}
	var failed *flow.RowError
	if _, err := pipe(bad).Run(t.Context(), &sink{}); !errors.As(err, &failed) || failed.Key != bad.key {
		t.Errorf("error %v", err)
	}
	rows, _ := lookAt(t, pipe(bad), tolerant(flow.Skip), flow.Epochs(10))
	alone := 0
	for at, row := range rows {
		if g, ok := givenOf(t, &row); !ok {
			alone++
			if !slices.Equal(row.shares, []schema.ClassShare{{Class: row.label, Share: 1}}) {
				t.Errorf("row %v without a donor has the shares %v", at, row.shares)
			}
		} else if g.Donor == bad.key {
			t.Errorf("row %v has a donor that can't be read", at)
		}
	}
	if len(rows) != 200 || alone < 40 || alone > 90 {
		t.Errorf("%d rows, %d without a donor", len(rows), alone)
	}
	rows, _ = lookAt(t, pipe(bad, other), tolerant(flow.Refill), flow.Epochs(10))
	instead := 0
	for at, row := range rows {
		g, ok := givenOf(t, &row)
		if !ok {
			t.Errorf("row %v has no donor", at)
		}
		if g.Donor == other.key {
			instead++
		}
	}
	if len(rows) != 220 || instead < 50 || instead > 100 { // a third, where it would be a sixth
		t.Errorf("%d rows, %d with the only donor that is left of its class", len(rows), instead)
	}
	report, err := pipe(bad, other).Run(t.Context(), &sink{}, tolerant(flow.Refill), flow.Epochs(10))
	if err != nil || report.Refilled < 30 {
		t.Errorf("report %+v: %v", report, err)
	}
}

// Samples of another source are mixed with each other, and with donors of the plan's own source.
func TestMixingOfGivenSamples(t *testing.T) {
	list, _ := album()
	known := slices.DeleteFunc(slices.Clone(list[:20]), func(s sample) bool { return s.labels[0] == schema.Unknown })
	pipe := flow.New(hold(known), stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 4},
		stages.MixUp{P: 0.5}, stages.CMO{P: 1, Task: "class"})
	plan, err := pipe.Plan(t.Context(), flow.WithParams())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	s, err := plan.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in := make(chan any, 10)
	for i := range 10 {
		in <- flow.Sample{Key: fmt.Sprint("given", i), Data: list[20+i%5].data, Labels: []int32{int32(i % 3), 0}}
	}
	close(in)
	seen := map[string]int{}
	to := &taken{take: func(b *schema.Batch) {
		for row := range b.Rows() {
			shares, known := b.Shares("class", row)
			if !known || len(shares) == 0 || !strings.HasPrefix(b.Key(row), "given") {
				t.Errorf("row %s has the shares %v (%v)", b.Key(row), shares, known)
			}
			for _, by := range []string{`"mixup":{"partner":`, `"cmo":{"donor":`} {
				if strings.Contains(b.Params(row), by) {
					seen[by]++
				}
			}
		}
	}}
	extension.NewChanSource(in).Via(s.Flow()).To(s.Sink(to))
	if _, err := s.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || seen[`"mixup":{"partner":`]+seen[`"cmo":{"donor":`] != 10 {
		t.Errorf("mixed: %v", seen)
	}
}

// taken is a sink that looks at batches.
type taken struct {
	sink
	take func(*schema.Batch)
}

func (s *taken) Write(ctx context.Context, b *schema.Batch) error {
	s.take(b)
	return s.sink.Write(ctx, b)
}
