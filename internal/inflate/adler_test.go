package inflate

import (
	"hash/adler32"
	"math/rand/v2"
	"testing"
)

// The sum is that of Go's library, whatever the lengths of the parts.
func TestAdler(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, kind := range []string{"high", "random", "sparse"} {
		for _, length := range []int{0, 1, 7, 8, 9, 100, adlerMost - 1, adlerMost, adlerMost + 9, 70_000} {
			data := make([]byte, length)
			for i := range data {
				switch v := rnd.Uint32(); {
				case kind == "high":
					data[i] = 255
				case kind == "random" || v%100 == 0:
					data[i] = byte(v >> 8)
				}
			}
			s, want := adler{a: 1}, adler32.Checksum(data)
			for rest := data; len(rest) > 0; {
				n := min(1+rnd.IntN(9000), len(rest))
				s.add(rest[:n])
				rest = rest[n:]
			}
			if have := s.value(); have != want {
				t.Errorf("%s, %d bytes: %#x, want %#x", kind, length, have, want)
			}
		}
	}
}
