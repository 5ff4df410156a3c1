package jpeg

import mathbits "math/bits"

// An AC scan decodes a band of coefficients, first to last in zigzag order, of the blocks of
// one component. Which of a block's coefficients are not zero is kept as bits: a refining scan goes from
// one to the next, and of a block whose values nobody wants it needs nothing else.

// bands decodes the scan's contribution to the blocks bx <= i < end of row by.
func (p *scan) bands(b *bits, c *scanComponent, by, bx, end int) bool {
	row := c.nonzero[by*c.across:]
	left, right := c.kept.Min.X, c.kept.Max.X
	if by < c.kept.Min.Y || by >= c.kept.Max.Y {
		left, right = end, end
	}
	for bx < end {
		// A part of the row whose values are kept, or not.
		stop, coefs := end, []int16(nil)
		switch {
		case bx < left:
			stop = min(end, left)
		case bx < right:
			stop = min(end, right)
			coefs = c.coefs[64*((by-c.kept.Min.Y)*c.kept.Dx()+bx-left):]
		}
		if p.kind == acFirst && !p.acFirst(b, c.ac, row[bx:stop], coefs) ||
			p.kind == acRefine && !p.acRefine(b, c.ac, row[bx:stop], coefs) {
			return false
		}
		bx = stop
	}
	return true
}

// endOfBand reads for how many blocks, this one included, the band has ended: EOBn
// (T.81, table G.1).
func endOfBand(b *bits, n int) int {
	return 1<<n + int(b.take(uint(n)))
}

// band is a row of blocks of an AC scan, for assembly.
type band struct {
	coefs       *[64]int16 // of the first block that is left
	step        int        // bytes from a block's to the next; 0: nobody wants their values
	nonzero     *uint64
	blocks      int // how many are left
	ended       int // in how many of them the band has ended
	first, last int
	low         uint
	one         uint64 // 1 << low
	mask        uint64 // of the band
	deposits    bool
}

// fast decodes blocks in assembly from the i-th on, and returns where plain Go has to go on.
func (p *scan) fast(b *bits, ac *huffman, nonzero []uint64, coefs []int16, i int) int {
	if !useAssembly || b.lenient || p.bitsLo > 5 { // a value of 10 bits stays within 16
		return i
	}
	s := band{
		coefs: &p.padding, nonzero: &nonzero[i], blocks: len(nonzero) - i, ended: p.eobRun,
		first: p.first, last: p.last, low: p.bitsLo, one: 1 << p.bitsLo, mask: p.mask(),
		deposits: fastDeposits,
	}
	if coefs != nil {
		s.coefs, s.step = (*[64]int16)(coefs[64*i:]), 128
		_ = coefs[64*len(nonzero)-1]
	}
	if p.kind == acFirst {
		acFirstAVX2(b, &s, ac)
	} else {
		acRefineAVX2(b, &s, ac)
	}
	p.eobRun = s.ended
	return len(nonzero) - s.blocks
}

// mask is the band as bits.
func (p *scan) mask() uint64 {
	return uint64(1)<<(p.last+1) - 1<<p.first // shifted by 64 it is 0: all ones from first on
}

// acFirst decodes the first scan of a band (T.81, G.1.2.2). coefs is nil where they aren't kept.
func (p *scan) acFirst(b *bits, ac *huffman, nonzero []uint64, coefs []int16) bool {
	for i := 0; i < len(nonzero); i++ {
		if i = p.fast(b, ac, nonzero, coefs, i); i == len(nonzero) {
			break
		}
		if p.eobRun > 0 {
			n := min(p.eobRun, len(nonzero)-i)
			p.eobRun -= n
			i += n - 1
			continue
		}
		block := &p.padding
		if coefs != nil {
			block = (*[64]int16)(coefs[64*i:])
		}
		if !p.acFirstBlock(b, ac, &nonzero[i], block) {
			return false
		}
	}
	return true
}

func (p *scan) acFirstBlock(b *bits, ac *huffman, nonzero *uint64, coefs *[64]int16) bool {
	bitmap, last, lo := *nonzero, p.last, p.bitsLo
	for k := p.first; k <= last; k++ {
		e, value := ac.symbol(b)
		switch {
		case e == 0:
			*nonzero = bitmap
			return b.badCode()
		case value != 0:
			if k += e.run(); k > last && !b.lenient {
				return false
			}
			at := min(k, 63)
			v := int16(value << lo)
			coefs[zigzag[at]] = v
			bitmap &^= 1 << at
			if v != 0 {
				bitmap |= 1 << at
			}
		case e.run() == 15:
			k += 15
		default:
			p.eobRun = endOfBand(b, e.run()) - 1
			*nonzero = bitmap
			return true
		}
	}
	*nonzero = bitmap
	return true
}

// acRefine decodes one more bit of a band (T.81, G.1.2.3): a bit of correction for
// each coefficient that isn't zero any more, in between those that become 1 or -1.
func (p *scan) acRefine(b *bits, ac *huffman, nonzero []uint64, coefs []int16) bool {
	band := p.mask()
	for i := 0; i < len(nonzero); i++ {
		if i = p.fast(b, ac, nonzero, coefs, i); i == len(nonzero) {
			break
		}
		if p.eobRun > 0 && nonzero[i]&band == 0 {
			p.eobRun--
			continue
		}
		block := &p.padding
		if coefs != nil {
			block = (*[64]int16)(coefs[64*i:])
		}
		if !p.acRefineBlock(b, ac, &nonzero[i], block, band) {
			return false
		}
	}
	return true
}

// acRefineBlock refines a block; rest is the band.
func (p *scan) acRefineBlock(b *bits, ac *huffman, nonzero *uint64, coefs *[64]int16, rest uint64) bool {
	one, old := int16(1)<<p.bitsLo, *nonzero
	for p.eobRun == 0 && rest != 0 {
		e, value := ac.symbol(b)
		if e == 0 && !b.badCode() {
			return false
		}
		if value > 1 || value < -1 {
			if !b.lenient {
				return false
			}
			value = b.signOf(value)
		}
		if value == 0 && e.run() != 15 {
			p.eobRun = endOfBand(b, e.run())
			break
		}
		// A run counts coefficients that are zero still; ZRL is 16 of them, of which the last
		// one takes the place of a new coefficient.
		zeros := rest &^ old
		for range e.run() {
			zeros &= zeros - 1
		}
		place := zeros & -zeros // 0: beyond the band
		refine(b, coefs, old&rest&(place-1), one)
		rest &^= place | (place - 1)
		if value != 0 {
			k := min(p.last+1, 63)
			switch {
			case place != 0:
				k = mathbits.TrailingZeros64(place)
			case !b.lenient:
				return false
			}
			coefs[zigzag[k&63]] = int16(value) << p.bitsLo
			*nonzero |= 1 << k
		}
	}
	if p.eobRun > 0 {
		refine(b, coefs, old&rest, one)
		p.eobRun--
	}
	return true
}

// refine corrects the coefficients that which has. A bit that is set already isn't set again;
// only damaged files have such bits.
func refine(b *bits, coefs *[64]int16, which uint64, one int16) {
	for ; which != 0; which &= which - 1 {
		v := &coefs[zigzag[mathbits.TrailingZeros64(which)&63]]
		switch {
		case b.take(1) == 0 || *v&one != 0:
		case *v > 0:
			*v += one
		default:
			*v -= one
		}
	}
}
