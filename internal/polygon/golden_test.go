package polygon_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/sluicedata/sluice/internal/mixture"
	"github.com/sluicedata/sluice/internal/polygon"
	"github.com/sluicedata/sluice/internal/smooth"
)

// golden is a case of testdata/golden.json, which golden.py writes.
type golden struct {
	Own, Other   [][2]int64
	Pixels, Coco []string
	Rest         float64
	Sigma        float64
	Blurred      []float64
}

func ringOf(points [][2]int64) (r polygon.Ring) {
	for _, p := range points {
		r = append(r, polygon.Point{X: p[0], Y: p[1]})
	}
	return r
}

// The pixels of polygons are those of a slow program in exact fractions, and pycocotools' but at edges; the area that
// another polygon leaves is that of fractions; shares of blurred masks are OpenCV's.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	pixels, others, blurred := 0, 0, 0
	for n, c := range cases {
		own, other := polygon.Shape{ringOf(c.Own)}, polygon.Shape{ringOf(c.Other)}
		height, width := len(c.Pixels), len(c.Pixels[0])
		have := make([]byte, height*width)
		own.Fill(height, width, func(y, x, end int) {
			for ; x < end; x++ {
				have[y*width+x] = 1
			}
		})
		for y := range height {
			for x := range width {
				v := have[y*width+x]
				if pixels += int(v); v != c.Pixels[y][x]-'0' {
					t.Errorf("case %d: pixel %d %d is %d", n, x, y, v)
				}
				if v == c.Coco[y][x]-'0' {
					continue
				}
				others++
				if d := distance(own[0], float64(x)+0.5, float64(y)+0.5); d > 0.8 {
					t.Errorf("case %d: pixel %d %d, %.2f from the edge, is %d, and pycocotools has another", n, x, y, d, v)
				}
			}
		}
		if rest := own.Minus(other).Area(); math.Abs(rest-c.Rest) > 0.02 {
			t.Errorf("case %d: the area %.4f is left, want %.4f", n, rest, c.Rest)
		}
		if c.Sigma == 0 {
			continue
		}
		shares := mixture.Smoothed(height, width, smooth.Weights(2*int(math.Ceil(3*c.Sigma))+1, c.Sigma), func(set func(y, x, end int)) { own.Fill(height, width, set) })
		for y := range height {
			for x := range width {
				v := 0.0
				if i, j := y-shares.Top, x-shares.Left; i >= 0 && i < shares.Height && j >= 0 && j < shares.Width {
					v = float64(shares.Row(y)[j]) / mixture.One
				}
				if d := math.Abs(v - c.Blurred[y*width+x]); d > 2e-4 {
					t.Errorf("case %d: the share of pixel %d %d is %.5f, OpenCV has %.5f", n, x, y, v, c.Blurred[y*width+x])
				}
				blurred++
			}
		}
	}
	t.Logf("%d pixels, %d of them not pycocotools'", pixels, others)
	if pixels < 5000 || others == 0 || others > pixels/10 || blurred == 0 {
		t.Errorf("%d pixels in %d cases, %d not pycocotools', %d blurred", pixels, len(cases), others, blurred)
	}
}

// distance is that of a point from a ring, in pixels.
func distance(r polygon.Ring, x, y float64) float64 {
	least := math.Inf(1)
	for i, b := range r {
		a := r[(i+len(r)-1)%len(r)]
		ax, ay := float64(a.X)/polygon.One, float64(a.Y)/polygon.One
		dx, dy := float64(b.X)/polygon.One-ax, float64(b.Y)/polygon.One-ay
		t := 0.0
		if l := dx*dx + dy*dy; l > 0 {
			t = min(max(((x-ax)*dx+(y-ay)*dy)/l, 0), 1)
		}
		least = min(least, math.Hypot(x-ax-t*dx, y-ay-t*dy))
	}
	return least
}
