package longtail

import (
	"math"
	"math/bits"
)

// InverseFrequency is w_c = N / (C n_c), N and C being the samples and the
// classes that have any (scikit-learn's class_weight="balanced"). A class
// without samples gets 0.
func InverseFrequency(counts []int64) []float64 {
	classes := 0
	for _, n := range counts {
		if n > 0 {
			classes++
		}
	}
	weights, total := make([]float64, len(counts)), float64(sum(counts))
	for c, n := range counts {
		if n > 0 {
			weights[c] = total / (float64(classes) * float64(n))
		}
	}
	return weights
}

// InverseSquareRoot is w_c = N / (sqrt(n_c) R), R being the sum of sqrt(n_k) over the classes:
// in proportion to 1/sqrt(n_c), with a mean of 1 over the samples, as InverseFrequency. A class
// without samples gets 0.
func InverseSquareRoot(counts []int64) []float64 {
	roots := 0.0
	for _, n := range counts {
		roots += math.Sqrt(float64(n))
	}
	weights, total := make([]float64, len(counts)), float64(sum(counts))
	for c, n := range counts {
		if n > 0 {
			weights[c] = total / float64(math.Sqrt(float64(n))*roots)
		}
	}
	return weights
}

// EffectiveNumber is w_c = (1-beta) / (1-beta^n_c), scaled so that the sum is
// the number of classes that have samples (Cui et al. 2019, equation 2). beta
// is in [0, 1). A class without samples gets 0.
func EffectiveNumber(counts []int64, beta float64) []float64 {
	weights, classes := make([]float64, len(counts)), 0.0
	for c, n := range counts {
		if n > 0 {
			weights[c] = 1 / effectiveNumber(n, beta)
			classes++
		}
	}
	return Scaled(weights, classes)
}

// effectiveNumber is E_n = (1-beta^n) / (1-beta) = 1 + beta + ... + beta^(n-1),
// by E_2m = E_m (1 + beta^m) and E_(m+1) = 1 + beta E_m along n's bits: nothing
// is subtracted, so no digits are lost where beta is close to 1.
func effectiveNumber(n int64, beta float64) float64 {
	e, power := 0.0, 1.0 // E_m and beta^m, m being the bits of n so far
	for bit := bits.Len64(uint64(n)) - 1; bit >= 0; bit-- {
		e += float64(e * power)
		power *= power
		if n>>bit&1 == 1 {
			e = 1 + float64(beta*e)
			power *= beta
		}
	}
	return e
}

// Scaled multiplies a list so that its sum is total: with total 1, the recipe's
// [1, 2, 3, 4] becomes [0.1, 0.2, 0.3, 0.4]. The sum of the list must not be 0.
func Scaled(list []float64, total float64) []float64 {
	sum := 0.0
	for _, w := range list {
		sum += w
	}
	scaled := make([]float64, len(list))
	for i, w := range list {
		scaled[i] = w * total / sum
	}
	return scaled
}
