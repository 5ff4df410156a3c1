package jpeg

import (
	"fmt"
	"image"

	"github.com/sluicedata/sluice/internal/planar"
)

// paddedW and paddedH are the size of a component in blocks, with those that only fill up MCUs.
func (c *component) paddedW() int { return ceilDiv(c.blocksW, c.H) * c.H }
func (c *component) paddedH() int { return ceilDiv(c.blocksH, c.V) * c.V }

// layOut sets how many blocks the components have, and returns their sum.
func (d *Decoder) layOut(denominator int) (blocks int) {
	h := &d.image.Header
	for i, c := range h.Components() {
		w, height := h.PlaneSize(i, 1)
		d.comps[i] = component{
			Component: c, blocksW: ceilDiv(w, 8), blocksH: ceilDiv(height, 8), size: h.blockSize(i, denominator),
			pix: d.comps[i].pix, coefs: d.comps[i].coefs, nonzero: d.comps[i].nonzero,
		}
		blocks += d.comps[i].blocksW * d.comps[i].blocksH
	}
	return blocks
}

// allocate makes the planes, if the file's remaining bytes can hold its blocks, each of which
// takes at least a bit for its DC coefficient; a lenient decoder doesn't ask, and makes
// them grey. Nothing is allocated if the first scan's header, sos, is invalid.
func (d *Decoder) allocate(sos segment, rest int, region image.Rectangle, denominator int) error {
	h := &d.image.Header
	if blocks := d.layOut(denominator); rest < blocks/8 && !d.lenient {
		return fmt.Errorf("%w: %d bytes cannot hold %dx%d pixels", ErrTruncated, rest, h.Height, h.Width)
	}
	if err := d.scanHeader(&d.scan, sos.body); err != nil {
		return fmt.Errorf("scan 1: %w", err)
	}
	for i := range h.n {
		c, p := &d.comps[i], &d.planes[i]
		p.Width, p.Height = h.PlaneSize(i, denominator)
		p.Rect = h.planeRegion(i, region, denominator)
		c.wanted = blocksOf(p.Rect, c.size)
		if c.rows = c.wanted.Max.Y; d.allBlocks {
			c.rows = c.paddedH()
		}
		c.stride = c.wanted.Dx()*c.size + 2*frame
		n := (c.wanted.Dy()*c.size + 2) * c.stride
		if cap(c.pix) < n {
			c.pix = make([]uint8, n)
		}
		c.pix = c.pix[:n]
		c.at = c.stride + frame - (c.wanted.Min.Y*c.stride+c.wanted.Min.X)*c.size
		if h.Progressive {
			c.across, c.kept = c.paddedW(), c.wanted
			if d.lenient { // smoothing looks at neighbours
				c.kept = image.Rect(0, 0, c.across, c.rows)
			}
			c.coefs = cleared(c.coefs, 64*c.kept.Dx()*c.kept.Dy())
			c.nonzero = cleared(c.nonzero, c.across*c.rows)
			for k := range c.missingBits {
				c.missingBits[k] = -1
			}
		} else if d.lenient {
			for k := range c.pix {
				c.pix[k] = 128
			}
		}
	}
	return nil
}

// cleared is n zeros, in s where they fit.
func cleared[T int16 | uint64](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// RegionBytes is the memory that DecodeRegion takes: for the region's samples, and for
// all coefficients of a progressive file.
func (h *Header) RegionBytes(region image.Rectangle, denominator int) (n int64) {
	maxH, maxV := h.MaxSampling()
	for i, c := range h.Components() {
		size := h.blockSize(i, denominator)
		wanted := blocksOf(h.planeRegion(i, region, denominator), size)
		n += int64(wanted.Dx()*size+2*frame) * int64(wanted.Dy()*size+2)
		if h.Progressive {
			n += (128 + 8) * int64(ceilDiv(h.Width, 8*maxH)*c.H) * int64(ceilDiv(h.Height, 8*maxV)*c.V)
		}
	}
	return n
}

// RegionSamples is how many samples of component i DecodeRegion returns, with the copies
// beyond edges.
func (h *Header) RegionSamples(i int, region image.Rectangle, denominator int) int64 {
	r := h.planeRegion(i, region, denominator)
	return int64(r.Dx()+2) * int64(r.Dy()+2)
}

// planeRegion is the samples of component i that a region needs.
func (h *Header) planeRegion(i int, region image.Rectangle, denominator int) (r image.Rectangle) {
	region = region.Intersect(image.Rect(0, 0, h.Width, h.Height))
	if region.Empty() {
		region = image.Rect(0, 0, 1, 1)
	}
	maxH, maxV := h.MaxSampling()
	c, size := h.comps[i], h.blockSize(i, denominator)
	width, height := h.PlaneSize(i, denominator)
	r.Min.X, r.Max.X = reach(region.Min.X, region.Max.X, c.H*size, 8*maxH, width)
	r.Min.Y, r.Max.Y = reach(region.Min.Y, region.Max.Y, c.V*size, 8*maxV, height)
	return r
}

// blocksOf is the blocks that samples are in.
func blocksOf(r image.Rectangle, size int) image.Rectangle {
	return image.Rect(r.Min.X/size, r.Min.Y/size, ceilDiv(r.Max.X, size), ceilDiv(r.Max.Y, size))
}

// frame is how many columns a plane has at each side of its blocks.
const frame = 8

// reach is the samples from <= k < to of n that pixels first <= i < end need along an axis
// with num samples for den pixels.
func reach(first, end, num, den, n int) (from, to int) {
	// Sample k lies at pixel (k + 1/2)*den/num - 1/2.
	from = max((2*first+1)*num-den, 0) / (2 * den)
	to = ceilDiv(max((2*end-1)*num-den, 0), 2*den) + 1
	return min(from, n-1), min(to, n)
}

// repeatEdges copies the samples at the plane's edges to beyond them, where p holds these.
func (c *component) repeatEdges(p *planar.Plane) {
	r := p.Rect
	at := func(x, y int) int { return c.at + y*c.stride + x }
	if r.Max.X == p.Width {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			c.pix[at(r.Max.X, y)] = c.pix[at(r.Max.X-1, y)]
		}
		p.Rect.Max.X++
	}
	if r.Min.X == 0 {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			c.pix[at(-1, y)] = c.pix[at(0, y)]
		}
		p.Rect.Min.X--
	}
	x, n := p.Rect.Min.X, p.Rect.Dx()
	if r.Min.Y == 0 {
		copy(c.pix[at(x, -1):][:n], c.pix[at(x, 0):])
		p.Rect.Min.Y--
	}
	if r.Max.Y == p.Height {
		copy(c.pix[at(x, r.Max.Y):][:n], c.pix[at(x, r.Max.Y-1):])
		p.Rect.Max.Y++
	}
	p.Stride = c.stride
	p.Pix = c.pix[at(p.Rect.Min.X, p.Rect.Min.Y):]
}
