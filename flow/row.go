package flow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/internal/mapfile"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// rows is what a plan has decided about single rows. It doesn't change, and knows
// neither batches, budgets nor sinks.
type rows struct {
	source    string // its name, for errors
	dataset   sources.Dataset
	lender    sources.Lender // the same; nil if it lends nothing
	index     schema.Index
	tasks     []schema.Task
	columns   []schema.Column // that the source adds
	shares    []int           // by task, which of them has its shares; -1: none
	order     stages.Order
	weigh     []func(*row) float32
	pictures  *picture.Program // nil: files stay encoded
	targeter  sources.Targeter // the dataset; nil: samples have no targets
	spec      *schema.TargetSpec
	rules     *picture.Rules
	keepEmpty bool // rows without objects stay
	params    bool // the params column is there
	policy    Policy
	refills   *refills
}

// row is one draw on its way: located, read, prepared, made.
type row struct {
	meta    schema.Meta
	sample  int // number in the index; -1: not of the index
	attempt int // 0, or which refill of the draw: its random numbers are that attempt's
	offset  int // of a donor: added to the attempt in the address of its random numbers
	epoch   int
	weight  float32 // the sample's own
	fault   error   // a panic in locating it: it ends the run

	encoded []byte            // its file; nil until it is read, and where its pixels are lent
	lent    schema.Picture    // its pixels, which belong to the dataset; without any where it has none
	print   fingerprint.Print // schema.SamplePrint, where the sink tracks reads; until its targets are read, of encoded
	targets *schema.Targets   // as the source has them; nil: none, or not read yet
	mask    *schema.Picture   // U8 with a class number a pixel; nil: none, or where its place is
	fates   []picture.Fate    // of the objects, once it is made
	turn    picture.Turn      // of its targets, with the file
	program *picture.Program  // of a donor that goes through more than other rows; nil: the plan's
	draw    *picture.Draw     // nil until it is prepared
	picture *schema.Picture   // nil where files stay encoded
	repairs int               // see Row
}

// of is the draw of one row of a job, its labels in the memory given.
func (r *rows) of(j *job, at int, labels []int32) row {
	position := j.first + int64(at)
	if j.given == nil {
		return r.locate(j.epoch, position, labels)
	}
	return r.locateGiven(&j.given[at], j.epoch, position, labels)
}

// locate says which sample a draw uses, and fills in all that the index knows.
func (r *rows) locate(epoch int, position int64, labels []int32) (located row) {
	return r.locateIn(r.order, epoch, position, position, labels)
}

// donor is one of the rows that another one, at a position, is mixed with: that of an order's draw at
// a place. which numbers them from 1; each draws numbers of its own.
func (r *rows) donor(of stages.Order, at int64, which, epoch int, position int64, labels []int32) row {
	located := r.locateIn(of, epoch, at%of.Len(), position, labels)
	located.offset = which * (mostRefills + 1)
	return located
}

// locateIn is locate for an order's draw at a place, which becomes the row at a position.
func (r *rows) locateIn(order stages.Order, epoch int, at, position int64, labels []int32) (located row) {
	err := guard("order", func() error {
		located = r.ofSample(order.At(epoch, at), epoch, position, 0, labels)
		return nil
	})
	if err != nil {
		located = row{sample: -1, encoded: []byte{}, epoch: epoch, fault: err}
		located.meta.Position = position
	}
	return located
}

// locateGiven is the row of a given sample.
func (r *rows) locateGiven(s *Sample, epoch int, position int64, labels []int32) row {
	if s.Data == nil {
		i, _ := r.index.Find(s.Key)
		return r.ofSample(i, epoch, position, 0, labels)
	}
	given := row{sample: -1, encoded: s.Data, epoch: epoch, targets: s.Targets}
	given.meta = schema.Meta{Key: s.Key, Labels: append(labels[:0], s.Labels...), Weight: s.Weight, Position: position, SourceIndex: -1, Values: s.Values}
	if s.Labels == nil {
		for range r.tasks {
			given.meta.Labels = append(given.meta.Labels, schema.Unknown)
		}
	}
	if given.meta.Weight == 0 {
		given.meta.Weight = 1
	}
	r.weighRow(&given)
	return given
}

func (r *rows) ofSample(sample, epoch int, position int64, attempt int, labels []int32) row {
	x := r.index
	located := row{sample: sample, attempt: attempt, epoch: epoch}
	located.meta = schema.Meta{
		Key: x.Key(sample), Position: position, SourceIndex: x.SourceIndex(sample),
		Weight: x.Weight(sample), Labels: slices.Grow(labels[:0], len(r.tasks))[:len(r.tasks)],
	}
	for t := range r.tasks {
		located.meta.Labels[t] = x.Label(t, sample)
	}
	for c := range r.columns {
		located.meta.Values = append(located.meta.Values, x.Value(c, sample))
	}
	r.weighRow(&located)
	return located
}

// weighRow multiplies the sample's own weight by those of its classes.
func (r *rows) weighRow(row *row) {
	row.weight = row.meta.Weight
	if len(r.weigh) == 0 {
		return
	}
	row.meta.Weight, row.fault = r.weighed(*row)
}

// weighed is the weight of a row, of which it has a copy: what functions of weights are given is
// in memory of its own, which no other row needs.
func (r *rows) weighed(row row) (weight float32, fault error) {
	weight = row.meta.Weight
	fault = guard("weight", func() error {
		for _, weigh := range r.weigh {
			weight *= weigh(&row)
		}
		return nil
	})
	return weight, fault
}

// encodedBytes is the size of a row's files.
func (r *rows) encodedBytes(row *row) int64 {
	if row.encoded != nil {
		return int64(len(row.encoded))
	}
	n := max(0, r.index.Size(row.sample)) // -1: it is missing
	if r.targeter != nil {
		n += max(0, r.targeter.TargetBytes(row.sample))
	}
	return n
}

// annotate reads the row's targets, unless it came with them, and takes their fingerprint
// where that is wanted.
func (r *rows) annotate(ctx context.Context, row *row, fingerprinted bool) *RowError {
	if row.targets != nil && row.targets.Normalized { // given, and not ours to change
		t := *row.targets
		t.Objects = slices.Clone(t.Objects)
		r.scale(row, &t)
		if err := r.spec.CheckTargets(&t); err != nil {
			return row.failed(picture.TargetsStage, err)
		}
		row.targets = &t
	}
	if r.targeter == nil || row.targets != nil || row.sample < 0 || row.fault != nil {
		return nil
	}
	t := new(schema.Targets)
	err := guard("source", func() error { return r.targeter.Targets(ctx, row.sample, t) })
	if fingerprinted {
		row.print = schema.SamplePrint(r.index, row.sample, row.print, t.Mask)
	}
	if err == nil {
		r.scale(row, t) // which may overflow
		err = r.spec.CheckTargets(t)
	}
	if err == nil {
		row.targets = t
		return nil
	}
	failed := row.failed(picture.TargetsStage, err)
	failed.machine = !errors.Is(err, sources.ErrTargets)
	return failed
}

// borrow looks whether the dataset lends the row's pixels; else they are to be read.
func (r *rows) borrow(ctx context.Context, row *row) bool {
	if r.lender == nil || r.pictures == nil {
		return false
	}
	err := guard("source", func() error {
		if lent, ok := r.lender.Lend(ctx, row.sample); ok {
			row.lent = lent
		}
		return nil
	})
	return err == nil && row.lent.U8 != nil // Read says what is wrong
}

// read reads the row's file into buf's storage, if that is large enough, and takes its
// fingerprint where that is wanted.
func (r *rows) read(ctx context.Context, row *row, buf []byte, fingerprinted bool) *RowError {
	err := guard("source", func() (err error) {
		row.encoded, err = r.fetch(ctx, row.sample, buf)
		if err == nil && fingerprinted {
			row.print = fingerprint.Of(row.encoded)
		}
		return err
	})
	if err == nil {
		return nil
	}
	failed := row.failed("source", err)
	failed.machine = true
	failed.read.Missing = errors.Is(err, sources.ErrMissing)
	return failed
}

// fetch reads a sample and holds the source to its contract (sources.Dataset.Read):
// other bytes than the index says, or a sample that is missing only now, would become a
// broken image and be left out. Where it isn't kept, the error is one of access.
func (r *rows) fetch(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	data, err := r.dataset.Read(ctx, sample, buf)
	size := r.index.Size(sample)
	breach := func(format string, args ...any) error {
		return fmt.Errorf("%s: %q: "+format, slices.Concat([]any{r.source, r.index.Key(sample)}, args)...)
	}
	switch {
	case err == nil && size == -1:
		return nil, breach("its size in the index is -1, so it was missing when the source was listed, and Read gave %d bytes: open the source again", len(data))
	case err == nil && int64(len(data)) != size:
		return nil, breach("Read gave %d bytes and no error, and its size in the index is %d: has it changed since it was listed? Read must give all of them, or an error", len(data), size)
	case err != nil && size != -1 && errors.Is(err, sources.ErrMissing):
		return nil, breach("its size in the index is %d, so it was there when the source was listed, and Read says: %v: sources.ErrMissing is for size -1", size, err) // and not wrapped
	case err == nil && data == nil:
		data = []byte{}
	}
	return data, err
}

// prepare draws the row's stages, in row.draw's memory, and returns the bytes that making
// its picture will take.
func (r *rows) prepare(row *row) int64 {
	if r.pictures == nil {
		return picture.PassedBytes(row.targets, row.encoded)
	}
	program := r.pictures
	if row.program != nil {
		program = row.program
	}
	if row.lent.U8 != nil {
		row.draw.PrepareStored(program, row.address(), row.lent)
	} else {
		row.draw.Prepare(program, row.address(), row.encoded)
	}
	return row.draw.Bytes
}

// scale gives normalized targets the size of the row's picture; those of a file that isn't a
// picture are none, and decoding it says why.
func (r *rows) scale(row *row, t *schema.Targets) {
	if !t.Normalized {
		return
	}
	height, width := row.lent.Height, row.lent.Width
	if row.lent.U8 == nil {
		h, err := decode.ReadHeader(row.encoded)
		if err != nil {
			t.Objects = nil
		}
		height, width = h.Height, h.Width
	}
	t.Scale(float64(width), float64(height))
	t.Height, t.Width = height, width
}

// address says which draw the row's picture is of.
func (row *row) address() picture.Of {
	return picture.Of{
		Sample: row.sample, Key: row.meta.Key, Labels: row.meta.Labels,
		Epoch: row.epoch, Position: row.meta.Position, Attempt: row.offset + row.attempt, Targets: row.targets, Values: row.meta.Values,
	}
}

// make makes the picture of a prepared row, and its params column.
func (r *rows) make(ctx context.Context, m *picture.Maker, row *row, slot *schema.Picture, views *picture.Views) *RowError {
	if r.pictures == nil {
		if r.params {
			row.meta.Params = "{}"
		}
		return nil
	}
	var err, changed error
	if row.lent.U8 != nil {
		err, changed = r.makeOfLent(ctx, m, row, slot, views)
	} else {
		row.picture, row.repairs, err = m.Make(ctx, row.draw, slot, views)
	}
	if changed != nil {
		failed := row.failed("source", changed)
		failed.machine = true
		return failed
	}
	if err != nil {
		return row.unmade(err)
	}
	if !slices.Equal(row.draw.Labels, row.meta.Labels) {
		row.meta.Labels, row.meta.Weight = row.draw.Labels, row.weight
		if r.weighRow(row); row.fault != nil {
			return row.failed("weight", row.fault)
		}
	}
	if r.params {
		if row.meta.Params, err = row.draw.JSON(row.picture); err != nil {
			return row.failed("params", err)
		}
	}
	return nil
}

// makeTargets makes the targets of a row whose picture is made; its mask in slot, if there is one.
func (r *rows) makeTargets(m *picture.Maker, row *row, slot []uint8) *RowError {
	if r.spec == nil {
		return nil
	}
	if r.pictures == nil {
		var err error
		if row.meta.Targets, row.turn, err = m.Passed(row.targets, r.spec, row.encoded); err != nil {
			return row.unmade(err)
		}
		return nil
	}
	row.meta.Targets, row.fates = row.draw.Targets(r.rules)
	row.turn = row.draw.Turn()
	if !r.keepEmpty && r.spec.Boxes && (row.meta.Targets == nil || len(row.meta.Targets.Objects) == 0) {
		return row.failed(picture.TargetsStage, errors.New("no object is left in the picture, and keep_empty is false"))
	}
	if !r.spec.Mask {
		return nil
	}
	height, width := row.picture.Height, row.picture.Width
	if slot == nil {
		row.mask = &schema.Picture{Height: height, Width: width, U8: make([]uint8, height*width)}
		slot = row.mask.U8
	}
	if err := m.Mask(row.draw, r.spec, slot); err != nil {
		return row.failed("mask", err)
	}
	return nil
}

// makeOfLent makes the picture of a row whose pixels are lent. changed is why they can't be
// relied on, whatever was made of them: one of access, as read's errors are.
func (r *rows) makeOfLent(ctx context.Context, m *picture.Maker, row *row, slot *schema.Picture, views *picture.Views) (err, changed error) {
	fault := mapfile.Guard(func() { row.picture, row.repairs, err = m.Make(ctx, row.draw, slot, views) })
	changed = guard("source", func() error { return r.lender.Unchanged(ctx, row.sample) })
	if fault != nil && changed == nil {
		changed = fmt.Errorf("%s: %q: %w: check the disk that it is on, and start again", r.source, row.meta.Key, fault)
	}
	return err, changed
}

// unmade is a failure of package picture.
func (row *row) unmade(err error) *RowError {
	failure := new(picture.Failure)
	errors.As(err, &failure)
	return row.failed(failure.Stage, failure.Err)
}

func (row *row) failed(stage string, err error) *RowError {
	return &RowError{Stage: stage, Key: row.meta.Key, Epoch: row.epoch, Position: row.meta.Position, Attempt: row.attempt, Err: err, labels: row.meta.Labels,
		read: schema.Read{Sample: row.sample, Print: row.print}}
}

// checkSample is the sample of an element.
func (r *rows) checkSample(element any) (Sample, error) {
	s, ok := element.(Sample)
	if key, isKey := element.(string); isKey {
		s, ok = Sample{Key: key}, true
	}
	if !ok {
		return s, wrongElement("read", element, s)
	}
	if s.Key == "" {
		return s, errors.New("flow: a sample has no Key: give it one, it names the row in errors and in the quarantine")
	}
	if s.Data == nil {
		if _, ok := r.index.Find(s.Key); !ok {
			return s, fmt.Errorf("flow: the source has no sample %q: give its Data", s.Key)
		}
		if s.Targets != nil {
			return s, fmt.Errorf("flow: sample %q has targets and no Data: without Data all of it comes from the source", s.Key)
		}
		return s, nil
	}
	if s.Labels != nil && len(s.Labels) != len(r.tasks) {
		return s, fmt.Errorf("flow: sample %q has %d labels, and there are %d tasks", s.Key, len(s.Labels), len(r.tasks))
	}
	if s.Values != nil && len(s.Values) != len(r.columns) {
		return s, fmt.Errorf("flow: sample %q has %d values, and the source adds %d columns", s.Key, len(s.Values), len(r.columns))
	}
	for c, value := range s.Values {
		if err := r.columns[c].CheckValue(value); err != nil {
			return s, fmt.Errorf("flow: sample %q: %w", s.Key, err)
		}
	}
	if w := float64(s.Weight); !(w >= 0) || math.IsInf(w, 1) {
		return s, fmt.Errorf("flow: sample %q has the weight %v: want a finite number from 0 on, and 0 stands for 1", s.Key, s.Weight)
	}
	if s.Targets != nil {
		if s.Targets.Mask != nil && !r.spec.HasMask() {
			return s, fmt.Errorf("flow: sample %q has a mask, and the plan's source has none", s.Key)
		}
		if err := r.spec.CheckTargets(s.Targets); err != nil {
			return s, fmt.Errorf("flow: sample %q: %w", s.Key, err)
		}
	}
	for t, label := range s.Labels {
		if label != schema.Unknown && (label < 0 || int(label) >= len(r.tasks[t].Classes)) {
			return s, fmt.Errorf("flow: sample %q: task %s has no class %d", s.Key, r.tasks[t].Name, label)
		}
	}
	return s, nil
}
