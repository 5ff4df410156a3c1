package rng

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// golden is testdata/philox.json, written by testdata/golden.py.
type golden struct {
	Numpy  string
	Philox []struct {
		Key     [2]uint64
		Counter [4]uint64
		Raw     []uint64
	}
	Streams []struct {
		Seed      uint64
		Stage, ID string
		Epoch     int
		Position  int64
		Attempt   int
		Raw       []uint64
		Float64   []float64
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/philox.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Philox) == 0 || len(g.Streams) == 0 {
		t.Fatal("testdata/philox.json is empty: cd internal/rng/testdata && python3 golden.py > philox.json")
	}
	return g
}

func TestPhiloxIsNumpys(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Philox {
		s := &Stream{key: Key{c.Key[0], c.Key[1]}, counter: c.Counter, used: 4}
		for i, want := range c.Raw {
			if got := s.Uint64(); got != want {
				t.Fatalf("key %x, counter %x, value %d: %x, numpy %s has %x", c.Key, c.Counter, i, got, g.Numpy, want)
			}
		}
	}
}

// TestStreamAddress pins where a draw's randomness lies: changing it would
// change the bytes of every dataset.
func TestStreamAddress(t *testing.T) {
	for _, c := range readGolden(t).Streams {
		key := NewKey(c.Seed, c.Stage, c.ID)
		raw, float := key.Stream(c.Epoch, c.Position, c.Attempt), key.Stream(c.Epoch, c.Position, c.Attempt)
		for i := range c.Raw {
			if got := raw.Uint64(); got != c.Raw[i] {
				t.Errorf("%s %q: value %d is %x, want %x", c.Stage, c.ID, i, got, c.Raw[i])
			}
			if got := float.Float64(); got != c.Float64[i] {
				t.Errorf("%s %q: float %d is %v, want %v", c.Stage, c.ID, i, got, c.Float64[i])
			}
		}
	}
}

func TestStreamsDiffer(t *testing.T) {
	seen := map[uint64]string{}
	add := func(name string, s *Stream) {
		t.Helper()
		for range 9 { // more than two blocks, so that neighbours in any counter word would show
			v := s.Uint64()
			if other, ok := seen[v]; ok {
				t.Fatalf("%s and %s share the value %x", name, other, v)
			}
			seen[v] = name
		}
	}
	base := NewKey(1, "crop", "0")
	add("base", base.Stream(0, 0, 0))
	add("epoch", base.Stream(1, 0, 0))
	add("position", base.Stream(0, 1, 0))
	add("attempt", base.Stream(0, 0, 1))
	add("seed", NewKey(2, "crop", "0").Stream(0, 0, 0))
	add("stage", NewKey(1, "flip", "0").Stream(0, 0, 0))
	add("id", NewKey(1, "crop", "1").Stream(0, 0, 0))
	add("border of stage and id", NewKey(1, "cro", "p0").Stream(0, 0, 0))
}

func TestIntNBounds(t *testing.T) {
	s := NewKey(7, "bounds", "").Stream(0, 0, 0)
	for _, n := range []int{math.MinInt, -1, 0, 1} {
		before := *s
		if got := s.IntN(n); got != 0 || *s != before {
			t.Errorf("IntN(%d) = %d, or it used up a value", n, got)
		}
	}
	for _, n := range []int{2, 3, 10, min(1<<32+1, math.MaxInt), min(1<<62, math.MaxInt), math.MaxInt} {
		for range 2000 {
			if got := s.IntN(n); got < 0 || got >= n {
				t.Fatalf("IntN(%d) = %d", n, got)
			}
		}
	}
}

func TestIntNUniform(t *testing.T) {
	const draws = 100_000
	for _, n := range []int{2, 3, 7, 10, 100} {
		s := NewKey(7, "uniform", "").Stream(0, int64(n), 0)
		counts := make([]int, n)
		for range draws {
			counts[s.IntN(n)]++
		}
		checkUniform(t, n, counts)
	}
	// A bound that isn't small against 2^64: without the rejection, the residues
	// mod 3 would have shares 3/8, 3/8 and 2/8.
	if math.MaxInt == math.MaxInt32 {
		return
	}
	large := int(3 * int64(math.MaxInt/4+1))
	s := NewKey(7, "uniform", "").Stream(0, int64(large), 0)
	counts := make([]int, 3)
	for range draws {
		counts[s.IntN(large)%3]++
	}
	checkUniform(t, large, counts)
}

// checkUniform refuses a chi-square beyond five standard deviations.
func checkUniform(t *testing.T, n int, counts []int) {
	t.Helper()
	total := 0
	for _, c := range counts {
		total += c
	}
	want, chi := float64(total)/float64(len(counts)), 0.0
	for _, c := range counts {
		chi += (float64(c) - want) * (float64(c) - want) / want
	}
	free := float64(len(counts) - 1)
	if chi > free+5*math.Sqrt(2*free) {
		t.Errorf("IntN(%d): chi-square %.1f with %.0f degrees of freedom, counts %v", n, chi, free, counts)
	}
}

func TestFloat64(t *testing.T) {
	const draws = 100_000
	s := NewKey(7, "float", "").Stream(0, 0, 0)
	counts := make([]int, 64)
	for range draws {
		v := s.Float64()
		if v < 0 || v >= 1 || v*0x1p53 != math.Trunc(v*0x1p53) {
			t.Fatalf("Float64 gave %v", v)
		}
		counts[int(v*64)]++
	}
	checkUniform(t, 64, counts)
	if got := fixed(0).Float64(); got != 0 {
		t.Errorf("the smallest value is %v, want 0", got)
	}
	if got := fixed(math.MaxUint64).Float64(); got != 1-0x1p-53 {
		t.Errorf("the largest value is %v, want 1-2^-53", got)
	}
}

// TestUniformExcludesHigh has a range in which low + largest*(high-low) rounds
// up to high.
func TestUniformExcludesHigh(t *testing.T) {
	for _, r := range [][2]float64{{0, 1}, {-30, 30}, {100, 101}, {-101, -100}, {1, math.Nextafter(1, 2)}} {
		if got := fixed(math.MaxUint64).Uniform(r[0], r[1]); got < r[0] || got >= r[1] {
			t.Errorf("Uniform(%v, %v) gave %v", r[0], r[1], got)
		}
		if got := fixed(0).Uniform(r[0], r[1]); got != r[0] {
			t.Errorf("Uniform(%v, %v) of the smallest value is %v", r[0], r[1], got)
		}
	}
	if got := fixed(math.MaxUint64).Uniform(3, 3); got != 3 {
		t.Errorf("Uniform(3, 3) = %v", got)
	}
}

// fixed is a stream whose next four values are v.
func fixed(v uint64) *Stream { return &Stream{block: [4]uint64{v, v, v, v}} }

func TestStreamAllocations(t *testing.T) {
	key := NewKey(7, "allocations", "")
	var sum uint64
	position := int64(0)
	allocations := testing.AllocsPerRun(100, func() {
		s := key.Stream(0, position, 0)
		position++
		sum += s.Uint64() + uint64(s.IntN(10)) + uint64(s.Uniform(0, 100)) + s.Uint64() + s.Uint64()
	})
	if allocations > 1 {
		t.Errorf("a stream and five draws allocate %v times, want at most once (sum %d)", allocations, sum)
	}
}

func BenchmarkUint64(b *testing.B) {
	s := NewKey(7, "benchmark", "").Stream(0, 0, 0)
	var sum uint64
	for b.Loop() {
		sum += s.Uint64()
	}
	_ = sum
}
