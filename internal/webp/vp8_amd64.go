package webp

import "golang.org/x/sys/cpu"

// haveAssembly asks the instruction LZCNT itself, which package cpu knows nothing of: processors
// that don't have it give the place of the highest bit instead.
func haveAssembly() bool {
	return cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2 && leadingZeros(1) == 31
}

func leadingZeros(x uint32) uint32

// squareBMI2 is squareGo where there is enough data for all of its blocks.
//
//go:noescape
func squareBMI2(b *boolDecoder, tokens *wideTokens, q *quantizer, first, wide int, up, left *uint8, out *int16) uint64

func (b *boolDecoder) square(tokens *tokens, q *quantizer, first, wide int, up, left []uint8, out []int16) uint64 {
	if useAssembly && len(b.data) >= wide*wide*coefficientsAhead {
		_, _, _ = up[wide-1], left[wide-1], out[16*wide*wide-1]
		return squareBMI2(b, &tokens.wide, q, first, wide, &up[0], &left[0], &out[0])
	}
	return b.squareGo(tokens, q, first, wide, up, left, out)
}

// coefficientsAhead is more bytes than a block's coefficients can take, and those that a load of
// eight may touch behind them: in each of 16 places 19 decisions of at most 7 bits.
const coefficientsAhead = 16*19*7/8 + 16

// modesAhead is more bytes than the modes of 16 blocks can take, of at most 9 decisions, and a load.
const modesAhead = 16*9*7/8 + 16

//go:noescape
func fineModesBMI2(b *boolDecoder, up, left *[4]mode, modes *[16]mode, tree *[9][2]uint8, probabilities *[modes4][modes4][9]uint8)

func (b *boolDecoder) fineModes(up, left *[4]mode, modes *[16]mode) {
	if useAssembly && len(b.data) >= modesAhead {
		fineModesBMI2(b, up, left, modes, &modeTree, &modeProbabilities)
		return
	}
	b.fineModesGo(up, left, modes)
}

//go:noescape
func filterAVX2(luma, cb, cr *uint8, strideLuma, strideChroma int, e *wideEdges, left, inner, upper bool)

func (d *VP8Decoder) filter(x, y int, e *edges, inner bool) {
	if !useAssembly {
		d.filterGo(x, y, e, inner)
		return
	}
	at := func(i, size int) *uint8 {
		p := &d.planes[i]
		at := p.at(size*x, size*y)
		_ = p.pix[at+size*p.stride]
		return &p.pix[at]
	}
	filterAVX2(at(0, 16), at(1, 8), at(2, 8), d.planes[0].stride, d.planes[1].stride, &e.wide, x > 0, inner, y > 0)
}

//go:noescape
func filterSimplyAVX2(luma *uint8, stride int, e *wideEdges, left, inner, upper bool)

func (d *VP8Decoder) filterSimply(x, y int, e *edges, inner bool) {
	if !useAssembly {
		d.filterSimplyGo(x, y, e, inner)
		return
	}
	p := &d.planes[0]
	at := p.at(16*x, 16*y)
	_ = p.pix[at+16*p.stride]
	filterSimplyAVX2(&p.pix[at], p.stride, &e.wide, x > 0, inner, y > 0)
}

// The transforms of four blocks in a row, of four in a square and of one. Where a coefficient is so large
// that words may not do they change nothing, and return false.

//go:noescape
func addFourAVX2(pix *uint8, stride int, in *int16) bool

//go:noescape
func addSquareAVX2(pix *uint8, stride int, in *int16) bool

//go:noescape
func addOneAVX2(pix *uint8, stride int, in *int16) bool

//go:noescape
func addFirstAVX2(pix *uint8, stride int, up, down uint8)

// addRow adds the residue of four blocks of luma in a row, from number first on.
func (d *VP8Decoder) addRow(at, first int) {
	p := &d.planes[0]
	_ = p.pix[at+3*p.stride+15]
	if !useAssembly || !addFourAVX2(&p.pix[at], p.stride, &d.residue.blocks[16*first : 16*first+64][0]) {
		d.addBlocks(p, at, 4, 1, first)
	}
}

// addSquare adds the residue of four blocks of chroma.
func (d *VP8Decoder) addSquare(p *plane, at, first int) {
	_ = p.pix[at+7*p.stride+7]
	if !useAssembly || !addSquareAVX2(&p.pix[at], p.stride, &d.residue.blocks[16*first : 16*first+64][0]) {
		d.addBlocks(p, at, 2, 2, first)
	}
}

// add adds the residue of a block.
func (d *VP8Decoder) add(p *plane, at, i, kind int) {
	if !useAssembly {
		d.addGo(p, at, i, kind)
		return
	}
	_ = p.pix[at+3*p.stride+3]
	in := (*[16]int16)(d.residue.blocks[16*i:])
	if kind == firstKind {
		v := (int(in[0]) + 4) >> 3
		addFirstAVX2(&p.pix[at], p.stride, uint8(min(max(v, 0), 255)), uint8(min(max(-v, 0), 255)))
	} else if !addOneAVX2(&p.pix[at], p.stride, &in[0]) {
		d.addGo(p, at, i, kind)
	}
}

//go:noescape
func gradient16AVX2(pix *uint8, stride int, above *uint8)

//go:noescape
func gradient8AVX2(pix *uint8, stride int, above *uint8)

// gradientFast is predict's gradientMode; false: it can't.
func gradientFast(size int, pix []uint8, at, stride int, above []uint8) bool {
	if !useAssembly {
		return false
	}
	_, _, _ = pix[at-1], pix[at+(size-1)*stride+size-1], above[size]
	if size == 16 {
		gradient16AVX2(&pix[at], stride, &above[0])
	} else {
		gradient8AVX2(&pix[at], stride, &above[0])
	}
	return true
}

//go:noescape
func upsampleAVX2(dst, near, far *uint8, n int)

func upsample(dst, near, far []uint8) {
	n := len(near) - 1
	if !useAssembly || n < 16 {
		upsampleGo(dst, near, far)
		return
	}
	_, _ = dst[2*n-1], far[n]
	upsampleAVX2(&dst[0], &near[0], &far[0], n)
}

//go:noescape
func convertAVX2(rgb, luma, cb, cr *uint8, n int)

func convert(rgb, luma, cb, cr []uint8) {
	n := len(luma)
	if !useAssembly || n < 16 {
		convertGo(rgb, luma, cb, cr)
		return
	}
	_, _, _ = rgb[3*n-1], cb[n-1], cr[n-1]
	convertAVX2(&rgb[0], &luma[0], &cb[0], &cr[0], n)
}
