package webp

// mode is how a block is predicted from its neighbours: the first four for whole macroblocks and
// chroma, all of them for blocks of 4x4.
type mode uint8

const (
	meanMode     mode = iota // DC
	gradientMode             // TM, "TrueMotion"
	verticalMode
	horizontalMode
	downRightMode     // RD
	verticalRightMode // VR
	downLeftMode      // LD
	verticalLeftMode  // VL
	horizontalDownMode
	horizontalUpMode
	modes4 = 10
)

// macroblock is what the modes of a row say of one.
type macroblock struct {
	segment uint8
	skip    bool // it has no coefficients
	fine    bool // luma is predicted in blocks of 4x4
	luma    [16]mode
	chroma  mode
}

// above is what the macroblocks of the row above leave to those below.
type above struct {
	modes   [4]mode // of its last row of blocks of 4x4
	nonZero uint8   // whether its last blocks have coefficients: 4 of luma, 2 and 2 of chroma
	luma2   uint8   // the same of its luma's second transform
}

// readModes reads the modes of a row of macroblocks (RFC 6386, 11 and 19.3).
func (d *VP8Decoder) readModes() {
	b, h := &d.modes, &d.frame
	var left [4]mode
	for x := range d.row {
		m, up := &d.row[x], &d.above[x].modes
		m.segment = 0
		if h.updateSegments {
			if b.bit(h.segmentTree[0]) == 0 {
				m.segment = uint8(b.bit(h.segmentTree[1]))
			} else {
				m.segment = 2 + uint8(b.bit(h.segmentTree[2]))
			}
		}
		m.skip = h.skips && b.bit(h.skip) != 0
		if m.fine = b.bit(145) == 0; m.fine {
			for y := range left {
				last := left[y]
				for x := range up {
					last = b.mode4(&modeProbabilities[up[x]][last])
					m.luma[4*y+x], up[x] = last, last
				}
				left[y] = last
			}
		} else {
			luma := b.lumaMode()
			m.luma[0] = luma
			*up = [4]mode{luma, luma, luma, luma}
			left = *up
		}
		m.chroma = b.chromaMode()
	}
}

func (b *boolDecoder) lumaMode() mode {
	if b.bit(156) == 0 {
		if b.bit(163) == 0 {
			return meanMode
		}
		return verticalMode
	}
	if b.bit(128) == 0 {
		return horizontalMode
	}
	return gradientMode
}

func (b *boolDecoder) chromaMode() mode {
	switch {
	case b.bit(142) == 0:
		return meanMode
	case b.bit(114) == 0:
		return verticalMode
	case b.bit(183) == 0:
		return horizontalMode
	}
	return gradientMode
}

func (b *boolDecoder) mode4(p *[9]uint8) mode {
	switch {
	case b.bit(p[0]) == 0:
		return meanMode
	case b.bit(p[1]) == 0:
		return gradientMode
	case b.bit(p[2]) == 0:
		return verticalMode
	case b.bit(p[3]) == 0:
		switch {
		case b.bit(p[4]) == 0:
			return horizontalMode
		case b.bit(p[5]) == 0:
			return downRightMode
		}
		return verticalRightMode
	case b.bit(p[6]) == 0:
		return downLeftMode
	case b.bit(p[7]) == 0:
		return verticalLeftMode
	case b.bit(p[8]) == 0:
		return horizontalDownMode
	}
	return horizontalUpMode
}
