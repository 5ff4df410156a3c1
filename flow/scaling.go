package flow

import (
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/stages"
)

// scaling is a plan's Expander in its place; nil where batches leave as they are.
type scaling struct {
	stage stages.Expander
	name  string
	key   rng.Key

	variants int // that there are
}

// picks lists the variants in which a batch leaves: some, none of them twice. Other lists,
// and a panic, are an error that names the stage.
func (s *scaling) picks(epoch int, number int64) (list []int, err error) {
	if s == nil {
		return nil, nil
	}
	err = guard(s.name, func() error {
		list = s.stage.Pick(epoch, number, s.key.Stream(epoch, number, 0))
		return nil
	})
	if err != nil {
		return nil, err
	}
	wrong := len(list) == 0
	for i, v := range list {
		wrong = wrong || v < 0 || v >= s.variants || slices.Contains(list[:i], v)
	}
	if wrong {
		return nil, fmt.Errorf("stages: %s: Pick gave %v for batch %d of epoch %d: it must list some of the variants 0 to %d, each once", s.name, list, number, epoch, s.variants-1)
	}
	return list, nil
}

// first is the picks of the first batch: how many there are, in estimates.
func (s *scaling) first() []int {
	list, _ := s.picks(0, 0) // checked when the plan was made
	return list
}

// perBatch is the number of variants in which a batch leaves.
func (s *scaling) perBatch() int { return max(len(s.first()), 1) }
