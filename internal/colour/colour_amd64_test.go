package colour

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

func grey(p []uint8) int {
	return (19595*int(p[0]) + 38470*int(p[1]) + 7471*int(p[2]) + 1<<15) >> 16
}

func blend(level, v int, factor float32) uint8 {
	return uint8(min(max(float32(level)+float32(factor*float32(v-level)), 0), 255))
}

// What is done is what the formulas say, and memory ends behind it. (Package stages
// compares hues with Pillow's.)
func TestColour(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 9))
	for n := range 120 {
		pixels := make([]uint8, n)
		for i := range pixels {
			pixels[i] = uint8(rnd.Uint32())
		}
		level, factor := rnd.IntN(256), 3*rnd.Float32()
		check := func(name string, run func([]uint8) int, want func(out []uint8)) {
			t.Helper()
			have, expect := guard.Slice[uint8](t, n), bytes.Clone(pixels)
			copy(have, pixels)
			done := run(have)
			want(expect[:done])
			if !bytes.Equal(have, expect) {
				t.Errorf("%s of %d bytes: %v, want %v", name, n, have, expect)
			}
			if useAssembly && done <= n-24 {
				t.Errorf("%s of %d bytes does %d", name, n, done)
			}
		}
		check("levels", func(p []uint8) int { return Levels(p, float32(level), factor) }, func(out []uint8) {
			for i, v := range out {
				out[i] = blend(level, int(v), factor)
			}
		})
		check("saturate", func(p []uint8) int { return Saturate(p, factor) }, func(out []uint8) {
			for ; len(out) > 0; out = out[3:] {
				l := grey(out)
				for c, v := range out[:3] {
					out[c] = blend(l, int(v), factor)
				}
			}
		})
		hues := new(Hues) // each is red
		check("hue", func(p []uint8) int { return TurnHue(p, hues, 0) }, func(out []uint8) {
			for ; len(out) > 0; out = out[3:] {
				most, least := max(out[0], out[1], out[2]), min(out[0], out[1], out[2])
				s := 0
				if most > 0 {
					s = int(float64(float32(most-least)/float32(most)) * 255)
				}
				low := uint8(float64(most)*(1-float64(float32(float64(s)/255))) + 0.49999999999999994)
				out[0], out[1], out[2] = most, low, low
			}
		})
		sum, done := Greys(pixels)
		for p := pixels[:done]; len(p) > 0; p = p[3:] {
			sum -= grey(p)
		}
		if sum != 0 {
			t.Errorf("the greys of %d bytes are off by %d", n, sum)
		}
	}
	if Levels(make([]uint8, 16), 0, 1<<21) != 0 || Saturate(make([]uint8, 24), 1<<21) != 0 {
		t.Error("a factor that is too large is taken")
	}
}
