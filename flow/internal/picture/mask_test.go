package picture

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// Masks of transforms that keep rows and columns are what each pixel by itself gives.
func TestMaskRowsAndColumns(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 5))
	var n nearest
	outside := 0
	for range 2000 {
		h, w, stride := 1+rnd.IntN(40), 1+rnd.IntN(40), 48
		src := make([]uint8, h*stride)
		for i := range src {
			src[i] = uint8(rnd.IntN(200))
		}
		n.height, n.width, n.src, n.stride, n.window, n.border = 1+rnd.IntN(60), 1+rnd.IntN(60), src, stride, [4]int{rnd.IntN(w), rnd.IntN(h), w, h}, warp.Constant
		if rnd.IntN(4) == 0 {
			n.border = warp.Edge
		}
		back := warp.Identity().Homography()
		back[0], back[4] = 0.1+3*rnd.Float64(), 0.1+3*rnd.Float64()
		back[2], back[5] = 20*rnd.NormFloat64(), 20*rnd.NormFloat64()
		switch rnd.IntN(3) {
		case 0: // mirrored
			back[0], back[2] = -back[0], back[2]+float64(n.width)*back[0]
		case 1: // as large as before
			back[0], back[4], back[2], back[5] = 1, 1, math.Floor(back[2]), math.Floor(back[5])
		}
		var outline [][2]float64
		if rnd.IntN(2) == 0 {
			x, y := 60*rnd.Float64(), 60*rnd.Float64()
			outline = [][2]float64{{x - 50*rnd.Float64(), y}, {x, y - 50*rnd.Float64()}, {x + 50*rnd.Float64(), y}, {x, y + 50*rnd.Float64()}}
		}
		n.dst = make([]uint8, n.height*n.width)
		if n.border == warp.Constant && rnd.IntN(2) == 0 {
			n.begin(back, outline)
			for v := n.window[1]; v < n.window[3]; v++ {
				n.next(v, src[v*stride:(v+1)*stride])
			}
		} else {
			n.run(back, outline)
		}
		for y := range n.height {
			first, end := span(outline, n.width, y)
			for x := range n.width {
				want := uint8(schema.MaskIgnore)
				if x >= first && x < end {
					want = n.at(int(math.Floor(back[0]*(float64(x)+0.5)+back[2]+tie)), int(math.Floor(back[4]*(float64(y)+0.5)+back[5]+tie)))
				}
				if have := n.dst[y*n.width+x]; have != want {
					t.Fatalf("%+v, outline %v: %d at %d,%d, want %d", back, outline, have, x, y, want)
				}
				if want == schema.MaskIgnore {
					outside++
				}
			}
		}
	}
	if outside == 0 {
		t.Error("nothing was outside")
	}
}

// Values are those of the table, also where eight are as the eight before them; and the first
// one of no class is told.
func TestRenumber(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 4))
	var table [256]uint8
	for i := range table {
		table[i] = uint8(i / 2)
	}
	classes := make([]string, 100)
	for _, to := range []*[256]uint8{nil, &table} {
		for _, named := range [][]string{nil, classes} {
			for range 500 {
				values := make([]uint8, 1+rnd.IntN(200))
				v := uint8(0)
				for i := range values {
					if rnd.IntN(20) == 0 {
						v = uint8(rnd.IntN(110))
					}
					values[i] = v
				}
				want, bad := bytes.Clone(values), ""
				for i, v := range want {
					if to != nil {
						want[i] = to[v]
					}
					if bad == "" && named != nil && int(want[i]) >= len(named) {
						bad = fmt.Sprintf("has the value %d at x %d, y 7,", want[i], i)
					}
				}
				err := renumber(values, 7, to, named)
				switch {
				case bad == "" && (err != nil || !bytes.Equal(values, want)):
					t.Fatalf("%v: %v, want %v", err, values, want)
				case bad != "" && (err == nil || !bytes.HasPrefix([]byte(err.Error()), []byte(bad))):
					t.Fatalf("%v, want %s", err, bad)
				}
			}
		}
	}
}
