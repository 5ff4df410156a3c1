package jpeg

import "slices"

// Where a progressive file lacks coefficients, libjpeg estimates the first ones of a
// block from the DC coefficients of 5x5 blocks around it (libjpeg-turbo 3, jdcoefct.c,
// decompress_smooth_data).

// smoothedCoefs is how many coefficients, in zigzag order, may be estimated.
const smoothedCoefs = 10

// window is the weights of the DC coefficients of 5x5 blocks, in units of 1/256.
type window [5][5]int16

// By coefficient: where some AC coefficients are known, and where none is, which changes the
// DC coefficient as well.
var (
	estimates = [smoothedCoefs]window{
		1: {2: {-7, 50, 0, -50, 7}},
		2: {{2: -7}, {2: 50}, {}, {2: -50}, {2: 7}},
		3: {{2: -1}, {2: 13}, {2: -24}, {2: 13}, {2: -1}},
		4: {{0, -1, 0, 1, 0}, {-1, 10, 0, -10, 1}, {}, {1, -10, 0, 10, -1}, {0, 1, 0, -1, 0}},
		5: {2: {-1, 13, -24, 13, -1}},
	}
	estimatesOfDC = [smoothedCoefs]window{
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

var allMissing = [smoothedCoefs]int8{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1}

// smooths reports whether libjpeg smooths a progressive picture after the scans so far: the
// DC coefficients of all components are known at least roughly, and some of the others are
// not known exactly.
func (d *Decoder) smooths() bool {
	useful := false
	for i := range d.image.n {
		c := &d.comps[i]
		if c.missingBits[0] < 0 {
			return false
		}
		for k := range smoothedCoefs {
			if c.quant.q[k] == 0 {
				return false
			}
			useful = useful || k > 0 && c.missingBits[k] != 0
		}
	}
	return useful
}

// lacksScans reports whether a progressive file lacks scans: some coefficient isn't known to
// its last bit.
func (d *Decoder) lacksScans() bool {
	for i := range d.image.n {
		if d.image.Progressive && d.comps[i].missingBits != [64]int8{} {
			return true
		}
	}
	return false
}

// neighbours is the rows of blocks from two above to two below. At the picture's edges they
// are those that libjpeg takes: it counts rows as if all MCUs had as many as that of by.
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

// smooth estimates the coefficients of a block that are still zero; missing is how many bits
// of each have not been read (-1: all). It returns which it has set, as bits.
func (c *component) smooth(coefs *[64]int16, rows *[5]int, bx int, missing *[smoothedCoefs]int8) (set uint64) {
	windows := &estimates
	if slices.Equal(missing[1:], allMissing[1:]) {
		windows = &estimatesOfDC
	}
	var dc [5][5]int64
	for y, by := range rows {
		for x := range 5 {
			dc[y][x] = int64(c.block(min(max(bx+x-2, 0), c.blocksW-1), by, nil)[0])
		}
	}
	for k := range windows {
		w := &windows[k]
		if *w == (window{}) || k > 0 && (missing[k] == 0 || coefs[zigzag[k]] != 0) {
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
		if k > 0 && missing[k] > 0 {
			v = min(v, 1<<missing[k]-1)
		}
		if sum < 0 {
			v = -v
		}
		coefs[zigzag[k]] = int16(v)
		set |= 1 << k
	}
	return set
}
