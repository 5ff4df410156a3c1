package smooth

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

func noise(r *rand.Rand, n int) []uint8 {
	p := make([]uint8, n)
	for i := range p {
		p[i] = uint8(r.Uint32())
		if r.IntN(3) == 0 {
			p[i] = 255 * uint8(r.IntN(2))
		}
	}
	return p
}

// exact is a blur in float64, in plain loops.
func exact(pixels []uint8, height, width, size int, sigma float64) []float64 {
	weights, sum := make([]float64, size), 0.0
	for i := range weights {
		x := float64(i - size/2)
		weights[i] = math.Exp(-x * x / (2 * sigma * sigma))
		sum += weights[i]
	}
	pass := func(in []float64, dx, dy int) []float64 {
		out := make([]float64, len(in))
		for y := range height {
			for x := range width {
				for c := range 3 {
					for i, w := range weights {
						d := i - size/2
						at := mirrored(y+d*dy, height)*width + mirrored(x+d*dx, width)
						out[(y*width+x)*3+c] += w / sum * in[at*3+c]
					}
				}
			}
		}
		return out
	}
	in := make([]float64, len(pixels))
	for i, v := range pixels {
		in[i] = float64(v)
	}
	return pass(pass(in, 1, 0), 0, 1)
}

// Pictures of every shape come close to the formula, with and without assembly alike.
func TestBlur(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		height, width := 1+r.IntN(40), 1+r.IntN(40)
		size, sigma := 1+2*r.IntN(16), 0.05+r.Float64()*[]float64{1, 4, 30}[r.IntN(3)]
		pixels := noise(r, 3*height*width)
		weights := Weights(size, sigma)
		plain, fast := bytes.Clone(pixels), append(bytes.Clone(pixels), 1, 2, 3)
		blur(plain, height, width, weights, false)
		Blur(fast[:len(pixels)], height, width, weights)
		if !bytes.Equal(fast, append(bytes.Clone(plain), 1, 2, 3)) {
			t.Fatalf("%dx%d, kernel %d, sigma %g: assembly gives other bytes", width, height, size, sigma)
		}
		for i, want := range exact(pixels, height, width, size, sigma) {
			if d := math.Abs(float64(plain[i]) - want); d > 0.53 {
				t.Fatalf("%dx%d, kernel %d, sigma %g: %d, want %g", width, height, size, sigma, plain[i], want)
			}
		}
	}
}

func TestWeights(t *testing.T) {
	for _, size := range []int{1, 3, 23, 101, 255} {
		for _, sigma := range []float64{1e-9, 0.1, 0.2, 0.5, 2, 9, 1e9} {
			weights := Weights(size, sigma)
			sum := -int(weights[0])
			for i, w := range weights {
				sum += 2 * int(w)
				if w < 0 || i > 0 && w > weights[i-1]+1 {
					t.Errorf("kernel %d, sigma %g: weights %v", size, sigma, weights)
				}
			}
			if len(weights) > size/2+1 || len(weights) > 1 && sum != 1<<weightBits {
				t.Errorf("kernel %d, sigma %g: the sum of %v is %d", size, sigma, weights, sum)
			}
		}
	}
}

func TestMirrored(t *testing.T) {
	for i, want := range []int{2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0} {
		if got := mirrored(i-4, 4); got != want {
			t.Errorf("%d of 4 is %d, want %d", i-4, got, want)
		}
	}
	if mirrored(-5, 1) != 0 || mirrored(-3, 2) != 1 {
		t.Error("lines of one and two")
	}
}

// Pictures of every shape and all sums have the formula's values, with and without assembly.
func TestSharpen(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 400 {
		height, width := 1+r.IntN(20), 1+r.IntN(60)
		factor := []float32{0, 0.3, 1, 1.7, 9, 1 << 20, 3 * r.Float32()}[r.IntN(7)]
		pixels := noise(r, 3*height*width)
		plain, fast := bytes.Clone(pixels), append(bytes.Clone(pixels), 1, 2, 3)
		sharpen(plain, height, width, factor, false)
		Sharpen(fast[:len(pixels)], height, width, factor)
		if !bytes.Equal(fast, append(bytes.Clone(plain), 1, 2, 3)) {
			t.Fatalf("%dx%d, factor %g: assembly gives other bytes", width, height, factor)
		}
		for i, v := range pixels {
			x, y := i/3%width, i/3/width
			want := v
			if x > 0 && x < width-1 && y > 0 && y < height-1 {
				sum := 4 * int(v)
				for dy := -1; dy <= 1; dy++ {
					for dx := -1; dx <= 1; dx++ {
						sum += int(pixels[i+3*(dy*width+dx)])
					}
				}
				mean := math.Round(float64(sum) / 13)
				out := float32(mean) + float32(factor*float32(float64(v)-mean))
				want = uint8(min(max(float64(out), 0), 255))
			}
			if plain[i] != want {
				t.Fatalf("%dx%d, factor %g, value %d: %d, want %d", width, height, factor, i, plain[i], want)
			}
		}
	}
	if !useAssembly {
		return
	}
	// Every sum, whose mean is what a factor of 0 leaves.
	row := make([]uint8, 16)
	sums, zeros := make([]uint16, 16), make([]uint16, 16)
	for sum := range 13*255 + 1 {
		for i := range sums {
			sums[i], row[i] = uint16(sum), 0
		}
		sharpenAVX2(&row[0], &zeros[0], &sums[0], &zeros[0], 0, 16)
		if int(row[5]) != thirteenth(sum) {
			t.Fatalf("a thirteenth of %d is %d, in assembly %d", sum, thirteenth(sum), row[5])
		}
	}
}

func BenchmarkSharpen(b *testing.B) {
	pixels := noise(rand.New(rand.NewPCG(1, 2)), 3*224*224)
	for name, assembly := range map[string]bool{"assembly": true, "plain": false} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				sharpen(pixels, 224, 224, 1.5, assembly && useAssembly)
			}
		})
	}
}

func BenchmarkBlur(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	pixels := noise(r, 3*224*224)
	for name, assembly := range map[string]bool{"assembly": true, "plain": false} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				blur(pixels, 224, 224, Weights(23, 1), assembly && useAssembly)
			}
		})
	}
}
