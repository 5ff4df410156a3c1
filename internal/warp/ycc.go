package warp

import (
	"encoding/binary"
	"image"

	"github.com/sluicedata/sluice/internal/planar"
	"github.com/sluicedata/sluice/schema"
)

// A pass may read the planes of a JPEG file instead of RGB. Each plane is sampled
// bilinearly at its own resolution, at the positions of its samples (JFIF: centred), in
// units of 1/128 of a level or finer. Several samples of an output pixel are averaged, and
// borders blended in, in YCbCr; then the pixel is converted to RGB, rounded, and stored
// like any other. So chroma is interpolated once instead of twice (by libjpeg's triangle
// filter first), and only the result is rounded.
//
// If output pixels lie far apart the planes may have been decoded at a scale: then their
// samples already are means of 2x2, 4x4 or 8x8 pixels (jidctred.c).

// yccSampler is a sampler that can read planes.
type yccSampler interface {
	sampler
	// yccScale is the denominator of the scale that it reads; 0 if it can't read planes.
	yccScale() int
	// yccRegion is the part of the input that the planes must hold, if a sample of the
	// coarsest is 2^shift pixels wide.
	yccRegion(shiftX, shiftY uint) image.Rectangle
	// scaled is the sampler for planes at that scale, which may be made in mem.
	scaled(denominator int, mem *affine) yccSampler
	runYCC(out *writer, src *planar.YCC, s *scratch)
}

// YCCScale is the denominator (1, 2, 4 or 8) of the scale at which RunYCC reads a JPEG
// file's planes; 0 if the pass reads RGB only: copies, filters other than bilinear, and
// perspectives.
func (p *Pass) YCCScale() int {
	if y, ok := p.sampler.(yccSampler); ok {
		return y.yccScale()
	}
	return 0
}

// YCCRegion is the part of the input whose planes RunYCC reads, if samples of the coarsest
// are 2^shift pixels wide and high.
func (p *Pass) YCCRegion(shiftX, shiftY uint) image.Rectangle {
	return p.sampler.(yccSampler).yccRegion(shiftX, shiftY).Intersect(image.Rect(0, 0, p.InWidth, p.InHeight))
}

// RunYCC is Run from planes at YCCScale, which must hold the samples of YCCRegion.
func (p *Pass) RunYCC(dst *schema.Picture, src *planar.YCC, px Pixel) {
	if err := p.checkOutput(dst, px); err != nil {
		panic(err)
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	y := p.sampler.(yccSampler).scaled(p.YCCScale(), &s.scaled)
	s.writer = writer{dst: dst, px: px, rgb: sized(&s.row, 3*p.Width), done: p.Done}
	y.runYCC(&s.writer, src, s)
	s.writer = writer{}
}

// ycc is a colour in units of 1/256; chroma is 128 for grey.
type ycc [3]int32

// JFIF's conversion, in units of 2^-14.
const (
	crToR = 22970 // 1.402
	cbToG = 5638  // 0.344136
	crToG = 11700 // 0.714136
	cbToB = 29032 // 1.772

	yccGrey = 128 << 8
	yccHalf = 1 << 21
)

// rgb rounds half up.
func (v ycc) rgb() (r, g, b uint8) {
	l, cb, cr := int(v[0])<<14+yccHalf, int(v[1])-yccGrey, int(v[2])-yccGrey
	return level((l + crToR*cr) >> 22), level((l - cbToG*cb - crToG*cr) >> 22), level((l + cbToB*cb) >> 22)
}

func level(v int) uint8 {
	if uint(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return uint8(v)
}

// yccOf is the colour of RGB bytes; rgb converts it back to the same bytes.
func yccOf(c [3]uint8) ycc {
	r, g, b := int32(c[0]), int32(c[1]), int32(c[2])
	return ycc{
		(19595*r + 38470*g + 7471*b + 128) >> 8, // 0.299, 0.587, 0.114
		(-11059*r-21709*g+32768*b+128)>>8 + yccGrey,
		(32768*r-27439*g-5329*b+128)>>8 + yccGrey,
	}
}

// walk is a run of points in one plane, or in two with the same layout.
type walk struct {
	pix, twin    []uint8
	stride       int
	u, v, du, dv int64 // in samples from pix's first, as bilinearRun has it
}

// inPlane is a coordinate in units of 2^-32 pixel, in samples of a plane.
func inPlane(u int64, shift uint) int64 { return (u+1<<(FixedBits-1))>>shift - 1<<(FixedBits-1) }

// walks is the runs that begin at a point, with the steps to the next one.
func walks(src *planar.YCC, u, v, du, dv int64) (luma, chroma walk) {
	const half = 1 << (runShift - 1)
	at := func(i int) walk {
		p := &src.Planes[i]
		sx, sy := src.ShiftX[i], src.ShiftY[i]
		return walk{
			pix: p.Pix, stride: p.Stride,
			u: inPlane(u, sx) + half - int64(p.Rect.Min.X)<<FixedBits, du: du >> sx,
			v: inPlane(v, sy) + half - int64(p.Rect.Min.Y)<<FixedBits, dv: dv >> sy,
		}
	}
	luma = at(0)
	if src.Count > 1 {
		chroma = at(1)
		chroma.twin = src.Planes[2].Pix
	}
	return luma, chroma
}

// yccRegion is the region: decoding it includes each point's neighbours in every plane.
func (a *affine) yccRegion(_, _ uint) image.Rectangle { return a.Region() }

// yccScale is the coarsest scale at which output pixels still lie at least yccStep samples
// apart along both axes.
func (a *affine) yccScale() int {
	if a.filter != Bilinear {
		return 0
	}
	d := 1
	for a.section != nil && d < 8 && min(a.step[0], a.step[1]) >= yccStep*float64(2*d) {
		d *= 2
	}
	return d
}

// yccStep is larger than reducedStep, since means of bilinear samples blur more at a scale
// than a triangle filter (TestScaledPlanesAreCloseToTheIdealPicture).
const yccStep = 4

func (a *affine) scaled(denominator int, mem *affine) yccSampler {
	if denominator == 1 {
		return a
	}
	return mem.compose(a.section, float64(denominator))
}

func (a *affine) runYCC(out *writer, src *planar.YCC, mem *scratch) {
	var pairs chromaPairs
	if src.Count > 1 {
		pairs = pairChroma(mem, &src.Planes[1], &src.Planes[2])
	}
	// Assembly makes eight samples at a time.
	levels := sized(&mem.levels, 3*a.width+3*(a.width+7))
	var row, run [3][]uint8
	for c := range row {
		row[c], run[c] = levels[c*a.width:][:a.width], levels[3*a.width+c*(a.width+7):][:a.width+7]
	}
	if a.columns == 1 && a.rows == 1 {
		for y := range a.height {
			if out.stopped() {
				return
			}
			a.yccRow(&row, run, src, pairs, y)
			out.putPlanes(y, row[0], row[1], row[2])
		}
		return
	}
	each := a.width*a.columns + 7
	all := sized(&mem.sums, 3*each)
	sums := [3][]uint32{all[:each], all[each : 2*each], all[2*each:]}
	for y := range a.height {
		if out.stopped() {
			return
		}
		clear(all)
		for i := range a.rows {
			a.addYCCRow(src, &sums, pairs, y*a.rows+i)
		}
		means(&row, &sums, a.columns, a.columns*a.rows)
		out.putPlanes(y, row[0], row[1], row[2])
	}
}

// yccRow makes an output row of single samples; run is memory for them.
func (a *affine) yccRow(row *[3][]uint8, run [3][]uint8, src *planar.YCC, pairs chromaPairs, y int) {
	first, end := 0, a.width
	for i := len(a.layers) - 1; i >= 0; i-- {
		l := &a.layers[i]
		from, to := a.touched(l, y, first, end)
		for c, v := range l.fill {
			fill8(row[c][first:from], v)
			fill8(row[c][to:end], v)
		}
		first, end = a.inside(i, y, from, to)
		a.sampleAnywhereYCC(row, src, y, from, first)
		a.sampleAnywhereYCC(row, src, y, end, to)
	}
	for c := range run {
		run[c] = run[c][:end-first]
	}
	luma, chroma := a.yccStart(src, first, y)
	if chroma.pix == nil {
		greyRun(&run, luma)
	} else {
		chroma.stride = src.Planes[1].Rect.Dx() // of pairs
		sampleYCC(&run, luma, chroma, pairs)
	}
	for c := range row {
		copy(row[c][first:], run[c])
	}
}

func fill8(row []uint8, v uint8) {
	word := 0x0101010101010101 * uint64(v)
	for len(row) >= 8 {
		binary.LittleEndian.PutUint64(row, word)
		row = row[8:]
	}
	for i := range row {
		row[i] = v
	}
}

// sampleAnywhereYCC is sampleAnywhere from planes.
func (s *stack) sampleAnywhereYCC(row *[3][]uint8, src *planar.YCC, y, from, to int) {
	for x := from; x < to; x++ {
		row[0][x], row[1][x], row[2][x] = s.yccAt(src, x, y).rgb()
	}
}

// addYCCRow adds a row of samples to the sums of their columns.
func (a *affine) addYCCRow(src *planar.YCC, sums *[3][]uint32, pairs chromaPairs, y int) {
	first, end := 0, a.width*a.columns
	add := func(x int, v ycc) {
		for c := range sums {
			sums[c][x] += uint32(v[c])
		}
	}
	for i := len(a.layers) - 1; i >= 0; i-- {
		l := &a.layers[i]
		from, to := a.touched(l, y, first, end)
		for c, v := range l.fillYCC {
			addFill(sums[c][first:from], uint32(v))
			addFill(sums[c][to:end], uint32(v))
		}
		first, end = a.inside(i, y, from, to)
		for x := from; x < first; x++ {
			add(x, a.yccAt(src, x, y))
		}
		for x := end; x < to; x++ {
			add(x, a.yccAt(src, x, y))
		}
	}
	luma, chroma := a.yccStart(src, first, y)
	run := [3][]uint32{sums[0][first:end], sums[1][first:end], sums[2][first:end]}
	if chroma.pix == nil {
		addGreyRun(&run, luma)
		return
	}
	chroma.stride = src.Planes[1].Rect.Dx() // of pairs
	addYCC(&run, luma, chroma, pairs)
}

func addFill(sums []uint32, v uint32) {
	for i := range sums {
		sums[i] += v
	}
}

func (s *stack) yccStart(src *planar.YCC, x, y int) (luma, chroma walk) {
	m := &s.layers[0].fixed
	const half = 1 << (runShift - 1)
	u := m[0]*int64(x) + m[1]*int64(y) + m[2] - half
	v := m[3]*int64(x) + m[4]*int64(y) + m[5] - half
	return walks(src, u, v, m[0], m[3])
}

// yccAt is value from planes.
func (s *stack) yccAt(src *planar.YCC, x, y int) ycc {
	var sum [3]int64
	weight := int64(one * one) // of the layers below
	bottom := &s.layers[0]
	var u, v int64 // in units of 2^-12
	if len(s.layers) == 1 {
		m := &bottom.fixed
		u = (m[0]*int64(x) + m[1]*int64(y) + m[2]) >> runShift
		v = (m[3]*int64(x) + m[4]*int64(y) + m[5]) >> runShift
	} else {
		px, py := float64(x), float64(y)
		for i := len(s.layers) - 1; i > 0; i-- {
			l := &s.layers[i]
			px, py = l.matrix.Apply(px, py)
			w := l.window
			if l.border == Constant {
				weight = l.blend(&sum, weight, fraction(px), fraction(py))
			}
			px = min(max(px, float64(w.Min.X)), float64(w.Max.X-1))
			py = min(max(py, float64(w.Min.Y)), float64(w.Max.Y-1))
		}
		px, py = bottom.matrix.Apply(px, py)
		u, v = fraction(px), fraction(py)
	}
	if bottom.border == Constant {
		weight = bottom.blend(&sum, weight, u, v)
	}
	w := bottom.window
	u = min(max(u, int64(w.Min.X)*one), int64(w.Max.X-1)*one)
	v = min(max(v, int64(w.Min.Y)*one), int64(w.Max.Y-1)*one)
	var value ycc
	if weight > 0 {
		sample := yccPoint(src, u<<runShift, v<<runShift)
		for c := range sum {
			sum[c] += weight * int64(sample[c])
		}
	}
	for c := range sum {
		value[c] = int32((sum[c] + 1<<(2*FractionBits-1)) >> (2 * FractionBits))
	}
	return value
}

// blend adds the layer's fill with its share in a bilinear sample at a point, and returns
// the remaining weight.
func (l *layer) blend(sum *[3]int64, weight, u, v int64) int64 {
	seen := coverFixed(u, l.window.Min.X, l.window.Max.X) * coverFixed(v, l.window.Min.Y, l.window.Max.Y)
	rest := weight * seen >> (2 * FractionBits)
	for c := range sum {
		sum[c] += (weight - rest) * int64(l.fillYCC[c])
	}
	return rest
}

// coverFixed is cover of a coordinate in units of 2^-12.
func coverFixed(u int64, first, end int) int64 {
	return max(0, min(one, u-int64(first-1)*one, int64(end)*one-u))
}

// yccPoint samples the planes at a point inside the picture, in units of 2^-32.
func yccPoint(src *planar.YCC, u, v int64) ycc {
	const half = 1 << (runShift - 1)
	w := walk{stride: src.Planes[0].Stride}
	place := func(i int) {
		p := &src.Planes[i]
		w.u = inPlane(u, src.ShiftX[i]) + half - int64(p.Rect.Min.X)<<FixedBits
		w.v = inPlane(v, src.ShiftY[i]) + half - int64(p.Rect.Min.Y)<<FixedBits
	}
	place(0)
	value := ycc{sampleWalk(src.Planes[0].Pix, &w), yccGrey, yccGrey}
	if src.Count > 1 {
		w.stride = src.Planes[1].Stride
		place(1)
		value[1], value[2] = sampleWalk(src.Planes[1].Pix, &w), sampleWalk(src.Planes[2].Pix, &w)
	}
	return value
}
