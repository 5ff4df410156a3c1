package warp

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

// eitherWay runs do with assembly and without.
func eitherWay(t *testing.T, do func()) {
	t.Helper()
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func(was bool) { useAssembly = was }(useAssembly)
	for _, useAssembly = range []bool{false, true} {
		do()
	}
}

// same adds what a way gives to all; the second must be the first.
func same[T comparable](t *testing.T, all *[][]T, have []T) {
	t.Helper()
	if *all = append(*all, slices.Clone(have)); len(*all) == 2 {
		if !slices.Equal((*all)[0], have) {
			t.Fatalf("assembly gives other values:\n%v\n%v", have, (*all)[0])
		}
		*all = nil
	}
}

// Runs of points anywhere in the planes, in any direction, at their very edges too.
func TestSampledRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var bytes [][]uint8
	var sums [][]uint32
	for range 4000 {
		w, h := 2+r.IntN(60), 2+r.IntN(60)
		src := randomPlanes(r, h, w, 0)
		if src.Count == 1 {
			continue
		}
		n := 1 + r.IntN(40)
		at := func(size int) (from, step int64) {
			a, b := r.Int64N(int64(size-1)<<FixedBits+1), r.Int64N(int64(size-1)<<FixedBits+1)
			if r.IntN(3) == 0 {
				a, b = 0, int64(size-1)<<FixedBits
			}
			if r.IntN(4) == 0 {
				b = a
			}
			return a, (b - a) / int64(max(n-1, 1))
		}
		u, du := at(w)
		v, dv := at(h)
		eitherWay(t, func() {
			luma, chroma := walks(src, u, v, du, dv)
			chroma.stride = src.Planes[1].Rect.Dx()
			mem := new(scratch)
			pairs := pairChroma(mem, &src.Planes[1], &src.Planes[2])
			var run [3][]uint8
			levels := make([]uint8, 3*(n+7))
			for c := range run {
				run[c] = levels[c*(n+7):][:n]
			}
			sampleYCC(&run, luma, chroma, pairs)
			same(t, &bytes, slices.Concat(run[0], run[1], run[2]))
			var s [3][]uint32
			all := make([]uint32, 3*(n+7))
			for i := range all {
				all[i] = uint32(i)
			}
			for c := range s {
				s[c] = all[c*(n+7):][:n]
			}
			addYCC(&s, luma, chroma, pairs)
			same(t, &sums, all) // nothing behind the run has changed
		})
	}
}

// Means of random sums, the largest among them, by assembly and in Go, for any width and number of samples.
func TestMeansEitherWay(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	for range 500 {
		width, columns, rows := 1+r.IntN(50), 1+r.IntN(6), 1+r.IntN(60)
		n := columns * rows
		levels := guard.Slice[uint8](t, 3*width)
		sums := [3][]uint32{guard.Slice[uint32](t, width*columns), guard.Slice[uint32](t, width*columns), guard.Slice[uint32](t, width*columns)}
		for c := range sums {
			for i := range sums[c] {
				most := uint32(rows * 255 << 8)
				switch r.IntN(4) {
				case 0:
					sums[c][i] = most
				case 1:
					sums[c][i] = 0
				default:
					sums[c][i] = r.Uint32N(most + 1)
				}
			}
		}
		var want [][]uint8
		eitherWay(t, func() {
			clear(levels)
			row := [3][]uint8{levels[:width], levels[width:][:width], levels[2*width:]}
			means(&row, &sums, columns, n)
			same(t, &want, levels)
		})
	}
}
