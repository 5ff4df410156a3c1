package jpeg

import (
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/sluicedata/sluice/internal/planar"
)

// Image is a file's decoded samples: one plane per component of its header.
type Image struct {
	Header
	Planes []planar.Plane
	// Warnings is how many places were repaired, with Decoder.Fill: at least 1 where a
	// file is damaged. A whole progressive file without its last scans has 1, always.
	Warnings int
}

// Decoder decodes files one after the other and keeps its memory for the next: once
// it has seen the largest, sequential files are decoded without an allocation. The
// zero value is ready. A decoder may be used by one goroutine at a time.
type Decoder struct {
	// Fill has damaged files give a picture with warnings, as libjpeg does, from the
	// first scan on. There is no bound on memory by the data then, only by the size.
	Fill bool

	image  Image
	planes [4]planar.Plane
	quant  [4]quantTable
	dc, ac [4]huffman
	comps  [4]component
	scans  int
	params scanParams
	bits   bits

	padding [64]int16 // where coefficients of blocks outside the picture go
	eobRun  int       // progressive: blocks whose band has ended
	whole   bool      // scans are decoded to their end
	idct    idct
	file    []byte      // while it is decoded
	known   *SeekPoints // of it
	ctx     context.Context
}

// component is a component's state while decoding.
type component struct {
	Component
	blocksW, blocksH int             // of the plane
	rows             int             // of blocks that are decoded
	wanted           image.Rectangle // blocks whose samples are made
	size             int             // samples of a block along each axis: 8, 4, 2 or 1
	at               int             // where block (0, 0) would begin in pix
	stride           int
	pix              []uint8    // a frame of one sample or more around the blocks
	quant            quantTable // as it was at the component's first scan (T.81, B.2.4.1)
	scanned          bool       // a scan with its DC coefficients was seen
	pred             int32      // DC predictor of the scan

	// Progressive only: coefficients of all blocks in zigzag order, not
	// dequantized, and how many low bits of each are still to come (-1: all).
	coefs    []int16
	bitsLeft [64]int8
}

// quantTable is in zigzag order, as its segment is.
type quantTable struct {
	defined bool
	q       [64]uint16
}

// zigzag gives the natural position of the k-th coefficient (T.81, figure 5).
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}

// Decode decodes a whole file, whose size the caller has checked with ReadHeader. A
// file too short for its size is refused before planes are made: they take at most
// 576 bytes for each byte of data (64 samples a bit, and a frame), and 1,600 in a
// progressive file, whose coefficients are kept.
func (d *Decoder) Decode(ctx context.Context, data []byte) (*Image, error) {
	return d.DecodeRegion(ctx, data, image.Rect(0, 0, 1<<16, 1<<16), 1, nil)
}

// DecodeRegion decodes what a part of the picture takes, at a scale of 1/denominator
// (1, 2, 4 or 8): of each plane, the samples of the region's pixels and those next to
// them that a triangle filter reads to bring the plane to full resolution. They are
// the samples of the whole picture at that scale, libjpeg's for -scale. region is in
// pixels of the full picture; what lies outside of that is left out, but a pixel at
// least is decoded.
//
// Damage to what isn't needed is not noticed: to blocks below the region, and in a
// file with restart markers to intervals without a block of the region. All markers
// are read, so a file cut anywhere is noticed here, too. With Fill the samples are
// those of the whole picture all the same, whatever the damage.
//
// known has the seek points that earlier calls found in the file, and gets those found by
// this one; it may be nil.
//
// It ends early, with the cause, when ctx does; nothing is repaired then.
//
// The image is the decoder's, until its next call.
func (d *Decoder) DecodeRegion(ctx context.Context, data []byte, region image.Rectangle, denominator int, known *SeekPoints) (*Image, error) {
	d.ctx, d.file, d.known = ctx, data, known
	defer func() { d.ctx, d.file, d.known = nil, nil, nil }()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	m, err := d.undamaged(data, region, denominator)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil && d.Fill || err == nil && m.Progressive && d.smooths() {
		m, err = d.repaired(data, region, denominator, err)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return m, err
	}
	if err == nil && d.lacksScans() {
		m.Warnings = 1
	}
	return m, err
}

// canceled is looked at between segments and between rows of blocks.
func (d *Decoder) canceled() bool { return d.ctx != nil && d.ctx.Err() != nil }

// errCanceled stands for the context's cause, which DecodeRegion gives in its place.
var errCanceled = errors.New("canceled")

// KeptBytes is the memory that the decoder keeps for the next file.
func (d *Decoder) KeptBytes() (n int) {
	for i := range d.comps {
		n += cap(d.comps[i].pix) + 2*cap(d.comps[i].coefs)
	}
	return n
}

// reset forgets the last file.
func (d *Decoder) reset() {
	d.image = Image{}
	for i := range 4 {
		d.quant[i].defined, d.dc[i].defined, d.ac[i].defined = false, false, false
		d.dc[i].broken, d.ac[i].broken = false, false
	}
	d.scans, d.whole = 0, false
	d.idct.reset()
}

// undamaged decodes a file without damage, as far as it looks at it.
func (d *Decoder) undamaged(data []byte, region image.Rectangle, denominator int) (*Image, error) {
	d.reset()
	m := &d.image
	s, pos, err := m.read(data, d)
	if err != nil {
		return nil, err
	}
	// With several scans, where one ends decides what the next one is.
	d.whole = d.Fill && (m.Progressive || len(s.body) > 0 && int(s.body[0]) < m.n)
	if err := d.allocate(s, len(data)-pos, region, denominator); err != nil {
		return nil, err
	}
	for s.marker != mEOI {
		if s.marker == mSOS {
			pos, err = d.scan(s.body, data[s.end:])
			pos += s.end
		} else if err = m.segment(s); err == nil {
			pos, err = s.end, d.tables(s)
		}
		if err != nil {
			return nil, err
		}
		if s, err = nextSegment(data, pos); err != nil {
			return nil, err
		}
		if d.canceled() {
			return nil, errCanceled
		}
	}
	return d.finish()
}

// tables reads the segments that define tables, and no other.
func (d *Decoder) tables(s segment) error {
	switch s.marker {
	case mDQT:
		return d.defineQuant(s.body)
	case mDHT:
		return d.defineHuffman(s.body)
	}
	return nil
}

// defineQuant reads a DQT segment (T.81, B.2.4.1).
func (d *Decoder) defineQuant(body []byte) error {
	for len(body) > 0 {
		wide, id := int(body[0]>>4), body[0]&15
		body = body[1:]
		if wide > 1 || id > 3 || len(body) < 64<<wide {
			return fmt.Errorf("a damaged quantization table")
		}
		t := &d.quant[id]
		t.defined = true
		for k := range t.q {
			t.q[k] = uint16(body[k<<wide])
			if wide == 1 {
				t.q[k] = t.q[k]<<8 | uint16(body[2*k+1])
			}
		}
		body = body[64<<wide:]
	}
	return nil
}

// defineHuffman reads a DHT segment (T.81, B.2.4.2).
func (d *Decoder) defineHuffman(body []byte) (err error) {
	for len(body) > 0 {
		class, id := body[0]>>4, body[0]&15
		if class > 1 || id > 3 {
			return fmt.Errorf("a Huffman table has the class %d and the number %d", class, id)
		}
		table := &d.dc[id]
		if class == 1 {
			table = &d.ac[id]
		}
		if body, err = table.define(body[1:], class == 0); err != nil {
			return err
		}
	}
	return nil
}

// layOut says which blocks the components have, and gives their number.
func (d *Decoder) layOut(denominator int) (blocks int) {
	h := &d.image.Header
	for i, c := range h.Components() {
		w, height := h.PlaneSize(i, 1)
		d.comps[i] = component{
			Component: c, blocksW: ceilDiv(w, 8), blocksH: ceilDiv(height, 8), size: h.blockSize(i, denominator),
			pix: d.comps[i].pix, coefs: d.comps[i].coefs,
		}
		blocks += d.comps[i].blocksW * d.comps[i].blocksH
	}
	return blocks
}

// allocate makes the planes, if rest bytes can hold the picture's blocks: each takes
// a bit for its DC coefficient at the least. A scan that is no scan, or asks for more
// than is supported, takes none.
func (d *Decoder) allocate(sos segment, rest int, region image.Rectangle, denominator int) error {
	h := &d.image.Header
	if blocks := d.layOut(denominator); rest < blocks/8 {
		return fmt.Errorf("%w: %d bytes cannot hold %dx%d pixels", ErrTruncated, rest, h.Height, h.Width)
	}
	if err := d.scanParams(&d.params, sos.body); err != nil {
		return fmt.Errorf("scan 1: %w", err)
	}
	for i := range h.n {
		c, p := &d.comps[i], &d.planes[i]
		p.Width, p.Height = h.PlaneSize(i, denominator)
		p.Rect = h.planeRegion(i, region, denominator)
		c.wanted = blocksOf(p.Rect, c.size)
		if c.rows = c.wanted.Max.Y; d.whole {
			c.rows = c.blocksH
		}
		c.stride = c.wanted.Dx()*c.size + 2*frame
		n := (c.wanted.Dy()*c.size + 2) * c.stride
		if cap(c.pix) < n {
			c.pix = make([]uint8, n)
		}
		c.pix = c.pix[:n]
		c.at = c.stride + frame - (c.wanted.Min.Y*c.stride+c.wanted.Min.X)*c.size
		if h.Progressive {
			if all := 64 * c.paddedW() * c.paddedH(); cap(c.coefs) < all { // those that keepAll would take
				c.coefs = make([]int16, all)
			}
			c.coefs = c.coefs[:64*c.blocksW*c.rows]
			clear(c.coefs)
			for k := range c.bitsLeft {
				c.bitsLeft[k] = -1
			}
		}
	}
	return nil
}

// RegionBytes is the memory that DecodeRegion takes: for the region's samples, and for
// the coefficients of all of a progressive file.
func (h *Header) RegionBytes(region image.Rectangle, denominator int) (n int64) {
	maxH, maxV := h.MaxSampling()
	for i, c := range h.Components() {
		size := h.blockSize(i, denominator)
		wanted := blocksOf(h.planeRegion(i, region, denominator), size)
		n += int64(wanted.Dx()*size+2*frame) * int64(wanted.Dy()*size+2)
		if h.Progressive {
			n += 128 * int64(ceilDiv(h.Width, 8*maxH)*c.H) * int64(ceilDiv(h.Height, 8*maxV)*c.V)
		}
	}
	return n
}

// RegionSamples is how many samples of component i DecodeRegion gives, and the repeated
// ones around them.
func (h *Header) RegionSamples(i int, region image.Rectangle, denominator int) int64 {
	r := h.planeRegion(i, region, denominator)
	return int64(r.Dx()+2) * int64(r.Dy()+2)
}

// planeRegion is the samples of component i that a region takes.
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

// blocksOf is the blocks that have samples.
func blocksOf(r image.Rectangle, size int) image.Rectangle {
	return image.Rect(r.Min.X/size, r.Min.Y/size, ceilDiv(r.Max.X, size), ceilDiv(r.Max.Y, size))
}

// frame is the columns at each side of a plane's blocks.
const frame = 8

// reach is the samples that the pixels first <= i < end take along an axis, of which
// num lie on den pixels.
func reach(first, end, num, den, n int) (from, to int) {
	// Sample k lies at pixel (k + 1/2)*den/num - 1/2.
	from = max((2*first+1)*num-den, 0) / (2 * den)
	to = ceilDiv(max((2*end-1)*num-den, 0), 2*den) + 1
	return min(from, n-1), min(to, n)
}

// finish checks that every component has data and gives the planes.
func (d *Decoder) finish() (*Image, error) {
	h := &d.image.Header
	for i := range h.n {
		c := &d.comps[i]
		if !c.scanned {
			return nil, fmt.Errorf("%w: no scan of component %d of %d", ErrTruncated, i+1, h.n)
		}
		if h.Progressive {
			d.reconstruct(c)
		}
		d.idct.flush()
		c.repeatEdges(&d.planes[i])
	}
	d.image.Planes = d.planes[:h.n]
	return &d.image, nil
}

// repeatEdges goes around the samples that the plane holds, where they lie at its edge.
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
