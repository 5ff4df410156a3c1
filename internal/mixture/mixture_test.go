package mixture

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

// What is done is what the formulas say, for any length, and memory ends behind it.
func TestMixture(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 8))
	for n := range 100 {
		for _, share := range []int{0, 1, One / 2, One - 1, One, rnd.IntN(One), rnd.IntN(One)} {
			own, partner, want := guard.Slice[uint8](t, n), guard.Slice[uint8](t, n), make([]uint8, n)
			for i := range n {
				own[i], partner[i] = uint8(rnd.Uint32()), uint8(rnd.Uint32())
				if rnd.IntN(4) == 0 {
					own[i], partner[i] = 255, 255
				}
				exact := (float64(own[i])*float64(share) + float64(partner[i])*float64(One-share)) / One
				want[i] = uint8(math.Floor(exact + 0.5))
			}
			Bytes(own, partner, share)
			if string(own) != string(want) {
				t.Fatalf("%d bytes, share %d: %v, want %v", n, share, own, want)
			}
			a := rnd.Float32()
			floats, others, wanted := guard.Slice[float32](t, n), guard.Slice[float32](t, n), make([]float32, n)
			for i := range n {
				floats[i], others[i] = 6*rnd.Float32()-3, 6*rnd.Float32()-3
				wanted[i] = float32(floats[i]*a) + float32(others[i]*(1-a))
			}
			Floats(floats, others, a, 1-a)
			for i, v := range floats {
				if v != wanted[i] {
					t.Fatalf("value %d of %d, share %v: %v, want %v", i, n, a, v, wanted[i])
				}
			}
		}
	}
}

func BenchmarkMixture(b *testing.B) {
	own, partner := make([]float32, 3*224*224), make([]float32, 3*224*224)
	bytes, others := make([]uint8, 3*224*224), make([]uint8, 3*224*224)
	b.Run("floats", func(b *testing.B) {
		for b.Loop() {
			Floats(own, partner, 0.3, 0.7)
		}
	})
	b.Run("bytes", func(b *testing.B) {
		for b.Loop() {
			Bytes(bytes, others, One/3)
		}
	})
}
