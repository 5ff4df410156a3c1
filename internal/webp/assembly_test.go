package webp

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

// bothWays calls do without assembly and with it.
func bothWays(t testing.TB, do func(way int)) {
	t.Helper()
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func(was bool) { useAssembly = was }(useAssembly)
	for way := range 2 {
		useAssembly = way == 1
		do(way)
	}
}

// randomBytes end at an unreadable page. A quarter of them are extreme.
func randomBytes(t testing.TB, r *rand.Rand, n int) []uint8 {
	b := guard.Slice[uint8](t, n)
	for i := range b {
		b[i] = uint8(r.Uint32())
		if r.IntN(4) == 0 {
			b[i] = uint8(-r.IntN(2))
		}
	}
	return b
}

// Whatever the data and the probabilities, assembly reads the same coefficients, and what follows them.
func TestCoefficientsWithAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		data := randomBytes(t, r, 16*coefficientsAheadInTests+r.IntN(2000))
		var tokens tokens
		var all [bands][contexts][16]uint8
		low := r.IntN(200)
		for n := range all {
			for c := range all[n] {
				for i := range all[n][c] {
					all[n][c][i] = uint8(low + r.IntN(256-low))
				}
			}
		}
		tokens.set(&all)
		q := quantizerOf(4+r.Int32N(300), 4+r.Int32N(400))
		first, wide := r.IntN(2), 2+2*r.IntN(2)
		var edges [8]uint8
		for i := range edges {
			edges[i] = uint8(r.IntN(2))
		}
		var outs [2][1024]int16
		var kinds [2][4]uint64
		var ones, after [2][]int
		bothWays(t, func(way int) {
			var b boolDecoder
			b.init(data)
			around := edges
			for i := range kinds[way] { // until less data is left than assembly wants
				kinds[way][i] = b.square(&tokens, &q, first, wide, around[:4], around[4:], outs[way][256*i:256*(i+1)])
			}
			for i := range 6 {
				var one [16]int16
				up, left := []uint8{uint8(min(i%3, 1))}, []uint8{uint8(i % 3 / 2)}
				kind := b.square(&tokens, &q, first, 1, up, left, one[:])
				ones[way] = append(ones[way], int(kind), int(up[0]), int(left[0]))
				for _, v := range one {
					ones[way] = append(ones[way], int(v))
				}
			}
			for range 200 {
				after[way] = append(after[way], b.bit(100))
			}
		})
		if outs[0] != outs[1] || kinds[0] != kinds[1] || !slices.Equal(ones[0], ones[1]) || !slices.Equal(after[0], after[1]) {
			t.Fatalf("kinds %x, want %x", kinds[1], kinds[0])
		}
	}
}

// coefficientsAheadInTests is enough for any processor's assembly.
const coefficientsAheadInTests = 300

// The modes of rows of macroblocks, until there are no more.
func TestModesWithAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 100 {
		data := randomBytes(t, r, 200+r.IntN(3000))
		var all [2][]mode
		bothWays(t, func(way int) {
			var b boolDecoder
			b.init(data)
			var up, left [4]mode
			for !b.ended {
				var modes [16]mode
				b.fineModes(&up, &left, &modes)
				all[way] = append(all[way], modes[:]...)
			}
		})
		if !slices.Equal(all[0], all[1]) {
			t.Fatalf("%v, want %v", all[1], all[0])
		}
	}
}

// A picture of random samples, filtered in any way, is the same.
func TestFiltersWithAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 400 {
		wide, rows := 1+r.IntN(4), 1+r.IntN(3)
		var d [2]VP8Decoder
		f := VP8{Width: 16 * wide, Height: 16 * rows}
		noise := 1 + r.IntN(60)
		for i := range d {
			d[i].prepare(&f, rows)
		}
		for i := range d[0].memory {
			v := uint8(100 + r.IntN(noise))
			d[0].memory[i], d[1].memory[i] = v, v
		}
		var e edges
		e.set(r.IntN(64), r.IntN(8))
		simple, inner := r.IntN(3) == 0, r.IntN(3) > 0
		bothWays(t, func(way int) {
			for y := range rows {
				for x := range wide {
					if simple {
						d[way].filterSimply(x, y, &e, inner)
					} else {
						d[way].filter(x, y, &e, inner)
					}
				}
			}
		})
		if !bytes.Equal(d[0].memory, d[1].memory) {
			t.Fatalf("%dx%d macroblocks, simple %v, limit %d", rows, wide, simple, e.limit)
		}
	}
}

// The residue of macroblocks, of usual sizes and of those that only damaged files have.
func TestResidueWithAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		var d [2]VP8Decoder
		f := VP8{Width: 16, Height: 16}
		for i := range d {
			d[i].prepare(&f, 1)
		}
		for i := range d[0].memory {
			v := uint8(r.Uint32())
			d[0].memory[i], d[1].memory[i] = v, v
		}
		var m macroblock
		m.fine = r.IntN(2) == 0
		m.chroma = mode(r.IntN(4))
		for i := range m.luma {
			m.luma[i] = mode(r.IntN(modes4))
		}
		if !m.fine {
			m.luma[0] = mode(r.IntN(4))
		}
		most := []int{20, 2000, 9000, 33000}[r.IntN(4)]
		residue := &d[0].residue
		for i := range 24 {
			kind := r.IntN(4)
			residue.kinds |= uint64(kind) << (2 * i)
			for n := range []int{0, 1, 3, 16}[kind] {
				residue.blocks[16*i+int(zigzag[n])] = int16(r.IntN(2*most) - most)
			}
		}
		d[1].residue = *residue
		bothWays(t, func(way int) { d[way].rebuild(0, 0, &m) })
		if !bytes.Equal(d[0].memory, d[1].memory) {
			t.Fatalf("fine %v, most %d, kinds %x", m.fine, most, residue.kinds)
		}
	}
}

func TestGradientWithAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		size := 8 + 8*r.IntN(2)
		above := randomBytes(t, r, size+1)
		start := randomBytes(t, r, 64+32*size)
		var pix [2][]uint8
		bothWays(t, func(way int) {
			pix[way] = slices.Clone(start)
			predict(gradientMode, size, pix[way], 40, 32, above, true, true)
		})
		if !bytes.Equal(pix[0], pix[1]) {
			t.Fatalf("size %d", size)
		}
	}
}

// Rows of any length, in memory that ends with them.
func TestRowsWithAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 600 {
		n := 1 + r.IntN(100)
		near, far := randomBytes(t, r, n+1), randomBytes(t, r, n+1)
		luma, cb, cr := randomBytes(t, r, n), randomBytes(t, r, n), randomBytes(t, r, n)
		var out, rgb [2][]uint8
		bothWays(t, func(way int) {
			out[way], rgb[way] = guard.Slice[uint8](t, 2*n), guard.Slice[uint8](t, 3*n)
			upsample(out[way], near, far)
			convert(rgb[way], luma, cb, cr)
		})
		if !bytes.Equal(out[0], out[1]) {
			t.Fatalf("%d columns: %v, want %v", n, out[1], out[0])
		}
		if !bytes.Equal(rgb[0], rgb[1]) {
			t.Fatalf("%d pixels: %v, want %v", n, rgb[1], rgb[0])
		}
	}
}

func TestEveryColour(t *testing.T) {
	var luma, cb, cr [256]uint8
	var rgb [2][3 * 256]uint8
	for x := range luma {
		luma[x] = uint8(x)
	}
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	for u := range 256 {
		for v := range 256 {
			for x := range cb {
				cb[x], cr[x] = uint8(u), uint8(v)
			}
			convertGo(rgb[0][:], luma[:], cb[:], cr[:])
			convert(rgb[1][:], luma[:], cb[:], cr[:])
			if rgb[0] != rgb[1] {
				t.Fatalf("Cb %d, Cr %d", u, v)
			}
		}
	}
}

// Files, whole and damaged.
func TestFilesWithAssembly(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for i, chunk := range samples(t) {
		for range 12 {
			damaged := guard.Slice[uint8](t, len(chunk))
			copy(damaged, chunk)
			for range r.IntN(4) {
				damaged[10+r.IntN(len(damaged)-10)] = uint8(r.Uint32())
			}
			var sums [2][]byte
			var errs [2]string
			bothWays(t, func(way int) {
				var d VP8Decoder
				_, rgb, err := decodeLossy(&d, damaged)
				sums[way] = rgb
				if err != nil {
					errs[way] = err.Error()
				}
			})
			if errs[0] != errs[1] || !bytes.Equal(sums[0], sums[1]) {
				t.Fatalf("file %d: %q with assembly, %q without", i, errs[1], errs[0])
			}
		}
	}
}

// firsts are what bytes a chunk's partitions begin with, by place.
func firsts(chunk []byte) (at []int) {
	var d VP8Decoder
	f, err := ParseVP8(chunk)
	if err != nil || d.header(&f) != nil {
		return nil
	}
	at = append(at, frameHeader)
	for i, last := 0, frameHeader+len(f.first)+3*(d.count-1); i < d.count; i++ {
		n := len(d.partitions[i].data)
		if n > 0 {
			at = append(at, last)
		}
		last += n
	}
	return at
}

// A partition that begins with 0xff is damage, unless no row has it.
func TestImpossiblePartitions(t *testing.T) {
	refused, unused := 0, 0
	for i, chunk := range samples(t) {
		var d VP8Decoder
		f, whole, err := decodeLossy(&d, chunk)
		if err != nil {
			t.Fatal(err)
		}
		_, high := f.blocks()
		count := d.count
		for j, at := range firsts(chunk) {
			damaged := bytes.Clone(chunk)
			damaged[at] = 0xfe
			if _, _, err := decodeLossy(&d, damaged); err != nil && strings.Contains(err.Error(), "0xff") {
				t.Errorf("file %d: partition %d with 0xfe: %v", i, j, err)
			}
			damaged[at] = 0xff
			_, rgb, err := decodeLossy(&d, damaged)
			switch {
			case err != nil && strings.Contains(err.Error(), "0xff"):
				refused++
			case err == nil && j > high && count > high && bytes.Equal(rgb, whole):
				unused++
			default:
				t.Errorf("file %d: partition %d of %d for %d rows: %v", i, j, count, high, err)
			}
		}
	}
	if refused < 200 || unused < 10 {
		t.Errorf("%d refused, %d unused", refused, unused)
	}
}

// FuzzLossy: whatever the bytes, no panic, no more memory than Memory says, and the same with assembly and without.
//
//	go test ./internal/webp -run - -fuzz FuzzLossy -fuzztime 3m
func FuzzLossy(f *testing.F) {
	for _, c := range lossies(f, "testdata/lossy.json") {
		chunk := lossyChunk(c.Encoded)
		f.Add(chunk)
		for _, at := range firsts(chunk) {
			damaged := bytes.Clone(chunk)
			damaged[at] = 0xff
			f.Add(damaged)
		}
	}
	f.Fuzz(func(t *testing.T, chunk []byte) {
		v, err := ParseVP8(chunk)
		if err != nil || v.Width*v.Height > 1<<16 {
			return
		}
		var d, other VP8Decoder
		rgb := make([]byte, 3*v.Width*v.Height)
		err = d.Decode(context.Background(), &v, v.whole(), rgb)
		if int64(d.Kept()) > v.Memory(v.whole()) {
			t.Errorf("%d bytes are kept, Memory says %d", d.Kept(), v.Memory(v.whole()))
		}
		defer func(was bool) { useAssembly = was }(useAssembly)
		useAssembly = false
		plain := make([]byte, len(rgb))
		plainErr := other.Decode(context.Background(), &v, v.whole(), plain)
		if (err == nil) != (plainErr == nil) || err != nil && err.Error() != plainErr.Error() {
			t.Fatalf("%v with assembly, %v without", err, plainErr)
		}
		if err == nil && !bytes.Equal(rgb, plain) {
			t.Fatal("other pixels without assembly")
		}
	})
}
