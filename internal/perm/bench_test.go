package perm

import (
	"fmt"
	"testing"

	"github.com/sluicedata/sluice/internal/rng"
)

var sink uint64

// BenchmarkAt is the time of one draw where the permutation is kept, as an
// epoch's is.
func BenchmarkAt(b *testing.B) {
	for _, n := range []uint64{50, 100, 1e6, 1e9, 1 << 40} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			p := New(n, rng.NewKey(1, "bench", "0"), 0)
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				sink += p.At(i)
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

// BenchmarkNew is the time of a permutation that is used once, as a class's is.
func BenchmarkNew(b *testing.B) {
	for _, n := range []uint64{5, 64, 65, 1e9} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			key := rng.NewKey(1, "bench", "0")
			b.ReportAllocs()
			for round := uint64(0); b.Loop(); round++ {
				p := New(n, key, round)
				sink += p.At(round % n)
			}
		})
	}
}
