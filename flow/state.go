package flow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// differences says what became of class numbers, and in which members two
// canonical forms differ.
func differences(s *State, p *Plan) string {
	list := schema.ClassChanges(s.Tasks, p.Tasks)
	var a, b any
	if json.Unmarshal(s.Pipeline, &a) == nil && json.Unmarshal(p.Canonical, &b) == nil {
		list = append(list, compare("", a, b)...)
	}
	const most = 6
	if len(list) > most {
		list = append(list[:most], fmt.Sprintf("and %d more", len(list)-most))
	}
	if len(list) == 0 {
		return ""
	}
	return "; what differs:\n  " + strings.Join(list, "\n  ")
}

func compare(at string, a, b any) []string {
	mapA, okA := a.(map[string]any)
	mapB, okB := b.(map[string]any)
	listA, isA := a.([]any)
	listB, isB := b.([]any)
	var out []string
	switch {
	case okA && okB:
		both := maps.Clone(mapA)
		maps.Copy(both, mapB)
		for _, key := range slices.Sorted(maps.Keys(both)) {
			out = append(out, compare(strings.TrimPrefix(at+"."+key, "."), mapA[key], mapB[key])...)
		}
		return out
	case isA && isB && len(listA) == len(listB) && len(listA) > 0 && isMap(listA[0]):
		for i := range listA {
			out = append(out, compare(fmt.Sprintf("%s[%d]%s", at, i, named(listB[i])), listA[i], listB[i])...)
		}
		return out
	}
	x, y := short(a), short(b)
	switch {
	case x == y:
		return nil
	case at == "source":
		return []string{"source: keys, sizes or labels of its samples, or the numbers of their classes"}
	}
	if len(x) > 60 || len(y) > 60 {
		return []string{at}
	}
	return []string{fmt.Sprintf("%s: %s in the state, %s here", at, x, y)}
}

func isMap(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

func named(stage any) string {
	if m, ok := stage.(map[string]any); ok && m["name"] != nil {
		return fmt.Sprintf(" %s", m["name"])
	}
	return ""
}

func short(v any) string {
	if v == nil {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
