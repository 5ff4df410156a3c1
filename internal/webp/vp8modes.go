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
	modes   [4]mode  // of its last row of blocks of 4x4
	nonZero [8]uint8 // whether its last blocks have coefficients, 0 or 1: 4 of luma, 2 and 2 of chroma
	luma2   [1]uint8 // the same of its luma's second transform
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
			b.fineModes(up, &left, &m.luma)
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

// modeTree has the decisions for a block's mode: of each, what follows 0 and 1, the number of
// another or 16 and the mode.
var modeTree = [9][2]uint8{
	{16 + uint8(meanMode), 1},
	{16 + uint8(gradientMode), 2},
	{16 + uint8(verticalMode), 3},
	{4, 6},
	{16 + uint8(horizontalMode), 5},
	{16 + uint8(downRightMode), 16 + uint8(verticalRightMode)},
	{16 + uint8(downLeftMode), 7},
	{16 + uint8(verticalLeftMode), 8},
	{16 + uint8(horizontalDownMode), 16 + uint8(horizontalUpMode)},
}

// fineModesGo reads the modes of 16 blocks.
func (b *boolDecoder) fineModesGo(up, left *[4]mode, modes *[16]mode) {
	value, bits, span := b.value, b.bits, b.span
	for i := range modes {
		p := &modeProbabilities[up[i%4]][left[i/4]]
		at := uint8(0)
		for at < 9 {
			if bits < 0 {
				b.value, b.bits = value, bits
				b.load()
				value, bits = b.value, b.bits
			}
			split := span * uint32(p[at]) >> 8
			to, from, v := split+1, uint64(split+1)<<56, 0
			if value >= from {
				value -= from
				to, v = span-split, 1
			}
			shift := shifts[uint8(to)]
			span = to<<(shift&7) - 1
			value <<= shift & 7
			bits -= int(shift)
			at = modeTree[at][v]
		}
		m := mode(at - 16)
		modes[i], up[i%4], left[i/4] = m, m, m
	}
	b.value, b.bits, b.span = value, bits, span
}
