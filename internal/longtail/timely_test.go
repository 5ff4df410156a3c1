package longtail

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTimelyQuotas: after every epoch each class's draws are those due, rounded up or down,
// and the draws are handed out as the text of Quotas says.
func TestTimelyQuotas(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	for range 150 {
		counts := randomCounts(random)
		draws := []int64{1, 2, max(1, int64(len(counts))/3), 1 + random.Int64N(100), sum(counts), 1e12}[random.IntN(6)]
		for name, target := range targets {
			shares := target(counts)
			quotas := NewDivided(Division{Shares: shares, Timely: true}, draws)
			rate, used := make([]*big.Rat, len(shares)), make([]int64, len(shares))
			for c, s := range shares {
				rate[c] = new(big.Rat).Mul(big.NewRat(draws, 1), big.NewRat(s, sum(shares)))
			}
			for epoch := range 40 {
				want := timely(rate, used, int64(epoch+1), draws)
				checkEpoch(t, name, quotas.Epoch(epoch), epoch, want, slices.Clone(used))
				for c, m := range want {
					used[c] += m
					due := new(big.Rat).Mul(rate[c], big.NewRat(int64(epoch+1), 1))
					if off := due.Sub(due, big.NewRat(used[c], 1)); m < 0 || off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
						t.Fatalf("%s of %v, N = %d: after epoch %d class %d is off by %s", name, counts, draws, epoch, c, off.FloatString(3))
					}
				}
				if sum(want) != draws {
					t.Fatalf("epoch %d has %d draws, want %d", epoch, sum(want), draws)
				}
			}
		}
	}
}

// timely is the quotas of an epoch, in exact fractions.
func timely(rate []*big.Rat, used []int64, epochs, draws int64) []int64 {
	type unit struct {
		class    int
		deadline *big.Int // the number of epochs after which it is due
		rest     *big.Rat
	}
	quota, left := make([]int64, len(rate)), draws
	var open []unit
	for c, r := range rate {
		credit := new(big.Rat).Mul(r, big.NewRat(epochs, 1))
		credit.Sub(credit, big.NewRat(used[c], 1))
		if credit.Sign() <= 0 {
			continue
		}
		quota[c] = new(big.Int).Quo(credit.Num(), credit.Denom()).Int64()
		left -= quota[c]
		rest := credit.Sub(credit, big.NewRat(quota[c], 1))
		if rest.Sign() > 0 {
			at := new(big.Rat).Quo(big.NewRat(used[c]+quota[c]+1, 1), r)
			deadline := new(big.Int).Add(at.Num(), new(big.Int).Sub(at.Denom(), big.NewInt(1)))
			open = append(open, unit{c, deadline.Quo(deadline, at.Denom()), rest})
		}
	}
	slices.SortStableFunc(open, func(a, b unit) int {
		if d := a.deadline.Cmp(b.deadline); d != 0 {
			return d
		}
		return b.rest.Cmp(a.rest)
	})
	for _, u := range open[:left] {
		quota[u.class]++
	}
	return quota
}

// TestTimelyWhereLargestRemaindersAreNot: the case in which those take draws back.
func TestTimelyWhereLargestRemaindersAreNot(t *testing.T) {
	shares := []int64{1, 50, 50, 50, 1}
	worst := func(timely bool) *big.Rat {
		quotas, used, worst := NewDivided(Division{Shares: shares, Timely: timely}, 2), make([]int64, 5), new(big.Rat)
		for epoch := range 152 {
			for c := range shares {
				used[c] += quotas.Epoch(epoch).Quota(c)
				off := new(big.Rat).Sub(big.NewRat(2*int64(epoch+1)*shares[c], 152), big.NewRat(used[c], 1))
				if off.Abs(off).Cmp(worst) > 0 {
					worst = off
				}
			}
		}
		return worst
	}
	one := big.NewRat(1, 1)
	if timely, other := worst(true), worst(false); timely.Cmp(one) >= 0 || other.Cmp(one) < 0 {
		t.Errorf("off by at most %s, by largest remainders %s", timely.FloatString(3), other.FloatString(3))
	}
}
