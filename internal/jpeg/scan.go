package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errData stands for codes that make no sense; scan says where.
var errData = errors.New("damaged entropy-coded data")

// scanParams is a scan header (T.81, B.2.3).
type scanParams struct {
	comps          []scanComponent
	first, last    int  // band of coefficients in zigzag order: Ss, Se
	bitsHi, bitsLo uint // successive approximation: Ah, Al
}

// scanComponent is a component of a scan: its tables, and its blocks in an MCU.
type scanComponent struct {
	*component
	dc, ac *huffman
	h, v   int
}

// blockFunc decodes the block in column bx and row by of a component; blocks that
// only fill up an MCU lie outside of its plane.
type blockFunc func(b *bits, c *scanComponent, bx, by int) error

// scan decodes a scan's data, the beginning of data, and returns where it ends.
func (d *decoder) scan(body, data []byte) (end int, err error) {
	if d.scans++; d.scans > maxScans {
		return 0, fmt.Errorf("JPEG with more than %d scans is %w", maxScans, ErrUnsupported)
	}
	p, err := d.scanParams(body)
	if err != nil {
		return 0, fmt.Errorf("scan %d: %w", d.scans, err)
	}
	decode := d.sequential
	if d.header.Progressive {
		if decode, err = d.progressive(p); err != nil {
			return 0, fmt.Errorf("scan %d: %w", d.scans, err)
		}
	}
	b := bits{data: data}
	if err := d.mcus(&b, p, decode); err != nil {
		if b.overrun() || b.ended() && errors.Is(err, errData) {
			return 0, fmt.Errorf("%w: a scan ends before its last block", ErrTruncated)
		}
		return 0, fmt.Errorf("scan %d, %d bytes into it: %w", d.scans, b.pos, err)
	}
	for _, c := range p.comps {
		c.scanned = c.scanned || p.first == 0
	}
	return b.pos, nil
}

// scanParams reads a scan header.
func (d *decoder) scanParams(body []byte) (*scanParams, error) {
	if len(body) < 1 || len(body) != 4+2*int(body[0]) {
		return nil, fmt.Errorf("its header has %d bytes", len(body))
	}
	n := int(body[0])
	if n < 1 || n > len(d.comps) {
		return nil, fmt.Errorf("it has %d of %d components", n, len(d.comps))
	}
	tail := body[1+2*n:]
	p := &scanParams{last: 63}
	if d.header.Progressive { // a sequential scan has all; libjpeg ignores what it says
		p.first, p.last = int(tail[0]), int(tail[1])
		p.bitsHi, p.bitsLo = uint(tail[2]>>4), uint(tail[2]&15)
	}
	blocks := 0
	for i := range n {
		c, err := d.scanComponent(p, body[1+2*i], body[2+2*i])
		if err != nil {
			return nil, err
		}
		if n == 1 { // not interleaved: blocks one by one (T.81, A.2.2)
			c.h, c.v = 1, 1
		}
		blocks += c.h * c.v
		p.comps = append(p.comps, c)
	}
	if blocks > 10 {
		return nil, fmt.Errorf("an MCU has %d blocks, more than the 10 that ITU-T T.81 allows", blocks)
	}
	return p, nil
}

// scanComponent finds a scan's component by its id and takes its tables.
func (d *decoder) scanComponent(p *scanParams, id, tables byte) (scanComponent, error) {
	c := scanComponent{}
	for i := range d.comps {
		if d.comps[i].ID == id {
			c.component = &d.comps[i]
		}
	}
	if c.component == nil {
		return c, fmt.Errorf("it is of component %d, which the frame header doesn't have", id)
	}
	for _, other := range p.comps {
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
	if tables>>4 > 3 || tables&15 > 3 {
		return c, fmt.Errorf("component %d names the Huffman tables %d and %d of 0..3", id, tables>>4, tables&15)
	}
	c.dc, c.ac, c.h, c.v = &d.dc[tables>>4], &d.ac[tables&15], c.H, c.V
	needDC, needAC := p.first == 0 && p.bitsHi == 0, p.last > 0
	if needDC && !c.dc.defined || needAC && !c.ac.defined {
		return c, fmt.Errorf("a Huffman table of component %d is missing", id)
	}
	if !d.header.Progressive && c.scanned {
		return c, fmt.Errorf("component %d has a scan already", id)
	}
	return c, nil
}

// mcus walks over the MCUs of a scan (T.81, A.2) and the restart markers between them.
func (d *decoder) mcus(b *bits, p *scanParams, decode blockFunc) error {
	maxH, maxV := d.header.MaxSampling()
	columns, rows := ceilDiv(d.header.Width, 8*maxH), ceilDiv(d.header.Height, 8*maxV)
	if len(p.comps) == 1 {
		columns, rows = p.comps[0].blocksW, p.comps[0].blocksH
	}
	d.resetScan(p)
	interval, restarts := d.header.RestartInterval, 0
	left := interval
	for my := range rows {
		for mx := range columns {
			if interval > 0 {
				if left == 0 {
					if !b.restart(restarts & 7) {
						return fmt.Errorf("no restart marker %d where it must be", restarts&7)
					}
					d.resetScan(p)
					restarts++
					left = interval
				}
				left--
			}
			for i := range p.comps {
				c := &p.comps[i]
				for v := range c.v {
					for h := range c.h {
						if err := decode(b, c, mx*c.h+h, my*c.v+v); err != nil {
							return err
						}
					}
				}
			}
			if b.overrun() {
				return errData
			}
		}
	}
	return nil
}

// resetScan is what happens at the begin of a scan and at restarts.
func (d *decoder) resetScan(p *scanParams) {
	for _, c := range p.comps {
		c.pred = 0
	}
	d.eobRun = 0
}

// sequential is the blockFunc of baseline and extended sequential files.
func (d *decoder) sequential(b *bits, c *scanComponent, bx, by int) error {
	if !b.decodeBlock(&d.block, c) {
		return errData
	}
	if bx < c.blocksW && by < c.blocksH {
		d.idct.block(c.plane.Pix[8*(by*c.plane.Stride+bx):], c.plane.Stride, &d.block)
	}
	d.block = coefBlock{}
	return nil
}

// decodeBlock decodes the coefficients of a block (T.81, F.2.2), dequantized and
// in natural order. It takes nearly all of an image's entropy decoding, so the
// reader's state is kept in variables and fill's first half is repeated here.
func (b *bits) decodeBlock(block *coefBlock, c *scanComponent) bool {
	e, diff := c.dc.symbol(b)
	if e == 0 {
		return false
	}
	c.pred += diff
	q := &c.quant.q
	block.set(0, int(int16(c.pred)), int(q[0]))

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
		block.set(k, int(value), int(q[k]))
	}
	b.pos, b.acc, b.n = pos, acc, n
	return true
}
