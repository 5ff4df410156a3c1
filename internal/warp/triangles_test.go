package warp

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Bilinear weights are the same with and without assembly, of any scale, place and number.
func TestTriangles(t *testing.T) {
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func() { useAssembly = true }()
	r := rand.New(rand.NewPCG(5, 8))
	for range 3000 {
		n, in := 1+r.IntN(50), 1+r.IntN(300)
		a := axis{in: in, out: n, first: r.IntN(9), origin: r.Float64() * float64(in-1), flipped: r.IntN(2) == 0}
		a.scale = (float64(in) - a.origin) / float64(n) * (1 - r.Float64()*r.Float64())
		after, before := line{0, 1}, line{0, 1}
		if r.IntN(2) == 0 {
			after = line{n - 1, -1}
		}
		if r.IntN(2) == 0 {
			before = line{in - 1, -1}
		}
		var got [2]kernel
		for i := range got {
			useAssembly = i == 1
			got[i] = a.kernel(Bilinear, n, after, before, new([]int32), new([]int32), new([]float64))
		}
		if !slices.Equal(got[0].starts, got[1].starts) || !slices.Equal(got[0].ends, got[1].ends) {
			t.Fatalf("%+v: other taps", a)
		}
		for i := range n {
			if x, y := got[0].weights[i*got[0].most:][:got[0].usual], got[1].weights[i*got[1].most:][:got[1].usual]; !slices.Equal(x, y) {
				t.Fatalf("%+v: pixel %d has the weights %v, and with assembly %v", a, i, x, y)
			}
		}
	}
}
