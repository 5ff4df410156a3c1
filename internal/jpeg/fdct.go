package jpeg

import mathbits "math/bits"

// The forward DCT is that of libjpeg's jfdctint.c ("islow"), rows first. Constants are
// idct.go's. Coefficients are 8 times as large as T.81 has them.

// standardQuant is the tables of T.81, K.1, for luminance and chrominance, in natural order.
var standardQuant = [2][64]uint8{
	{
		16, 11, 10, 16, 24, 40, 51, 61,
		12, 12, 14, 19, 26, 58, 60, 55,
		14, 13, 16, 24, 40, 57, 69, 56,
		14, 17, 22, 29, 51, 87, 80, 62,
		18, 22, 37, 56, 68, 109, 103, 77,
		24, 35, 55, 64, 81, 104, 113, 92,
		49, 64, 78, 87, 103, 121, 120, 101,
		72, 92, 95, 98, 112, 100, 103, 99,
	},
	{
		17, 18, 24, 47, 99, 99, 99, 99,
		18, 21, 26, 66, 99, 99, 99, 99,
		24, 26, 56, 99, 99, 99, 99, 99,
		47, 66, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
	},
}

// divisors is a quantization table.
type divisors struct {
	step   [64]uint8   // in natural order
	zigzag [64]divisor // in zigzag order

	// The same for assembly, which takes magnitudes of 16 bits: an addend, a factor of which
	// the product's upper half counts, and another. Each row is there twice, for two blocks.
	words [3][8][2][8]uint16
}

// divisor divides a coefficient of the forward DCT by 8 times a step, rounding half away from
// zero.
type divisor struct {
	zero  uint32 // coefficients up to this magnitude become 0
	half  uint32
	recip uint32 // 2^32 / divisor, rounded up: exact below 2^16
}

// scale makes the table of a quality as libjpeg's jpeg_set_quality does.
func (d *divisors) scale(base *[64]uint8, quality int) {
	percent := 200 - 2*quality
	if quality < 50 {
		percent = 5000 / quality
	}
	for i, v := range base {
		d.step[i] = uint8(min(max((int(v)*percent+50)/100, 1), 255))
		for lane := range 2 {
			for part, word := range words(8 * uint32(d.step[i])) {
				d.words[part][i/8][lane][i%8] = word
			}
		}
	}
	for k, at := range zigzag {
		n := 8 * uint32(d.step[at])
		d.zigzag[k] = divisor{zero: n - n/2 - 1, half: n / 2, recip: uint32((1<<32 + uint64(n) - 1) / uint64(n))}
	}
}

// words divides by n, from 8 to 2040, in 16 bits: exactly, as in libjpeg-turbo's jcdctmgr.c,
// which has it of Agner Fog (Optimizing subroutines in assembly language, 16.9).
func words(n uint32) [3]uint16 {
	shift := uint32(mathbits.Len32(n) - 1)
	recip, rest, half := 1<<(16+shift)/n, 1<<(16+shift)%n, n/2
	switch {
	case rest == 0:
		recip /= 2
		shift--
	case rest <= n/2:
		half++
	default:
		recip++
	}
	return [3]uint16{uint16(half), uint16(recip), 1 << (16 - shift)}
}

// encBlock is a block's quantized coefficients.
type encBlock struct {
	nonzero uint64    // a bit for each, in zigzag order
	values  [64]int16 // in natural order; those that are 0 may have any value
}

// transform sets blocks to the quantized transforms of neighbouring blocks of 8x8 samples.
func transform(blocks []encBlock, samples []uint8, stride int, d *divisors) {
	if useAssembly && len(blocks) > 1 {
		for i := 0; i < len(blocks); i += 2 {
			i = min(i, len(blocks)-2) // the last one may be done twice
			transform2((*[2]encBlock)(blocks[i:]), samples[8*i:], stride, d)
		}
		return
	}
	var ws [64]int32
	for i := range blocks {
		fdctRows(&ws, samples[8*i:], stride)
		fdctColumns(&ws)
		blocks[i].quantize(&ws, d)
	}
}

// quantize sets the block to coefficients, divided.
func (b *encBlock) quantize(coefs *[64]int32, d *divisors) {
	nonzero := uint64(0)
	for k := range 64 {
		at, q := zigzag[k]&63, &d.zigzag[k]
		v := coefs[at]
		if uint32(v)+q.zero <= 2*q.zero {
			continue
		}
		sign := v >> 31
		n := int32(uint64(uint32(v^sign-sign)+q.half) * uint64(q.recip) >> 32)
		b.values[at] = int16(n ^ sign - sign)
		nonzero |= 1 << k
	}
	b.nonzero = nonzero
}

func fdctRows(ws *[64]int32, samples []uint8, stride int) {
	for y := range 8 {
		in, out := (*[8]uint8)(samples[y*stride:]), (*[8]int32)(ws[8*y:])
		a0, a7 := int32(in[0])+int32(in[7]), int32(in[0])-int32(in[7])
		a1, a6 := int32(in[1])+int32(in[6]), int32(in[1])-int32(in[6])
		a2, a5 := int32(in[2])+int32(in[5]), int32(in[2])-int32(in[5])
		a3, a4 := int32(in[3])+int32(in[4]), int32(in[3])-int32(in[4])

		e0, e3 := a0+a3, a0-a3
		e1, e2 := a1+a2, a1-a2
		out[0] = (e0 + e1 - 8*128) << pass1Bits // with the level shift
		out[4] = (e0 - e1) << pass1Bits
		z := (e2+e3)*c6 + half1
		out[2] = (z + e3*c2minusC6) >> shift1
		out[6] = (z - e2*c2plusC6) >> shift1

		o1, o3, o5, o7 := fdctOdd(a4, a5, a6, a7, half1)
		out[1], out[3], out[5], out[7] = o1>>shift1, o3>>shift1, o5>>shift1, o7>>shift1
	}
}

func fdctColumns(ws *[64]int32) {
	const (
		shift = constBits + pass1Bits
		half  = 1 << (shift - 1)
		half0 = 1 << (pass1Bits - 1)
	)
	for x := range 8 {
		io := (*[57]int32)(ws[x:])
		a0, a7 := io[0]+io[56], io[0]-io[56]
		a1, a6 := io[8]+io[48], io[8]-io[48]
		a2, a5 := io[16]+io[40], io[16]-io[40]
		a3, a4 := io[24]+io[32], io[24]-io[32]

		e0, e3 := a0+a3, a0-a3
		e1, e2 := a1+a2, a1-a2
		io[0] = (e0 + e1 + half0) >> pass1Bits
		io[32] = (e0 - e1 + half0) >> pass1Bits
		z := (e2+e3)*c6 + half
		io[16] = (z + e3*c2minusC6) >> shift
		io[48] = (z - e2*c2plusC6) >> shift

		o1, o3, o5, o7 := fdctOdd(a4, a5, a6, a7, half)
		io[8], io[24], io[40], io[56] = o1>>shift, o3>>shift, o5>>shift, o7>>shift
	}
}

// fdctOdd is the odd coefficients of both passes, before the shift.
func fdctOdd(a4, a5, a6, a7, half int32) (o1, o3, o5, o7 int32) {
	z3, z4 := a4+a6, a5+a7
	z5 := (z3+z4)*c3 + half
	z1, z2 := (a4+a7)*c3minusC7, (a5+a6)*c1plusC3
	z3, z4 = z5-z3*c3plusC5, z5-z4*c3minusC5
	return a7*m1 - z1 + z4, a6*m3 - z2 + z3, a5*m5 - z2 + z4, a4*m7 - z1 + z3
}
