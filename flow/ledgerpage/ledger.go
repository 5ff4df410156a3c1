package ledgerpage

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/flow"
)

// Ledger is what a page shows.
type Ledger struct {
	PlanHash string `json:"plan_hash"`
	About    string `json:"-"`    // what it is of, a sentence
	Rank     *int   `json:"rank"` // whose; nil: not known
	flow.Exposures
}

// Read takes the JSON of a flow.Report, an inspect.Report or a flow.State, or of the state of a Loader
// of the Python package.
func Read(data []byte) (*Ledger, error) {
	var found struct {
		Ledger json.RawMessage `json:"ledger"`
		Epoch  *int            `json:"epoch"`
		Batch  int64           `json:"batch"`
		Rank   *int            `json:"rank"`
		Engine *flow.State     `json:"engine"` // of a Loader

		Images json.RawMessage `json:"images"`
		Masks  json.RawMessage `json:"masks"` // of an inspect.Report
	}
	if err := json.Unmarshal(data, &found); err != nil {
		return nil, fmt.Errorf("it isn't JSON: %w", err)
	}
	if text := ""; found.Engine != nil && json.Unmarshal(found.Ledger, &text) == nil {
		found.Ledger = json.RawMessage(text) // a Loader's state has it as text
	}
	none := func(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }
	switch {
	case !none(found.Ledger):
	case found.Epoch != nil:
		return nil, errors.New("it has no ledger: it is a state of samples without classes, of more than 10,000 classes, or of an earlier sluice; where there are classes, the report of the run (--json) has one")
	case !none(found.Images): // an inspect.Report of samples without tasks of one label
	case !none(found.Masks):
		return nil, errors.New("it has masks, and neither labels nor objects: there is no class of which rows could be counted; sluice inspect counts the pixels of each class")
	default:
		return nil, errors.New("it has no ledger: give the report of a run (--json), of inspect --json, or a state; of samples without labels and objects there is none")
	}
	if found.Epoch != nil {
		s := found.Engine
		if s == nil {
			s = new(flow.State)
			if err := json.Unmarshal(data, s); err != nil {
				return nil, err
			}
		} else if err := json.Unmarshal(found.Ledger, &s.Ledger); err != nil {
			return nil, fmt.Errorf("its ledger cannot be read: %w", err)
		} else {
			s.Epoch, s.Batch = *found.Epoch, found.Batch
		}
		return ofState(s, found.Rank), nil
	}
	l := new(Ledger)
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("its ledger cannot be read: %w", err)
	}
	return l, nil
}

// ofState is the ledger of a state, which has sums.
func ofState(s *flow.State, rank *int) *Ledger {
	l := &Ledger{PlanHash: s.PlanHash, Rank: rank, About: fmt.Sprintf("A run up to epoch %d, batch %d.", s.Epoch, s.Batch)}
	l.Ledger = map[string]map[string]flow.Exposure{}
	for i, task := range slices.Concat(s.Tasks, s.Ledger.Several) {
		classes := map[string]flow.Exposure{}
		for c, row := range s.Ledger.Tasks[task.Name] {
			at := func(column string) float64 {
				if i := slices.Index(s.Ledger.Columns, column); i >= 0 && i < len(row) {
					return row[i]
				}
				return 0
			}
			x := flow.Exposure{
				Quota: int64(at("quota")), Drawn: int64(at("drawn")), Delivered: int64(at("delivered")), Failed: int64(at("failed")),
				Refilled: int64(at("refilled")), Filled: int64(at("filled")), Distinct: int64(at("distinct")),
			}
			if samples := s.Ledger.Samples[task.Name]; c < len(samples) {
				x.Samples = samples[c]
			}
			x.Repeats = x.Delivered - x.Distinct
			if x.Delivered > 0 {
				x.Weight = at("weight") / float64(x.Delivered)
				for i := slices.Index(s.Ledger.Columns, "weight") + 1; i > 0 && i < min(len(row), len(s.Ledger.Columns)); i++ {
					if x.Strength == nil {
						x.Strength = map[string]float64{}
					}
					x.Strength[s.Ledger.Columns[i]] = row[i] / float64(x.Delivered)
				}
			}
			if s.Ledger.Weight > 0 {
				x.WeightShare = at("weight") / s.Ledger.Weight
			}
			switch {
			case c < len(task.Classes):
				classes[task.Classes[c]] = x
			case x.Quota+x.Drawn > 0:
				classes[""] = x
			}
		}
		switch {
		case i < len(s.Tasks):
			l.Ledger[task.Name] = classes
			continue
		case l.Images == nil:
			l.Images = map[string]map[string]flow.Exposure{}
		}
		l.Images[task.Name] = classes
	}
	return l
}
