package warp

import (
	"image"
	"testing"

	"github.com/sluicedata/sluice/internal/planar"
	"github.com/sluicedata/sluice/schema"
)

// recipeChain is rotate, crop, flip, resize for a 500x375 photo, as drawn.
func recipeChain() []Transform {
	return []Transform{
		{Matrix: Rotation(17, 250, 187), Height: 375, Width: 500, Filter: Bilinear},
		{Matrix: Translate(60, 40), Height: 187, Width: 250, Filter: Nearest, Clip: image.Rect(60, 40, 310, 227)},
		{Matrix: Affine{-1, 0, 249, 0, 1, 0}, Height: 187, Width: 250, Filter: Nearest},
		Resize(187, 250, 224, 224, Bilinear, true),
	}
}

// bytesToFloats is a table as to_tensor and normalize make it.
func bytesToFloats() *[3][256]float32 {
	t := new([3][256]float32)
	for c := range t {
		for i := range t[c] {
			t[c][i] = (float32(i)/255 - 0.45) / 0.225
		}
	}
	return t
}

// BenchmarkFused is a 500x375 photo to 224x224 float32 CHW, by chain: the
// reference's transforms alone, then the passes of both ways to fuse.
func BenchmarkFused(b *testing.B) {
	src := picture("smooth", 375, 500)
	dst := &schema.Picture{Height: 224, Width: 224, Layout: schema.CHW, F32: make([]float32, 3*224*224)}
	table := bytesToFloats()
	for name, chain := range map[string][]Transform{
		"recipe":             recipeChain(),
		"resize":             {Resize(375, 500, 224, 224, Bilinear, true)},
		"resize_lanczos":     {Resize(375, 500, 224, 224, Lanczos, true)},
		"resize_sampled":     {Resize(375, 500, 224, 224, Bilinear, false)},
		"rotate_resize":      {recipeChain()[0], Resize(375, 500, 224, 224, Bilinear, true)},
		"rotate_resize_half": {recipeChain()[0], Resize(375, 500, 112, 112, Bilinear, true), Resize(112, 112, 224, 224, Bilinear, true)},
	} {
		b.Run(name+"/reference", func(b *testing.B) {
			for b.Loop() {
				reference(src, chain)
			}
		})
		for _, full := range []bool{false, true} {
			b.Run(name+map[bool]string{false: "/exact", true: "/full"}[full], func(b *testing.B) {
				b.ReportAllocs()
				var mid []*schema.Picture
				for _, p := range Fuse(375, 500, chain, full) {
					mid = append(mid, schema.NewPicture(p.Height, p.Width))
				}
				for b.Loop() {
					passes := Fuse(375, 500, chain, full)
					in := src
					for i, p := range passes[:len(passes)-1] {
						p.Run(mid[i], Whole(in), Pixel{})
						in = mid[i]
					}
					passes[len(passes)-1].Run(dst, Whole(in), Pixel{F32: table})
				}
			})
		}
	}
}

// BenchmarkSeparable is a resize of a 500x375 photo to 224x224 float32 CHW, from RGB and
// from planes of 4:2:0, with assembly and without.
func BenchmarkSeparable(b *testing.B) {
	src := picture("smooth", 375, 500)
	planes := &planar.YCC{Count: 3, ShiftX: [3]uint{0, 1, 1}, ShiftY: [3]uint{0, 1, 1}}
	for i := range planes.Planes {
		p := &planes.Planes[i]
		p.Width, p.Height = (500+1<<planes.ShiftX[i]-1)>>planes.ShiftX[i], (375+1<<planes.ShiftY[i]-1)>>planes.ShiftY[i]
		p.Rect, p.Stride = image.Rect(0, 0, p.Width, p.Height), p.Width
		p.Pix = src.U8[i*1000:][:p.Width*p.Height]
	}
	dst := &schema.Picture{Height: 224, Width: 224, Layout: schema.CHW, F32: make([]float32, 3*224*224)}
	pass := Fuse(375, 500, []Transform{Resize(375, 500, 224, 224, Bilinear, true)}, true)[0]
	px := Tabulated(bytesToFloats())
	defer func() { useAssembly = haveAssembly() }()
	for _, assembly := range []bool{false, true} {
		useAssembly = assembly && haveAssembly()
		name := map[bool]string{false: "/go", true: "/assembly"}[assembly]
		b.Run("rgb"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pass.Run(dst, Whole(src), px)
			}
		})
		b.Run("planes"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pass.RunYCC(dst, planes, px)
			}
		})
	}
}

func BenchmarkKernel(b *testing.B) {
	a := newAxis(500.0/224, 0, 224, 0, 500)
	var places, weights []int32
	var reals []float64
	for _, f := range []Filter{Bilinear, Bicubic} {
		b.Run(Transform{Filter: f}.describe(), func(b *testing.B) {
			for b.Loop() {
				a.kernel(f, 224, line{0, 1}, line{0, 1}, &places, &weights, &reals)
			}
		})
	}
}
