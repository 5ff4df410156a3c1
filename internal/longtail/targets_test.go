package longtail

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestShares(t *testing.T) {
	counts := []int64{9, 0, 4, 1, 2}
	for name, c := range map[string]struct{ got, want []int64 }{
		"instance":       {Instance(counts), counts},
		"class_balanced": {ClassBalanced(counts), []int64{1, 0, 1, 1, 1}},
		"square_root":    {SquareRoot(counts), []int64{3 * Grid, 0, 2 * Grid, Grid, 23726566}},
		"power 0":        {Power(counts, 0), []int64{1, 0, 1, 1, 1}},
		"power 1/2":      {Power(counts, 0.5), SquareRoot(counts)},
		"power 1":        {Power(counts, 1), counts},
		// floor(n^0.3 * 2^24 + 1/2) for 9, 4, 1, 2 by Python's decimal with 50 digits
		"power 0.3": {Power(counts, 0.3), []int64{32433413, 0, 25429504, 16777216, 20655176}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s of %v: %v, want %v", name, counts, c.got, c.want)
		}
	}
}

// TestSquareRootIsExact compares with integer square roots: as math.Sqrt is
// correctly rounded, no share is off by a unit.
func TestSquareRootIsExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for i := range int64(20_000) {
		n := i + 1
		if i%2 == 1 {
			n = 1 + random.Int64N(1<<32)
		}
		// floor(sqrt(n) 2^24 + 1/2) = floor((floor(sqrt(n) 2^25) + 1) / 2)
		root := new(big.Int).Sqrt(new(big.Int).Lsh(big.NewInt(n), 50)).Int64()
		if got, want := SquareRoot([]int64{n})[0], (root+1)/2; got != want {
			t.Fatalf("sqrt(%d) is %d/2^24, want %d/2^24", n, got, want)
		}
	}
}

func TestPowerIsClose(t *testing.T) {
	for _, q := range []float64{1e-3, 0.1, 0.25, 1.0 / 3, 0.75, 0.99} {
		for n := int64(1); n < 1e9; n += 1 + n/3 {
			want := math.Pow(float64(n), q) * Grid
			if got := float64(Power([]int64{n}, q)[0]); math.Abs(got-want) > 1+want*1e-15 {
				t.Errorf("%d^%v is %v/2^24, want %v/2^24", n, q, got, want)
			}
		}
	}
}

func TestProportional(t *testing.T) {
	for _, c := range []struct {
		a, b []int64
		want bool
	}{
		{[]int64{7, 7, 0}, []int64{1, 1, 0}, true},
		{[]int64{6, 4}, []int64{3, 2}, true},
		{[]int64{6, 4}, []int64{3, 3}, false},
		{[]int64{1 << 61, 1<<61 - 1}, []int64{1, 1}, false}, // differ beyond a float64
		{[]int64{5}, []int64{1}, true},
	} {
		if got := Proportional(c.a, c.b); got != c.want {
			t.Errorf("Proportional(%v, %v) = %v", c.a, c.b, got)
		}
	}
}

func TestClassWeights(t *testing.T) {
	check := func(name string, got, want []float64) {
		t.Helper()
		for i := range want {
			if len(got) != len(want) || math.Abs(got[i]-want[i]) > 1e-12*want[i] {
				t.Errorf("%s: %v, want %v", name, got, want)
				return
			}
		}
	}
	// sklearn.utils.class_weight.compute_class_weight("balanced") of 6, 3 and 1
	// samples: 10/18, 10/9, 10/3.
	check("inverse", InverseFrequency([]int64{6, 0, 3, 1}), []float64{10.0 / 18, 0, 10.0 / 9, 10.0 / 3})
	roots := math.Sqrt(6) + math.Sqrt(3) + 1
	check("square root", InverseSquareRoot([]int64{6, 0, 3, 1}), []float64{10 / (math.Sqrt(6) * roots), 0, 10 / (math.Sqrt(3) * roots), 10 / roots})
	check("recipe", Scaled([]float64{1, 2, 3, 4}, 1), []float64{0.1, 0.2, 0.3, 0.4})

	// (1-b)/(1-b^n) for 5000, 50, 1, and their sum scaled to 3.
	e := func(n float64) float64 { return -math.Expm1(math.Log(0.9999)) / -math.Expm1(n*math.Log(0.9999)) }
	total := e(5000) + e(50) + e(1)
	check("effective", EffectiveNumber([]int64{5000, 50, 0, 1}, 0.9999),
		[]float64{3 * e(5000) / total, 3 * e(50) / total, 0, 3 * e(1) / total})
}

// TestEffectiveNumber compares with the sum of the powers, in 200-bit floats.
func TestEffectiveNumber(t *testing.T) {
	for _, beta := range []float64{0, 0.5, 0.9, 0.9999, 1 - 1e-9} {
		want, power := new(big.Float).SetPrec(200), big.NewFloat(1).SetPrec(200)
		for n := int64(1); n <= 3000; n++ {
			want.Add(want, power)
			power.Mul(power, big.NewFloat(beta))
			w, _ := want.Float64()
			if got := effectiveNumber(n, beta); math.Abs(got-w) > 1e-12*w {
				t.Fatalf("beta %v: E(%d) = %v, want %v", beta, n, got, w)
			}
		}
	}
}
