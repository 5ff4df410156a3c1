package warp

import (
	"encoding/binary"

	"github.com/sluicedata/sluice/internal/jpeg"
)

// The inner loops from planes. All taps lie inside of the planes.

// Runs of single samples read chroma as pairs: what a sample of Cr adds to red in the
// lower half of a word, and what one of Cb adds to blue in the upper, in units of 1/8.
// Both are interpolated at once, with fractions of 2^-10: sums stay below 2^32, and as
// they are sums of integers, borrows between the halves cancel. Green takes a share of
// both.
const (
	pairBits = 10
	pairOne  = 1<<pairBits - 1
	pairUnit = 3 + 2*pairBits // bits below a level
	greenB   = 25455          // 0.344136 / 1.772 in units of 2^-17
	greenR   = 66764          // 0.714136 / 1.402
)

var redOfCr, blueOfCb = func() (r, b [256]uint64) {
	for i := range uint64(256) {
		r[i] = (i*11216 + 500) / 1000       // 8 * 1.402
		b[i] = (i*14176 + 500) / 1000 << 32 // 8 * 1.772
	}
	return r, b
}()

// What grey has of red and blue.
const (
	greyRed  = 1436 << (2 * pairBits)
	greyBlue = 1815 << (2 * pairBits)
)

// pairChroma fills pairs, in rows without gaps.
func pairChroma(pairs []uint64, cb, cr *jpeg.Plane) {
	width := cb.Rect.Dx()
	for y := range cb.Rect.Dy() {
		b, r := cb.Pix[y*cb.Stride:][:width], cr.Pix[y*cb.Stride:][:width]
		out := pairs[y*width:][:width]
		for x, v := range b {
			out[x] = blueOfCb[v] | redOfCr[r[x]]
		}
	}
}

// yccPlanes samples into a row of each channel, through a table: the loop that most
// training sets pass.
func yccPlanes(r, g, b []float32, table *[3][256]float32, luma, chroma walk, pairs []uint64) {
	g, b = g[:len(r)], b[:len(r)]
	pix, stride := luma.pix, luma.stride
	u, v, du, dv := luma.u, luma.v, luma.du, luma.dv
	cu, cv, cdu, cdv := chroma.u, chroma.v, chroma.du, chroma.dv
	wide := chroma.stride
	for x := range r {
		at := int(v>>FixedBits)*stride + int(u>>FixedBits)
		fx, fy := uint32(u>>runShift)&(one-1), uint32(v>>runShift)&(one-1)
		p, q := uint32(binary.LittleEndian.Uint16(pix[at:])), uint32(binary.LittleEndian.Uint16(pix[at+stride:]))
		u += du
		v += dv
		at = int(cv>>FixedBits)*wide + int(cu>>FixedBits)
		gx, gy := uint64(cu>>(FixedBits-pairBits))&pairOne, uint64(cv>>(FixedBits-pairBits))&pairOne
		near, far := pairs[at:at+2:at+2], pairs[at+wide:at+wide+2:at+wide+2]
		cu += cdu
		cv += cdv

		// combine, which is too large to be inlined.
		upper := p&0xff<<FractionBits + fx*(p>>8-p&0xff)
		lower := q&0xff<<FractionBits + fx*(q>>8-q&0xff)
		l := int(upper<<FractionBits+fy*(lower-upper)) + 1<<(2*FractionBits-1)
		above := near[0]<<pairBits + gx*(near[1]-near[0])
		below := far[0]<<pairBits + gx*(far[1]-far[0])
		sum := above<<pairBits + gy*(below-above)
		fromCr, fromCb := int(uint32(sum))-greyRed, int(sum>>32)-greyBlue
		const up = 2*FractionBits - pairUnit
		red, blue := (l+fromCr<<up)>>(2*FractionBits), (l+fromCb<<up)>>(2*FractionBits)
		green := (l - (fromCb*greenB+fromCr*greenR)>>16) >> (2 * FractionBits)
		if uint(red|green|blue) > 255 {
			red, green, blue = int(level(red)), int(level(green)), int(level(blue))
		}
		r[x] = table[0][uint8(red)]
		g[x] = table[1][uint8(green)]
		b[x] = table[2][uint8(blue)]
	}
}

// combine interpolates luma, two samples in p and two in q, and chroma, and converts.
func combine(p, q, fx, fy uint32, a0, a1, b0, b1, gx, gy uint64) (red, green, blue int) {
	upper := p&0xff<<FractionBits + fx*(p>>8-p&0xff)
	lower := q&0xff<<FractionBits + fx*(q>>8-q&0xff)
	l := int(upper<<FractionBits+fy*(lower-upper)) + 1<<(2*FractionBits-1)
	above := a0<<pairBits + gx*(a1-a0)
	below := b0<<pairBits + gx*(b1-b0)
	sum := above<<pairBits + gy*(below-above)
	fromCr, fromCb := int(uint32(sum))-greyRed, int(sum>>32)-greyBlue
	const up = 2*FractionBits - pairUnit
	return (l + fromCr<<up) >> (2 * FractionBits), (l - (fromCb*greenB+fromCr*greenR)>>16) >> (2 * FractionBits), (l + fromCb<<up) >> (2 * FractionBits)
}

// yccRun is the same to RGB; pairs is nil for grey.
func yccRun(rgb []uint8, luma, chroma walk, pairs []uint64) {
	for ; len(rgb) >= 3; rgb = rgb[3:] {
		if pairs == nil {
			v := ycc{sampleWalk(luma.pix, &luma), yccGrey, yccGrey}
			luma.u += luma.du
			luma.v += luma.dv
			rgb[0], rgb[1], rgb[2] = v.rgb()
			continue
		}
		at := int(luma.v>>FixedBits)*luma.stride + int(luma.u>>FixedBits)
		fx, fy := uint32(luma.u>>runShift)&(one-1), uint32(luma.v>>runShift)&(one-1)
		p, q := uint32(binary.LittleEndian.Uint16(luma.pix[at:])), uint32(binary.LittleEndian.Uint16(luma.pix[at+luma.stride:]))
		luma.u += luma.du
		luma.v += luma.dv
		at = int(chroma.v>>FixedBits)*chroma.stride + int(chroma.u>>FixedBits)
		gx, gy := uint64(chroma.u>>(FixedBits-pairBits))&pairOne, uint64(chroma.v>>(FixedBits-pairBits))&pairOne
		near, far := pairs[at:at+2:at+2], pairs[at+chroma.stride:at+chroma.stride+2:at+chroma.stride+2]
		chroma.u += chroma.du
		chroma.v += chroma.dv
		red, green, blue := combine(p, q, fx, fy, near[0], near[1], far[0], far[1], gx, gy)
		rgb[0], rgb[1], rgb[2] = level(red), level(green), level(blue)
	}
}

// addYCCRun adds up samples, columns for each pixel.
func addYCCRun(sums []uint32, columns int, luma, chroma walk) {
	grey := chroma.pix == nil
	for ; len(sums) >= 3; sums = sums[3:] {
		y, cb, cr := uint32(0), uint32(0), uint32(0)
		for range columns {
			at := int(luma.v>>FixedBits)*luma.stride + int(luma.u>>FixedBits)
			fx, fy := uint32(luma.u>>runShift)&(one-1), uint32(luma.v>>runShift)&(one-1)
			y += bilinear256(luma.pix, at, luma.stride, fx, fy)
			luma.u += luma.du
			luma.v += luma.dv
			if grey {
				cb += yccGrey
				cr += yccGrey
				continue
			}
			at = int(chroma.v>>FixedBits)*chroma.stride + int(chroma.u>>FixedBits)
			fx, fy = uint32(chroma.u>>runShift)&(one-1), uint32(chroma.v>>runShift)&(one-1)
			cb += bilinear256(chroma.pix, at, chroma.stride, fx, fy)
			cr += bilinear256(chroma.twin, at, chroma.stride, fx, fy)
			chroma.u += chroma.du
			chroma.v += chroma.dv
		}
		sums[0] += y
		sums[1] += cb
		sums[2] += cr
	}
}

// sampleWalk is the sample at a run's point, in units of 1/256.
func sampleWalk(pix []uint8, w *walk) int32 {
	at := int(w.v>>FixedBits)*w.stride + int(w.u>>FixedBits)
	return int32(bilinear256(pix, at, w.stride, uint32(w.u>>runShift)&(one-1), uint32(w.v>>runShift)&(one-1)))
}

// bilinear256 is the sample between four, in units of 1/256.
func bilinear256(pix []uint8, at, stride int, fx, fy uint32) uint32 {
	p, q := uint32(binary.LittleEndian.Uint16(pix[at:])), uint32(binary.LittleEndian.Uint16(pix[at+stride:]))
	upper := p&0xff<<FractionBits + fx*(p>>8-p&0xff)
	lower := q&0xff<<FractionBits + fx*(q>>8-q&0xff)
	return (upper<<FractionBits + fy*(lower-upper) + 1<<(2*FractionBits-9)) >> (2*FractionBits - 8)
}
