package picture

import (
	"context"
	"time"

	"github.com/sluicedata/sluice/internal/planar"
	"github.com/sluicedata/sluice/schema"
)

// Make makes the picture of a prepared draw, and drops its file. It fills slot where that
// is the picture's type, and returns it then; slot and views may be nil. repairs counts
// the places of a damaged file that were filled, or scans that it lacks. An error is a
// *Failure, be it a stage's panic; only a fault of memory, which the pixels may be that
// were given to PrepareStored, goes on to the caller.
func (m *Maker) Make(ctx context.Context, d *Draw, slot *schema.Picture, views *Views) (pic *schema.Picture, repairs int, err error) {
	defer func() {
		panicked := recover()
		d.Drop()
		m.planes = planar.YCC{}
		if cap(m.part) > keptPart {
			m.part = nil
		}
		if _, fault := panicked.(interface{ Addr() uintptr }); fault {
			panic(panicked)
		}
		if panicked != nil {
			err = panicError(panicked)
		}
		if err != nil {
			pic, err = nil, &Failure{d.stage, err}
		}
	}()
	if d.err == nil && d.drawn && d.partial() {
		return m.makeOfFile(ctx, d, slot, views)
	}
	return m.makeOfWhole(ctx, d, slot, views)
}

// makeOfWhole decodes the whole picture first.
func (m *Maker) makeOfWhole(ctx context.Context, d *Draw, slot *schema.Picture, views *Views) (*schema.Picture, int, error) {
	begin, last := time.Now(), d.stage
	d.stage = d.program.Decoder.Name()
	source, repairs, err := d.whole(ctx)
	if err != nil { // whatever a stage said: as a file it is broken
		return nil, 0, err
	}
	begin = m.decoded(begin)
	defer m.transformed(begin)
	if d.stage = last; !d.drawn || d.Source != [2]int{source.Height, source.Width} {
		d.drawFor(source.Height, source.Width)
	}
	if d.err != nil {
		return nil, 0, d.err
	}
	if views != nil && source == &d.stored {
		source = copyOf(source, nil) // views outlive the file
	}
	if views != nil {
		views.Source, views.Last = source, source
	}
	var pic *schema.Picture
	if d.program.Reference {
		pic, err = m.reference(ctx, d, source, views)
	} else {
		pic, err = m.fused(ctx, d, input{pic: source}, slot, views)
	}
	if pic == &d.stored {
		pic = copyOf(pic, slot)
	}
	return pic, repairs, err
}

// makeOfFile decodes the part of a file that the first group reads. Damage in the
// rest isn't noticed (jpeg.DecodeRegion, decode.Parsed.Region): whether a damaged file fails, or is repaired, is
// a function of file and draw, as all else is. A truncated file always is.
func (m *Maker) makeOfFile(ctx context.Context, d *Draw, slot *schema.Picture, views *Views) (*schema.Picture, int, error) {
	begin, last := time.Now(), d.stage
	d.stage = d.program.Decoder.Name()
	if views != nil {
		source, _, err := Decode(ctx, d.program.Decoder, d.data) // the file is for its part
		if err != nil {
			return nil, 0, err
		}
		views.Source, views.Last = source, source
	}
	in, err := m.open(ctx, d)
	if err != nil {
		return nil, 0, err
	}
	repairs := d.file.Warnings
	begin = m.decoded(begin)
	defer m.transformed(begin)
	d.stage = last
	pic, err := m.fused(ctx, d, in, slot, views)
	return pic, repairs, err
}

// open decodes what the view takes.
func (m *Maker) open(ctx context.Context, d *Draw) (in input, err error) {
	v := &d.view
	in.passes = v.passes
	if v.ycc {
		m.planes, err = d.file.YCC(ctx, v.region, v.scale)
		in.planes = &m.planes
		return in, err
	}
	if d.isJPEG {
		in.rgb.Pix, in.rgb.Rect, err = d.file.RGB(ctx, v.region)
	} else {
		m.part, err = d.parsed.Region(ctx, v.region, m.part)
		in.rgb.Pix, in.rgb.Rect = m.part, v.region
	}
	in.rgb.Stride = 3 * in.rgb.Rect.Dx()
	return in, err
}

func (m *Maker) decoded(begin time.Time) time.Time {
	now := time.Now()
	if m.Clock != nil {
		m.Clock.Decode.Add(int64(now.Sub(begin)))
	}
	return now
}

func (m *Maker) transformed(begin time.Time) {
	if m.Clock != nil {
		m.Clock.Transform.Add(int64(time.Since(begin)))
	}
}
