package flow

import (
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// What a row will take is known from its file's header and its draw, before a pixel is
// decoded: so much is charged to the budget.

// workingBytes is the memory that making a row takes: what its draw reads of the
// picture, after EXIF orientation, with the decoder's own, and the canvases that stages
// make. A file without a readable header, or with more pixels than the decoder lets
// through, takes nothing: it will be refused.
func (p *Plan) workingBytes(m *scratch, row *Row) int64 {
	if p.decoder == nil {
		return 0
	}
	limit := p.decoder.MaxPixels()
	if limit <= 0 {
		limit = decode.DefaultMaxPixels
	}
	f, err := decode.OpenJPEG(row.Encoded, limit)
	if err != nil {
		return 0
	}
	if f != nil {
		defer f.Close()
		f.Fill = p.decoder.RepairsTruncated()
		list, ok := p.trial(m, row, f.Height, f.Width)
		if !ok {
			return f.WholeBytes()
		}
		return p.fileBytes(m, f, list)
	}
	h, err := decode.ReadHeader(row.Encoded)
	if err != nil || h.Pixels() > limit {
		return 0
	}
	list, ok := p.trial(m, row, h.Height, h.Width)
	if !ok {
		return h.DecodeBytes
	}
	return h.DecodeBytes + p.canvasBytes(m, list, h.Height, h.Width)
}

// wholeBytes is the memory that decodeFile takes.
func wholeBytes(d stages.Decoder, data []byte) int64 {
	limit := d.MaxPixels()
	if limit <= 0 {
		limit = decode.DefaultMaxPixels
	}
	f, err := decode.OpenJPEG(data, limit)
	if f != nil {
		defer f.Close()
		f.Fill = d.RepairsTruncated()
		return f.WholeBytes()
	}
	h, err2 := decode.ReadHeader(data)
	if err != nil || err2 != nil || h.Pixels() > limit {
		return 0
	}
	return h.DecodeBytes
}

// fileBytes is the memory that a row takes of a JPEG file of which it reads no more
// than ops need.
func (p *Plan) fileBytes(m *scratch, f *decode.File, list []group) int64 {
	if p.Settings.Exec != Fused || p.decoder.Gray() || len(list) == 0 || len(list[0].chain) == 0 {
		return f.WholeBytes() + p.canvasBytes(m, list, f.Height, f.Width)
	}
	v := p.view(m, f, list[0].chain)
	chroma := int64(0)
	if v.ycc {
		chroma = f.ChromaSamples(v.region, v.scale)
	}
	return f.Bytes(v.region, v.scale, v.ycc) + p.fusedBytes(m, list, f.Height, f.Width, v.passes, chroma)
}

// canvasBytes is the memory of the pictures between a whole decoded one and the batch,
// and of what makes them.
func (p *Plan) canvasBytes(m *scratch, list []group, height, width int) int64 {
	if p.Settings.Exec != Fused {
		return p.referenceBytes(m.ops, height, width)
	}
	return p.fusedBytes(m, list, height, width, nil, 0)
}

// fusedBytes follows render. The passes of the first group may be known already, and
// read planes, of so many samples for each colour.
func (p *Plan) fusedBytes(m *scratch, list []group, height, width int, passes []*warp.Pass, chroma int64) int64 {
	var most, from int64 // from is what a group reads, which the one before has made
	in := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: height, Width: width}
	for i := range list {
		g := &list[i]
		out := tensorBytes(g.out)
		need := from + out
		switch {
		case g.mapper != nil:
		case !isRGB(in): // points in a row
			need += out
		default:
			if i == len(list)-1 && p.Form == schema.FormTensor {
				out = 0 // it is sampled into the batch
			}
			if passes == nil {
				passes = m.fuser.Fuse(in.Height, in.Width, g.chain, p.Settings.Fuse == FuseFull)
			}
			need = 0
			before := int64(0)
			for j, pass := range passes {
				after := out
				if j < len(passes)-1 {
					after = 3 * int64(pass.Height) * int64(pass.Width)
				}
				need = max(need, from+before+after+pass.ScratchBytes(chroma))
				before, chroma = after, 0
			}
		}
		most, from, in, passes = max(most, need), out, g.out, nil
	}
	return most
}

// referenceBytes is that of the reference executor: a picture after each stage, beside
// the one before, the last that people can look at, and the decoded one.
func (p *Plan) referenceBytes(ops []op, height, width int) int64 {
	in := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: height, Width: width}
	var most, shown int64
	for i := range ops {
		o := &ops[i]
		need := shown + tensorBytes(in) + tensorBytes(o.out)
		if o.transform != nil {
			need += o.transform.ScratchBytes(in.Height, in.Width)
		}
		if in = o.out; isRGB(in) {
			shown = tensorBytes(in)
		}
		most = max(most, need)
	}
	return most
}

func tensorBytes(t schema.Tensor) int64 { return int64(t.Elements()) * int64(t.DType.Bytes()) }

// trial draws a row's stages for their sizes, into m.ops and groups; false where that
// fails, as the row itself will.
func (p *Plan) trial(m *scratch, row *Row, height, width int) (list []group, ok bool) {
	defer func() {
		if recover() != nil { // a stage's panic: the worker will report it
			ok = false
		}
	}()
	stage := ""
	draw := Row{Meta: row.Meta, Attempt: row.Attempt, epoch: row.epoch}
	if p.draws(m, &draw, height, width, &stage) != nil {
		return nil, false
	}
	return m.groups(schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: height, Width: width}), true
}

// encodedBytes is the size of a row's file.
func (p *Plan) encodedBytes(row *Row) int64 {
	if row.Encoded != nil {
		return int64(len(row.Encoded))
	}
	return max(0, p.Index().Size(row.Sample)) // -1: it is missing
}

// batchBytes is the size of a batch's own image buffer, and of those of the
// variants that are made of it; 0 where rows vary in size: they are held to their
// batch's end instead, and its buffer comes on top for a moment.
func (p *Plan) batchBytes(j job, picks []int) (base int64, later []int64) {
	if p.Form != schema.FormTensor {
		return 0, nil
	}
	size := func(t schema.Tensor) int64 { return int64(j.rows) * int64(t.Elements()*t.DType.Bytes()) }
	for _, v := range picks {
		later = append(later, size(p.Variants[v].Tensor))
	}
	return size(p.pictureType()), later
}
