package gorgoniatrainer

// geometry is one convolution's sizes for one input shape: x [rows, in, height,
// width] becomes pooled [rows, out, pooledHeight, pooledWidth], and features
// [rows, out, high.out, wide.out] behind the adaptive average pool.
type geometry struct {
	rows, in, height, width         int
	out, pooledHeight, pooledWidth  int
	high, wide                      bins
	average                         bool // the adaptive pool isn't the identity
	block                           block
	tile                            int // pooled rows computed at a time
	run                             int // values of a tile, with the phases' padding column
	column, columnRow, lanes, tiles int // of the gradient's column buffer
}

// tileValues is about how many pooled values of a channel are computed at a
// time: their inputs and outputs stay in the first-level cache.
const tileValues = 256

// newGeometry plans a convolution; poolTo 0 stands for no average pool.
func newGeometry(rows, in, height, width, out, poolTo int) geometry {
	g := geometry{rows: rows, in: in, height: height, width: width, out: out, pooledHeight: height / 2, pooledWidth: width / 2}
	toHeight, toWidth := poolTo, poolTo
	if poolTo == 0 {
		toHeight, toWidth = g.pooledHeight, g.pooledWidth
	}
	g.high, g.wide = newBins(g.pooledHeight, toHeight), newBins(g.pooledWidth, toWidth)
	g.average = toHeight != g.pooledHeight || toWidth != g.pooledWidth
	pitch := g.pooledWidth + 1
	g.tile = min(max(tileValues/pitch, 1), g.pooledHeight)
	g.run = roundUp(g.tile*pitch, 16)
	// The last vector of a run reads past the tile: a row and a column further.
	g.block = block{pitch: pitch, phase: roundUp(g.run+pitch+2, 16), channels: in}
	g.column = 3*in + 1 // the last is 1, for the bias
	g.columnRow = (2*g.pooledWidth + 2) * g.column
	g.lanes = roundUp(3*g.column, gatherLanes)
	g.tiles = (g.pooledHeight + g.tile - 1) / g.tile
	return g
}

// inSize, pooledSize and outSize are elements per image.
func (g *geometry) inSize() int     { return g.in * g.height * g.width }
func (g *geometry) pooledSize() int { return g.out * g.pooledHeight * g.pooledWidth }
func (g *geometry) outSize() int    { return g.out * g.high.out * g.wide.out }

// convolution is the fused Conv2d(in, out, 3, padding=1) + ReLU + MaxPool2d(2),
// followed by AdaptiveAvgPool2d where the model has one. Of the convolution's
// output only the pooled maxima's positions are kept, one byte each. Memory is
// shared by the graphs of all shapes.
type convolution struct {
	team      team
	arg       slab[uint8]
	tiles     []convolutionTile // per worker
	sums      slab[float32]     // per image: the gradient of weights and bias
	reordered slab[float32]     // weights in the order of the column buffer
}

// convolutionTile is a worker's scratch memory.
type convolutionTile struct {
	phases, pooled, columns, row, dcolumns slab[float32]
	arg                                    slab[uint8]
}

func newConvolution(t team) *convolution {
	return &convolution{team: t, tiles: make([]convolutionTile, t.workers)}
}

// forward fills y [rows, out, high.out, wide.out] from x [rows, in, height,
// width], weight [out, in, 3, 3] and bias [out]. Rows marked in skip (nil: none)
// become 0 and have no gradient, so that a NaN in them doesn't spread.
func (c *convolution) forward(g *geometry, y, x, weight, bias []float32, skip []bool) {
	arg := c.arg.take(g.rows * g.pooledSize())
	c.team.run(g.rows, func(worker, row int) {
		in, out := x[row*g.inSize():(row+1)*g.inSize()], y[row*g.outSize():(row+1)*g.outSize()]
		if skip != nil && skip[row] {
			clear(out)
			return
		}
		if g.average {
			clear(out)
		}
		t := &c.tiles[worker]
		for top := 0; top < g.pooledHeight; top += g.tile {
			phases := t.phases.take(4 * g.in * g.block.phase)
			g.fillPhases(phases, in, top)
			n := min(g.tile, g.pooledHeight-top)
			t.forwardTile(g, phases, weight, bias, out, arg[row*g.pooledSize():(row+1)*g.pooledSize()], top, n)
		}
	})
}

// forwardTile computes n pooled rows of all output channels, two at a time.
func (t *convolutionTile) forwardTile(g *geometry, phases, weight, bias, out []float32, arg []uint8, top, n int) {
	run := roundUp(n*g.block.pitch, 16)
	pooled, codes := t.pooled.take(2*g.run), t.arg.take(2*g.run)
	for o := 0; o < g.out; o += 2 {
		b := [2]float32{bias[o], bias[o+1]}
		convPool(pooled[:run], pooled[g.run:][:run], codes[:run], codes[g.run:][:run], phases, weight[o*9*g.in:(o+2)*9*g.in], &b, g.block, run)
		for half := range 2 {
			t.emit(g, out, arg, pooled[half*g.run:], codes[half*g.run:], o+half, top, n)
		}
	}
}

// emit moves one channel's pooled rows, which are pitch apart, into the output.
func (t *convolutionTile) emit(g *geometry, out []float32, arg []uint8, pooled []float32, codes []uint8, channel, top, n int) {
	width, size := g.pooledWidth, g.pooledHeight*g.pooledWidth
	for r := range n {
		row, at := pooled[r*g.block.pitch:][:width], channel*size+(top+r)*width
		copy(arg[at:at+width], codes[r*g.block.pitch:])
		if g.average {
			g.averageRow(out[channel*g.high.out*g.wide.out:], row, top+r)
		} else {
			copy(out[at:at+width], row)
		}
	}
}

// averageRow adds pooled row y to the averages that it is part of, and divides
// those that it completes.
func (g *geometry) averageRow(plane, row []float32, y int) {
	for i := g.firstBin(y); i < g.high.out && g.high.start[i] <= y; i++ {
		dst := plane[i*g.wide.out:][:g.wide.out]
		g.wide.sums(dst, row)
		if y != g.high.end[i]-1 {
			continue
		}
		rows := g.high.end[i] - g.high.start[i]
		for j := range dst {
			dst[j] /= float32(rows * (g.wide.end[j] - g.wide.start[j]))
		}
	}
}

// firstBin is the first average row that holds pooled row y.
func (g *geometry) firstBin(y int) int {
	i := y * g.high.out / g.high.in
	for i > 0 && g.high.end[i-1] > y {
		i--
	}
	return i
}

// fillPhases splits the image rows of the tile that begins with pooled row top
// as block describes: g.tile+1 rows of each phase.
func (g *geometry) fillPhases(phases, x []float32, top int) {
	pitch := g.block.pitch
	rows := min(g.tile, g.pooledHeight-top) + 1
	for c := range g.in {
		for half := range 2 * rows {
			i, odd := half/2, half%2
			at := (4*c+2*odd)*g.block.phase + i*pitch
			even, uneven := phases[at:at+pitch], phases[at+g.block.phase:][:pitch]
			y := 2*(top+i) + odd - 1
			if y < 0 || y >= g.height {
				clear(even)
				clear(uneven)
				continue
			}
			src := x[(c*g.height+y)*g.width:][:g.width]
			even[0] = 0
			body := even[1:]
			for j := range body {
				pair := (*[2]float32)(src[2*j:])
				uneven[j], body[j] = pair[0], pair[1]
			}
			uneven[pitch-1] = 0
			if g.width%2 == 1 {
				uneven[pitch-1] = src[g.width-1]
			}
		}
	}
}

// backward turns the gradient dy of y into those of weight [out, in, 3, 3] and
// bias [out], which it adds to what they hold if add is set, and of x where dx
// isn't nil. Only the positions of the maxima have a gradient, a quarter of
// all.
func (c *convolution) backward(g *geometry, dx, dweight, dbias, dy, x, weight []float32, skip []bool, add bool) {
	arg, size := c.arg.take(g.rows*g.pooledSize()), g.out*g.lanes
	sums := c.sums.take(g.rows * size)
	if dx != nil {
		c.reorder(g, weight)
	}
	c.team.run(g.rows, func(worker, row int) {
		in, out := row*g.inSize(), row*g.outSize()
		p := imageGradient{g: g, x: x[in : in+g.inSize()], dy: dy[out : out+g.outSize()], reordered: c.reordered.data,
			arg: arg[row*g.pooledSize():][:g.pooledSize()], sums: sums[row*size : (row+1)*size]}
		if dx != nil {
			p.dx = dx[in : in+g.inSize()]
			clear(p.dx)
		}
		clear(p.sums)
		if skip != nil && skip[row] {
			return
		}
		for top := 0; top < g.pooledHeight; top += g.tile {
			c.tiles[worker].backwardTile(&p, top)
		}
	})
	c.team.run(g.out, func(_, o int) {
		total := sums[o*g.lanes : (o+1)*g.lanes]
		for row := 1; row < g.rows; row++ {
			for i, v := range sums[row*size+o*g.lanes:][:g.lanes] {
				total[i] += v
			}
		}
		if !add {
			clear(dweight[o*9*g.in : (o+1)*9*g.in])
			dbias[o] = 0
		}
		dbias[o] += total[g.column-1]
		for k := range 9 * g.in {
			dweight[o*9*g.in+k] += total[g.lane(k)]
		}
	})
}

// lane is where weight k of [in, 3, 3] lies in a patch of the column buffer:
// the order there is column, channel, row.
func (g *geometry) lane(k int) int {
	channel, ky, kx := k/9, k/3%3, k%3
	return kx*g.column + channel*3 + ky
}

// reorder lays the weights out like patches of the column buffer.
func (c *convolution) reorder(g *geometry, weight []float32) {
	reordered := c.reordered.take(g.out * g.lanes)
	clear(reordered)
	for o := range g.out {
		for k := range 9 * g.in {
			reordered[o*g.lanes+g.lane(k)] = weight[o*9*g.in+k]
		}
	}
}

// imageGradient is one image of backward.
type imageGradient struct {
	g                          *geometry
	x, dy, dx, sums, reordered []float32
	arg                        []uint8
}

// backwardTile adds the gradients of a tile's pooled rows. For each row of the
// convolution the column buffer holds, for each column of the padded image, its
// 3 rows of all channels and a 1, so that a patch is 3 columns: contiguous.
func (t *convolutionTile) backwardTile(p *imageGradient, top int) {
	g := p.g
	n := min(g.tile, g.pooledHeight-top)
	columns := t.columns.take(2*g.tile*g.columnRow + g.lanes)
	g.fillColumns(columns, p.x, top, n)
	var dcolumns []float32
	if p.dx != nil {
		dcolumns = t.dcolumns.take(2*g.tile*g.columnRow + g.lanes)
		clear(dcolumns)
	}
	offset := [5]int{0, g.column, g.columnRow, g.columnRow + g.column, 0}
	for o := range g.out {
		for r := range n {
			dy := p.pooledGradient(t, o, top+r)
			arg := p.arg[(o*g.pooledHeight+top+r)*g.pooledWidth:][:g.pooledWidth]
			at := 2 * r * g.columnRow
			for lane := 0; lane < g.lanes; lane += gatherLanes {
				gather((*[gatherLanes]float32)(p.sums[o*g.lanes+lane:]), dy, arg, columns[at+lane:], &offset, 2*g.column)
			}
			if dcolumns != nil {
				g.scatter(dcolumns[at:], p.reordered[o*g.lanes:][:roundUp(3*g.column, 8)], dy, arg, &offset)
			}
		}
	}
	if dcolumns != nil {
		g.addColumns(p.dx, dcolumns, top, n)
	}
}

// scatter adds dy times the weights to the patches of the maxima.
func (g *geometry) scatter(dcolumns, weights, dy []float32, arg []uint8, offset *[5]int) {
	for i, v := range dy {
		if k := arg[i]; k < dead {
			axpy(dcolumns[i*2*g.column+offset[k]:][:len(weights)], weights, v)
		}
	}
}

// pooledGradient is the gradient of one pooled row: dy itself, or spread over
// the bins of the average pool.
func (p *imageGradient) pooledGradient(t *convolutionTile, channel, y int) []float32 {
	g := p.g
	plane := p.dy[channel*g.high.out*g.wide.out:][:g.high.out*g.wide.out]
	if !g.average {
		return plane[y*g.wide.out:][:g.wide.out]
	}
	row := t.row.take(g.pooledWidth)
	clear(row)
	for i := g.firstBin(y); i < g.high.out && g.high.start[i] <= y; i++ {
		g.wide.spread(row, plane[i*g.wide.out:][:g.wide.out], 1/float32(g.high.end[i]-g.high.start[i]))
	}
	return row
}

// fillColumns fills the column buffer for the 2n convolution rows of a tile.
func (g *geometry) fillColumns(columns, x []float32, top, n int) {
	width := 2*g.pooledWidth + 2
	for r := range 2 * n {
		row := columns[r*g.columnRow:][:g.columnRow]
		for i := g.column - 1; i < len(row); i += g.column {
			row[i] = 1
		}
		for c := range g.in {
			for ky := range 3 {
				g.fillColumn(row[c*3+ky:], x, c, 2*top+r+ky-1, width)
			}
		}
	}
	clear(columns[2*n*g.columnRow:][:g.lanes])
}

// fillColumn puts row y of a channel, with a zero before and what is missing
// behind, into one element of each column.
func (g *geometry) fillColumn(dst, x []float32, channel, y, width int) {
	var src []float32
	if y >= 0 && y < g.height {
		src = x[(channel*g.height+y)*g.width:][:min(g.width, width-1)]
	}
	dst[0] = 0
	at := g.column
	for _, v := range src {
		dst[at] = v
		at += g.column
	}
	for i := len(src) + 1; i < width; i++ {
		dst[i*g.column] = 0
	}
}

// addColumns adds the column buffer's gradients to the image's.
func (g *geometry) addColumns(dx, dcolumns []float32, top, n int) {
	width := min(g.width, 2*g.pooledWidth+1)
	for r := range 2 * n {
		for c := range g.in {
			for ky := range 3 {
				y := 2*top + r + ky - 1
				if y < 0 || y >= g.height {
					continue
				}
				src := dcolumns[r*g.columnRow+g.column+c*3+ky:]
				for i := range dx[(c*g.height+y)*g.width:][:width] {
					dx[(c*g.height+y)*g.width+i] += src[i*g.column]
				}
			}
		}
	}
}
