package webp

const (
	planes   = 4 // kinds of blocks: luma without its first coefficient, second luma, chroma, luma
	bands    = 8 // of coefficients with the same probabilities
	contexts = 3 // how many neighbours have coefficients, or how large the last coefficient was

	lumaRest, luma2Plane, chromaPlane, lumaPlane = 0, 1, 2, 3
)

// tokenNode is the probabilities of a coefficient's tokens; of 16, 11 are used.
type tokenNode [contexts][16]uint8

// tokens are the probabilities of a kind of block.
type tokens struct {
	nodes [17]tokenNode // by coefficient; behind the last one there is another, for no use
	wide  wideTokens    // the same for assembly
}

// wideTokens are probabilities by band. Of each, p, there are p*2^16 and 2^24 less that: with the first times a
// range, the share of 0 in it is the highest byte of their sum.
type wideTokens [bands][contexts][12][2]uint32

// set takes the probabilities of bands.
func (t *tokens) set(all *[bands][contexts][16]uint8) {
	for n := range t.nodes {
		t.nodes[n] = all[bandOf[n]]
	}
	for i := range t.wide {
		for j := range t.wide[i] {
			for k := range t.wide[i][j] {
				p := uint32(all[i][j][k]) << 16
				t.wide[i][j][k] = [2]uint32{p, 1<<24 - p}
			}
		}
	}
}

// bandOf is the band of a coefficient; behind the last one there is another, for no use.
var bandOf = [17]uint8{0, 1, 2, 3, 6, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 0}

// zigzag is where the coefficients belong, in rows of 4.
var zigzag = [16]uint8{0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15}

// largeBits are the probabilities of the bits of large values, of categories 3 to 6 (13.2).
var largeBits = [4][]uint8{
	{173, 148, 140},
	{176, 155, 140, 135},
	{180, 157, 141, 134, 130},
	{254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129},
}

// residue is the coefficients of a macroblock.
type residue struct {
	blocks [24 * 16]int16 // 16 blocks of luma, 4 of each chroma, by rows
	// kinds is two bits a block, how many of its coefficients may be other than 0: none, the first,
	// the first three in zigzag order, all.
	kinds uint64
}

const (
	noneKind = iota
	firstKind
	threeKind
	allKind
)

// readResidue reads the coefficients of a macroblock.
func (d *VP8Decoder) readResidue(b *boolDecoder, m *macroblock, up, left *above) {
	r, s := &d.residue, &d.frame.segments[m.segment]
	tokens := &d.frame.tokens
	clear(r.blocks[:])
	first, kind := 0, lumaPlane
	if !m.fine {
		var second [16]int16
		have := b.square(&tokens[luma2Plane], &s.luma2, 0, 1, up.luma2[:], left.luma2[:], second[:])
		walsh(&r.blocks, &second, have <= firstKind)
		first, kind = 1, lumaRest
	}
	u, l := &up.nonZero, &left.nonZero
	r.kinds = b.square(&tokens[kind], &s.luma, first, 4, u[:4], l[:4], r.blocks[:16*16])
	r.kinds |= b.square(&tokens[chromaPlane], &s.chroma, 0, 2, u[4:6], l[4:6], r.blocks[16*16:20*16]) << 32
	r.kinds |= b.square(&tokens[chromaPlane], &s.chroma, 0, 2, u[6:], l[6:], r.blocks[20*16:]) << 40
}

// squareGo reads the coefficients of wide x wide blocks from number first on. It returns their kinds.
func (b *boolDecoder) squareGo(tokens *tokens, q *quantizer, first, wide int, up, left []uint8, out []int16) (kinds uint64) {
	if wide == 1 {
		return b.block(tokens, q, first, &up[0], &left[0], (*[16]int16)(out))
	}
	for y := range wide {
		for x := range wide { // assembly may still read one by one what it can't together
			at := wide*y + x
			kinds |= b.square(tokens, q, first, 1, up[x:], left[y:], out[16*at:]) << (2 * at)
		}
	}
	return kinds
}

// block reads the coefficients of a block, and returns its kind.
func (b *boolDecoder) block(tokens *tokens, q *quantizer, first int, up, left *uint8, out *[16]int16) uint64 {
	end := b.coefficients(tokens, int(*up+*left), q, first, out)
	*up, *left = 0, 0
	if end > first {
		*up, *left = 1, 1
	}
	switch {
	case end > 3:
		return allKind
	case end > 1:
		return threeKind
	case out[0] != 0:
		return firstKind
	}
	return noneKind
}

// coefficients reads a block's coefficients from number n on, and returns the number behind the last
// one that isn't 0, or n.
func (b *boolDecoder) coefficients(tokens *tokens, context int, q *quantizer, n int, out *[16]int16) int {
	p := &tokens.nodes[n][context]
	for n < 16 {
		if b.bit(p[0]) == 0 {
			return n
		}
		for b.bit(p[1]) == 0 {
			n++
			if n == 16 {
				return 16
			}
			p = &tokens.nodes[n][0]
		}
		next := &tokens.nodes[n+1]
		v := 1
		if b.bit(p[2]) == 0 {
			p = &next[1]
		} else {
			v = b.large(p)
			p = &next[2]
		}
		if b.flag() {
			v = -v
		}
		out[zigzag[n]] = int16(int32(v) * q[n])
		n++
	}
	return 16
}

// large is a value of at least 2.
func (b *boolDecoder) large(p *[16]uint8) int {
	if b.bit(p[3]) == 0 {
		if b.bit(p[4]) == 0 {
			return 2
		}
		return 3 + b.bit(p[5])
	}
	if b.bit(p[6]) == 0 {
		if b.bit(p[7]) == 0 {
			return 5 + b.bit(159)
		}
		v := 7 + 2*b.bit(165)
		return v + b.bit(145)
	}
	category := b.bit(p[8])
	category = 2*category + b.bit(p[9+category])
	v := 0
	for _, p := range largeBits[category] {
		v = 2*v + b.bit(p)
	}
	return v + 3 + 8<<category
}
