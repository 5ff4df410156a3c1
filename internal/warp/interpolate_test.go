package warp

import (
	"testing"

	"github.com/sluicedata/sluice/schema"
)

func TestInterpolateLayoutsAndTypesAgree(t *testing.T) {
	src := picture("noise", 7, 10)
	for _, f := range []Filter{Nearest, Bilinear} {
		for _, scale := range []float64{0, 0.5, 1, 1.7} {
			h, w := 5, 13
			if scale > 0 {
				h, w = ScaledSize(7, scale), ScaledSize(10, scale)
			}
			bytes := schema.NewPicture(h, w)
			Interpolate(bytes, src, f, scale)

			planes := toCHW(schema.NewPicture(h, w))
			Interpolate(planes, toCHW(src), f, scale)
			exact(t, planes.U8, toCHW(bytes).U8)

			floats := asFloats(schema.NewPicture(h, w))
			Interpolate(floats, asFloats(src), f, scale)
			for i, v := range floats.F32 {
				if uint8(v+0.5) != bytes.U8[i] {
					t.Fatalf("%s by %v: %v and %d", f, scale, v, bytes.U8[i])
				}
			}
		}
	}
}

func TestInterpolateRefuses(t *testing.T) {
	src, dst := schema.NewPicture(4, 4), schema.NewPicture(2, 2)
	for name, f := range map[string]func(){
		"filter":     func() { Interpolate(dst, src, Bicubic, 0.5) },
		"scale":      func() { Interpolate(dst, src, Nearest, -1) },
		"layout":     func() { Interpolate(toCHW(dst), src, Nearest, 0.5) },
		"type":       func() { Interpolate(asFloats(dst), src, Nearest, 0.5) },
		"empty dst":  func() { Interpolate(schema.NewPicture(0, 2), src, Nearest, 0.1) },
		"empty src":  func() { Interpolate(dst, schema.NewPicture(4, 0), Nearest, 0.5) },
		"short data": func() { Interpolate(dst, &schema.Picture{Height: 4, Width: 4, Layout: schema.HWC}, Nearest, 0.5) },
	} {
		t.Run(name, func(t *testing.T) { panics(t, f) })
	}
}

// asFloats is a uint8 picture with the same values, 0..255, as float32.
func asFloats(p *schema.Picture) *schema.Picture {
	out := &schema.Picture{Height: p.Height, Width: p.Width, Layout: p.Layout, F32: make([]float32, len(p.U8))}
	for i, v := range p.U8 {
		out.F32[i] = float32(v)
	}
	return out
}
