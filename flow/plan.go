package flow

import (
	"bytes"
	"slices"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// Plan is a checked pipeline over an opened source: all that decides the bytes of a run
// is known, nothing has been decoded. It never changes, may be run many times, also at
// once, and is safe for concurrent use.
type Plan struct {
	info      schema.Run
	settings  Settings
	canonical []byte
	warnings  []string

	source   sources.Source
	dataset  sources.Dataset
	steps    steps
	objects  Objects
	sampling sampling
	rows     *rows
	deal     deal
	scaling  *scaling // nil: one variant
	mixing   mixing
	applier  *Applier // nil: no stage decodes
	tally    func() *tally
}

// sampling says which sample each draw of an epoch uses.
type sampling struct {
	selection stages.Selection // the samples that filter and take leave
	order     stages.Order
	groups    func() *stages.Groups // of a Divider; made when first needed; nil: none
	weighed   []weighed
}

// weighed is a task whose classes are weighted.
type weighed struct {
	task  int
	weigh func(labels []int32) float32
}

// Close releases the source.
func (p *Plan) Close() error { return p.dataset.Close() }

// Info is what the plan's runs deliver, and how much of it: what a sink is told. It is
// the caller's copy.
func (p *Plan) Info() *schema.Run { return p.info.Clone() }

// Settings are the run's parameters, with their defaults.
func (p *Plan) Settings() Settings { return p.settings }

// Canonical is the plan's canonical form, JSON: all that the bytes depend on. The plan
// hash is taken of it.
func (p *Plan) Canonical() []byte { return bytes.Clone(p.canonical) }

// Warnings say what is legal, but probably not meant.
func (p *Plan) Warnings() []string { return slices.Clone(p.warnings) }

// Index is what the source knows of its samples.
func (p *Plan) Index() schema.Index { return p.dataset.Index() }

// Weight is the weight column of a sample's rows: its own times those of its classes.
func (p *Plan) Weight(sample int) float32 { return p.rows.ofSample(sample, 0, 0, 0, nil).meta.Weight }

// Selection lists the samples from which the run draws.
func (p *Plan) Selection() stages.Selection { return slices.Clone(p.sampling.selection) }

// Drawn is the sample that a draw uses.
func (p *Plan) Drawn(epoch int, position int64) int { return p.sampling.order.At(epoch, position) }

// objectCounts is the number of objects of each class in the samples that the run draws from;
// nil of a source without any.
func objectCounts(p *Plan) map[string]int64 {
	spec := p.info.Targets
	if !spec.Objects() {
		return nil
	}
	byNumber := make([]int64, len(spec.Classes))
	for _, sample := range p.sampling.selection {
		for _, label := range schema.ObjectLabelsOf(p.Index(), sample) {
			byNumber[label]++
		}
	}
	counts := make(map[string]int64, len(byNumber))
	for c, n := range byNumber {
		counts[spec.Classes[c]] = n
	}
	return counts
}

// multiCounts is the number of those samples that have each class of the tasks of several
// labels, and at "" of those whose labels are unknown.
func multiCounts(p *Plan) map[string]map[string]int64 {
	var counts map[string]map[string]int64
	for i, of := range p.info.Multi {
		if counts == nil {
			counts = map[string]map[string]int64{}
		}
		task := p.info.Targets.Multi[i]
		byClass := map[string]int64{}
		for c, name := range task.Classes {
			byClass[name] = of.Classes[c]
		}
		if unknown := int64(len(p.sampling.selection)) - of.Known; unknown > 0 {
			byClass[""] = unknown
		}
		counts[task.Name] = byClass
	}
	return counts
}

// tally is what the first epoch's draws come to.
type tally struct {
	drawn    [][]int64 // by task and class; the last class is that of unknown label
	distinct int64     // samples among them
}

// newTally takes one look at every draw, at no image.
func newTally(p *Plan) *tally {
	index, seen := p.dataset.Index(), make([]bool, p.dataset.Index().Len())
	t := &tally{drawn: make([][]int64, len(p.info.Tasks))}
	for task := range t.drawn {
		t.drawn[task] = make([]int64, len(p.info.Tasks[task].Classes)+1)
	}
	for position := range p.info.RowsPerEpoch {
		sample := p.sampling.order.At(0, position)
		if !seen[sample] {
			seen[sample] = true
			t.distinct++
		}
		for task, counts := range t.drawn {
			label := index.Label(task, sample)
			if label == schema.Unknown {
				label = int32(len(counts) - 1)
			}
			counts[label]++
		}
	}
	return t
}

// DrawnCounts is the number of draws of each class of a task in the first epoch; the last
// element counts those of unknown label. It takes one look at every draw, at no image, the
// first time.
func (p *Plan) DrawnCounts(task int) []int64 { return slices.Clone(p.tally().drawn[task]) }

// Columns are those of the records, in their order.
func (p *Plan) Columns() []string {
	list := append([]string{schema.ColumnKey, schema.ColumnImage}, p.info.Targets.Columns()...)
	if p.info.Padded {
		list = append(list, schema.ColumnValid)
	}
	for _, task := range p.info.Tasks {
		list = append(list, schema.ColumnLabel+task.Name)
		if p.info.Mixed || schema.SharesIn(p.info.Columns, task.Name) >= 0 {
			list = append(list, schema.SharesColumn(task.Name).Name)
		}
	}
	for _, c := range p.info.Columns {
		if !slices.Contains(list, c.Name) { // as those of shares are
			list = append(list, c.Name)
		}
	}
	list = append(list, schema.ColumnWeight, schema.ColumnEpoch, schema.ColumnPosition, schema.ColumnSourceIndex)
	if p.info.Params {
		list = append(list, schema.ColumnParams)
	}
	return list
}

// Group is what the fused executor does in one pass: stages, in order, that cost
// one pass over a picture together.
type Group struct {
	Stages []string `json:"stages"` // names in the params column
	Method string   `json:"method"` // how pixels are found
	Apart  string   `json:"apart"`  // why it isn't merged with the group before; empty for the first
	Notes  []string `json:"notes"`  // what becomes of the other stages in it
}

// Groups tells how rows are made, in words; none under the reference executor
// or where rows stay encoded. What is merged follows from what is drawn; this is
// the fullest of some draws for a large picture. A draw that skips a stage, or
// turns by nothing, has less to do.
func (p *Plan) Groups() (list []Group) {
	if p.rows.pictures == nil {
		return nil
	}
	for _, g := range p.rows.pictures.Explain(make([]int32, len(p.info.Tasks))) {
		list = append(list, Group(g))
	}
	return list
}

// StateAfter is the state of a run that resumes behind a delivered batch, in
// whatever variant: keep it once the last one is used. The counters are left at
// zero; OnState and Report.State have them.
func (p *Plan) StateAfter(b *schema.Batch) State { return p.stateAt(p.deal.after(b.Epoch, b.Number)) }

func (p *Plan) stateAt(at cursor) State {
	s := State{PlanHash: p.info.PlanHash, Pipeline: bytes.Clone(p.canonical), Epoch: at.epoch, Batch: at.batch}
	n := 0
	for _, task := range p.info.Tasks {
		n += len(task.Classes)
	}
	if n <= mostStateClasses {
		s.Tasks = p.info.Clone().Tasks
	}
	return s
}

// batchBytes is the size of a batch's own image buffer, and of those of the
// variants that are made of it; 0 where rows vary in size: they are held to their
// batch's end instead, and its buffer comes on top for a moment.
func (p *Plan) batchBytes(rows int, picks []int) (base int64, reserved []int64) {
	if p.info.Form != schema.FormTensor {
		return 0, nil
	}
	for _, v := range picks {
		reserved = append(reserved, int64(rows)*(imageBytes(p.info.Variants[v].Tensor)+maskBytes(p.info.Targets, p.info.Variants[v].Tensor)))
	}
	t := p.steps.pictureType()
	return int64(rows) * (imageBytes(t) + maskBytes(p.info.Targets, t)), reserved
}

// maskBytes is the size of the mask of a picture of one size; 0 without one.
func maskBytes(spec *schema.TargetSpec, t schema.Tensor) int64 {
	if !spec.HasMask() {
		return 0
	}
	return int64(t.Height) * int64(t.Width)
}

// imageBytes is the size of a picture; 0 where it varies.
func imageBytes(t schema.Tensor) int64 {
	if !t.Fixed() {
		return 0
	}
	return int64(t.Elements() * t.DType.Bytes())
}
