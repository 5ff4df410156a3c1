package webp

import (
	"bytes"
	"fmt"
	"image"
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

// FuzzWebP: whatever the bytes, no panic, the same with assembly and without, parts are those of the whole, and a used
// decoder decodes like a new one. Pillow's judgement is .ci/python/fuzz_webp.py's.
//
//	go test ./internal/webp -fuzz FuzzWebP -fuzztime 3m
func FuzzWebP(f *testing.F) {
	for _, data := range losslessFiles(f) {
		if len(data) < 1<<12 {
			f.Add(data)
		}
	}
	for _, c := range lossies(f, "testdata/lossy.json")[:30] {
		f.Add(c.Encoded)
	}
	l := plain(5, 3, 1, 2, 3)
	f.Add(joined(vp8x(9, 9, 2), part("ANIM", 0, 0, 0, 0, 0, 0), anmf(2, 4, 5, 3, l), anmf(0, 0, 5, 3, l)))
	f.Add(joined(vp8x(5, 3, 12), part("EXIF", 1), l, part("XMP ", 2)))
	var used Decoder
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil || file.Width*file.Height > 1<<20 {
			return
		}
		var results []string
		var rgb []byte
		withoutAssembly(func() {
			d := new(Decoder)
			if _, rgb, err = decodeFile(d, data); err != nil {
				rgb = nil
			}
			if n, most := int64(d.Kept()), file.Memory(image.Rect(0, 0, file.Width, file.Height)); n > most {
				t.Errorf("%d bytes are kept, Memory says %d", n, most)
			}
			results = append(results, fmt.Sprintf("%v %x", err, rgb))
		})
		_, again, err := decodeFile(&used, data)
		if err != nil {
			again = nil
		}
		if results = append(results, fmt.Sprintf("%v %x", err, again)); results[0] != results[1] || results[0] != results[2] {
			t.Errorf("with assembly %.200s, without %.200s, again %.200s", results[0], results[1], results[2])
		}
		if rgb != nil {
			r := rand.New(rand.NewPCG(uint64(len(data)), 1))
			checkPart(t, &used, file, rgb, randomPart(r, file), 0)
		}
	})
}
