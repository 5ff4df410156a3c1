package warp

import (
	"encoding/binary"

	"github.com/sluicedata/sluice/internal/jpeg"
)

// The inner loops from planes. All taps lie inside of the planes.

// yccPlanes samples into a row of each channel, through a table: the loop that most
// training sets pass. pairs is the two planes of chroma in one (pairChroma), so that
// both are interpolated at once: what is added up in the halves of a 64-bit word stays
// below 2^32, and as the sum is one of integers, borrows between them cancel.
func yccPlanes(r, g, b []float32, table *[3][256]float32, luma, chroma walk, pairs []uint64) {
	g, b = g[:len(r)], b[:len(r)]
	const bits, half = 2*FractionBits - 8, 1 << (2*FractionBits - 9)
	pix, stride := luma.pix, luma.stride
	u, v, du, dv := luma.u, luma.v, luma.du, luma.dv
	cu, cv, cdu, cdv := chroma.u, chroma.v, chroma.du, chroma.dv
	wide := chroma.stride
	for x := range r {
		at := int(v>>FixedBits)*stride + int(u>>FixedBits)
		fx, fy := uint32(u>>runShift)&(one-1), uint32(v>>runShift)&(one-1)
		p, q := uint32(binary.LittleEndian.Uint16(pix[at:])), uint32(binary.LittleEndian.Uint16(pix[at+stride:]))
		upper := p&0xff<<FractionBits + fx*(p>>8-p&0xff)
		lower := q&0xff<<FractionBits + fx*(q>>8-q&0xff)
		l := int((upper<<FractionBits+fy*(lower-upper)+half)>>bits)<<14 + yccHalf
		u += du
		v += dv

		at = int(cv>>FixedBits)*wide + int(cu>>FixedBits)
		gx, gy := uint64(cu>>runShift)&(one-1), uint64(cv>>runShift)&(one-1)
		near, far := pairs[at:at+2:at+2], pairs[at+wide:at+wide+2:at+wide+2]
		above := near[0]<<FractionBits + gx*(near[1]-near[0])
		below := far[0]<<FractionBits + gx*(far[1]-far[0])
		sum := above<<FractionBits + gy*(below-above) + half<<32 + half
		cb, cr := int(uint32(sum)>>bits)-yccGrey, int(sum>>(32+bits))-yccGrey
		cu += cdu
		cv += cdv

		r[x] = table[0][level((l+crToR*cr)>>22)]
		g[x] = table[1][level((l-cbToG*cb-crToG*cr)>>22)]
		b[x] = table[2][level((l+cbToB*cb)>>22)]
	}
}

// pairChroma is the two planes of chroma, in the halves of words, in rows without gaps.
func pairChroma(pairs []uint64, cb, cr *jpeg.Plane) {
	width := cb.Rect.Dx()
	for y := range cb.Rect.Dy() {
		b, r := cb.Pix[y*cb.Stride:][:width], cr.Pix[y*cb.Stride:][:width]
		out := pairs[y*width:][:width]
		for x, v := range b {
			out[x] = uint64(v) | uint64(r[x])<<32
		}
	}
}

// yccRun is the same to RGB.
func yccRun(rgb []uint8, luma, chroma walk) {
	for ; len(rgb) >= 3; rgb = rgb[3:] {
		v := ycc{sampleWalk(luma.pix, &luma), yccGrey, yccGrey}
		luma.u += luma.du
		luma.v += luma.dv
		if chroma.pix != nil {
			v[1], v[2] = sampleWalk(chroma.pix, &chroma), sampleWalk(chroma.twin, &chroma)
			chroma.u += chroma.du
			chroma.v += chroma.dv
		}
		rgb[0], rgb[1], rgb[2] = v.rgb()
	}
}

// addYCCRun adds up samples, columns for each pixel.
func addYCCRun(sums []uint32, columns int, luma, chroma walk) {
	for ; len(sums) >= 3; sums = sums[3:] {
		var y, cb, cr int32
		for range columns {
			y += sampleWalk(luma.pix, &luma)
			luma.u += luma.du
			luma.v += luma.dv
			if chroma.pix != nil {
				cb += sampleWalk(chroma.pix, &chroma)
				cr += sampleWalk(chroma.twin, &chroma)
				chroma.u += chroma.du
				chroma.v += chroma.dv
			}
		}
		if chroma.pix == nil {
			cb, cr = int32(columns)*yccGrey, int32(columns)*yccGrey
		}
		sums[0] += uint32(y)
		sums[1] += uint32(cb)
		sums[2] += uint32(cr)
	}
}

// sampleWalk is the sample at a run's point, in units of 1/256.
func sampleWalk(pix []uint8, w *walk) int32 {
	at := int(w.v>>FixedBits)*w.stride + int(w.u>>FixedBits)
	fx, fy := uint32(w.u>>runShift)&(one-1), uint32(w.v>>runShift)&(one-1)
	p, q := pix[at:at+2:at+2], pix[at+w.stride:at+w.stride+2:at+w.stride+2]
	upper := uint32(p[0])<<FractionBits + fx*(uint32(p[1])-uint32(p[0]))
	lower := uint32(q[0])<<FractionBits + fx*(uint32(q[1])-uint32(q[0]))
	const bits, half = 2*FractionBits - 8, 1 << (2*FractionBits - 9)
	return int32((upper*(one-fy) + lower*fy + half) >> bits)
}
