package detmath

import "math"

// ln 2 split twice: for exp (the first part's low bits are zero, so that its
// product with an exponent is exact), and to about 106 bits for log.
const (
	ln2Exp   = 6.93147180369123816490e-01
	ln2ExpLo = 1.90821492927058770002e-10
	ln2Log   = 0.6931471805599453
	ln2LogLo = 2.3190468138462996e-17
)

var expPoly = [...]float64{4.13813679705723846039e-08, -1.65339022054652515390e-06,
	6.61375632143793436117e-05, -2.77777777770155933842e-03, 1.66666666666666657415e-01}

// Exp is e to the power x.
func Exp(x float64) float64 { return exp(x, 0) }

// exp is e to the power x + lo; lo is smaller than an ulp of x.
func exp(x, lo float64) float64 {
	switch {
	case math.IsNaN(x):
		return math.NaN()
	case x > 710:
		return math.Inf(1)
	case x < -746:
		return 0
	}
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	hi := x - float64(k*ln2Exp)
	lo = float64(k*ln2ExpLo) - lo
	r := hi - lo
	t := float64(r * r)
	c := r - float64(t*poly(t, expPoly[:]))
	y := 1 - ((lo - float64(r*c)/(2-c)) - hi)
	return math.Ldexp(y, int(k))
}

// Log is the natural logarithm: -Inf at 0, NaN below.
func Log(x float64) float64 {
	switch {
	case math.IsNaN(x) || x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	case math.IsInf(x, 1):
		return x
	}
	hi, lo := log(x)
	return hi + lo
}

// log is the natural logarithm of a positive finite x to about 64 bits. With
// x = m 2^k and s = (m-1)/(m+1): log x = k ln 2 + 2s + 2/3 s^3 + 2/5 s^5 + ...
func log(x float64) (hi, lo float64) {
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, k = 2*m, k-1
	}
	den, denLo := twoSum(m, 1)
	s := (m - 1) / den
	sLo := (math.FMA(-s, den, m-1) - float64(s*denLo)) / den
	z := float64(s * s)
	zLo := math.FMA(s, s, -z) + float64(2*s*sLo)

	tail := 0.0 // of the series over z, from 2/5 z^2 on
	for n := 25; n >= 5; n -= 2 {
		tail = float64(tail*z) + 2/float64(n)
	}
	const third2, third2Lo = 0.6666666666666666, 3.700743415417188e-17
	third := float64(z * third2)
	thirdLo := math.FMA(z, third2, -third) + float64(zLo*third2) + float64(z*third2Lo)
	// log m = s (2 + third + z^2 tail)
	sum, sumLo := twoSum(2, third)
	sumLo += thirdLo + float64(float64(z*z)*tail)
	p := float64(s * sum)
	pLo := math.FMA(s, sum, -p) + float64(s*sumLo) + float64(sLo*sum)

	e := float64(k)
	q := float64(e * ln2Log)
	qLo := math.FMA(e, ln2Log, -q) + float64(e*ln2LogLo)
	hi, lo = twoSum(q, p)
	return twoSum(hi, lo+(qLo+pLo))
}

// Pow is x to the power y, with the special values of math.Pow.
func Pow(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case math.IsNaN(x) || math.IsNaN(y):
		return math.NaN()
	case x == -1 && math.IsInf(y, 0):
		return 1
	}
	odd := math.Abs(y) < 1<<53 && math.Abs(math.Mod(y, 2)) == 1
	size := powSize(math.Abs(x), y)
	switch {
	case !math.Signbit(x):
		return size
	case odd:
		return -size
	case x != 0 && !math.IsInf(x, 0) && y != math.Floor(y):
		return math.NaN()
	}
	return size
}

// powSize is x to the power y for x >= 0, y not 0, neither NaN.
func powSize(x, y float64) float64 {
	switch {
	case x == 0 || math.IsInf(x, 1):
		if (x == 0) == (y > 0) {
			return 0
		}
		return math.Inf(1)
	case math.IsInf(y, 0):
		if (x > 1) == (y > 0) {
			return math.Inf(1)
		}
		return 0
	}
	hi, lo := log(x)
	p := float64(y * hi)
	if math.Abs(p) > 1000 {
		return exp(p, 0)
	}
	return exp(p, math.FMA(y, hi, -p)+float64(y*lo))
}
