package jpeg

import (
	"errors"
	"fmt"
	"image"
	"math"
)

// repairing is what libjpeg keeps of a damaged file beside the decoder's own state.
type repairing struct {
	careful
	previous [4][smoothed]int8 // by component: bitsLeft as it was before its last scan
	lastGood int               // row of interleaved MCUs to which the last scan's data went
}

// repaired decodes a file that the fast way found damaged, or whose blocks libjpeg
// smooths: from its beginning, all of it, and as libjpeg-turbo 3 does with its
// default error handling. Where libjpeg gives up although the first scan has begun,
// the file ends. cause is the damage, nil for none; the errors that are left are those
// of the headers up to the first scan's.
func (d *Decoder) repaired(data []byte, region image.Rectangle, denominator int, cause error) (*Image, error) {
	m := &d.image
	d.reset()
	s, _, err := m.read(data, d)
	if err != nil {
		return nil, err
	}
	if err := d.allocate(s, math.MaxInt, region, denominator); err != nil {
		return nil, err
	}
	d.keepAll()
	r := &repairing{careful: careful{data: data}}
	for s.marker != mEOI {
		if d.canceled() {
			return nil, errCanceled
		}
		if s.marker == mSOS {
			r.pos = s.end
			if err := d.repairScan(r, s.body); err != nil {
				if d.scans == 1 || errors.Is(err, ErrUnsupported) {
					return nil, err
				}
				break
			}
			if !m.Progressive && d.scans == 1 && d.params.n == m.n {
				break // libjpeg makes such a picture in one pass, and reads no further
			}
		} else if r.pos = s.end; !d.repairSegment(s) {
			break
		}
		if s, err = r.segment(); err != nil {
			break
		}
	}
	for i := range m.n {
		if m.Progressive {
			d.reconstructSmooth(r, i)
		}
		d.idct.flush()
		d.comps[i].repeatEdges(&d.planes[i])
	}
	m.Planes = d.planes[:m.n]
	if cause != nil || d.lacksScans() {
		m.Warnings = max(r.warnings, 1)
	}
	return m, nil
}

// repairSegment reads a segment between scans; false where libjpeg gives up.
func (d *Decoder) repairSegment(s segment) bool {
	switch m := s.marker; {
	case m == mDHT:
		return d.repairHuffman(s.body)
	case m == mTEM, m >= mSOF0 && m <= mDRI, m >= mAPP0 && m <= mAPP15, m == mCOM:
		return d.image.segment(s) == nil && d.tables(s) == nil
	}
	return false
}

// repairHuffman is defineHuffman, but a table that makes no sense is an error only
// where it is used.
func (d *Decoder) repairHuffman(body []byte) bool {
	for len(body) >= 17 {
		end := 17
		for _, count := range body[1:17] {
			end += int(count)
		}
		if class, id := body[0]>>4, body[0]&15; end > 17+256 || end > len(body) || class > 1 || id > 3 {
			return false
		} else if d.defineHuffman(body[:end]) != nil {
			h := &[2]*[4]huffman{&d.dc, &d.ac}[class][id]
			h.defined, h.broken = false, true
		}
		body = body[end:]
	}
	return len(body) == 0
}

// keepAll follows allocate: samples are grey where no scan makes any, and of a
// progressive file the coefficients of all blocks are kept, of those too that only
// fill up MCUs: smoothing looks at them.
func (d *Decoder) keepAll() {
	for i := range d.image.n {
		c := &d.comps[i]
		if !d.image.Progressive {
			for k := range c.pix {
				c.pix[k] = 128
			}
			continue
		}
		c.coefs = c.coefs[:64*c.paddedW()*c.paddedH()]
		clear(c.coefs)
	}
}

// paddedW and paddedH are the blocks of a component in whole MCUs.
func (c *component) paddedW() int { return ceilDiv(c.blocksW, c.H) * c.H }
func (c *component) paddedH() int { return ceilDiv(c.blocksH, c.V) * c.V }

// repairScan decodes a scan, whatever it holds. Errors are those of its header.
func (d *Decoder) repairScan(r *repairing, body []byte) (err error) {
	if err := d.countScan(); err != nil {
		return err
	}
	p := &d.params
	if err = d.scanParams(p, body); err == nil && d.image.Progressive {
		p.kind, err = p.progressiveKind()
	}
	if err != nil {
		return fmt.Errorf("scan %d: %w", d.scans, err)
	}
	for i := range p.n {
		c := p.comps[i].component
		c.scanned = true
		if d.image.Progressive {
			r.progress(d, c, p)
		}
	}
	r.begin()
	d.resetScan(p)
	d.repairMCUs(r, p)
	return nil
}

// repairMCUs is mcus for damaged data.
func (d *Decoder) repairMCUs(r *repairing, p *scanParams) {
	h := &d.image.Header
	maxH, _ := h.MaxSampling()
	columns, perRow := ceilDiv(h.Width, 8*maxH), 1
	if p.n == 1 {
		columns, perRow = p.comps[0].blocksW, p.comps[0].V
	}
	left := h.RestartInterval
	for my := range p.mcuRows(h) {
		if d.canceled() {
			return
		}
		for mx := range columns {
			if !r.ended {
				r.lastGood = my / perRow
			}
			if h.RestartInterval > 0 {
				if left == 0 {
					r.restart()
					d.resetScan(p)
					left = h.RestartInterval
				}
				left--
			}
			if !r.ended {
				d.repairMCU(r, p, mx, my)
			} else if h.RestartInterval == 0 || r.atEnd() {
				return // nothing follows any more
			}
		}
	}
}

// repairMCU is mcu for damaged data.
func (d *Decoder) repairMCU(r *repairing, p *scanParams, mx, my int) {
	if p.kind == sequential {
		d.repairSequential(r, p, mx, my)
		return
	}
	for i := range p.n {
		c := &p.comps[i]
		for by := my * c.v; by < (my+1)*c.v; by++ {
			for bx := mx * c.h; bx < (mx+1)*c.h; bx++ {
				d.repairProgressive(r, p, c, c.paddedCoefs(bx, by))
			}
		}
	}
}

// fastBytes is how many bytes for each block libjpeg wants to have for its fast code.
const fastBytes = 512

// repairSequential is repairMCU of a sequential scan. libjpeg decodes such an MCU fast,
// where enough data follows; if that meets a marker, it does it again, slowly, on top of
// what the first time left. For fast code two bytes of 0xff are a marker, for slow code they
// are fill bytes: then it shows.
func (d *Decoder) repairSequential(r *repairing, p *scanParams, mx, my int) {
	var blocks [10][64]int16
	var preds [4]int32
	for i := range p.n {
		preds[i] = p.comps[i].pred
	}
	decode := func(r *careful) (n int) {
		for i := range p.n {
			c := &p.comps[i]
			c.pred = preds[i]
			for range c.v * c.h {
				r.block(c, &blocks[n])
				n++
			}
		}
		return n
	}
	before := r.careful
	r.filled = false
	n := decode(&r.careful)
	if r.filled && before.marker == 0 && len(r.data)-before.pos >= fastBytes*n {
		blocks = [10][64]int16{}
		fast := before
		fast.fast = true
		decode(&fast)
		r.careful = before
		decode(&r.careful)
	}
	n = 0
	for i := range p.n {
		c := &p.comps[i]
		w := &c.wanted
		for by := my * c.v; by < (my+1)*c.v; by++ {
			for bx := mx * c.h; bx < (mx+1)*c.h; bx++ {
				if bx >= w.Min.X && bx < w.Max.X && by >= w.Min.Y && by < w.Max.Y {
					d.transform(c.component, bx, by, &blocks[n])
				}
				n++
			}
		}
	}
}

// transform makes a block's samples of its coefficients in zigzag order.
func (d *Decoder) transform(c *component, bx, by int, coefs *[64]int16) {
	block := d.idct.next()
	for k, v := range coefs {
		if v != 0 {
			block.set(k, int(v), int(c.quant.q[k]))
		}
	}
	d.idct.put(c.pix[c.at+(by*c.stride+bx)*c.size:], c.stride, c.size)
}

// block is decodeBlock for damaged data: coefficients beyond the last are the last.
func (r *careful) block(c *scanComponent, coefs *[64]int16) {
	c.pred += r.value(uint(r.symbol(c.dc)))
	coefs[0] = int16(c.pred)
	for k := 1; k < 64; k++ {
		s := r.symbol(c.ac)
		run, size := int(s>>4), uint(s&15)
		if size == 0 && run != 15 {
			return
		}
		k += run
		if size != 0 {
			coefs[min(k, 63)] = int16(r.value(size))
		}
	}
}

// repairProgressive is progressiveBlock for damaged data: see jdphuff.c.
func (d *Decoder) repairProgressive(r *repairing, p *scanParams, c *scanComponent, coefs *[64]int16) {
	switch p.kind {
	case dcFirst:
		c.pred += r.value(uint(r.symbol(c.dc)))
		coefs[0] = int16(c.pred << p.bitsLo)
	case dcRefine:
		coefs[0] |= int16(r.take(1) << p.bitsLo)
	case acFirst:
		d.repairFirst(r, p, c.ac, coefs)
	default:
		d.repairRefine(r, p, c.ac, coefs)
	}
}

// repairFirst is acFirst for damaged data.
func (d *Decoder) repairFirst(r *repairing, p *scanParams, ac *huffman, coefs *[64]int16) {
	if d.eobRun > 0 {
		d.eobRun--
		return
	}
	for k := p.first; k <= p.last; k++ {
		s := r.symbol(ac)
		run, size := int(s>>4), uint(s&15)
		if size == 0 && run != 15 {
			d.eobRun = 1<<run + int(r.take(uint(run))) - 1
			return
		}
		k += run
		if size != 0 {
			coefs[min(k, 63)] = int16(r.value(size) << p.bitsLo)
		}
	}
}

// repairRefine is acRefine for damaged data.
func (d *Decoder) repairRefine(r *repairing, p *scanParams, ac *huffman, coefs *[64]int16) {
	one := int16(1) << p.bitsLo
	k := p.first
	if d.eobRun == 0 {
		for ; k <= p.last; k++ {
			s := r.symbol(ac)
			run, size := int(s>>4), uint(s&15)
			if size == 0 && run != 15 {
				d.eobRun = 1<<run + int(r.take(uint(run)))
				break
			}
			value := int16(0)
			if size != 0 {
				if size != 1 {
					r.warnings++
				}
				if value = -one; r.take(1) != 0 {
					value = one
				}
			}
			k = r.refine(coefs, k, p.last, run, one)
			if value != 0 {
				coefs[min(k, 63)] = value
			}
		}
	}
	if d.eobRun > 0 {
		r.refine(coefs, k, p.last, -1, one)
		d.eobRun--
	}
}

// refine is the function of that name; a bit that is set already isn't set again.
func (r *careful) refine(coefs *[64]int16, k, last, run int, one int16) int {
	for ; k <= last; k++ {
		switch v := coefs[k]; {
		case v == 0:
			if run == 0 {
				return k
			}
			run--
		case r.take(1) == 0 || v&one != 0:
		case v > 0:
			coefs[k] = v + one
		default:
			coefs[k] = v - one
		}
	}
	return k
}
