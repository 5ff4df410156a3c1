package jpeg

// The transforms to 4x4, 2x2 and one sample are those of libjpeg's jidctred.c: what
// the transform to 8x8 (idct.go) would give, averaged over 2x2, 4x4 or 8x8 samples,
// with roundings of its own. Along an axis an average takes no part of coefficient 4
// (for 2 samples: of 2, 4 and 6), so that these are not looked at.

const (
	shift1of4 = shift1 + 1 // one bit more than for 8 samples, for the average of two
	shift2of4 = shift2 + 1
	shift1of2 = shift1 + 2
	shift2of2 = shift2 + 2
)

// reduced writes size x size samples: 4x4, 2x2 or one.
func (t *idct) reduced(dst []uint8, stride int, coefs *[64]int16, size int) {
	switch size {
	case 4:
		t.four(dst, stride, coefs)
	case 2:
		t.two(dst, stride, coefs)
	default:
		// Modulo 2^10, as in the C code, which all use for this size.
		dst[0] = clamp((int32(coefs[0])+4)>>3<<22>>22 + 128)
	}
}

func (t *idct) four(dst []uint8, stride int, coefs *[64]int16) {
	for x := range 8 {
		if x == 4 {
			continue
		}
		in, out := (*[57]int16)(coefs[x:]), (*[25]int32)(t.ws[x:])
		a, b, c, d := average2(int32(in[0]), int32(in[8]), int32(in[16]), int32(in[24]), int32(in[40]), int32(in[48]), int32(in[56]))
		const half = 1 << (shift1of4 - 1)
		out[0], out[8] = saturate((a+half)>>shift1of4), saturate((b+half)>>shift1of4)
		out[16], out[24] = saturate((c+half)>>shift1of4), saturate((d+half)>>shift1of4)
	}
	for y := range 4 {
		in := (*[8]int32)(t.ws[8*y:])
		a, b, c, d := average2(in[0], in[1], in[2], in[3], in[5], in[6], in[7])
		const half = 1<<(shift2of4-1) + 128<<shift2of4
		row := dst[y*stride:][:4]
		row[0], row[1] = clamp((a+half)>>shift2of4), clamp((b+half)>>shift2of4)
		row[2], row[3] = clamp((c+half)>>shift2of4), clamp((d+half)>>shift2of4)
	}
}

// average2 is 8 coefficients to 4 sums of two samples.
func average2(x0, x1, x2, x3, x5, x6, x7 int32) (a, b, c, d int32) {
	e := x0 << (constBits + 1)
	e2 := x2*c2plusC6 - x6*c2minusC6
	o0 := x1*8697 - x3*17799 + x5*11893 - x7*1730        // 1.061594337, 2.172734803, 1.451774981, 0.211164243
	o1 := x1*c1plusC3 + x3*c3minusC7 - x5*4926 - x7*4176 // 0.601344887, 0.509795579
	return e + e2 + o1, e - e2 + o0, e - e2 - o0, e + e2 - o1
}

func (t *idct) two(dst []uint8, stride int, coefs *[64]int16) {
	for _, x := range [5]int{0, 1, 3, 5, 7} {
		in, out := (*[57]int16)(coefs[x:]), (*[9]int32)(t.ws[x:])
		a, b := average4(int32(in[0]), int32(in[8]), int32(in[24]), int32(in[40]), int32(in[56]))
		const half = 1 << (shift1of2 - 1)
		out[0], out[8] = (a+half)>>shift1of2, (b+half)>>shift1of2
		if x != 0 {
			out[0], out[8] = saturate(out[0]), saturate(out[8])
		}
	}
	for y := range 2 {
		in := (*[8]int32)(t.ws[8*y:])
		a, b := average4(in[0], in[1], in[3], in[5], in[7])
		const half = 1<<(shift2of2-1) + 128<<shift2of2
		row := dst[y*stride:][:2]
		row[0], row[1] = clamp((a+half)>>shift2of2), clamp((b+half)>>shift2of2)
	}
}

// average4 is 8 coefficients to 2 sums of four samples.
func average4(x0, x1, x3, x5, x7 int32) (a, b int32) {
	e := x0 << (constBits + 2)
	o := x1*29692 - x3*10426 + x5*6967 - x7*5906 // 3.624509785, 1.272758580, 0.850430095, 0.720959822
	return e + o, e - o
}

// saturate is what goes from the columns to the rows in libjpeg-turbo's SIMD code;
// it changes nothing in blocks up to maxPlainSum.
func saturate(v int32) int32 { return min(max(v, -1<<15), 1<<15-1) }
