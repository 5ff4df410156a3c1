package warp

import "github.com/sluicedata/sluice/internal/planar"

//go:noescape
func sampleYCCAVX2(red *uint8, n int, luma, chroma *walk, pairs *uint16, alike int, green, blue *uint8)

//go:noescape
func addYCCAVX2(first *uint32, n int, luma, chroma *walk, pairs *uint16, alike int, second, third *uint32)

//go:noescape
func interleaveBytesAVX2(dst *uint16, a, b *uint8, n int)

// meansAVX2 is means of width >= 8 pixels; inverse is 2^32/n, rounded up, of n = 2 to 256.
//
//go:noescape
func meansAVX2(red, green, blue *uint8, luma, cb, cr *uint32, width, columns, n int, inverse uint32)

// The functions below check the lengths that the assembly relies on.

// pairChroma interleaves Cb and Cr, which have the same layout, for sampleYCC.
func pairChroma(mem *scratch, cb, cr *planar.Plane) chromaPairs {
	width, height := cb.Rect.Dx(), cb.Rect.Dy()
	if !useAssembly {
		return chromaPairs{words: pairChromaGo(mem, cb, cr)}
	}
	pairs := sized(&mem.halves, width*(height+1)+2) // and one more row, undefined
	for y := range height {
		b, r, out := cb.Pix[y*cb.Stride:][:width], cr.Pix[y*cr.Stride:][:width], pairs[y*width:][:width]
		if width >= 16 {
			interleaveBytesAVX2(&out[0], &b[0], &r[0], width)
			continue
		}
		for x, v := range b {
			out[x] = uint16(v) | uint16(r[x])<<8
		}
	}
	return chromaPairs{halves: pairs}
}

// sampleYCC is sampleYCCGo; dst must have room for seven more samples.
func sampleYCC(dst *[3][]uint8, luma, chroma walk, pairs chromaPairs) {
	n := len(dst[0])
	if pairs.halves == nil || n == 0 {
		sampleYCCGo(dst, luma, chroma, pairs.words)
		return
	}
	_, _, _ = dst[0][:n+7], dst[1][:n+7], dst[2][:n+7]
	checkRun(n, &luma, &chroma, pairs.halves)
	sampleYCCAVX2(&dst[0][0], n, &luma, &chroma, &pairs.halves[0], alike(&luma, &chroma), &dst[1][0], &dst[2][0])
}

// addYCC is addYCCGo; sums must have room for seven more.
func addYCC(sums *[3][]uint32, luma, chroma walk, pairs chromaPairs) {
	n := len(sums[0])
	if pairs.halves == nil || n == 0 {
		addYCCGo(sums, luma, chroma, pairs.words)
		return
	}
	_, _, _ = sums[0][:n+7], sums[1][:n+7], sums[2][:n+7]
	checkRun(n, &luma, &chroma, pairs.halves)
	addYCCAVX2(&sums[0][0], n, &luma, &chroma, &pairs.halves[0], alike(&luma, &chroma), &sums[1][0], &sums[2][0])
}

// means is meansGo. The quotients are exact: the inverse is too large by less than 1, and so a product by
// less than its sum, which is below 2^16*n, no more than 2^32/n.
func means(row *[3][]uint8, sums *[3][]uint32, columns, n int) {
	width := len(row[0])
	if !useAssembly || width < 8 || n < 2 || n > 256 {
		meansGo(row, sums, columns, n)
		return
	}
	_, _, _, _ = row[1][:width], row[2][:width], sums[1][:width*columns], sums[2][:width*columns]
	meansAVX2(&row[0][0], &row[1][0], &row[2][0], &sums[0][:width*columns][0], &sums[1][0], &sums[2][0],
		width, columns, n, uint32((1<<32+uint64(n)-1)/uint64(n)))
}

// alike is 1 if the points are the same in luma and chroma, else 0.
func alike(luma, chroma *walk) int {
	if luma.u == chroma.u && luma.v == chroma.v && luma.du == chroma.du && luma.dv == chroma.dv {
		return 1
	}
	return 0
}

func checkRun(n int, luma, chroma *walk, pairs []uint16) {
	_, _ = luma.pix[luma.least(n)], luma.pix[luma.most(n)+luma.stride+1]
	_, _ = pairs[chroma.least(n)], pairs[chroma.most(n)+chroma.stride+1]
}

// least and most bound the places of a run of n points.
func (w *walk) least(n int) int {
	return int(min(w.v, w.v+int64(n-1)*w.dv)>>FixedBits)*w.stride + int(min(w.u, w.u+int64(n-1)*w.du)>>FixedBits)
}

func (w *walk) most(n int) int {
	return int(max(w.v, w.v+int64(n-1)*w.dv)>>FixedBits)*w.stride + int(max(w.u, w.u+int64(n-1)*w.du)>>FixedBits)
}
