package warp

// Gather takes bytes of lines at given columns, as sampling the nearest pixel does in rows
// that share their columns. Its zero value is ready for Set, which keeps its memory.
type Gather struct {
	columns []int32
	width   int // of the lines

	// For the assembly: sixteen bytes at once, of as many bytes as loads loads hold.
	loads  int // 0: they lie too far apart
	groups []gathered
	places []uint8 // for each group and load: the places in the load (VPSHUFB)
}

// gathered is where sixteen bytes come from and go to.
type gathered struct{ from, to int32 }

const (
	gatherAtOnce    = 16
	gatherMostLoads = 4 // with more, one by one isn't slower
)

// Set sets the columns, each of a line of width bytes.
func (g *Gather) Set(columns []int32, width int) {
	g.columns, g.width, g.loads = columns, width, 0
	n := len(columns)
	if !useAssembly || n < gatherAtOnce || width < gatherAtOnce {
		return
	}
	g.groups = g.groups[:0]
	loads := 1
	for at := 0; at < n; at += gatherAtOnce {
		at := min(at, n-gatherAtOnce) // the last may overlap the one before
		low, high := columns[at], columns[at]
		for _, c := range columns[at : at+gatherAtOnce] {
			low, high = min(low, c), max(high, c)
		}
		low = min(low, int32(width-gatherAtOnce))
		g.groups = append(g.groups, gathered{low, int32(at)})
		loads = max(loads, int(high-low)/gatherAtOnce+1)
	}
	if loads > gatherMostLoads || loads*gatherAtOnce > width {
		return
	}
	size := loads * gatherAtOnce
	g.places = append(g.places[:0], make([]uint8, size*len(g.groups))...)
	for i := range g.groups {
		group := &g.groups[i]
		group.from = min(group.from, int32(width-size))
		places := g.places[size*i : size*(i+1)]
		for k := range places {
			places[k] = 0x80
		}
		for k, c := range columns[group.to : group.to+gatherAtOnce] {
			p := int(c - group.from)
			places[p/gatherAtOnce*gatherAtOnce+k] = uint8(p % gatherAtOnce)
		}
	}
	g.loads = loads
}

// Take takes the bytes of a line.
func (g *Gather) Take(out, line []uint8) {
	out, line = out[:len(g.columns)], line[:g.width]
	if g.loads > 0 {
		g.takeFast(out, line)
		return
	}
	for i, c := range g.columns {
		out[i] = line[c]
	}
}
