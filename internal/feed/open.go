package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
)

// opened is a session's plan, and what its runs share.
type opened struct {
	ask      *Open
	plan     *flow.Plan
	info     *schema.Run
	variants int // in which a batch leaves
	slots    *slots
	warned   bool // that the loop keeps all slots
}

const (
	// ready is how many batches are sent ahead of the loop.
	ready = 2
	// kept is how many a loop may keep, that at hand and some before it, without a batch going
	// by the message.
	kept = 3
	// mostRing bounds the ring, where it has the slots without which it makes no sense.
	mostRing, leastSlots = 4 << 30, 4
)

// open plans a pipeline: once a session.
func (s *session) open(ctx context.Context, m *message) (*reply, error) {
	ask := &Open{World: 1}
	if err := m.into(ask); err != nil {
		return nil, err
	}
	if err := s.openOnce(); err != nil {
		return nil, err
	}
	pipe, err := s.Load(ask)
	if err != nil {
		return nil, err
	}
	plan, err := pipe.Plan(ctx)
	if err != nil {
		return nil, err
	}
	o := &opened{ask: ask, plan: plan, info: plan.Info(), slots: newSlots(nil, 0, 0)}
	head, rights, err := s.describePlan(o)
	if err != nil {
		return nil, errors.Join(err, plan.Close())
	}
	s.Planned(plan)
	s.mu.Lock()
	s.opened = o
	s.mu.Unlock()
	return &reply{kind: kindPlan, head: head, rights: rights}, nil
}

// planHead is a PLAN message.
type planHead struct {
	Plan             json.RawMessage `json:"plan"` // as `sluice plan --json` has it
	Text             string          `json:"text"`
	State            flow.State      `json:"state"` // the start
	Batches          int64           `json:"batches"`
	VariantsPerBatch int             `json:"variants_per_batch"`
	Transport        string          `json:"transport"`
	Slots            int             `json:"slots"`
	SlotBytes        int             `json:"slot_bytes"`
	Warnings         []string        `json:"warnings"`

	Targets *schema.TargetSpec `json:"targets"` // null: none
}

func (s *session) describePlan(o *opened) (head *planHead, rights []byte, err error) {
	plan := o.plan
	info, outline := o.info, plan.Outline()
	o.variants = int(outline.RecordsPerEpoch / info.BatchesPerEpoch)
	h := &planHead{
		Plan: marshal(s.Report(plan)), Text: plan.String(), State: plan.StateAfter(&schema.Batch{}),
		VariantsPerBatch: o.variants, Transport: "pipe", Warnings: append([]string{}, plan.Warnings()...),
		Targets: info.Targets,
	}
	h.State.Epoch, h.State.Batch = 0, 0
	h.Batches = recordsOfRank(plan) * int64(o.variants)
	if want := o.ask.Scale; want != nil {
		if err := hasScale(info, *want); err != nil {
			return nil, nil, err
		}
		if o.variants > 1 {
			h.VariantsPerBatch = 1
			h.Batches = recordsOfRank(plan)
		} else {
			h.Batches = -1 // those that pick it
		}
	}
	switch o.ask.Transport {
	case "", "ring":
		if err := o.makeRing(info); err != nil {
			h.Warnings = append(h.Warnings, err.Error()+"; batches go by the socket instead, which takes more of the processor")
		}
	case "pipe":
	default:
		return nil, nil, usage("transport is %q: ring or pipe", o.ask.Transport)
	}
	if r := o.slots.ring; r != nil {
		h.Transport, h.Slots, h.SlotBytes, rights = "ring", o.slots.n, o.slots.size, r.rights()
	}
	return h, rights, nil
}

// recordsOfRank is the number of batches in each epoch that a run of this rank makes from
// the epoch's start.
func recordsOfRank(plan *flow.Plan) int64 {
	s, n := plan.Settings(), plan.Info().BatchesPerEpoch
	world := int64(s.World)
	if s.LastRound == flow.PadRound {
		n += world - 1
	}
	return n / world
}

func hasScale(info *schema.Run, want float64) error {
	list := ""
	for _, v := range info.Variants {
		if v.Scale == want {
			return nil
		}
		list += " " + schema.FormatScale(v.Scale)
	}
	return &failure{Kind: failPipeline, Message: fmt.Sprintf("scale is %s, and the pipeline's are:%s", schema.FormatScale(want), list)}
}

// makeRing makes the ring, where pictures are of one size.
func (o *opened) makeRing(info *schema.Run) error {
	if info.Form != schema.FormTensor {
		return nil
	}
	if !hasRing {
		if o.ask.Transport == "" {
			return nil
		}
		_, err := newRing(0)
		return err
	}
	page := os.Getpagesize() // so that each slot can be mapped by itself
	size := 0
	for _, v := range info.Variants {
		rows := int(min(int64(info.BatchSize), info.RowsPerEpoch))
		each := v.Tensor.Elements() * v.Tensor.DType.Bytes()
		if info.Targets.HasMask() {
			each += v.Tensor.Height * v.Tensor.Width
		}
		size = max(size, (rows*each+page-1)/page*page)
	}
	n := o.ask.Slots
	if n <= 0 {
		n = o.plan.Settings().Queue + 1 + ready + kept
		n = max(min(n, int(mostRing/int64(size))), leastSlots)
	}
	r, err := newRing(n * size)
	if err != nil {
		return err
	}
	o.slots = newSlots(r, n, size)
	return nil
}

// check answers whether a run may go on from a state.
func (s *session) check(_ context.Context, m *message) (*reply, error) {
	o, err := s.planned()
	if err != nil {
		return nil, err
	}
	var ask struct {
		State json.RawMessage `json:"state"`
	}
	if err := m.into(&ask); err != nil {
		return nil, err
	}
	var state flow.State
	if err := json.Unmarshal(ask.State, &state); err != nil {
		return nil, s.ofState(err)
	}
	if _, err := o.plan.With(flow.Resume(state), flow.Epochs(flow.Endless)); err != nil {
		return nil, s.ofState(err)
	}
	return &reply{head: map[string]any{"epoch": state.Epoch, "batch": state.Batch}}, nil
}

// planned is the session's pipeline.
func (s *session) planned() (*opened, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened == nil {
		return nil, usage("feed: no pipeline is open")
	}
	return s.opened, nil
}
