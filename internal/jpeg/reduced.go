package jpeg

// The transforms to 4x4, 2x2 and one sample are those of libjpeg's jidctred.c: what
// the transform to 8x8 (idct.go) would give, averaged over 2x2, 4x4 or 8x8 samples,
// with its own rounding. Along an axis, coefficient 4 (for 2 samples: 2, 4 and 6)
// contributes nothing to an average, so that it is not used.

const (
	shift1of4 = shift1 + 1 // one bit more than for 8 samples, for the average of two
	shift2of4 = shift2 + 1
	shift1of2 = shift1 + 2
	shift2of2 = shift2 + 2
)

// reduced writes size x size samples: 4x4, 2x2 or one.
func (t *idct) reduced(dst []uint8, stride int, c *coefBlock, size int) {
	extreme := t.isExtreme(c)
	switch {
	case size == 1:
		dst[0] = single(int16(c.words[0]))
	case useAssembly && !extreme:
		reducedFast(dst, stride, size, &c.words)
	case c.last == 0 && !extreme:
		v := clamp((int32(int16(c.words[0]))+4)>>3 + 128)
		for y := range size {
			row := dst[y*stride:][:size]
			for x := range row {
				row[x] = v
			}
		}
	case size == 4 && !extreme:
		t.four(dst, stride, &c.words)
	case size == 4:
		coefs := c.unpack()
		t.extremeFour(dst, stride, &coefs)
	default:
		coefs := c.unpack()
		t.two(dst, stride, &coefs)
	}
}

// single is the sample of a block's DC coefficient. It wraps at 10 bits before it is clamped,
// as in the C code: libjpeg-turbo has no other for this size.
func single(dc int16) uint8 { return clamp((int32(dc)+4)>>3<<22>>22 + 128) }

// four works on two columns and two rows at once, as full does.
func (t *idct) four(dst []uint8, stride int, words *[16]uint64) {
	for i := range 2 {
		in, out := (*[15]uint64)(words[i:]), t.ws[4*i:]
		columns4((*[27]int32)(out), first(in[0]), first(in[2]), first(in[4]), first(in[6]), first(in[10]), first(in[12]), first(in[14]))
		columns4((*[27]int32)(out[1:]), second(in[0]), second(in[2]), second(in[4]), second(in[6]), second(in[10]), second(in[12]), second(in[14]))
	}
	for y := 0; y < 4; y += 2 {
		in := (*[16]int32)(t.ws[8*y:])
		a, b, c, d := average2(pair(in[0], in[8]), pair(in[1], in[9]), pair(in[2], in[10]), pair(in[3], in[11]),
			pair(in[5], in[13]), pair(in[6], in[14]), pair(in[7], in[15]))
		const half = (1<<(shift2of4-1)+128<<shift2of4)<<32 + 1<<(shift2of4-1) + 128<<shift2of4
		for i, v := range [4]int64{a + half, b + half, c + half, d + half} {
			dst[y*stride+i] = clamp(int32(v) >> shift2of4)
			dst[(y+1)*stride+i] = clamp(int32((v + 1<<31) >> (32 + shift2of4)))
		}
	}
}

// columns4 is four's first pass of two columns.
func columns4(out *[27]int32, x0, x1, x2, x3, x5, x6, x7 int64) {
	if x1|x2|x3|x5|x6|x7 == 0 {
		a, b := int32(x0)<<pass1Bits, int32((x0+1<<31)>>32)<<pass1Bits
		out[0], out[8], out[16], out[24] = a, a, a, a
		out[2], out[10], out[18], out[26] = b, b, b, b
		return
	}
	a, b, c, d := average2(x0, x1, x2, x3, x5, x6, x7)
	const half = 1<<(shift1of4-1)<<32 + 1<<(shift1of4-1)
	a, b, c, d = a+half, b+half, c+half, d+half
	out[0], out[2] = int32(a)>>shift1of4, int32((a+1<<31)>>(32+shift1of4))
	out[8], out[10] = int32(b)>>shift1of4, int32((b+1<<31)>>(32+shift1of4))
	out[16], out[18] = int32(c)>>shift1of4, int32((c+1<<31)>>(32+shift1of4))
	out[24], out[26] = int32(d)>>shift1of4, int32((d+1<<31)>>(32+shift1of4))
}

// extremeFour is four with libjpeg-turbo's overflows.
func (t *idct) extremeFour(dst []uint8, stride int, coefs *[64]int16) {
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

// average2 is 8 coefficients to 4 sums of two samples, of one line or of two.
func average2[T int32 | int64](x0, x1, x2, x3, x5, x6, x7 T) (a, b, c, d T) {
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

// saturate is applied between columns and rows by libjpeg-turbo's SIMD code. It changes
// nothing in blocks up to maxPlainSum.
func saturate(v int32) int32 { return min(max(v, -1<<15), 1<<15-1) }
