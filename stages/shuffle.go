package stages

import (
	"errors"

	"github.com/sluicedata/sluice/internal/perm"
	"github.com/sluicedata/sluice/schema"
)

// Shuffle draws every sample once per epoch, in a different order in each: position p
// of epoch e is sample perm(e)(p) of its input, by a keyed permutation (internal/perm)
// that is computed one element at a time. There is no buffer: any two samples may
// become neighbours, and each position is computed by itself.
type Shuffle struct{}

// errEmpty is the error of samplers whose input is empty.
var errEmpty = errors.New("no sample reaches it")

// The purposes for which samplers derive keys: perm.Derive(key, purpose, number).
const (
	keyOrder   = 0 // position -> sample or slot; number 0
	keyMembers = 1 // use -> member of a class; number is the class
)

// Name is the stage's name in pipeline files.
func (Shuffle) Name() string { return "shuffle" }

// Version of the algorithm.
func (Shuffle) Version() int { return 1 }

// Check returns nil: there are no options.
func (Shuffle) Check() error { return nil }

// Sample returns the shuffled order.
func (Shuffle) Sample(in Selection, _ schema.Index, key RandKey) (Order, error) {
	if len(in) == 0 {
		return nil, errEmpty
	}
	return &shuffled{in, perm.NewSeries(uint64(len(in)), perm.Derive(key, keyOrder, 0))}, nil
}

type shuffled struct {
	samples Selection
	epochs  *perm.Series
}

func (s *shuffled) Len() int64 { return int64(len(s.samples)) }

func (s *shuffled) At(epoch int, position int64) int {
	return s.samples[s.epochs.At(uint64(epoch), uint64(position))]
}
