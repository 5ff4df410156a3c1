// Package longtail is the arithmetic of long-tailed data: how often each class
// is drawn, and how much it weighs in a loss. It knows counts of samples per
// class and nothing of samples, files or frameworks.
//
// Everything that decides which sample is drawn is integer arithmetic, so it is
// exact, and the same on every machine: the shares of the classes are integers
// s_c over their sum S. What is a real number (a power, a class weight) is
// computed with explicitly rounded products and internal/detmath.
package longtail

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/sluicedata/sluice/internal/detmath"
)

// Grid is the fixed-point unit of the targets that are real numbers: their
// s_c are multiples of 1/Grid, rounded half up. As n^q >= 1, shares are right to
// about 3 in 10^8.
const Grid = 1 << 24

// Instance gives every class the share that it has: s_c = n_c.
func Instance(counts []int64) []int64 { return append([]int64(nil), counts...) }

// ClassBalanced gives every class that has samples the same share: s_c = 1.
func ClassBalanced(counts []int64) []int64 {
	return shares(counts, func(int64) int64 { return 1 })
}

// SquareRoot is Power(counts, 1/2): s_c = sqrt(n_c) (Mahajan et al. 2018).
func SquareRoot(counts []int64) []int64 {
	return shares(counts, func(n int64) int64 { return fixed(math.Sqrt(float64(n))) })
}

// Power is s_c = n_c^q with q in 0..1 (Kang et al. 2020, equation 1): 1 is
// Instance, 1/2 SquareRoot, 0 ClassBalanced, exactly.
func Power(counts []int64, q float64) []int64 {
	switch q {
	case 0:
		return ClassBalanced(counts)
	case 0.5:
		return SquareRoot(counts)
	case 1:
		return Instance(counts)
	}
	return shares(counts, func(n int64) int64 { return fixed(detmath.Pow(float64(n), q)) })
}

// shares is 0 for the classes without samples.
func shares(counts []int64, of func(n int64) int64) []int64 {
	s := make([]int64, len(counts))
	for c, n := range counts {
		if n > 0 {
			s[c] = of(n)
		}
	}
	return s
}

func fixed(x float64) int64 { return int64(math.Floor(float64(x*Grid) + 0.5)) }

// Proportional tells whether two lists are the same shares: a_c/sum(a) =
// b_c/sum(b) for every class.
func Proportional(a, b []int64) bool {
	sumA, sumB := sum(a), sum(b)
	for c := range a {
		hiA, loA := bits.Mul64(uint64(a[c]), uint64(sumB))
		hiB, loB := bits.Mul64(uint64(b[c]), uint64(sumA))
		if hiA != hiB || loA != loB {
			return false
		}
	}
	return true
}

func sum(list []int64) int64 {
	total := int64(0)
	for _, v := range list {
		total += v
	}
	return total
}

// Explicit is given shares, which are >= 0 and not all 0, as integers in the same
// proportions: exactly, where their sum fits into 2^62, else rounded to multiples of
// 2^-61 of the sum. tooSmall is the first positive share that becomes 0; -1: none.
func Explicit(shares []*big.Rat) (list []int64, tooSmall int) {
	scale, total := big.NewInt(1), new(big.Rat)
	for _, s := range shares {
		total.Add(total, s)
		gcd := new(big.Int).GCD(nil, nil, scale, s.Denom())
		scale.Mul(scale, new(big.Int).Quo(s.Denom(), gcd))
	}
	factor := new(big.Rat).SetInt(scale)
	if most := new(big.Rat).SetInt64(1 << 62); new(big.Rat).Mul(total, factor).Cmp(most) > 0 {
		factor.Quo(new(big.Rat).SetInt64(1<<61), total)
	}
	list, tooSmall = make([]int64, len(shares)), -1
	half := big.NewRat(1, 2)
	for i, s := range shares {
		x := new(big.Rat).Mul(s, factor)
		if !x.IsInt() {
			x.Add(x, half)
		}
		list[i] = new(big.Int).Quo(x.Num(), x.Denom()).Int64()
		if list[i] == 0 && s.Sign() > 0 && tooSmall < 0 {
			tooSmall = i
		}
	}
	return list, tooSmall
}
