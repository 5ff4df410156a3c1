package warp

import (
	"fmt"
	"image"
	"math"
	"slices"
)

// affine samples the input at the points of a matrix: one resampling read
// through copies, or several merged into one.
//
// Along an axis where output pixels lie s input pixels apart, an output pixel is the mean
// of ceil(s / AntialiasFrom) samples, spread evenly over its square: one sample up to that
// distance, beyond it a box filter of the pixel's own size. (Compared with pictures
// averaged from four samples by Lanczos, ceil(s) samples were no closer, at twice the
// cost.) Samples are the pixels of a finer output; columns and rows in the code are its.
type affine struct {
	stack
	height, width int        // of the output
	columns, rows int        // samples per output pixel
	section       *section   // if it was merged with antialiasing; else nil
	step          [2]float64 // then: input pixels from one output pixel to the next, along each axis
}

// stack is what a sample is: the canvases that it is read through, and how the input is
// sampled below them.
//
// Between merged resamplings each canvas is kept as a layer: without the merge, the next
// resampling would have read only that canvas's window, and its border. A point of the
// output is mapped down layer by layer. If it lies outside a layer's window, an Edge border
// moves it to the nearest pixel's centre; with a Constant border it is weighted with the
// share of the window in a bilinear sample there (1 inside, falling to 0 over one pixel),
// and the rest is fill. At the input it is sampled bilinearly. So a crop followed by a
// rotation never shows what was cropped, and a rotation's corners stay fill.
type stack struct {
	filter Filter
	layers []layer // the input first
	taps   *[one][]float64
}

// layer is a canvas that is sampled, and the map to it.
type layer struct {
	// fixed maps a sample's column and row to a point in units of 2^-32, plus half of
	// the fraction's last bit, so that shifting rounds. matrix is the same map from the
	// next layer up, or from samples to the last layer.
	fixed  [6]int64
	matrix Affine
	window image.Rectangle
	border Border
	fill   [3]uint8
	// fillYCC is fill where planes are read.
	fillYCC ycc
}

// sample sets a up for one resampling, read through the section's copies, in integers.
func (a *affine) sample(l *section, t Transform) *affine {
	*a = affine{height: l.height, width: l.width, columns: 1, rows: 1, stack: stack{filter: t.Filter, layers: a.layers[:0]}}
	bits := FixedBits - FractionBits
	switch {
	case t.Filter == Box:
		a.filter = Nearest
	case t.convolved():
		a.taps = tapTables[t.Filter]()
	}
	if a.filter == Nearest {
		bits = FixedBits
	}
	m := l.after.fixed(t.Matrix.Fixed())
	m, mirrored := l.before.read(m)
	for i := range 2 {
		m[3*i+2] += 1<<(bits-1) - mirrored[i]
	}
	a.layers = append(a.layers, layer{
		fixed: m, window: l.before.rectangle(t.Window(l.size.Y, l.size.X)), border: t.Border, fill: t.Fill, fillYCC: yccOf(t.Fill),
	})
	return a
}

// fixed is first the copies, then the matrix.
func (a pixelMap) fixed(m [6]int64) [6]int64 {
	var c [6]int64
	for i := 0; i < 6; i += 3 {
		c[i] = m[i]*int64(a.xx) + m[i+1]*int64(a.yx)
		c[i+1] = m[i]*int64(a.xy) + m[i+1]*int64(a.yy)
		c[i+2] = m[i]*int64(a.x0) + m[i+1]*int64(a.y0) + m[i+2]
	}
	return c
}

// read is first the matrix, then the copies; mirrored is 1 for coordinates that
// run the other way.
func (a pixelMap) read(m [6]int64) (c [6]int64, mirrored [2]int64) {
	for i := range 3 {
		c[i] = int64(a.xx)*m[i] + int64(a.xy)*m[i+3]
		c[i+3] = int64(a.yx)*m[i] + int64(a.yy)*m[i+3]
	}
	c[2] += int64(a.x0) << FixedBits
	c[5] += int64(a.y0) << FixedBits
	if a.xx+a.xy < 0 {
		mirrored[0] = 1
	}
	if a.yx+a.yy < 0 {
		mirrored[1] = 1
	}
	return c, mirrored
}

// compose sets a up for the section's bilinear resamplings and the copies between them, for
// an input whose samples lie spacing pixels apart.
func (a *affine) compose(l *section, spacing float64) *affine {
	*a = affine{height: l.height, width: l.width, columns: 1, rows: 1, stack: stack{filter: Bilinear, layers: a.layers[:0]}}
	step := Identity() // from the last layer made, or the output, to the current canvas
	total := Identity()
	antialias := true
	down := a.layers // the last canvas first
	for i := len(l.chain) - 1; i >= l.resampling; i-- {
		t := &l.chain[i]
		h, w := l.inH, l.inW // of the canvas that it reads
		if i > 0 {
			h, w = l.chain[i-1].Height, l.chain[i-1].Width
		}
		step, total = step.Then(t.Matrix), total.Then(t.Matrix)
		if _, ok := t.pixelMap(h, w); ok {
			continue
		}
		antialias = antialias && !t.RefusesAntialias()
		down = append(down, layer{matrix: step, window: t.Window(h, w), border: t.Border, fill: t.Fill, fillYCC: yccOf(t.Fill)})
		step = Identity()
	}
	last := &down[len(down)-1]
	last.matrix = last.matrix.Then(l.before.affine())
	last.window = l.before.rectangle(last.window)
	total = total.Then(l.before.affine())
	if antialias {
		a.section = l
		a.step = [2]float64{hypot(total[0], total[3]), hypot(total[1], total[4])}
		a.columns, a.rows = samples(a.step[0]/spacing), samples(a.step[1]/spacing)
	}
	down[0].matrix = fineGrid(a.columns, a.rows).Then(down[0].matrix)
	m := Identity()
	for i := range down {
		d := &down[i]
		m = m.Then(d.matrix)
		d.fixed = m.Fixed()
		for i := 2; i < 6; i += 3 {
			d.fixed[i] += 1 << (FixedBits - FractionBits - 1)
		}
	}
	slices.Reverse(down)
	a.layers = down
	return a
}

// RefusesAntialias reports a resize with antialias: false: nothing that it is merged with is
// antialiased either.
func (t Transform) RefusesAntialias() bool {
	return !t.Antialias && t.Border == Edge && t.axisAligned()
}

// maxSamples keeps a mean's sum in 32 bits.
const maxSamples = 255

// samples is how many samples an output pixel takes along an axis with that step.
func samples(step float64) int {
	return int(min(max(math.Ceil(step/AntialiasFrom), 1), maxSamples))
}

// fineGrid maps a sample's column and row to output pixels.
func fineGrid(columns, rows int) Affine {
	c, r := float64(columns), float64(rows)
	return Affine{1 / c, 0, 0.5/c - 0.5, 0, 1 / r, 0.5/r - 0.5}
}

// Method names the filter.
func (a *affine) Method() string {
	if a.columns > 1 || a.rows > 1 {
		return fmt.Sprintf("%s, mean of %dx%d samples", a.filter, a.columns, a.rows)
	}
	return string(a.filter)
}

func (a *affine) run(out *writer, src Source, mem *scratch) {
	if a.columns == 1 && a.rows == 1 {
		a.runSingle(out, &src)
		return
	}
	fine := sized(&mem.fine, 3*a.width*a.columns)
	sums := sized(&mem.sums, 3*a.width)
	for y := range a.height {
		if out.stopped() {
			return
		}
		clear(sums)
		for i := range a.rows {
			a.addRow(&src, sums, fine, y*a.rows+i)
		}
		rgb := out.begin(y)
		n := uint32(a.columns * a.rows)
		for i, sum := range sums {
			rgb[i] = uint8((sum + 128*n) / (256 * n))
		}
		out.put(y, rgb)
	}
}

// runSingle takes one sample per output pixel. Bilinear samples go directly to planes of
// floats if the output is such.
func (a *affine) runSingle(out *writer, src *Source) {
	for y := range a.height {
		if out.stopped() {
			return
		}
		rgb := out.begin(y)
		first, end := a.row(src, rgb, y)
		if p, ok := out.planes(y); ok && a.filter == Bilinear && out.px.Row == nil {
			u, v, du, dv := a.start(src, first, y)
			bilinearPlanes(p.row[0][first:end], p.row[1][first:end], p.row[2][first:end], p.table, src.Pix, src.Stride, u, v, du, dv)
			p.tabulate(rgb, 0, first)
			p.tabulate(rgb, end, a.width)
			continue
		}
		a.runInside(src, rgb, y, first, end)
		out.put(y, rgb)
	}
}

// addSamples adds each output pixel's samples to its sums.
func addSamples(sums []uint32, fine []uint16, columns int) {
	for x := 0; x+3 <= len(sums); x += 3 {
		var r, g, b uint32
		samples := fine[:3*columns]
		for len(samples) >= 3 {
			r += uint32(samples[0])
			g += uint32(samples[1])
			b += uint32(samples[2])
			samples = samples[3:]
		}
		sums[x] += r
		sums[x+1] += g
		sums[x+2] += b
		fine = fine[3*columns:]
	}
}

// row computes an output row of single samples except those from first to end, whose taps
// all lie inside the window: that is, fill and points near edges.
func (a *affine) row(src *Source, rgb []uint8, y int) (first, end int) {
	first, end = 0, a.width
	for i := len(a.layers) - 1; i >= 0; i-- {
		l := &a.layers[i]
		from, to := a.touched(l, y, first, end)
		fillRun(rgb[3*first:3*from], l.fill)
		fillRun(rgb[3*to:3*end], l.fill)
		first, end = a.inside(i, y, from, to)
		a.sampleAnywhere(src, rgb, y, from, first)
		a.sampleAnywhere(src, rgb, y, end, to)
	}
	return first, end
}

// runInside computes the rest of a row; with convolutions there is none.
func (a *affine) runInside(src *Source, rgb []uint8, y, first, end int) {
	u, v, du, dv := a.start(src, first, y)
	if a.filter == Nearest {
		nearestRun(rgb[3*first:3*end], src.Pix, src.Stride, u, v, du, dv)
	} else {
		bilinearRun(rgb[3*first:3*end], src.Pix, src.Stride, u, v, du, dv)
	}
}

// addRow adds a row of samples, in units of 1/256, to the sums of the output
// pixels. Those whose samples all lie inside the window need no memory for the row.
func (a *affine) addRow(src *Source, sums []uint32, fine []uint16, y int) {
	first, end := a.fineRow(src, fine, y)
	from, to := (first+a.columns-1)/a.columns, end/a.columns // output pixels
	if from >= to {
		a.fineInside(src, fine, y, first, end)
		addSamples(sums, fine, a.columns)
		return
	}
	a.fineInside(src, fine, y, first, from*a.columns)
	a.fineInside(src, fine, y, to*a.columns, end)
	addSamples(sums[:3*from], fine, a.columns)
	addSamples(sums[3*to:], fine[3*to*a.columns:], a.columns)
	u, v, du, dv := a.start(src, from*a.columns, y)
	addBilinearRun(sums[3*from:3*to], a.columns, src.Pix, src.Stride, u, v, du, dv)
}

// fineRow is row for samples, in units of 1/256.
func (a *affine) fineRow(src *Source, rgb []uint16, y int) (first, end int) {
	first, end = 0, a.width*a.columns
	for i := len(a.layers) - 1; i >= 0; i-- {
		l := &a.layers[i]
		from, to := a.touched(l, y, first, end)
		fineFillRun(rgb[3*first:3*from], l.fill)
		fineFillRun(rgb[3*to:3*end], l.fill)
		first, end = a.inside(i, y, from, to)
		a.fineSampleAnywhere(src, rgb, y, from, first)
		a.fineSampleAnywhere(src, rgb, y, end, to)
	}
	return first, end
}

func (a *affine) fineInside(src *Source, rgb []uint16, y, first, end int) {
	u, v, du, dv := a.start(src, first, y)
	fineBilinearRun(rgb[3*first:3*end], src.Pix, src.Stride, u, v, du, dv)
}

// start is the point of a sample in src, and the steps to the next one.
func (s *stack) start(src *Source, x, y int) (u, v, du, dv int64) {
	m := &s.layers[0].fixed
	u = m[0]*int64(x) + m[1]*int64(y) + m[2] - int64(src.Rect.Min.X)<<FixedBits
	v = m[3]*int64(x) + m[4]*int64(y) + m[5] - int64(src.Rect.Min.Y)<<FixedBits
	return u, v, m[0], m[3]
}

func fillRun(rgb []uint8, fill [3]uint8) {
	for ; len(rgb) >= 3; rgb = rgb[3:] {
		rgb[0], rgb[1], rgb[2] = fill[0], fill[1], fill[2]
	}
}

func fineFillRun(rgb []uint16, fill [3]uint8) {
	for ; len(rgb) >= 3; rgb = rgb[3:] {
		rgb[0], rgb[1], rgb[2] = uint16(fill[0])<<8, uint16(fill[1])<<8, uint16(fill[2])<<8
	}
}
