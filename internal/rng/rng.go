// Package rng is sluice's only source of randomness: Philox4x64-10 (Salmon et
// al. 2011, the generator of numpy.random.Philox), a pure function of a key
// and a counter. A stream is addressed, never advanced by anyone else: the
// same (seed, stage, epoch, position, attempt) gives the same values on every
// machine, in any order, with any number of workers.
package rng

import (
	"hash/fnv"
	"math"
	"math/bits"
)

// Key names the randomness of one stage under one seed.
type Key struct{ Seed, Stage uint64 }

// NewKey returns the key of a stage. The id tells stages of one name apart: its
// ordinal among them ("0", "1", ...) or the id that the pipeline gives it.
func NewKey(seed uint64, stage, id string) Key {
	h := fnv.New64a()
	h.Write([]byte(stage + "\x00" + id)) // never fails
	return Key{Seed: seed, Stage: h.Sum64()}
}

// Stream returns the values of one draw. attempt is 0, or counts the refills
// of a failed draw.
func (k Key) Stream(epoch int, position int64, attempt int) *Stream {
	return &Stream{key: k, counter: [4]uint64{0, uint64(position), uint64(epoch), uint64(attempt)}, used: 4}
}

// Stream is a sequence of random values. Not for concurrent use.
type Stream struct {
	key     Key
	counter [4]uint64
	block   [4]uint64
	used    int
}

// Uint64 returns the next 64 random bits; as numpy's Philox, the counter is
// incremented before each block of four.
func (s *Stream) Uint64() uint64 {
	if s.used == 4 {
		s.counter[0]++
		s.block = Philox(s.counter, [2]uint64{s.key.Seed, s.key.Stage})
		s.used = 0
	}
	s.used++
	return s.block[s.used-1]
}

// Float64 is uniform on [0, 1), a multiple of 2^-53.
func (s *Stream) Float64() float64 { return float64(s.Uint64()>>11) * 0x1p-53 }

// Uniform is uniform on [low, high); low if they are equal.
func (s *Stream) Uniform(low, high float64) float64 {
	v := low + float64(s.Float64()*(high-low)) // the conversion forbids a fused multiply-add
	if v >= high && low < high {               // the sum was rounded up, as of 1-2^-53 in 100..101
		return math.Nextafter(high, low)
	}
	return v
}

// IntN is uniform on 0..n-1, without bias (Lemire 2019); 0 for n <= 1.
func (s *Stream) IntN(n int) int {
	if n <= 1 {
		return 0
	}
	bound := uint64(n)
	hi, lo := bits.Mul64(s.Uint64(), bound)
	for lo < bound && lo < -bound%bound {
		hi, lo = bits.Mul64(s.Uint64(), bound)
	}
	return int(hi)
}

// Philox is the Philox4x64 block function with ten rounds.
func Philox(counter [4]uint64, key [2]uint64) [4]uint64 {
	const m0, m1 = 0xD2E7470EE14C6C93, 0xCA5A826395121157
	const w0, w1 = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
	for round := range 10 {
		if round > 0 {
			key[0] += w0
			key[1] += w1
		}
		hi0, lo0 := bits.Mul64(m0, counter[0])
		hi1, lo1 := bits.Mul64(m1, counter[2])
		counter = [4]uint64{hi1 ^ counter[1] ^ key[0], lo1, hi0 ^ counter[3] ^ key[1], lo0}
	}
	return counter
}
