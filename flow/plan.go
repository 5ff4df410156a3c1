package flow

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strconv"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// Plan is a checked pipeline over an opened source: all that decides the bytes
// of a run is known, nothing has been decoded.
type Plan struct {
	schema.Run
	Settings  Settings
	Canonical []byte   // canonical form, JSON; the hash is taken of it
	Warnings  []string // legal, but probably not meant

	source    sources.Source
	dataset   sources.Dataset
	steps     []step
	selection stages.Selection // the samples that filter and take leave
	order     stages.Order
	weigh     []func(labels []int32) float32
	decoder   stages.Decoder // nil: encoded rows
	expander  *step          // nil: one variant
	refills   *refills       // for on_error: refill
	seek      *seekPoints    // in the files that its runs have read
}

// step is a stage in its place.
type step struct {
	stage stages.Stage
	name  string  // unique: "rotate", "rotate_2"; the name in the params column
	id    string  // tells stages of one name apart in the address of their randomness
	key   rng.Key // of its random numbers
	out   schema.Tensor

	reached, left int64 // of a sampler: samples that reach it; samples, or draws per epoch, that leave it
}

// Plan opens the source, checks everything and resolves the run's parameters.
// All mistakes are reported together, before anything runs. Close the plan when
// done; Run and Batches do so themselves.
func (p *Pipeline) Plan(ctx context.Context, opts ...Option) (*Plan, error) {
	settings := p.Settings
	for _, set := range opts {
		set(&settings)
	}
	settings.defaults()
	plan := &Plan{Settings: settings, source: p.Source, steps: place(p.Stages, settings.Seed)}
	if err := errors.Join(settings.check(), plan.check(p.Source)); err != nil {
		return nil, &PipelineError{err}
	}
	listed := settings.telling("listing the source", func(*Progress) {})
	dataset, err := sources.Open(ctx, p.Source)
	listed()
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	plan.dataset, plan.seek = dataset, newSeekPoints(dataset.Index().Len())
	if err := plan.resolve(ctx); err != nil {
		var mistake *PipelineError
		if errors.As(err, &mistake) && p.Explain != nil {
			err = p.Explain(mistake)
		}
		return nil, errors.Join(err, dataset.Close())
	}
	return plan, nil
}

// Check looks at the declaration alone, without touching the disk: all that
// Plan would report before it opens the source. Each of the errors joined in it
// is a *StageError.
func (p *Pipeline) Check() error {
	plan := &Plan{steps: place(p.Stages, 0)}
	return plan.check(p.Source)
}

// PipelineError is a pipeline that cannot run, whatever the files hold.
type PipelineError struct{ Err error }

func (e *PipelineError) Error() string { return e.Err.Error() }

// Unwrap is the mistakes, joined.
func (e *PipelineError) Unwrap() error { return e.Err }

// StageError is a mistake in the declaration of one stage.
type StageError struct {
	Index int    // in Pipeline.Stages; -1 for the source
	Name  string // "stages: rotate", "sources: folder"
	Err   error
}

func (e *StageError) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap is the mistake without the stage's name.
func (e *StageError) Unwrap() error { return e.Err }

// Close releases the source.
func (p *Plan) Close() error { return p.dataset.Close() }

// Index is what the source knows of its samples.
func (p *Plan) Index() schema.Index { return p.dataset.Index() }

// Weight is the weight column of a sample's rows: its own times those of its
// classes.
func (p *Plan) Weight(sample int) float32 {
	row := p.about(sample, 0, 0, 0, nil)
	return row.Meta.Weight
}

// Selection lists the samples from which the run draws.
func (p *Plan) Selection() stages.Selection { return p.selection }

// Drawn is the sample that a draw uses.
func (p *Plan) Drawn(epoch int, position int64) int { return p.order.At(epoch, position) }

func (s *Settings) defaults() {
	if s.Epochs == 0 {
		s.Epochs = 1
	}
	if s.Fuse == "" {
		s.Fuse = FuseFull
	}
	if s.Exec == "" {
		s.Exec = Fused
	}
	if s.Workers == 0 {
		s.Workers = runtime.GOMAXPROCS(0)
	}
	if s.Readers == 0 {
		s.Readers = max(4, s.Workers)
	}
	if s.Queue == 0 {
		s.Queue = 2
	}
	if s.Budget == 0 {
		s.Budget = DefaultBudget
	}
	if s.World == 0 {
		s.World = 1
	}
	if s.LastRound == "" {
		s.LastRound = DropRound
	}
	if s.Failures.Policy == "" {
		s.Failures.Policy = Fail
	}
}

func (s *Settings) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("flow: "+format, args...)) }
	if s.Epochs < 1 || s.Epochs > 1<<22 {
		bad("epochs is %d: at least 1, at most 2^22", s.Epochs)
	}
	if s.Fuse != FuseFull && s.Fuse != FuseExact {
		bad("fuse is %q: full or exact", s.Fuse)
	}
	if s.Exec != Reference && s.Exec != Fused {
		bad("exec is %q: reference or fused", s.Exec)
	}
	if s.Workers < 1 {
		bad("workers is %d: at least 1", s.Workers)
	}
	if s.Readers < 1 {
		bad("readers is %d: at least 1", s.Readers)
	}
	if s.Queue < 1 {
		bad("queue is %d: at least 1", s.Queue)
	}
	if s.Budget < 1 {
		bad("budget is %d bytes: at least 1", s.Budget)
	}
	switch {
	case s.World < 1:
		bad("world is %d: at least 1", s.World)
	case s.Rank < 0 || s.Rank >= s.World:
		bad("rank is %d of a world of %d: from 0 to %d", s.Rank, s.World, s.World-1)
	}
	if s.LastRound != DropRound && s.LastRound != PadRound {
		bad("last round is %q: drop or pad", s.LastRound)
	}
	if err := s.Failures.Check(); err != nil {
		errs = append(errs, within(-1, "flow: on_error", err)...)
	}
	return errors.Join(errs...)
}

// place gives every stage its ordinal among those of its name, its name in the
// params column and the key of its random numbers.
func place(list []stages.Stage, seed uint64) []step {
	seen := map[string]int{}
	steps := make([]step, 0, len(list))
	for _, stage := range list {
		s := step{stage: stage}
		named, hasID := stage.(identified)
		for inner, ok := named, hasID; ok; inner, ok = s.stage.(identified) {
			s.stage = inner.Stage // of several ids the outermost counts
		}
		if isNil(s.stage) {
			steps = append(steps, step{})
			continue // check reports it
		}
		s.name = s.stage.Name()
		ordinal := seen[s.name]
		seen[s.name]++
		s.id = strconv.Itoa(ordinal)
		if hasID {
			s.id = "id:" + named.id
		}
		s.key = rng.NewKey(seed, s.name, s.id)
		if ordinal > 0 {
			s.name += "_" + strconv.Itoa(ordinal+1)
		}
		steps = append(steps, s)
	}
	return steps
}

// isNil reports an interface that holds nothing, or a nil pointer.
func isNil(v any) bool {
	return v == nil || reflect.ValueOf(v).Kind() == reflect.Pointer && reflect.ValueOf(v).IsNil()
}

// resolve settles what depends on the data: order, weights, counts, statistics,
// the shape of the run and the hash.
func (p *Plan) resolve(ctx context.Context) error {
	if w, ok := p.dataset.(interface{ Warnings() []string }); ok {
		p.Warnings = append(p.Warnings, w.Warnings()...)
	}
	mistakes := p.resolveOrder()
	index := p.dataset.Index()
	selected := index
	if len(p.selection) != index.Len() {
		selected = schema.Select(index, p.selection)
	}
	size, dropLast := defaultBatch, false
	batcher, errs := -1, []error{mistakes, p.checkWeights()}
	for i := range p.steps {
		s := &p.steps[i]
		switch stage := s.stage.(type) {
		case stages.Decoder:
			p.decoder = stage
		case stages.Batcher:
			size, dropLast = stage.Rows()
			batcher = i
		case stages.Expander:
			p.expander = s
		case stages.Weigher:
			weigh, err := stage.Weigh(selected)
			if err != nil {
				errs = append(errs, within(i, "stages: "+s.name, err)...)
			}
			p.weigh = append(p.weigh, weigh)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &PipelineError{err}
	}
	if err := p.measure(ctx); err != nil { // reads every picture, where a stage asks for it
		return err
	}
	ofBatch := func(format string, args ...any) error {
		name := "stages: batch"
		if batcher >= 0 {
			name = "stages: " + p.steps[batcher].name
		}
		return &PipelineError{&StageError{batcher, name, fmt.Errorf(format, args...)}}
	}
	p.Run = schema.Run{
		Seed: p.Settings.Seed, Params: p.Settings.Params, Epochs: p.Settings.Epochs,
		Samples: p.dataset,
		Tasks:   index.Tasks(), Columns: index.Columns(), RowsPerEpoch: p.order.Len(), BatchSize: size,
	}
	for t := range index.Tasks() {
		p.Counts = append(p.Counts, schema.Counts(selected, t))
	}
	if err := p.shape(); err != nil {
		return &PipelineError{err}
	}
	const most = 1 << 31 // bytes of images in a record
	for _, v := range p.Variants {
		if row := int64(v.Tensor.Elements() * v.Tensor.DType.Bytes()); p.Form == schema.FormTensor && row > most/min(int64(size), p.RowsPerEpoch) {
			return ofBatch("%d rows of %s are more than 2 GiB in one record: use a smaller batch or smaller pictures", min(int64(size), p.RowsPerEpoch), v.Tensor)
		}
	}
	p.BatchesPerEpoch = p.RowsPerEpoch / int64(size)
	if rest := p.RowsPerEpoch % int64(size); rest > 0 && !dropLast {
		p.BatchesPerEpoch++
	}
	if p.BatchesPerEpoch == 0 {
		return ofBatch("the epoch's %d rows do not fill one batch of %d, and drop_last leaves it out: use a smaller batch", p.RowsPerEpoch, size)
	}
	if dropLast {
		p.RowsPerEpoch = p.BatchesPerEpoch * int64(size)
	}
	p.RowBytes = p.rowBytes()
	p.refills = p.newRefills()
	if err := errors.Join(p.checkRanks(), p.hash()); err != nil {
		return &PipelineError{err}
	}
	if err := p.checkState(); err != nil {
		return &PipelineError{err}
	}
	p.warnBudget()
	p.warnOrder()
	p.warnWeights()
	return nil
}

// defaultBatch is the number of rows in a record where no batch stage says.
const defaultBatch = 32

// shape decides the form of the image column and the variants.
func (p *Plan) shape() error {
	t := p.pictureType()
	p.Form, p.Variants = schema.FormTensor, []schema.Variant{{Scale: 1, Tensor: t}}
	switch {
	case p.decoder == nil:
		p.Form = schema.FormEncoded
	case !t.Fixed():
		p.Form = schema.FormVarying
	}
	if p.expander == nil {
		return nil
	}
	variants, err := p.expander.stage.(stages.Expander).Variants(t)
	if err != nil {
		return fmt.Errorf("stages: %s: %w", p.expander.name, err)
	}
	p.Variants, p.Scales = variants, true
	return nil
}

// base is the run as it is before the expander: what operator 2 makes.
func (p *Plan) base() *schema.Run {
	base := p.Run
	base.Scales = false
	if p.Form == schema.FormTensor {
		base.Variants = []schema.Variant{{Scale: 1, Tensor: p.pictureType()}}
	}
	return &base
}
