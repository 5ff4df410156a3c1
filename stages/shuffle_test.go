package stages_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestShuffle(t *testing.T) { stagetest.Sampler(t, stages.Shuffle{}) }

func TestShuffleDrawsEachOnce(t *testing.T) {
	for _, n := range []int{1, 2, 64, 65, 1000} {
		in := everySample(n)
		order, err := stages.Shuffle{}.Sample(in, nil, rng.NewKey(1, "shuffle", "0"))
		if err != nil {
			t.Fatal(err)
		}
		for epoch := range 3 {
			drawn := drawEpoch(order, epoch)
			slices.Sort(drawn)
			if !slices.Equal(drawn, in) {
				t.Fatalf("n = %d, epoch %d: %v", n, epoch, drawn)
			}
		}
	}
}

// everySample selects samples 0..n-1.
func everySample(n int) stages.Selection {
	in := make(stages.Selection, n)
	for i := range in {
		in[i] = i
	}
	return in
}

func drawEpoch(order stages.Order, epoch int) []int {
	drawn := make([]int, order.Len())
	for i := range drawn {
		drawn[i] = order.At(epoch, int64(i))
	}
	return drawn
}

// wantError compares an error's text; "" wants none.
func wantError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := fmt.Sprint(err); want == "" && err != nil || want != "" && got != want {
		t.Errorf("%s: error\n%s\nwant\n%s", what, got, want)
	}
}

func wantWarnings(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: warnings %q, want %q", what, got, want)
	}
}
