package flow

import (
	"context"
	"image"
	"time"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/planar"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// input is what a group of ops reads: a picture, or the part of a file's that the
// first pass takes.
type input struct {
	pic    *schema.Picture
	passes []*warp.Pass // where pic is nil: of the group's chain, from the file's picture as it is stored
	rgb    warp.Source
	planes *planar.YCC // in place of rgb
}

func (in *input) isRGB() bool { return in.pic == nil || isRGB(in.pic.Tensor()) }

// fromFile makes the row's picture from the part of a JPEG file that it takes: draws
// need only the size, and the first pass then says which part of the picture it
// reads. Under fuse: full a resampling reads the planes themselves, decoded at a
// scale where the picture shrinks much; else it reads RGB, whose bytes are those of
// the whole picture.
//
// It does nothing where the file is of another format. Damage in the part of the
// data that isn't read is not noticed (jpeg.DecodeRegion): whether a damaged file
// fails, or with RepairsTruncated is repaired, is a function of file and draw, as all else is. A
// file cut short always is.
func (p *Plan) fromFile(r *run, m *scratch, row *Row, stage *string) (done bool, err error) {
	if p.decoder.Gray() { // of all three colours, so of the whole picture's RGB
		return false, nil
	}
	begin := time.Now()
	f, err := decode.OpenJPEG(row.Encoded, p.decoder.MaxPixels())
	if f == nil {
		return false, err
	}
	defer f.Close()
	f.SeekPoints = p.seek.of(row, f)
	f.Fill = p.decoder.RepairsTruncated()
	decoder := *stage
	if err := p.draws(m, row, f.Height, f.Width, stage); err != nil {
		// A file that can't be decoded fails there, as under the reference.
		if _, broken := p.decode(r.ctx, row); broken != nil {
			*stage, err = decoder, broken
		}
		return true, err
	}
	last := *stage
	*stage = decoder
	list := m.groups(schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: f.Height, Width: f.Width})
	begin = r.stats.transform.add(begin)
	in, err := p.open(r.ctx, m, row, f, list)
	if err != nil {
		return true, err
	}
	begin = r.stats.decode.add(begin)
	*stage = last
	err = p.render(r.ctx, m, row, list, in)
	m.planes = planar.YCC{} // the file's
	if err != nil {
		return true, err
	}
	err = p.describe(row)
	r.stats.transform.add(begin)
	return true, err
}

// open decodes what the first group of a row reads. Outside of runs the whole
// picture is there, too.
func (p *Plan) open(ctx context.Context, m *scratch, row *Row, f *decode.File, list []group) (in input, err error) {
	part := len(list) > 0 && len(list[0].chain) > 0
	if row.kept || !part {
		if row.Source, err = p.decode(ctx, row); err != nil || !part {
			return input{pic: row.Source}, err
		}
	}
	v := p.view(m, f, list[0].chain)
	in.passes = v.passes
	if v.ycc {
		m.planes, err = f.YCC(ctx, v.region, v.scale)
		in.planes, row.Repairs = &m.planes, f.Warnings
		return in, err
	}
	in.rgb.Pix, in.rgb.Rect, err = f.RGB(ctx, v.region)
	in.rgb.Stride, row.Repairs = 3*in.rgb.Rect.Dx(), f.Warnings
	return in, err
}

// view is what the first group of a row takes of a file.
type view struct {
	passes []*warp.Pass
	region image.Rectangle // of the stored picture, its sides exchanged where the upright one's are
	ycc    bool
	scale  int
}

// view puts what is left of the file's orientation before the chain: sides are exchanged
// as it is decoded.
func (p *Plan) view(m *scratch, f *decode.File, chain []warp.Transform) view {
	h, w := f.Height, f.Width
	if leftRight, topBottom := f.Mirrored(); leftRight || topBottom {
		mirror := warp.Transform{Matrix: warp.Identity(), Height: h, Width: w, Filter: warp.Nearest}
		if leftRight {
			mirror.Matrix[0], mirror.Matrix[2] = -1, float64(w-1)
		}
		if topBottom {
			mirror.Matrix[4], mirror.Matrix[5] = -1, float64(h-1)
		}
		m.mirrored = append(append(m.mirrored[:0], mirror), chain...)
		chain = m.mirrored
	}
	full := p.Settings.Fuse == FuseFull
	v := view{passes: m.fuser.Fuse(h, w, chain, full), scale: 1}
	first := v.passes[0]
	if scale := first.YCCScale(); full && scale > 0 && f.HasYCC() {
		v.ycc, v.scale, v.region = true, scale, first.YCCRegion(f.Shifts())
	} else {
		v.region = first.Region()
	}
	return v
}
