package warp

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// bothWays runs do with assembly and without.
func bothWays(t *testing.T, do func()) {
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

// unit is weights with the sum 1.
func unit(r *rand.Rand, n int) []int16 {
	w, rest := make([]int16, n), int16(1<<planeBits)
	for i := range n - 1 {
		w[i] = int16(r.IntN(int(rest)/2 + 1))
		rest -= w[i]
	}
	w[n-1] = rest
	return w
}

func randomBytes(r *rand.Rand, n int) []uint8 {
	pix := make([]uint8, n)
	for i := range pix {
		pix[i] = uint8(r.Uint32() >> r.IntN(30))
	}
	return pix
}

func TestBlendedRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var all [][]int16
	for range 3000 {
		n, taps := 1+r.IntN(90), 1+r.IntN(14)
		stride := n + r.IntN(20)
		pix := randomBytes(r, (taps-1)*stride+n) // not a byte more
		weights := unit(r, taps)
		bothWays(t, func() {
			dst := make([]int16, n+1)
			dst[n] = 77
			blendRows16(dst[:n], pix, stride, weights)
			same(t, &all, dst)
		})
	}
}

func TestResizedRows(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	var all [][]uint16
	for range 2000 {
		a := axis{in: 1 + r.IntN(300), out: 1 + r.IntN(60)}
		a.scale = float64(a.in) / float64(a.out)
		after := line{0, 1}
		if r.IntN(2) == 0 {
			after = line{a.out - 1, -1} // mirrored
		}
		var places, weights []int32
		var reals []float64
		var z resizing
		z.across = a.kernel(Bilinear, a.out, after, line{0, 1}, &places, &weights, &reals)
		z.across.narrow()
		z.left, z.right = span(&z.across)
		src := make([]int16, z.right-z.left)
		for i := range src {
			src[i] = int16(r.IntN(255<<blendedBits + 1))
		}
		bothWays(t, func() {
			row := src
			if useAssembly {
				z.pack()
				row = append(slices.Clip(src), make([]int16, 8*z.chunks+8)...)[:len(src)]
			}
			dst := make([]uint16, a.out+1)
			dst[a.out] = 77
			z.resize(dst[:a.out], row)
			same(t, &all, dst)
		})
	}
}

func TestConvertedRows(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var all [][]uint32
	for range 3000 {
		n := 1 + r.IntN(40)
		var rows [3][]uint16
		for c := range rows {
			for range n {
				rows[c] = append(rows[c], uint16(r.IntN(255<<8+1)))
			}
		}
		bothWays(t, func() {
			out := make([]uint32, n+1)
			convert(out[:n], &rows)
			same(t, &all, out)
		})
	}
}
