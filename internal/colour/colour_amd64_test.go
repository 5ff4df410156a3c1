package colour

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

func grey(p []uint8) int {
	return (19595*int(p[0]) + 38470*int(p[1]) + 7471*int(p[2]) + 1<<15) >> 16
}

func blend(level, v int, factor float32) uint8 {
	return uint8(min(max(float32(level)+float32(factor*float32(v-level)), 0), 255))
}

// turned turns the hue of a pixel, as Pillow's Convert.c does there and back.
func turned(p []uint8, turn uint8) {
	most, least := max(p[0], p[1], p[2]), min(p[0], p[1], p[2])
	if most == least {
		return
	}
	span := float32(most - least)
	from := func(c int) float64 { return float64(float32(most-p[c]) / span) }
	var sector float32
	switch most {
	case p[0]:
		sector = float32(from(2) - from(1))
	case p[1]:
		sector = float32(2 + from(0) - from(2))
	default:
		sector = float32(4 + from(1) - from(0))
	}
	_, round := math.Modf(float64(sector)/6 + 1)
	hue := uint8(float64(float32(round)) * 255)
	place := float64(hue+turn) * 6 / 255
	share := float32(float64(uint8(float64(span/float32(most))*255)) / 255)
	f := float32(place - math.Floor(place))
	level := func(missing float64) uint8 { return uint8(math.Round(float64(most) * (1 - missing))) }
	v, low, q, t := most, level(float64(share)), level(float64(share*f)), level(float64(share)*(1-float64(f)))
	copy(p, [][]uint8{{v, t, low}, {q, v, low}, {low, v, t}, {low, q, v}, {t, low, v}, {v, low, q}}[int(place)%6])
}

// What is done is what the formulas say, and memory ends behind it. (Package stages
// compares hues of many more colours with Pillow's.)
func TestColour(t *testing.T) {
	if !useFMA {
		t.Skip("the processor has no AVX2 and FMA")
	}
	rnd := rand.New(rand.NewPCG(9, 9))
	for n := range 80 {
		pixels := make([]uint8, 3*n)
		for i := range pixels {
			pixels[i] = uint8(rnd.Uint32())
		}
		level, factor := rnd.IntN(256), 3*rnd.Float32()
		check := func(name string, run func([]uint8) bool, want func(out []uint8)) {
			t.Helper()
			have, expect := guard.Slice[uint8](t, 3*n), bytes.Clone(pixels)
			copy(have, pixels)
			ok := run(have)
			want(expect)
			if !ok || !bytes.Equal(have, expect) {
				t.Errorf("%s of %d pixels: %v %v, want %v", name, n, ok, have, expect)
			}
		}
		check("levels", func(p []uint8) bool { return Levels(p, float32(level), factor) }, func(out []uint8) {
			for i, v := range out {
				out[i] = blend(level, int(v), factor)
			}
		})
		check("saturate", func(p []uint8) bool { return Saturate(p, factor) }, func(out []uint8) {
			for ; len(out) > 0; out = out[3:] {
				l := grey(out)
				for c, v := range out[:3] {
					out[c] = blend(l, int(v), factor)
				}
			}
		})
		turn := uint8(rnd.Uint32())
		check("hue", func(p []uint8) bool { return TurnHue(p, turn) }, func(out []uint8) {
			for ; len(out) > 0; out = out[3:] {
				turned(out, turn)
			}
		})
		check("grey", Grey, func(out []uint8) {
			for ; len(out) > 0; out = out[3:] {
				l := uint8(grey(out))
				out[0], out[1], out[2] = l, l, l
			}
		})
		mask, from, flip := uint8(rnd.Uint32()), uint8(rnd.Uint32()), uint8(rnd.Uint32())
		check("fold", func(p []uint8) bool { return Fold(p, mask, from, flip) }, func(out []uint8) {
			for i, v := range out {
				if v &= mask; v >= from {
					v ^= flip
				}
				out[i] = v
			}
		})
		var table [256]uint8
		for i := range table {
			table[i] = uint8(rnd.Uint32())
		}
		check("look up", func(p []uint8) bool { return LookUp(p, &table) }, func(out []uint8) {
			for i, v := range out {
				out[i] = table[v]
			}
		})
		sum, ok := Greys(pixels)
		for p := pixels; len(p) > 0; p = p[3:] {
			sum -= grey(p)
		}
		if sum != 0 || !ok {
			t.Errorf("the greys of %d pixels are off by %d", n, sum)
		}
	}
	if Levels(make([]uint8, 16), 0, 1<<21) || Saturate(make([]uint8, 24), 1<<21) {
		t.Error("a factor that is too large is taken")
	}
}

// Every hue, saturation and level of what is turned: colours with every span, place of the
// middle and order, and every saturation of every level with every turn.
func TestTurnHueEverywhere(t *testing.T) {
	if !useFMA {
		t.Skip("the processor has no AVX2 and FMA")
	}
	var all []uint8
	add := func(most, middle, least int) {
		a, b, c := uint8(most), uint8(middle), uint8(least)
		all = append(all, a, b, c, a, c, b, b, a, c, b, c, a, c, a, b, c, b, a)
	}
	compare := func(turn int) {
		t.Helper()
		have, want := bytes.Clone(all), bytes.Clone(all)
		TurnHue(have, uint8(turn))
		for p := want; len(p) > 0; p = p[3:] {
			turned(p, uint8(turn))
		}
		if at := slices.Compare(have, want); at != 0 {
			for i := range have {
				if have[i] != want[i] {
					t.Fatalf("%v turned by %d: %v, want %v", all[i/3*3:][:3], turn, have[i/3*3:][:3], want[i/3*3:][:3])
				}
			}
		}
		all = all[:0]
	}
	for span := range 256 {
		for middle := 255 - span; middle < 256; middle++ {
			add(255, middle, 255-span)
		}
	}
	compare(0)
	for turn := range 256 {
		for most := range 256 {
			for span := 0; span <= most; span += 1 + turn%3 {
				all = append(all, uint8(most), uint8(most), uint8(most-span))
			}
		}
		compare(turn)
	}
}

func BenchmarkColour(b *testing.B) {
	pixels := make([]uint8, 3*300*300)
	rnd := rand.New(rand.NewPCG(9, 9))
	for i := range pixels {
		pixels[i] = uint8(rnd.Uint32())
	}
	for name, run := range map[string]func(){
		"levels":   func() { Levels(pixels, 100, 1.1) },
		"saturate": func() { Saturate(pixels, 1.1) },
		"greys":    func() { Greys(pixels) },
		"hue":      func() { TurnHue(pixels, 10) },
		"grey":     func() { Grey(pixels) },
		"fold":     func() { Fold(pixels, 255, 100, 255) },
		"look up":  func() { LookUp(pixels, &[256]uint8{}) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(pixels)))
			for range b.N {
				run()
			}
		})
	}
}
