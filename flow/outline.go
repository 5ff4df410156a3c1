package flow

import (
	"strings"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Outline is the plan's four steps as figures: what Plan.String puts into words,
// plan --json prints and preview draws.
type Outline struct {
	Stages     []StageOutline              `json:"stages"`             // 1: what was declared, and what leaves each stage
	PushedDown []PushedDown                `json:"pushed_down"`        // 2: the samplers, in the order in which they act
	Drawn      [][]int64                   `json:"drawn"`              // the first epoch's draws, by task and class as Counts; nil where they are too many to count
	Multi      map[string]map[string]int64 `json:"multi,omitempty"`    // samples that have each class, by task of several labels; "": their labels are unknown
	Objects    map[string]int64            `json:"objects,omitempty"`  // of each class, of the samples that the run draws from
	Several    map[string][]ClassDraws     `json:"several,omitempty"`  // the same of tasks of several labels, and of boxes, where something is balanced
	Weighted   map[string][]ClassWeight    `json:"weighted,omitempty"` // by task, where classes are both weighted and balanced
	Groups     []Group                     `json:"groups"`             // 3: what is done in one pass, per picture
	Schedule   Schedule                    `json:"schedule"`           // 4
	Leaves     []RecordOutline             `json:"leaves"`             // the records that reach the sink, by variant

	RecordsPerEpoch int64 `json:"records_per_epoch"` // batches, each in the scales in which it leaves
	ImageBytes      int64 `json:"image_bytes"`       // of the whole run; 0: unknown, sizes vary
}

// StageOutline is a stage and the type of what leaves it.
type StageOutline struct {
	Name     string `json:"name"`              // in the params column
	Kind     string `json:"kind"`              // sampler, decoder, warp, ...
	Options  string `json:"options,omitempty"` // those that are set, as in pipeline files
	Type     string `json:"type,omitempty"`    // of a picture, where the stage changes it
	RowBytes int64  `json:"row_bytes,omitempty"`
}

// PushedDown is a sampler, which acts on the index before any image is read.
type PushedDown struct {
	Name     string `json:"name"`
	Of       int64  `json:"of"`       // samples that reach it
	Leaves   int64  `json:"leaves"`   // samples, or draws per epoch
	Draws    bool   `json:"draws"`    // they are draws, in another order in each epoch
	Distinct int64  `json:"distinct"` // samples among the first epoch's draws; 0: not counted
}

// Schedule is what never changes a byte. Bytes are estimates; the pictures that
// are being decoded come on top, their sizes stand in the files.
type Schedule struct {
	Workers       int   `json:"workers"`
	Readers       int   `json:"readers"`
	FilesAhead    int   `json:"files_ahead"`           // read and not yet decoded, at most
	Batches       int   `json:"batches"`               // in flight, at most
	EncodedBytes  int64 `json:"encoded_bytes"`         // of a file, on average
	BatchBytes    int64 `json:"batch_bytes"`           // as it is made; 0: sizes vary
	DonorBytes    int64 `json:"donor_bytes,omitempty"` // of the pictures that its rows are mixed with, beside those of the batch, at most
	ScalesBytes   int64 `json:"scales_bytes"`          // of the scales in which a batch leaves, all that it leaves in
	InFlightBytes int64 `json:"in_flight_bytes"`       // of files and batches
	BudgetBytes   int64 `json:"budget_bytes"`
	Rank          int   `json:"rank"`
	World         int   `json:"world"`
}

// RecordOutline is a record as it reaches the sink.
type RecordOutline struct {
	Scale      float64 `json:"scale"`
	Type       string  `json:"type"`                  // of the image column
	RowBytes   int64   `json:"row_bytes,omitempty"`   // of its image
	BatchBytes int64   `json:"batch_bytes,omitempty"` // of a whole batch's images
}

// Outline sums the plan up. Nothing is decoded for it.
func (p *Plan) Outline() *Outline {
	o := &Outline{Stages: []StageOutline{}, PushedDown: []PushedDown{}, Groups: append([]Group{}, p.Groups()...), Schedule: schedule(p)}
	before := ""
	for _, s := range p.steps {
		e := StageOutline{Name: s.name, Kind: kindOf(s.stage), Options: options.Line(s.stage)}
		if s.rules != nil {
			e.Options = strings.TrimPrefix(e.Options+", "+s.rules.text(), ", ")
		}
		switch s.stage.(type) {
		case stages.Sampler:
			o.PushedDown = append(o.PushedDown, PushedDown{Name: s.name, Of: s.entering, Leaves: s.leaving})
		case stages.Decoder, stages.PictureStage:
			if text := s.out.String(); text != before {
				e.Type, e.RowBytes, before = text, imageBytes(s.out), text
			}
		}
		o.Stages = append(o.Stages, e)
	}
	if _, fixed := p.sampling.order.(stages.Selection); !fixed { // only the last one draws
		last := &o.PushedDown[len(o.PushedDown)-1]
		last.Draws, last.Distinct = true, distinct(p)
	}
	for t := range p.info.Tasks {
		if p.info.RowsPerEpoch <= countable {
			o.Drawn = append(o.Drawn, p.DrawnCounts(t))
		}
	}
	o.Several, o.Weighted = classDraws(p), classWeights(p)
	o.Multi, o.Objects = multiCounts(p), objectCounts(p)
	for _, v := range p.info.Variants {
		l := RecordOutline{Scale: v.Scale, Type: imageType(p.info.Form, v.Tensor)}
		if p.info.Form == schema.FormTensor {
			l.RowBytes = imageBytes(v.Tensor)
			l.BatchBytes = l.RowBytes * int64(p.info.BatchSize)
		}
		o.Leaves = append(o.Leaves, l)
	}
	o.RecordsPerEpoch = p.info.BatchesPerEpoch * int64(p.scaling.perBatch())
	if p.info.Form == schema.FormTensor {
		o.ImageBytes = p.info.RowBytes * p.info.RowsPerEpoch * int64(p.info.Epochs)
	}
	return o
}

// distinct is the number of samples that the first epoch uses.
func distinct(p *Plan) int64 {
	if p.info.RowsPerEpoch > countable {
		return 0
	}
	return p.tally().distinct
}

func schedule(p *Plan) Schedule {
	s := p.settings
	out := Schedule{
		Workers: s.Workers, Readers: s.Readers, FilesAhead: s.filesAhead(), Batches: s.Queue + 1,
		BudgetBytes: s.Budget, Rank: s.Rank, World: s.World,
	}
	out.EncodedBytes = meanFileBytes(p.Index(), p.sampling.selection)
	base, reserved := p.batchBytes(p.deal.jobIn(0, 0, 0).rows, p.scaling.first())
	out.BatchBytes, out.DonorBytes = base, base*int64(p.mixing.mostDonors())
	for _, n := range reserved {
		out.ScalesBytes += n
	}
	batches := min(int64(out.Batches), p.info.BatchesPerEpoch*int64(p.info.Epochs))
	files := min(int64(out.FilesAhead)*out.EncodedBytes, s.Budget/8)
	out.InFlightBytes = batches*(out.BatchBytes+out.DonorBytes+out.ScalesBytes) + files
	return out
}

// imageType is the image column of a variant.
func imageType(form schema.Form, t schema.Tensor) string {
	switch form {
	case schema.FormEncoded:
		return "encoded files"
	case schema.FormVarying:
		return "pictures of varying size"
	}
	return t.String()
}

func kindOf(s stages.Stage) string {
	switch s.(type) {
	case stages.Sampler:
		return "sampler"
	case stages.Weigher:
		return "weigher"
	case stages.Decoder:
		return "decoder"
	case stages.Warper:
		return "warp"
	case stages.Pixelwise:
		return "pixelwise"
	case stages.Mapper:
		return "map"
	case stages.Composite:
		return "composite"
	case stages.Batcher:
		return "batcher"
	case stages.Composer:
		return "composer"
	case stages.MixStage:
		return "mixer"
	case stages.Expander:
		return "expander"
	}
	return "?"
}
