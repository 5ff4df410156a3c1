package longtail

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"
	"testing"
)

// rational is the closed form in exact fractions, with no other aim than to be
// read beside the text of Quotas.
type rational struct {
	draws int64
	due   []*big.Rat // N p_c
	used  []int64
	epoch int64

	tookBack int      // the last epoch's excess of whole parts
	largest  *big.Rat // credit that was left after an epoch
}

func newRational(shares []int64, draws int64) *rational {
	r := &rational{draws: draws, used: make([]int64, len(shares)), largest: new(big.Rat)}
	for _, s := range shares {
		r.due = append(r.due, new(big.Rat).Mul(new(big.Rat).SetInt64(draws), big.NewRat(s, sum(shares))))
	}
	return r
}

func (r *rational) next() []int64 {
	quota, rest := make([]int64, len(r.due)), make([]*big.Rat, len(r.due))
	credits := make([]*big.Rat, len(r.due))
	order := make([]int, len(r.due))
	r.epoch++
	left := r.draws
	for c, due := range r.due {
		credit := new(big.Rat).Mul(big.NewRat(r.epoch, 1), due)
		credit.Sub(credit, big.NewRat(r.used[c], 1))
		credits[c] = credit
		if credit.Sign() < 0 {
			credit = new(big.Rat)
		}
		quota[c] = new(big.Int).Quo(credit.Num(), credit.Denom()).Int64()
		rest[c] = new(big.Rat).Sub(credit, big.NewRat(quota[c], 1))
		left -= quota[c]
		order[c] = c
	}
	sort.SliceStable(order, func(i, j int) bool { return rest[order[i]].Cmp(rest[order[j]]) > 0 })
	r.tookBack = int(max(0, -left))
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
	for c := range quota {
		r.used[c] += quota[c]
		if credits[c].Sub(credits[c], big.NewRat(quota[c], 1)).Cmp(r.largest) > 0 {
			r.largest = credits[c]
		}
	}
	return quota
}

var targets = map[string]func([]int64) []int64{
	"instance":       Instance,
	"square_root":    SquareRoot,
	"power 0.3":      func(counts []int64) []int64 { return Power(counts, 0.3) },
	"class_balanced": ClassBalanced,
}

// randomCounts has empty classes, equal ones, and tails of several lengths.
func randomCounts(random *rand.Rand) []int64 {
	counts := make([]int64, 1+random.IntN(40))
	steep, twoSizes := random.Float64()*12, random.IntN(3) == 0
	for c := range counts {
		x := random.Float64()
		if twoSizes { // what makes the whole parts exceed N
			x = math.Floor(x + 0.3)
		}
		counts[c] = int64(math.Exp(x * steep))
		if random.IntN(8) == 0 {
			counts[c] = 0
		}
	}
	counts[random.IntN(len(counts))] = 1 + random.Int64N(1000)
	return counts
}

func TestQuotasAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	tookBack, largest := 0, 0.0
	for range 120 {
		counts := randomCounts(random)
		draws := []int64{1, int64(len(counts)) / 3, 1 + random.Int64N(100), sum(counts), 1e15 + random.Int64N(1e15)}[random.IntN(5)]
		for name, target := range targets {
			shares := target(counts)
			want, quotas := newRational(shares, draws), NewQuotas(shares, draws)
			for epoch := range 25 {
				used := slices.Clone(want.used)
				checkEpoch(t, fmt.Sprintf("%s of %v, N = %d", name, counts, draws), quotas.Epoch(epoch), epoch, want.next(), used)
				tookBack = max(tookBack, want.tookBack)
			}
			f, _ := want.largest.Float64()
			largest = max(largest, f)
		}
	}
	if tookBack < 2 {
		t.Errorf("at most %d draws were taken back: the cases are too tame", tookBack)
	}
	if largest >= 2 {
		t.Errorf("a class was %v draws behind: the doc of Quotas says less than 2", largest)
	}
	t.Logf("at most %d draws taken back, %.3f draws behind", tookBack, largest)
}

func checkEpoch(t *testing.T, what string, e *Epoch, number int, quota, used []int64) {
	t.Helper()
	got := make([]int64, len(quota))
	for c := range got {
		got[c] = e.Quota(c)
	}
	if e.Number != number || !slices.Equal(got, quota) || !slices.Equal(e.Used, used) {
		t.Fatalf("%s: epoch %d (number %d) has quotas\n%v after %v, want\n%v after %v", what, number, e.Number, got, e.Used, quota, used)
	}
}

// TestTakesBack is the case that the doc of Quotas names.
func TestTakesBack(t *testing.T) {
	shares := []int64{1, 50, 50, 50, 1}
	want, quotas := newRational(shares, 2), NewQuotas(shares, 2)
	first := -1
	for epoch := range 200 {
		used := slices.Clone(want.used)
		checkEpoch(t, "1, 50, 50, 50, 1", quotas.Epoch(epoch), epoch, want.next(), used)
		if want.tookBack > 0 && first < 0 {
			first = epoch
		}
	}
	if first != 31 {
		t.Errorf("the whole parts exceed N in epoch %d for the first time", first)
	}
}

// TestEqualShares: with equal shares nothing need ever be taken back, and no
// class is a whole draw behind or ahead.
func TestEqualShares(t *testing.T) {
	for classes := int64(1); classes <= 20; classes += 3 {
		shares := slices.Repeat([]int64{1}, int(classes))
		for draws := int64(0); draws < 50; draws += 3 {
			want := newRational(shares, draws)
			for epoch := range 30 {
				if want.next(); want.tookBack > 0 {
					t.Fatalf("%d classes, N = %d, epoch %d: %d taken back", classes, draws, epoch, want.tookBack)
				}
			}
			if want.largest.Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("%d classes, N = %d: %v behind", classes, draws, want.largest)
			}
		}
	}
}

// TestStarvesNone: with 1,000 classes and N = 500, over 50 epochs, every class is
// within two draws of what it is due, whatever the target.
func TestStarvesNone(t *testing.T) {
	counts := make([]int64, 1000)
	for c := range counts { // Cao et al. 2019, imbalance factor 100
		counts[c] = int64(1280 * math.Pow(0.01, float64(c)/999))
	}
	for name, target := range targets {
		shares := target(counts)
		quotas := NewQuotas(shares, 500)
		drawn := make([]int64, len(counts))
		for epoch := range 50 {
			e := quotas.Epoch(epoch)
			if e.Starts[len(counts)] != 500 {
				t.Fatalf("%s: epoch %d has %d draws", name, epoch, e.Starts[len(counts)])
			}
			for c := range counts {
				drawn[c] += e.Quota(c)
			}
		}
		for c, n := range drawn {
			due := 50 * 500 * float64(shares[c]) / float64(sum(shares))
			if n == 0 || math.Abs(float64(n)-due) >= 2 {
				t.Errorf("%s: class %d of %d samples was drawn %d times, due were %.2f", name, c, counts[c], n, due)
			}
		}
	}
}

func TestSlots(t *testing.T) {
	quotas := NewQuotas([]int64{0, 3, 0, 0, 1, 7, 0}, 23)
	used := make([]int64, 7)
	for epoch := range 5 {
		e := quotas.Epoch(epoch)
		for slot := range int64(23) {
			class, use := e.Slot(slot)
			if use != used[class] {
				t.Fatalf("epoch %d, slot %d: use %d of class %d, want %d", epoch, slot, use, class, used[class])
			}
			used[class]++
		}
	}
	if used[0]+used[2]+used[3]+used[6] != 0 {
		t.Errorf("classes without a share were drawn: %v", used)
	}
}

// TestEpochsInAnyOrder asks for epochs forward, backward, far ahead and from
// several goroutines.
func TestEpochsInAnyOrder(t *testing.T) {
	shares := SquareRoot([]int64{5000, 1200, 900, 60, 41, 7, 1})
	want := newRational(shares, 17)
	var quota, used [][]int64
	for range 300 {
		used = append(used, slices.Clone(want.used))
		quota = append(quota, want.next())
	}
	quotas := NewQuotas(shares, 17)
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(3, uint64(worker)))
			for range 200 {
				e := random.IntN(300)
				if got := quotas.Epoch(e); got.Number != e || !slices.Equal(got.Used, used[e]) || got.Quota(0) != quota[e][0] {
					t.Errorf("epoch %d: %v after %v", e, got.Starts, got.Used)
				}
			}
		})
	}
	wait.Wait()
}

// TestKeepsFewEpochs bounds what is kept after a resume far ahead.
func TestKeepsFewEpochs(t *testing.T) {
	quotas := NewQuotas(slices.Repeat([]int64{3, 1}, 500), 700)
	quotas.Epoch(10_000)
	for i := range quotas.recent {
		if e := quotas.recent[i].Load(); e == nil || e.Number < 9_993 {
			t.Errorf("place %d keeps %v", i, e)
		}
	}
	allocations := testing.AllocsPerRun(1, func() { quotas.Epoch(5); quotas.Epoch(2_000) })
	if allocations > 100 {
		t.Errorf("going forward 2,000 epochs allocates %.0f times", allocations)
	}
}

func TestNewQuotasRefuses(t *testing.T) {
	for name, f := range map[string]func(){
		"none":      func() { NewQuotas(nil, 3) },
		"zero":      func() { NewQuotas([]int64{0, 0}, 3) },
		"negative":  func() { NewQuotas([]int64{5, -1}, 3) },
		"too large": func() { NewQuotas([]int64{1 << 62, 1}, 3) },
		"draws":     func() { NewQuotas([]int64{1}, -1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			f()
		}()
	}
}

func TestSelectFirst(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		list := make([]candidate, 1+random.IntN(50))
		for i, tie := range random.Perm(len(list)) {
			list[i] = candidate{random.Uint64N(3), random.Uint64N(4), tie, i}
		}
		want := slices.Clone(list)
		order := func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.urgency, a.urgency), cmp.Compare(b.rank, a.rank), cmp.Compare(a.tie, b.tie))
		}
		slices.SortFunc(want, order)
		n := random.IntN(len(list) + 1)
		selectFirst(list, n)
		slices.SortFunc(list[:n], order)
		if !slices.Equal(list[:n], want[:n]) {
			t.Fatalf("the first %d are %v, want %v", n, list[:n], want[:n])
		}
	}
}

func BenchmarkEpoch10000(b *testing.B) {
	for _, classes := range []int{10, 1000} {
		counts := make([]int64, classes)
		for c := range counts {
			counts[c] = int64(1 + 5000/(c+1))
		}
		b.Run(fmt.Sprintf("classes=%d", classes), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NewQuotas(SquareRoot(counts), sum(counts)/3).Epoch(10_000)
			}
		})
	}
}
