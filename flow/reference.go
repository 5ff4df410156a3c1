package flow

import (
	"context"
	"time"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// picture decodes row.Encoded and has the plan's executor draw and apply the
// picture stages. stage always names what is under way.
func (p *Plan) picture(r *run, m *scratch, row *Row, stage *string) error {
	*stage = p.decoder.Name()
	if p.Settings.Exec == Fused {
		if done, err := p.fromFile(r, m, row, stage); done || err != nil {
			return err
		}
	}
	begin := time.Now()
	var err error
	if row.Source, err = p.decode(r.ctx, row); err != nil {
		return err
	}
	begin = r.stats.decode.add(begin)
	if p.Settings.Exec == Fused {
		err = p.fused(r, m, row, stage)
	} else {
		err = p.reference(r, m, row, stage)
	}
	r.stats.transform.add(begin)
	return err
}

// decode makes a row's whole picture.
func (p *Plan) decode(ctx context.Context, row *Row) (pic *schema.Picture, err error) {
	pic, row.Repairs, err = decodeFile(ctx, p.decoder, row.Encoded)
	return pic, err
}

// decodeFile decodes as the options say; repairs is 0 where nothing is missing.
func decodeFile(ctx context.Context, d stages.Decoder, data []byte) (pic *schema.Picture, repairs int, err error) {
	pic, repairs, err = decode.Counted(ctx, data, d.MaxPixels(), d.RepairsTruncated())
	if err == nil && d.Gray() {
		decode.Gray(pic)
	}
	return pic, repairs, err
}

// reference is the reference executor: it draws and applies stage after stage to
// whole pictures.
func (p *Plan) reference(r *run, m *scratch, row *Row, stage *string) error {
	m.drawn = m.drawn[:0]
	row.Picture, row.Shown, row.Matrix = row.Source, row.Source, warp.Identity().Homography()
	row.source = [2]int{row.Source.Height, row.Source.Width}
	for i := range p.steps {
		s := &p.steps[i]
		drawer, ok := s.stage.(stages.PictureStage)
		if !ok {
			continue
		}
		*stage = s.name
		pic := row.Picture
		params, err := m.draw(p, i, drawer, row, pic.Height, pic.Width)
		if err != nil {
			return err
		}
		if params == nil {
			continue
		}
		switch stage := drawer.(type) {
		case stages.Warper:
			t := stage.Warp(params, pic.Height, pic.Width)
			if row.Picture, err = warp.ApplyUntil(r.ctx, pic, t); err != nil {
				return err
			}
			if forward, ok := t.Homography().Invert(); ok {
				row.Matrix = row.Matrix.Then(forward)
			}
		case stages.Pixelwise:
			out, err := stage.Output(pic.Tensor())
			if err != nil {
				return err
			}
			row.Picture = applyPoint(pic, stage.PixelFunc(params), out)
		case stages.Mapper:
			row.Picture = stage.Map(params, pic)
		}
		if row.Picture.U8 != nil && row.Picture.Layout == schema.HWC {
			row.Shown = row.Picture
		}
	}
	row.Drawn = m.drawn
	return p.describe(row)
}

// applyPoint maps every pixel into a new picture of the given type.
func applyPoint(src *schema.Picture, point stages.PixelFunc, t schema.Tensor) *schema.Picture {
	dst := &schema.Picture{Height: src.Height, Width: src.Width, Layout: t.Layout}
	n := 3 * src.Height * src.Width
	if t.DType == schema.Float32 {
		dst.F32 = make([]float32, n)
	} else {
		dst.U8 = make([]uint8, n)
	}
	pixels := src.Height * src.Width
	for i := range pixels {
		var rgb [3]float32
		for c := range rgb {
			at := offset(src.Layout, pixels, i, c)
			if src.F32 != nil {
				rgb[c] = src.F32[at]
			} else {
				rgb[c] = float32(src.U8[at])
			}
		}
		rgb = point.Map(rgb)
		for c := range rgb {
			at := offset(t.Layout, pixels, i, c)
			if dst.F32 != nil {
				dst.F32[at] = rgb[c]
			} else {
				dst.U8[at] = warp.RoundToByte(rgb[c])
			}
		}
	}
	return dst
}

// offset is where channel c of pixel i lies.
func offset(layout schema.Layout, pixels, i, c int) int {
	if layout == schema.CHW {
		return c*pixels + i
	}
	return 3*i + c
}
