package decode

import "github.com/sluicedata/sluice/internal/planar"

// upsampleRow returns the columns x0 <= x < x1 of row y of a component at full
// resolution, in dst or in the plane itself; x0 is the first column of a sample. Method and
// arithmetic are those of libjpeg-turbo 2.1.5 (jdsample.c, jinit_upsampler and the
// *_fancy_upsample functions): triangle filters for ratios of 2x1, 1x2 and 2x2, repetition
// for others and for components at most two samples wide. Beyond the plane's edges its
// samples are repeated (for rows, jdmainct.c), which equals libjpeg's special cases for
// first and last columns. dst has room for whole groups of columns.
func upsampleRow(dst []uint8, p *planar.Plane, x0, x1, y, hRatio, vRatio int) []uint8 {
	k0, k1 := x0/hRatio, (x1+hRatio-1)/hRatio
	near := y / vRatio
	far := near - 1 + 2*(y%2) // of a ratio of 2: the row lies 1/4 of the way there
	switch {
	case hRatio == 1 && vRatio == 1:
		return p.Row(y, k0, k1)
	case hRatio == 2 && vRatio == 1 && p.Width > 2:
		upsampleH2(dst, p.Row(y, k0-1, k1+1))
	case hRatio == 1 && vRatio == 2:
		upsampleV2(dst, p.Row(near, k0, k1), p.Row(far, k0, k1), y)
	case hRatio == 2 && vRatio == 2 && p.Width > 2:
		upsampleH2V2(dst, p.Row(near, k0-1, k1+1), p.Row(far, k0-1, k1+1))
	default:
		repeatRow(dst, p.Row(near, k0, k1), hRatio)
	}
	return dst
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

// upsampleH2Go is h2v1_fancy_upsample: 3/4 of the nearer sample, 1/4 of the
// farther. The alternating bias (1, 2) is ordered dither instead of rounding up.
// src has one more sample on each side.
func upsampleH2Go(dst, src []uint8) {
	for len(src) >= 3 && len(dst) >= 2 {
		s := 3 * int(src[1])
		dst[0] = uint8((s + int(src[0]) + 1) >> 2)
		dst[1] = uint8((s + int(src[2]) + 2) >> 2)
		dst, src = dst[2:], src[1:]
	}
}

// upsampleV2 is h1v2_fancy_upsample: the bias is 1 in the upper row of a pair
// and 2 in the lower.
func upsampleV2(dst, near, far []uint8, y int) {
	bias := 1 + y%2
	far, dst = far[:len(near)], dst[:len(near)]
	for x, s := range near {
		dst[x] = uint8((3*int(s) + int(far[x]) + bias) >> 2)
	}
}

// upsampleH2V2Go is h2v2_fancy_upsample: 9/16, 3/16, 3/16 and 1/16 of the four
// nearest samples, the vertical sums shared between columns. near and far have
// one more sample on each side.
func upsampleH2V2Go(dst, near, far []uint8) {
	far = far[:len(near)]
	prev := 3*int(near[0]) + int(far[0])
	this := 3*int(near[1]) + int(far[1])
	for x := 2; x < len(near) && len(dst) >= 2; x++ {
		next := 3*int(near[x]) + int(far[x])
		dst[0] = uint8((3*this + prev + 8) >> 4)
		dst[1] = uint8((3*this + next + 7) >> 4)
		prev, this = this, next
		dst = dst[2:]
	}
}
