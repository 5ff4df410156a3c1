package flow

import (
	"context"
	"errors"
	"slices"
	"strings"

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

// Row makes a single draw, outside of any run, as a run would deliver it; with a Composer's donors, and a
// Mixer's as it is before it is mixed.
func (p *Plan) Row(ctx context.Context, epoch int, position int64) (*Row, error) {
	own, err := makeAside(ctx, p, p.rows.locate(epoch, position, nil))
	if err != nil {
		return nil, err
	}
	return own.row, composeRow(ctx, p, own, epoch)
}

// aside is a row outside of a run, and what became of its objects.
type aside struct {
	row   *Row
	fates []picture.Fate
}

// makeAside makes a located row.
func makeAside(ctx context.Context, p *Plan, first row) (a aside, err error) {
	if first.fault != nil {
		return a, first.failed("source", first.fault)
	}
	at := &desk{rows: p.rows, views: new(picture.Views)}
	maker := new(picture.Maker)
	row, failed := p.rows.complete(ctx, maker, &first, at.read(ctx, &first), at)
	switch {
	case row != nil:
		a.fates = row.fates
		a.row, err = at.row(maker, row)
		return a, err
	case len(failed) > 0:
		return a, failed[len(failed)-1]
	}
	return a, context.Cause(ctx)
}

// composeRow lets the first Composer that acts on a row act on it: on its picture, and on that which people look
// at. Where one of its donors fails, and that doesn't end runs, the row stays as it is.
func composeRow(ctx context.Context, p *Plan, own aside, epoch int) error {
	position := own.row.Meta.Position
	for i := range p.mixing.mixers {
		x := &p.mixing.mixers[i]
		if x.composer == nil {
			continue
		}
		var params stages.Params
		err := guard(x.name, func() error {
			params = p.mixing.draw(x, epoch, position/int64(p.info.BatchSize))(position)
			return nil
		})
		if err != nil {
			return err
		}
		if params == nil {
			continue
		}
		donors := make([]aside, x.count)
		for which := range donors {
			donors[which], err = makeAside(ctx, p, x.donor(p.rows, which, epoch, position, nil))
			if failed := new(RowError); errors.As(err, &failed) && !failed.EndsRun() && p.rows.policy != Fail {
				return nil
			} else if err != nil {
				return err
			}
		}
		return guard(x.name, func() error { return p.mixing.composeAside(x, params, own, donors) })
	}
	return nil
}

// composeAside lets a Composer act on a row outside of a run.
func (m *mixing) composeAside(x *mixer, params stages.Params, own aside, donors []aside) error {
	var finished, shown []made
	var from madeFrom
	for i := range donors {
		shown, finished = append(shown, donors[i].shown()), append(finished, donors[i].finished())
		from.Donors = append(from.Donors, donors[i].row.Meta.Key)
	}
	if err := m.composed(x, params, own.shown(), shown); err != nil {
		return err
	}
	own.row.Drawn = append(own.row.Drawn, Drawn{Stage: x.name, Params: from, Strength: 1})
	return m.composed(x, params, own.finished(), finished)
}

// shown is a row as people look at it, with the same targets.
func (a aside) shown() made {
	a.row.Display = copyOf(a.row.Display)
	meta := a.row.Meta
	return made{meta: &meta, picture: a.row.Display, fates: &a.fates}
}

// finished is a row as it leaves. Its picture and mask may be changed.
func (a aside) finished() made {
	a.row.Picture = copyOf(a.row.Picture)
	m := made{meta: &a.row.Meta, picture: a.row.Picture, fates: &a.fates}
	if a.row.Mask != nil {
		a.row.Mask = copyOf(a.row.Mask)
		m.mask = a.row.Mask.U8
	}
	return m
}

func copyOf(p *schema.Picture) *schema.Picture {
	c := *p
	c.U8, c.F32 = slices.Clone(p.U8), slices.Clone(p.F32)
	return &c
}

// madeFrom is what a row's Drawn says of a Composer.
type madeFrom struct {
	Donors []string `json:"donors"` // their keys
}

func (m madeFrom) String() string { return "with " + strings.Join(m.Donors, ", ") }

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
		out.Matrix = picture.Matrix(draw)
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
