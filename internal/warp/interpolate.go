package warp

import (
	"fmt"
	"math"

	"github.com/sluicedata/sluice/schema"
)

// ScaledSize is the output size that torch.nn.functional.interpolate gives a
// side of n pixels for a scale_factor: floor(n*scale), computed in double. It may
// be 0, which torch and Interpolate refuse.
func ScaledSize(n int, scale float64) int { return int(float64(float64(n) * scale)) }

// Interpolate resizes src into dst as torch.nn.functional.interpolate does on a
// contiguous NCHW float32 tensor, with align_corners=False and antialias=False.
// With a scale > 0 it is interpolate(scale_factor=scale), which samples at steps
// of 1/scale even where ScaledSize has rounded; with scale 0 it is
// interpolate(size=...), at steps of in/out.
//
// f is Nearest (torch's legacy "nearest": floor(i*step), not the nearest; since
// torch 2 a side that keeps its size is copied and one that doubles is repeated,
// whatever the step) or Bilinear (in float32, coordinates in double; uint8 is
// rounded half up). The pictures share element type and layout, uint8 or
// float32, HWC or CHW. It panics where they don't, where a size is 0, or for
// another filter.
func Interpolate(dst, src *schema.Picture, f Filter, scale float64) {
	if err := checkInterpolate(dst, src, f, scale); err != nil {
		panic(err)
	}
	xs := stepAxis{src.Width, dst.Width, scale}
	ys := stepAxis{src.Height, dst.Height, scale}
	switch {
	case f == Nearest && dst.F32 == nil:
		nearest(dst, src, dst.U8, src.U8, xs.nearest(), ys.nearest())
	case f == Nearest:
		nearest(dst, src, dst.F32, src.F32, xs.nearest(), ys.nearest())
	case dst.F32 == nil:
		halfUp := func(v float32) uint8 { return uint8(v + 0.5) }
		bilinear(dst, src, dst.U8, src.U8, xs.linear(), ys.linear(), halfUp)
	default:
		asIs := func(v float32) float32 { return v }
		bilinear(dst, src, dst.F32, src.F32, xs.linear(), ys.linear(), asIs)
	}
}

func checkInterpolate(dst, src *schema.Picture, f Filter, scale float64) error {
	if f != Nearest && f != Bilinear {
		return fmt.Errorf("warp: interpolate has no filter %q", string(f))
	}
	if !(scale >= 0) || math.IsInf(scale, 1) {
		return fmt.Errorf("warp: interpolate by a scale of %v", scale)
	}
	to, from := dst.Tensor(), src.Tensor()
	if to.DType != from.DType || to.Layout != from.Layout || to.Layout != schema.HWC && to.Layout != schema.CHW {
		return fmt.Errorf("warp: interpolate %v to %v", from, to)
	}
	for _, p := range []*schema.Picture{dst, src} {
		if p.Height < 1 || p.Width < 1 || len(p.U8)+len(p.F32) != p.Tensor().Elements() {
			return fmt.Errorf("warp: interpolate with an empty or wrong picture: %v with %d values",
				p.Tensor(), len(p.U8)+len(p.F32))
		}
	}
	return nil
}

// stepAxis is one direction of an interpolation.
type stepAxis struct {
	in, out int
	scale   float64
}

// step is the distance of two output pixels in the input:
// area_pixel_compute_scale of ATen/native/UpSample.h, rounded to float32 there.
func (a stepAxis) step() float32 {
	if a.scale > 0 {
		return float32(1 / a.scale)
	}
	return float32(a.in) / float32(a.out)
}

// nearest is nearest_neighbor_compute_source_index of UpSample.h for every
// output pixel.
func (a stepAxis) nearest() []int {
	table := make([]int, a.out)
	for i := range table {
		if a.out == a.in || a.out == 2*a.in {
			table[i] = i * a.in / a.out
			continue
		}
		at := float32(float32(i) * a.step())
		table[i] = int(min(at, float32(a.in-1)))
	}
	return table
}

// between is a place between two pixels: the weight is that of the one after.
type between struct {
	before, after int
	weight        float32
}

// linear is compute_source_index_and_lambda of UpSample.h for every output pixel.
func (a stepAxis) linear() []between {
	table := make([]between, a.out)
	for i := range table {
		if a.in == a.out { // whatever the scale; torch's nearest has no such case
			table[i] = between{i, i, 0}
			continue
		}
		at := max(float64(float64(a.step())*(float64(i)+0.5))-0.5, 0) // double, as torch 1.13 does
		before := int(min(at, float64(a.in-1)))
		table[i] = between{before, min(before+1, a.in-1), float32(min(at-float64(before), 1))}
	}
	return table
}

func nearest[T any](dst, src *schema.Picture, to, from []T, xs, ys []int) {
	for y, fromY := range ys {
		for x, fromX := range xs {
			for c := range 3 {
				to[offset(dst, x, y, c)] = from[offset(src, fromX, fromY, c)]
			}
		}
	}
}

// bilinear blends the four values around each output pixel's point; rounded is
// what is stored of the result.
func bilinear[T uint8 | float32](dst, src *schema.Picture, to, from []T, xs, ys []between, rounded func(float32) T) {
	for y, v := range ys {
		for x, u := range xs {
			for c := range 3 {
				upper := blend(from[offset(src, u.before, v.before, c)], from[offset(src, u.after, v.before, c)], u.weight)
				lower := blend(from[offset(src, u.before, v.after, c)], from[offset(src, u.after, v.after, c)], u.weight)
				to[offset(dst, x, y, c)] = rounded(blend(upper, lower, v.weight))
			}
		}
	}
}

// blend is a where weight is 0, b where it is 1.
func blend[T uint8 | float32](a, b T, weight float32) float32 {
	return float32(float32(a)*(1-weight)) + float32(float32(b)*weight)
}

// offset is the place of channel c of pixel (x, y).
func offset(p *schema.Picture, x, y, c int) int {
	if p.Layout == schema.CHW {
		return (c*p.Height+y)*p.Width + x
	}
	return (y*p.Width+x)*3 + c
}
