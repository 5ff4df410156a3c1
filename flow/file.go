package flow

import (
	"image"
	"time"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/jpeg"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// input is what a group of ops reads: a picture, or the part of a file's that the
// first pass takes.
type input struct {
	pic    *schema.Picture
	passes []*warp.Pass // where pic is nil: of the group's chain, from the file's picture as it is stored
	rgb    warp.Source
	planes *jpeg.YCC // in place of rgb
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
// fails is a function of file and draw, as all else is. A file cut short always fails.
func (p *Plan) fromFile(r *run, row *Row, epoch int, position int64, stage *string) (done bool, err error) {
	begin := time.Now()
	f, err := decode.OpenJPEG(row.Encoded, p.decoder.MaxPixels())
	if f == nil {
		return false, err
	}
	defer f.Close()
	decoder := *stage
	row.Matrix = warp.Identity().Homography()
	ops, err := p.ops(row, f.Height, f.Width, epoch, position, stage)
	if err != nil {
		// A file that can't be decoded fails there, as under the reference.
		if _, broken := decode.Decode(row.Encoded, p.decoder.MaxPixels()); broken != nil {
			*stage, err = decoder, broken
		}
		return true, err
	}
	last := *stage
	*stage = decoder
	list := groups(ops, schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: f.Height, Width: f.Width})
	begin = r.stats.transform.add(begin)
	in, err := p.open(row, f, list)
	if err != nil {
		return true, err
	}
	begin = r.stats.decode.add(begin)
	*stage = last
	p.render(row, list, in)
	err = p.describe(row)
	r.stats.transform.add(begin)
	return true, err
}

// open decodes what the first group of a row reads. Outside of runs the whole
// picture is there, too.
func (p *Plan) open(row *Row, f *decode.File, list []group) (in *input, err error) {
	part := len(list) > 0 && len(list[0].chain) > 0
	if row.kept || !part {
		if row.Source, err = decode.Decode(row.Encoded, p.decoder.MaxPixels()); err != nil || !part {
			return &input{pic: row.Source}, err
		}
	}
	// The file's orientation comes before the chain; planes are transposed as they are.
	h, w := f.Height, f.Width
	chain := list[0].chain
	if leftRight, topBottom := f.Mirrored(); leftRight || topBottom {
		m := warp.Identity()
		if leftRight {
			m[0], m[2] = -1, float64(w-1)
		}
		if topBottom {
			m[4], m[5] = -1, float64(h-1)
		}
		chain = append([]warp.Transform{{Matrix: m, Height: h, Width: w, Filter: warp.Nearest}}, chain...)
	}
	full := p.Settings.Fuse == FuseFull
	in = &input{passes: warp.Fuse(h, w, chain, full)}
	first := in.passes[0]
	if scale := first.YCCScale(); full && scale > 0 && f.HasYCC() {
		planes, err := f.YCC(first.YCCRegion(f.Shifts()), scale)
		in.planes = &planes
		return in, err
	}
	if f.Transposed() {
		if row.Source == nil {
			row.Source, err = decode.Decode(row.Encoded, p.decoder.MaxPixels())
		}
		return &input{pic: row.Source}, err
	}
	var held image.Rectangle
	in.rgb.Pix, held, err = f.RGB(first.Region())
	in.rgb.Stride, in.rgb.Rect = 3*held.Dx(), held
	return in, err
}
