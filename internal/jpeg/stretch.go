package jpeg

// stretchBlocks is how many blocks a stretch may have: their coefficients take 6 kB.
const stretchBlocks = 48

// stretch is neighbouring MCUs in a row of a sequential scan whose blocks are all wanted in full, or
// all skipped. With assembly they are decoded one after the other into coefs, and then transformed, two
// of a component at a time.
type stretch struct {
	mcus   int // how many there may be; 0: not used
	perMCU int // blocks
	plan   [stretchBlocks]planned
	coefs  [stretchBlocks][64]int16 // as coded, in natural order
	last   [stretchBlocks]uint8     // zigzag position of the last one that may not be zero
}

// planned is which component a block is of, and its tables.
type planned struct {
	*component
	dc, ac *huffman
}

// begin plans the blocks of a scan's MCUs.
func (s *stretch) begin(p *scan) {
	s.mcus = 0
	if !useAssembly || p.kind != sequential {
		return
	}
	s.perMCU = p.blocks()
	for at := 0; at+s.perMCU <= len(s.plan); s.mcus++ {
		for i := range p.n {
			c := &p.comps[i]
			for range c.h * c.v {
				s.plan[at] = planned{c.component, c.dc, c.ac}
				at++
			}
		}
	}
	for i := range p.n {
		p.comps[i].tabulateFactors()
	}
}

// decode decodes n MCUs. It returns false where the data is damaged; behind its end there are zeros.
func (s *stretch) decode(b *bits, n int) bool {
	for i, blocks := 0, n*s.perMCU; i < blocks; i++ {
		left, at := decodeBlocksAVX2(b, &s.coefs[i], &s.last[i], &s.plan[i], blocks-i)
		if left == 0 {
			break
		}
		i = blocks - left
		if !b.finishBlock(&s.coefs[i], &s.last[i], &s.plan[i], at) {
			return false
		}
	}
	return true
}

// skip is decode without the coefficients.
func (s *stretch) skip(b *bits, n int) bool { return b.skipBlocks(s.plan[:n*s.perMCU]) }

func (b *bits) skipBlocks(plan []planned) bool {
	for len(plan) > 0 {
		left, at := skipBlocksAVX2(b, &plan[0], len(plan))
		if left == 0 {
			break
		}
		plan = plan[len(plan)-left:]
		var last uint8
		if !b.finishBlock(nil, &last, &plan[0], at) {
			return false
		}
		plan = plan[1:]
	}
	return true
}

// put transforms the blocks of n MCUs from (mx, my) on.
func (s *stretch) put(p *scan, t *idct, mx, my, n int) {
	block := 0
	for i := range p.n {
		c := &p.comps[i]
		at := c.at + (my*c.v*c.stride+mx*c.h)*c.size
		for range c.v {
			for x := range c.h {
				s.transform(c, t, c.pix[at+x*c.size:], block, n)
				block++
			}
			at += c.stride * c.size
		}
	}
}

// transform transforms one block of each of n MCUs, of component c, to dst and on.
func (s *stretch) transform(c *scanComponent, t *idct, dst []uint8, block, n int) {
	step := c.h * c.size
	if c.size != 8 {
		for ; n > 0; n-- {
			dequantized := s.dequantize(c, block)
			t.reduced(dst, c.stride, &dequantized, c.size)
			dst, block = dst[min(step, len(dst)):], block+s.perMCU
		}
		return
	}
	for ; n > 1; n -= 2 {
		s.pair(c, t, dst, dst[step:], block, block+s.perMCU)
		dst, block = dst[min(2*step, len(dst)):], block+2*s.perMCU
	}
	if n > 0 {
		s.pair(c, t, dst, dst, block, block)
	}
}

// pair transforms blocks i and j to first and second.
func (s *stretch) pair(c *scanComponent, t *idct, first, second []uint8, i, j int) {
	if s.last[i]|s.last[j] == 0 {
		a, b := int16(int32(s.coefs[i][0])*int32(c.factors[0])), int16(int32(s.coefs[j][0])*int32(c.factors[0]))
		if max(a, b) <= maxPlainSum && min(a, b) >= -maxPlainSum {
			flat(first, c.stride, a)
			flat(second, c.stride, b)
			return
		}
	}
	_, _ = first[7*c.stride+7], second[7*c.stride+7]
	if codedPairAVX2(&first[0], &second[0], c.stride, &s.coefs[i], &s.coefs[j], &c.factors) > maxPlainSum {
		a, b := s.dequantize(c, i), s.dequantize(c, j)
		t.one(first, c.stride, &a)
		t.one(second, c.stride, &b)
	}
}

func (s *stretch) dequantize(c *scanComponent, i int) (block coefBlock) {
	dequantizeAVX2(&block.words, &s.coefs[i], &c.factors)
	block.last = int(s.last[i])
	return block
}
