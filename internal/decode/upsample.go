package decode

// upsampleRow writes row y of a component at full resolution. It repeats
// libjpeg-turbo 2.1.5's choice of method and its arithmetic (jdsample.c,
// jinit_upsampler and the *_fancy_upsample functions): triangle filters where
// the ratio is 2x1, 1x2 or 2x2, repetition elsewhere and where a component is
// at most two samples wide. dst has room for whole groups of columns.
func upsampleRow(dst []uint8, p *plane, y, hRatio, vRatio int) {
	switch {
	case hRatio == 2 && vRatio == 1 && p.w > 2:
		upsampleH2(dst, p.row(y))
	case hRatio == 1 && vRatio == 2:
		near, far := p.rowPair(y)
		upsampleV2(dst, near, far, y)
	case hRatio == 2 && vRatio == 2 && p.w > 2:
		near, far := p.rowPair(y)
		upsampleH2V2(dst, near, far)
	default:
		repeatRow(dst, p.row(y/vRatio), hRatio)
	}
}

// row is one row of samples.
func (p *plane) row(y int) []uint8 { return p.pix[y*p.stride:][:p.w] }

// rowPair gives the two rows that output row y lies between, 1/4 of their
// distance from near. Beyond the first and last row of the picture libjpeg's
// context rows repeat it (jdmainct.c).
func (p *plane) rowPair(y int) (near, far []uint8) {
	n := y / 2
	f := min(max(n-1+2*(y%2), 0), p.h-1)
	return p.row(n), p.row(f)
}

// repeatRow is int_upsample for one row.
func repeatRow(dst, src []uint8, ratio int) {
	if ratio == 1 {
		copy(dst, src)
		return
	}
	for x, s := range src {
		for i := range ratio {
			dst[x*ratio+i] = s
		}
	}
}

// upsampleH2 is h2v1_fancy_upsample: 3/4 of the nearer sample, 1/4 of the
// farther. The alternating bias (1, 2) is ordered dither instead of rounding up.
func upsampleH2(dst, src []uint8) {
	last := len(src) - 1
	dst = dst[:2*len(src)]
	dst[0] = src[0]
	dst[1] = uint8((3*int(src[0]) + int(src[1]) + 2) >> 2)
	for x := 1; x < last; x++ {
		s := 3 * int(src[x])
		dst[2*x] = uint8((s + int(src[x-1]) + 1) >> 2)
		dst[2*x+1] = uint8((s + int(src[x+1]) + 2) >> 2)
	}
	dst[2*last] = uint8((3*int(src[last]) + int(src[last-1]) + 1) >> 2)
	dst[2*last+1] = src[last]
}

// upsampleV2 is h1v2_fancy_upsample: the bias is 1 in the upper row of a pair
// and 2 in the lower.
func upsampleV2(dst, near, far []uint8, y int) {
	bias := 1 + y%2
	for x, s := range near {
		dst[x] = uint8((3*int(s) + int(far[x]) + bias) >> 2)
	}
}

// upsampleH2V2 is h2v2_fancy_upsample: 9/16, 3/16, 3/16 and 1/16 of the four
// nearest samples, the vertical sums shared between columns.
func upsampleH2V2(dst, near, far []uint8) {
	last := len(near) - 1
	far, dst = far[:len(near)], dst[:2*len(near)]
	this := 3*int(near[0]) + int(far[0])
	next := 3*int(near[1]) + int(far[1])
	dst[0] = uint8((4*this + 8) >> 4)
	dst[1] = uint8((3*this + next + 7) >> 4)
	prev := this
	this = next
	for x := 1; x < last; x++ {
		next = 3*int(near[x+1]) + int(far[x+1])
		dst[2*x] = uint8((3*this + prev + 8) >> 4)
		dst[2*x+1] = uint8((3*this + next + 7) >> 4)
		prev, this = this, next
	}
	dst[2*last] = uint8((3*this + prev + 8) >> 4)
	dst[2*last+1] = uint8((4*this + 7) >> 4)
}
