package warp

//go:noescape
func blendRows16AVX2(dst *int16, pix *uint8, stride int, weights *int16, taps, n int)

//go:noescape
func resizeAVX2(dst *uint16, src *int16, starts *int32, left int, weights *int16, chunks, groups int)

//go:noescape
func convertAVX2(dst *uint32, luma, cb, cr *uint16, n int)

// The functions below check the lengths that the assembly relies on.

// blendRows16 is blendRows16Go.
func blendRows16(dst []int16, pix []uint8, stride int, weights []int16) {
	n := len(dst)
	if !useAssembly || n < 16 || len(weights) == 0 {
		blendRows16Go(dst, pix, stride, weights)
		return
	}
	_ = pix[(len(weights)-1)*stride+n-1]
	blendRows16AVX2(&dst[0], &pix[0], stride, &weights[0], len(weights), n)
}

// pack sorts across's weights for assembly. Of eight output pixels a vector has the
// weights of two, four pixels apart, for eight taps each; the other three vectors
// follow, and then those for the next eight taps.
func (r *resizing) pack() {
	k := &r.across
	most := 0
	for i := range k.starts {
		most = max(most, int(k.ends[i]-k.starts[i]))
	}
	r.chunks = (most + 7) / 8
	groups := (len(k.starts) + 7) / 8
	packed := sized(&r.packed, groups*r.chunks*64)
	clear(packed)
	for i := range k.starts {
		for j, w := range k.weights[i*k.most:][:k.ends[i]-k.starts[i]] {
			packed[((i/8*r.chunks+j/8)*4+i%4)*16+i%8/4*8+j%8] = int16(w)
		}
	}
	r.packed = packed
}

// resize is resizeGo of a whole row; src has room for eight more taps a chunk.
func (r *resizing) resize(dst []uint16, src []int16) {
	groups := 0
	if useAssembly && len(dst) >= 8 {
		groups = len(dst) / 8
		_ = src[:r.right-r.left+8*r.chunks]
		_, _ = r.across.starts[8*groups-1], r.packed[64*groups*r.chunks-1]
		resizeAVX2(&dst[0], &src[0], &r.across.starts[0], r.left, &r.packed[0], r.chunks, groups)
	}
	r.resizeGo(dst, src, 8*groups)
}

// convert is convertGo.
func convert(colours []uint32, rows *[3][]uint16) {
	n := len(colours)
	if !useAssembly || n < 8 {
		convertGo(colours, rows)
		return
	}
	_, _, _ = rows[0][n-1], rows[1][n-1], rows[2][n-1]
	convertAVX2(&colours[0], &rows[0][0], &rows[1][0], &rows[2][0], n)
}
