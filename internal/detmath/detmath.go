// Package detmath is sine, cosine, exponential, logarithm and power with the
// same bits on every machine.
//
// Go may contract x*y + z into a fused multiply-add (it does on arm64, and on
// amd64 with GOAMD64=v3), inside the functions of package math too, so their
// last bits depend on the build. Here every product that is followed by an
// addition is rounded by an explicit float64 conversion, or is a math.FMA,
// which is fused by definition (in software where the CPU has none).
//
// Results are within 1 ulp of the true value, where not said otherwise. The
// kernels are those of FreeBSD's msun (fdlibm): k_sin.c, k_cos.c, e_exp.c.
package detmath

import "math"

// pi/2 as a sum: the first two have 33 bits, so that a quadrant's number below
// 2^20 times either is exact.
const (
	halfPi1 = 1.57079632673412561417e+00
	halfPi2 = 6.07710050630396597660e-11
	halfPi3 = 2.02226624879595063154e-21
)

// pi/180 to about 106 bits.
const (
	degree   = 0.017453292519943295
	degreeLo = 2.9486522708701687e-19
)

// farAngle is the angle up to which reduction to a quadrant is exact.
const farAngle = 1 << 20

var (
	sinPoly = [...]float64{1.58969099521155010221e-10, -2.50507602534068634195e-08,
		2.75573137070700676789e-06, -1.98412698298579493134e-04, 8.33333333332248946124e-03}
	cosPoly = [...]float64{-1.13596475577881948265e-11, 2.08757232129817482790e-09,
		-2.75573143513906633035e-07, 2.48015872894767294178e-05, -1.38888888888741095749e-03,
		4.16666666666666019037e-02}
)

// Sin is the sine of x radians. Above 2^20 its absolute error grows as 1e-16 |x|.
func Sin(x float64) float64 {
	sin, _ := sinCos(x)
	return sin
}

// SinCosDegrees gives the sine and the cosine of an angle in degrees, exact at
// the multiples of 90. Angles of any size are reduced without error.
func SinCosDegrees(degrees float64) (sin, cos float64) {
	if math.IsNaN(degrees) || math.IsInf(degrees, 0) {
		return math.NaN(), math.NaN()
	}
	d := math.Mod(degrees, 360)
	quadrant := math.Floor(d/90 + 0.5)
	d -= float64(quadrant * 90)
	hi := float64(d * degree)
	return rotated(int(quadrant), hi, math.FMA(d, degree, -hi)+float64(d*degreeLo))
}

func sinCos(x float64) (sin, cos float64) {
	if x == 0 {
		return x, 1 // keeps the sign of -0
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return math.NaN(), math.NaN()
	}
	if math.Abs(x) > farAngle {
		x = math.Mod(x, 2*math.Pi)
	}
	quadrant := math.Floor(float64(x*(2/math.Pi)) + 0.5)
	hi, lo := twoSum(x-float64(quadrant*halfPi1), -float64(quadrant*halfPi2))
	hi, lo = twoSum(hi, lo-float64(quadrant*halfPi3))
	return rotated(int(quadrant), hi, lo)
}

// rotated gives sine and cosine of hi + lo, at most pi/4 in size, plus that
// many right angles.
func rotated(quadrant int, hi, lo float64) (sin, cos float64) {
	z := float64(hi * hi)
	v := float64(z * hi)
	const s1 = -1.66666666666666324348e-01
	inner := float64(z * (float64(0.5*lo) - float64(v*poly(z, sinPoly[:]))))
	s := hi - ((inner - lo) - float64(v*s1))

	half := float64(0.5 * z)
	w := 1 - half
	c := w + (((1 - w) - half) + (float64(z*float64(z*poly(z, cosPoly[:]))) - float64(hi*lo)))
	switch quadrant & 3 {
	case 0:
		return s, c
	case 1:
		return c, -s
	case 2:
		return -s, -c
	}
	return -c, s
}

// poly is Horner's rule; the highest power's coefficient comes first.
func poly(x float64, coefficients []float64) float64 {
	sum := 0.0
	for _, c := range coefficients {
		sum = c + float64(x*sum)
	}
	return sum
}

// twoSum gives the rounded sum of a and b, and what the rounding lost.
func twoSum(a, b float64) (sum, lost float64) {
	sum = a + b
	bb := sum - a
	return sum, (a - (sum - bb)) + (b - bb)
}
