package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// RowError is a row that could not be made: which sample, which draw, in which
// stage, and why.
type RowError struct {
	Stage    string // "source" where reading failed
	Key      string
	Epoch    int
	Position int64
	Err      error
}

func (e *RowError) Error() string {
	text := strings.TrimPrefix(e.Err.Error(), e.Stage+": ") // decoders name themselves
	return fmt.Sprintf("stages: %s: %s (key %q, epoch %d, position %d)", e.Stage, text, e.Key, e.Epoch, e.Position)
}

// Unwrap is the cause.
func (e *RowError) Unwrap() error { return e.Err }

// Drawn is what one stage drew for a row.
type Drawn struct {
	Stage  string // its name in the params column
	Params stages.Params
}

// Row is one finished draw: its columns, the picture as it leaves, and how it
// came about. preview and replay show it.
type Row struct {
	Meta    schema.Meta
	Sample  int             // number in the index
	Encoded []byte          // the file
	Source  *schema.Picture // as decoded; nil in a pipeline without decode
	Picture *schema.Picture // as it leaves
	Shown   *schema.Picture // the last uint8 HWC picture of the way: what people look at
	Drawn   []Drawn
	Matrix  warp.Affine // the composed warps, from source to output pixels
}

// Row makes a single draw, outside of any run.
func (p *Plan) Row(ctx context.Context, epoch int, position int64) (*Row, error) {
	row, stage := &Row{}, "source"
	r := &run{plan: p, ctx: ctx, stats: newStats(p)}
	if err := p.safeDraw(r, row, epoch, position, &stage); err != nil {
		return nil, &RowError{stage, row.Meta.Key, epoch, position, err}
	}
	return row, nil
}

// makeRow makes one row of a batch and puts it into its place there.
func (p *Plan) makeRow(r *run, t task) error {
	row, stage := &Row{}, "source"
	position := t.batch.job.first + int64(t.row)
	err := p.safeDraw(r, row, t.batch.job.epoch, position, &stage)
	if err == nil {
		stage = "batch"
		err = t.batch.put(t.row, row)
	}
	if err != nil {
		return &RowError{stage, row.Meta.Key, t.batch.job.epoch, position, err}
	}
	return nil
}

// put copies a row into its place in the batch.
func (b *pending) put(at int, row *Row) error {
	b.draft.SetMeta(at, row.Meta)
	if row.Picture == nil {
		b.draft.SetEncoded(at, row.Encoded)
		return nil
	}
	return b.draft.SetPicture(at, row.Picture)
}

// safeDraw is draw with a panic turned into an error: a stage or a decoder
// must not kill the process.
func (p *Plan) safeDraw(r *run, row *Row, epoch int, position int64, stage *string) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		}
	}()
	return p.draw(r, row, epoch, position, stage)
}

// draw locates, reads and makes one row. stage always names what is under way.
func (p *Plan) draw(r *run, row *Row, epoch int, position int64, stage *string) error {
	index := p.dataset.Index()
	row.Meta.Position = position
	row.Sample = p.order.At(epoch, position)
	row.Meta.Key = index.Keys[row.Sample]
	row.Meta.SourceIndex = index.SourceIndex(row.Sample)
	row.Meta.Weight = index.Weight(row.Sample)
	for t := range index.Tasks {
		row.Meta.Labels = append(row.Meta.Labels, index.Labels[t][row.Sample])
	}
	for _, weigh := range p.weigh {
		row.Meta.Weight *= weigh(row.Meta.Labels)
	}
	begin := time.Now()
	var err error
	if row.Encoded, err = p.dataset.Read(r.ctx, row.Sample, nil); err != nil {
		return err
	}
	r.stats.read.add(begin)
	if p.decoder == nil && p.Params {
		row.Meta.Params = "{}"
	}
	if p.decoder == nil {
		return nil
	}
	return p.picture(r, row, epoch, position, stage)
}

// paramsJSON is the params column: what each stage drew, by its name, and the
// composed matrix. Stages that draw nothing are left out.
func (row *Row) paramsJSON() (string, error) {
	out := map[string]any{"matrix": row.Matrix}
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
