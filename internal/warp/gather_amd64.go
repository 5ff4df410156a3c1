package warp

// gatherAVX2 is Gather.Take of n > 0 groups.
//
//go:noescape
func gatherAVX2(out, line *uint8, groups *gathered, places *uint8, n, loads int)

func (g *Gather) takeFast(out, line []uint8) {
	gatherAVX2(&out[0], &line[0], &g.groups[0], &g.places[0], len(g.groups), g.loads)
}
