package jpeg

// Colours are converted as in libjpeg's jccolor.c, in units of 2^-16, and chroma is
// averaged as in jcsample.c: what is half way between two values is rounded down and up by
// turns along a row. Past the right edge the last pixel is repeated, before averaging;
// past the bottom a row of the picture up to a pair of rows, and then rows of samples.

const (
	redY, greenY, blueY = 19595, 38470, 7471 // 0.299, 0.587, 0.114

	// Cb in the lower half, Cr in the upper one: neither is negative once the offset is added.
	redC    = 32768<<32 - 11059  // -0.16874, 0.5
	greenC  = -27439<<32 - 21709 // -0.33126, -0.41869
	blueC   = -5329<<32 + 32768  // 0.5, -0.08131
	offsetC = 1<<32 + 1
	zeroC   = (128<<16 + 1<<15 - 1) * offsetC
)

// luma is a pixel's Y.
func luma(r, g, b uint8) uint8 {
	return uint8((uint32(r)*redY + uint32(g)*greenY + uint32(b)*blueY + 1<<15) >> 16)
}

// chroma is a pixel's Cb in bits 0 to 7 and its Cr in bits 32 to 39.
func chroma(r, g, b uint8) uint64 {
	v := int64(r)*redC + int64(g)*greenC + int64(b)*blueC + zeroC
	return uint64(v) >> 16 & (255 * offsetC)
}

// convert fills the components' samples with the row of MCUs that begins at row top of the
// picture.
func (e *Encoder) convert(pix []uint8, top int) {
	v := e.comps[0].v
	rowBytes := e.width * e.n
	for y := 0; y < 8*v; y += v {
		if top+y >= e.height {
			e.repeat(y, v)
			continue
		}
		upper := pix[(top+y)*rowBytes:][:rowBytes]
		lower := upper
		if top+y+1 < e.height {
			lower = pix[(top+y+1)*rowBytes:][:rowBytes]
		}
		switch {
		case e.n == 1:
			c := &e.comps[0]
			extend8(c.samples[y*c.stride:][:c.stride], upper)
		case v == 2:
			e.row420(y, upper, lower)
		case e.comps[0].h == 2:
			e.row422(y, upper)
		default:
			e.row444(y, upper)
		}
	}
}

// repeat fills the samples of v rows of pixels from y on with those of the row before.
func (e *Encoder) repeat(y, v int) {
	for i := range e.comps[:e.n] {
		c := &e.comps[i]
		for at := y * c.v / v; at < (y+v)*c.v/v; at++ {
			copy(c.samples[at*c.stride:][:c.stride], c.samples[(at-1)*c.stride:])
		}
	}
}

// extend8 copies a row and repeats its last sample.
func extend8(dst, src []uint8) {
	for x := copy(dst, src); x < len(dst); x++ {
		dst[x] = src[len(src)-1]
	}
}

func (e *Encoder) row444(y int, row []uint8) {
	c := &e.comps
	out0, out1, out2 := c[0].samples[y*c[0].stride:][:c[0].stride], c[1].samples[y*c[1].stride:][:c[1].stride], c[2].samples[y*c[2].stride:][:c[2].stride]
	out1, out2 = out1[:len(out0)], out2[:len(out0)]
	for x := range out0 {
		if len(row) >= 3 && x < e.width {
			p := row[3*x : 3*x+3 : 3*x+3]
			out0[x] = luma(p[0], p[1], p[2])
			v := chroma(p[0], p[1], p[2])
			out1[x], out2[x] = uint8(v), uint8(v>>32)
			continue
		}
		out0[x], out1[x], out2[x] = out0[x-1], out1[x-1], out2[x-1]
	}
}

func (e *Encoder) row422(y int, row []uint8) {
	c := &e.comps
	out0, out1, out2 := c[0].samples[y*c[0].stride:][:c[0].stride], c[1].samples[y*c[1].stride:][:c[1].stride], c[2].samples[y*c[2].stride:][:c[2].stride]
	pairs := e.width / 2
	out2 = out2[:len(out1)]
	for x := range out1 {
		var v uint64
		if x < pairs {
			p, o := row[6*x:6*x+6:6*x+6], out0[2*x:2*x+2:2*x+2]
			o[0], o[1] = luma(p[0], p[1], p[2]), luma(p[3], p[4], p[5])
			v = chroma(p[0], p[1], p[2]) + chroma(p[3], p[4], p[5])
		} else {
			p := row[len(row)-3:]
			v = 2 * chroma(p[0], p[1], p[2])
		}
		v += uint64(x&1) * offsetC
		out1[x], out2[x] = uint8(v>>1), uint8(v>>33)
	}
	extendLuma(out0[2*pairs:], row)
}

func (e *Encoder) row420(y int, upper, lower []uint8) {
	c := &e.comps
	out0, under0 := c[0].samples[y*c[0].stride:][:c[0].stride], c[0].samples[(y+1)*c[0].stride:][:c[0].stride]
	out1, out2 := c[1].samples[y/2*c[1].stride:][:c[1].stride], c[2].samples[y/2*c[2].stride:][:c[2].stride]
	pairs := e.width / 2
	out2 = out2[:len(out1)]
	for x := range out1 {
		var v uint64
		if x < pairs {
			p, o := upper[6*x:6*x+6:6*x+6], out0[2*x:2*x+2:2*x+2]
			o[0], o[1] = luma(p[0], p[1], p[2]), luma(p[3], p[4], p[5])
			v = chroma(p[0], p[1], p[2]) + chroma(p[3], p[4], p[5])
			p, o = lower[6*x:6*x+6:6*x+6], under0[2*x:2*x+2:2*x+2]
			o[0], o[1] = luma(p[0], p[1], p[2]), luma(p[3], p[4], p[5])
			v += chroma(p[0], p[1], p[2]) + chroma(p[3], p[4], p[5])
		} else {
			p, q := upper[len(upper)-3:], lower[len(lower)-3:]
			v = 2 * (chroma(p[0], p[1], p[2]) + chroma(q[0], q[1], q[2]))
		}
		v += uint64(1+x&1) * offsetC
		out1[x], out2[x] = uint8(v>>2), uint8(v>>34)
	}
	extendLuma(out0[2*pairs:], upper)
	extendLuma(under0[2*pairs:], lower)
}

// extendLuma fills the end of a row with its last pixel's luma.
func extendLuma(out, row []uint8) {
	p := row[len(row)-3:]
	for i := range out {
		out[i] = luma(p[0], p[1], p[2])
	}
}
