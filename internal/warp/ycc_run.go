package warp

import (
	"encoding/binary"

	"github.com/sluicedata/sluice/internal/jpeg"
)

// The inner loops from planes. All taps lie inside of the planes.

// sampleYCCGo samples a run of colours: red, green and blue from the lowest byte on. Cb
// and Cr are interpolated in the halves of words: their sums stay below 2^32, and as
// they are sums of integers, borrows between the halves cancel. Luma keeps 21 bits below
// a level, chroma 7, and the factors of its conversion have 14.
func sampleYCCGo(dst []uint32, luma, chroma walk, pairs []uint64) {
	pix, stride := luma.pix, luma.stride
	u, v, du, dv := luma.u, luma.v, luma.du, luma.dv
	wide := chroma.stride
	cu, cv, cdu, cdv := chroma.u, chroma.v, chroma.du, chroma.dv
	for x := range dst {
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
		dst[x] = uint32(red | green<<8 | blue<<16)
	}
}

// tabulateColours makes floats of colours. Eight at a time with VGATHERDPS was slower.
func tabulateColours(r, g, b []float32, table *[3][256]float32, colours []uint32) {
	r, g, b = r[:len(colours)], g[:len(colours)], b[:len(colours)]
	for x, c := range colours {
		r[x], g[x], b[x] = table[0][uint8(c)], table[1][uint8(c>>8)], table[2][uint8(c>>16)]
	}
}

// unpackRGB makes bytes of colours.
func unpackRGB(rgb []uint8, colours []uint32) {
	for _, c := range colours {
		to := rgb[:3:3]
		to[0], to[1], to[2] = uint8(c), uint8(c>>8), uint8(c>>16)
		rgb = rgb[3:]
	}
}

// colours writes row y.
func (w *writer) colours(y int, row []uint32) {
	if p, ok := w.planes(y); ok {
		tabulateColours(p.row[0], p.row[1], p.row[2], p.table, row)
		return
	}
	rgb := w.begin(y)
	unpackRGB(rgb, row)
	w.put(y, rgb)
}

// greyRun is the run of a grey picture.
func greyRun(dst []uint32, luma walk) {
	for x := range dst {
		v := (uint32(sampleWalk(luma.pix, &luma)) + 128) >> 8
		luma.u += luma.du
		luma.v += luma.dv
		dst[x] = v * 0x010101
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

// means makes colours of the sums of columns, of n samples each colour.
func means(colours []uint32, sums *[3][]uint32, columns, n int) {
	const bits = 40
	inverse := uint64(1<<bits+n-1) / uint64(n) // exact for sums below 2^bits/n
	for x := range colours {
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
		r, g, b := v.rgb()
		colours[x] = uint32(r) | uint32(g)<<8 | uint32(b)<<16
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

// chromaPairs is planes of Cb and Cr in one, in rows without gaps.
type chromaPairs struct {
	words  []uint64 // Cb and Cr in halves
	halves []uint16 // the same for assembly, in bytes
}

func pairChromaGo(mem *scratch, cb, cr *jpeg.Plane) []uint64 {
	width, height := cb.Rect.Dx(), cb.Rect.Dy()
	pairs := sized(&mem.pairs, width*(height+1)+2) // a row more, of anything
	for y := range height {
		b, r := cb.Pix[y*cb.Stride:][:width], cr.Pix[y*cr.Stride:][:width]
		out := pairs[y*width:][:width]
		for x, v := range b {
			out[x] = uint64(v) | uint64(r[x])<<32
		}
	}
	return pairs
}
