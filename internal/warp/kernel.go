package warp

import (
	"math"

	"github.com/sluicedata/sluice/internal/detmath"
)

// support is half of the filter's width in pixels of the input.
func (f Filter) support() float64 {
	switch f {
	case Bilinear:
		return 1
	case Bicubic:
		return 2
	case Lanczos:
		return 3
	}
	return 0.5
}

// weight is the filter's value at a distance of x pixels: Pillow's filters in
// libImaging/Resample.c, with its order of operations.
//
// Go may fuse a product with an addition across statements and inlined calls,
// so arguments and results that are products are rounded too.
func (f Filter) weight(x float64) float64 {
	switch f {
	case Bilinear:
		return max(1-math.Abs(x), 0)
	case Bicubic:
		return bicubic(math.Abs(x))
	case Lanczos:
		if -3 <= x && x < 3 {
			return float64(sinc(x) * sinc(x/3))
		}
		return 0
	}
	if -0.5 < x && x <= 0.5 {
		return 1
	}
	return 0
}

func bicubic(x float64) float64 {
	const a = -0.5
	switch {
	case x < 1:
		return float64(float64((float64((a+2)*x)-(a+3))*x)*x) + 1
	case x < 2:
		return float64((float64((float64((x-5)*x)+8)*x) - 4) * a)
	}
	return 0
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x = float64(x * math.Pi)
	return detmath.Sin(x) / x
}
