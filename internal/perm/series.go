package perm

import (
	"sync/atomic"

	"github.com/sluicedata/sluice/internal/rng"
)

// Series is the permutations of 0..n-1 of all rounds. The last few used are
// kept, so that their keys (or tables) are not made anew at every draw. Safe for
// concurrent use.
type Series struct {
	n      uint64
	key    rng.Key
	recent [4]atomic.Pointer[numbered] // by round modulo 4: an epoch and its neighbours
}

type numbered struct {
	round uint64
	perm  Perm
}

// NewSeries returns the permutations New(n, key, 0), New(n, key, 1), ...
func NewSeries(n uint64, key rng.Key) *Series { return &Series{n: n, key: key} }

// At is New(n, key, round).At(i).
func (s *Series) At(round, i uint64) uint64 {
	place := &s.recent[round%uint64(len(s.recent))]
	p := place.Load()
	if p == nil || p.round != round {
		p = &numbered{round, New(s.n, s.key, round)}
		place.Store(p)
	}
	return p.perm.At(i)
}
