package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sources"
)

// canonical is all that the bytes of a run depend on, defaults written out. Not
// in it: paths, times, the schedule; nor the number of epochs, unless a stage's draws depend
// on it.
type canonical struct {
	Version   int               `json:"version"`
	Source    string            `json:"source"` // identity: hash of keys, sizes and labels
	Seed      uint64            `json:"seed"`
	Fuse      Fuse              `json:"fuse"`
	Exec      Executor          `json:"exec"`
	Revision  int               `json:"exec_revision"` // of the fused executor; 0: the reference, which stages' versions cover
	Decoder   any               `json:"decoder"`
	OnError   Policy            `json:"on_error"`
	Refills   int               `json:"refill_revision,omitempty"` // of how substitutes are chosen; only where they are
	Epochs    int               `json:"epochs,omitempty"`          // only where a stage's schedule uses their number
	EpochRows int64             `json:"epoch_rows"`
	BatchSize int               `json:"batch_size"`
	Params    bool              `json:"params"`
	ParamsAre int               `json:"params_revision,omitempty"` // of what the column holds; only where there is one
	Objects   *canonicalObjects `json:"objects,omitempty"`         // only of a source with targets
	Stages    []canonicalStage  `json:"stages"`
}

type canonicalStage struct {
	Name    string          `json:"name"`
	ID      string          `json:"id"`
	Version int             `json:"version"`
	Options json.RawMessage `json:"options"`
	When    json.RawMessage `json:"when,omitempty"` // conditions and strength; only where there are some
}

// hash sets the canonical form and its hash.
func (p *planner) hash() error {
	c := canonical{
		Version: 1, Source: sources.Identity(p.dataset.Index()), Seed: p.settings.Seed,
		Fuse: p.settings.Fuse, Exec: p.settings.Exec, Decoder: decode.Revision, OnError: p.settings.Failures.Policy,
		EpochRows: p.info.RowsPerEpoch, BatchSize: p.info.BatchSize, Params: p.settings.Params,
		Stages: []canonicalStage{},
	}
	if c.OnError == Refill {
		c.Refills = refillRevision
	}
	if c.Params {
		c.ParamsAre = picture.ParamsRevision
	}
	if p.info.Targets != nil {
		c.Objects = p.objects.canonical()
	}
	if p.scheduled {
		c.Epochs = p.settings.Epochs
	}
	if c.Exec == Fused {
		c.Revision = picture.FusedRevision
	}
	for _, s := range p.steps {
		opts, err := options.Canonical(s.stage)
		if err != nil {
			return fmt.Errorf("flow: %s: %w", s.name, err)
		}
		of := canonicalStage{Name: s.stage.Name(), ID: s.id, Version: s.stage.Version(), Options: opts}
		if s.when != nil {
			if of.When, err = s.when.Canonical(); err != nil {
				return fmt.Errorf("flow: %s: %w", s.name, err)
			}
		}
		c.Stages = append(c.Stages, of)
	}
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	sum := sha256.Sum256(b)
	p.canonical, p.info.Pipeline, p.info.PlanHash = b, string(b), hex.EncodeToString(sum[:])
	return nil
}
