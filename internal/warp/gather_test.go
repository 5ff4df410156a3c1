package warp

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

// Columns from left to right, from right to left and in any order, near and far apart, of lines
// in memory that ends with them.
func TestGather(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	var g Gather
	fast := 0
	for range 3000 {
		width, n := 1+r.IntN(200), 1+r.IntN(100)
		columns := make([]int32, n)
		step, at := 6*r.Float64()*r.Float64(), float64(r.IntN(width))
		for i := range columns {
			columns[i] = int32(min(at, float64(width-1)))
			if at += step; r.IntN(200) == 0 {
				at = 0
			}
		}
		if r.IntN(2) == 0 {
			for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
				columns[i], columns[j] = columns[j], columns[i]
			}
		}
		line, out, want := noise(r, guard.Slice[uint8](t, width)), guard.Slice[uint8](t, n), make([]uint8, n)
		for i, c := range columns {
			want[i] = line[c]
		}
		g.Set(columns, width)
		if g.Take(out, line); !bytes.Equal(out, want) {
			t.Fatalf("%d of %d, %d loads: %v, want %v", n, width, g.loads, out, want)
		}
		if g.loads > 0 {
			fast++
		}
	}
	if fast == 0 && useAssembly {
		t.Error("none by assembly")
	}
}

func BenchmarkGather(b *testing.B) {
	for name, step := range map[string]float64{"half": 0.5, "same": 1, "double": 2, "four": 4} {
		columns := make([]int32, 320)
		for i := range columns {
			columns[i] = int32(float64(i) * step)
		}
		line, out := make([]uint8, 1300), make([]uint8, 320)
		for _, way := range []string{"fast", "plain"} {
			b.Run(name+"/"+way, func(b *testing.B) {
				var g Gather
				if g.Set(columns, len(line)); way == "plain" {
					g.loads = 0
				}
				b.SetBytes(320)
				for b.Loop() {
					g.Take(out, line)
				}
			})
		}
	}
}
