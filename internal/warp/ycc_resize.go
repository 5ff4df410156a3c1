package warp

import (
	"image"

	"github.com/sluicedata/sluice/internal/planar"
)

// plane is the axis in samples of a plane, read through copies of whole pixels.
func (a axis) plane(before line, shift uint, n int) axis {
	if before.step < 0 {
		a.origin = float64(a.in) - (a.origin + float64(float64(a.out)*a.scale))
		a.first = before.at - (a.first + a.in - 1)
		a.flipped = !a.flipped
	} else {
		a.first += before.at
	}
	size := float64(int(1) << shift)
	end := min((a.first+a.in+1<<shift-1)>>shift, n)
	begin := a.first >> shift
	a.origin = (float64(a.first)+a.origin)/size - float64(begin)
	a.first, a.in = begin, end-begin
	a.scale /= size
	return a
}

// reducedStep is how many samples output pixels must lie apart for planes decoded at a
// scale: with Pillow's reducing_gap of 3 "results are almost the same".
const reducedStep = 3

func (s *separable) yccScale() int {
	if s.filter != Bilinear {
		return 0
	}
	d := 1
	for d < 8 && min(s.horizontal.scale, s.vertical.scale) >= reducedStep*float64(2*d) {
		d *= 2
	}
	return d
}

// yccRegion has one more sample of the coarsest plane on each side, since a filter
// is at least two of its samples wide, and one for rounding.
func (s *separable) yccRegion(shiftX, shiftY uint) image.Rectangle {
	for 1<<shiftX < s.yccScale() {
		shiftX++
	}
	for 1<<shiftY < s.yccScale() {
		shiftY++
	}
	r := s.Region()
	x, y := 2<<shiftX, 2<<shiftY
	return image.Rect(r.Min.X-x, r.Min.Y-y, r.Max.X+x, r.Max.Y+y)
}

func (s *separable) scaled(int, *affine) yccSampler { return s } // planes say their scale

// Weights of planes have 14 bits, so that sums of values with 16 bits fit in 32.
const planeBits = 14

// narrow rounds a kernel's weights to planeBits. To keep their sums 1 the first of the
// largest gets the difference.
func (k *kernel) narrow() {
	for i := range k.starts {
		row := k.weights[i*k.most:][:k.usual]
		rest, largest := int32(1<<planeBits), int64(0) // with minus its index in the lower half
		for j, v := range row {
			v = (v + 1<<(weightBits-planeBits-1)) >> (weightBits - planeBits)
			row[j] = v
			rest -= v
			largest = max(largest, int64(v)<<32-int64(j))
		}
		row[uint32(-largest)] += rest
	}
}

// runYCC resizes each plane horizontally, to 16 bits, and then row after row of all of them
// vertically. Values in between are in units of 1/256, minus 128 levels to fit an int16.
func (s *separable) runYCC(out *writer, src *planar.YCC, mem *scratch) {
	rows := planeRows{width: s.width, count: src.Count}
	for i := range min(src.Count, 2) {
		p := &src.Planes[i]
		horizontal := s.horizontal.plane(s.beforeX, src.ShiftX[i], p.Width)
		vertical := s.vertical.plane(s.beforeY, src.ShiftY[i], p.Height)
		across := mem.table(tableKey{horizontal, s.filter, s.width, s.afterX, line{0, 1}, ofPlanes, 0})
		down := mem.table(tableKey{vertical, s.filter, s.height, s.afterY, line{0, 1}, ofPlanes, 0})
		rows.down[i] = &down.kernel
		area := image.Rect(across.first, down.first, across.first+across.last, down.first+down.last)
		n := (area.Dy() + 1) * s.width
		if i == 0 {
			rows.of[0] = sized(&mem.wide[0], n)
			resizePlane(rows.of[0], p, area, &across.kernel, mem)
		} else {
			rows.of[1], rows.of[2] = sized(&mem.wide[1], n), sized(&mem.wide[2], n)
			resizePlanes(rows.of[1], rows.of[2], p, &src.Planes[2], area, &across.kernel, mem)
		}
	}
	at := max(1, rowsAtOnce/s.width)
	levels := sized(&mem.levels, 3*at*s.width)
	for y := 0; y < s.height; y += at {
		n := min(at, s.height-y) * s.width
		r, g, b := levels[:n], levels[n:2*n], levels[2*n:3*n]
		rows.blend(r, g, b, y, mem)
		out.putPlanes(y, r, g, b)
	}
}

// rowsAtOnce is how many pixels are blended before they are put into the output: they stay in the
// cache, and there are many rows of a small picture.
const rowsAtOnce = 2048

// planeRows is planes that are resized horizontally.
type planeRows struct {
	width, count int
	of           [3][]int16 // and one more row, undefined
	down         [2]*kernel // of luma and chroma
}

// blend makes rows of the output from y on, as many as r, g and b have.
func (p *planeRows) blend(r, g, b []uint8, y int, mem *scratch) {
	if p.blendFast(r, g, b, y) {
		return
	}
	var row [3][]int16
	w := p.width
	all := sized(&mem.planes, 3*w)
	for i := range row {
		row[i] = all[i*w:][:w]
	}
	for at := 0; at < len(r); at += w {
		for i := range p.count {
			k := p.down[min(i, 1)]
			blendPlaneRows(row[i], p.of[i][int(k.starts[y])*w:], k, y, mem)
		}
		if p.count > 1 {
			convertPlanes(r[at:at+w], g[at:at+w], b[at:at+w], row[0], row[1], row[2])
		} else {
			for x, l := range row[0] {
				r[at+x] = uint8((int(l) + yccGrey + 128) >> 8)
			}
		}
		y++
	}
	if p.count == 1 {
		copy(g, r)
		copy(b, r)
	}
}

// fromFirst makes the kernel count from the first sample that it reads, and returns the range
// first <= k < end that it read before.
func (k *kernel) fromFirst() (first, end int) {
	low, high := k.starts[0], k.ends[0]
	for i, start := range k.starts {
		low, high = min(low, start), max(high, k.ends[i])
	}
	for i := range k.starts {
		k.starts[i] -= low
		k.ends[i] -= low
	}
	return int(low), int(high)
}

// resizePlane resizes the rows of an area; k counts from its left.
func resizePlane(dst []int16, p *planar.Plane, area image.Rectangle, k *kernel, mem *scratch) {
	if resizePlaneFast(dst, p, area, k, mem) {
		return
	}
	words, width := sized(&mem.pairs, area.Dx()), len(k.starts)
	for y := 0; y < area.Dy(); y += 2 {
		at := area.Min.Y + y
		packRows(words, p.Row(at, area.Min.X, area.Max.X), p.Row(min(at+1, area.Max.Y-1), area.Min.X, area.Max.X))
		resizeWords(dst[y*width:][:width], dst[(y+1)*width:][:width], words, k)
	}
}

// resizePlanes is resizePlane for two planes with the same layout.
func resizePlanes(dst, twin []int16, p, q *planar.Plane, area image.Rectangle, k *kernel, mem *scratch) {
	if resizePlaneFast(dst, p, area, k, mem) && resizePlaneFast(twin, q, area, k, mem) {
		return
	}
	words, width := sized(&mem.pairs, area.Dx()), len(k.starts)
	for y := range area.Dy() {
		at := area.Min.Y + y
		packRows(words, p.Row(at, area.Min.X, area.Max.X), q.Row(at, area.Min.X, area.Max.X))
		resizeWords(dst[y*width:][:width], twin[y*width:][:width], words, k)
	}
}

func packRows(words []uint64, a, b []uint8) {
	a, b = a[:len(words)], b[:len(words)]
	for x := range words {
		words[x] = uint64(a[x]) | uint64(b[x])<<32
	}
}

// resizeWords resizes two rows at once, in the halves of words. Weights aren't negative
// and their sum is 1, so sums have 22 bits; those less than 0 lose the upper ones.
func resizeWords(a, b []int16, words []uint64, k *kernel) {
	b, ends := b[:len(a)], k.ends[:len(a)]
	const half = 1<<(planeBits-9) + 1<<(planeBits+7) // of a unit, and 128 levels
	for i := range a {
		taps := words[k.starts[i]:ends[i]]
		weights := k.weights[i*k.most:][:len(taps)]
		sum := uint64(half<<32 + half)
		for len(taps) >= 2 && len(weights) >= 2 {
			sum += uint64(weights[0])*taps[0] + uint64(weights[1])*taps[1]
			taps, weights = taps[2:], weights[2:]
		}
		if len(taps) > 0 && len(weights) > 0 {
			sum += uint64(weights[0]) * taps[0]
		}
		a[i], b[i] = int16(uint32(sum)>>(planeBits-8)), int16(sum>>(32+planeBits-8))
	}
}

// blendPlaneRows is the weighted sum of rows, for row y of a kernel whose first is rows'. There
// must be one more row than weights, and a 0 after an odd number of weights.
func blendPlaneRows(dst, rows []int16, k *kernel, y int, mem *scratch) {
	if blendPlaneRowsFast(dst, rows, k, y) {
		return
	}
	n, weights := len(dst), k.of(y)
	if len(weights) == 2 {
		a, b := rows[:n], rows[n:2*n]
		w0, w1 := weights[0], weights[1]
		for i := range dst {
			dst[i] = int16((w0*int32(a[i]) + w1*int32(b[i]) + 1<<(planeBits-1)) >> planeBits)
		}
		return
	}
	sums := sized(&mem.blended, n)
	for i := range sums {
		sums[i] = 1 << (planeBits - 1)
	}
	for len(weights) >= 3 {
		a, b, c := rows[:n], rows[n:2*n], rows[2*n:3*n]
		w0, w1, w2 := weights[0], weights[1], weights[2]
		for i := range sums {
			sums[i] += w0*int32(a[i]) + w1*int32(b[i]) + w2*int32(c[i])
		}
		rows, weights = rows[3*n:], weights[3:]
	}
	for ; len(weights) > 0; weights = weights[1:] {
		w, a := weights[0], rows[:n]
		for i := range sums {
			sums[i] += w * int32(a[i])
		}
		rows = rows[n:]
	}
	for i, v := range sums {
		dst[i] = int16(v >> planeBits)
	}
}

// convertPlanes is ycc.rgb for a row of resizePlane's values.
func convertPlanes(r, g, b []uint8, luma, cb, cr []int16) {
	if convertPlanesFast(r, g, b, luma, cb, cr) {
		return
	}
	g, b, luma, cb, cr = g[:len(r)], b[:len(r)], luma[:len(r)], cb[:len(r)], cr[:len(r)]
	for x := range r {
		l, cb, cr := int(luma[x])<<14+yccHalf+yccGrey<<14, int(cb[x]), int(cr[x])
		red, green, blue := (l+crToR*cr)>>22, (l-cbToG*cb-crToG*cr)>>22, (l+cbToB*cb)>>22
		if uint(red|green|blue) > 255 {
			red, green, blue = int(level(red)), int(level(green)), int(level(blue))
		}
		r[x], g[x], b[x] = uint8(red), uint8(green), uint8(blue)
	}
}
