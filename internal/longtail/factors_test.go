package longtail

import (
	"math"
	"slices"
	"testing"
)

// TestRepeatFactor compares with LVIS's formula in numpy: max(1, sqrt(t/f)).
func TestRepeatFactor(t *testing.T) {
	for _, c := range []struct {
		n, all           int64
		threshold, power float64
		want             float64
	}{
		{1, 100_170, 0.001, 0.5, 10.008496390567362}, // np.sqrt(0.001*100170)
		{100, 100_170, 0.001, 0.5, 1.0008496390567363},
		{101, 100_170, 0.001, 0.5, 1},
		{100_000, 100_170, 0.001, 0.5, 1},
		{5, 1000, 0.5, 1, 100},
		{5, 1000, 0.5, 0.25, math.Sqrt(10)},
		{0, 10, 0.5, 0.5, 1},
	} {
		if got := RepeatFactor(c.n, c.all, c.threshold, c.power); math.Abs(got-c.want) > 1e-13*c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestPerEffective(t *testing.T) {
	if a, b, c := PerEffective(7, 0), PerEffective(1, 0.9), PerEffective(0, 0.9); a != 1 || b != 1 || c != 0 {
		t.Errorf("%v %v %v, want 1 1 0", a, b, c)
	}
	if got, want := PerEffective(5000, 0.9999), -math.Expm1(math.Log(0.9999))/-math.Expm1(5000*math.Log(0.9999)); math.Abs(got-want) > 1e-12*want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWeighted(t *testing.T) {
	shares, total := Weighted([]int64{3, 0, 1, 8}, []float64{1, 5, 13, 0})
	if want := []int64{3 << 56, 0, 13 << 56, 0}; total != 16 || !slices.Equal(shares, want) {
		t.Errorf("%v of %v, want %v of 16", shares, total, want)
	}
	shares, _ = Weighted([]int64{1, 1}, []float64{1e-30, 1})
	if shares[0] != 1 {
		t.Errorf("a share that is too small is %d: it would never be drawn", shares[0])
	}
	if shares, total := Weighted([]int64{4}, []float64{0}); total != 0 || shares[0] != 0 {
		t.Errorf("nothing drawn: %v of %v", shares, total)
	}
}
