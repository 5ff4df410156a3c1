package flow

import (
	"context"
	"errors"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Drawn is what one stage drew for a row.
type Drawn struct {
	Stage    string // its name in the params column
	Params   stages.Params
	Strength float64 // of a stage with conditions or a strength; 1 of others
}

// Row is one finished draw, to be looked at: its columns, the picture as it leaves, and
// how it came about. preview shows it.
type Row struct {
	Meta    schema.Meta
	Sample  int             // number in the index; -1: not of the index
	Attempt int             // 0, or which refill of the draw: its random numbers are that attempt's
	Encoded []byte          // the file
	Source  *schema.Picture // as decoded; nil in a pipeline without decode
	Picture *schema.Picture // as it leaves
	Display *schema.Picture // the last uint8 HWC picture of the way: what people look at
	Drawn   []Drawn
	Left    []string          // stages whose conditions left the row alone
	Matrix  stages.Homography // the composed warps, from source to output pixels
	Targets *schema.Targets   // as the source has them; nil: none. Meta has those of the picture as it leaves
	Mask    *schema.Picture   // of the picture as it leaves: U8 with a class number a pixel; nil: none

	SourceTargets *schema.Targets // of the picture Source: Targets, turned as the file is; nil: none
	SourceMask    *schema.Picture // likewise
	Repairs       int             // places of a file that were repaired: damage (decode's truncated: fill), or scans that it lacks
}

// Row makes a single draw, outside of any run, as a run would deliver it; a Mixer's, as it is before it is mixed.
func (p *Plan) Row(ctx context.Context, epoch int, position int64) (*Row, error) {
	first := p.rows.locate(epoch, position, nil)
	if first.fault != nil {
		return nil, first.failed("source", first.fault)
	}
	at := &desk{rows: p.rows, views: new(picture.Views)}
	err := at.read(ctx, &first)
	maker := new(picture.Maker)
	row, failed := p.rows.complete(ctx, maker, &first, err, at)
	switch {
	case row != nil:
		return at.row(maker, row)
	case len(failed) > 0:
		return nil, failed[len(failed)-1]
	}
	return nil, context.Cause(ctx)
}

// desk is the place of a row outside of runs, where its pictures are looked at.
type desk struct {
	rows  *rows
	views *picture.Views
}

func (*desk) slot() *schema.Picture  { return nil }
func (d *desk) look() *picture.Views { return d.views }
func (*desk) maskSlot() []uint8      { return nil }
func (*desk) put(*row) error         { return nil }

func (d *desk) read(ctx context.Context, row *row) *RowError {
	if err := d.rows.read(ctx, row, nil, false); err != nil {
		return err
	}
	if err := d.rows.annotate(ctx, row, false); err != nil {
		return err
	}
	if d.rows.pictures != nil {
		row.draw = new(picture.Draw)
		d.rows.prepare(row)
	}
	return nil
}

func (d *desk) row(m *picture.Maker, made *row) (*Row, error) {
	out := &Row{
		Meta: made.meta, Sample: made.sample, Attempt: made.attempt, Encoded: made.encoded,
		Source: d.views.Source, Picture: made.picture, Display: d.views.Last, Repairs: made.repairs,
		Targets: made.targets, Mask: made.mask,
	}
	if draw := made.draw; draw != nil {
		out.Matrix = draw.Matrix
		for _, drawn := range draw.Drawn {
			out.Drawn = append(out.Drawn, Drawn(drawn))
		}
		for _, c := range draw.Chosen {
			if c.Strength == 0 {
				out.Left = append(out.Left, c.Stage)
			}
		}
		var err error
		if out.SourceMask, err = m.SourceMask(draw, d.rows.spec); err != nil {
			return nil, made.failed("mask", err)
		}
		out.SourceTargets = draw.SourceTargets()
	}
	return out, nil
}

// Apply makes one image as a batch of the plan's runs would have it: see Applier.Apply. It is
// safe for concurrent use: serving needs no second preprocessing.
//
// A pipeline without decode has nothing to apply.
func (p *Plan) Apply(ctx context.Context, img any, draw Draw) (*schema.Batch, error) {
	a, err := p.Applier()
	if err != nil {
		return nil, err
	}
	return a.Apply(ctx, img, draw)
}

// Applier is the plan's picture stages by themselves. It doesn't read the source, and may be
// used once the plan is closed.
func (p *Plan) Applier() (*Applier, error) {
	if p.applier == nil {
		return nil, errors.New("flow: Apply: " + nothingToApply)
	}
	return p.applier, nil
}
