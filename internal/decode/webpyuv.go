package decode

import (
	"context"
	"image"

	"github.com/sluicedata/sluice/schema"
)

// vp8ToRGB repeats libwebp's default output of a lossy picture: its "fancy"
// chroma upsampler (dsp/upsampling.c) row pair by row pair as in EmitFancyRGB
// (dec/io_dec.c), and its fixed-point conversion (dsp/yuv.h). VP8's luma and
// chroma are in limited range (BT.601, 16..235), unlike JPEG's, so Go's
// color.YCbCrToRGB would give other colours.
func vp8ToRGB(ctx context.Context, m *image.YCbCr) (*schema.Picture, error) {
	p := schema.NewPicture(m.Rect.Dy(), m.Rect.Dx())
	chromaW, chromaH := (p.Width+1)/2, (p.Height+1)/2
	us, vs := make([]uint8, p.Width), make([]uint8, p.Width)
	cb := plane{pix: m.Cb, stride: m.CStride, w: chromaW, h: chromaH}
	cr := plane{pix: m.Cr, stride: m.CStride, w: chromaW, h: chromaH}
	for y := range p.Height {
		if y%64 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		near, far := cb.rowPair(y)
		upsampleVP8(us, near, far)
		near, far = cr.rowPair(y)
		upsampleVP8(vs, near, far)
		luma := m.Y[y*m.YStride:][:p.Width]
		out := p.U8[3*y*p.Width : 3*(y+1)*p.Width]
		for x, l := range luma {
			out[3*x], out[3*x+1], out[3*x+2] = vp8PixelToRGB(l, us[x], vs[x])
		}
	}
	return p, nil
}

// upsampleVP8 doubles a chroma row that lies 1/4 of the way from near to far.
// The weights are 9, 3, 3 and 1 sixteenths, but the rounding is libwebp's own:
// the two diagonal means are rounded down first, then the mean with the nearest
// sample is. Beyond the last column there is one more pixel only for even widths.
func upsampleVP8(dst, near, far []uint8) {
	width := len(dst)
	n0, f0 := int(near[0]), int(far[0])
	dst[0] = uint8((3*n0 + f0 + 2) >> 2)
	for x := 1; 2*x < width; x++ {
		n1, f1 := int(near[x]), int(far[x])
		sum := n0 + n1 + f0 + f1 + 8
		// n0 is nearest to pixel 2x-1, and its diagonal runs through n1 and f0.
		dst[2*x-1] = uint8(((sum+2*(n1+f0))>>3 + n0) >> 1)
		dst[2*x] = uint8(((sum+2*(n0+f1))>>3 + n1) >> 1)
		n0, f0 = n1, f1
	}
	if width%2 == 0 {
		dst[width-1] = uint8((3*n0 + f0 + 2) >> 2)
	}
}

// vp8PixelToRGB is VP8YUVToR, G and B of libwebp: 14-bit constants, results
// with 6 fractional bits, truncated.
func vp8PixelToRGB(y, u, v uint8) (r, g, b uint8) {
	high := func(v uint8, coefficient int32) int32 { return int32(v) * coefficient >> 8 }
	l := high(y, 19077)
	return clamp((l + high(v, 26149) - 14234) >> 6),
		clamp((l - high(u, 6419) - high(v, 13320) + 8708) >> 6),
		clamp((l + high(u, 33050) - 17685) >> 6)
}

// plane is one colour component at its own resolution.
type plane struct {
	pix    []uint8
	stride int
	w, h   int
}

// row is one row of samples.
func (p *plane) row(y int) []uint8 { return p.pix[y*p.stride:][:p.w] }

// rowPair gives the two rows that output row y lies between, 1/4 of their distance
// from near. Beyond the first and last row of the picture it is repeated.
func (p *plane) rowPair(y int) (near, far []uint8) {
	n := y / 2
	f := min(max(n-1+2*(y%2), 0), p.h-1)
	return p.row(n), p.row(f)
}
