package gorgoniatrainer

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/trainer"
)

// kinds are the values that kernels are tried on.
var kinds = []struct {
	name string
	next func(r *rand.Rand) float32
}{
	{"random", func(r *rand.Rand) float32 { return float32(r.NormFloat64()) }},
	{"of all sizes", func(r *rand.Rand) float32 { return float32(r.NormFloat64() * math.Exp2(40*r.NormFloat64())) }},
	{"ties", func(r *rand.Rand) float32 { return float32(r.IntN(3) - 1) }},
	{"zeros", func(r *rand.Rand) float32 { return float32(math.Copysign(0, r.Float64()-0.5)) }},
	{"subnormal", func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32() & 0x807fffff) }},
	{"near flushing", func(r *rand.Rand) float32 {
		return float32(math.Ldexp(r.NormFloat64(), -50-r.IntN(60)))
	}},
	{"NaN and infinite", func(r *rand.Rand) float32 {
		if r.IntN(20) > 0 {
			return float32(r.NormFloat64())
		}
		return float32([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}[r.IntN(3)])
	}},
}

type source struct {
	*rand.Rand
	next func(r *rand.Rand) float32
}

func (s source) floats(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = s.next(s.Rand)
	}
	return out
}

// compareKernels runs a kernel on copies of the same memory with the assembly
// and with plain Go: all of it must be the same bits afterwards, past the ends
// as well. Of NaNs only that they are.
func compareKernels(t *testing.T, name string, run func(s source) []any) {
	t.Run(name, func(t *testing.T) {
		if !haveAssembly() {
			t.Skip("this processor has no AVX2")
		}
		for _, kind := range kinds {
			for seed := range uint64(4) {
				var results [2][]any
				for i, assembly := range []bool{true, false} {
					useAssembly = assembly
					results[i] = run(source{rand.New(rand.NewPCG(seed, 1)), kind.next})
				}
				useAssembly = true
				for i, got := range results[0] {
					if text := differ(got, results[1][i]); text != "" {
						t.Errorf("%s values: result %d%s", kind.name, i, text)
					}
				}
			}
		}
	})
}

func differ(assembly, plain any) string {
	switch a := assembly.(type) {
	case []uint8:
		if p := plain.([]uint8); !slices.Equal(a, p) {
			return fmt.Sprintf(": %v, in plain Go %v", a, p)
		}
	case []float32:
		for i, p := range plain.([]float32) {
			if math.Float32bits(a[i]) != math.Float32bits(p) && (a[i] == a[i] || p == p) {
				return fmt.Sprintf("[%d]: %v (%#x), in plain Go %v (%#x)", i, a[i], math.Float32bits(a[i]), p, math.Float32bits(p))
			}
		}
	}
	return ""
}

// TestKernels: assembly and plain Go give the same bits.
func TestKernels(t *testing.T) {
	defer func(before bool) { useAssembly = before }(useAssembly)
	for _, c := range []struct{ channels, pitch, n int }{{1, 3, 8}, {3, 9, 16}, {3, 57, 256}, {16, 5, 32}, {3, 4, 13}, {2, 4, 1}} {
		compareKernels(t, fmt.Sprint("conv", c), func(s source) []any {
			b := block{pitch: c.pitch, phase: roundUp(c.n+c.pitch+2, 16), channels: c.channels}
			dst, dst2, arg, arg2 := s.floats(c.n+9), s.floats(c.n+9), make([]uint8, c.n+9), make([]uint8, c.n+9)
			bias := [2]float32(s.floats(2))
			convPool(dst, dst2, arg, arg2, s.floats(4*c.channels*b.phase), s.floats(18*c.channels), &bias, b, c.n)
			return []any{dst, dst2, arg, arg2}
		})
	}
	for _, n := range []int{0, 1, 2, 7, 8, 33} {
		compareKernels(t, fmt.Sprint("gather ", n), func(s source) []any {
			const step = 20
			sums, offset := [gatherLanes]float32{}, [5]int{0, 10, 25, 35, 0}
			g, x, arg := s.floats(n), s.floats(n*step+35+gatherLanes), make([]uint8, n)
			for i := range arg {
				arg[i] = uint8(s.IntN(5))
			}
			gather(&sums, g, arg, x, &offset, step)
			gather(&sums, g, arg, x, &offset, step) // onto what is there
			return []any{sums[:]}
		})
	}
	for _, c := range []struct{ n, stride int }{{0, 16}, {16, 16}, {32, 40}, {512, headPitch}, {208, 300}} {
		compareKernels(t, fmt.Sprint("dot", c), func(s source) []any {
			out := [4]float32{}
			dot4(&out, s.floats(c.n), s.floats(3*c.stride+c.n), c.stride)
			return []any{out[:]}
		})
	}
	for _, c := range []struct{ rows, depth, n int }{{1, 1, 16}, {4, 3, 32}, {5, 4, 16}, {7, 5, 48}, {9, 15, 512}, {0, 3, 16}, {3, 0, 16}, {2, 7, 24}} {
		for _, add := range []bool{false, true} {
			compareKernels(t, fmt.Sprint("gemm", c, add), func(s source) []any {
				cStride, aStride, bStride := c.n+5, c.depth+3, c.n+2
				out := s.floats(max(c.rows, 1)*cStride + c.n)
				gemm(out, cStride, s.floats(max(c.rows, 1)*aStride), aStride, s.floats(max(c.depth, 1)*bStride), bStride, c.rows, c.depth, c.n, add)
				return []any{out}
			})
		}
	}
	for _, n := range []int{0, 1, 7, 8, 9, 40, 61} {
		compareKernels(t, fmt.Sprint("axpy ", n), func(s source) []any {
			dst := s.floats(n + 9)
			axpy(dst[:n], s.floats(n), s.next(s.Rand))
			return []any{dst}
		})
		compareKernels(t, fmt.Sprint("adam ", n), func(s source) []any {
			k := trainer.AdamFactors{Decay: 0.01, Beta1: 0.9, Rest1: 0.1, Beta2: 0.999, Rest2: 0.001, Root: 0.3, Eps: 1e-8, Size: 0.01}
			if s.IntN(2) == 0 {
				k.Decay, k.Beta1, k.Rest1 = 0, 0, 1
			}
			param, mean, square := s.floats(n+9), s.floats(n+9), s.floats(n+9)
			for i, v := range square {
				square[i] = max(v, -v)
			}
			for range 3 {
				adam(param[:n], s.floats(n), mean[:n], square[:n], &k)
			}
			return []any{param, mean, square}
		})
	}
}

// TestFirstMaximum: of equal values the first position wins, and what is not
// above 0 with its bias is dead.
func TestFirstMaximum(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		const n = 16
		b := block{pitch: 5, phase: 32, channels: 3}
		for _, c := range []struct {
			bias float32
			want uint8
		}{{1, 0}, {0, dead}, {-1, dead}, {0x1p-149, 0}} {
			var dst, dst2 [n]float32
			var arg, arg2 [n]uint8
			bias := [2]float32{c.bias, c.bias}
			convPool(dst[:], dst2[:], arg[:], arg2[:], make([]float32, 4*3*b.phase), make([]float32, 18*3), &bias, b, n)
			for i := range n {
				if v := max(c.bias, 0); arg[i] != c.want || arg2[i] != c.want || dst[i] != v || dst2[i] != v {
					t.Fatalf("bias %v: value %d is %v at %d and %v at %d, want %v at %d", c.bias, i, dst[i], arg[i], dst2[i], arg2[i], v, c.want)
				}
			}
		}
	})
}

// TestNaNStays: a pixel that isn't a number is in what was made of it, also at
// the edge that the pool of an odd size leaves out.
func TestNaNStays(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		const side = 17
		tr := newTrainer(t, testConfig("small_cnn", 0))
		for at := range side * side {
			r := goldenRows(1, 0, [2]int{side, side})
			r.labels[0][0] = 1
			r.images[side*side+at] = float32(math.NaN())
			var bad *trainer.NotFiniteError
			if _, err := tr.Step(t.Context(), r.batch(t)); !errors.As(err, &bad) {
				t.Errorf("NaN in row %d, column %d: %v", at/side, at%side, err)
			}
		}
	})
}

// TestDead: positions that ReLU has zeroed have no gradient, whatever is there.
func TestDead(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		inf := float32(math.Inf(1))
		sums, x := [gatherLanes]float32{5: 3}, make([]float32, 100)
		for i := range x {
			x[i] = inf
		}
		gather(&sums, []float32{1, inf, inf - inf}, []uint8{dead, dead, dead}, x, &[5]int{0, 1, 2, 3, 0}, 4)
		if sums != [gatherLanes]float32{5: 3} {
			t.Error(sums)
		}
	})
}

// TestAssemblyTrains: some steps leave the same bytes, with odd sizes, parts of
// batches, and values that ReLU and the pools treat in all ways.
func TestAssemblyTrains(t *testing.T) {
	for _, c := range []struct {
		model  string
		poolTo int
		sizes  [][2]int
		rows   int
	}{
		{"recipe", 8, [][2]int{{16, 16}, {24, 24}, {17, 23}}, 9},
		{"recipe", 5, [][2]int{{31, 9}, {13, 21}}, 9},
		{"recipe", 56, [][2]int{{112, 112}}, 2},
		{"small_cnn", 0, [][2]int{{16, 16}, {13, 21}, {28, 28}, {8, 8}}, 9},
	} {
		if !haveAssembly() {
			t.Skip("this processor has no AVX2")
		}
		var results [2][]trainer.Tensor
		for i, assembly := range []bool{true, false} {
			useKernels(t, assembly)
			cfg := testConfig(c.model, c.poolTo)
			cfg.Optimizer.WeightDecay = 0.01
			cfg.MicroBatch = 5
			tr := newTrainer(t, cfg)
			for step := range 4 {
				if _, err := tr.Step(t.Context(), goldenRows(c.rows, step, c.sizes[step%len(c.sizes)]).batch(t)); err != nil {
					t.Fatal(err)
				}
			}
			results[i] = tr.State()
		}
		for k, got := range results[0] {
			if text := differ(got.Data, results[1][k].Data); text != "" {
				t.Errorf("%s to %d: %s%s", c.model, c.poolTo, got.Name, text)
			}
		}
	}
}
