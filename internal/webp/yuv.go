package webp

import "image"

// writeRow writes a row of a part as RGB. Its chroma lies a quarter of the way from one row of
// chroma to the next, or the one before. Beyond the picture's edges samples are repeated.
func (d *VP8Decoder) writeRow(f *VP8, part image.Rectangle, y int, rgb []uint8) {
	wide, high := (f.Width+1)/2, (f.Height+1)/2
	near := y / 2
	far := min(max(near-1+2*(y%2), 0), high-1)
	first, end := part.Min.X/2, (part.Max.X+1)/2
	for i := range d.upsampled {
		p := &d.planes[1+i]
		for _, y := range [2]int{near, far} {
			row := p.pix[p.at(-1, y):][:wide+2]
			row[0], row[wide+1] = row[1], row[wide]
		}
		n := end - first + 2
		upsample(d.upsampled[i], p.pix[p.at(first-1, near):][:n], p.pix[p.at(first-1, far):][:n])
	}
	skip := 1 + part.Min.X - 2*first
	luma := d.planes[0].pix[d.planes[0].at(part.Min.X, y):][:part.Dx()]
	convert(rgb, luma, d.upsampled[0][skip:], d.upsampled[1][skip:])
}

// upsampledMore is how many samples more than there are pixels upsample may write, by twos.
const upsampledMore = 2

// upsampleGo is libwebp's "fancy" upsampling of chroma: two output columns between each pair of columns.
// near and far have one more sample on each side, so that the first output column is the one before the
// first column's own two. The weights are 9, 3, 3 and 1 sixteenths, but the rounding is libwebp's: the
// diagonal means are rounded down first, then the mean with the nearest sample is.
func upsampleGo(dst, near, far []uint8) {
	n0, f0 := int(near[0]), int(far[0])
	far = far[1:]
	for x, n := range near[1:] {
		n1, f1 := int(n), int(far[x])
		sum := n0 + n1 + f0 + f1 + 8
		dst[2*x] = uint8(((sum+2*(n1+f0))>>3 + n0) >> 1)
		dst[2*x+1] = uint8(((sum+2*(n0+f1))>>3 + n1) >> 1)
		n0, f0 = n1, f1
	}
}

// convertGo is libwebp's conversion of limited range (BT.601, 16 to 235) to RGB: 14-bit constants,
// results with 6 fractional bits, truncated.
func convertGo(rgb, luma, cb, cr []uint8) {
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	for x, y := range luma {
		u, v := int32(cb[x]), int32(cr[x])
		l := int32(y) * 19077 >> 8
		out := rgb[3*x:][:3]
		out[0] = clip((l + v*26149>>8 - 14234) >> 6)
		out[1] = clip((l - u*6419>>8 - v*13320>>8 + 8708) >> 6)
		out[2] = clip((l + u*33050>>8 - 17685) >> 6)
	}
}
