package flow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sluicedata/sluice/schema"
)

// State is a position in a run and all that is needed to resume from it: nothing is
// replayed. It is the same for all ranks that have made as many batches, and a
// run that resumes may have another number of them.
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

	Ledger *StateLedger `json:"ledger,omitempty"` // what each class got; left out where they are many
}

// StateLedger is the Report's ledger as far as it has come, to be continued: for each task, those of
// State.Tasks and of Several, a list by class, in their order and the unknown one last, of numbers
// that Columns names. Behind "weight", the sum of the weights, come the sums of strengths of stages
// that have one.
type StateLedger struct {
	Columns []string               `json:"columns"`
	Weight  float64                `json:"weight"` // the sum of all rows' weights
	Tasks   map[string][][]float64 `json:"tasks"`
	Samples map[string][]int64     `json:"samples,omitempty"` // by task and class, that the plan draws from
	Several []schema.Task          `json:"several,omitempty"` // of several labels, and boxes, with their classes
}

// mostStateClasses is the number of classes beyond which a state doesn't name them, nor has a
// ledger: states are written often.
const mostStateClasses = 10_000

// stateFormat is the version of a state's JSON.
const stateFormat = 3

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
		return fmt.Errorf("flow: a state of format %d, and this sluice reads formats up to %d: continue with the one that wrote it, or start over", in.Format, stateFormat)
	case in.Format >= 2 && in.Checksum == "", in.Checksum != "" && in.Checksum != sum:
		return errors.New("flow: the state is damaged: its checksum isn't that of its content; start over, or resume at an epoch and batch of your choice")
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
	if s.Ledger != nil {
		if w := s.Ledger.Weight; !(w >= 0) || math.IsInf(w, 1) {
			return fmt.Errorf("flow: the state is damaged: the weight in its ledger is %v", w)
		}
		for task, classes := range s.Ledger.Tasks {
			for _, n := range slices.Concat(classes...) {
				if !(n >= 0 && n <= most) {
					return fmt.Errorf("flow: the state is damaged: task %s of its ledger has %v", task, n)
				}
			}
		}
	}
	if s.PlanHash != "" {
		if b, err := hex.DecodeString(s.PlanHash); err != nil || len(b) != sha256.Size {
			return errors.New("flow: the state is damaged: its plan_hash isn't 64 hexadecimal digits")
		}
	}
	return nil
}
