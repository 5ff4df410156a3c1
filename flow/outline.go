package flow

import (
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Outline is the plan's four steps as figures: what Plan.String puts into words,
// plan --json prints and preview draws.
type Outline struct {
	Stages     []Edge       `json:"stages"`      // 1: what was declared, and what leaves each stage
	PushedDown []PushedDown `json:"pushed_down"` // 2: the samplers, in the order in which they act
	Drawn      [][]int64    `json:"drawn"`       // the first epoch's draws, by task and class as Counts; nil where they are too many to count
	Groups     []Group      `json:"groups"`      // 3: what is done in one go, per picture
	Schedule   Schedule     `json:"schedule"`    // 4
	Leaves     []Leaving    `json:"leaves"`      // the records that reach the sink, by variant

	RecordsPerEpoch int64 `json:"records_per_epoch"` // batches, each in the scales in which it leaves
	ImageBytes      int64 `json:"image_bytes"`       // of the whole run; 0: unknown, sizes vary
}

// Edge is a stage and the type of what leaves it.
type Edge struct {
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
	FilesAhead    int   `json:"files_ahead"`     // read and not yet decoded, at most
	Batches       int   `json:"batches"`         // in flight, at most
	EncodedBytes  int64 `json:"encoded_bytes"`   // of a file, on average
	BatchBytes    int64 `json:"batch_bytes"`     // as it is made; 0: sizes vary
	ScalesBytes   int64 `json:"scales_bytes"`    // of the scales in which a batch leaves, all that it leaves in
	InFlightBytes int64 `json:"in_flight_bytes"` // of files and batches
	BudgetBytes   int64 `json:"budget_bytes"`
	Rank          int   `json:"rank"`
	World         int   `json:"world"`
}

// Leaving is a record as it reaches the sink.
type Leaving struct {
	Scale      float64 `json:"scale"`
	Type       string  `json:"type"`                  // of the image column
	RowBytes   int64   `json:"row_bytes,omitempty"`   // of its image
	BatchBytes int64   `json:"batch_bytes,omitempty"` // of a whole batch's images
}

// Outline sums the plan up. Nothing is decoded for it.
func (p *Plan) Outline() *Outline {
	o := &Outline{Stages: []Edge{}, PushedDown: []PushedDown{}, Groups: append([]Group{}, p.Groups()...), Schedule: p.schedule()}
	before := ""
	for _, s := range p.steps {
		e := Edge{Name: s.name, Kind: kindOf(s.stage), Options: options.Line(s.stage)}
		switch s.stage.(type) {
		case stages.Sampler:
			o.PushedDown = append(o.PushedDown, PushedDown{Name: s.name, Of: s.reached, Leaves: s.left})
		case stages.Decoder, stages.PictureStage:
			if text := s.out.String(); text != before {
				e.Type, e.RowBytes, before = text, imageBytes(s.out), text
			}
		}
		o.Stages = append(o.Stages, e)
	}
	if _, fixed := p.order.(stages.Selection); !fixed { // only the last one draws
		last := &o.PushedDown[len(o.PushedDown)-1]
		last.Draws, last.Distinct = true, p.distinct()
	}
	for t := range p.Tasks {
		if p.RowsPerEpoch <= countable {
			o.Drawn = append(o.Drawn, p.DrawnCounts(t))
		}
	}
	for _, v := range p.Variants {
		l := Leaving{Scale: v.Scale, Type: p.imageType(v.Tensor)}
		if p.Form == schema.FormTensor {
			l.RowBytes = imageBytes(v.Tensor)
			l.BatchBytes = l.RowBytes * int64(p.BatchSize)
		}
		o.Leaves = append(o.Leaves, l)
	}
	o.RecordsPerEpoch = p.BatchesPerEpoch * int64(p.picked())
	if p.Form == schema.FormTensor {
		o.ImageBytes = p.RowBytes * p.RowsPerEpoch * int64(p.Epochs)
	}
	return o
}

// rowBytes is the size of a row's images in the variants that it leaves in, on
// average; 0 where it depends on each picture.
func (p *Plan) rowBytes() (n int64) {
	switch p.Form {
	case schema.FormTensor:
		for _, v := range p.Variants {
			n += imageBytes(v.Tensor)
		}
		return n * int64(p.picked()) / int64(len(p.Variants))
	case schema.FormEncoded:
		return p.meanFileBytes()
	}
	return 0
}

// meanFileBytes is the size of an image's file, on average.
func (p *Plan) meanFileBytes() (n int64) {
	for _, sample := range p.selection {
		n += max(0, p.Index().Size(sample)) // -1: it is missing
	}
	return n / int64(max(len(p.selection), 1))
}

// countable is the number of draws that are looked at one by one for a text.
const countable = 1 << 24

// distinct is the number of samples that the first epoch uses.
func (p *Plan) distinct() (n int64) {
	if p.RowsPerEpoch > countable {
		return 0
	}
	seen := make([]bool, p.Index().Len())
	for position := range p.RowsPerEpoch {
		if s := p.order.At(0, position); !seen[s] {
			seen[s] = true
			n++
		}
	}
	return n
}

func (p *Plan) schedule() Schedule {
	s := p.Settings
	out := Schedule{
		Workers: s.Workers, Readers: s.Readers, FilesAhead: s.filesAhead(), Batches: s.Queue + 1,
		BudgetBytes: s.Budget, Rank: s.Rank, World: s.World,
	}
	out.EncodedBytes = p.meanFileBytes()
	base, later := p.batchBytes(p.job(0, 0, 0), p.picks(0, 0))
	out.BatchBytes = base
	for _, n := range later {
		out.ScalesBytes += n
	}
	batches := min(int64(out.Batches), p.BatchesPerEpoch*int64(p.Epochs))
	files := min(int64(out.FilesAhead)*out.EncodedBytes, s.Budget/8)
	out.InFlightBytes = batches*(out.BatchBytes+out.ScalesBytes) + files
	return out
}

// filesAhead is the number of files that may be read and not yet admitted.
func (s *Settings) filesAhead() int { return 2 * (s.Readers + s.Workers) }

// picked is the number of variants in which a batch leaves.
func (p *Plan) picked() int {
	if p.expander == nil {
		return 1
	}
	return len(p.picks(0, 0))
}

// imageBytes is the size of a picture; 0 where it varies.
func imageBytes(t schema.Tensor) int64 {
	if !t.Fixed() {
		return 0
	}
	return int64(t.Elements() * t.DType.Bytes())
}

// imageType is the image column of a variant.
func (p *Plan) imageType(t schema.Tensor) string {
	switch p.Form {
	case schema.FormEncoded:
		return "encoded files"
	case schema.FormVarying:
		return "pictures of varying size"
	}
	return t.String()
}

// Columns are those of the records, in their order.
func (p *Plan) Columns() []string {
	list := []string{schema.ColumnKey, schema.ColumnImage}
	for _, task := range p.Tasks {
		list = append(list, schema.ColumnLabel+task.Name)
	}
	for _, c := range p.Run.Columns {
		list = append(list, c.Name)
	}
	list = append(list, schema.ColumnWeight, schema.ColumnEpoch, schema.ColumnPosition, schema.ColumnSourceIndex)
	if p.Params {
		list = append(list, schema.ColumnParams)
	}
	return list
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
	case stages.Batcher:
		return "batcher"
	case stages.Expander:
		return "expander"
	}
	return "?"
}
