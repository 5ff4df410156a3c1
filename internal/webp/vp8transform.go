package webp

// The inverse transforms, added to a prediction. Those of all coefficients are in 16 bits that
// wrap around, as libwebp's SSE2 has them; no encoder's coefficients do.

const (
	cosine = 20091  // sqrt(2)*cos(pi/8) - 1, times 2^16
	sine   = -30068 // sqrt(2)*sin(pi/8) - 1, times 2^16
)

func scaled(x int16, by int32) int16 { return int16(int32(x)*by>>16) + x }

// butterfly is the inverse transform of four coefficients.
func butterfly(x0, x1, x2, x3 int16) (y0, y1, y2, y3 int16) {
	a, b := x0+x2, x0-x2
	c := scaled(x1, sine) - scaled(x3, cosine)
	d := scaled(x1, cosine) + scaled(x3, sine)
	return a + d, b + c, b - c, a - d
}

// addTransform adds a block's residue to its 4x4 samples.
func addTransform(pix []uint8, stride int, in *[16]int16) {
	var m [16]int16
	for i := range 4 {
		m[i], m[4+i], m[8+i], m[12+i] = butterfly(in[i], in[4+i], in[8+i], in[12+i])
	}
	for y := range 4 {
		row := (*[4]uint8)(pix[y*stride:])
		r0, r1, r2, r3 := butterfly(m[4*y]+4, m[4*y+1], m[4*y+2], m[4*y+3])
		row[0] = clip(int32(row[0]) + int32(r0>>3))
		row[1] = clip(int32(row[1]) + int32(r1>>3))
		row[2] = clip(int32(row[2]) + int32(r2>>3))
		row[3] = clip(int32(row[3]) + int32(r3>>3))
	}
}

// addThree is addTransform where only in[0], in[1] and in[4] may be other than 0, in 32 bits, as
// libwebp has it.
func addThree(pix []uint8, stride int, in *[16]int16) {
	wide := func(x int16, by int32) int32 { return int32(x)*by>>16 + int32(x) }
	dc := int32(in[0]) + 4
	c4, d4 := wide(in[4], sine), wide(in[4], cosine)
	c1, d1 := wide(in[1], sine), wide(in[1], cosine)
	for y, v := range [4]int32{dc + d4, dc + c4, dc - c4, dc - d4} {
		row := (*[4]uint8)(pix[y*stride:])
		row[0] = clip(int32(row[0]) + (v+d1)>>3)
		row[1] = clip(int32(row[1]) + (v+c1)>>3)
		row[2] = clip(int32(row[2]) + (v-c1)>>3)
		row[3] = clip(int32(row[3]) + (v-d1)>>3)
	}
}

// addFirst is addTransform where only the first may be other than 0.
func addFirst(pix []uint8, stride int, first int16) {
	v := (int32(first) + 4) >> 3
	for y := range 4 {
		row := (*[4]uint8)(pix[y*stride:])
		for x, p := range row {
			row[x] = clip(int32(p) + v)
		}
	}
}

func clip(v int32) uint8 {
	if uint32(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return uint8(v)
}

// walsh is the second inverse transform (14.3): it gives the 16 blocks of luma their first
// coefficients. alone: but for the first, all of in are 0.
func walsh(blocks *[24 * 16]int16, in *[16]int16, alone bool) {
	if alone {
		v := int16((int32(in[0]) + 3) >> 3)
		for i := range 16 {
			blocks[16*i] = v
		}
		return
	}
	var m [16]int32
	for i := range 4 {
		x0, x1, x2, x3 := int32(in[i]), int32(in[4+i]), int32(in[8+i]), int32(in[12+i])
		a, b, c, d := x0+x3, x1+x2, x1-x2, x0-x3
		m[i], m[4+i], m[8+i], m[12+i] = a+b, d+c, a-b, d-c
	}
	for i := range 4 {
		x0, x1, x2, x3 := m[4*i]+3, m[4*i+1], m[4*i+2], m[4*i+3]
		a, b, c, d := x0+x3, x1+x2, x1-x2, x0-x3
		out := blocks[64*i:]
		out[0], out[16], out[32], out[48] = int16((a+b)>>3), int16((d+c)>>3), int16((a-b)>>3), int16((d-c)>>3)
	}
}
