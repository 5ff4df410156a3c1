package webp

// literalsBMI2 decodes up to n pixels of a group that isn't constant, up to a copy, whose symbol it returns, or
// near the end of the data: then symbol is 0. cache is nil if there is none.
//
//go:noescape
func literalsBMI2(r *bitReader, codes *group, tables, pix *uint32, n int, cache *uint32, shift uint) (done int, symbol uint32)

// literalsFast is literalsSlowly; ended: nothing is left to do.
func literalsFast(d *VP8LDecoder, g *group, pix []uint32, shift uint) (n int, symbol uint32, ended bool) {
	if !useAssembly || len(pix) == 0 {
		return 0, 0, false
	}
	var cache *uint32
	if shift < 32 {
		cache = &d.cache[0]
	}
	n, symbol = literalsBMI2(&d.bits, g, &d.codes.tables[0], &pix[0], len(pix), cache, shift)
	return n, symbol, n == len(pix) || symbol != 0
}

// predictRowAVX2 predicts the pixels of a row from the second on: out, in and n are theirs; above begins above the
// first one, tiles with the row's first, and tile is the side of one.
//
//go:noescape
func predictRowAVX2(out, in, above, tiles *uint32, n, tile int)

// crossColourAVX2 is crossColourRun; n is a multiple of 4.
//
//go:noescape
func crossColourAVX2(out, in *uint32, n int, multipliers uint32)

// rgbAVX2 is toRGB, greenRGBAVX2 addGreenRow and toRGB; n is a multiple of 4, and there is room for four bytes more.
//
//go:noescape
func rgbAVX2(pix *byte, pixels *uint32, n int)

//go:noescape
func greenRGBAVX2(pix *byte, pixels *uint32, n int)

// predictFast predicts the pixels from the second on; false: it can't.
func predictFast(out, in, above, tiles []uint32, tile int) bool {
	if !useAssembly || len(in) < 2 {
		return false
	}
	predictRowAVX2(&out[1], &in[1], &above[0], &tiles[0], len(in)-1, tile)
	return true
}

// crossColourFast is crossColourRun for the first n pixels.
func crossColourFast(out, in []uint32, multipliers uint32) (n int) {
	if n = len(in) &^ 3; !useAssembly || n == 0 {
		return 0
	}
	crossColourAVX2(&out[0], &in[0], n, multipliers)
	return n
}

// toRGBFast is toRGB for the first n pixels, with green added to red and blue first if plus.
func toRGBFast(pix []byte, pixels []uint32, plus bool) (n int) {
	if n = (len(pixels) - 2) &^ 3; !useAssembly || n <= 0 {
		return 0
	}
	if plus {
		greenRGBAVX2(&pix[0], &pixels[0], n)
	} else {
		rgbAVX2(&pix[0], &pixels[0], n)
	}
	return n
}
