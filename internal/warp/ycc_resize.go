package warp

import (
	"encoding/binary"

	"github.com/sluicedata/sluice/internal/jpeg"
)

// Weights of planes have planeBits, their sums are 1. A row of a plane is first blended
// from several, in units of 1/128, and then resized, to units of 1/256: so sums fit in 32
// bits, and factors in 16 with a sign.
const (
	planeBits   = 14
	blendedBits = 7
)

// resizing is how planes are resized.
type resizing struct {
	left, right  int // the columns that are read
	across, down kernel
	chunks       int     // of eight taps
	packed       []int16 // across's weights for assembly: see pack

	places, placesDown, weights, weightsDown []int32
	downNarrow                               []int16 // down's weights
}

// runYCC makes output rows one by one: each plane's rows are blended into one, which is
// then resized. So the second step, whose taps lie anywhere, is done for the fewest rows.
func (s *separable) runYCC(out *writer, src *jpeg.YCC, mem *scratch) {
	alike := src.Count > 1 && src.ShiftX[0] == src.ShiftX[1] && src.ShiftY[0] == src.ShiftY[1]
	ways := [2]*resizing{&mem.resizings[0], &mem.resizings[1]}
	s.prepare(ways[0], src, 0, mem)
	switch {
	case alike:
		ways[1] = ways[0]
	case src.Count > 1:
		s.prepare(ways[1], src, 1, mem)
	}
	wide := sized(&mem.wide, 3*s.width)
	colours := sized(&mem.sums, s.width)
	var rows [3][]uint16
	for i := range rows {
		rows[i] = wide[i*s.width:][:s.width]
		if i >= src.Count {
			fill16(rows[i], yccGrey)
		}
	}
	for y := range s.height {
		ways[0].row(rows[0], &src.Planes[0], y, mem)
		if src.Count > 1 {
			ways[1].twins(rows[1], rows[2], &src.Planes[1], &src.Planes[2], y, mem)
		}
		convert(colours, &rows)
		out.colours(y, colours)
	}
}

func fill16(row []uint16, v uint16) {
	for i := range row {
		row[i] = v
	}
}

// prepare tabulates the taps in plane i.
func (s *separable) prepare(r *resizing, src *jpeg.YCC, i int, mem *scratch) {
	p := &src.Planes[i]
	horizontal := s.horizontal.plane(s.beforeX, src.ShiftX[i], p.Width)
	vertical := s.vertical.plane(s.beforeY, src.ShiftY[i], p.Height)
	r.across = horizontal.kernel(s.filter, s.width, s.afterX, line{0, 1}, &r.places, &r.weights, &mem.reals)
	r.down = vertical.kernel(s.filter, s.height, s.afterY, line{0, 1}, &r.placesDown, &r.weightsDown, &mem.reals)
	r.across.narrow()
	r.down.narrow()
	r.left, r.right = span(&r.across)
	narrow := sized(&r.downNarrow, len(r.down.weights)+1)
	for k, w := range r.down.weights {
		narrow[k] = int16(w)
	}
	if useAssembly {
		r.pack()
	}
}

// narrow is kernel's weights with planeBits, their sums 1.
func (k *kernel) narrow() {
	for i := range k.starts {
		w := k.weights[i*k.most:][:k.ends[i]-k.starts[i]]
		rest, largest := int32(1<<planeBits), 0
		for j, v := range w {
			w[j] = (v + 1<<(weightBits-planeBits-1)) >> (weightBits - planeBits)
			rest -= w[j]
			if w[j] > w[largest] {
				largest = j
			}
		}
		w[largest] += rest
	}
}

// span is the first and one more than the last place that a kernel reads.
func span(k *kernel) (first, end int) {
	low, high := k.starts[0], k.ends[0]
	for i, start := range k.starts {
		low, high = min(low, start), max(high, k.ends[i])
	}
	return int(low), int(high)
}

// row makes row y of the output from a plane, in units of 1/256.
func (r *resizing) row(dst []uint16, p *jpeg.Plane, y int, mem *scratch) {
	r.resize(dst, r.blend(p, y, &mem.narrow))
}

// twins is row of two planes that lie alike.
func (r *resizing) twins(a, b []uint16, p, q *jpeg.Plane, y int, mem *scratch) {
	if useAssembly {
		r.row(a, p, y, mem)
		r.row(b, q, y, mem)
		return
	}
	first, second := r.blend(p, y, &mem.narrow), r.blend(q, y, &mem.narrower)
	words := sized(&mem.pairs, len(first))
	for i, v := range second[:len(first)] {
		words[i] = uint64(first[i]) | uint64(v)<<32
	}
	r.resizeWords(a, b, words)
}

// blend makes one row of those that row y of the output takes.
func (r *resizing) blend(p *jpeg.Plane, y int, buf *[]int16) []int16 {
	from, taps := int(r.down.starts[y]), int(r.down.ends[y]-r.down.starts[y])
	n := r.right - r.left
	blended := sized(buf, n+8*r.chunks+8)[:n] // assembly reads on, with weights of 0
	pix := p.Pix[(from-p.Rect.Min.Y)*p.Stride+r.left-p.Rect.Min.X:]
	blendRows16(blended, pix, p.Stride, r.downNarrow[y*r.down.most:][:taps])
	return blended
}

// blendRows16Go blends rows that lie stride apart, to units of 1/128: eight pixels at a
// time, two in a word.
func blendRows16Go(dst []int16, pix []uint8, stride int, weights []int16) {
	const half = 1 << (planeBits - blendedBits - 1)
	x := 0
	for ; x+8 <= len(dst); x += 8 {
		const low, halves = 0xff<<32 | 0xff, half<<32 | half
		a, b, c, d := uint64(halves), uint64(halves), uint64(halves), uint64(halves)
		at := pix[x:]
		for k, w := range weights {
			v := binary.LittleEndian.Uint64(at[k*stride:])
			w := uint64(w)
			a += v & low * w
			b += v >> 8 & low * w
			c += v >> 16 & low * w
			d += v >> 24 & low * w
		}
		const shift = planeBits - blendedBits
		out := dst[x : x+8 : x+8]
		out[0], out[4] = int16(uint32(a)>>shift), int16(a>>(32+shift))
		out[1], out[5] = int16(uint32(b)>>shift), int16(b>>(32+shift))
		out[2], out[6] = int16(uint32(c)>>shift), int16(c>>(32+shift))
		out[3], out[7] = int16(uint32(d)>>shift), int16(d>>(32+shift))
	}
	for ; x < len(dst); x++ {
		sum := int32(half)
		for k, w := range weights {
			sum += int32(w) * int32(pix[k*stride+x])
		}
		dst[x] = int16(sum >> (planeBits - blendedBits))
	}
}

// resizeGo resizes a row, whose first column is left, to units of 1/256, from output
// pixel first on.
func (r *resizing) resizeGo(dst []uint16, src []int16, first int) {
	k := &r.across
	for i := first; i < len(dst); i++ {
		taps := src[int(k.starts[i])-r.left : int(k.ends[i])-r.left]
		weights := k.weights[i*k.most:][:len(taps)]
		sum := int32(1 << (resizedShift - 1))
		for len(taps) >= 2 && len(weights) >= 2 {
			sum += int32(taps[0])*weights[0] + int32(taps[1])*weights[1]
			taps, weights = taps[2:], weights[2:]
		}
		if len(taps) > 0 && len(weights) > 0 {
			sum += int32(taps[0]) * weights[0]
		}
		dst[i] = uint16(sum >> resizedShift)
	}
}

const resizedShift = planeBits + blendedBits - 8

// resizeWords is resizeGo of two rows at once, in the halves of words.
func (r *resizing) resizeWords(a, b []uint16, words []uint64) {
	k := &r.across
	b = b[:len(a)]
	for i := range a {
		taps := words[int(k.starts[i])-r.left : int(k.ends[i])-r.left]
		weights := k.weights[i*k.most:][:len(taps)]
		const half = 1 << (resizedShift - 1)
		sum := uint64(half<<32 + half)
		for len(taps) >= 2 && len(weights) >= 2 {
			sum += uint64(weights[0])*taps[0] + uint64(weights[1])*taps[1]
			taps, weights = taps[2:], weights[2:]
		}
		if len(taps) > 0 && len(weights) > 0 {
			sum += uint64(weights[0]) * taps[0]
		}
		a[i], b[i] = uint16(uint32(sum)>>resizedShift), uint16(sum>>(32+resizedShift))
	}
}

// convertGo makes colours of a row, as ycc.rgb does.
func convertGo(colours []uint32, rows *[3][]uint16) {
	n := len(colours)
	luma, cbs, crs := rows[0][:n], rows[1][:n], rows[2][:n]
	for x := range colours {
		l, cb, cr := int(luma[x])<<14+yccHalf, int(cbs[x])-yccGrey, int(crs[x])-yccGrey
		red, green, blue := (l+crToR*cr)>>22, (l-cbToG*cb-crToG*cr)>>22, (l+cbToB*cb)>>22
		if uint(red|green|blue) > 255 {
			red, green, blue = int(level(red)), int(level(green)), int(level(blue))
		}
		colours[x] = uint32(red | green<<8 | blue<<16)
	}
}
