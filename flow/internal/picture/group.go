package picture

import (
	"github.com/sluicedata/sluice/schema"
)

// group cuts the operations: a warp after a function of a pixel begins a new group, as do a
// warp or a function of a pixel after an edit, and whatever follows a map.
func (d *Draw) group(source schema.Tensor) []group {
	d.groups = d.groups[:0]
	g := group{out: source}
	end := func() {
		if len(g.ops) > 0 {
			d.groups = append(d.groups, g)
			g = group{out: g.out}
		}
	}
	first, warps := 0, 0 // the group's first operation; transforms before the one at hand
	for i := range d.ops {
		o := &d.ops[i]
		if o.mapper != nil || g.mapper != nil || o.transform != nil && len(g.pixels) > 0 || o.editor == nil && len(g.edits) > 0 {
			end()
			first = i
		}
		g.ops, g.out = d.ops[first:i+1], o.out
		switch {
		case o.mapper != nil:
			g.mapper = o
		case o.transform != nil:
			warps++
			g.chain = d.transforms[warps-len(g.chain)-1 : warps : warps]
		case o.editor != nil:
			g.edits = g.ops[len(g.chain)+len(g.pixels):]
		default:
			g.pixels = g.ops[len(g.chain):]
		}
	}
	end()
	return d.groups
}
