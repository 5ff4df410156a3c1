package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
)

// errData stands for codes that make no sense; scan says where.
var errData = errors.New("damaged entropy-coded data")

// scanParams is a scan header (T.81, B.2.3).
type scanParams struct {
	kind           scanKind
	n              int
	comps          [4]scanComponent
	first, last    int  // band of coefficients in zigzag order: Ss, Se
	bitsHi, bitsLo uint // successive approximation: Ah, Al
}

// scanKind says how a scan's blocks are coded.
type scanKind int

const (
	sequential scanKind = iota
	dcFirst
	dcRefine
	acFirst
	acRefine
)

// scanComponent is a component of a scan: its tables, and its blocks in an MCU.
type scanComponent struct {
	*component
	dc, ac *huffman
	h, v   int
}

// scan decodes a scan's data, the beginning of data, as far as it is wanted, and
// returns how far it came.
func (d *Decoder) scan(body, data []byte) (end int, err error) {
	if err := d.countScan(); err != nil {
		return 0, err
	}
	p := &d.params
	if err := d.scanParams(p, body); err != nil {
		return 0, fmt.Errorf("scan %d: %w", d.scans, err)
	}
	if d.image.Progressive {
		if p.kind, err = d.progressive(p); err != nil {
			return 0, fmt.Errorf("scan %d: %w", d.scans, err)
		}
	}
	b := &d.bits
	*b = bits{data: data}
	defer func() { b.data = nil }()
	if err := d.mcus(b, p); err != nil {
		if b.overrun() || b.ended() && errors.Is(err, errData) {
			return 0, fmt.Errorf("%w: a scan ends before its last block", ErrTruncated)
		}
		return 0, fmt.Errorf("scan %d, %d bytes into it: %w", d.scans, b.pos, err)
	}
	for i := range p.n {
		c := p.comps[i].component
		c.scanned = c.scanned || p.first == 0
	}
	return b.pos, nil
}

// countScan refuses files whose scans would keep a decoder busy for long. Encoders write
// about ten; a script may ask jpegtran for many more.
func (d *Decoder) countScan() error {
	const always, pixels = 100, 1 << 30
	d.scans++
	h := &d.image.Header
	if d.scans > maxScans || d.scans > always && int64(d.scans)*int64(h.Width)*int64(h.Height) > pixels {
		return fmt.Errorf("%d scans of %dx%d pixels are %w (%d are, and up to %d of a small picture): write it anew, as baseline JPEG",
			d.scans, h.Height, h.Width, ErrUnsupported, always, maxScans)
	}
	return nil
}

// scanParams reads a scan header.
func (d *Decoder) scanParams(p *scanParams, body []byte) error {
	if len(body) < 1 || len(body) != 4+2*int(body[0]) {
		return fmt.Errorf("its header has %d bytes", len(body))
	}
	n := int(body[0])
	if n < 1 || n > d.image.n {
		return fmt.Errorf("it has %d of %d components", n, d.image.n)
	}
	tail := body[1+2*n:]
	*p = scanParams{last: 63}
	if d.image.Progressive { // a sequential scan has all; libjpeg ignores what it says
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
func (d *Decoder) scanComponent(p *scanParams, id, tables byte) (scanComponent, error) {
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
		if !d.quant[c.Tq].defined {
			return c, fmt.Errorf("quantization table %d is missing", c.Tq)
		}
		c.quant = d.quant[c.Tq]
	}
	needDC, needAC := p.first == 0 && p.bitsHi == 0, p.last > 0
	dc, ac := int(tables>>4), int(tables&15)
	if needDC && dc > 3 || needAC && ac > 3 {
		return c, fmt.Errorf("component %d names the Huffman tables %d and %d of 0..3", id, dc, ac)
	}
	c.dc, c.ac, c.h, c.v = &d.dc[dc&3], &d.ac[ac&3], c.H, c.V
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

// mcus walks over the MCUs of a scan (T.81, A.2) and the restart markers between
// them, down to the last that is wanted.
func (d *Decoder) mcus(b *bits, p *scanParams) (err error) {
	h := &d.image.Header
	maxH, _ := h.MaxSampling()
	columns := ceilDiv(h.Width, 8*maxH)
	if p.n == 1 {
		columns = p.comps[0].blocksW
	}
	wanted := p.wanted()
	whole := p.whole()
	interval, restarts := h.RestartInterval, 0
	d.resetScan(p)
	_, maxV := h.MaxSampling()
	seeker := d.seeker(p, columns, ceilDiv(h.Height, 8*maxV))
	defer func(known int) { seeker.done(known, err) }(seeker.known())
	// at counts MCUs; stop is one more than the last wanted, and end one more than
	// the last before the next restart marker or stop.
	stop := (wanted.Max.Y-1)*columns + wanted.Max.X
	if h.Progressive {
		stop = wanted.Max.Y * columns // later scans may have other intervals
	}
	if d.whole {
		stop = p.mcuRows(h) * columns
	}
	for at := 0; at < stop; {
		end := stop
		if interval > 0 {
			if at > 0 {
				if !b.restart(restarts & 7) {
					return fmt.Errorf("no restart marker %d where it must be", restarts&7)
				}
				d.resetScan(p)
				restarts++
			}
			end = min(at+interval, stop)
		}
		for mx, my := at%columns, at/columns; at < end; at++ {
			if interval > 0 && !h.Progressive && !d.whole && nextWanted(wanted, columns, mx, my) >= end && end < stop {
				at = end
				b.skipToMarker()
				break
			}
			switch seeker.found(b, p, at); {
			case isIn(mx, my, &whole):
				if !d.wholeMCU(b, p, mx, my) {
					return errData
				}
			case !isIn(mx, my, &wanted):
				if to := seeker.seek(b, p, at, nextWanted(wanted, columns, mx, my)); to > at {
					at, mx, my = to-1, to%columns-1, to/columns
					break
				}
				fallthrough
			default:
				if err := d.mcu(b, p, mx, my); err != nil {
					return err
				}
			}
			if b.overrun() {
				return errData
			}
			if mx++; mx == columns {
				if mx, my = 0, my+1; d.canceled() {
					return errCanceled
				}
			}
		}
	}
	return nil
}

// mcuRows is the rows of MCUs that a scan has.
func (p *scanParams) mcuRows(h *Header) int {
	if p.n == 1 {
		return p.comps[0].blocksH
	}
	_, maxV := h.MaxSampling()
	return ceilDiv(h.Height, 8*maxV)
}

// wanted is the MCUs that have wanted blocks.
func (p *scanParams) wanted() (r image.Rectangle) {
	for i := range p.n {
		c := &p.comps[i]
		w := c.wanted
		r = r.Union(image.Rect(w.Min.X/c.h, w.Min.Y/c.v, ceilDiv(w.Max.X, c.h), ceilDiv(w.Max.Y, c.v)))
	}
	return r
}

// whole is the MCUs of a sequential scan whose blocks are all wanted, and to be made of
// more than their DC coefficients.
func (p *scanParams) whole() image.Rectangle {
	r := p.wanted()
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

// wholeMCU is mcu of those.
func (d *Decoder) wholeMCU(b *bits, p *scanParams, mx, my int) bool {
	for i := range p.n {
		c := &p.comps[i]
		at := c.at + (my*c.v*c.stride+mx*c.h)*c.size
		for range c.v {
			for x := range c.h {
				if !b.decodeBlock(d.idct.next(), c) {
					return false
				}
				d.idct.put(c.pix[at+x*c.size:], c.stride, c.size)
			}
			at += c.stride * c.size
		}
	}
	return true
}

// nextWanted is the number of the first wanted MCU from (mx, my) on; one more than
// the last if none is left.
func nextWanted(wanted image.Rectangle, columns, mx, my int) int {
	if mx >= wanted.Max.X {
		mx, my = 0, my+1
	}
	if my < wanted.Min.Y {
		mx, my = 0, wanted.Min.Y
	}
	return my*columns + max(mx, wanted.Min.X)
}

// mcu decodes the blocks of an MCU; those that only fill it up lie outside of their
// plane.
func (d *Decoder) mcu(b *bits, p *scanParams, mx, my int) error {
	for i := range p.n {
		c := &p.comps[i]
		for by := my * c.v; by < (my+1)*c.v; by++ {
			for bx := mx * c.h; bx < (mx+1)*c.h; bx++ {
				if p.kind != sequential {
					if err := d.progressiveBlock(b, p, c, bx, by); err != nil {
						return err
					}
					continue
				}
				w := &c.wanted
				if bx < w.Min.X || bx >= w.Max.X || by < w.Min.Y || by >= w.Max.Y {
					if !b.skipBlock(c) {
						return errData
					}
					continue
				}
				if c.size == 1 { // only DC coefficients count
					if !b.skipBlock(c) {
						return errData
					}
					c.pix[c.at+by*c.stride+bx] = single(int16(int(int16(c.pred)) * int(c.quant.q[0])))
					continue
				}
				if !b.decodeBlock(d.idct.next(), c) {
					return errData
				}
				d.idct.put(c.pix[c.at+(by*c.stride+bx)*c.size:], c.stride, c.size)
			}
		}
	}
	return nil
}

// resetScan is what happens at the begin of a scan and at restarts.
func (d *Decoder) resetScan(p *scanParams) {
	for i := range p.n {
		p.comps[i].pred = 0
	}
	d.eobRun = 0
}

// decodeBlock decodes the coefficients of a block (T.81, F.2.2), dequantized and
// in natural order. It takes nearly all of an image's entropy decoding, so the
// reader's state is kept in variables and fill's first half is repeated here.
func (b *bits) decodeBlock(block *coefBlock, c *scanComponent) bool {
	if useAssembly {
		return b.decodeBlockFast(block, c)
	}
	e, diff := c.dc.symbol(b)
	if e == 0 {
		return false
	}
	c.pred += diff
	q := &c.quant.q
	block.set(0, int(int16(c.pred)), int(q[0]))
	sum, last := block.sum, 0

	lut := &c.ac.lut
	data, pos, acc, n := b.data, b.pos, b.acc, b.n
	for k := 1; k < 64; k++ {
		if n < minBits {
			fast := false
			if rest := data[pos:]; len(rest) >= 8 {
				if v := binary.BigEndian.Uint64(rest); (^v-lowBits)&v&highBits == 0 {
					acc |= v >> (n & 63)
					pos += int((63 - n) >> 3)
					n |= 56
					fast = true
				}
			}
			if !fast {
				b.pos, b.acc, b.n = pos, acc, n
				b.fillSlow()
				pos, acc, n = b.pos, b.acc, b.n
			}
		}
		e := lut[acc>>(64-lutBits)]
		if e == 0 {
			if e = c.ac.long(acc); e == 0 {
				b.pos, b.acc, b.n = pos, acc, n
				return false
			}
		}
		acc <<= e.length() & 63
		n -= e.length()
		value := e.value()
		if size := e.size(); size != 0 {
			value = extend(int32(acc>>((64-size)&63)), size)
			acc <<= size
			n -= size
		} else if value == 0 {
			if e.run() != 15 {
				break // end of block
			}
			k += 15
			continue
		}
		k += e.run()
		if k > 63 {
			b.pos, b.acc, b.n = pos, acc, n
			return false
		}
		p := int64(value) * int64(q[k&63]) // as coefBlock.set
		slot := slots[k&63]
		block.words[slot&15] |= uint64(uint16(p)) << (slot & 48)
		sum += p ^ p>>63
		last = k
	}
	b.pos, b.acc, b.n = pos, acc, n
	block.sum, block.last = sum, last
	return true
}

// decodeBlockFast has assembly decode as much of a block as it can: it leaves what
// comes near the end of the data, and codes longer than lutBits.
func (b *bits) decodeBlockFast(block *coefBlock, c *scanComponent) bool {
	last := decodeBlockAVX2(b, &block.words, c.component, c.dc, c.ac)
	if last >= 0 {
		block.last = last
		return true
	}
	block.last = -last - 1
	if last == noBlock {
		e, diff := c.dc.symbol(b)
		if e == 0 {
			return false
		}
		c.pred += diff
		block.set(0, int(int16(c.pred)), int(c.quant.q[0]))
	}
	return b.rest(block, c, block.last+1)
}

// rest decodes the coefficients from k on, one by one; block may be nil.
func (b *bits) rest(block *coefBlock, c *scanComponent, k int) bool {
	for ; k < 64; k++ {
		e, value := c.ac.symbol(b)
		if e == 0 {
			return false
		}
		if value == 0 {
			if e.run() != 15 {
				break // end of block
			}
			k += 15
			continue
		}
		if k += e.run(); k > 63 {
			return false
		}
		if block != nil {
			block.set(k, int(value), int(c.quant.q[k&63]))
		}
	}
	return true
}

// skipBlock passes over a block, but for its DC difference.
func (b *bits) skipBlock(c *scanComponent) bool {
	if useAssembly {
		if last := skipBlockAVX2(b, c.component, c.dc, c.ac); last != noBlock {
			return last >= 0 || b.rest(nil, c, -last)
		}
	}
	e, diff := c.dc.symbol(b)
	if e == 0 {
		return false
	}
	c.pred += diff
	if useAssembly {
		return b.rest(nil, c, 1)
	}

	if !c.ac.skipping {
		c.ac.tabulateSkips()
	}
	skips := &c.ac.skips
	data, pos, acc, n := b.data, b.pos, b.acc, b.n
	for k := 1; k < 64; {
		if n < minBits {
			fast := false
			if rest := data[pos:]; len(rest) >= 8 {
				if v := binary.BigEndian.Uint64(rest); (^v-lowBits)&v&highBits == 0 {
					acc |= v >> (n & 63)
					pos += int((63 - n) >> 3)
					n |= 56
					fast = true
				}
			}
			if !fast {
				b.pos, b.acc, b.n = pos, acc, n
				b.fillSlow()
				pos, acc, n = b.pos, b.acc, b.n
			}
		}
		e := skips[acc>>(64-lutBits)]
		if next := k + int(e>>8&0xff); e != 0 && next < 64 {
			acc <<= e & 63
			n -= uint(e & 63)
			if e >= 1<<16 {
				break
			}
			k = next
			continue
		}
		// One by one: the last of the codes that were looked up may be the next block's.
		b.pos, b.acc, b.n = pos, acc, n
		e1, value := c.ac.symbol(b)
		pos, acc, n = b.pos, b.acc, b.n
		if e1 == 0 {
			return false
		}
		if value == 0 && e1.run() != 15 {
			return true // end of block
		}
		if k += e1.run() + 1; k > 64 && value != 0 {
			return false
		}
	}
	b.pos, b.acc, b.n = pos, acc, n
	return true
}
