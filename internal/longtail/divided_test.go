package longtail

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

// apportioned is a division in exact fractions, part by part, to be read beside the text
// of Quotas.
type apportioned struct {
	shares  []int64
	credits []*big.Rat
	parts   []*apportioned
}

func newApportioned(d Division) *apportioned {
	a := &apportioned{shares: d.Shares}
	for range d.Shares {
		a.credits = append(a.credits, new(big.Rat))
	}
	for _, p := range d.Parts {
		a.parts = append(a.parts, newApportioned(p))
	}
	return a
}

// next appends the quotas of the next epoch, in the order of the classes.
func (a *apportioned) next(draws int64, out []int64) []int64 {
	quota, rest := make([]int64, len(a.shares)), make([]*big.Rat, len(a.shares))
	order, left := make([]int, len(a.shares)), draws
	for c, s := range a.shares {
		if total := sum(a.shares); total > 0 {
			a.credits[c].Add(a.credits[c], new(big.Rat).Mul(big.NewRat(draws, 1), big.NewRat(s, total)))
		}
		credit := new(big.Rat).Set(a.credits[c])
		if credit.Sign() < 0 {
			credit.SetInt64(0)
		}
		quota[c] = new(big.Int).Quo(credit.Num(), credit.Denom()).Int64()
		rest[c] = credit.Sub(credit, big.NewRat(quota[c], 1))
		left -= quota[c]
		order[c] = c
	}
	sort.SliceStable(order, func(i, j int) bool { return rest[order[i]].Cmp(rest[order[j]]) > 0 })
	for _, c := range order[:max(0, left)] {
		quota[c]++
	}
	for left < 0 {
		for _, c := range slices.Backward(order) {
			if left < 0 && quota[c] > 0 {
				quota[c]--
				left++
			}
		}
	}
	for c, m := range quota {
		a.credits[c].Sub(a.credits[c], big.NewRat(m, 1))
		if a.parts == nil {
			out = append(out, m)
		} else {
			out = a.parts[c].next(m, out)
		}
	}
	return out
}

// randomDivision has shares of 0, single classes and up to three levels.
func randomDivision(random *rand.Rand, depth int) Division {
	d := Division{Shares: make([]int64, 1+random.IntN(5))}
	for i := range d.Shares {
		d.Shares[i] = []int64{0, 1, random.Int64N(9), random.Int64N(1e12)}[random.IntN(4)]
		if depth > 0 {
			d.Parts = append(d.Parts, randomDivision(random, depth-1))
		}
	}
	d.Shares[random.IntN(len(d.Shares))] = 1 + random.Int64N(50)
	return d
}

func TestDividedQuotasAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for range 300 {
		d := randomDivision(random, random.IntN(3))
		draws := []int64{1, 2, random.Int64N(40), 1000 + random.Int64N(1000), 1e15}[random.IntN(5)]
		quotas, want, outer := NewDivided(d, draws), newApportioned(d), NewQuotas(d.Shares, draws)
		var used []int64
		for epoch := range 20 {
			quota := want.next(draws, nil)
			if used == nil {
				used = make([]int64, len(quota))
			}
			checkEpoch(t, "a division", quotas.Epoch(epoch), epoch, quota, used)
			if d.Parts != nil && d.Parts[0].Parts == nil { // the outer quotas are those of the shares alone
				n := int64(0)
				for c := range d.Parts[0].Shares {
					n += quotas.Epoch(epoch).Quota(c)
				}
				if alone := outer.Epoch(epoch).Quota(0); n != alone {
					t.Fatalf("%+v, N = %d: epoch %d gives part 0 %d draws, without its parts %d", d, draws, epoch, n, alone)
				}
			}
			for c, m := range quota {
				used[c] += m
			}
		}
		if again := quotas.Epoch(0); again.Number != 0 || slices.Max(again.Used) != 0 {
			t.Fatalf("back in epoch 0: %+v", again)
		}
	}
}

// TestDividedKeepsUp: over many epochs each class gets what it is due, within two draws
// for each level.
func TestDividedKeepsUp(t *testing.T) {
	d := Division{Shares: []int64{2, 1}, Parts: []Division{{Shares: []int64{1, 1, 1, 1, 1, 1, 1}}, {Shares: []int64{5, 0, 3}}}}
	quotas, drawn := NewDivided(d, 10), make([]int64, 10)
	for epoch := range 210 {
		for c := range drawn {
			drawn[c] += quotas.Epoch(epoch).Quota(c)
		}
	}
	for c, due := range []float64{200, 200, 200, 200, 200, 200, 200, 437.5, 0, 262.5} {
		if diff := float64(drawn[c]) - due; diff <= -4 || diff >= 4 {
			t.Errorf("class %d was drawn %d times, due were %v", c, drawn[c], due)
		}
	}
}

func TestExplicit(t *testing.T) {
	rat := func(texts ...string) (list []*big.Rat) {
		for _, text := range texts {
			r, _ := new(big.Rat).SetString(text)
			list = append(list, r)
		}
		return list
	}
	for _, c := range []struct {
		given    []*big.Rat
		want     []int64
		tooSmall int
	}{
		{rat("2", "1"), []int64{2, 1}, -1},
		{rat("0.7", "0.3", "0"), []int64{7, 3, 0}, -1},
		{rat("0.125", "1e-3", "12"), []int64{125, 1, 12000}, -1},
		{rat("4611686018427387903", "1"), []int64{1<<62 - 1, 1}, -1},
		{rat("1e30", "1e30"), []int64{1 << 60, 1 << 60}, -1},
		{rat("1e-30", "3e-30"), []int64{1, 3}, -1},
		{rat("1e30", "1", "0"), []int64{1 << 61, 0, 0}, 1},
	} {
		if got, tooSmall := Explicit(c.given); !slices.Equal(got, c.want) || tooSmall != c.tooSmall {
			t.Errorf("%v become %v, too small %d; want %v, %d", c.given, got, tooSmall, c.want, c.tooSmall)
		}
	}
}
