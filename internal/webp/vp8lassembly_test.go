package webp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

// withoutAssembly lets do run with the assembly and without.
func withoutAssembly(do func()) {
	do()
	useAssembly = false
	defer func() { useAssembly = haveAssembly() }()
	do()
}

// pixels are random ones, often near to one another, in memory that ends behind them.
func pixels(t *testing.T, r *rand.Rand, n int) []uint32 {
	p, shift := guard.Slice[uint32](t, n), r.IntN(8)
	last := r.Uint32()
	for i := range p {
		switch r.IntN(4) {
		case 0:
			last = r.Uint32()
		case 1:
			last = addPixels(last, r.Uint32()>>shift&0x0f0f0f0f)
		}
		p[i] = last
	}
	return p
}

// Rows of all modes, in place and not, in tiles of all sizes.
func TestPredictAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 40 { // the guarded memory is given back each time
		t.Run(fmt.Sprint(i), func(t *testing.T) { comparePredictions(t, r) })
	}
}

func comparePredictions(t *testing.T, r *rand.Rand) {
	for range 500 {
		n := 1 + r.IntN(70)
		tr := &transform{kind: predictors, width: n, bits: uint(2 + r.IntN(1+r.IntN(8)))}
		tiles := shrunk(n, tr.bits)
		tr.numbers = pixels(t, r, 2*tiles)
		mode := r.Uint32()
		for i := range tr.numbers {
			if tr.numbers[i] = r.Uint32(); r.IntN(2) == 0 {
				tr.numbers[i] = mode
			}
		}
		above, in := pixels(t, r, n+1), pixels(t, r, n)
		inPlace, first := r.IntN(2) == 0, r.IntN(10) == 0
		var results [][]uint32
		withoutAssembly(func() {
			out := guard.Slice[uint32](t, n)
			from := in
			if inPlace {
				copy(out, in)
				from = out
			}
			y := 1<<tr.bits + r.IntN(2)
			if first {
				y = 0
			}
			predictRow(out, from, above, tr, y)
			results = append(results, out)
		})
		if !slices.Equal(results[0], results[1]) {
			t.Fatalf("modes %x of %d pixels, in place %v:\n%x, want\n%x", tr.numbers, n, inPlace, results[0], results[1])
		}
	}
}

func TestCrossColourAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for range 1000 {
		n := 1 + r.IntN(70)
		tr := &transform{kind: crossColour, width: n, bits: uint(2 + r.IntN(8))}
		tr.numbers = pixels(t, r, shrunk(n, tr.bits))
		in := pixels(t, r, n)
		var results [][]uint32
		withoutAssembly(func() {
			out := guard.Slice[uint32](t, n)
			copy(out, in)
			crossColourRow(out, out, tr, 0)
			results = append(results, out)
		})
		if !slices.Equal(results[0], results[1]) {
			t.Fatalf("%x of %d pixels %x:\n%x, want\n%x", tr.numbers, n, in, results[0], results[1])
		}
	}
}

func TestRGBAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for i := range 1000 {
		n := 1 + r.IntN(70)
		in := pixels(t, r, n)
		var results [][]byte
		withoutAssembly(func() {
			out := guard.Slice[byte](t, 3*n)
			toRGB(out, in, i%2 == 0)
			results = append(results, out)
		})
		if !bytes.Equal(results[0], results[1]) {
			t.Fatalf("%d pixels %x:\n%x, want\n%x", n, in, results[0], results[1])
		}
	}
}

// Whole files, and what is wrong with damaged ones, are the same.
func TestDecodeAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	var d Decoder
	for i, data := range losslessFiles(t) {
		for j := range 8 {
			data := bytes.Clone(data)
			if j > 0 {
				data[30+r.IntN(len(data)-30)] ^= 1 << r.IntN(8)
			}
			var results []string
			withoutAssembly(func() {
				_, rgb, err := decodeFile(&d, data)
				if err != nil {
					rgb = nil
				}
				results = append(results, fmt.Sprintf("%v %x", err, rgb))
			})
			if results[0] != results[1] {
				t.Fatalf("file %d, damage %d: %.200s, want %.200s", i, j, results[0], results[1])
			}
		}
	}
}
