package flow

import (
	"fmt"

	"github.com/sluicedata/sluice/internal/plandiff"
	"github.com/sluicedata/sluice/schema"
)

// checkState refuses the state of another plan. One that was written by hand
// may leave the plan out.
func checkState(p *Plan) error {
	s, run := p.settings.Resume, &p.info
	if s == nil {
		return nil
	}
	if err := s.check(); err != nil {
		return err
	}
	if s.PlanHash != "" && s.PlanHash != run.PlanHash {
		return fmt.Errorf("flow: the state is of another pipeline: its plan hash is %.12s, this one's is %.12s%s", s.PlanHash, run.PlanHash, differences(s, p))
	}
	end := s.Epoch == run.Epochs && s.Batch == 0
	if !end && (s.Epoch < 0 || s.Epoch >= run.Epochs || s.Batch < 0 || s.Batch >= run.BatchesPerEpoch) {
		what := "the state is at epoch"
		if s.PlanHash == "" {
			what = "the resume position is epoch"
		}
		return fmt.Errorf("flow: %s %d, batch %d (both from 0), and the run has %s of %s: raise epochs, or start over", what, s.Epoch, s.Batch, plural(int64(run.Epochs), "epoch"), plural(run.BatchesPerEpoch, "batch"))
	}
	// A rank has at most all batches up to here, each twice where the last round is padded.
	if most := 2 * float64(s.Epoch+1) * float64(run.BatchesPerEpoch) * float64(run.BatchSize); float64(s.Rows)+float64(s.Failed) > most || s.Refilled > s.Rows {
		return fmt.Errorf("flow: the state is damaged: %d rows, %d of them refilled, and %d failed, up to epoch %d, batch %d", s.Rows, s.Refilled, s.Failed, s.Epoch, s.Batch)
	}
	return nil
}

// differences says what became of class numbers, and which settings and stages two
// canonical forms don't share.
func differences(s *State, p *Plan) string {
	list := schema.ClassChanges(s.Tasks, p.info.Tasks)
	if len(s.Pipeline) > 0 {
		list = append(list, plandiff.Texts(plandiff.Plans(s.Pipeline, p.canonical))...)
	}
	if len(list) == 0 {
		return ""
	}
	return "; what differs, state -> pipeline:\n  " + plandiff.Lines(list)
}
