package warp

import (
	"context"
	"image"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/schema"
)

// bothWays runs a pass into a picture of each kind, with assembly and without.
func bothWays(t *testing.T, p *Pass, run func(dst *schema.Picture, px Pixel)) {
	t.Helper()
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func() { useAssembly = true }()
	px, u8 := Tabulated(bytesToFloats()), new([3][256]uint8)
	for c := range u8 {
		for v := range u8[c] {
			u8[c][v] = uint8(255 - v + c)
		}
	}
	for _, layout := range []schema.Layout{schema.HWC, schema.CHW} {
		var bytes, others [2][]uint8
		var floats [2][]float32
		for i := range 2 {
			useAssembly = i == 1
			dst := schema.NewPicture(p.Height, p.Width)
			dst.Layout = layout
			run(dst, Pixel{})
			bytes[i] = dst.U8
			dst = schema.NewPicture(p.Height, p.Width)
			dst.Layout = layout
			run(dst, Pixel{U8: u8})
			others[i] = dst.U8
			dst = &schema.Picture{Height: p.Height, Width: p.Width, Layout: layout, F32: make([]float32, len(dst.U8))}
			run(dst, px)
			floats[i] = dst.F32
		}
		if !slices.Equal(bytes[0], bytes[1]) || !slices.Equal(others[0], others[1]) || !slices.Equal(floats[0], floats[1]) {
			t.Fatalf("assembly gives other bytes: %v, %dx%d from %v", p.sampler, p.Height, p.Width, p.Region())
		}
	}
}

// randomResize is a crop and a resize of it, up or down, turned round or not, with a crop
// of the result at times.
func randomResize(r *rand.Rand, h, w int, f Filter) []Transform {
	ch, cw := h-r.IntN(h)/(1+2*r.IntN(2)), w-r.IntN(w)/(1+2*r.IntN(2))
	x, y := r.IntN(w-cw+1), r.IntN(h-ch+1)
	flip := func(h, w int) Transform {
		t := Transform{Matrix: Affine{1, 0, 0, 0, 1, 0}, Height: h, Width: w, Filter: Nearest}
		if r.IntN(2) == 0 {
			t.Matrix[0], t.Matrix[2] = -1, float64(w-1)
		}
		if r.IntN(2) == 0 {
			t.Matrix[4], t.Matrix[5] = -1, float64(h-1)
		}
		return t
	}
	oh, ow := 1+r.IntN(90), 1+r.IntN(90)
	chain := []Transform{
		flip(h, w),
		{Matrix: Translate(float64(x), float64(y)), Height: ch, Width: cw, Filter: Nearest, Clip: image.Rect(x, y, x+cw, y+ch)},
		Resize(ch, cw, oh, ow, f, true),
		flip(oh, ow),
	}
	if h, w := 1+r.IntN(oh), 1+r.IntN(ow); r.IntN(2) == 0 {
		x, y := r.IntN(ow-w+1), r.IntN(oh-h+1)
		chain = append(chain, Transform{Matrix: Translate(float64(x), float64(y)), Height: h, Width: w, Filter: Nearest, Clip: image.Rect(x, y, x+w, y+h)})
	}
	return chain
}

func TestResizeAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	large := 0
	for i := range 600 {
		h, w := 1+r.IntN(160), 1+r.IntN(160)
		if i%10 == 0 {
			h, w = 10*h, 3*w
		}
		src := schema.NewPicture(h, w)
		contrast := r.IntN(2) == 0
		for k := range src.U8 {
			if src.U8[k] = uint8(r.IntN(256)); contrast {
				src.U8[k] = uint8(int8(src.U8[k]) >> 7)
			}
		}
		p := Fuse(h, w, randomResize(r, h, w, Filters[1+r.IntN(len(Filters)-1)]), false)[0]
		if _, ok := p.sampler.(*separable); !ok {
			t.Fatalf("a resize is a %T", p.sampler)
		}
		bothWays(t, p, func(dst *schema.Picture, px Pixel) { p.Run(dst, Whole(src), px) })

		p = Fuse(h, w, randomResize(r, h, w, Bilinear), true)[0]
		planes := randomPlanes(r, h, w, uint(bits.TrailingZeros(uint(p.YCCScale()))))
		if contrast {
			for i := range planes.Planes {
				for k, v := range planes.Planes[i].Pix {
					planes.Planes[i].Pix[k] = uint8(int8(v) >> 7)
				}
			}
		}
		bothWays(t, p, func(dst *schema.Picture, px Pixel) { p.RunYCC(dst, planes, px) })
		if p.Width >= 16 && p.Region().Dx() >= 32 && p.Region().Dy() >= 32 {
			large++
		}
	}
	if large < 100 {
		t.Errorf("only %d large enough for assembly", large)
	}
}

func TestResizeAssemblyOnPhotos(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	files, _ := filepath.Glob("../../../shared/data/photos/*.JPEG")
	for _, file := range files[:min(len(files), 12)] {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		src, err := decode.Decode(context.Background(), data, 0)
		if err != nil {
			t.Fatal(err)
		}
		f, err := decode.OpenJPEG(data, 0)
		if err != nil {
			t.Fatal(err)
		}
		chain := randomResize(r, src.Height, src.Width, Bilinear)
		p := Fuse(src.Height, src.Width, chain, false)[0]
		bothWays(t, p, func(dst *schema.Picture, px Pixel) { p.Run(dst, Whole(src), px) })
		p = Fuse(src.Height, src.Width, chain, true)[0]
		planes, err := f.YCC(context.Background(), p.YCCRegion(f.Shifts()), p.YCCScale())
		if err != nil {
			t.Fatal(err)
		}
		bothWays(t, p, func(dst *schema.Picture, px Pixel) { p.RunYCC(dst, &planes, px) })
		f.Close()
	}
}
