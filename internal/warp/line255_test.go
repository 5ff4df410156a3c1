package warp

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Tables of to_tensor and normalize are lines, others aren't; and a line gives their bits
// in rows of any length.
func TestLine255(t *testing.T) {
	if !new(line255).valuesFast(make([]float32, 16), make([]uint8, 16)) {
		t.Skip("tables are looked up here")
	}
	r := rand.New(rand.NewPCG(31, 32))
	means := []float32{0, 0.485, 0.456, 0.406, 0.5, 0.4914, 0.4822, 0.4465, 0.1307, 1, -1}
	stds := []float32{1, 0.229, 0.224, 0.225, 0.5, 0.2470, 0.2435, 0.2616, 0.3081, 255, 1.0 / 255}
	for range 100 {
		means, stds = append(means, r.Float32()), append(stds, 0.01+r.Float32())
	}
	for i, mean := range means {
		var table [256]float32
		for v := range table {
			table[v] = (float32(v)/255 - mean) / stds[i]
		}
		var l line255
		if !l.fit(&table) {
			t.Errorf("mean %v, std %v: no line", mean, stds[i])
			continue
		}
		levels := make([]uint8, 16+r.IntN(100))
		for k := range levels {
			levels[k] = uint8(r.IntN(256))
		}
		values := make([]float32, len(levels)+1)
		if !l.valuesFast(values, levels) || values[len(levels)] != 0 {
			t.Fatalf("%d values", len(levels))
		}
		for k, v := range levels {
			if math.Float32bits(values[k]) != math.Float32bits(table[v]) {
				t.Fatalf("mean %v, std %v: %v of %d, want %v", mean, stds[i], values[k], v, table[v])
			}
		}
		at := r.IntN(256)
		table[at] = math.Nextafter32(table[at], 1000)
		if l.fit(&table) && table != lineOf(&l) {
			t.Errorf("a line for a table that is none")
		}
	}
	for _, table := range [][256]float32{{}, {255: float32(math.Inf(1))}, {0: float32(math.NaN())}, {0: 1}, {255: math.MaxFloat32}, {255: math.SmallestNonzeroFloat32}} {
		if l := new(line255); l.fit(&table) {
			t.Errorf("a line for a table that is none")
		}
	}
}

func lineOf(l *line255) (table [256]float32) {
	for v := range table {
		table[v] = (float32(v)/255 - l.mean) / float32(1/(float64(l.high)+float64(l.low)))
	}
	return table
}
