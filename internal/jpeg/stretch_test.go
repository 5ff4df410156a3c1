package jpeg

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// A stretch transforms blocks as coded to the samples that plain Go makes of them one by one, of
// any size, number and contents, and touches no others.
func TestStretchTransformsAsPlainGo(t *testing.T) {
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func(was bool) { useAssembly = was }(useAssembly)
	r := rand.New(rand.NewPCG(5, 6))
	extremes := 0
	for round := range 2000 {
		size := []int{8, 8, 8, 4, 2}[r.IntN(5)]
		n, h := 1+r.IntN(7), 1+r.IntN(2)
		s := stretch{perMCU: 1 + r.IntN(3)}
		c := scanComponent{component: &component{size: size, stride: 8 * 20}, h: h}
		for k := range c.quant.q {
			c.quant.q[k] = uint16(1 + r.IntN(30))
		}
		c.tabulateFactors()
		block := r.IntN(s.perMCU)
		plane := make([]uint8, 8*c.stride)
		for i := range plane {
			plane[i] = uint8(r.Uint32())
		}
		want := bytes.Clone(plane)
		var plain idct
		useAssembly = false
		for m := range n {
			i := block + m*s.perMCU
			blocks := coefBlock{}
			count := []int{0, 0, 1, 9, 63}[r.IntN(5)]
			for k := range count + 1 {
				most := 1 << r.IntN(6)
				if round%4 == 0 {
					most = 1 << (5 + r.IntN(8))
				}
				if v := r.IntN(2*most+1) - most; v != 0 && r.IntN(3) > 0 {
					s.coefs[i][zigzag[k]], s.last[i] = int16(v), uint8(k)
					blocks.set(k, v, int(c.quant.q[k]))
				}
			}
			if size == 8 {
				plain.one(want[m*h*size:], c.stride, &blocks)
			} else {
				plain.reduced(want[m*h*size:], c.stride, &blocks, size)
			}
		}
		extremes += plain.extremes
		var fast idct
		useAssembly = true
		s.transform(&c, &fast, plane, block, n)
		if !bytes.Equal(plane, want) {
			t.Fatalf("round %d: %d blocks of %d, %d apart, to %dx%d: other samples with assembly", round, n, s.perMCU, h, size, size)
		}
	}
	if extremes < 100 || extremes > 3000 {
		t.Errorf("%d blocks of 2000 rounds were extreme", extremes)
	}
}
