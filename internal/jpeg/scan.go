package jpeg

import (
	"errors"
	"fmt"
	"image"
)

// errData stands for invalid codes; scan says where they are.
var errData = errors.New("damaged entropy-coded data")

// scan is a scan's header (T.81, B.2.3), and what is known between its blocks.
type scan struct {
	kind           scanKind
	n              int
	comps          [4]scanComponent
	first, last    int  // band of coefficients in zigzag order: Ss, Se
	bitsHi, bitsLo uint // successive approximation: Ah, Al

	eobRun  int       // progressive: blocks whose band has ended
	padding [64]int16 // progressive: for the coefficients of blocks that aren't kept
}

// scanKind is how a scan's blocks are coded.
type scanKind int

const (
	sequential scanKind = iota
	dcFirst
	dcRefine
	acFirst
	acRefine
)

// scanComponent is a component of a scan: its tables, and its blocks per MCU.
type scanComponent struct {
	*component
	dc, ac *huffman
	h, v   int
}

// decodeScan decodes a scan, whose data is at the beginning of data, as far as it is wanted. It
// returns the number of bytes read.
func (d *Decoder) decodeScan(body, data []byte) (end int, err error) {
	if err := d.countScan(); err != nil {
		return 0, err
	}
	p := &d.scan
	if err = d.scanHeader(p, body); err == nil && d.image.Progressive {
		err = d.progressive(p)
	}
	if err != nil {
		return 0, fmt.Errorf("scan %d: %w", d.scans, err)
	}
	if p.first > 0 && d.image.Progressive && p.comps[0].size == 1 && !d.lenient && !d.Fill {
		d.rowSeeker.skip()
		return 0, nil // only DC coefficients count
	}
	b := &d.bits
	b.data, b.ended, b.filled = data, false, false
	b.jump(0)
	defer func() { b.data = nil }()
	if err := d.mcus(b, p); err != nil {
		if b.overrun() || b.short() && errors.Is(err, errData) {
			return 0, fmt.Errorf("%w: a scan ends before its last block", ErrTruncated)
		}
		return 0, fmt.Errorf("scan %d, %d bytes into it: %w", d.scans, b.consumed(), err)
	}
	for i := range p.n {
		c := p.comps[i].component
		c.scanned = c.scanned || p.first == 0
	}
	return b.consumed(), nil
}

// countScan refuses files with so many scans that decoding would take long. Encoders write
// about ten; jpegtran can be told to write many more.
func (d *Decoder) countScan() error {
	const always, pixels = 100, 1 << 30
	d.scans++
	h := &d.image.Header
	if d.scans > maxScans || d.scans > always && int64(d.scans)*int64(h.Width)*int64(h.Height) > pixels {
		return fmt.Errorf("%d scans of %dx%d pixels are %w (%d are, and up to %d of a small picture): save it as baseline JPEG",
			d.scans, h.Height, h.Width, ErrUnsupported, always, maxScans)
	}
	return nil
}

// scanHeader reads a scan header.
func (d *Decoder) scanHeader(p *scan, body []byte) error {
	if len(body) < 1 || len(body) != 4+2*int(body[0]) {
		return fmt.Errorf("its header has %d bytes", len(body))
	}
	n := int(body[0])
	if n < 1 || n > d.image.n {
		return fmt.Errorf("it has %d of %d components", n, d.image.n)
	}
	tail := body[1+2*n:]
	*p = scan{last: 63}
	if d.image.Progressive { // a sequential scan has all bits, whatever its header says (as libjpeg)
		p.first, p.last = int(tail[0]), int(tail[1])
		p.bitsHi, p.bitsLo = uint(tail[2]>>4), uint(tail[2]&15)
	}
	blocks := 0
	for i := range n {
		c, err := d.scanComponent(p, body[1+2*i], body[2+2*i])
		if err != nil {
			return err
		}
		if n == 1 { // not interleaved: blocks one by one (T.81, A.2.2)
			c.h, c.v = 1, 1
		}
		blocks += c.h * c.v
		p.comps[i], p.n = c, i+1
	}
	if blocks > 10 {
		return fmt.Errorf("an MCU has %d blocks, more than the 10 that ITU-T T.81 allows", blocks)
	}
	return nil
}

// scanComponent finds a scan's component by its id and takes its tables.
func (d *Decoder) scanComponent(p *scan, id, tables byte) (scanComponent, error) {
	c := scanComponent{}
	for i := range d.image.n {
		if d.comps[i].ID == id {
			c.component = &d.comps[i]
		}
	}
	if c.component == nil {
		return c, fmt.Errorf("it is of component %d, which the frame header doesn't have", id)
	}
	for _, other := range p.comps[:p.n] {
		if other.component == c.component {
			return c, fmt.Errorf("it has component %d twice", id)
		}
	}
	if !c.quant.defined {
		if !d.tables.quant[c.Tq].defined {
			return c, fmt.Errorf("quantization table %d is missing", c.Tq)
		}
		c.quant = d.tables.quant[c.Tq]
	}
	needDC, needAC := p.first == 0 && p.bitsHi == 0, p.last > 0
	dc, ac := int(tables>>4), int(tables&15)
	if needDC && dc > 3 || needAC && ac > 3 {
		return c, fmt.Errorf("component %d names the Huffman tables %d and %d of 0..3", id, dc, ac)
	}
	c.dc, c.ac, c.h, c.v = &d.tables.dc[dc&3], &d.tables.ac[ac&3], c.H, c.V
	if !d.image.Progressive {
		c.dc.useStandard(0, dc)
		c.ac.useStandard(1, ac)
		if useAssembly && !c.ac.pairing {
			c.ac.tabulatePairs()
		}
	}
	if needDC && !c.dc.defined || needAC && !c.ac.defined {
		return c, fmt.Errorf("a Huffman table of component %d is missing", id)
	}
	if !d.image.Progressive && c.scanned {
		return c, fmt.Errorf("component %d has a scan already", id)
	}
	return c, nil
}

// walk is the order in which a scan's MCUs are decoded or skipped (T.81, A.2). They are
// numbered row by row.
type walk struct {
	*scan
	columns       int             // MCUs in a row
	perRow        int             // rows of them in a row of interleaved ones
	end           int             // MCU after the last one to decode
	wanted, inner image.Rectangle // in MCUs: see wantedMCUs and innerMCUs
	seeker        seeker
	skips         bool // restart intervals without wanted MCUs are skipped
}

// mcus decodes a scan's MCUs up to the last one wanted, and the restart markers between them.
func (d *Decoder) mcus(b *bits, p *scan) (err error) {
	h := &d.image.Header
	maxH, maxV := h.MaxSampling()
	w := walk{scan: p, columns: ceilDiv(h.Width, 8*maxH), wanted: p.wantedMCUs()}
	if !d.lenient {
		w.inner = p.innerMCUs()
	}
	rows, perRow := ceilDiv(h.Height, 8*maxV), 1
	if p.n == 1 {
		w.columns, rows, perRow = p.comps[0].blocksW, p.comps[0].blocksH, p.comps[0].V
	}
	interval := h.RestartInterval
	switch {
	case d.allBlocks:
		w.end = rows * w.columns
	case h.Progressive:
		w.end = w.wanted.Max.Y * w.columns // later scans may have other restart intervals
	default:
		w.end = (w.wanted.Max.Y-1)*w.columns + w.wanted.Max.X
		w.skips = interval > 0
	}
	w.seeker = d.seeker(p, w.columns, rows)
	defer func(known int) { w.seeker.done(known, err) }(w.seeker.known())
	d.stretch.begin(p)
	p.reset()
	at := 0
	if w.perRow = perRow; h.Progressive {
		if interval > 0 {
			d.rowSeeker.skip()
		}
		at = d.rowSeeker.seek(b, p, d.scans-1) * perRow * w.columns
		defer d.rowSeeker.end()
	}
	for restarts := byte(0); at < w.end; {
		first, end := at, w.end
		if !b.ended {
			d.lastGood = at / w.columns / perRow
		}
		if interval > 0 {
			if at > 0 {
				if m := restarts & 7; !b.restart(m) && !d.lenient {
					return fmt.Errorf("no restart marker %d where it must be", m)
				}
				p.reset()
				restarts++
			}
			end = min(at+interval, w.end)
		}
		if at, err = d.interval(b, &w, at, end); err != nil {
			return err
		}
		if at > first+1 {
			d.lastGood = (at - 1) / w.columns / perRow
		}
		if b.ended && at < end {
			if interval == 0 || b.atEnd() {
				return nil
			}
			at = end
		}
	}
	return nil
}

// interval decodes the MCUs at <= i < end. A lenient decoder stops after the MCU in which the
// data ends. next is the number of the MCU after the last one decoded.
func (d *Decoder) interval(b *bits, w *walk, at, end int) (next int, err error) {
	if b.ended {
		return at, nil
	}
	if w.kind != sequential {
		return d.progressiveInterval(b, w, at, end)
	}
	for mx, my := at%w.columns, at/w.columns; at < end; at++ {
		if w.skips && nextWanted(w.wanted, w.columns, mx, my) >= end && end < w.end {
			b.skipToMarker()
			return end, nil
		}
		switch w.seeker.found(b, w.scan, at); {
		case isIn(mx, my, &w.inner):
			n := min(w.inner.Max.X-mx, end-at, d.stretch.mcus, w.seeker.ahead(at))
			if n > 1 {
				if !d.stretch.decode(b, n) {
					return at, errData
				}
				d.stretch.put(w.scan, &d.idct, mx, my, n)
				at, mx = at+n-1, mx+n-1
			} else if !w.innerMCU(b, &d.idct, mx, my) {
				return at, errData
			}
		case d.lenient:
			w.lenientMCU(b, &d.idct, mx, my)
		case !isIn(mx, my, &w.wanted):
			wanted := nextWanted(w.wanted, w.columns, mx, my)
			if to := w.seeker.seek(b, w.scan, at, wanted); to > at {
				at, mx, my = to-1, to%w.columns-1, to/w.columns
				break
			}
			if n := min(wanted-at, w.columns-mx, end-at, d.stretch.mcus, w.seeker.ahead(at)); n > 1 {
				if !d.stretch.skip(b, n) {
					return at, errData
				}
				at, mx = at+n-1, mx+n-1
				break
			}
			fallthrough
		default:
			if !w.mcu(b, &d.idct, mx, my) {
				return at, errData
			}
		}
		if b.overrun() {
			if !d.lenient {
				return at, errData
			}
			b.ended = true
			b.warnings++
			return at + 1, nil
		}
		if mx++; mx == w.columns {
			if mx, my = 0, my+1; d.canceled() {
				return at, errCanceled
			}
		}
	}
	return at, nil
}

// wantedMCUs is the MCUs that have wanted blocks.
func (p *scan) wantedMCUs() (r image.Rectangle) {
	for i := range p.n {
		c := &p.comps[i]
		w := c.wanted
		r = r.Union(image.Rect(w.Min.X/c.h, w.Min.Y/c.v, ceilDiv(w.Max.X, c.h), ceilDiv(w.Max.Y, c.v)))
	}
	return r
}

// innerMCUs is the MCUs of a sequential scan whose blocks are all wanted, and are transformed
// from more than their DC coefficients.
func (p *scan) innerMCUs() image.Rectangle {
	r := p.wantedMCUs()
	for i := range p.n {
		c := &p.comps[i]
		w := c.wanted
		if p.kind != sequential || c.size == 1 {
			return image.Rectangle{}
		}
		r = r.Intersect(image.Rectangle{image.Pt(ceilDiv(w.Min.X, c.h), ceilDiv(w.Min.Y, c.v)), image.Pt(w.Max.X/c.h, w.Max.Y/c.v)})
	}
	return r
}

// innerMCU is mcu for those.
func (p *scan) innerMCU(b *bits, t *idct, mx, my int) bool {
	for i := range p.n {
		c := &p.comps[i]
		at := c.at + (my*c.v*c.stride+mx*c.h)*c.size
		for range c.v {
			for x := range c.h {
				if !b.decodeBlock(t.next(), c) {
					return false
				}
				t.put(c.pix[at+x*c.size:], c.stride, c.size)
			}
			at += c.stride * c.size
		}
	}
	return true
}

// nextWanted is the number of the first wanted MCU from (mx, my) on; beyond the last one if
// there is none.
func nextWanted(wanted image.Rectangle, columns, mx, my int) int {
	if mx >= wanted.Max.X {
		mx, my = 0, my+1
	}
	if my < wanted.Min.Y {
		mx, my = 0, wanted.Min.Y
	}
	return my*columns + max(mx, wanted.Min.X)
}

// mcu decodes the blocks of an MCU of a sequential scan. Those that only fill it up lie outside of their plane.
func (p *scan) mcu(b *bits, t *idct, mx, my int) bool {
	for i := range p.n {
		c := &p.comps[i]
		for by := my * c.v; by < (my+1)*c.v; by++ {
			for bx := mx * c.h; bx < (mx+1)*c.h; bx++ {
				w := &c.wanted
				if bx < w.Min.X || bx >= w.Max.X || by < w.Min.Y || by >= w.Max.Y {
					if !b.skipBlock(c) {
						return false
					}
					continue
				}
				if c.size == 1 { // only DC coefficients count
					if !b.skipBlock(c) {
						return false
					}
					c.pix[c.at+by*c.stride+bx] = single(int16(int(int16(c.pred)) * int(c.quant.q[0])))
					continue
				}
				if !b.decodeBlock(t.next(), c) {
					return false
				}
				t.put(c.pix[c.at+(by*c.stride+bx)*c.size:], c.stride, c.size)
			}
		}
	}
	return true
}

// reset resets the state that a scan and a restart interval begin with.
func (p *scan) reset() {
	for i := range p.n {
		p.comps[i].pred = 0
	}
	p.eobRun = 0
}
