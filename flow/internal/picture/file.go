package picture

import (
	"image"

	"github.com/sluicedata/sluice/internal/warp"
)

// partial reports whether the first group reads a part of the file. Grey is made of all
// three colours, so of the whole picture's RGB.
func (d *Draw) partial() bool {
	p := d.program
	return (d.isJPEG || d.parsed.HasRegions()) && !p.Reference && !p.Decoder.Gray() && len(d.groups) > 0 && len(d.groups[0].chain) > 0
}

// setView finds out what is taken of the file. What is left of its orientation comes
// before the chain: sides are exchanged as it is decoded.
func (d *Draw) setView() {
	f, chain := &d.file, d.groups[0].chain
	if !d.isJPEG {
		h, w := d.parsed.Height, d.parsed.Width
		d.view = view{passes: d.fuser.Fuse(h, w, chain, d.program.Full), scale: 1}
		if d.view.region = d.view.passes[0].Region().Intersect(image.Rect(0, 0, w, h)); d.view.region.Empty() {
			d.view.region = image.Rect(0, 0, 1, 1)
		}
		return
	}
	h, w := f.Height, f.Width
	if leftRight, topBottom := f.Mirrored(); leftRight || topBottom {
		mirror := warp.Transform{Matrix: warp.Identity(), Height: h, Width: w, Filter: warp.Nearest}
		if leftRight {
			mirror.Matrix[0], mirror.Matrix[2] = -1, float64(w-1)
		}
		if topBottom {
			mirror.Matrix[4], mirror.Matrix[5] = -1, float64(h-1)
		}
		d.mirrored = append(append(d.mirrored[:0], mirror), chain...)
		chain = d.mirrored
	}
	full := d.program.Full
	v := view{passes: d.fuser.Fuse(h, w, chain, full), scale: 1}
	first := v.passes[0]
	if scale := first.YCCScale(); full && scale > 0 && f.HasYCC() {
		v.ycc, v.scale, v.region = true, scale, first.YCCRegion(f.Shifts())
	} else {
		v.region = first.Region()
	}
	d.view = v
}
