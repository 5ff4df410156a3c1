package perm

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/sluicedata/sluice/internal/rng"
)

var testKey = rng.NewKey(1, "test", "0")

// TestBijection goes through every element of permutations on both sides of
// the border between tables and networks, and of powers of two.
func TestBijection(t *testing.T) {
	sizes := []uint64{511, 512, 513, 1000, 1<<12 - 1, 1 << 12, 1<<12 + 1, 1<<17 - 1, 1 << 17, 1<<17 + 1}
	for n := range uint64(301) {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		for round := range uint64(3) {
			p := New(n, testKey, round)
			seen := make([]bool, n)
			for i := range n {
				v := p.At(i)
				if v >= n || seen[v] {
					t.Fatalf("n = %d, round %d: element %d is %d, out of range or there twice", n, round, i, v)
				}
				seen[v] = true
			}
		}
	}
}

// TestLarge checks by sampling that no two elements are sent to one.
func TestLarge(t *testing.T) {
	const samples = 100_000
	for _, n := range []uint64{1e9, 1<<31 - 1, 1 << 31, 1<<31 + 1, 1<<32 + 1, 1<<40 - 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64} {
		p := New(n, testKey, 0)
		seen := make(map[uint64]uint64, 2*samples)
		add := func(i uint64) {
			v := p.At(i)
			if other, ok := seen[v]; v >= n || ok && other != i {
				t.Fatalf("n = %d: element %d is %d, out of range or that of element %d", n, i, v, other)
			}
			seen[v] = i
		}
		for i := range uint64(samples) {
			add(i)               // neighbours
			add(n / samples * i) // across the range
			add(n - 1 - i)
		}
	}
}

func TestOutOfRangePanics(t *testing.T) {
	for _, n := range []uint64{0, 1, 64, 65} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("n = %d: element %d was given", n, n)
				}
			}()
			p := New(n, testKey, 0)
			p.At(n)
		}()
	}
}

// TestPinned pins permutations, as testdata/pinned.py computes them without this
// package: changing them would change the bytes of every shuffled
// dataset.
func TestPinned(t *testing.T) {
	for _, c := range []struct {
		n, round uint64
		want     []uint64
	}{
		{5, 0, []uint64{0, 1, 3, 4, 2}},
		{64, 3, []uint64{18, 55, 46, 23, 51, 14}},
		{65, 0, []uint64{25, 19, 23, 35, 62, 58}},
		{1e9, 7, []uint64{561604562, 184157560, 329407969, 692371653, 581287575, 362929390}},
	} {
		p := New(c.n, rng.NewKey(42, "shuffle", "0"), c.round)
		got := make([]uint64, min(c.n, 6))
		for i := range got {
			got[i] = p.At(uint64(i))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("n = %d, round %d begins %v, want %v", c.n, c.round, got, c.want)
		}
	}
}

// TestFair counts, over many keys and over many rounds of one key, where single
// elements go, where pairs of elements go together, and how far apart
// neighbours land. A network of four rounds is off by 10 standard deviations in
// the last at n = 65 (by 210 with a million keys, with which eight rounds are
// within 3 everywhere).
func TestFair(t *testing.T) {
	const keys = 60_000
	byRound := func(n, i uint64) Perm { return New(n, testKey, i) }
	bySeed := func(n, i uint64) Perm { return New(n, rng.Key{Seed: i, Stage: testKey.Stage}, 0) }
	for _, n := range []uint64{2, 3, 5, 8, 64, 65, 100, 128, 129} {
		for name, perm := range map[string]func(n, i uint64) Perm{"rounds": byRound, "seeds": bySeed} {
			t.Run(name, func(t *testing.T) { fair(t, n, keys, perm) })
		}
	}
}

func fair(t *testing.T, n uint64, keys int, perm func(n, i uint64) Perm) {
	t.Parallel()
	first, last, apart := make([]int, n), make([]int, n), make([]int, n-1)
	neighbours, halves := make([]int, n*(n-1)), make([]int, n*(n-1))
	pair := func(a, b uint64) uint64 { // numbers the pairs of different values
		if b > a {
			b--
		}
		return a*(n-1) + b
	}
	for i := range uint64(keys) {
		p := perm(n, i)
		a, b := p.At(0), p.At(1)
		first[a]++
		last[p.At(n-1)]++
		apart[(b+n-a)%n-1]++
		neighbours[pair(a, b)]++
		halves[pair(a, p.At(n/2))]++
	}
	for name, counts := range map[string][]int{
		"first element": first, "last element": last, "distance of neighbours": apart,
		"first two": neighbours, "first and middle": halves,
	} {
		if z := excess(counts); z > 5 {
			t.Errorf("n = %d: %s: chi-square is %.1f standard deviations too large", n, name, z)
		}
	}
}

// excess is by how many standard deviations chi-square is above what uniform
// counts have.
func excess(counts []int) float64 {
	total := 0
	for _, c := range counts {
		total += c
	}
	want, chi := float64(total)/float64(len(counts)), 0.0
	for _, c := range counts {
		chi += (float64(c) - want) * (float64(c) - want) / want
	}
	free := float64(len(counts) - 1)
	if free == 0 {
		return 0
	}
	return (chi - free) / math.Sqrt(2*free)
}

// TestNeighbours looks for traces of i in the values of consecutive elements:
// serial correlation at small lags, and bits that follow a bit of i.
func TestNeighbours(t *testing.T) {
	const draws = 1 << 16
	for _, n := range []uint64{1000, 1 << 16, 1e6 + 1, 1e9, 1 << 33} {
		p := New(n, testKey, 0)
		values := make([]float64, min(n, draws)) // -1/2..1/2
		for i := range values {
			values[i] = (float64(p.At(uint64(i)))+0.5)/float64(n) - 0.5
		}
		for lag := 1; lag <= 8; lag++ {
			sum := 0.0
			for i := lag; i < len(values); i++ {
				sum += values[i] * values[i-lag]
			}
			if r := 12 * sum / float64(len(values)); math.Abs(r) > 5/math.Sqrt(float64(len(values))) {
				t.Errorf("n = %d: correlation %.4f at lag %d", n, r, lag)
			}
		}
		for bit := 0; 1<<bit < len(values); bit++ {
			upper := 0 // how often bit of i agrees with the upper half of the range
			for i, v := range values {
				if (i>>bit&1 == 1) == (v > 0) {
					upper++
				}
			}
			if z := (float64(upper) - float64(len(values))/2) / math.Sqrt(float64(len(values))/4); math.Abs(z) > 5 {
				t.Errorf("n = %d: bit %d of i is seen in the value: %.1f standard deviations", n, bit, z)
			}
		}
	}
}

func TestKeysAndRoundsDiffer(t *testing.T) {
	for _, n := range []uint64{30, 1000} {
		base := New(n, testKey, 0)
		for name, other := range map[string]Perm{
			"round":   New(n, testKey, 1),
			"key":     New(n, rng.NewKey(2, "test", "0"), 0),
			"purpose": New(n, Derive(testKey, 1, 0), 0),
			"number":  New(n, Derive(testKey, 0, 1), 0),
		} {
			same := 0
			for i := range n {
				if base.At(i) == other.At(i) {
					same++
				}
			}
			if same > 10 { // one is expected
				t.Errorf("n = %d: another %s leaves %d elements where they are", n, name, same)
			}
		}
	}
	seen := map[rng.Key]bool{testKey: true}
	for purpose := range uint64(3) {
		for number := range uint64(1000) {
			key := Derive(testKey, purpose, number)
			if seen[key] {
				t.Fatalf("purpose %d, number %d: a key for the second time", purpose, number)
			}
			seen[key] = true
		}
	}
}

func TestSeries(t *testing.T) {
	for _, n := range []uint64{1, 20, 500} {
		s := NewSeries(n, testKey)
		var wait sync.WaitGroup
		for worker := range 4 {
			wait.Go(func() {
				for step := range uint64(500) {
					round, i := (step*7+uint64(worker))%23, step%n
					p := New(n, testKey, round)
					if got, want := s.At(round, i), p.At(i); got != want {
						t.Errorf("n = %d, round %d: element %d is %d, want %d", n, round, i, got, want)
					}
				}
			})
		}
		wait.Wait()
	}
}

func TestAllocatesNothing(t *testing.T) {
	for _, n := range []uint64{10, 1e9} {
		if a := testing.AllocsPerRun(100, func() {
			p := New(n, testKey, 3)
			sink += p.At(5)
		}); a != 0 {
			t.Errorf("n = %d: %v allocations", n, a)
		}
	}
}
