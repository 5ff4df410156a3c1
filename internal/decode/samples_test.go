package decode

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

func random(t testing.TB, r *rand.Rand, n int) []byte {
	p := guard.Slice[uint8](t, n)
	for i := range p {
		p[i] = uint8(r.Uint32())
	}
	return p
}

// Rows of any length, in memory that ends with them, as a loop over pixels makes them.
func TestPick(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1500 {
		n, size := r.IntN(60), 1+r.IntN(20)
		p := pick{size, r.IntN(size), r.IntN(size), r.IntN(size)}
		stored := random(t, r, n*size)
		got, want := guard.Slice[uint8](t, 3*n), make([]byte, 0, 3*n)
		for x := range n {
			c := stored[x*size:]
			want = append(want, c[p.red], c[p.green], c[p.blue])
		}
		if p.row(got, stored); !bytes.Equal(got, want) {
			t.Fatalf("%v of %d: %v, want %v", p, n, got, want)
		}
		if p.plain(got, stored); !bytes.Equal(got, want) {
			t.Fatalf("%v of %d without assembly: %v, want %v", p, n, got, want)
		}
	}
}

func TestColours(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var c rgbTable
	var levels [256][3]uint8
	for i := range levels {
		levels[i] = [3]uint8{uint8(r.Uint32()), uint8(r.Uint32()), uint8(r.Uint32())}
		c.set(i, levels[i][0], levels[i][1], levels[i][2])
	}
	for n := range 100 {
		numbers := random(t, r, n)
		got, want := guard.Slice[uint8](t, 3*n), make([]byte, 0, 3*n)
		for _, v := range numbers {
			want = append(want, levels[v][:]...)
		}
		if c.row(got, numbers); !bytes.Equal(got, want) {
			t.Fatalf("%d: %v, want %v", n, got, want)
		}
		if c.plain(got, numbers); !bytes.Equal(got, want) {
			t.Fatalf("%d without assembly: %v, want %v", n, got, want)
		}
		if c.fill(got, 7); !bytes.Equal(got, bytes.Repeat(levels[7][:], n)) {
			t.Fatalf("%d: filled with %v", n, got)
		}
		if invert(got); n > 0 && (got[0] != 255-levels[7][0] || got[3*n-1] != 255-levels[7][2]) {
			t.Fatalf("%d: inverted to %v", n, got)
		}
	}
}

func TestUnpackBits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		bits, from, n := 1<<r.IntN(3), r.IntN(20), r.IntN(70)
		row := random(t, r, ((from+n)*bits+7)/8)
		got := guard.Slice[uint8](t, n)
		unpackBits(got, row, bits, from)
		for i, v := range got {
			at := (from + i) * bits
			if want := row[at/8] >> (8 - bits - at%8) & (1<<bits - 1); v != want {
				t.Fatalf("%d numbers of %d bits from %d: number %d is %d, want %d", n, bits, from, i, v, want)
			}
		}
	}
}
