package warp

import (
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
	"github.com/sluicedata/sluice/internal/planar"
	"github.com/sluicedata/sluice/schema"
)

func noise[T uint8 | int16](r *rand.Rand, s []T) []T {
	for i := range s {
		if s[i] = T(r.Uint32()); r.IntN(4) == 0 {
			s[i] = T(-(r.IntN(2))) // an end of the range, or its middle
		}
	}
	return s
}

// Loops with assembly and without, on memory that ends with them.
func TestResizeLoopsStayInside(t *testing.T) {
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func() { useAssembly = true }()
	r := rand.New(rand.NewPCG(41, 42))
	columns := 0
	for range 200 {
		n, taps := 1+r.IntN(70), 1+r.IntN(7)
		var memory [2]scratch
		// Weights of a sharp filter, and of planes: these aren't negative and their sum is 1.
		sharp, planeWeights := make([]int32, taps+1), make([]int32, taps+1)
		rest := int32(1 << planeBits)
		for i := range taps {
			sharp[i] = (r.Int32N(3<<weightBits) - 1<<weightBits) / int32(taps)
			planeWeights[i] = r.Int32N(rest + 1)
			rest -= planeWeights[i]
		}
		planeWeights[r.IntN(taps)] += rest
		rows, wide := noise(r, guard.Slice[uint8](t, n*(taps+1))), noise(r, guard.Slice[int16](t, n*(taps+1)))
		var values [3][]int16
		for i := range values {
			values[i] = noise(r, guard.Slice[int16](t, n))
		}
		p := &planar.Plane{Width: 1 + r.IntN(60), Height: 1 + r.IntN(60)}
		p.Rect, p.Stride = image.Rect(0, 0, p.Width, p.Height), p.Width
		p.Pix = noise(r, guard.Slice[uint8](t, p.Width*p.Height))
		src := Source{Pix: noise(r, guard.Slice[uint8](t, 3*p.Width*p.Height)), Stride: 3 * p.Width, Rect: p.Rect}
		a := newAxis(float64(p.Width)/float64(n), 0, n, 0, p.Width)

		var got [2]struct {
			blended, levels, rgb, resized, columnsFirst []uint8
			planes, resizedPlane                        []int16
		}
		for i := range got {
			useAssembly = i == 1
			g, mem := &got[i], &memory[i]
			g.blended, g.planes = guard.Slice[uint8](t, n), guard.Slice[int16](t, n)
			k := kernel{most: taps + 1, usual: (taps + 1) &^ 1, starts: []int32{0}, ends: []int32{int32(taps)}, weights: sharp}
			k.pack(new([]int32), 1, 2, splitHalves)
			blendRows(g.blended, rows, n, &k, 0, mem)
			k.weights = planeWeights
			k.pack(new([]int32), 1, 1, halves)
			blendPlaneRows(g.planes, wide, &k, 0, mem)
			g.levels, g.rgb = guard.Slice[uint8](t, 3*n), guard.Slice[uint8](t, 3*n)
			convertPlanes(g.levels[:n], g.levels[n:2*n], g.levels[2*n:], values[0], values[1], values[2])
			interleave(g.rgb, g.levels[:n], g.levels[n:2*n], g.levels[2*n:])

			across := mem.table(tableKey{a, Bilinear, n, line{0, 1}, line{0, 1}, ofPlanes, 0})
			height := p.Height + p.Height%2 // plain Go takes two rows at a time
			g.resizedPlane = guard.Slice[int16](t, n*height)
			resizePlane(g.resizedPlane, p, p.Rect, &across.kernel, mem)
			g.resizedPlane = g.resizedPlane[:n*p.Height]

			s := &separable{height: p.Height, width: n, horizontal: a, vertical: newAxis(1, 0, p.Height, 0, p.Height), filter: Lanczos,
				afterX: line{0, 1}, afterY: line{0, 1}, beforeX: line{0, 1}, beforeY: line{0, 1}}
			g.resized = guard.Slice[uint8](t, 3*n*p.Height)
			dst := &schema.Picture{Height: p.Height, Width: n, Layout: schema.HWC, U8: g.resized}
			s.run(&writer{dst: dst}, src, mem)

			s.height = 1 + p.Height/5
			s.vertical = newAxis(float64(p.Height)/float64(s.height), 0, s.height, 0, p.Height)
			g.columnsFirst = guard.Slice[uint8](t, 3*n*s.height)
			dst = &schema.Picture{Height: s.height, Width: n, Layout: schema.HWC, U8: g.columnsFirst}
			s.run(&writer{dst: dst}, src, mem)
			if columnsFirst(s.horizontal, s.vertical) {
				columns++
			}
		}
		if a, b := got[0], got[1]; !slices.Equal(a.blended, b.blended) || !slices.Equal(a.planes, b.planes) || !slices.Equal(a.levels, b.levels) ||
			!slices.Equal(a.rgb, b.rgb) || !slices.Equal(a.resizedPlane, b.resizedPlane) || !slices.Equal(a.resized, b.resized) || !slices.Equal(a.columnsFirst, b.columnsFirst) {
			t.Fatalf("%d values of %d taps, %v: assembly gives others", n, taps, p.Rect)
		}
	}
	if columns < 100 {
		t.Errorf("only %d resize columns first", columns)
	}
}
