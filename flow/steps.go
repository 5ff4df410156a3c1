package flow

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// step is a stage in its place.
type step struct {
	stage stages.Stage
	when  *stages.When // its conditions; nil: none
	name  string       // unique: "rotate", "rotate_2"; the name in the params column
	id    string       // tells stages of one name apart in the address of their randomness
	key   rng.Key      // of its random numbers
	out   schema.Tensor
	twice bool         // it has conditions within conditions
	rules *conditional // of when, once the data are known

	entering, leaving int64 // of a sampler: samples that reach it; samples, or draws per epoch, behind it
}

// steps are a pipeline's stages.
type steps []step

// newSteps gives every stage its ordinal among those of its name, its name in the
// params column and the key of its random numbers.
func newSteps(list []stages.Stage, seed uint64) steps {
	seen := map[string]int{}
	out := make(steps, 0, len(list))
	for _, stage := range list {
		s := step{stage: stage}
		id, hasID := s.unwrap(stage)
		if isNil(s.stage) {
			out = append(out, step{})
			continue // check reports it
		}
		s.name = s.stage.Name()
		ordinal := seen[s.name]
		seen[s.name]++
		s.id = strconv.Itoa(ordinal)
		if hasID {
			s.id = "id:" + id
		}
		s.key = rng.NewKey(seed, s.name, s.id)
		if ordinal > 0 {
			s.name += "_" + strconv.Itoa(ordinal+1)
		}
		out = append(out, s)
	}
	return out
}

// unwrap takes a stage out of its ids, of which the outermost counts, and its conditions.
func (s *step) unwrap(stage stages.Stage) (id string, hasID bool) {
	var outer *stages.When
	for s.stage = stage; ; {
		switch wrapped := s.stage.(type) {
		case identified:
			if !hasID {
				id, hasID = wrapped.id, true
			}
			s.stage = wrapped.Stage
			continue
		case *stages.When:
			if wrapped == nil {
				s.stage = nil
				return id, hasID
			}
			outer, s.stage, s.twice = wrapped, wrapped.Stage, outer != nil
			continue
		case stages.When:
			outer, s.stage, s.twice = &wrapped, wrapped.Stage, outer != nil
			continue
		}
		break
	}
	if outer != nil {
		own := *outer
		own.Stage = s.stage
		s.when = &own
	}
	return id, hasID
}

// check looks at the options of a stage and at its conditions.
func (s *step) check() error {
	switch {
	case s.when == nil:
		return s.stage.Check()
	case s.twice:
		return errors.Join(s.stage.Check(), errors.New("when: it has conditions within conditions: write them as one"))
	}
	return s.when.Check()
}

// choose is nil of a stage without conditions.
func (s *step) choose() func(*picture.Of) (stages.PictureStage, float64) {
	if s.rules == nil {
		return nil
	}
	return s.rules.choose
}

// isPicture reports a stage that works on pictures.
func (s *step) isPicture() bool {
	_, ok := s.stage.(stages.PictureStage)
	return ok
}

// replace gives a step another stage, which differs in what the data say alone.
func (s *step) replace(stage stages.Stage) {
	s.stage = stage
	switch {
	case s.rules != nil:
		s.rules.replace(stage)
	case s.when != nil:
		s.when.Stage = stage // it is the step's own
	}
}

// resolve begins the rules of a step with conditions, in a run of so many epochs.
func (s *step) resolve(epochs int) (err error) {
	if s.rules, err = newConditional(*s.when, epochs); err == nil {
		s.when = &s.rules.when
	}
	return err
}

// needsData reports conditions that a source alone can tell of.
func (s *step) needsData() bool {
	return s.when != nil && (s.when.ClassCount != stages.ClassCount{} || s.when.Strength != stages.Strength{})
}

// conditionsAlone resolves conditions of pictures without a source.
func (list steps) conditionsAlone(epochs int) error {
	var errs []error
	for i := range list {
		s := &list[i]
		stage, ok := s.stage.(stages.PictureStage)
		if s.when == nil || !ok {
			continue
		}
		bad := func(err error) { errs = append(errs, &StageError{i, "stages: " + s.name, err}) }
		if s.needsData() {
			bad(errors.New("when: class counts and repeats are those of a data set, and no source is open: use the plan's Apply, or leave the stage out"))
		} else if err := s.resolve(epochs); err != nil {
			bad(err)
		} else {
			s.rules.versions = []version{{stage, 1}}
		}
	}
	return errors.Join(errs...)
}

// isNil reports an interface that holds nothing, or a nil pointer.
func isNil(v any) bool {
	return v == nil || reflect.ValueOf(v).Kind() == reflect.Pointer && reflect.ValueOf(v).IsNil()
}

// check looks at source and stages without touching the disk: their options,
// their order, the types at each edge. Every mistake is in the joined error.
func (list steps) check(source sources.Source) error {
	var errs []error
	if isNil(source) {
		errs = append(errs, &StageError{-1, "flow", errors.New("the pipeline has no source")})
	} else if err := source.Check(); err != nil {
		errs = append(errs, within(-1, "sources: "+source.Name(), err)...)
	}
	return list.checkAfter(errs, false, sizing{later: !isNil(source) && sources.MayBeUniform(source)})
}

// sizing is what is known of the size of the pictures that decode gives.
type sizing struct {
	height, width int  // of all; 0: they vary
	later         bool // whether they do shows when the source is open
}

// outputOf is the type of the pictures behind a stage, or why it can't be where it is.
func outputOf(stage stages.PictureStage, t schema.Tensor, decoded, batched bool) (schema.Tensor, error) {
	switch {
	case !decoded:
		return t, errors.New("needs pictures: put decode before it")
	case batched:
		return t, errors.New("works on single rows: put it before batch")
	}
	return stage.Output(t)
}

// noBatchedPictures says what a stage on batches of pictures lacks: batch, or decode before it.
func noBatchedPictures(batcher stages.Batcher) error {
	if batcher == nil {
		return errors.New("works on batches: put batch before it")
	}
	return errors.New("needs pictures: put decode before batch")
}

func sizesVary(t schema.Tensor, batcher stages.Batcher) error {
	return fmt.Errorf("needs rows of one size, and those of %s vary (%s): add resize with height and width before it", batcher.Name(), t)
}

// checkExpander says what keeps a stage from expanding batches of rows of type t.
func checkExpander(stage stages.Expander, t schema.Tensor, batcher stages.Batcher, decoded, grouped bool, size sizing) error {
	switch {
	case grouped:
		return errors.New("there is a stage of this kind already")
	case batcher == nil || !decoded:
		return noBatchedPictures(batcher)
	case !t.Fixed() && !size.later && varyingSizes(batcher) != "":
		return sizesVary(t, batcher)
	case t.Fixed():
		_, err := stage.Variants(t)
		return err
	}
	return nil
}

// checkMixer says what keeps a stage from mixing batches of rows of type t.
func checkMixer(t schema.Tensor, batcher stages.Batcher, decoded, grouped bool, size sizing) error {
	switch {
	case grouped:
		return errors.New("mixes the rows of a batch before it gets its sizes: put it before multiscale")
	case batcher == nil || !decoded:
		return noBatchedPictures(batcher)
	case !t.Fixed() && !size.later:
		return sizesVary(t, batcher)
	}
	return nil
}

// checkAfter is check behind the source, whose mistakes come first. For the pictures alone,
// stages that aren't about them have no say: only their options are checked.
func (list steps) checkAfter(errs []error, alone bool, size sizing) error {
	t := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC}
	var decoded, batched, grouped bool
	var batcher stages.Batcher
	for i := range list {
		s := &list[i]
		if s.stage == nil {
			errs = append(errs, &StageError{i, "flow", fmt.Errorf("stage %d is nil", i+1)})
			continue
		}
		name := "stages: " + s.name
		if err := s.check(); err != nil {
			errs = append(errs, within(i, name, err)...)
			decoded = decoded || isDecoder(s.stage) // no follow-up errors
			continue
		}
		if alone && !aboutPictures(s.stage) {
			s.out = t
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
			t.Height, t.Width = size.height, size.width
		case stages.PictureStage:
			out, err := outputOf(stage, t, decoded, batched)
			if err == nil {
				out, err = varying(s.when, t, out)
			}
			if err != nil {
				bad("%w", err)
				break
			}
			t = out
		case stages.Sampler, stages.Weigher:
			if batched {
				bad("works on single rows: put it before batch")
			}
		case stages.Batcher:
			switch {
			case batched:
				bad("there is a batch stage already")
			case decoded && !t.Fixed() && !size.later && varyingSizes(stage) == "":
				bad("the rows still vary in size (%s): add resize with height and width, or center_crop, before it, or say sizes: keep, or sizes: pad", t)
			}
			batched, batcher = true, stage
		case stages.MixStage:
			if err := checkMixer(t, batcher, decoded, grouped, size); err != nil {
				bad("%w", err)
			}
		case stages.Expander:
			if err := checkExpander(stage, t, batcher, decoded, grouped, size); err != nil {
				bad("%w", err)
			}
			grouped = true
		default:
			bad("%T is of no kind that sluice knows: see package stages", stage)
		}
		s.out = t
	}
	errs = append(errs, list.checkIDs()...)
	if !size.later {
		errs = list.checkVarying(errs)
	}
	return errors.Join(errs...)
}

// varyingSizes is what a batcher does with pictures of different sizes; "": it doesn't take them.
func varyingSizes(b stages.Batcher) stages.Sizes {
	if v, ok := b.(stages.VaryingBatcher); ok {
		return v.VaryingSizes()
	}
	return ""
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
func (list steps) checkIDs() (errs []error) {
	first := map[rng.Key]int{}
	for i, s := range list {
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
func (list steps) checkVarying(errs []error) []error {
	t := list.pictureType()
	if len(errs) > 0 || t.Fixed() || t.DType == schema.Uint8 && t.Layout == schema.HWC && !t.Gray() {
		return errs
	}
	if t.Gray() {
		i := slices.IndexFunc(list, func(s step) bool { return isDecoder(s.stage) })
		return []error{&StageError{i, "stages: " + list[i].name, errors.New("grey rows that vary in size are not supported: add resize with height and width, or center_crop, or decode to rgb")}}
	}
	i := slices.IndexFunc(list, func(s step) bool { return s.out == t })
	return []error{&StageError{i, "stages: " + list[i].name, fmt.Errorf("rows that vary in size (%s) leave as uint8 hwc only: add resize with height and width, or center_crop, before it, or leave it out", t)}}
}

// aboutPictures reports a stage that isn't of the kinds that act on rows and batches.
func aboutPictures(s stages.Stage) bool {
	switch s.(type) {
	case stages.Decoder, stages.PictureStage:
		return true
	case stages.Sampler, stages.Weigher, stages.Batcher, stages.MixStage, stages.Expander:
		return false
	}
	return true
}

func isDecoder(s stages.Stage) bool {
	_, ok := s.(stages.Decoder)
	return ok
}

// pictureType is the static type of the pictures that reach the batch.
func (list steps) pictureType() schema.Tensor {
	if len(list) == 0 {
		return schema.Tensor{DType: schema.Uint8, Layout: schema.HWC}
	}
	return list[len(list)-1].out
}

// decoder is the stage that makes pictures of files; nil where there is none.
func (list steps) decoder() stages.Decoder {
	for _, s := range list {
		if d, ok := s.stage.(stages.Decoder); ok {
			return d
		}
	}
	return nil
}

// needingStats lists the stages that ask for figures of the data set.
func (list steps) needingStats() (at []int) {
	for i := range list {
		if s, ok := list[i].stage.(stages.StatsConsumer); ok && s.NeedsStats() {
			at = append(at, i)
		}
	}
	return at
}

// form is that of the image column.
func (list steps) form() schema.Form {
	switch {
	case list.decoder() == nil:
		return schema.FormEncoded
	case !list.pictureType().Fixed():
		return schema.FormVarying
	}
	return schema.FormTensor
}

// variants are those of a run without scales: one.
func (list steps) variants() []schema.Variant {
	return []schema.Variant{{Scale: 1, Tensor: list.pictureType()}}
}

// beforeScales is a run as it is before its batches get their scales.
func (list steps) beforeScales(run schema.Run) *schema.Run {
	run.Scales = false
	if run.Form == schema.FormTensor {
		run.Variants = list.variants()
	}
	return &run
}

// program gathers what the picture of a row goes through, of a source with a number of
// samples; nil where files stay encoded.
func (list steps) program(s *Settings, samples int) *picture.Program {
	decoder := list.decoder()
	if decoder == nil {
		return nil
	}
	program := &picture.Program{
		Decoder: decoder, Reference: s.Exec == Reference, Full: s.Fuse == FuseFull,
		Placed: list.form() == schema.FormTensor, Seek: picture.NewSeekPoints(samples),
	}
	for _, step := range list {
		if stage, ok := step.stage.(stages.PictureStage); ok {
			program.Stages = append(program.Stages, picture.Stage{Stage: stage, Name: step.name, Key: step.key, Choose: step.choose()})
		}
	}
	return program
}

// random reports whether a stage takes random numbers, or has conditions. One that cannot say
// without the picture doesn't.
func random(s *step, stage stages.PictureStage, tasks int) bool {
	_, takes := tried(s, stage, tasks)
	return takes || s.when != nil
}

// tried is what a stage draws for a picture without labels, and whether that takes random
// numbers.
func tried(s *step, stage stages.PictureStage, tasks int) (params stages.Params, random bool) {
	labels := make([]int32, tasks)
	for i := range labels {
		labels[i] = schema.Unknown
	}
	stream := s.key.Stream(0, 0, 0)
	before := *stream
	err := guard(s.name, func() (err error) {
		params, err = stage.Draw(&stages.Row{Height: 1 << 12, Width: 1 << 12, Labels: labels, Rand: stream})
		return err
	})
	return params, err == nil && *stream != before
}

// draws reports whether a stage takes random numbers for a picture, by trying it.
func draws(s *step, stage stages.PictureStage) bool {
	stream := s.key.Stream(0, 0, 0)
	before := *stream
	_ = guard(s.name, func() error {
		_, err := stage.Draw(&stages.Row{Height: 1 << 12, Width: 1 << 12, Rand: stream})
		return err
	})
	return *stream != before
}
