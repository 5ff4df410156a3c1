package jpeg

import (
	"math/rand/v2"
	"testing"
)

// randomBlock fills a block as dense and as strong as it comes, up to maxPlainSum.
func randomBlock(r *rand.Rand, c *coefBlock) {
	most := 1 + r.IntN(64)
	for k := range most {
		limit := 1 << r.IntN(12)
		v := r.IntN(2*limit+1) - limit
		if r.IntN(3) > 0 && c.sum+int64(max(v, -v)) <= maxPlainSum {
			c.set(k, v, 1)
		}
	}
}

func TestAssemblyEqualsGo(t *testing.T) {
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func(was bool) { useAssembly = was }(useAssembly)
	r := rand.New(rand.NewPCG(1, 2))
	var plain, fast idct
	for i := range 200_000 {
		size := []int{8, 8, 4, 2, 1}[r.IntN(5)]
		const stride = 19
		got, want := [2][8 * stride]uint8{}, [2][8 * stride]uint8{}
		for k := range 1 + r.IntN(2) { // with one, flush has to write it
			randomBlock(r, plain.next())
			fast.blocks[fast.waiting] = *plain.next()
			useAssembly = false
			plain.put(want[k][:], stride, size)
			useAssembly = true
			fast.put(got[k][:], stride, size)
		}
		fast.flush()
		if got != want {
			t.Fatalf("blocks %d of size %d:\n%v\n%v", i, size, got, want)
		}
	}
}
