package flow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// check looks at source and stages without touching the disk: their options,
// their order, the types at each edge. Every mistake is in the joined error.
func (p *Plan) check(source sources.Source) error {
	var errs []error
	if isNil(source) {
		errs = append(errs, &StageError{-1, "flow", errors.New("the pipeline has no source")})
	} else if err := source.Check(); err != nil {
		errs = append(errs, within(-1, "sources: "+source.Name(), err)...)
	}
	t := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC}
	var decoded, batched, grouped bool
	for i := range p.steps {
		s := &p.steps[i]
		if s.stage == nil {
			errs = append(errs, &StageError{i, "flow", fmt.Errorf("stage %d is nil", i+1)})
			continue
		}
		name := "stages: " + s.name
		if err := s.stage.Check(); err != nil {
			errs = append(errs, within(i, name, err)...)
			decoded = decoded || isDecoder(s.stage) // no follow-up errors
			continue
		}
		bad := func(format string, args ...any) {
			errs = append(errs, &StageError{i, name, fmt.Errorf(format, args...)})
		}
		switch stage := s.stage.(type) {
		case stages.Decoder:
			if decoded {
				bad("there is a decode stage already")
			}
			decoded, t = true, decodedType(stage)
		case stages.PictureStage:
			switch {
			case !decoded:
				bad("needs pictures: put decode before it")
			case batched:
				bad("works on single rows: put it before batch")
			default:
				out, err := stage.Output(t)
				if err != nil {
					bad("%w", err)
					break
				}
				t = out
			}
		case stages.Sampler, stages.Weigher:
			if batched {
				bad("works on single rows: put it before batch")
			}
		case stages.Batcher:
			switch {
			case batched:
				bad("there is a batch stage already")
			case decoded && !t.Fixed():
				bad("the rows still vary in size (%s): add resize with height and width, or center_crop, before it", t)
			}
			batched = true
		case stages.Expander:
			switch {
			case grouped:
				bad("there is a stage of this kind already")
			case !batched:
				bad("works on batches: put batch before it")
			case !decoded:
				bad("needs pictures: put decode before batch")
			case t.Fixed():
				if _, err := stage.Variants(t); err != nil {
					bad("%w", err)
				}
			}
			grouped = true
		default:
			bad("%T is of no kind that sluice knows: see package stages", stage)
		}
		s.out = t
	}
	return errors.Join(p.checkVarying(append(errs, p.checkIDs()...))...)
}

// decodedType is the type of the pictures that a decoder gives.
func decodedType(d stages.Decoder) schema.Tensor {
	t := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC}
	if d.Gray() {
		t.Channels = 1
	}
	return t
}

// checkIDs: stages of one name and id would draw the same numbers.
func (p *Plan) checkIDs() (errs []error) {
	first := map[rng.Key]int{}
	for i, s := range p.steps {
		if s.stage == nil {
			continue
		}
		if before, twice := first[s.key]; twice {
			errs = append(errs, &StageError{i, "stages: " + s.name, fmt.Errorf("stages %d and %d, both %s, have the same id, %q, so they would draw the same numbers: give each an id of its own", before+1, i+1, s.stage.Name(), strings.TrimPrefix(s.id, "id:"))})
		}
		first[s.key] = i
	}
	return errs
}

// checkVarying: pictures that leave with sizes of their own are uint8 HWC. Sizes
// are known only where there is no other mistake.
func (p *Plan) checkVarying(errs []error) []error {
	t := p.pictureType()
	if len(errs) > 0 || t.Fixed() || isRGB(t) && !t.Gray() {
		return errs
	}
	if t.Gray() {
		i := slices.IndexFunc(p.steps, func(s step) bool { return isDecoder(s.stage) })
		return []error{&StageError{i, "stages: " + p.steps[i].name, errors.New("grey rows that vary in size are not supported: add resize with height and width, or center_crop, or decode to rgb")}}
	}
	i := slices.IndexFunc(p.steps, func(s step) bool { return s.out == t })
	return []error{&StageError{i, "stages: " + p.steps[i].name, fmt.Errorf("rows that vary in size (%s) leave as uint8 hwc only: add resize with height and width, or center_crop, before it, or leave it out", t)}}
}

// checkWeights: a task's classes are weighted once.
func (p *Plan) checkWeights() error {
	var errs []error
	index, first := p.Index(), map[int]string{}
	for i := range p.steps {
		s := &p.steps[i]
		weigher, ok := s.stage.(stages.TaskWeigher)
		if !ok {
			continue
		}
		task, known := schema.TaskNumber(index.Tasks(), weigher.WeightedTask())
		if !known { // Weigh reports it
			continue
		}
		if before, twice := first[task]; twice {
			errs = append(errs, &StageError{i, "stages: " + s.name, fmt.Errorf("task %s is weighted by %s already, and a row's weight would be the product: leave one of them out", index.Tasks()[task].Name, before)})
		}
		first[task] = s.name
	}
	return errors.Join(errs...)
}

func isDecoder(s stages.Stage) bool {
	_, ok := s.(stages.Decoder)
	return ok
}

// within makes a StageError of each of the errors joined in err.
func within(index int, name string, err error) []error {
	list := errlist.Split(err)
	out := make([]error, len(list))
	for i, e := range list {
		out[i] = &StageError{index, name, e}
	}
	return out
}

// pictureType is the static type of the pictures that reach the batch.
func (p *Plan) pictureType() schema.Tensor {
	if len(p.steps) == 0 {
		return schema.Tensor{DType: schema.Uint8, Layout: schema.HWC}
	}
	return p.steps[len(p.steps)-1].out
}
