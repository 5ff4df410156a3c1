package warp

// The inner loops. Points are in units of 2^-32 and already carry one half of
// the last bit that is kept; all taps lie inside of pix.

const runShift = FixedBits - FractionBits

// bilinearRun is Filter.sample with Bilinear, from point to point.
func bilinearRun(rgb, pix []uint8, stride int, u, v, du, dv int64) {
	for ; len(rgb) >= 3; rgb = rgb[3:] {
		at := int(v>>FixedBits)*stride + 3*int(u>>FixedBits)
		fx, fy := uint32(u>>runShift)&(one-1), uint32(v>>runShift)&(one-1)
		p := pix[at : at+6 : at+6]
		q := pix[at+stride : at+stride+6 : at+stride+6]
		w3 := fx * fy
		w1, w2 := fx<<FractionBits-w3, fy<<FractionBits-w3
		w0 := one*one - w1 - w2 - w3
		const half = 1 << (2*FractionBits - 1)
		rgb[0] = uint8((w0*uint32(p[0]) + w1*uint32(p[3]) + w2*uint32(q[0]) + w3*uint32(q[3]) + half) >> (2 * FractionBits))
		rgb[1] = uint8((w0*uint32(p[1]) + w1*uint32(p[4]) + w2*uint32(q[1]) + w3*uint32(q[4]) + half) >> (2 * FractionBits))
		rgb[2] = uint8((w0*uint32(p[2]) + w1*uint32(p[5]) + w2*uint32(q[2]) + w3*uint32(q[5]) + half) >> (2 * FractionBits))
		u += du
		v += dv
	}
}

// bilinearPlanes is bilinearRun into a row of each channel, through a table: the
// loop that most training sets pass. One product less per channel, or lanes of a
// 64-bit word for two channels, were slower.
func bilinearPlanes(r, g, b []float32, table *[3][256]float32, pix []uint8, stride int, u, v, du, dv int64) {
	g, b = g[:len(r)], b[:len(r)]
	for x := range r {
		at := int(v>>FixedBits)*stride + 3*int(u>>FixedBits)
		fx, fy := uint32(u>>runShift)&(one-1), uint32(v>>runShift)&(one-1)
		p := pix[at : at+6 : at+6]
		q := pix[at+stride : at+stride+6 : at+stride+6]
		w3 := fx * fy
		w1, w2 := fx<<FractionBits-w3, fy<<FractionBits-w3
		w0 := one*one - w1 - w2 - w3
		const half = 1 << (2*FractionBits - 1)
		r[x] = table[0][uint8((w0*uint32(p[0])+w1*uint32(p[3])+w2*uint32(q[0])+w3*uint32(q[3])+half)>>(2*FractionBits))]
		g[x] = table[1][uint8((w0*uint32(p[1])+w1*uint32(p[4])+w2*uint32(q[1])+w3*uint32(q[4])+half)>>(2*FractionBits))]
		b[x] = table[2][uint8((w0*uint32(p[2])+w1*uint32(p[5])+w2*uint32(q[2])+w3*uint32(q[5])+half)>>(2*FractionBits))]
		u += du
		v += dv
	}
}

// fineBilinearRun is bilinearRun in units of 1/256.
func fineBilinearRun(rgb []uint16, pix []uint8, stride int, u, v, du, dv int64) {
	for ; len(rgb) >= 3; rgb = rgb[3:] {
		at := int(v>>FixedBits)*stride + 3*int(u>>FixedBits)
		fx, fy := uint32(u>>runShift)&(one-1), uint32(v>>runShift)&(one-1)
		p := pix[at : at+6 : at+6]
		q := pix[at+stride : at+stride+6 : at+stride+6]
		w3 := fx * fy
		w1, w2 := fx<<FractionBits-w3, fy<<FractionBits-w3
		w0 := one*one - w1 - w2 - w3
		const bits = 2*FractionBits - 8
		const half = 1 << (bits - 1)
		rgb[0] = uint16((w0*uint32(p[0]) + w1*uint32(p[3]) + w2*uint32(q[0]) + w3*uint32(q[3]) + half) >> bits)
		rgb[1] = uint16((w0*uint32(p[1]) + w1*uint32(p[4]) + w2*uint32(q[1]) + w3*uint32(q[4]) + half) >> bits)
		rgb[2] = uint16((w0*uint32(p[2]) + w1*uint32(p[5]) + w2*uint32(q[2]) + w3*uint32(q[5]) + half) >> bits)
		u += du
		v += dv
	}
}

// addBilinearRun adds up fineBilinearRun's values, columns for each pixel.
func addBilinearRun(sums []uint32, columns int, pix []uint8, stride int, u, v, du, dv int64) {
	for ; len(sums) >= 3; sums = sums[3:] {
		var r, g, b uint32
		for range columns {
			at := int(v>>FixedBits)*stride + 3*int(u>>FixedBits)
			fx, fy := uint32(u>>runShift)&(one-1), uint32(v>>runShift)&(one-1)
			p := pix[at : at+6 : at+6]
			q := pix[at+stride : at+stride+6 : at+stride+6]
			w3 := fx * fy
			w1, w2 := fx<<FractionBits-w3, fy<<FractionBits-w3
			w0 := one*one - w1 - w2 - w3
			const bits = 2*FractionBits - 8
			const half = 1 << (bits - 1)
			r += (w0*uint32(p[0]) + w1*uint32(p[3]) + w2*uint32(q[0]) + w3*uint32(q[3]) + half) >> bits
			g += (w0*uint32(p[1]) + w1*uint32(p[4]) + w2*uint32(q[1]) + w3*uint32(q[4]) + half) >> bits
			b += (w0*uint32(p[2]) + w1*uint32(p[5]) + w2*uint32(q[2]) + w3*uint32(q[5]) + half) >> bits
			u += du
			v += dv
		}
		sums[0] += r
		sums[1] += g
		sums[2] += b
	}
}

// nearestRun copies the pixels that hold the points.
func nearestRun(rgb, pix []uint8, stride int, u, v, du, dv int64) {
	for ; len(rgb) >= 3; rgb = rgb[3:] {
		at := int(v>>FixedBits)*stride + 3*int(u>>FixedBits)
		p := pix[at : at+3 : at+3]
		rgb[0], rgb[1], rgb[2] = p[0], p[1], p[2]
		u += du
		v += dv
	}
}
