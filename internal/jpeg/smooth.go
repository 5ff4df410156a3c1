package jpeg

import "slices"

// Where a progressive file lacks coefficients, libjpeg estimates the first ones of a
// block from the DC coefficients of 5x5 blocks around it (libjpeg-turbo 3, jdcoefct.c,
// decompress_smooth_data).

// smoothed is how many coefficients, in zigzag order, are looked at.
const smoothed = 10

// window weighs 5x5 blocks.
type window [5][5]int16

// Of coefficient k in units of 1/256: next to AC coefficients that are known, and
// where none is, which changes DC, too.
var (
	estimates = [smoothed]window{
		1: {2: {-7, 50, 0, -50, 7}},
		2: {{2: -7}, {2: 50}, {}, {2: -50}, {2: 7}},
		3: {{2: -1}, {2: 13}, {2: -24}, {2: 13}, {2: -1}},
		4: {{0, -1, 0, 1, 0}, {-1, 10, 0, -10, 1}, {}, {1, -10, 0, 10, -1}, {0, 1, 0, -1, 0}},
		5: {2: {-1, 13, -24, 13, -1}},
	}
	estimatesOfDC = [smoothed]window{
		0: {{-2, -6, -8, -6, -2}, {-6, 6, 42, 6, -6}, {-8, 42, 152, 42, -8}, {-6, 6, 42, 6, -6}, {-2, -6, -8, -6, -2}},
		1: {{-1, -1, 0, 1, 1}, {-3, 13, 0, -13, 3}, {-3, 38, 0, -38, 3}, {-3, 13, 0, -13, 3}, {-1, -1, 0, 1, 1}},
		2: {{-1, -3, -3, -3, -1}, {-1, 13, 38, 13, -1}, {}, {1, -13, -38, -13, 1}, {1, 3, 3, 3, 1}},
		3: {{2: 1}, {0, 2, 7, 2, 0}, {0, -5, -14, -5, 0}, {0, 2, 7, 2, 0}, {2: 1}},
		4: {{-1, 0, 0, 0, 1}, {0, 9, 0, -9, 0}, {}, {0, -9, 0, 9, 0}, {1, 0, 0, 0, -1}},
		5: {{}, {0, 2, -5, 2, 0}, {1, 7, -14, 7, 1}, {0, 2, -5, 2, 0}, {}},
		6: {{}, {0, 1, 0, -1, 0}, {0, 2, 0, -2, 0}, {0, 1, 0, -1, 0}, {}},
		7: {{}, {0, 1, -3, 1, 0}, {}, {0, -1, 3, -1, 0}, {}},
		8: {{}, {0, 1, 0, -1, 0}, {0, -3, 0, 3, 0}, {0, 1, 0, -1, 0}, {}},
		9: {{}, {0, 1, 2, 1, 0}, {}, {0, -1, -2, -1, 0}, {}},
	}
)

var nothing = [smoothed]int8{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1}

// smooths tells whether libjpeg smooths a progressive picture with the scans seen:
// something is known of all components' DC coefficients, and of some of the others
// not all.
func (d *Decoder) smooths() bool {
	useful := false
	for i := range d.image.n {
		c := &d.comps[i]
		if c.bitsLeft[0] < 0 {
			return false
		}
		for k := range smoothed {
			if c.quant.q[k] == 0 {
				return false
			}
			useful = useful || k > 0 && c.bitsLeft[k] != 0
		}
	}
	return useful
}

// lacksScans tells whether scans are missing that a progressive file should have: some
// coefficient isn't known to its last bit.
func (d *Decoder) lacksScans() bool {
	for i := range d.image.n {
		if d.image.Progressive && d.comps[i].bitsLeft != [64]int8{} {
			return true
		}
	}
	return false
}

// progress notes what a scan will have brought of a component.
func (r *repairing) progress(d *Decoder, c *component, p *scanParams) {
	for i := range d.image.n {
		if c != &d.comps[i] {
			continue
		}
		for k := min(p.first, 1); k < smoothed; k++ {
			r.previous[i][k] = c.bitsLeft[k]
			if d.scans == 1 {
				r.previous[i][k] = 0 // so it is, but as long as there is no other scan
			}
		}
	}
	for k := p.first; k <= p.last; k++ {
		c.bitsLeft[k] = int8(p.bitsLo)
	}
}

// reconstructSmooth is reconstruct for component i, with smoothing where libjpeg does
// it. In rows that the last scan's data doesn't reach the state before is what counts.
func (d *Decoder) reconstructSmooth(r *repairing, i int) {
	c := &d.comps[i]
	smooth := d.smooths()
	for by := c.wanted.Min.Y; by < c.wanted.Max.Y && !d.canceled(); by++ {
		known := (*[smoothed]int8)(c.bitsLeft[:])
		if by/c.V > r.lastGood {
			if known = &r.previous[i]; d.scans == 1 {
				known = &nothing
			}
		}
		rows := c.neighbours(by)
		for bx := c.wanted.Min.X; bx < c.wanted.Max.X; bx++ {
			coefs := *c.paddedCoefs(bx, by)
			if smooth {
				c.smooth(&coefs, &rows, bx, known)
			}
			d.transform(c, bx, by, &coefs)
		}
	}
}

// paddedCoefs is the coefficients of a block, which may be one that fills up an MCU.
func (c *component) paddedCoefs(bx, by int) *[64]int16 {
	return (*[64]int16)(c.coefs[64*(by*c.paddedW()+bx):])
}

// neighbours are the rows of blocks two above to two below, at the picture's edges
// those that libjpeg takes for them: it counts rows as if all MCUs had as many as by's.
func (c *component) neighbours(by int) (rows [5]int) {
	mcu, mcus, n := by/c.V, ceilDiv(c.blocksH, c.V), c.V
	if mcu == mcus-1 {
		n = c.blocksH - mcu*c.V
	}
	at, end := mcu*n+by%c.V, n*mcus
	rows = [5]int{by, by, by, by, by}
	if at > 0 {
		rows[0], rows[1] = by-1, by-1
	}
	if at > 1 {
		rows[0] = by - 2
	}
	if at < end-1 {
		rows[3], rows[4] = by+1, by+1
	}
	if at < end-2 {
		rows[4] = by + 2
	}
	return rows
}

// smooth estimates the coefficients of a block that are zero still.
func (c *component) smooth(coefs *[64]int16, rows *[5]int, bx int, known *[smoothed]int8) {
	windows := &estimates
	if slices.Equal(known[1:], nothing[1:]) {
		windows = &estimatesOfDC
	}
	var dc [5][5]int64
	for y, by := range rows {
		for x := range 5 {
			dc[y][x] = int64(c.paddedCoefs(min(max(bx+x-2, 0), c.blocksW-1), by)[0])
		}
	}
	for k := range windows {
		w := &windows[k]
		if *w == (window{}) || k > 0 && (known[k] == 0 || coefs[k] != 0) {
			continue
		}
		sum := int64(0)
		for y := range 5 {
			for x := range 5 {
				sum += int64(w[y][x]) * dc[y][x]
			}
		}
		q := int64(c.quant.q[k])
		sum *= int64(c.quant.q[0])
		v := (q<<7 + max(sum, -sum)) / (q << 8)
		if k > 0 && known[k] > 0 {
			v = min(v, 1<<known[k]-1)
		}
		if sum < 0 {
			v = -v
		}
		coefs[k] = int16(v)
	}
}
