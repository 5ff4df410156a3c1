package warp

import (
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/schema"
)

// Rows whose middle is taken whole are those taken pixel by pixel.
func TestGridRows(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	whole := 0
	for range 3000 {
		height, width := 1+r.IntN(30), 1+r.IntN(30)
		src := Source{Pix: noise(r, make([]uint8, 3*height*width)), Stride: 3 * width, Rect: image.Rect(0, 0, width, height)}
		places := func(n int) []int {
			list := make([]int, 1+r.IntN(40))
			at, step := r.IntN(2*n)-n/2, 1-2*r.IntN(2)
			for i := range list {
				list[i] = at + step*i
				if r.IntN(200) == 0 {
					list[i] = r.IntN(n)
				}
				if list[i] < 0 || list[i] >= n {
					list[i] = -1
				}
			}
			return list
		}
		g := &grid{xs: places(width), ys: places(height)}
		if r.IntN(2) == 0 {
			g.fill = [3]uint8{1, 2, 3}
		}
		want := make([]uint8, 0, 3*len(g.xs)*len(g.ys))
		row := make([]uint8, 3*len(g.xs))
		for _, from := range g.ys {
			if from < 0 {
				for i := range row {
					row[i] = g.fill[i%3]
				}
			} else {
				g.pick(row, &src, from)
			}
			want = append(want, row...)
		}
		dst := &schema.Picture{Height: len(g.ys), Width: len(g.xs), Layout: schema.HWC, U8: noise(r, make([]uint8, len(want)))}
		g.run(&writer{dst: dst, rgb: make([]uint8, len(row))}, src, nil)
		if !slices.Equal(dst.U8, want) {
			t.Fatalf("columns %v, rows %v of %dx%d", g.xs, g.ys, height, width)
		}
		if step, first, end := g.middle(); step != 0 && end-first < len(g.xs) {
			whole++
		}
	}
	if whole < 300 {
		t.Errorf("only %d pictures with rows that are taken in part", whole)
	}
}
