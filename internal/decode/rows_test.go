package decode

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

// Rows of any length, in memory that ends with them, are the same with assembly and without.
func TestRowsWithAssembly(t *testing.T) {
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func(was bool) { useAssembly = was }(useAssembly)
	r := rand.New(rand.NewPCG(1, 2))
	row := func(n int) []uint8 {
		b := guard.Slice[uint8](t, n)
		for i := range b {
			b[i] = uint8(r.Uint32())
			if r.IntN(4) == 0 {
				b[i] = uint8(-r.IntN(2)) // 0 or 255
			}
		}
		return b
	}
	for range 1500 {
		n := 1 + r.IntN(100)
		rows := [4][]uint8{row(n), row(n), row(n)}
		near, far := row(n+2), row(n+2)
		var all [2][3][]uint8
		for way := range all {
			useAssembly = way == 1
			out := &all[way]
			for i, size := range [3]int{3 * n, 2 * n, 2 * n} {
				out[i] = guard.Slice[uint8](t, size)
			}
			convertYCC(out[0], &rows)
			upsampleH2(out[1], near)
			upsampleH2V2(out[2], near, far)
		}
		for i, name := range []string{"convertYCC", "upsampleH2", "upsampleH2V2"} {
			if !bytes.Equal(all[0][i], all[1][i]) {
				t.Fatalf("%s of %d: %v, want %v", name, n, all[1][i], all[0][i])
			}
		}
	}
}

// All colours, as the tables convert them.
func TestEveryColour(t *testing.T) {
	var rows [4][]uint8
	for i := range 3 {
		rows[i] = make([]uint8, 256)
	}
	have, want := make([]uint8, 3*256), make([]uint8, 3*256)
	for x := range 256 {
		rows[0][x] = uint8(x)
	}
	for cb := range 256 {
		for cr := range 256 {
			for x := range 256 {
				rows[1][x], rows[2][x] = uint8(cb), uint8(cr)
			}
			convertYCC(have, &rows)
			convertYCCGo(want, &rows)
			if !bytes.Equal(have, want) {
				t.Fatalf("Cb %d, Cr %d", cb, cr)
			}
		}
	}
}
