package decode

// pickAVX2 stores 16 bytes in each step, those of the 16 at src that mask names, and goes on by
// so many bytes. n > 0.
//
//go:noescape
func pickAVX2(dst, src *byte, n, dstStep, srcStep int, mask *[16]byte)

// fast converts the first n pixels.
func (p pick) fast(rgb, stored []byte) (n int) {
	if !useAssembly || p.size > 16 {
		return 0
	}
	each := min(16/p.size, 5)
	steps := min((len(rgb)-16)/(3*each), (len(stored)-16)/(p.size*each)) + 1
	if len(rgb) < 16 || len(stored) < 16 {
		return 0
	}
	var mask [16]byte
	for i := range each {
		mask[3*i], mask[3*i+1], mask[3*i+2] = uint8(p.size*i+p.red), uint8(p.size*i+p.green), uint8(p.size*i+p.blue)
	}
	pickAVX2(&rgb[0], &stored[0], steps, 3*each, p.size*each, &mask)
	return steps * each
}

// lookUpAVX2 looks 4*n numbers up, and stores a byte behind them. n > 0.
//
//go:noescape
func lookUpAVX2(dst, numbers *byte, n int, table *rgbTable)

// fast looks the first n numbers up.
func (c *rgbTable) fast(rgb, numbers []byte) (n int) {
	steps := min((len(rgb)-1)/12, len(numbers)/4)
	if !useAssembly || steps == 0 {
		return 0
	}
	lookUpAVX2(&rgb[0], &numbers[0], steps, c)
	return 4 * steps
}
