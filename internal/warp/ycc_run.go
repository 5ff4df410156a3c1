package warp

import (
	"encoding/binary"

	"github.com/sluicedata/sluice/internal/planar"
)

// The inner loops that read planes. All taps lie inside the planes.

// sampleYCCGo samples a run, to a row of each channel. Cb and Cr are interpolated in the
// halves of a word: their sums stay below 2^32, and since they are sums of integers,
// borrows between the halves cancel. Luma has 21 fractional bits, chroma 7, and the
// factors of its conversion 14.
func sampleYCCGo(dst *[3][]uint8, luma, chroma walk, pairs []uint64) {
	pix, stride := luma.pix, luma.stride
	u, v, du, dv := luma.u, luma.v, luma.du, luma.dv
	wide := chroma.stride
	cu, cv, cdu, cdv := chroma.u, chroma.v, chroma.du, chroma.dv
	r := dst[0]
	g, b := dst[1][:len(r)], dst[2][:len(r)]
	for x := range r {
		at := int(v>>FixedBits)*stride + int(u>>FixedBits)
		fx, fy := uint32(u>>runShift)&(one-1), uint32(v>>runShift)&(one-1)
		p, q := uint32(binary.LittleEndian.Uint16(pix[at:])), uint32(binary.LittleEndian.Uint16(pix[at+stride:]))
		u += du
		v += dv
		upper := p&0xff<<FractionBits + fx*(p>>8-p&0xff)
		lower := q&0xff<<FractionBits + fx*(q>>8-q&0xff)
		l := int((upper<<FractionBits+fy*(lower-upper))>>3) + 1<<20

		at = int(cv>>FixedBits)*wide + int(cu>>FixedBits)
		gx, gy := uint64(cu>>runShift)&(one-1), uint64(cv>>runShift)&(one-1)
		cu += cdu
		cv += cdv
		near, far := pairs[at:at+2:at+2], pairs[at+wide:at+wide+2:at+wide+2]
		above := near[0]<<FractionBits + gx*(near[1]-near[0])
		below := far[0]<<FractionBits + gx*(far[1]-far[0])
		sum := above<<FractionBits + gy*(below-above) + (1<<(16+32) | 1<<16)
		cb, cr := int(uint32(sum)>>17)-128<<7, int(sum>>(32+17))-128<<7
		red, green, blue := (l+crToR*cr)>>21, (l-cbToG*cb-crToG*cr)>>21, (l+cbToB*cb)>>21
		if uint(red|green|blue) > 255 {
			red, green, blue = int(level(red)), int(level(green)), int(level(blue))
		}
		r[x], g[x], b[x] = uint8(red), uint8(green), uint8(blue)
	}
}

// greyRun is the run of a grey picture.
func greyRun(dst *[3][]uint8, luma walk) {
	for x := range dst[0] {
		v := uint8((sampleWalk(luma.pix, &luma) + 128) >> 8)
		luma.u += luma.du
		luma.v += luma.dv
		dst[0][x], dst[1][x], dst[2][x] = v, v, v
	}
}

// addYCCGo adds samples to sums, in units of 1/256.
func addYCCGo(sums *[3][]uint32, luma, chroma walk, pairs []uint64) {
	ys := sums[0]
	cbs, crs := sums[1][:len(ys)], sums[2][:len(ys)]
	wide := chroma.stride
	for x := range ys {
		at := int(luma.v>>FixedBits)*luma.stride + int(luma.u>>FixedBits)
		ys[x] += bilinear256(luma.pix, at, luma.stride, uint32(luma.u>>runShift)&(one-1), uint32(luma.v>>runShift)&(one-1))
		luma.u += luma.du
		luma.v += luma.dv
		at = int(chroma.v>>FixedBits)*wide + int(chroma.u>>FixedBits)
		gx, gy := uint64(chroma.u>>runShift)&(one-1), uint64(chroma.v>>runShift)&(one-1)
		near, far := pairs[at:at+2:at+2], pairs[at+wide:at+wide+2:at+wide+2]
		chroma.u += chroma.du
		chroma.v += chroma.dv
		above := near[0]<<FractionBits + gx*(near[1]-near[0])
		below := far[0]<<FractionBits + gx*(far[1]-far[0])
		sum := above<<FractionBits + gy*(below-above) + (1<<(15+32) | 1<<15)
		cbs[x] += uint32(sum) >> 16
		crs[x] += uint32(sum >> 48)
	}
}

// addGreyRun is addYCCGo of a grey picture.
func addGreyRun(sums *[3][]uint32, luma walk) {
	for x := range sums[0] {
		sums[0][x] += uint32(sampleWalk(luma.pix, &luma))
		sums[1][x] += yccGrey
		sums[2][x] += yccGrey
		luma.u += luma.du
		luma.v += luma.dv
	}
}

// meansGo computes a row of each channel from sums of columns, of n samples each.
func meansGo(row *[3][]uint8, sums *[3][]uint32, columns, n int) {
	const bits = 40
	inverse := (1<<bits + uint64(n) - 1) / uint64(n) // exact for sums below 2^bits/n
	for x := range row[0] {
		var v ycc
		for c := range v {
			sum := uint64(n / 2)
			for _, s := range sums[c][x*columns:][:columns] {
				sum += uint64(s)
			}
			if n <= 1<<12 {
				v[c] = int32(sum * inverse >> bits)
			} else {
				v[c] = int32(sum / uint64(n))
			}
		}
		row[0][x], row[1][x], row[2][x] = v.rgb()
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

// chromaPairs is the planes of Cb and Cr in one, in rows without gaps.
type chromaPairs struct {
	words  []uint64 // Cb and Cr in halves
	halves []uint16 // the same for assembly, in bytes
}

func pairChromaGo(mem *scratch, cb, cr *planar.Plane) []uint64 {
	width, height := cb.Rect.Dx(), cb.Rect.Dy()
	pairs := sized(&mem.pairs, width*(height+1)+2) // and one more row, undefined
	for y := range height {
		b, r := cb.Pix[y*cb.Stride:][:width], cr.Pix[y*cr.Stride:][:width]
		out := pairs[y*width:][:width]
		for x, v := range b {
			out[x] = uint64(v) | uint64(r[x])<<32
		}
	}
	return pairs
}
