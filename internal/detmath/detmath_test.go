package detmath

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"testing"
)

// sequence gives doubles that are uniform on [lo, hi), the same on every machine.
type sequence uint64

func (s *sequence) between(lo, hi float64) float64 {
	*s = *s*6364136223846793005 + 1442695040888963407
	x := *s ^ *s>>29
	return lo + float64(float64(x>>11)/(1<<53)*(hi-lo))
}

// ulps is the distance of got from want in units of want's last place.
func ulps(got, want float64) float64 {
	if got == want || math.IsNaN(got) && math.IsNaN(want) {
		return 0
	}
	_, exp := math.Frexp(want)
	return math.Abs(got-want) / math.Ldexp(1, max(exp-53, -1074))
}

func TestCloseToMath(t *testing.T) {
	var s sequence
	worst := map[string]float64{}
	note := func(name string, got, want float64, args ...float64) {
		u := ulps(got, want)
		limit := 2.0
		if name == "pow" {
			limit = 8 // math.Pow squares and multiplies: TestAccuracy has the true values
		}
		if !(u <= limit) {
			t.Errorf("%s(%v) = %v, math has %v: %.1f ulp", name, args, got, want, u)
		}
		worst[name] = max(worst[name], u)
	}
	for i := range 200_000 {
		x := s.between(-4, 4)
		if i%2 == 1 {
			x = s.between(-farAngle, farAngle)
		}
		note("sin", Sin(x), math.Sin(x), x)
		note("cos", cos(x), math.Cos(x), x)
		e := s.between(-708, 709) // beyond, math.Exp on amd64 rounds to 0 and Inf too early
		note("exp", Exp(e), math.Exp(e), e)
		note("exp", Exp(e/700), math.Exp(e/700), e/700)
		l := math.Ldexp(s.between(0.5, 1), int(s.between(-1020, 1024)))
		// No subnormal l: math.Log is wrong there on amd64 (Go 1.26).
		note("log", Log(l), math.Log(l), l)
		near := s.between(0.9, 1.1)
		note("log", Log(near), math.Log(near), near)
		base, power := s.between(0, 10), s.between(-5, 5)
		note("pow", Pow(base, power), math.Pow(base, power), base, power)
	}
	t.Log("worst distance from package math, ulp:", worst)
}

// Against more bits: integer powers by big.Float, and angles that lie next to
// a multiple of pi/2.
func TestAccuracy(t *testing.T) {
	var s sequence
	worst := 0.0
	for range 2000 {
		x, n := s.between(0.01, 100), int(s.between(-120, 120))
		want := big.NewFloat(1).SetPrec(200)
		for range max(n, -n) {
			want.Mul(want, big.NewFloat(x))
		}
		if n < 0 {
			want.Quo(big.NewFloat(1).SetPrec(200), want)
		}
		w, _ := want.Float64()
		worst = max(worst, ulps(Pow(x, float64(n)), w))
	}
	if worst > 1 {
		t.Errorf("pow: off by %.1f ulp", worst)
	}
	// sin(355) and cos(11): values from mpmath, 50 digits.
	if got, want := Sin(355), -3.014435335948844921e-05; ulps(got, want) > 1 {
		t.Errorf("sin(355) = %v, want %v", got, want)
	}
	if got, want := cos(11), 0.0044256979880507857; ulps(got, want) > 1 {
		t.Errorf("cos(11) = %v, want %v", got, want)
	}
	if got, want := Sin(math.Pi), 1.2246467991473531772e-16; ulps(got, want) > 1 {
		t.Errorf("sin(pi) = %v, want %v", got, want)
	}
}

func TestSinCosDegrees(t *testing.T) {
	exact := [][2]float64{{0, 1}, {1, 0}, {0, -1}, {-1, 0}}
	for n := -4_000_000; n <= 4_000_000; n += 999_999 {
		sin, cos := SinCosDegrees(float64(n) * 90)
		if want := exact[((n%4)+4)%4]; sin != want[0] || cos != want[1] {
			t.Errorf("%d quarter turns: %v, %v", n, sin, cos)
		}
	}
	var s sequence
	for range 10_000 {
		d := s.between(-180, 180)
		sin, cos := SinCosDegrees(d)
		if math.Abs(sin-math.Sin(d*math.Pi/180)) > 1e-15 || math.Abs(cos-math.Cos(d*math.Pi/180)) > 1e-15 {
			t.Errorf("%v degrees: %v, %v", d, sin, cos)
		}
		if s2, c2 := SinCosDegrees(-d); s2 != -sin || c2 != cos {
			t.Errorf("%v degrees: not symmetric", d)
		}
	}
	if sin, _ := SinCosDegrees(30); sin != 0.5 {
		t.Errorf("sin 30 degrees = %v", sin)
	}
}

func TestSpecialValues(t *testing.T) {
	inf, nan, zero := math.Inf(1), math.NaN(), math.Copysign(0, -1)
	values := []float64{0, zero, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 1e300, -1e300, 1e-300, 5e-324, inf, -inf, nan}
	same := func(name string, got, want float64, args ...float64) {
		if ulps(got, want) > 1 || math.Signbit(got) != math.Signbit(want) && !math.IsNaN(want) {
			t.Errorf("%s(%v) = %v, want %v", name, args, got, want)
		}
	}
	same("log", Log(5e-324), -744.4400719213812, 5e-324)
	for _, x := range values {
		same("exp", Exp(x), math.Exp(x), x)
		if x != 5e-324 { // math.Log is wrong there on amd64
			same("log", Log(x), math.Log(x), x)
		}
		if math.Abs(x) < 4 || math.IsInf(x, 0) || math.IsNaN(x) {
			same("sin", Sin(x), math.Sin(x), x)
			same("cos", cos(x), math.Cos(x), x)
		}
		for _, y := range values {
			same("pow", Pow(x, y), math.Pow(x, y), x, y)
		}
	}
}

// The bits are the same whatever the build: run this test with GOAMD64=v1 and
// v3, and on arm64.
func TestHash(t *testing.T) {
	const want = "9a96c8d6ed30577efd1a44cb07b6e79f"
	var s sequence
	h := sha256.New()
	put := func(x float64) { binary.Write(h, binary.LittleEndian, math.Float64bits(x)) }
	for range 100_000 {
		put(Sin(s.between(-400, 400)))
		put(cos(s.between(-3e6, 3e6)))
		put(Exp(s.between(-750, 711)))
		put(Log(s.between(0, 1000)))
		put(Pow(s.between(0, 10), s.between(-30, 30)))
		sine, cosine := SinCosDegrees(s.between(-720, 720))
		put(sine)
		put(cosine)
	}
	if got := hex.EncodeToString(h.Sum(nil)[:16]); got != want {
		t.Errorf("hash of 10^5 values of each function is %s, want %s", got, want)
	}
}

func cos(x float64) float64 {
	_, cos := sinCos(x)
	return cos
}
