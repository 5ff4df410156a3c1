package warp

import (
	"math"
	"sync"
)

// tapTables hold the weights of the wide filters for every fraction of a pixel.
var tapTables = map[Filter]func() *[one][]float64{Bicubic: tabulateTaps(Bicubic), Lanczos: tabulateTaps(Lanczos)}

func tabulateTaps(f Filter) func() *[one][]float64 {
	return sync.OnceValue(func() *[one][]float64 {
		var table [one][]float64
		for i := range table {
			table[i] = f.taps(int64(i))
		}
		return &table
	})
}

// convolve is Filter.convolve, its sums in the same order.
func (s *stack) convolve(src *Source, rgb []uint8, x, y int) {
	l := &s.layers[0]
	m := &l.fixed
	u := (m[0]*int64(x) + m[1]*int64(y) + m[2]) >> runShift
	v := (m[3]*int64(x) + m[4]*int64(y) + m[5]) >> runShift
	left, top := u>>FractionBits+1-int64(s.reach()), v>>FractionBits+1-int64(s.reach())
	wx, wy := s.taps[u&(one-1)], s.taps[v&(one-1)]
	for c := range rgb {
		sum := 0.0
		for j, weight := range wy {
			row := 0.0
			for i, w := range wx {
				row += float64(w * float64(l.at(src, left+int64(i), top+int64(j), c)))
			}
			sum += float64(weight * row)
		}
		rgb[c] = uint8(min(max(math.Floor(sum+0.5), 0), 255))
	}
}
