package jpeg

import "encoding/binary"

// decodeBlock decodes the coefficients of a block (T.81, F.2.2), dequantized and
// in natural order. Nearly all time of entropy decoding is spent here, so the reader's
// state is kept in variables and fill's first half is repeated.
func (b *bits) decodeBlock(block *coefBlock, c *scanComponent) bool {
	if useAssembly {
		return b.decodeBlockFast(block, c)
	}
	e, diff := c.dc.symbol(b)
	if e == 0 && !b.badCode() {
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
				block.sum, block.last = sum, last
				return b.badCode()
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
			block.sum, block.last = sum, last
			return b.pastEnd(block, int(value), int(q[63]))
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

// decodeBlockFast is decodeBlock in assembly, which stops near the end of the data and at
// codes longer than lutBits; plain Go does the rest.
func (b *bits) decodeBlockFast(block *coefBlock, c *scanComponent) bool {
	last := decodeBlockAVX2(b, &block.words, c.component, c.dc, c.ac)
	if last >= 0 {
		block.last = last
		return true
	}
	block.last = -last - 1
	if last == noBlock {
		e, diff := c.dc.symbol(b)
		if e == 0 && !b.badCode() {
			return false
		}
		c.pred += diff
		block.set(0, int(int16(c.pred)), int(c.quant.q[0]))
	}
	return b.decodeRest(block, c, block.last+1)
}

// decodeRest decodes the coefficients from k on, one by one; block may be nil.
func (b *bits) decodeRest(block *coefBlock, c *scanComponent, k int) bool {
	for ; k < 64; k++ {
		e, value := c.ac.symbol(b)
		if e == 0 {
			return b.badCode()
		}
		if value == 0 {
			if e.run() != 15 {
				break // end of block
			}
			k += 15
			continue
		}
		if k += e.run(); k > 63 {
			return b.pastEnd(block, int(value), int(c.quant.q[63]))
		}
		if block != nil {
			block.set(k, int(value), int(c.quant.q[k&63]))
		}
	}
	return true
}

// skipBlock decodes only a block's DC difference.
func (b *bits) skipBlock(c *scanComponent) bool {
	if useAssembly {
		if last := skipBlockAVX2(b, c.component, c.dc, c.ac); last != noBlock {
			return last >= 0 || b.decodeRest(nil, c, -last)
		}
	}
	e, diff := c.dc.symbol(b)
	if e == 0 && !b.badCode() {
		return false
	}
	c.pred += diff
	if useAssembly {
		return b.decodeRest(nil, c, 1)
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
			return b.badCode()
		}
		if value == 0 && e1.run() != 15 {
			return true // end of block
		}
		if k += e1.run() + 1; k > 64 && value != 0 {
			return b.lenient
		}
	}
	b.pos, b.acc, b.n = pos, acc, n
	return true
}
