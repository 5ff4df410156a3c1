package warp

import (
	"image"
	"math"
	"slices"
)

// separable is antialiasedRows, read through copies: Pillow's resize in two passes, with
// tables of weights. Its memory is the worker's scratch.
type separable struct {
	height, width        int
	horizontal, vertical axis
	filter               Filter
	afterX, afterY       line // output pixel -> pixel of the resized picture
	beforeX, beforeY     line // pixel of the picture that is resized -> of the input
}

func newSeparable(l *section, t Transform) separable {
	horizontal, vertical := t.axes(l.size.Y, l.size.X)
	return separable{
		l.height, l.width, horizontal, vertical, t.Filter,
		l.after.x(), l.after.y(), l.before.x(), l.before.y(),
	}
}

// Method names the filter.
func (s *separable) Method() string {
	return Transform{Filter: s.filter, Antialias: true}.describe()
}

// Region is from the first output pixel's taps to the last one's.
func (s *separable) Region() image.Rectangle {
	x0, x1 := s.horizontal.reach(s.filter, s.width, s.afterX, s.beforeX)
	y0, y1 := s.vertical.reach(s.filter, s.height, s.afterY, s.beforeY)
	return image.Rect(x0, y0, x1, y1)
}

func (a axis) reach(f Filter, n int, after, before line) (first, end int) {
	i, j := a.place(after.of(0)), a.place(after.of(n-1))
	from, _ := a.span(f, min(i, j))
	_, to := a.span(f, max(i, j))
	first, end = before.of(a.first+from), before.of(a.first+to-1)
	return min(first, end), max(first, end) + 1
}

// span is the range first <= k < end of the taps of taps(f, i).
func (a axis) span(f Filter, i int) (from, to int) {
	return a.around(a.centre(i), float64(f.support()*max(a.scale, 1)))
}

func (a axis) around(centre, support float64) (from, to int) {
	return max(int(centre-support+0.5), 0), min(int(centre+support+0.5), a.in)
}

// kernel is the taps of every output pixel along one axis. Pixel i has the
// weights[i*most : i*most+ends[i]-starts[i]] of the input pixels from starts[i],
// followed by 0s up to usual of them, an even number.
type kernel struct {
	most, usual  int
	wide         bool // sums may need more than 32 bits: sharp filters at an edge
	starts, ends []int32
	weights      []int32

	packed  []int32 // the weights as assembly takes them, packing words for each pixel; nil: it takes none
	packing int
}

// kernel tabulates taps, mirrored where the input is.
func (a axis) kernel(f Filter, n int, after, before line, places, weights *[]int32, reals *[]float64) kernel {
	support := float64(f.support() * max(a.scale, 1))
	step := 1 / max(a.scale, 1)
	k := kernel{most: int(2*support) + 3, usual: (int(2*support) + 2) &^ 1}
	all := sized(places, 2*n)
	k.starts, k.ends = all[:n], all[n:]
	k.weights = sized(weights, n*k.most)
	values := sized(reals, 4*k.most)
	var four fourTriangles
	inFours := 0
	if f == Bilinear && useAssembly {
		inFours = n &^ 3
	}
	for i := range n {
		centre := a.centre(a.place(after.of(i)))
		from, to := a.around(centre, support)
		row := k.weights[i*k.most:][:k.most]
		fixed := row[:to-from]
		switch {
		case i < inFours:
			four.centres[i&3], four.froms[i&3], four.counts[i&3] = centre, int32(from), int32(to-from)
			if i&3 == 3 {
				four.weigh(step, values, k.weights[(i-3)*k.most:], k.most, k.usual)
			}
		case f == Bilinear:
			weighTriangle(centre, step, from, len(fixed), values[:k.usual], row[:k.usual])
		default:
			weigh(f, centre, step, from, values[:len(fixed)], fixed)
			k.wide = k.wide || overflows(fixed)
			clear(row[len(fixed):k.usual])
		}
		from, to = before.of(a.first+from), before.of(a.first+to-1)
		if before.step < 0 {
			from, to = to, from
		}
		k.starts[i], k.ends[i] = int32(from), int32(to+1)
	}
	if before.step < 0 {
		for i := range n {
			slices.Reverse(k.of(i))
		}
	}
	return k
}

// fourTriangles is what the bilinear weights of four output pixels come from.
type fourTriangles struct {
	centres       [4]float64
	froms, counts [4]int32
}

// overflows reports whether the sum of some bytes with these weights, partial or complete,
// is too large for clip32.
func overflows(weights []int32) bool {
	total := 0
	for _, w := range weights {
		total += int(max(w, -w))
	}
	return 255*total >= 1<<31-1<<weightBits
}

// weigh is the second half of taps: the weights of the window's pixels from on.
func weigh(f Filter, centre, step float64, from int, values []float64, fixed []int32) {
	sum := 0.0
	for k := range values {
		values[k] = f.weight(float64((float64(k+from) - centre + 0.5) * step))
		sum += values[k]
	}
	for k, w := range values {
		w /= sum
		fixed[k] = int32(math.Copysign(0.5, w) + float64(w*(1<<weightBits)))
	}
}

// weighTriangle is weigh for n bilinear weights, followed by zeros. n differs from pixel to
// pixel, so that a loop over n or other branches would be mispredicted.
func weighTriangle(centre, step float64, from, n int, values []float64, fixed []int32) {
	sum := 0.0
	for k := range values {
		w := math.Float64bits(1 - math.Abs(float64((float64(k+from)-centre+0.5)*step)))
		w &= uint64(int64(k-n) >> 63)
		values[k] = math.Float64frombits(w &^ uint64(int64(w)>>63))
		sum += values[k]
	}
	fixed = fixed[:len(values)]
	for k, w := range values {
		fixed[k] = int32(0.5 + float64(w/sum*(1<<weightBits)))
	}
}

// of is the weights of output pixel i.
func (k *kernel) of(i int) []int32 { return k.weights[i*k.most:][:k.ends[i]-k.starts[i]] }

func (s *separable) run(out *writer, src Source, mem *scratch) {
	region := s.Region()
	across := &mem.table(tableKey{s.horizontal, s.filter, s.width, s.afterX, s.beforeX, ofPixels, region.Min.X}).kernel
	down := &mem.table(tableKey{s.vertical, s.filter, s.height, s.afterY, s.beforeY, ofRows, 0}).kernel
	n := 3 * s.width
	planar := out.planar() // by channel instead of by pixel
	if columnsFirst(s.horizontal, s.vertical) {
		wide := 3 * region.Dx()
		mid := Source{Pix: sized(&mem.rows, s.height*wide), Stride: wide, Rect: image.Rect(region.Min.X, 0, region.Max.X, s.height)}
		for y := range s.height {
			below := src.Pix[src.offset(region.Min.X, int(down.starts[y])):]
			blendRows(mid.Pix[y*wide:][:wide], below, src.Stride, down, y, mem)
		}
		rows := sized(&mem.narrow, s.height*n)
		planar = resizeRows(rows, &mid, mid.Rect, across, mem, planar)
		for y := range s.height {
			out.putResized(y, rows[y*n:][:n], planar)
		}
		return
	}
	rows := sized(&mem.rows, (region.Dy()+1)*n) // and one more, undefined
	planar = resizeRows(rows, &src, region, across, mem, planar)
	for y := range s.height {
		row := out.begin(y) // scratch if the output is planar
		blendRows(row, rows[(int(down.starts[y])-region.Min.Y)*n:], n, down, y, mem)
		out.putResized(y, row, planar)
	}
}

// resizeRows resizes the rows of a region. It returns whether dst has them channel by
// channel, which it may choose if planar is set.
func resizeRows(dst []uint8, src *Source, region image.Rectangle, k *kernel, mem *scratch, planar bool) bool {
	if resizeRowsFast(dst, src, region, k, mem, planar) {
		return planar
	}
	n := 3 * len(k.starts)
	for y := range region.Dy() {
		in := src.Pix[src.offset(region.Min.X, region.Min.Y+y):]
		resizeRow(dst[y*n:][:n], in[:3*region.Dx()], k)
	}
	return false
}

// putResized stores row y, in the form in which resizeRows left it.
func (w *writer) putResized(y int, row []uint8, planar bool) {
	if n := w.dst.Width; planar {
		w.putPlanes(y, row[:n], row[n:2*n], row[2*n:])
		return
	}
	w.put(y, row)
}

// resizeRow resizes one RGB row, two taps at a time; starts and ends of the
// kernel count bytes.
func resizeRow(dst, in []uint8, k *kernel) {
	if k.wide {
		resizeRowWide(dst, in, k)
		return
	}
	for i, start := range k.starts {
		if len(dst) < 3 {
			return
		}
		taps, weights := in[start:k.ends[i]], k.weights[i*k.most:]
		var r, g, b int32
		for len(taps) >= 6 && len(weights) >= 2 {
			w0, w1 := weights[0], weights[1]
			r += w0*int32(taps[0]) + w1*int32(taps[3])
			g += w0*int32(taps[1]) + w1*int32(taps[4])
			b += w0*int32(taps[2]) + w1*int32(taps[5])
			taps, weights = taps[6:], weights[2:]
		}
		if len(taps) >= 3 && len(weights) > 0 {
			w := weights[0]
			r += w * int32(taps[0])
			g += w * int32(taps[1])
			b += w * int32(taps[2])
		}
		dst[0], dst[1], dst[2] = clip32(r), clip32(g), clip32(b)
		dst = dst[3:]
	}
}

func resizeRowWide(dst, in []uint8, k *kernel) {
	for i, start := range k.starts {
		taps, weights := in[start:k.ends[i]], k.weights[i*k.most:]
		for c := range 3 {
			sum := int64(0)
			for j := 0; 3*j < len(taps); j++ {
				sum += int64(weights[j]) * int64(taps[3*j+c])
			}
			dst[3*i+c] = clip8(sum)
		}
	}
}

// blendRows is the weighted sum of rows that begin stride bytes apart: row y of a kernel
// whose first is rows'.
func blendRows(dst, rows []uint8, stride int, k *kernel, y int, mem *scratch) {
	weights := k.of(y)
	switch {
	case k.wide:
		blendRowsWide(dst, rows, stride, weights)
	case !blendRowsFast(dst, rows, stride, k, y):
		blendRowsNarrow(dst, rows, stride, weights, mem)
	}
}

// blendRowsNarrow takes four rows at a time.
func blendRowsNarrow(dst, rows []uint8, stride int, weights []int32, mem *scratch) {
	n := len(dst)
	sums := sized(&mem.blended, n)
	clear(sums)
	for len(weights) > 4 {
		a, b, c, d := rows[:n], rows[stride:][:n], rows[2*stride:][:n], rows[3*stride:][:n]
		w0, w1, w2, w3 := weights[0], weights[1], weights[2], weights[3]
		for i := range sums {
			sums[i] += w0*int32(a[i]) + w1*int32(b[i]) + w2*int32(c[i]) + w3*int32(d[i])
		}
		rows, weights = rows[4*stride:], weights[4:]
	}
	var w [4]int32
	var last [4][]uint8 // with weight 0 if there is no such row
	for i := range last {
		last[i] = rows[:n]
		if i < len(weights) {
			w[i], last[i] = weights[i], rows[i*stride:][:n]
		}
	}
	a, b, c, d := last[0][:n], last[1][:n], last[2][:n], last[3][:n]
	sums = sums[:n]
	if len(weights) <= 2 {
		for i := range dst {
			dst[i] = clip32(sums[i] + w[0]*int32(a[i]) + w[1]*int32(b[i]))
		}
		return
	}
	for i := range dst {
		dst[i] = clip32(sums[i] + w[0]*int32(a[i]) + w[1]*int32(b[i]) + w[2]*int32(c[i]) + w[3]*int32(d[i]))
	}
}

func blendRowsWide(dst, rows []uint8, stride int, weights []int32) {
	for i := range dst {
		sum := int64(0)
		for k, w := range weights {
			sum += int64(w) * int64(rows[k*stride+i])
		}
		dst[i] = clip8(sum)
	}
}

// clip32 is clip8 for sums below 2^31 - 2^21.
func clip32(sum int32) uint8 {
	v := (sum + 1<<(weightBits-1)) >> weightBits
	if uint32(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return uint8(v)
}
