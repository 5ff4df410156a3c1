package feed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"

	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

const (
	mostClasses = 1 << 24 // of a sampler's labels
	mostEpochs  = 1 << 22 // stages.Rebalance counts the uses of a class over as many
	mostDraws   = 1 << 20 // of a request
	mostFirst   = 1 << 50 // so that no position overflows
	mostStep    = 1 << 24
)

// labelsAsk is a LABELS message. Its body is the samples' class numbers, int32; -1: unknown.
// Where there are Several, it is the number of classes of each of so many samples, and then
// the classes of all of them.
type labelsAsk struct {
	Target  stages.Target `json:"target"`
	Power   float64       `json:"power"`
	Samples int64         `json:"samples"` // draws per epoch; 0: as many as there are labels
	Seed    uint64        `json:"seed"`
	Several int           `json:"several"` // samples with any number of classes each; 0: each has one
}

// labelsHead answers it.
type labelsHead struct {
	Draws   int64    `json:"draws"`   // per epoch, of all ranks together
	Print   string   `json:"print"`   // fingerprint of the labels
	Version int      `json:"version"` // of the algorithm
	Classes int      `json:"classes"` // the highest number and one
	Unknown int64    `json:"unknown"` // labels
	Empty   []string `json:"empty"`   // the first classes without a sample
	Empties int64    `json:"empties"` // their number
}

// labels plans the draws of a sampler: those of the stage rebalance, as a pipeline with
// this seed has them. It answers instead of open, once a session.
func (s *session) labels(_ context.Context, m *message) (*reply, error) {
	var ask labelsAsk
	if err := m.into(&ask); err != nil {
		return nil, err
	}
	if err := s.openOnce(); err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // of reading 10^8 labels, 450 MB beside them
	head, order, err := planDraws(&ask, m.body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.order = order
	s.mu.Unlock()
	m.body = nil
	debug.FreeOSMemory()
	return &reply{head: head}, nil
}

func planDraws(ask *labelsAsk, body []byte) (*labelsHead, stages.Order, error) {
	r := stages.Rebalance{Target: ask.Target, Power: ask.Power, Draws: ask.Samples}
	if err := r.Check(); err != nil {
		return nil, nil, usage("%v", err)
	}
	if ask.Several != 0 {
		return planSeveral(r, ask, body)
	}
	index, err := newLabelIndex(body)
	if err != nil {
		return nil, nil, err
	}
	h := &labelsHead{Print: fingerprint.Of(body).String(), Version: r.Version(), Classes: len(index.tasks[0].Classes), Empty: []string{}}
	for c, n := range schema.Counts(index, 0) {
		switch {
		case c == h.Classes:
			h.Unknown = n
		case n == 0:
			if h.Empties++; h.Empties <= 10 {
				h.Empty = append(h.Empty, index.tasks[0].Classes[c])
			}
		}
	}
	order, err := r.SampleAll(index, rng.NewKey(ask.Seed, r.Name(), "0"))
	if err != nil {
		return nil, nil, usage("%v", err)
	}
	h.Draws = order.Len()
	return h, order, nil
}

func planSeveral(r stages.Rebalance, ask *labelsAsk, body []byte) (*labelsHead, stages.Order, error) {
	x, err := newSeveralIndex(ask.Several, body)
	if err != nil {
		return nil, nil, err
	}
	h := &labelsHead{Print: fingerprint.Of(body).String(), Version: r.Version(), Classes: len(x.spec.Classes), Empty: []string{}}
	having, task := make([]int64, h.Classes), schema.SeveralOf(x)[0]
	for sample := range x.Len() {
		if len(x.ObjectLabels(sample)) == 0 {
			h.Unknown++
		}
		task.Each(sample, func(c int32) { having[c]++ })
	}
	for c, n := range having {
		if n == 0 {
			if h.Empties++; h.Empties <= 10 {
				h.Empty = append(h.Empty, x.spec.Classes[c])
			}
		}
	}
	order, err := r.SampleAll(x, rng.NewKey(ask.Seed, r.Name(), "0"))
	if err != nil {
		return nil, nil, usage("%v", err)
	}
	h.Draws = order.Len()
	return h, order, nil
}

// severalIndex is an index that knows the classes of samples that have any number of them.
type severalIndex struct {
	schema.Index // nil: a sampler asks for nothing else
	spec         schema.TargetSpec
	first        []int64 // of each sample in labels, and the end
	labels       []int32
}

func newSeveralIndex(samples int, body []byte) (*severalIndex, error) {
	if samples < 1 || len(body)%4 != 0 || samples > len(body)/4 {
		return nil, usage("%d samples and a body of %d bytes: want a number of classes for each sample, and at least one sample", samples, len(body))
	}
	x := &severalIndex{spec: schema.TargetSpec{Boxes: true}, first: make([]int64, samples+1), labels: make([]int32, len(body)/4-samples)}
	number := func(i int) int32 { return int32(binary.LittleEndian.Uint32(body[4*i:])) }
	for i := range samples {
		if number(i) < 0 {
			return nil, usage("sample %d has %d classes", i, number(i))
		}
		x.first[i+1] = x.first[i] + int64(number(i))
	}
	if x.first[samples] != int64(len(x.labels)) {
		return nil, usage("the samples have %d classes, and %d came", x.first[samples], len(x.labels))
	}
	classes := int32(0)
	for i := range x.labels {
		x.labels[i] = number(samples + i)
		if x.labels[i] < 0 || x.labels[i] >= mostClasses {
			return nil, usage("a sample has the class %d: want 0 to %d", x.labels[i], mostClasses-1)
		}
		classes = max(classes, x.labels[i]+1)
	}
	for c := range classes {
		x.spec.Classes = append(x.spec.Classes, strconv.Itoa(int(c)))
	}
	return x, nil
}

func (x *severalIndex) Len() int                       { return len(x.first) - 1 }
func (x *severalIndex) Tasks() []schema.Task           { return nil }
func (x *severalIndex) TargetSpec() *schema.TargetSpec { return &x.spec }
func (x *severalIndex) TargetDigest(int) [16]byte      { return [16]byte{} }

func (x *severalIndex) ObjectLabels(sample int) []int32 {
	return x.labels[x.first[sample]:x.first[sample+1]]
}

// labelIndex is an index that knows labels only: int32, little-endian.
type labelIndex struct {
	schema.Index // nil: a sampler asks for nothing else
	tasks        []schema.Task
	labels       []byte
}

func newLabelIndex(labels []byte) (*labelIndex, error) {
	x := &labelIndex{labels: labels}
	if len(labels) == 0 || len(labels)%4 != 0 {
		return nil, usage("the labels have %d bytes: want one int32 a sample, and at least one", len(labels))
	}
	classes := int32(0)
	for i := range x.Len() {
		label := x.Label(0, i)
		if label < schema.Unknown || label >= mostClasses {
			return nil, usage("sample %d has the label %d: want 0 to %d, or %d where it is unknown", i, label, mostClasses-1, schema.Unknown)
		}
		classes = max(classes, label+1)
	}
	task := schema.Task{Name: "labels", Classes: make([]string, classes)}
	for c := range task.Classes {
		task.Classes[c] = strconv.Itoa(c)
	}
	x.tasks = []schema.Task{task}
	return x, nil
}

func (x *labelIndex) Len() int             { return len(x.labels) / 4 }
func (x *labelIndex) Tasks() []schema.Task { return x.tasks }

func (x *labelIndex) Label(_, sample int) int32 {
	return int32(binary.LittleEndian.Uint32(x.labels[4*sample:]))
}

// drawsAsk is a DRAWS message: Count positions of an epoch, First, First+Step and so on,
// where the epoch begins anew behind its end. The answer's body is the samples drawn
// there, int64.
type drawsAsk struct {
	Epoch int   `json:"epoch"`
	First int64 `json:"first"`
	Step  int64 `json:"step"`
	Count int   `json:"count"`
}

// draws computes a block of a sampler's draws.
func (s *session) draws(_ context.Context, m *message) (*reply, error) {
	var ask drawsAsk
	if err := m.into(&ask); err != nil {
		return nil, err
	}
	s.mu.Lock()
	order := s.order
	s.mu.Unlock()
	if order == nil {
		return nil, usage("no labels have come before")
	}
	if err := ask.check(); err != nil {
		return nil, usage("%v", err)
	}
	body, _ := s.blocks.Get().(*[]byte)
	if body == nil {
		body = new([]byte)
	}
	*body = slices.Grow((*body)[:0], 8*ask.Count)
	for i := range int64(ask.Count) {
		sample := order.At(ask.Epoch, (ask.First+i*ask.Step)%order.Len())
		*body = binary.LittleEndian.AppendUint64(*body, uint64(sample))
	}
	return &reply{head: struct{}{}, body: [][]byte{*body}, sent: func() { s.blocks.Put(body) }}, nil
}

func (a *drawsAsk) check() error {
	within := func(name string, have, low, high int64) error {
		if have < low || have > high {
			return fmt.Errorf("%s is %d: want %d to %d", name, have, low, high)
		}
		return nil
	}
	return errors.Join(within("epoch", int64(a.Epoch), 0, mostEpochs-1), within("first", a.First, 0, mostFirst),
		within("step", a.Step, 1, mostStep), within("count", int64(a.Count), 1, mostDraws))
}
