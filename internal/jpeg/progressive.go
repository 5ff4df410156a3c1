package jpeg

import "fmt"

// progressive checks that a progressive scan continues earlier ones, and sets its kind. A
// lenient decoder takes any scan, as libjpeg does with a warning; the result is arbitrary.
func (d *Decoder) progressive(p *scan) (err error) {
	if p.kind, err = p.progressiveKind(); err != nil {
		return err
	}
	for i := range p.n {
		c := p.comps[i].component
		if d.lenient {
			c.keepMissingBits(p, d.scans == 1)
		}
		for k := p.first; k <= p.last; k++ {
			if !d.lenient && (int(max(c.missingBits[k], 0)) != int(p.bitsHi) || p.bitsHi == 0 && c.missingBits[k] == 0) {
				return fmt.Errorf("it doesn't continue what earlier scans had of coefficient %d", k)
			}
			c.missingBits[k] = int8(p.bitsLo)
		}
	}
	return nil
}

// progressiveKind checks a progressive scan's parameters (T.81, G.1.1.1).
func (p *scan) progressiveKind() (scanKind, error) {
	dc := p.first == 0
	if p.last > 63 || p.first > p.last || dc && p.last != 0 || !dc && p.n != 1 ||
		p.bitsLo > 13 || p.bitsHi != 0 && p.bitsLo != p.bitsHi-1 {
		return 0, fmt.Errorf("coefficients %d to %d, bits %d to %d of %d components are no progressive scan",
			p.first, p.last, p.bitsHi, p.bitsLo, p.n)
	}
	switch {
	case dc && p.bitsHi == 0:
		return dcFirst, nil
	case dc:
		return dcRefine, nil
	case p.bitsHi == 0:
		return acFirst, nil
	}
	return acRefine, nil
}

// progressiveBlock decodes a scan's contribution to a block's coefficients.
func (p *scan) progressiveBlock(b *bits, c *scanComponent, coefs *[64]int16) bool {
	switch p.kind {
	case dcFirst:
		e, diff := c.dc.symbol(b)
		if e == 0 && !b.badCode() {
			return false
		}
		c.pred += diff
		coefs[0] = int16(c.pred << p.bitsLo)
	case dcRefine:
		coefs[0] |= int16(b.take(1) << p.bitsLo)
	case acFirst:
		return p.acFirst(b, c.ac, coefs)
	default:
		return p.acRefine(b, c.ac, coefs)
	}
	return true
}

// coefs is the coefficients of a block, which may be one that only fills up an MCU.
func (p *scan) coefs(c *component, bx, by int) *[64]int16 {
	if by >= c.rows {
		return &p.padding
	}
	return c.block(bx, by)
}

// block is coefs of a block that is kept.
func (c *component) block(bx, by int) *[64]int16 {
	return (*[64]int16)(c.coefs[64*(by*c.paddedW()+bx):])
}

// endOfBand reads for how many blocks, this one included, the band has ended: EOBn
// (T.81, table G.1).
func endOfBand(b *bits, n int) int {
	return 1<<n + int(b.take(uint(n)))
}

// acFirst decodes the first scan of a band (T.81, G.1.2.2).
func (p *scan) acFirst(b *bits, ac *huffman, coefs *[64]int16) bool {
	first, last, lo := p.first, p.last, p.bitsLo
	if p.eobRun > 0 {
		p.eobRun--
		return true
	}
	for k := first; k <= last; k++ {
		e, value := ac.symbol(b)
		switch {
		case e == 0:
			return b.badCode()
		case value != 0:
			if k += e.run(); k > last && !b.lenient {
				return false
			}
			coefs[min(k, 63)] = int16(value << lo)
		case e.run() == 15:
			k += 15
		default:
			p.eobRun = endOfBand(b, e.run()) - 1
			return true
		}
	}
	return true
}

// acRefine decodes one more bit of a band (T.81, G.1.2.3): a bit of correction for
// each coefficient that isn't zero any more, in between those that become 1 or -1.
func (p *scan) acRefine(b *bits, ac *huffman, coefs *[64]int16) bool {
	first, last, lo := p.first, p.last, p.bitsLo
	one := int16(1) << lo
	k := first
	if p.eobRun == 0 {
		for ; k <= last; k++ {
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
			// A run counts coefficients that are zero still; ZRL is 16 of them,
			// of which the last one takes the place of a new coefficient.
			k = refine(b, coefs, k, last, e.run(), one)
			if value != 0 {
				if k > last && !b.lenient {
					return false
				}
				coefs[min(k, 63)] = int16(value) << lo
			}
		}
	}
	if p.eobRun > 0 {
		refine(b, coefs, k, last, -1, one)
		p.eobRun--
	}
	return true
}

// refine corrects coefficients from k on, up to the zero that follows run other zeros, and
// returns its place. A negative run never ends. A bit that is set already isn't set again;
// only damaged files have such bits.
func refine(b *bits, coefs *[64]int16, k, last, run int, one int16) int {
	for ; k <= last; k++ {
		switch v := coefs[k]; {
		case v == 0:
			if run == 0 {
				return k
			}
			run--
		case b.take(1) == 0 || v&one != 0:
		case v > 0:
			coefs[k] = v + one
		default:
			coefs[k] = v - one
		}
	}
	return k
}

// reconstruct turns the coefficients of a component into samples. A lenient decoder
// smooths them where libjpeg does (smooth.go); rows beyond the last scan's data are smoothed
// by what was known before that scan.
func (d *Decoder) reconstruct(c *component) {
	smooth := d.lenient && d.smooths()
	for by := c.wanted.Min.Y; by < c.wanted.Max.Y && !d.canceled(); by++ {
		missing := (*[smoothedCoefs]int8)(c.missingBits[:])
		if by/c.V > d.lastGood {
			if missing = &c.previous; d.scans == 1 {
				missing = &allMissing
			}
		}
		rows := c.neighbours(by)
		for bx := c.wanted.Min.X; bx < c.wanted.Max.X; bx++ {
			coefs := c.block(bx, by)
			if smooth {
				estimated := *coefs
				c.smooth(&estimated, &rows, bx, missing)
				coefs = &estimated
			}
			c.transform(&d.idct, bx, by, coefs)
		}
	}
}

// transform turns a block's coefficients, in zigzag order, into samples.
func (c *component) transform(t *idct, bx, by int, coefs *[64]int16) {
	block := t.next()
	for k, v := range coefs {
		if v != 0 {
			block.set(k, int(v), int(c.quant.q[k]))
		}
	}
	t.put(c.pix[c.at+(by*c.stride+bx)*c.size:], c.stride, c.size)
}
