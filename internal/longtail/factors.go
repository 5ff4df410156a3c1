package longtail

import (
	"math"

	"github.com/sluicedata/sluice/internal/detmath"
)

// RepeatFactor is LVIS's (Gupta et al. 2019): a class that n of all samples have is drawn
// r = max(1, (threshold/f)^power) times as often as its samples are, f = n/all. Without
// samples it is 1.
func RepeatFactor(n, all int64, threshold, power float64) float64 {
	if n == 0 {
		return 1
	}
	ratio := threshold * float64(all) / float64(n)
	switch {
	case ratio <= 1:
		return 1
	case power == 0.5:
		return math.Sqrt(ratio)
	case power == 1:
		return ratio
	}
	return max(1, detmath.Pow(ratio, power))
}

// PerEffective is 1/E_n = (1-beta)/(1-beta^n), E_n being the effective number of n samples
// (Cui et al. 2019): how often each of them is drawn, but for a factor. beta 0 draws all
// samples alike, beta close to 1 all classes. Without samples it is 0.
func PerEffective(n int64, beta float64) float64 {
	if n == 0 {
		return 0
	}
	return 1 / effectiveNumber(n, beta)
}

// Weighted is the shares of groups of so many members that are drawn each[g] times as often
// as those of another: in proportion to members[g] each[g], with a sum between 2^60 and 2^61
// but for rounding, and at least 1 where there are members and each isn't 0. total is the
// sum of members[g] each[g].
func Weighted(members []int64, each []float64) (shares []int64, total float64) {
	for g, n := range members {
		total += float64(float64(n) * each[g])
	}
	shares = make([]int64, len(members))
	if total == 0 {
		return shares, 0
	}
	_, exponent := math.Frexp(total)
	for g, n := range members {
		if x := float64(float64(n) * each[g]); x > 0 {
			shares[g] = max(1, int64(math.Floor(math.Ldexp(x, 61-exponent)+0.5)))
		}
	}
	return shares, total
}
