package picture

import (
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// What a picture will take is known from its file's header and its draws, before a pixel
// is decoded.

// DecodeBytes is the memory that Decode takes; 0 for a file that it will refuse.
func DecodeBytes(d stages.Decoder, data []byte) int64 {
	f, err := decode.OpenJPEG(data, d.MaxPixels())
	if f != nil {
		defer f.Close()
		return f.WholeBytes()
	}
	if err != nil {
		return 0
	}
	h, err := decode.ReadHeader(data)
	if err != nil || h.CheckPixels(d.MaxPixels()) != nil {
		return 0
	}
	return h.DecodeBytes
}

// fileBytes is the memory that a picture takes of a file of which it reads no more than
// its first group needs.
func (d *Draw) fileBytes() int64 {
	f, v, chroma := &d.file, &d.view, int64(0)
	if !d.isJPEG {
		return d.parsed.RegionBytes(v.region) + d.fusedBytes(0)
	}
	if v.ycc {
		chroma = f.ChromaSamples(v.region, v.scale)
	}
	return f.Bytes(v.region, v.scale, v.ycc) + d.fusedBytes(chroma)
}

// canvasBytes is the memory of the pictures between a whole decoded one and the batch,
// and of what makes them.
func (d *Draw) canvasBytes() int64 {
	if d.program.Reference {
		return d.referenceBytes()
	}
	d.view.passes = nil
	return d.fusedBytes(0)
}

// storedBytes is the memory of a picture whose pixels are sampled where they lie. They are
// copied where nothing else is done with them, or to make them grey.
func (d *Draw) storedBytes() int64 {
	if len(d.groups) == 0 || d.program.Decoder.Gray() {
		return int64(len(d.stored.U8)) + d.canvasBytes()
	}
	return d.canvasBytes()
}

// fusedBytes follows the fused executor. The passes of the first group are the view's
// where there is one, which read planes with so many samples for each colour.
func (d *Draw) fusedBytes(chroma int64) int64 {
	passes := d.view.passes
	var most, from int64 // from is what a group reads, which the one before has made
	in := rgb(d.Source[0], d.Source[1])
	for i := range d.groups {
		g := &d.groups[i]
		out := tensorBytes(g.out)
		need := from + out
		switch {
		case g.mapper != nil:
		case !isRGB(in): // functions of a pixel, one after the other
			need += max(out, g.editBytes())
		default:
			if i == len(d.groups)-1 && d.program.Placed {
				out = 0 // it is sampled into the batch
			}
			if passes == nil {
				passes = d.others.Fuse(in.Height, in.Width, g.chain, d.program.Full)
			}
			need = 0
			before := int64(0) // what the pass before has made
			for j, pass := range passes {
				after := out
				if j < len(passes)-1 {
					after = 3 * int64(pass.Height) * int64(pass.Width)
				}
				need = max(need, from+before+after+pass.ScratchBytes(chroma))
				before, chroma = after, 0
			}
			need = max(need, from+before+g.editBytes())
		}
		most, from, in, passes = max(most, need), out, g.out, nil
	}
	return most
}

// editBytes is what the edits take beside the picture.
func (g *group) editBytes() (most int64) {
	for i := range g.edits {
		most = max(most, g.edits[i].editBytes())
	}
	return most
}

func (o *op) editBytes() int64 {
	return o.editor.EditBytes(o.params, o.out.Height, o.out.Width)
}

// referenceBytes is that of the reference executor: a picture after each stage, beside
// the one before, the last that people can look at, and the decoded one.
func (d *Draw) referenceBytes() int64 {
	in := rgb(d.Source[0], d.Source[1])
	var most, last int64
	for i := range d.ops {
		o := &d.ops[i]
		need := last + tensorBytes(in) + tensorBytes(o.out)
		if o.transform != nil {
			need += o.transform.ScratchBytes(in.Height, in.Width)
		}
		if o.editor != nil {
			need += o.editBytes()
		}
		if in = o.out; isRGB(in) {
			last = tensorBytes(in)
		}
		most = max(most, need)
	}
	return most
}

func tensorBytes(t schema.Tensor) int64 { return int64(t.Elements()) * int64(t.DType.Bytes()) }

// maskBytes is the memory of a mask on its way: as decoded, with what unpacking it takes, and
// as sampled.
func maskBytes(d *Draw) int64 {
	if !d.drawn || d.targets.in == nil || d.targets.in.Mask == nil {
		return 0
	}
	most := int64(d.Source[0]) * int64(d.Source[1])
	for i := range d.ops {
		most = max(most, int64(d.ops[i].out.Height)*int64(d.ops[i].out.Width))
	}
	return 3 * most
}
