// Package planar holds pictures as planes of samples, one for each component at its own
// resolution: what a JPEG file decodes to (internal/jpeg) and a sampler reads
// (internal/warp), neither of which knows the other.
package planar

import "image"

// Plane holds the samples of one component, or of a part of it.
type Plane struct {
	Pix    []uint8 // begins with sample Rect.Min
	Stride int     // from a sample to the one below
	// Rect is the samples held. Where it reaches the plane's edge it goes one sample
	// beyond, a copy of the edge's, so that there are neighbours to interpolate with.
	Rect          image.Rectangle
	Width, Height int // of the whole plane
}

// Row is the samples x0 <= x < x1 of a row.
func (p *Plane) Row(y, x0, x1 int) []uint8 {
	at := (y-p.Rect.Min.Y)*p.Stride - p.Rect.Min.X
	return p.Pix[at+x0 : at+x1 : at+x1]
}

// YCC is a picture in YCbCr, or a grey one.
type YCC struct {
	Planes         [3]Plane // Cb and Cr have the same Rect and Stride
	Count          int      // 3, or 1: grey
	ShiftX, ShiftY [3]uint  // sample k lies at pixel (k + 1/2)*2^shift - 1/2 of the full picture
}

// Transposed is the transposed picture. Its memory is buf's, which is replaced where it is
// too small. Each plane is followed by a row and a column of undefined samples, which
// samplers may read but not use.
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
