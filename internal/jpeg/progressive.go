package jpeg

import "fmt"

// progressive checks that a progressive scan continues earlier ones, and says how its
// blocks are coded. libjpeg only warns; what other scans would give is arbitrary.
func (d *Decoder) progressive(p *scanParams) (scanKind, error) {
	kind, err := p.progressiveKind()
	if err != nil {
		return 0, err
	}
	for i := range p.n {
		c := p.comps[i].component
		for k := p.first; k <= p.last; k++ {
			if int(max(c.bitsLeft[k], 0)) != int(p.bitsHi) || p.bitsHi == 0 && c.bitsLeft[k] == 0 {
				return 0, fmt.Errorf("it doesn't continue what earlier scans left of coefficient %d", k)
			}
			c.bitsLeft[k] = int8(p.bitsLo)
		}
	}
	return kind, nil
}

// progressiveKind checks a progressive scan's parameters (T.81, G.1.1.1).
func (p *scanParams) progressiveKind() (scanKind, error) {
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

// progressiveBlock decodes what a scan has of a block.
func (d *Decoder) progressiveBlock(b *bits, p *scanParams, c *scanComponent, bx, by int) error {
	coefs := d.coefs(c, bx, by)
	switch p.kind {
	case dcFirst:
		e, diff := c.dc.symbol(b)
		if e == 0 {
			return errData
		}
		c.pred += diff
		coefs[0] = int16(c.pred << p.bitsLo)
	case dcRefine:
		coefs[0] |= int16(b.take(1) << p.bitsLo)
	case acFirst:
		return d.acFirst(b, c.ac, coefs, p.first, p.last, p.bitsLo)
	default:
		return d.acRefine(b, c.ac, coefs, p.first, p.last, p.bitsLo)
	}
	return nil
}

// coefs are the coefficients of a block.
func (d *Decoder) coefs(c *scanComponent, bx, by int) *[64]int16 {
	if bx >= c.blocksW || by >= c.rows {
		return &d.padding
	}
	return (*[64]int16)(c.coefs[64*(by*c.blocksW+bx):])
}

// endOfBand reads how many blocks, from this one on, have no more coefficients
// in the band: EOBn (T.81, table G.1).
func endOfBand(b *bits, n int) int {
	return 1<<n + int(b.take(uint(n)))
}

// acFirst decodes the first scan of a band (T.81, G.1.2.2).
func (d *Decoder) acFirst(b *bits, ac *huffman, coefs *[64]int16, first, last int, lo uint) error {
	if d.eobRun > 0 {
		d.eobRun--
		return nil
	}
	for k := first; k <= last; k++ {
		e, value := ac.symbol(b)
		switch {
		case e == 0:
			return errData
		case value != 0:
			if k += e.run(); k > last {
				return errData
			}
			coefs[k] = int16(value << lo)
		case e.run() == 15:
			k += 15
		default:
			d.eobRun = endOfBand(b, e.run()) - 1
			return nil
		}
	}
	return nil
}

// acRefine decodes one more bit of a band (T.81, G.1.2.3): a bit of correction for
// each coefficient that isn't zero any more, in between those that become 1 or -1.
func (d *Decoder) acRefine(b *bits, ac *huffman, coefs *[64]int16, first, last int, lo uint) error {
	one := int16(1) << lo
	k := first
	if d.eobRun == 0 {
		for ; k <= last; k++ {
			e, value := ac.symbol(b)
			if e == 0 || value > 1 || value < -1 {
				return errData
			}
			if value == 0 && e.run() != 15 {
				d.eobRun = endOfBand(b, e.run())
				break
			}
			// A run counts coefficients that are zero still; ZRL is 16 of them,
			// of which the last one takes the place of a new coefficient.
			k = refine(b, coefs, k, last, e.run(), one)
			if value != 0 {
				if k > last {
					return errData
				}
				coefs[k] = int16(value) << lo
			}
		}
	}
	if d.eobRun > 0 {
		refine(b, coefs, k, last, -1, one)
		d.eobRun--
	}
	return nil
}

// refine corrects coefficients from k on until it has passed run zeros and meets
// another, whose place it returns. A negative run is without end.
func refine(b *bits, coefs *[64]int16, k, last, run int, one int16) int {
	for ; k <= last; k++ {
		switch v := coefs[k]; {
		case v == 0:
			if run == 0 {
				return k
			}
			run--
		case b.take(1) == 0:
		case v > 0:
			coefs[k] = v + one
		default:
			coefs[k] = v - one
		}
	}
	return k
}

// reconstruct turns the coefficients of a component into samples.
func (d *Decoder) reconstruct(c *component) {
	for by := c.wanted.Min.Y; by < c.wanted.Max.Y && !d.canceled(); by++ {
		for bx := c.wanted.Min.X; bx < c.wanted.Max.X; bx++ {
			d.transform(c, bx, by, (*[64]int16)(c.coefs[64*(by*c.blocksW+bx):]))
		}
	}
}
