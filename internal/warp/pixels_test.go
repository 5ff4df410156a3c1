package warp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
	"github.com/sluicedata/sluice/schema"
)

// Rows of any length, in memory that ends with them, in both directions: the same with
// assembly and without.
func TestPixelRowsWithAssembly(t *testing.T) {
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func() { useAssembly = true }()
	r := rand.New(rand.NewPCG(61, 62))
	px := normalized()
	if px.lines == nil {
		t.Fatal("the tables of normalize are no lines")
	}
	for range 1000 {
		n := 1 + r.IntN(80)
		rgb := noise(r, guard.Slice[uint8](t, 3*n))
		var mirrored [2][]uint8
		var values [2][2][]float32 // ahead, mirrored
		for way := range 2 {
			useAssembly = way == 1
			mirrored[way] = guard.Slice[uint8](t, 3*n)
			mirror(mirrored[way], rgb)
			for back := range 2 {
				values[way][back] = guard.Slice[float32](t, 3*n)
				dst := &schema.Picture{Height: 1, Width: n, Layout: schema.CHW, F32: values[way][back]}
				w := &writer{dst: dst, px: px, rgb: make([]uint8, 3*n)}
				if back == 1 {
					w.putMirrored(0, rgb)
				} else {
					w.put(0, rgb)
				}
			}
		}
		for x := range n {
			if !slices.Equal(mirrored[0][3*x:3*x+3], rgb[3*(n-1-x):][:3]) {
				t.Fatalf("%d pixels mirrored: %v of %v", n, mirrored[0], rgb)
			}
		}
		if !slices.Equal(mirrored[0], mirrored[1]) {
			t.Fatalf("%d pixels mirrored: %v, want %v", n, mirrored[1], mirrored[0])
		}
		for back := range 2 {
			for i, v := range values[1][back] {
				if math.Float32bits(v) != math.Float32bits(values[0][back][i]) {
					t.Fatalf("%d pixels, mirrored %d: value %d is %v, want %v", n, back, i, v, values[0][back][i])
				}
			}
		}
	}
}

// normalized is to_tensor, then normalize, each channel with its own figures.
func normalized() Pixel {
	var table [3][256]float32
	for c := range table {
		for v := range table[c] {
			table[c][v] = (float32(v)/255 - float32(0.4+0.05*float64(c))) / float32(0.2+0.03*float64(c))
		}
	}
	return Tabulated(&table)
}

// Crops and flips, which copy whole rows, into every kind of output, by way of a row
// function or not: each value is the one that its pixel in the reference has.
func TestRowsOfPixels(t *testing.T) {
	r := rand.New(rand.NewPCG(63, 64))
	levels := new([3][256]uint8)
	for c := range levels {
		for v := range levels[c] {
			levels[c][v] = uint8(v*(c+3) + 5)
		}
	}
	darker := func(rgb []uint8) {
		for i := range rgb {
			rgb[i] /= 2
		}
	}
	float := normalized()
	for range 300 {
		h, w := 1+r.IntN(20), 1+r.IntN(60)
		src := picture("noise", h, w)
		before := slices.Clone(src.U8)
		height, width := 1+r.IntN(h), 1+r.IntN(w)
		if r.IntN(4) == 0 {
			width = w // its rows are copied all at once
		}
		chain := []Transform{{Matrix: Translate(float64(r.IntN(w-width+1)), float64(r.IntN(h-height+1))), Height: height, Width: width, Filter: Nearest}}
		if r.IntN(2) == 0 {
			chain = append(chain, Transform{Matrix: Affine{-1, 0, float64(width - 1), 0, 1, 0}, Height: height, Width: width, Filter: Nearest})
		}
		if r.IntN(3) == 0 {
			chain = append(chain, Transform{Matrix: Affine{1, 0, 0, 0, -1, float64(height - 1)}, Height: height, Width: width, Filter: Nearest})
		}
		want := reference(src, chain)
		passes := Fuse(h, w, chain, true)
		if len(passes) != 1 || passes[0].Merged != 0 {
			t.Fatalf("%d passes of whole pixels", len(passes))
		}
		for _, layout := range []schema.Layout{schema.HWC, schema.CHW} {
			for kind := range 6 {
				dst := &schema.Picture{Height: height, Width: width, Layout: layout}
				var px Pixel
				if kind%3 == 2 {
					dst.F32, px = make([]float32, 3*height*width), float
				} else {
					dst.U8 = make([]uint8, 3*height*width)
					if kind%3 == 1 {
						px.U8 = levels
					}
				}
				if kind >= 3 {
					px.Row = darker
				}
				passes[0].Run(dst, Whole(src), px)
				for i := range height * width {
					for c := range 3 {
						at, v := 3*i+c, want.U8[3*i+c]
						if layout == schema.CHW {
							at = c*height*width + i
						}
						if px.Row != nil {
							v /= 2
						}
						switch {
						case px.F32 != nil:
							if math.Float32bits(dst.F32[at]) != math.Float32bits(px.F32[c][v]) {
								t.Fatalf("%v, %d transforms, kind %d: value %d is %v, want %v", dst.Tensor(), len(chain), kind, at, dst.F32[at], px.F32[c][v])
							}
							continue
						case px.U8 != nil:
							v = px.U8[c][v]
						}
						if dst.U8[at] != v {
							t.Fatalf("%v, %d transforms, kind %d: value %d is %d, want %d", dst.Tensor(), len(chain), kind, at, dst.U8[at], v)
						}
					}
				}
			}
		}
		if !slices.Equal(before, src.U8) {
			t.Fatal("the source was changed")
		}
	}
}
