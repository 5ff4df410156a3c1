package jpeg

import "encoding/binary"

// The inverse DCT is that of libjpeg's jidctint.c ("islow", the default): the algorithm of Loeffler, Ligtenberg and Moschytz (ICASSP 1989)
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

// maxPlainSum is the sum of magnitudes of a block's coefficients up to which all values fit
// 16 bits: those between the passes are at most 4 * sqrt(2) cos(pi/16) = 5.55 times as
// large, and coefBlock.set counts up to 64 too few. Pictures stay far below; above it
// libjpeg's C and SIMD code differ.
const maxPlainSum = 5800

// smallLast is the last position in zigzag order within the first 4x4 coefficients.
const smallLast = 9

// coefBlock is a block of dequantized coefficients in natural order, four neighbours in
// a word, the first in its lowest 16 bits.
type coefBlock struct {
	words [16]uint64
	last  int   // zigzag position of the last one that may not be zero
	sum   int64 // of magnitudes, see maxPlainSum; not set by assembly
}

// slots is where coefficient k in zigzag order is stored: the word, and how far it is
// shifted in it: 0, 16, 32 or 48 bits.
var slots = func() (s [64]uint8) {
	for k, at := range zigzag {
		s[k] = at>>2 | at&3<<4
	}
	return s
}()

// set stores coefficient k in zigzag order. It must be called in this order, once for each.
// Products are modulo 2^16, as in libjpeg's SIMD code.
func (c *coefBlock) set(k, value, quant int) {
	p := int64(value) * int64(quant)
	slot := slots[k&63]
	c.words[slot&15] |= uint64(uint16(p)) << (slot & 48)
	c.last = k
	c.sum += p ^ p>>63
}

// unpack returns the coefficients one by one.
func (c *coefBlock) unpack() (coefs [64]int16) {
	for i := range coefs {
		coefs[i] = int16(c.words[i/4] >> (i % 4 * 16))
	}
	return coefs
}

// idct transforms blocks to samples: with AVX2 two at a time, so that one may wait for the
// next one or for flush. All methods for a size give the same bytes.
type idct struct {
	extremes int       // how many blocks exceeded maxPlainSum
	ws       [64]int32 // between the two passes

	blocks  [2]coefBlock // those that don't wait are empty
	waiting int          // how many blocks wait: 0 or 1
	dst     []uint8      // for the waiting block's samples
	stride  int
	nowhere [64]uint8 // for the samples of a missing second block
}

// reset drops what a failed decoding has left.
func (t *idct) reset() {
	t.extremes, t.blocks, t.waiting, t.dst = 0, [2]coefBlock{}, 0, nil
}

// next is an empty block to fill before put.
func (t *idct) next() *coefBlock { return &t.blocks[t.waiting&1] }

// put writes size x size samples of the block that next returned to dst, at once or later.
func (t *idct) put(dst []uint8, stride, size int) {
	c := t.next()
	switch {
	case size != 8:
		t.reduced(dst, stride, c, size)
	case c.last == 0 && !t.isExtreme(c):
		flat(dst, stride, int16(c.words[0]))
	case !useAssembly:
		t.one(dst, stride, c)
	case t.waiting == 0:
		t.waiting, t.dst, t.stride = 1, dst, stride
		return
	default:
		t.both(dst, stride)
		return
	}
	*c = coefBlock{}
}

// one is the transform of a block to 8x8.
func (t *idct) one(dst []uint8, stride int, c *coefBlock) {
	switch {
	case t.isExtreme(c):
		coefs := c.unpack()
		t.extreme(dst, stride, &coefs)
	case c.last <= smallLast:
		t.small(dst, stride, &c.words)
	default:
		t.full(dst, stride, &c.words)
	}
}

// isExtreme reports whether a block exceeds maxPlainSum.
func (t *idct) isExtreme(c *coefBlock) bool {
	sum := c.sum
	if useAssembly {
		sum = int64(magnitudesAVX2(&c.words))
	}
	if sum > maxPlainSum {
		t.extremes++
	}
	return sum > maxPlainSum
}

// flush writes the block that still waits.
func (t *idct) flush() {
	if t.waiting > 0 {
		t.both(t.nowhere[:], 8)
	}
}

// both writes the waiting block and the second one, and empties both.
func (t *idct) both(dst []uint8, stride int) {
	if full2(t.dst, t.stride, dst, stride, &t.blocks) > maxPlainSum {
		t.one(t.dst, t.stride, &t.blocks[0])
		t.one(dst, stride, &t.blocks[1])
	}
	t.blocks = [2]coefBlock{}
	t.waiting, t.dst = 0, nil
}

// flat is the transform of a DC coefficient.
func flat(dst []uint8, stride int, dc int16) {
	v := uint64(clamp((int32(dc)<<pass1Bits+128<<(pass1Bits+3)+1<<(pass1Bits+2))>>(pass1Bits+3))) * lowBits
	for y := range 8 {
		binary.LittleEndian.PutUint64(dst[y*stride:], v)
	}
}

// small is the transform where only the first 4x4 coefficients are not zero.
func (t *idct) small(dst []uint8, stride int, words *[16]uint64) {
	columns8((*[59]int32)(t.ws[:]), first(words[0]), first(words[2]), first(words[4]), first(words[6]), 0, 0, 0, 0)
	columns8((*[59]int32)(t.ws[1:]), second(words[0]), second(words[2]), second(words[4]), second(words[6]), 0, 0, 0, 0)
	for y := 0; y < 8; y += 2 {
		in := (*[12]int32)(t.ws[8*y:])
		e0, e1, e2, e3 := even2(pair(in[0], in[8]), pair(in[2], in[10]), 0, 0)
		o0, o1, o2, o3 := odd2(pair(in[1], in[9]), pair(in[3], in[11]), 0, 0)
		storeRows(dst[y*stride:], stride, e0, e1, e2, e3, o0, o1, o2, o3)
	}
}

// full is the transform of any block up to maxPlainSum.
func (t *idct) full(dst []uint8, stride int, words *[16]uint64) {
	for i := range 2 {
		in, out := (*[15]uint64)(words[i:]), t.ws[4*i:]
		columns8((*[59]int32)(out), first(in[0]), first(in[2]), first(in[4]), first(in[6]), first(in[8]), first(in[10]), first(in[12]), first(in[14]))
		columns8((*[59]int32)(out[1:]), second(in[0]), second(in[2]), second(in[4]), second(in[6]), second(in[8]), second(in[10]), second(in[12]), second(in[14]))
	}
	for y := 0; y < 8; y += 2 {
		in := (*[16]int32)(t.ws[8*y:])
		e0, e1, e2, e3 := even2(pair(in[0], in[8]), pair(in[2], in[10]), pair(in[4], in[12]), pair(in[6], in[14]))
		o0, o1, o2, o3 := odd2(pair(in[1], in[9]), pair(in[3], in[11]), pair(in[5], in[13]), pair(in[7], in[15]))
		storeRows(dst[y*stride:], stride, e0, e1, e2, e3, o0, o1, o2, o3)
	}
}

// columns8 is full's first pass of two columns.
func columns8(out *[59]int32, x0, x1, x2, x3, x4, x5, x6, x7 int64) {
	if x1|x2|x3|x4|x5|x6|x7 == 0 {
		a, b := int32(x0)<<pass1Bits, int32((x0+1<<31)>>32)<<pass1Bits
		out[0], out[8], out[16], out[24], out[32], out[40], out[48], out[56] = a, a, a, a, a, a, a, a
		out[2], out[10], out[18], out[26], out[34], out[42], out[50], out[58] = b, b, b, b, b, b, b, b
		return
	}
	e0, e1, e2, e3 := even2(x0, x2, x4, x6)
	o0, o1, o2, o3 := odd2(x1, x3, x5, x7)
	storeColumns(out, e0, e1, e2, e3, o0, o1, o2, o3)
}

// Two lines are transformed at once in the halves of words: the first plus 2^32 times the
// second. Sums, differences and products of such words are the words of the two results,
// as long as these fit 32 bits.

// first is the first and third coefficient of a word, second the second and fourth.
func first(w uint64) int64  { return int64(w&everyOther^signs) - signs }
func second(w uint64) int64 { return int64(w>>16&everyOther^signs) - signs }

const (
	everyOther = 0xffff<<32 | 0xffff
	signs      = 1<<47 | 1<<15
)

func pair(a, b int32) int64 { return int64(a) + int64(b)<<32 }

// even2 and odd2 are even and odd of two lines at once.
func even2(x0, x2, x4, x6 int64) (e0, e1, e2, e3 int64) {
	z := (x2 + x6) * c6
	lo, hi := z-x6*c2plusC6, z+x2*c2minusC6
	sum, diff := (x0+x4)<<constBits, (x0-x4)<<constBits
	return sum + hi, diff + lo, diff - lo, sum - hi
}

func odd2(x1, x3, x5, x7 int64) (o0, o1, o2, o3 int64) {
	x15, x37 := x1+x5, x3+x7
	z := (x15 + x37) * c3
	z15, z37 := z-x15*c3minusC5, z-x37*c3plusC5
	z17, z35 := (x1+x7)*c3minusC7, (x3+x5)*c1plusC3
	return x1*m1 - z17 + z15, x3*m3 - z35 + z37, x5*m5 - z35 + z15, x7*m7 - z17 + z37
}

// storeColumns writes two columns, two apart. 2^31 makes the lower half of a word positive,
// so that it borrows nothing from the upper one.
func storeColumns(out *[59]int32, e0, e1, e2, e3, o0, o1, o2, o3 int64) {
	const half = half1<<32 + half1
	e0, e1, e2, e3 = e0+half, e1+half, e2+half, e3+half
	a, b := e0+o0, e0-o0
	out[0], out[2] = int32(a)>>shift1, int32((a+1<<31)>>(32+shift1))
	out[56], out[58] = int32(b)>>shift1, int32((b+1<<31)>>(32+shift1))
	a, b = e1+o1, e1-o1
	out[8], out[10] = int32(a)>>shift1, int32((a+1<<31)>>(32+shift1))
	out[48], out[50] = int32(b)>>shift1, int32((b+1<<31)>>(32+shift1))
	a, b = e2+o2, e2-o2
	out[16], out[18] = int32(a)>>shift1, int32((a+1<<31)>>(32+shift1))
	out[40], out[42] = int32(b)>>shift1, int32((b+1<<31)>>(32+shift1))
	a, b = e3+o3, e3-o3
	out[24], out[26] = int32(a)>>shift1, int32((a+1<<31)>>(32+shift1))
	out[32], out[34] = int32(b)>>shift1, int32((b+1<<31)>>(32+shift1))
}

// storeRows writes two rows.
func storeRows(dst []uint8, stride int, e0, e1, e2, e3, o0, o1, o2, o3 int64) {
	const half = half2<<32 + half2
	e0, e1, e2, e3 = e0+half, e1+half, e2+half, e3+half
	v0, v1, v2, v3 := e0+o0, e1+o1, e2+o2, e3+o3
	v4, v5, v6, v7 := e3-o3, e2-o2, e1-o1, e0-o0
	const inside = 1<<(shift2+8) - 1
	var a, b uint64 // four samples of each row
	if (v0|v1|v2|v3|v4|v5|v6|v7)&^(inside<<32|inside) == 0 {
		const low = 0xff<<32 | 0xff
		a = uint64(v0)>>shift2&low | uint64(v1)>>shift2&low<<8 | uint64(v2)>>shift2&low<<16 | uint64(v3)>>shift2&low<<24
		b = uint64(v4)>>shift2&low | uint64(v5)>>shift2&low<<8 | uint64(v6)>>shift2&low<<16 | uint64(v7)>>shift2&low<<24
	} else {
		a = clamp2(v0) | clamp2(v1)<<8 | clamp2(v2)<<16 | clamp2(v3)<<24
		b = clamp2(v4) | clamp2(v5)<<8 | clamp2(v6)<<16 | clamp2(v7)<<24
	}
	binary.LittleEndian.PutUint64(dst, a&(1<<32-1)|b<<32)
	binary.LittleEndian.PutUint64(dst[stride:], a>>32|b&^(1<<32-1))
}

func clamp2(v int64) uint64 {
	return uint64(clamp(int32(v)>>shift2)) | uint64(clamp(int32((v+1<<31)>>(32+shift2))))<<32
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

// extreme is the transform of blocks that no encoder makes of a picture. It equals
// libjpeg-turbo's x86 code (simd/x86_64/jidctint-sse2.asm and -avx2.asm), which is
// what Pillow and OpenCV run: sums of two wrap at 16 bits, values between columns and
// rows are saturated (except in a block whose columns have only their first coefficient),
// and so are samples. The C code wraps samples at 10 bits instead.
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
