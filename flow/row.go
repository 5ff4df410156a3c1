package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// RowError is a row that could not be made: which sample, which draw, in which
// stage, and why.
type RowError struct {
	Stage    string // "source" where reading failed
	Key      string
	Epoch    int
	Position int64
	Attempt  int // 0, or which refill of the draw
	Err      error

	labels  []int32 // of the sample
	read    schema.Read
	machine bool // its file could not be read
}

func (e *RowError) Error() string {
	return fmt.Sprintf("stages: %s: %s (key %q, epoch %d, position %d)", e.Stage, e.cause(), e.Key, e.Epoch, e.Position)
}

// cause is without the stage: decoders name themselves.
func (e *RowError) cause() string { return strings.TrimPrefix(e.Err.Error(), e.Stage+": ") }

// EndsRun reports whether the row's sample could not be got at for a reason that
// isn't in the data: an error of the disk, a file that has changed, a lack of
// descriptors. Then the run ends whatever the policy, for which rows there are
// must not depend on the machine.
func (e *RowError) EndsRun() bool { return e.machine && !errors.Is(e.Err, sources.ErrMissing) }

// Unwrap is the cause.
func (e *RowError) Unwrap() error { return e.Err }

// Drawn is what one stage drew for a row.
type Drawn struct {
	Stage  string // its name in the params column
	Params stages.Params
}

// Row is one finished draw: its columns, the picture as it leaves, and how it
// came about. preview shows it.
type Row struct {
	Meta    schema.Meta
	Sample  int             // number in the index; -1: not of the index
	Attempt int             // 0, or which refill of the draw: its random numbers are that attempt's
	Encoded []byte          // the file
	Source  *schema.Picture // as decoded; nil in a pipeline without decode, and in runs where not all of it was
	Picture *schema.Picture // as it leaves
	Shown   *schema.Picture // the last uint8 HWC picture of the way: what people look at
	Drawn   []Drawn
	Matrix  warp.Homography // the composed warps, from source to output pixels
	Repairs int             // places of a file that were repaired: damage (decode's truncated: fill), or scans that it lacks

	epoch  int
	print  fingerprint.Print // of Encoded, where the sink remembers it
	broken error             // a panic in locating it: it ends the run
	kept   bool              // outside of runs: Source and Shown are wanted
	slot   *schema.Picture   // its place in the batch, which an executor may fill: then it is Picture; nil outside of runs and where sizes vary
	source [2]int            // height and width as decoded
}

// Row makes a single draw, outside of any run, as a run would deliver it.
func (p *Plan) Row(ctx context.Context, epoch int, position int64) (*Row, error) {
	r := &run{plan: p, ctx: ctx, stats: newStats(p)}
	first := p.locate(epoch, position, nil)
	if first.broken != nil {
		return nil, first.failed("source", first.broken)
	}
	row, failed := p.settle(r, new(scratch), &first, nil, nil)
	switch {
	case row != nil:
		return row, nil
	case len(failed) > 0:
		return nil, failed[len(failed)-1]
	}
	return nil, context.Cause(ctx)
}

// locateIn is the draw of one row of a job, its labels in the memory given.
func (p *Plan) locateIn(j *job, at int, labels []int32) Row {
	position := j.first + int64(at)
	if j.given == nil {
		return p.locate(j.epoch, position, labels)
	}
	return p.locateGiven(&j.given[at], j.epoch, position, labels)
}

// locate says which sample a draw uses, and fills in all that the index knows.
func (p *Plan) locate(epoch int, position int64, labels []int32) (row Row) {
	err := guard("order", func() error {
		row = p.about(p.order.At(epoch, position), epoch, position, 0, labels)
		return nil
	})
	if err != nil {
		row = Row{Sample: -1, Encoded: []byte{}, epoch: epoch, broken: err}
		row.Meta.Position = position
	}
	return row
}

func (p *Plan) about(sample, epoch int, position int64, attempt int, labels []int32) Row {
	index := p.dataset.Index()
	row := Row{Sample: sample, Attempt: attempt, epoch: epoch}
	row.Meta = schema.Meta{
		Key: index.Key(sample), Position: position, SourceIndex: index.SourceIndex(sample),
		Weight: index.Weight(sample), Labels: slices.Grow(labels[:0], len(index.Tasks()))[:len(index.Tasks())],
	}
	for t := range index.Tasks() {
		row.Meta.Labels[t] = index.Label(t, sample)
	}
	for c := range p.Run.Columns {
		row.Meta.Values = append(row.Meta.Values, index.Value(c, sample))
	}
	p.weighRow(&row)
	return row
}

func (p *Plan) weighRow(row *Row) {
	if len(p.weigh) == 0 {
		return
	}
	row.broken = guard("weight", func() error {
		for _, weigh := range p.weigh {
			row.Meta.Weight *= weigh(row.Meta.Labels)
		}
		return nil
	})
}

// fetch reads a sample and holds the source to its contract (sources.Dataset.Read):
// other bytes than the index says, or a sample that is missing only now, would become a
// broken image and be left out. Where it isn't kept, the error is one of access.
func (p *Plan) fetch(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	data, err := p.dataset.Read(ctx, sample, buf)
	size := p.Index().Size(sample)
	breach := func(format string, args ...any) error {
		return fmt.Errorf("%s: %q: "+format, slices.Concat([]any{p.source.Name(), p.Index().Key(sample)}, args)...)
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

// read fetches the row's file into buf's storage, if that is large enough.
func (p *Plan) read(r *run, row *Row, buf []byte) *RowError {
	begin := time.Now()
	err := guard("source", func() (err error) {
		row.Encoded, err = p.fetch(r.ctx, row.Sample, buf)
		if err == nil && r.remembers {
			row.print = fingerprint.Of(row.Encoded)
		}
		return err
	})
	r.stats.read.add(begin)
	if err != nil {
		failed := row.failed("source", err)
		failed.machine = true
		failed.read.Missing = errors.Is(err, sources.ErrMissing)
		return failed
	}
	return nil
}

func (row *Row) failed(stage string, err error) *RowError {
	return &RowError{Stage: stage, Key: row.Meta.Key, Epoch: row.epoch, Position: row.Meta.Position, Attempt: row.Attempt, Err: err, labels: row.Meta.Labels,
		read: schema.Read{Sample: row.Sample, Print: row.print}}
}

// makeRow makes the row's picture and puts it into its ticket's place in a batch; t is
// nil outside of runs. A stage or a decoder that panics must not kill the
// process: that is an error, too.
func (p *Plan) makeRow(r *run, m *scratch, row *Row, t *ticket) (failed *RowError) {
	stage := "source"
	defer func() {
		if panicked := recover(); panicked != nil {
			failed = row.failed(stage, fmt.Errorf("panic: %v\n%s", panicked, debug.Stack()))
		}
	}()
	if row.broken != nil {
		if failed = row.failed("source", row.broken); t != nil {
			r.fail(failed)
		}
		return failed
	}
	var err error
	row.kept = t == nil
	if p.decoder != nil {
		err = p.picture(r, m, row, &stage)
	} else if p.Params {
		row.Meta.Params = "{}"
	}
	if err == nil && t != nil {
		stage = "batch"
		err = t.batch.put(t.at, row)
	}
	if err != nil {
		return row.failed(stage, err)
	}
	return nil
}

// put moves a row into its place in the batch; what was sampled into its slot is
// there already.
func (b *pending) put(at int, row *Row) error {
	b.draft.SetMeta(at, row.Meta)
	switch {
	case row.Picture == nil:
		b.draft.SetEncoded(at, row.Encoded)
	case row.Picture != row.slot:
		return b.draft.SetPicture(at, row.Picture)
	}
	return nil
}

// paramsRevision changes with the form of the params column. 2: source and output.
const paramsRevision = 2

// paramsJSON is the params column: what each stage drew, by its name; the composed
// matrix, 2x3 numbers, or 3x3 where a perspective was drawn; and height and width of
// the picture that it starts from, as decoded, and of the one that it leads to. Stages
// that draw nothing are left out.
func (row *Row) paramsJSON() (string, error) {
	out := map[string]any{"matrix": row.Matrix.Affine(), "source": row.source, "output": [2]int{row.Picture.Height, row.Picture.Width}}
	if row.Matrix.Projective() {
		out["matrix"] = row.Matrix.Unit()
	}
	for _, d := range row.Drawn {
		b, err := json.Marshal(d.Params)
		if err != nil {
			return "", err
		}
		if string(b) != "{}" {
			out[d.Stage] = json.RawMessage(b)
		}
	}
	b, err := json.Marshal(out)
	return string(b), err
}
