package flow

import (
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/stages"
)

// scaling is a plan's Expander in its place; nil where batches leave as they are.
type scaling struct {
	stage stages.Expander
	name  string
	key   rng.Key
}

// picks lists the variants in which a batch leaves.
func (s *scaling) picks(epoch int, number int64) []int {
	if s == nil {
		return nil
	}
	return s.stage.Pick(epoch, number, s.key.Stream(epoch, number, 0))
}

// perBatch is the number of variants in which a batch leaves.
func (s *scaling) perBatch() int {
	if s == nil {
		return 1
	}
	return len(s.picks(0, 0))
}
