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

// decodeBlockFast is decodeBlock in assembly.
func (b *bits) decodeBlockFast(block *coefBlock, c *scanComponent) bool {
	var coefs [64]int16
	var last [1]uint8
	p := [1]planned{{c.component, c.dc, c.ac}}
	if left, at := decodeBlocksAVX2(b, &coefs, &last[0], &p[0], 1); left > 0 {
		if !b.finishBlock(&coefs, &last[0], &p[0], at) {
			return false
		}
	}
	block.last = int(last[0])
	dequantizeAVX2(&block.words, &coefs, &c.factors)
	return true
}

// finishBlock decodes the rest of a block in which assembly has stopped: near the end of the data,
// and at what no table has. coefs is nil for a block that is skipped.
func (b *bits) finishBlock(coefs *[64]int16, last *uint8, p *planned, at int) bool {
	if at == noBlock {
		e, diff := p.dc.symbol(b)
		if e == 0 && !b.badCode() {
			return false
		}
		p.pred += diff
		if coefs != nil {
			coefs[0] = int16(p.pred)
		}
		at = 1
	}
	end := uint8(at - 1)
	for k := at; k < 64; k++ {
		e, value := p.ac.symbol(b)
		if e == 0 {
			*last = end
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
			if !b.lenient {
				return false
			}
			k = 63
		}
		if coefs != nil {
			coefs[zigzag[k&63]] = int16(value)
		}
		end = uint8(k)
	}
	*last = end
	return true
}

// skipBlock decodes only a block's DC difference.
func (b *bits) skipBlock(c *scanComponent) bool {
	if useAssembly {
		p := [1]planned{{c.component, c.dc, c.ac}}
		return b.skipBlocks(p[:])
	}
	e, diff := c.dc.symbol(b)
	if e == 0 && !b.badCode() {
		return false
	}
	c.pred += diff

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
