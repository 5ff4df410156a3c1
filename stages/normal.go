package stages

import (
	"math"
	"sync"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/internal/rng"
)

// noiseKey addresses the random numbers of a picture's pixels: 53 bits, so that a params
// column in JSON keeps it whole. The numbers themselves aren't drawn until the pixels are made.
type noiseKey uint64

func drawNoise(rand *Rand) noiseKey { return noiseKey(rand.Uint64() >> 11) }

// block is 16 random numbers of 16 bits.
func (k noiseKey) block(i int) [4]uint64 {
	return rng.Philox([4]uint64{uint64(i)}, [2]uint64{uint64(k)})
}

// fill makes dst numbers of the standard normal distribution, those from first on, which is a
// multiple of 16.
func (k noiseKey) fill(dst []float32, first int) {
	table := quantiles()
	for i := first / 16; ; i++ {
		block := k.block(i)
		if len(dst) < 16 {
			for j := range dst {
				dst[j] = float32(table[block[j/4]>>(j%4*16)&0xffff]) / quantileOne
			}
			return
		}
		for j, b := range block {
			p := dst[4*j : 4*j+4 : 4*j+4]
			p[0] = float32(table[b&0xffff]) / quantileOne
			p[1] = float32(table[b>>16&0xffff]) / quantileOne
			p[2] = float32(table[b>>32&0xffff]) / quantileOne
			p[3] = float32(table[b>>48]) / quantileOne
		}
		dst = dst[16:]
	}
}

// addTo adds the same numbers, times sigma and plus mean, both in levels, to values, rounded
// half up and clamped. It works in 1/2^32 of a level.
func (k noiseKey) addTo(values []uint8, mean, sigma float64) {
	table := quantiles()
	factor := int64(math.Round(sigma * (1 << noiseBits) / quantileOne))
	more := int64(math.Round(mean*(1<<noiseBits))) + 1<<(noiseBits-1)
	for i := 0; ; i++ {
		block := k.block(i)
		if len(values) < 16 {
			for j, v := range values {
				values[j] = noisy(v, table[block[j/4]>>(j%4*16)&0xffff], factor, more)
			}
			return
		}
		for j, b := range block {
			p := values[4*j : 4*j+4 : 4*j+4]
			p[0] = noisy(p[0], table[b&0xffff], factor, more)
			p[1] = noisy(p[1], table[b>>16&0xffff], factor, more)
			p[2] = noisy(p[2], table[b>>32&0xffff], factor, more)
			p[3] = noisy(p[3], table[b>>48], factor, more)
		}
		values = values[16:]
	}
}

const noiseBits = 32

// noisy is a value and noise of quantile z.
func noisy(v uint8, z int16, factor, more int64) uint8 {
	return uint8(min(max(int64(v)+(int64(z)*factor+more)>>noiseBits, 0), 255))
}

// quantileOne is a deviation of 1 in the table of quantiles.
const quantileOne = 1 << 12

// quantiles of the normal distribution, at the middles of 65,536 equal shares, the outermost
// at 4.33, rounded to 1/4096.
var quantiles = sync.OnceValue(func() *[1 << 16]int16 {
	t := new([1 << 16]int16)
	for i := range 1 << 15 {
		v := int16(math.Round(quantile((float64(i)+0.5)/(1<<16)) * quantileOne))
		t[i], t[1<<16-1-i] = v, -v
	}
	return t
})

// quantile is that of the normal distribution for 0 < p < 0.5, to 16 digits where p > 1e-11:
// Wichura's algorithm AS 241.
func quantile(p float64) float64 {
	if q := p - 0.5; q >= -0.425 {
		r := 0.180625 - float64(q*q)
		return q * horner(r, 2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
			1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080) /
			horner(r, 5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
				5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1)
	}
	r := math.Sqrt(-detmath.Log(p)) - 1.6
	return -horner(r, 7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258,
		3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734) /
		horner(r, 1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
			6.89767334985100004550e-1, 1.67638483018380384940, 2.05319162663775882187, 1)
}

// horner is a polynomial, its highest coefficient first.
func horner(x float64, coefficients ...float64) float64 {
	sum := 0.0
	for _, c := range coefficients {
		sum = float64(sum*x) + c
	}
	return sum
}
