// Package perm is keyed permutations of 0..n-1, computed one element at a
// time: element i of an epoch's order costs the same at n = 10^9 as at n = 100,
// and no table of n elements is kept. Which permutation it is depends on n, a
// key and a round alone, on no machine, worker or call before.
package perm

import (
	"math/bits"

	"github.com/sluicedata/sluice/internal/rng"
)

// small is the largest n that is shuffled as a table: a network's halves of
// three bits and less would have too few different round functions to be fair.
const small = 64

// rounds of the Feistel network. Luby and Rackoff (1988) need four for large
// halves; on the 7 bits of n = 65 four are visibly unfair: TestFair.
const rounds = 8

// Perm is a permutation of 0..Len()-1: a value, safe for concurrent use. The
// zero Perm is empty.
//
// Up to n = 64 it is a Fisher-Yates shuffle. Above, with b the bits of n-1, a
// Feistel network permutes 0..2^b-1: a number is cut into a left half of
// floor(b/2) and a right half of ceil(b/2) bits, and rounds alternately XOR
// into one half a keyed hash of the other. Results of n or more are sent
// through again until one is below n (cycle walking, Black and Rogaway 2002:
// again a bijection); as 2^b < 2n, fewer than two turns are expected.
type Perm struct {
	n      uint64
	left   uint8 // bits of the left half
	right  uint8 // bits of the right half
	subkey [rounds]uint64
	table  [small]uint8
}

// New returns the permutation of 0..n-1 of a key and a round: the epoch, or how
// often a class has been gone through. All its random bits are Philox blocks
// of that key at the counters (block, n, round, 0).
func New(n uint64, key rng.Key, round uint64) Perm {
	p := Perm{n: n}
	if n <= small {
		p.shuffle(key, round)
		return p
	}
	b := bits.Len64(n - 1)
	p.left, p.right = uint8(b/2), uint8(b-b/2)
	for block := range rounds / 4 {
		words := philox(key, uint64(block), n, round)
		copy(p.subkey[4*block:], words[:])
	}
	return p
}

// Derive returns a key of its own for one of the purposes that a stage has for
// permutations: the Philox block of the stage's key at the counter (purpose,
// number, 0, 2^64-1), where no Stream of the stage comes.
func Derive(key rng.Key, purpose, number uint64) rng.Key {
	words := rng.Philox([4]uint64{purpose, number, 0, ^uint64(0)}, [2]uint64{key.Seed, key.Stage})
	return rng.Key{Seed: words[0], Stage: words[1]}
}

// Len is n.
func (p *Perm) Len() uint64 { return p.n }

// At is where the permutation sends i, which must be below Len.
func (p *Perm) At(i uint64) uint64 {
	if i >= p.n {
		panic("perm: index out of range")
	}
	if p.n <= small {
		return uint64(p.table[i])
	}
	for i = p.network(i); i >= p.n; i = p.network(i) {
	}
	return i
}

// network is one pass through the Feistel network on left+right bits.
func (p *Perm) network(i uint64) uint64 {
	left, right := i>>(p.right&63), i&(1<<(p.right&63)-1)
	toLeft, toRight := (64-p.left)&63, (64-p.right)&63
	for r := 0; r < rounds; r += 2 {
		left ^= hash(right^p.subkey[r]) >> toLeft
		right ^= hash(left^p.subkey[r+1]) >> toRight
	}
	return left<<(p.right&63) | right
}

// hash mixes x into the upper bits of the result: two of the three steps of
// SplitMix64's finalizer (Stafford's variant 13), whose last step serves the
// lower bits.
func hash(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	return (x ^ x>>27) * 0x94D049BB133111EB
}

// shuffle is Fisher and Yates's, inside out, with unbiased choices.
func (p *Perm) shuffle(key rng.Key, round uint64) {
	words := source{key: key, n: p.n, round: round}
	for i := uint64(1); i < p.n; i++ { // element 0 is 0 so far
		j := words.below(i + 1)
		p.table[i] = p.table[j]
		p.table[j] = uint8(i)
	}
}

// source is a sequence of random words.
type source struct {
	key      rng.Key
	n, round uint64
	words    [4]uint64
	used     uint64
}

func (s *source) next() uint64 {
	if s.used%4 == 0 {
		s.words = philox(s.key, s.used/4, s.n, s.round)
	}
	s.used++
	return s.words[(s.used-1)%4]
}

// below is uniform on 0..bound-1 (Lemire 2019).
func (s *source) below(bound uint64) uint64 {
	hi, lo := bits.Mul64(s.next(), bound)
	for lo < bound && lo < -bound%bound {
		hi, lo = bits.Mul64(s.next(), bound)
	}
	return hi
}

func philox(key rng.Key, block, n, round uint64) [4]uint64 {
	return rng.Philox([4]uint64{block, n, round, 0}, [2]uint64{key.Seed, key.Stage})
}
