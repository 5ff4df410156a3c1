package flow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sluicedata/sluice/internal/plandiff"
	"github.com/sluicedata/sluice/schema"
)

// State is a place in a run and all that is needed to go on there: nothing is
// replayed. It is the same for all ranks that have made as many batches, and a
// run that goes on may have another number of them.
//
// As JSON it carries a format version and a checksum over all of it, which are looked at
// when it is read; a state without them is taken, too: of an earlier sluice, or written
// by hand.
type State struct {
	PlanHash string          `json:"plan_hash"`
	Pipeline json.RawMessage `json:"pipeline,omitempty"` // canonical form: tells what differs in another plan
	Tasks    []schema.Task   `json:"tasks,omitempty"`    // with their classes: tells whether their numbers changed; left out where they are many

	Epoch int   `json:"epoch"`
	Batch int64 `json:"batch"` // the next one; of all ranks together

	// So far, of this rank.
	Rows     int64 `json:"rows"`
	Failed   int64 `json:"failed"`
	Refilled int64 `json:"refilled"`
}

// stateFormat is the version of a state's JSON.
const stateFormat = 2

// stateJSON is a state as it is written. Its checksum is the SHA-256 of the JSON without
// it and without blanks.
type stateJSON struct {
	Format int `json:"format,omitempty"` // 0: an earlier one, without a checksum
	plainState
	Checksum string `json:"sha256,omitempty"`
}

type plainState State

func (s *stateJSON) sum() (string, error) {
	bare := *s
	bare.Checksum = ""
	b, err := json.Marshal(bare)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

// MarshalJSON adds format and checksum.
func (s State) MarshalJSON() ([]byte, error) {
	out := stateJSON{Format: stateFormat, plainState: plainState(s)}
	var err error
	if out.Checksum, err = out.sum(); err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// UnmarshalJSON refuses a state that isn't what was written, and numbers that no state
// has.
func (s *State) UnmarshalJSON(data []byte) error {
	var in stateJSON
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return fmt.Errorf("flow: not a state: %w", err)
	}
	switch sum, err := in.sum(); {
	case err != nil:
		return fmt.Errorf("flow: not a state: %w", err)
	case in.Format > stateFormat || in.Format < 0:
		return fmt.Errorf("flow: a state of format %d, and this sluice reads formats up to %d: go on with the one that wrote it, or begin anew", in.Format, stateFormat)
	case in.Format == stateFormat && in.Checksum == "", in.Checksum != "" && in.Checksum != sum:
		return errors.New("flow: the state is damaged: its checksum isn't that of its content; begin anew, or go on at a place of your own, epoch and batch")
	}
	have := State(in.plainState)
	if err := have.check(); err != nil {
		return err
	}
	*s = have
	return nil
}

// check looks at what can be told without a plan.
func (s *State) check() error {
	const most = 1 << 53
	for _, n := range []struct {
		name  string
		value int64
	}{{"epoch", int64(s.Epoch)}, {"batch", s.Batch}, {"rows", s.Rows}, {"failed", s.Failed}, {"refilled", s.Refilled}} {
		if n.value < 0 || n.value > most {
			return fmt.Errorf("flow: the state is damaged: %s is %d", n.name, n.value)
		}
	}
	if s.PlanHash != "" {
		if b, err := hex.DecodeString(s.PlanHash); err != nil || len(b) != sha256.Size {
			return errors.New("flow: the state is damaged: its plan_hash isn't 64 hexadecimal digits")
		}
	}
	return nil
}

// StateAfter is the state of a run that goes on behind a delivered batch, in
// whatever variant: keep it once the last one is used. The counters are left at
// zero; OnState and Report.State have them.
func (p *Plan) StateAfter(b *schema.Batch) State {
	from := int64(0)
	if start := p.start(); b.Epoch == start.epoch {
		from = start.batch
	}
	return p.stateAt(p.job(b.Epoch, from, b.Number).next)
}

func (p *Plan) stateAt(at cursor) State {
	s := State{PlanHash: p.PlanHash, Pipeline: p.Canonical, Epoch: at.epoch, Batch: at.batch}
	const most = 10_000 // classes: states are written often
	n := 0
	for _, task := range p.Tasks {
		n += len(task.Classes)
	}
	if n <= most {
		s.Tasks = p.Tasks
	}
	return s
}

// checkState refuses the state of another plan. One that was written by hand
// may leave the plan out.
func (p *Plan) checkState() error {
	s := p.Settings.Resume
	if s == nil {
		return nil
	}
	if err := s.check(); err != nil {
		return err
	}
	if s.PlanHash != "" && s.PlanHash != p.PlanHash {
		return fmt.Errorf("flow: the state is of another pipeline: its plan hash is %.12s, this one's is %.12s%s", s.PlanHash, p.PlanHash, differences(s, p))
	}
	end := s.Epoch == p.Epochs && s.Batch == 0
	if !end && (s.Epoch < 0 || s.Epoch >= p.Epochs || s.Batch < 0 || s.Batch >= p.BatchesPerEpoch) {
		what := "the state is at epoch"
		if s.PlanHash == "" {
			what = "the place to go on at is epoch"
		}
		return fmt.Errorf("flow: %s %d, batch %d (both from 0), and the run has %s of %s: raise epochs, or begin anew", what, s.Epoch, s.Batch, plural(int64(p.Epochs), "epoch"), plural(p.BatchesPerEpoch, "batch"))
	}
	// A rank has at most all batches up to here, each twice where the last round is padded.
	if most := 2 * float64(s.Epoch+1) * float64(p.BatchesPerEpoch) * float64(p.BatchSize); float64(s.Rows)+float64(s.Failed) > most || s.Refilled > s.Rows {
		return fmt.Errorf("flow: the state is damaged: %d rows, %d of them refilled, and %d failed, up to epoch %d, batch %d", s.Rows, s.Refilled, s.Failed, s.Epoch, s.Batch)
	}
	return nil
}

// differences says what became of class numbers, and which settings and stages two
// canonical forms don't share.
func differences(s *State, p *Plan) string {
	list := schema.ClassChanges(s.Tasks, p.Tasks)
	if len(s.Pipeline) > 0 {
		list = append(list, plandiff.Texts(plandiff.Plans(s.Pipeline, p.Canonical))...)
	}
	if len(list) == 0 {
		return ""
	}
	return "; what differs, state -> pipeline:\n  " + plandiff.Lines(list)
}
