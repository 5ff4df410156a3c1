package jpeg

import "image"

// YCC is the planes of a picture in YCbCr, or of a grey one, at their own
// resolutions: what a sampler needs to know of them.
type YCC struct {
	Planes         [3]Plane // the last two lie alike in memory
	Count          int      // 3, or 1: grey
	ShiftX, ShiftY [3]uint  // sample k lies at pixel (k + 1/2)*2^shift - 1/2 of the full picture
}

// HasYCC tells whether YCC finds planes: one or three components, at resolutions that
// are full or halved once, twice or three times, the last two of them alike. Whether
// three are YCbCr it doesn't know.
func (h *Header) HasYCC() bool {
	if h.n != 1 && h.n != 3 {
		return false
	}
	if h.n == 3 && (h.comps[1].H != h.comps[2].H || h.comps[1].V != h.comps[2].V) {
		return false
	}
	maxH, maxV := h.MaxSampling()
	for _, c := range h.Components() {
		for _, ratio := range [2][2]int{{maxH, c.H}, {maxV, c.V}} {
			if r := ratio[0] / ratio[1]; ratio[0]%ratio[1] != 0 || r&(r-1) != 0 {
				return false
			}
		}
	}
	return true
}

// YCC is the planes as they were decoded last.
func (d *Decoder) YCC() YCC {
	h := &d.image.Header
	maxH, maxV := h.MaxSampling()
	shift := func(n int) (s uint) {
		for ; n > 1; n >>= 1 {
			s++
		}
		return s
	}
	y := YCC{Planes: [3]Plane(d.planes[:3]), Count: h.n}
	for i := range h.n {
		c := &d.comps[i]
		y.ShiftX[i], y.ShiftY[i] = shift(8*maxH/(c.H*c.size)), shift(8*maxV/(c.V*c.size))
	}
	return y
}

// Transposed is the planes of the transposed picture, in memory that may be buf's.
// There is one more row and column of it, which hold anything.
func (y *YCC) Transposed(buf *[]uint8) YCC {
	t := YCC{Count: y.Count, ShiftX: y.ShiftY, ShiftY: y.ShiftX}
	total := 0
	for i := range y.Count {
		total += (y.Planes[i].Rect.Dx() + 1) * (y.Planes[i].Rect.Dy() + 1)
	}
	if cap(*buf) < total {
		*buf = make([]uint8, total)
	}
	rest := (*buf)[:total]
	for i := range y.Count {
		p, q := &y.Planes[i], &t.Planes[i]
		r := p.Rect
		*q = Plane{
			Stride: r.Dy() + 1, Width: p.Height, Height: p.Width,
			Rect: image.Rect(r.Min.Y, r.Min.X, r.Max.Y, r.Max.X),
		}
		n := (r.Dx() + 1) * q.Stride
		q.Pix, rest = rest[:n:n], rest[n:]
		const tile = 16
		for y0 := 0; y0 < r.Dy(); y0 += tile {
			for x := range r.Dx() {
				out := q.Pix[x*q.Stride:]
				for y := y0; y < min(y0+tile, r.Dy()); y++ {
					out[y] = p.Pix[y*p.Stride+x]
				}
			}
		}
	}
	return t
}
