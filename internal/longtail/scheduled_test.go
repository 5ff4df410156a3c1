package longtail

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestScheduledQuotas: over all epochs each class has what its changing shares are due, give
// or take two draws, also where a class is divided further.
func TestScheduledQuotas(t *testing.T) {
	random := rand.New(rand.NewPCG(31, 32))
	for range 100 {
		n := 1 + random.IntN(12)
		from, to := make([]int64, n), make([]int64, n)
		for c := range n {
			from[c], to[c] = random.Int64N(1000), random.Int64N(3)*random.Int64N(1<<40)
		}
		from[random.IntN(n)]++
		to[random.IntN(n)]++
		draws, over := []int64{1, 7, 1 + random.Int64N(5000), 1e12}[random.IntN(4)], uint64(1+random.IntN(12))
		progress := func(epoch int) (uint64, uint64) { return min(uint64(epoch), over), over }
		quotas := NewScheduled(Division{Shares: to, From: from}, draws, progress)
		used, due := make([]int64, n), make([]*big.Rat, n)
		for c := range due {
			due[c] = new(big.Rat)
		}
		for epoch := range 20 {
			e, total := quotas.Epoch(epoch), int64(0)
			done, whole := progress(epoch)
			for c := range n {
				for _, end := range []struct {
					shares []int64
					weight uint64
				}{{from, whole - done}, {to, done}} {
					share := big.NewRat(end.shares[c], sum(end.shares))
					share.Mul(share, big.NewRat(int64(end.weight), int64(whole)))
					due[c].Add(due[c], share.Mul(share, big.NewRat(draws, 1)))
				}
				used[c] += e.Quota(c)
				total += e.Quota(c)
				off, _ := new(big.Rat).Sub(due[c], big.NewRat(used[c], 1)).Float64()
				if off >= 2 || off <= -2 || e.Quota(c) < 0 {
					t.Fatalf("from %v to %v over %d, N = %d: after epoch %d class %d is off by %v", from, to, over, draws, epoch, c, off)
				}
			}
			if total != draws {
				t.Fatalf("epoch %d has %d draws of %d", epoch, total, draws)
			}
		}
		if again, want := NewScheduled(Division{Shares: to, From: from}, draws, progress).Epoch(17), quotas.Epoch(17); again.Starts[n] != draws || again.Quota(0) != want.Quota(0) {
			t.Fatal("epoch 17 alone is another than after those before")
		}
	}
}

// TestScheduledEnds: where nothing has changed yet, and where all has, quotas are those of
// the shares alone.
func TestScheduledEnds(t *testing.T) {
	from, to := []int64{6, 3, 1}, []int64{1, 1, 2}
	parts := []Division{{Shares: []int64{1, 1}, From: []int64{1, 3}}, {Shares: []int64{1}}, {Shares: []int64{1}}}
	late := func(epoch int) (uint64, uint64) { return uint64(min(1, epoch/3)), 1 }
	quotas := NewScheduled(Division{Shares: to, From: from, Parts: parts}, 40, late)
	for epoch := range 6 {
		want := []int64{6, 18, 12, 4}
		if epoch >= 3 {
			want = []int64{5, 5, 10, 20}
		}
		for c := range want {
			if got := quotas.Epoch(epoch).Quota(c); got != want[c] {
				t.Errorf("epoch %d: class %d has %d draws, want %d", epoch, c, got, want[c])
			}
		}
	}
}
