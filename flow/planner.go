package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// Plan opens the source, checks everything and resolves the run's parameters.
// All mistakes are reported together, before anything runs. Close the plan when
// done; Run and Batches do so themselves.
func (p *Pipeline) Plan(ctx context.Context, opts ...Option) (*Plan, error) {
	settings := p.Settings
	for _, set := range opts {
		set(&settings)
	}
	settings.defaults()
	made := &planner{Plan: &Plan{settings: settings, source: p.Source, steps: newSteps(p.Stages, settings.Seed), objects: p.Objects}}
	if err := errors.Join(settings.check(), p.Objects.Check(), made.steps.check(p.Source)); err != nil {
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
	made.dataset = dataset
	if err := made.resolve(ctx); err != nil {
		var mistake *PipelineError
		if errors.As(err, &mistake) {
			err = p.explained(mistake)
		}
		return nil, errors.Join(err, dataset.Close())
	}
	return made.Plan, nil
}

// Check looks at the declaration alone, without touching the disk: all that
// Plan would report before it opens the source (of a sources.Uniform one, it cannot tell yet
// whether pictures have the one size that batches need). Each of the errors joined in it
// is a *StageError.
func (p *Pipeline) Check() error {
	return errors.Join(p.Objects.Check(), newSteps(p.Stages, 0).check(p.Source))
}

// resolve finds out what depends on the data: order, weights, counts, statistics,
// the shape of the run and the hash.
func (p *planner) resolve(ctx context.Context) error {
	if w, ok := p.dataset.(sources.Warner); ok {
		p.warnings = append(p.warnings, w.Warnings()...)
	}
	if sources.MayBeUniform(p.source) {
		var size sizing
		size.height, size.width, _ = sources.SizeOf(p.dataset)
		if err := p.steps.checkAfter(nil, false, size); err != nil {
			return &PipelineError{err}
		}
	}
	index := p.dataset.Index()
	mistakes := p.sample()
	warnBalances(p)
	warnJitter(p)
	warnValidation(p)
	p.rows = &rows{
		source: p.source.Name(), dataset: p.dataset, index: index, tasks: index.Tasks(), columns: index.Columns(),
		order: p.sampling.order, params: p.settings.Params, policy: p.settings.Failures.Policy,
	}
	p.rows.lender, _ = p.dataset.(sources.Lender)
	for _, task := range p.rows.tasks {
		p.rows.shares = append(p.rows.shares, schema.SharesIn(p.rows.columns, task.Name))
	}
	mistakes = errors.Join(mistakes, p.targets())
	p.selected = index
	if len(p.sampling.selection) != index.Len() {
		p.selected = schema.Select(index, p.sampling.selection)
	}
	if err := errors.Join(mistakes, p.relabelers(), p.conditions(), p.checkWeights(), p.assign()); err != nil {
		return &PipelineError{err}
	}
	if err := p.measure(ctx); err != nil { // reads every picture, where a stage asks for it
		return err
	}
	if err := errors.Join(p.shape()); err != nil {
		return &PipelineError{err}
	}
	if err := p.lengths(); err != nil {
		return &PipelineError{err}
	}
	if err := p.info.Check(); err != nil {
		return &PipelineError{err}
	}
	p.rows.pictures = p.steps.program(&p.settings, index.Len())
	for i := range p.mixing.mixers {
		if x := &p.mixing.mixers[i]; x.more != nil {
			x.program = behindMovers(p.steps, p.rows.pictures, *x.more)
		}
	}
	if p.rows.pictures == nil && p.rows.spec.Objects() && !reflect.ValueOf(p.objects).IsZero() {
		p.warn("%s", "objects: without decode files stay as they are, and so do their objects, whatever it says, keep_empty too: add decode, or leave objects out")
	}
	p.refills()
	if err := errors.Join(p.deal.check(), p.hash()); err != nil {
		return &PipelineError{err}
	}
	if err := checkState(p.Plan); err != nil {
		return &PipelineError{err}
	}
	made := p.Plan
	p.tally = sync.OnceValue(func() *tally { return newTally(made) })
	p.info.Distinct = func() bool { // a substitute may be drawn itself, too
		return made.settings.Failures.Policy != Refill && made.tally().distinct == made.info.RowsPerEpoch
	}
	if p.rows.pictures != nil {
		single := p.steps.beforeScales(p.info)
		single.Mixed = false // there are no other rows
		p.applier = newApplier(p.rows, single, &p.settings)
	}
	warnBudget(p)
	warnOrder(p)
	warnWeights(p)
	warnObjects(p)
	return nil
}

// targets finds out what the samples have besides classes.
func (p *planner) targets() error {
	spec := schema.TargetSpecOf(p.dataset.Index())
	targeter, ok := p.dataset.(sources.Targeter)
	if !spec.Objects() {
		p.warnTargets(spec)
	}
	if spec == nil {
		return nil
	}
	if !ok && (spec.Boxes || spec.Mask) { // several labels are columns: there is nothing else to read
		return fmt.Errorf("flow: the index of %s has targets, and its dataset is no sources.Targeter", p.source.Name())
	}
	var err error
	r := p.rows
	r.spec, r.targeter, r.keepEmpty = spec, targeter, or(p.objects.KeepEmpty, true)
	r.rules, err = p.objects.rules(spec)
	return errors.Join(spec.Check(), err)
}

// warnTargets warns of what has no effect without objects.
func (p *planner) warnTargets(spec *schema.TargetSpec) {
	for _, s := range p.steps {
		if _, ok := s.stage.(stages.ObjectStage); ok {
			p.warn("%s looks at objects, and the source (%s) has none", s.name, p.source.Name())
		}
	}
	if !spec.HasMask() && !reflect.ValueOf(p.objects).IsZero() {
		p.warn("objects: the source (%s) has none", p.source.Name())
	}
}

// relabelers gives the stages that change classes their numbers.
func (p *planner) relabelers() error {
	var errs []error
	for i := range p.steps {
		s := &p.steps[i]
		relabeler, ok := s.stage.(stages.Relabeler)
		if !ok || !relabeler.NeedsTasks() {
			continue
		}
		stage, err := relabeler.ForTasks(p.Index().Tasks())
		if slices.ContainsFunc(p.rows.shares, func(column int) bool { return column >= 0 }) && err == nil {
			err = errors.New("it gives pictures other classes, and those of the source were mixed when they were written: each has several; leave the classes out here, and give them to the pipeline that mixes")
		}
		if err != nil {
			errs = append(errs, within(i, "stages: "+s.name, err)...)
			continue
		}
		s.replace(stage)
	}
	return errors.Join(errs...)
}

// conditions resolves those of every stage.
func (p *planner) conditions() error {
	of := drawn{p.dataset.Index(), p.sampling.selection, p.selected, p.sampling.order}
	var errs []error
	for i := range p.steps {
		s := &p.steps[i]
		if s.when == nil {
			continue
		}
		err := s.resolve(p.settings.Epochs)
		var warnings []string
		if err == nil {
			warnings, err = s.rules.resolve(of)
		}
		if err != nil {
			errs = append(errs, within(i, "stages: "+s.name, err)...)
			continue
		}
		if declared := s.rules.declared; s.rules.never() {
			p.warn("%s: when: epochs: [%d, %d] is none of the run's %s: the stage never acts; give the run its number of epochs", s.name, declared[0], declared[1], plural(int64(p.settings.Epochs), "epoch"))
		}
		for _, text := range warnings {
			p.warn("%s: %s", s.name, text)
		}
	}
	return errors.Join(errs...)
}

// weigher is a function of labels as one of rows, 1 where conditions don't hold. Of a row that was
// mixed before, shares being the column of its shares in the weighted task, it is the mean over them.
func weigher(weigh func(labels []int32) float32, rules *conditional, task, shares int) func(*row) float32 {
	return func(row *row) float32 {
		if rules != nil {
			if of := row.address(); !rules.holds(&of) {
				return 1
			}
		}
		if shares < 0 || shares >= len(row.meta.Values) {
			return weigh(row.meta.Labels)
		}
		list, known := schema.SharesValue(row.meta.Values[shares])
		if !known {
			return weigh(row.meta.Labels)
		}
		labels, sum := slices.Clone(row.meta.Labels), 0.0
		for _, s := range list {
			labels[task] = s.Class
			sum += float64(float64(s.Share) * float64(weigh(labels)))
		}
		return float32(sum)
	}
}

// checkWeights: a task's classes are weighted once.
func (p *planner) checkWeights() error {
	var errs []error
	tasks, first := p.Index().Tasks(), map[int]string{}
	for i := range p.steps {
		s := &p.steps[i]
		weigher, ok := s.stage.(stages.TaskWeigher)
		if !ok {
			continue
		}
		task, known := schema.TaskNumber(tasks, weigher.WeightedTask())
		if !known { // Weigh reports it
			continue
		}
		if before, twice := first[task]; twice {
			errs = append(errs, &StageError{i, "stages: " + s.name, fmt.Errorf("task %s is weighted by %s already, and a row's weight would be the product: leave one of them out", tasks[task].Name, before)})
		}
		first[task] = s.name
	}
	return errors.Join(errs...)
}

// defaultBatch is the number of rows in a record where no batch stage says.
const defaultBatch = 32

// assign gives each stage that isn't about pictures its part.
func (p *planner) assign() error {
	p.batcher, p.info.BatchSize = -1, defaultBatch
	var errs []error
	for i := range p.steps {
		s := &p.steps[i]
		switch stage := s.stage.(type) {
		case stages.Batcher:
			p.batcher = i
			p.info.Padded = varyingSizes(stage) == stages.PadSizes
			if p.info.BatchSize, p.dropLast = stage.Rows(); p.info.BatchSize < 1 {
				errs = append(errs, &StageError{i, "stages: " + s.name, fmt.Errorf("its Rows gave batches of %d rows: at least 1", p.info.BatchSize)})
			}
		case stages.Expander:
			p.scaling = &scaling{stage: stage, name: s.name, key: s.key}
		case stages.MixStage:
			errs = append(errs, p.mix(i, stage))
		case stages.Weigher:
			weigh, err := stage.Weigh(p.selected)
			if err != nil {
				errs = append(errs, within(i, "stages: "+s.name, err)...)
			}
			weighedTask, shares := 0, -1
			if of, ok := s.stage.(stages.TaskWeigher); ok && err == nil {
				if task, ok := schema.TaskNumber(p.Index().Tasks(), of.WeightedTask()); ok {
					p.sampling.weighed = append(p.sampling.weighed, weighed{task, weigh})
					weighedTask, shares = task, p.rows.shares[task]
				}
			}
			p.rows.weigh = append(p.rows.weigh, weigher(weigh, s.rules, weighedTask, shares))
		}
	}
	return errors.Join(errs...)
}

// mix gives a stage that mixes its part. What can't be mixed is refused: every mistake is reported.
func (p *planner) mix(at int, stage stages.MixStage) error {
	s := &p.steps[at]
	m := mixer{stage: stage, name: s.name, draws: s.key, partners: rng.NewKey(p.settings.Seed, stage.Name()+" partners", s.id)}
	if s.rules != nil {
		m.epochs = s.when.Epochs
	}
	for _, x := range p.mixing.mixers {
		m.before += x.count
	}
	var errs []error
	bad := func(err error) { errs = append(errs, within(at, "stages: "+s.name, err)...) }
	draws := p.sampling.order.Len()
	var err error
	switch stage := stage.(type) {
	case stages.Composer:
		if err := checkComposed(p, stage); err != nil {
			bad(err)
		}
		if len(errs) > 0 {
			break
		}
		m.count = stage.DonorCount()
		if m.composer, err = newComposer(stage, p.rows, p.sampling.selection); err == nil {
			m.donors, err = stage.DonorOrder(p.sampling.selection, p.dataset.Index(), draws*int64(m.count), m.partners)
		}
		if paster, ok := stage.(stages.Paster); ok && err == nil {
			if more := paster.DonorStage(); more != nil {
				m.more = &picture.Stage{Stage: more, Name: s.name, Key: rng.NewKey(p.settings.Seed, stage.Name()+" donors", s.id)}
			}
		}
	case stages.Mixer:
		m.mixes = stage
		for _, err := range checkMixed(p) {
			bad(err)
		}
		if l, ok := stage.(stages.LabelMixer); ok {
			m.labels = l.LabelShares(p.selected)
		}
		if d, ok := stage.(stages.DonorMixer); ok {
			m.count = 1
			m.donors, err = d.Donors(p.sampling.selection, p.dataset.Index(), draws, m.partners)
		}
		if p.info.Mixed = len(p.rows.tasks) > 0; !p.info.Mixed {
			p.warn("%s mixes pictures of samples without classes: what is in a picture stands nowhere but in the params column", s.name)
		}
	default:
		err = fmt.Errorf("%T is neither a Mixer nor a Composer: see package stages", stage)
	}
	if err == nil && m.donors != nil && m.donors.Len() < 1 {
		err = errors.New("its order of donors is empty")
	}
	if err != nil {
		bad(err)
	}
	t := p.steps.pictureType()
	p.mixing.height, p.mixing.width, p.mixing.shares, p.mixing.params = t.Height, t.Width, p.rows.shares, p.settings.Params
	p.mixing.spec = p.rows.spec
	p.mixing.mixers = append(p.mixing.mixers, m)
	return errors.Join(errs...)
}

// checkMixed says what of the samples keeps them from being mixed: pictures and classes can be.
func checkMixed(p *planner) (errs []error) {
	spec := p.rows.spec
	if spec.Objects() || spec.HasMask() {
		errs = append(errs, fmt.Errorf("it mixes pictures and their classes, and the samples have boxes or masks, which can't be mixed: leave it out, or let the source (%s) read pictures and classes only", p.source.Name()))
	}
	several, value := labelsBeside(p)
	if several != "" {
		errs = append(errs, fmt.Errorf("it mixes rows of one class each, and task %s has several labels a sample: leave the task out of the source, or the stage out", several))
	}
	if value != "" {
		errs = append(errs, fmt.Errorf("it mixes rows of one class each, and task %s is a number for each sample: leave the task out of the source, or the stage out", value))
	}
	return errs
}

// checkComposed is checkMixed of pictures made of several: objects and masks can be. What the
// source lacks comes first: where there is nothing to show, its tasks don't matter.
func checkComposed(p *planner, stage stages.Composer) error {
	_, pastes := stage.(stages.Paster)
	switch spec := p.rows.spec; {
	case pastes && !spec.Objects():
		instead := "mix pictures and their classes by cutmix or cmo"
		if spec.HasMask() {
			instead = "take mosaic"
		}
		return fmt.Errorf("it pastes objects, and the source (%s) has none: read their polygons, by coco or another source of objects, or %s", p.source.Name(), instead)
	case !spec.Objects() && !spec.HasMask():
		return fmt.Errorf("it makes one picture of several, with their objects and masks, and the source (%s) has none: read them, by coco or another source of objects, or mix pictures and their classes by cutmix or cmo", p.source.Name())
	}
	const composes = "it makes one picture of several, and task %s has a label for each of them: leave the task out of the source%s, or the stage out"
	if tasks := p.rows.tasks; len(tasks) > 0 {
		return fmt.Errorf(composes, tasks[0].Name, " (tasks: [] there, if it has that option)")
	}
	several, value := labelsBeside(p)
	if name := cmp.Or(several, value); name != "" {
		return fmt.Errorf(composes, name, "")
	}
	return nil
}

// labelsBeside are a task of several labels, and one of a value; "": there is none.
func labelsBeside(p *planner) (several, value string) {
	if spec := p.rows.spec; spec != nil && len(spec.Multi) > 0 {
		several = spec.Multi[0].Name
	}
	for _, c := range p.rows.columns {
		if name, ok := strings.CutPrefix(c.Name, schema.ColumnLabel); ok && c.Type.ID() == arrow.FLOAT32 {
			value = name
		}
	}
	return several, value
}

// shape decides the form of the image column and the variants.
func (p *planner) shape() error {
	run, t := &p.info, p.steps.pictureType()
	run.Seed, run.Params, run.Epochs, run.Samples = p.settings.Seed, p.settings.Params, p.settings.Epochs, p.dataset
	run.Tasks, run.Columns, run.Targets = p.rows.tasks, p.rows.columns, p.rows.spec
	for task := range run.Tasks {
		run.Counts = append(run.Counts, schema.Counts(p.selected, task))
	}
	if run.Targets != nil {
		for task := range run.Targets.Multi {
			run.Multi = append(run.Multi, schema.CountMulti(p.selected, task))
		}
	}
	run.Form, run.Variants = p.steps.form(), p.steps.variants()
	run.Padded = run.Padded && run.Form == schema.FormVarying
	if p.scaling == nil {
		return nil
	}
	variants, err := p.scaling.stage.Variants(t)
	if err != nil {
		return fmt.Errorf("stages: %s: %w", p.scaling.name, err)
	}
	run.Variants, run.Scales, p.scaling.variants = variants, true, len(variants)
	_, err = p.scaling.picks(0, 0)
	return err
}

// lengths decides how many rows and batches there are.
func (p *planner) lengths() error {
	run := &p.info
	size := int64(run.BatchSize)
	run.RowsPerEpoch = p.sampling.order.Len()
	ofBatch := func(format string, args ...any) error {
		name := "stages: batch"
		if p.batcher >= 0 {
			name = "stages: " + p.steps[p.batcher].name
		}
		return &StageError{p.batcher, name, fmt.Errorf(format, args...)}
	}
	const most = 1 << 31 // bytes of images in a record
	for _, v := range run.Variants {
		if rows := min(size, run.RowsPerEpoch); run.Form == schema.FormTensor && imageBytes(v.Tensor) > most/rows {
			return ofBatch("%d rows of %s are more than 2 GiB in one record: use a smaller batch or smaller pictures", rows, v.Tensor)
		}
	}
	run.BatchesPerEpoch = run.RowsPerEpoch / size
	if rest := run.RowsPerEpoch % size; rest > 0 && !p.dropLast {
		run.BatchesPerEpoch++
	}
	if run.BatchesPerEpoch == 0 {
		return ofBatch("the epoch's %d rows do not fill one batch of %d, and drop_last leaves it out: use a smaller batch", run.RowsPerEpoch, size)
	}
	if p.dropLast {
		run.RowsPerEpoch = run.BatchesPerEpoch * size
	}
	p.deal = newDeal(run, &p.settings)
	run.RowBytes = p.rowBytes()
	return nil
}

// newDeal decides which batches are made of those that there are.
func newDeal(run *schema.Run, s *Settings) deal {
	d := deal{
		epochs: run.Epochs, batches: run.BatchesPerEpoch, rows: run.RowsPerEpoch, size: int64(run.BatchSize),
		rank: int64(s.Rank), world: int64(s.World), padded: s.LastRound == PadRound,
	}
	if s.Resume != nil {
		d.start = cursor{s.Resume.Epoch, s.Resume.Batch}
	}
	return d
}

// With is the plan for another run of it: that resumes elsewhere, has more epochs, another
// rank, anything that doesn't change a row. It shares the source, and what the plan has
// learnt of its files: Close either, once.
func (p *Plan) With(opts ...Option) (*Plan, error) {
	q := *p
	s := &q.settings
	for _, set := range opts {
		set(s)
	}
	s.defaults()
	if err := s.check(); err != nil {
		return nil, &PipelineError{err}
	}
	old := p.settings
	if s.Seed != old.Seed || s.Fuse != old.Fuse || s.Exec != old.Exec || s.Params != old.Params || s.Failures.Policy != old.Failures.Policy {
		return nil, &PipelineError{errors.New("flow: seed, fuse, exec, params and the policy of on_error are the plan's: a run of it can't have others; plan the pipeline with them")}
	}
	q.info.Epochs = s.Epochs
	q.deal = newDeal(&q.info, s)
	if err := errors.Join(q.deal.check(), checkState(&q)); err != nil {
		return nil, &PipelineError{err}
	}
	return &q, nil
}

// rowBytes is the size of a row's images in the variants that it leaves in, on
// average; 0 where it depends on each picture.
func (p *planner) rowBytes() (n int64) {
	switch run := &p.info; run.Form {
	case schema.FormTensor:
		for _, v := range run.Variants {
			n += imageBytes(v.Tensor)
		}
		return n * int64(p.scaling.perBatch()) / int64(len(run.Variants))
	case schema.FormEncoded:
		return meanFileBytes(p.dataset.Index(), p.sampling.selection)
	}
	return 0
}

// meanFileBytes is the size of an image's file, on average.
func meanFileBytes(index schema.Index, selection stages.Selection) (n int64) {
	for _, sample := range selection {
		n += max(0, index.Size(sample)) // -1: it is missing
	}
	return n / int64(max(len(selection), 1))
}

// refills prepares substitutes for samples that fail.
func (p *planner) refills() {
	f := &refills{key: rng.NewKey(p.settings.Seed, "on_error", "refill"), index: p.dataset.Index(), selection: p.sampling.selection}
	for _, s := range p.steps {
		balancer, ok := s.stage.(stages.Balancer)
		if !ok {
			continue
		}
		for _, name := range balancer.BalancedTasks() {
			if t, ok := schema.TaskNumber(p.rows.tasks, name); ok {
				f.tasks = append(f.tasks, t)
			}
		}
	}
	if len(f.tasks) == 0 {
		for t := range p.rows.tasks {
			f.tasks = append(f.tasks, t)
		}
	}
	f.groups = p.sampling.groups
	p.rows.refills = f
}
