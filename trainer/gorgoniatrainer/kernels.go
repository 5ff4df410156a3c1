package gorgoniatrainer

// The inner loops, in plain Go. Each fixes the order of its sums, and its
// products are rounded before they are added (the conversions rule out fused
// multiply-adds), so the assembly of kernels_amd64.s gives the same bytes: its
// vector lanes are the independent sums of these loops.

// dead is the argmax of a pooled value that ReLU has zeroed.
const dead = 4

// block is where the kernel of convPool finds its inputs. An image is split into
// four phases, of even and odd rows and columns of the picture with its border
// of zeros: phase (p, q) holds at (i, j) the padded pixel (2i+p, 2j+q). So the
// 4x4 pixels that decide pooled value (i, j) are the values of the phases at
// (i, j), (i, j+1), (i+1, j) and (i+1, j+1), and for successive pooled values
// they lie side by side.
type block struct {
	pitch    int // from a row of a phase to the next
	phase    int // from a phase to the next: order (0,0) (0,1) (1,0) (1,1)
	channels int // input channels, 4 phases each
}

// convPoolGo is Conv2d(3x3, padding 1) + ReLU + MaxPool2d(2) for two output
// channels and n pooled values: x are the phases from the first value on, w the
// weights [2][channels][3][3]. To dst go the pooled values, to arg which of
// the four positions (2*row+column) was the first largest, or dead. NaNs propagate.
func convPoolGo(dst, dst2 []float32, arg, arg2 []uint8, x, w []float32, bias *[2]float32, b block, n int) {
	for i := range n {
		var a0, a1, a2, a3, e0, e1, e2, e3 float32
		for c := range b.channels {
			at := 4*c*b.phase + i
			p00, p01 := (*[2]float32)(x[at:]), (*[2]float32)(x[at+b.phase:])
			p10, p11 := (*[2]float32)(x[at+2*b.phase:]), (*[2]float32)(x[at+3*b.phase:])
			at += b.pitch
			p20, p21 := (*[2]float32)(x[at:]), (*[2]float32)(x[at+b.phase:])
			p30, p31 := (*[2]float32)(x[at+2*b.phase:]), (*[2]float32)(x[at+3*b.phase:])
			x00, x01, x02, x03 := p00[0], p01[0], p00[1], p01[1]
			x10, x11, x12, x13 := p10[0], p11[0], p10[1], p11[1]
			x20, x21, x22, x23 := p20[0], p21[0], p20[1], p21[1]
			x30, x31, x32, x33 := p30[0], p31[0], p30[1], p31[1]
			u, v := (*[9]float32)(w[9*c:]), (*[9]float32)(w[9*(c+b.channels):])

			s, t := u[0], v[0]
			a0, a1, a2, a3 = a0+float32(s*x00), a1+float32(s*x01), a2+float32(s*x10), a3+float32(s*x11)
			e0, e1, e2, e3 = e0+float32(t*x00), e1+float32(t*x01), e2+float32(t*x10), e3+float32(t*x11)
			s, t = u[1], v[1]
			a0, a1, a2, a3 = a0+float32(s*x01), a1+float32(s*x02), a2+float32(s*x11), a3+float32(s*x12)
			e0, e1, e2, e3 = e0+float32(t*x01), e1+float32(t*x02), e2+float32(t*x11), e3+float32(t*x12)
			s, t = u[2], v[2]
			a0, a1, a2, a3 = a0+float32(s*x02), a1+float32(s*x03), a2+float32(s*x12), a3+float32(s*x13)
			e0, e1, e2, e3 = e0+float32(t*x02), e1+float32(t*x03), e2+float32(t*x12), e3+float32(t*x13)
			s, t = u[3], v[3]
			a0, a1, a2, a3 = a0+float32(s*x10), a1+float32(s*x11), a2+float32(s*x20), a3+float32(s*x21)
			e0, e1, e2, e3 = e0+float32(t*x10), e1+float32(t*x11), e2+float32(t*x20), e3+float32(t*x21)
			s, t = u[4], v[4]
			a0, a1, a2, a3 = a0+float32(s*x11), a1+float32(s*x12), a2+float32(s*x21), a3+float32(s*x22)
			e0, e1, e2, e3 = e0+float32(t*x11), e1+float32(t*x12), e2+float32(t*x21), e3+float32(t*x22)
			s, t = u[5], v[5]
			a0, a1, a2, a3 = a0+float32(s*x12), a1+float32(s*x13), a2+float32(s*x22), a3+float32(s*x23)
			e0, e1, e2, e3 = e0+float32(t*x12), e1+float32(t*x13), e2+float32(t*x22), e3+float32(t*x23)
			s, t = u[6], v[6]
			a0, a1, a2, a3 = a0+float32(s*x20), a1+float32(s*x21), a2+float32(s*x30), a3+float32(s*x31)
			e0, e1, e2, e3 = e0+float32(t*x20), e1+float32(t*x21), e2+float32(t*x30), e3+float32(t*x31)
			s, t = u[7], v[7]
			a0, a1, a2, a3 = a0+float32(s*x21), a1+float32(s*x22), a2+float32(s*x31), a3+float32(s*x32)
			e0, e1, e2, e3 = e0+float32(t*x21), e1+float32(t*x22), e2+float32(t*x31), e3+float32(t*x32)
			s, t = u[8], v[8]
			a0, a1, a2, a3 = a0+float32(s*x22), a1+float32(s*x23), a2+float32(s*x32), a3+float32(s*x33)
			e0, e1, e2, e3 = e0+float32(t*x22), e1+float32(t*x23), e2+float32(t*x32), e3+float32(t*x33)
		}
		dst[i], arg[i] = largest(a0, a1, a2, a3, bias[0])
		dst2[i], arg2[i] = largest(e0, e1, e2, e3, bias[1])
	}
}

// largest is bias + ReLU of the first largest of four values, or a NaN among
// them, and its number.
func largest(m, b, c, d, bias float32) (float32, uint8) {
	k := uint8(0)
	if b > m || b != b {
		m, k = b, 1
	}
	if c > m || c != c {
		m, k = c, 2
	}
	if d > m || d != d {
		m, k = d, 3
	}
	if m += bias; m <= 0 {
		return 0, dead
	}
	return m, k
}

// gatherLanes is the width of gather.
const gatherLanes = 32

// gatherGo adds to each of the 32 sums g[i] * x[at(i)+lane], at(i) being
// i*step + offset[arg[i]]; dead values, whose offset is 0, are skipped.
func gatherGo(sums *[gatherLanes]float32, g []float32, arg []uint8, x []float32, offset *[5]int, step int) {
	arg = arg[:len(g)]
	for lane := 0; lane < gatherLanes; lane += 8 {
		s := (*[8]float32)(sums[lane:])
		s0, s1, s2, s3, s4, s5, s6, s7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
		at := lane
		for i, v := range g {
			if k := arg[i]; k < dead {
				p := (*[8]float32)(x[at+offset[k]:])
				s0 += float32(v * p[0])
				s1 += float32(v * p[1])
				s2 += float32(v * p[2])
				s3 += float32(v * p[3])
				s4 += float32(v * p[4])
				s5 += float32(v * p[5])
				s6 += float32(v * p[6])
				s7 += float32(v * p[7])
			}
			at += step
		}
		s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = s0, s1, s2, s3, s4, s5, s6, s7
	}
}

// dot4Go gives the dot products of x with four rows of w, stride apart: 16
// interleaved sums each, added as a tree. len(x) is a multiple of 16.
func dot4Go(out *[4]float32, x, w []float32, stride int) {
	for row := range out {
		out[row] = dot1Go(x, w[row*stride:])
	}
}

// dot1Go is one dot product of dot4Go.
func dot1Go(x, w []float32) float32 {
	var s [16]float32
	w = w[:len(x)]
	for half := 0; half < 16; half += 8 { // eight sums fit the registers
		var s0, s1, s2, s3, s4, s5, s6, s7 float32
		for i := half; i+8 <= len(x); i += 16 {
			p, q := (*[8]float32)(x[i:]), (*[8]float32)(w[i:])
			s0 += float32(p[0] * q[0])
			s1 += float32(p[1] * q[1])
			s2 += float32(p[2] * q[2])
			s3 += float32(p[3] * q[3])
			s4 += float32(p[4] * q[4])
			s5 += float32(p[5] * q[5])
			s6 += float32(p[6] * q[6])
			s7 += float32(p[7] * q[7])
		}
		copy(s[half:], []float32{s0, s1, s2, s3, s4, s5, s6, s7})
	}
	for width := 8; width > 0; width /= 2 {
		for i := range width {
			s[i] += s[i+width]
		}
	}
	return s[0]
}

// gemmGo is c = a b, or c += a b: rows of n values, n a multiple of 16. a's
// element (m, k) is a[m*aStride+k]. Each value is summed in the order of k.
func gemmGo(c []float32, cStride int, a []float32, aStride int, b []float32, bStride, rows, depth, n int, add bool) {
	for m := range rows {
		dst := c[m*cStride : m*cStride+n]
		if !add {
			clear(dst)
		}
		k := 0
		for ; k+4 <= depth; k += 4 {
			f := (*[4]float32)(a[m*aStride+k:])
			f0, f1, f2, f3 := f[0], f[1], f[2], f[3]
			b0, b1 := b[k*bStride:][:n], b[(k+1)*bStride:][:n]
			b2, b3 := b[(k+2)*bStride:][:n], b[(k+3)*bStride:][:n]
			dst := dst[:n]
			for i, v := range b0 {
				dst[i] = dst[i] + float32(f0*v) + float32(f1*b1[i]) + float32(f2*b2[i]) + float32(f3*b3[i])
			}
		}
		for ; k < depth; k++ {
			axpyGo(dst, b[k*bStride:][:n], a[m*aStride+k])
		}
	}
}

// axpyGo adds f*x to dst.
func axpyGo(dst, x []float32, f float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] += float32(f * v)
	}
}

// flush returns v, or 0 if v is between -tiny and tiny.
func flush(v, tiny float32) float32 {
	if v < tiny && v > -tiny {
		return 0
	}
	return v
}
