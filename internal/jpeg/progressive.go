package jpeg

import (
	"fmt"
	mathbits "math/bits"
)

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

// progressiveInterval is interval for a progressive scan: row by row of blocks, or one by one
// where data may end before the scan does.
func (d *Decoder) progressiveInterval(b *bits, w *walk, at, end int) (next int, err error) {
	for at < end {
		my, mx := at/w.columns, at%w.columns
		if mx == 0 && my%w.perRow == 0 {
			d.rowSeeker.found(b, w.scan, d.scans-1, my/w.perRow)
		}
		stop := min(end-at+mx, w.columns)
		if d.lenient {
			stop = mx + 1
		}
		if !w.progressiveRow(b, my, mx, stop) {
			return at, errData
		}
		if at += stop - mx; b.overrun() {
			if !d.lenient {
				return at, errData
			}
			b.ended = true
			b.warnings++
			return at, nil
		}
		if stop == w.columns && d.canceled() {
			return at, errCanceled
		}
	}
	return at, nil
}

// progressiveRow decodes the scan's contribution to the MCUs mx <= i < end of row my.
func (p *scan) progressiveRow(b *bits, my, mx, end int) bool {
	if p.kind == acFirst || p.kind == acRefine {
		return p.bands(b, &p.comps[0], my, mx, end)
	}
	for ; mx < end; mx++ {
		for i := range p.n {
			c := &p.comps[i]
			for by := my * c.v; by < (my+1)*c.v; by++ {
				for bx := mx * c.h; bx < (mx+1)*c.h; bx++ {
					if !p.progressiveDC(b, c, c.block(bx, by, &p.padding)) {
						return false
					}
				}
			}
		}
	}
	return true
}

// progressiveDC decodes the scan's contribution to a block's DC coefficient.
func (p *scan) progressiveDC(b *bits, c *scanComponent, coefs *[64]int16) bool {
	if p.kind == dcRefine {
		coefs[0] |= int16(b.take(1) << p.bitsLo)
		return true
	}
	e, diff := c.dc.symbol(b)
	if e == 0 && !b.badCode() {
		return false
	}
	c.pred += diff
	coefs[0] = int16(c.pred << p.bitsLo)
	return true
}

// block is the coefficients of a block, or other if they aren't kept.
func (c *component) block(bx, by int, other *[64]int16) *[64]int16 {
	k := &c.kept
	if bx < k.Min.X || bx >= k.Max.X || by < k.Min.Y || by >= k.Max.Y {
		return other
	}
	return (*[64]int16)(c.coefs[64*((by-k.Min.Y)*k.Dx()+bx-k.Min.X):])
}

// reconstruct turns the coefficients of a component into samples. A lenient decoder
// smooths them where libjpeg does (smooth.go); rows beyond the last scan's data are smoothed
// by what was known before that scan.
func (d *Decoder) reconstruct(c *component) {
	smooth := d.lenient && d.smooths()
	c.tabulateFactors()
	for by := c.wanted.Min.Y; by < c.wanted.Max.Y && !d.canceled(); by++ {
		missing := (*[smoothedCoefs]int8)(c.missingBits[:])
		if by/c.V > d.lastGood {
			if missing = &c.previous; d.scans == 1 {
				missing = &allMissing
			}
		}
		rows := c.neighbours(by)
		for bx := c.wanted.Min.X; bx < c.wanted.Max.X; bx++ {
			coefs, nonzero := c.block(bx, by, nil), c.nonzero[by*c.across+bx]
			if smooth {
				estimated := *coefs
				nonzero |= c.smooth(&estimated, &rows, bx, missing)
				coefs = &estimated
			}
			c.transform(&d.idct, bx, by, coefs, nonzero)
		}
	}
}

func (c *component) tabulateFactors() {
	for k, q := range c.quant.q {
		c.factors[zigzag[k]] = q
	}
}

// transform turns a block's coefficients into samples; nonzero is which of them, in zigzag
// order, may not be zero. That of the DC coefficient doesn't count.
func (c *component) transform(t *idct, bx, by int, coefs *[64]int16, nonzero uint64) {
	dst, block := c.pix[c.at+(by*c.stride+bx)*c.size:], t.next()
	if useAssembly {
		dequantizeAVX2(&block.words, coefs, &c.factors)
		block.last = mathbits.Len64(nonzero|1) - 1
		t.put(dst, c.stride, c.size)
		return
	}
	block.set(0, int(coefs[0]), int(c.quant.q[0]))
	for nonzero &^= 1; nonzero != 0; nonzero &= nonzero - 1 {
		k := mathbits.TrailingZeros64(nonzero) & 63
		if v := coefs[zigzag[k]]; v != 0 {
			block.set(k, int(v), int(c.quant.q[k]))
		}
	}
	t.put(dst, c.stride, c.size)
}
