package jpeg

import "encoding/binary"

// The inverse DCT is that of libjpeg's jidctint.c ("islow", the default of all that
// use libjpeg): the algorithm of Loeffler, Ligtenberg and Moschytz (ICASSP 1989)
// with 12 multiplications, columns first, in fixed point. Its results depend on
// where it rounds, so these two numbers and the order of roundings are its definition.
const (
	constBits = 13 // of the constants' fractions
	pass1Bits = 2  // more precision between the passes

	shift1 = constBits - pass1Bits     // after the columns
	shift2 = constBits + pass1Bits + 3 // after the rows
	half1  = 1 << (shift1 - 1)
	half2  = 128<<shift2 + 1<<(shift2-1) // with the level shift (T.81, A.3.1)
)

// Sums of cN = sqrt(2) cos(N pi/16) in units of 2^-13, rounded.
const (
	c6        = 4433  // 0.541196100
	c2minusC6 = 6270  // 0.765366865
	c2plusC6  = 15137 // 1.847759065
	c3        = 9633  // 1.175875602
	c3minusC5 = 3196  // 0.390180644
	c3plusC5  = 16069 // 1.961570560
	c3minusC7 = 7373  // 0.899976223
	c1plusC3  = 20995 // 2.562915447

	m7 = 2446  // 0.298631336: -c1+c3+c5-c7
	m5 = 16819 // 2.053119869: c1+c3-c5+c7
	m3 = 25172 // 3.072711026: c1+c3+c5-c7
	m1 = 12299 // 1.501321110: c1+c3-c5-c7
)

// maxPlainSum is the sum of magnitudes of a block's coefficients up to which nothing
// leaves 16 bits: what follows the columns is at most 4 * sqrt(2) cos(pi/16) = 5.55
// times as large, and 64 less is counted at most (coefBlock.set). Pictures stay far
// below; above it libjpeg's C and SIMD code differ.
const maxPlainSum = 5800

// smallLast is the last position in zigzag order within the first 4x4 coefficients.
const smallLast = 9

// coefBlock is a block of dequantized coefficients in natural order.
type coefBlock struct {
	coefs [64]int16
	last  int // zigzag position of the last one that may not be zero
	sum   int // of magnitudes, see maxPlainSum
}

// set stores coefficient k in zigzag order, later ones after earlier ones. It is
// stored modulo 2^16, as libjpeg's SIMD code multiplies.
func (c *coefBlock) set(k, value, quant int) {
	p := value * quant
	c.coefs[zigzag[k&63]&63] = int16(p)
	c.last = k
	c.sum += p ^ p>>63
}

// idct is the space between the two passes.
type idct struct {
	ws       [64]int32
	extremes int // how many blocks exceeded maxPlainSum
}

// block writes the 8x8 samples of a block to dst. All ways give the same bytes.
func (t *idct) block(dst []uint8, stride int, c *coefBlock) {
	switch {
	case c.sum > maxPlainSum:
		t.extremes++
		t.extreme(dst, stride, &c.coefs)
	case c.last == 0:
		flat(dst, stride, c.coefs[0])
	case c.last <= smallLast:
		t.small(dst, stride, &c.coefs)
	default:
		t.full(dst, stride, &c.coefs)
	}
}

// flat is the transform of a DC coefficient.
func flat(dst []uint8, stride int, dc int16) {
	v := uint64(clamp((int32(dc)<<pass1Bits+128<<(pass1Bits+3)+1<<(pass1Bits+2))>>(pass1Bits+3))) * lowBits
	for y := range 8 {
		binary.LittleEndian.PutUint64(dst[y*stride:], v)
	}
}

// small is the transform where only the first 4x4 coefficients are not zero.
func (t *idct) small(dst []uint8, stride int, coefs *[64]int16) {
	for x := range 4 {
		in, out := (*[25]int16)(coefs[x:]), (*[57]int32)(t.ws[x:])
		e0, e1, e2, e3 := even(int32(in[0]), int32(in[16]), 0, 0)
		o0, o1, o2, o3 := odd(int32(in[8]), int32(in[24]), 0, 0, int32(in[8]), int32(in[24]))
		storeColumn(out, e0, e1, e2, e3, o0, o1, o2, o3)
	}
	for y := range 8 {
		in := (*[4]int32)(t.ws[8*y:])
		e0, e1, e2, e3 := even(in[0], in[2], 0, 0)
		o0, o1, o2, o3 := odd(in[1], in[3], 0, 0, in[1], in[3])
		storeRow(dst[y*stride:], e0, e1, e2, e3, o0, o1, o2, o3)
	}
}

// full is the transform of any block up to maxPlainSum.
func (t *idct) full(dst []uint8, stride int, coefs *[64]int16) {
	for x := range 8 {
		in, out := (*[57]int16)(coefs[x:]), (*[57]int32)(t.ws[x:])
		if in[8]|in[16]|in[24]|in[32]|in[40]|in[48]|in[56] == 0 {
			v := int32(in[0]) << pass1Bits
			out[0], out[8], out[16], out[24] = v, v, v, v
			out[32], out[40], out[48], out[56] = v, v, v, v
			continue
		}
		e0, e1, e2, e3 := even(int32(in[0]), int32(in[16]), int32(in[32]), int32(in[48]))
		x1, x3, x5, x7 := int32(in[8]), int32(in[24]), int32(in[40]), int32(in[56])
		o0, o1, o2, o3 := odd(x1, x3, x5, x7, x1+x5, x3+x7)
		storeColumn(out, e0, e1, e2, e3, o0, o1, o2, o3)
	}
	for y := range 8 {
		in := (*[8]int32)(t.ws[8*y:])
		e0, e1, e2, e3 := even(in[0], in[2], in[4], in[6])
		o0, o1, o2, o3 := odd(in[1], in[3], in[5], in[7], in[1]+in[5], in[3]+in[7])
		storeRow(dst[y*stride:], e0, e1, e2, e3, o0, o1, o2, o3)
	}
}

// even is the half of the transform that takes coefficients 0, 2, 4 and 6.
func even(x0, x2, x4, x6 int32) (e0, e1, e2, e3 int32) {
	z := (x2 + x6) * c6
	lo, hi := z-x6*c2plusC6, z+x2*c2minusC6
	sum, diff := (x0+x4)<<constBits, (x0-x4)<<constBits
	return sum + hi, diff + lo, diff - lo, sum - hi
}

// odd is the half that takes coefficients 1, 3, 5 and 7. Two of their sums are
// arguments, as extreme has them wrapped.
func odd(x1, x3, x5, x7, x15, x37 int32) (o0, o1, o2, o3 int32) {
	z := (x15 + x37) * c3
	z15, z37 := z-x15*c3minusC5, z-x37*c3plusC5
	z17, z35 := (x1+x7)*c3minusC7, (x3+x5)*c1plusC3
	return x1*m1 - z17 + z15, x3*m3 - z35 + z37, x5*m5 - z35 + z15, x7*m7 - z17 + z37
}

func storeColumn(out *[57]int32, e0, e1, e2, e3, o0, o1, o2, o3 int32) {
	e0, e1, e2, e3 = e0+half1, e1+half1, e2+half1, e3+half1
	out[0], out[56] = (e0+o0)>>shift1, (e0-o0)>>shift1
	out[8], out[48] = (e1+o1)>>shift1, (e1-o1)>>shift1
	out[16], out[40] = (e2+o2)>>shift1, (e2-o2)>>shift1
	out[24], out[32] = (e3+o3)>>shift1, (e3-o3)>>shift1
}

func storeRow(dst []uint8, e0, e1, e2, e3, o0, o1, o2, o3 int32) {
	e0, e1, e2, e3 = e0+half2, e1+half2, e2+half2, e3+half2
	lo := uint32(clamp((e0+o0)>>shift2)) | uint32(clamp((e1+o1)>>shift2))<<8 |
		uint32(clamp((e2+o2)>>shift2))<<16 | uint32(clamp((e3+o3)>>shift2))<<24
	hi := uint32(clamp((e3-o3)>>shift2)) | uint32(clamp((e2-o2)>>shift2))<<8 |
		uint32(clamp((e1-o1)>>shift2))<<16 | uint32(clamp((e0-o0)>>shift2))<<24
	binary.LittleEndian.PutUint64(dst, uint64(lo)|uint64(hi)<<32)
}

func clamp(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^(v >> 31))
	}
	return uint8(v)
}

// extreme is the transform of blocks that no encoder makes of a picture. It does as
// libjpeg-turbo's x86 code (simd/x86_64/jidctint-sse2.asm and -avx2.asm), which is
// what Pillow and OpenCV run: sums of two wrap at 16 bits, what goes from the columns
// to the rows is saturated (but for a block whose columns have only their first
// coefficient), and so are samples. The C code wraps samples at 10 bits instead.
func (t *idct) extreme(dst []uint8, stride int, coefs *[64]int16) {
	var ac int16
	for _, v := range coefs[8:] {
		ac |= v
	}
	for x := range 8 {
		in, out := (*[57]int16)(coefs[x:]), (*[57]int32)(t.ws[x:])
		if ac == 0 {
			v := int32(in[0] << pass1Bits)
			out[0], out[8], out[16], out[24] = v, v, v, v
			out[32], out[40], out[48], out[56] = v, v, v, v
			continue
		}
		e0, e1, e2, e3 := even16(int32(in[0]), int32(in[16]), int32(in[32]), int32(in[48]))
		o0, o1, o2, o3 := odd16(int32(in[8]), int32(in[24]), int32(in[40]), int32(in[56]))
		storeColumn(out, e0, e1, e2, e3, o0, o1, o2, o3)
		for y := range 8 {
			out[8*y] = min(max(out[8*y], -1<<15), 1<<15-1)
		}
	}
	for y := range 8 {
		in := (*[8]int32)(t.ws[8*y:])
		e0, e1, e2, e3 := even16(in[0], in[2], in[4], in[6])
		o0, o1, o2, o3 := odd16(in[1], in[3], in[5], in[7])
		storeRow(dst[y*stride:], e0, e1, e2, e3, o0, o1, o2, o3)
	}
}

func even16(x0, x2, x4, x6 int32) (e0, e1, e2, e3 int32) {
	_, lo, _, minusHi := even(0, x2, 0, x6)
	sum, diff := int32(int16(x0+x4))<<constBits, int32(int16(x0-x4))<<constBits
	return sum - minusHi, diff + lo, diff - lo, sum + minusHi
}

func odd16(x1, x3, x5, x7 int32) (o0, o1, o2, o3 int32) {
	return odd(x1, x3, x5, x7, int32(int16(x1+x5)), int32(int16(x3+x7)))
}
